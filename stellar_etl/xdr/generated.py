"""Decoders of Stellar's XDR. Made by `python -m stellar_etl.xdr.generate`; do not edit."""

# ruff: noqa
from struct import Struct
from typing import Any

U_12s = Struct(">12s").unpack_from
U_12si32s = Struct(">12si32s").unpack_from
U_32s = Struct(">32s").unpack_from
U_32s32s = Struct(">32s32s").unpack_from
U_32s32s32s32s = Struct(">32s32s32s32s").unpack_from
U_32s32sI = Struct(">32s32sI").unpack_from
U_32s32sIqqIQIII = Struct(">32s32sIqqIQIII").unpack_from
U_32sI = Struct(">32sI").unpack_from
U_32sIqI = Struct(">32sIqI").unpack_from
U_32sQI = Struct(">32sQI").unpack_from
U_32si = Struct(">32si").unpack_from
U_32sq = Struct(">32sq").unpack_from
U_32sqqiiii = Struct(">32sqqiiii").unpack_from
U_32sqqq = Struct(">32sqqq").unpack_from
U_4s = Struct(">4s").unpack_from
U_4sI = Struct(">4sI").unpack_from
U_4si32s = Struct(">4si32s").unpack_from
U_I = Struct(">I").unpack_from
U_I32s = Struct(">I32s").unpack_from
U_II = Struct(">II").unpack_from
U_III = Struct(">III").unpack_from
U_III32s = Struct(">III32s").unpack_from
U_IIIII = Struct(">IIIII").unpack_from
U_IIIIIIIIqqqqqqI = Struct(">IIIIIIIIqqqqqqI").unpack_from
U_IIIqqIIIII = Struct(">IIIqqIIIII").unpack_from
U_IIQ = Struct(">IIQ").unpack_from
U_IIq = Struct(">IIq").unpack_from
U_Ii = Struct(">Ii").unpack_from
U_Iq = Struct(">Iq").unpack_from
U_Iqi = Struct(">Iqi").unpack_from
U_Q = Struct(">Q").unpack_from
U_Q32s = Struct(">Q32s").unpack_from
U_QII = Struct(">QII").unpack_from
U_QQ = Struct(">QQ").unpack_from
U_QQQQ = Struct(">QQQQ").unpack_from
U_i = Struct(">i").unpack_from
U_i32s = Struct(">i32s").unpack_from
U_i32sI = Struct(">i32sI").unpack_from
U_i32sQi = Struct(">i32sQi").unpack_from
U_i32si = Struct(">i32si").unpack_from
U_i32sq = Struct(">i32sq").unpack_from
U_i32sqqII = Struct(">i32sqqII").unpack_from
U_iI = Struct(">iI").unpack_from
U_iIQ = Struct(">iIQ").unpack_from
U_ii = Struct(">ii").unpack_from
U_iiIIIIIIIIII = Struct(">iiIIIIIIIIII").unpack_from
U_iq = Struct(">iq").unpack_from
U_iqq = Struct(">iqq").unpack_from
U_iqqq = Struct(">iqqq").unpack_from
U_q = Struct(">q").unpack_from
U_qI = Struct(">qI").unpack_from
U_qQ = Struct(">qQ").unpack_from
U_qQQQ = Struct(">qQQQ").unpack_from
U_qi = Struct(">qi").unpack_from
U_qii = Struct(">qii").unpack_from
U_qiiIi = Struct(">qiiIi").unpack_from
U_qiiq = Struct(">qiiq").unpack_from
U_qqIi = Struct(">qqIi").unpack_from
U_qqi = Struct(">qqi").unpack_from
U_qqqI = Struct(">qqqI").unpack_from
U_qqqq = Struct(">qqqq").unpack_from


def d_LedgerCloseMetaBatch(b: bytes, p: int) -> Any:
    (x_startSequence, x_endSequence, x_ledgerCloseMetas_h,) = U_III(b, p)
    p += 12
    x_ledgerCloseMetas = []
    for _ in range(x_ledgerCloseMetas_h):
        x_ledgerCloseMetas_x, p = d_LedgerCloseMeta(b, p)
        x_ledgerCloseMetas.append(x_ledgerCloseMetas_x)
    x = {"startSequence": x_startSequence, "endSequence": x_endSequence, "ledgerCloseMetas": x_ledgerCloseMetas}
    return x, p


def d_LedgerCloseMeta(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        x_v_ledgerHeader, p = d_LedgerHeaderHistoryEntry(b, p)
        x_v_txSet, p = d_TransactionSet(b, p)
        (x_v_txProcessing_h,) = U_I(b, p)
        p += 4
        x_v_txProcessing = []
        for _ in range(x_v_txProcessing_h):
            x_v_txProcessing_x, p = d_TransactionResultMeta(b, p)
            x_v_txProcessing.append(x_v_txProcessing_x)
        (x_v_upgradesProcessing_h,) = U_I(b, p)
        p += 4
        x_v_upgradesProcessing = []
        for _ in range(x_v_upgradesProcessing_h):
            x_v_upgradesProcessing_x, p = d_UpgradeEntryMeta(b, p)
            x_v_upgradesProcessing.append(x_v_upgradesProcessing_x)
        (x_v_scpInfo_h,) = U_I(b, p)
        p += 4
        x_v_scpInfo = []
        for _ in range(x_v_scpInfo_h):
            (x_v_scpInfo_x_h,) = U_i(b, p)
            p += 4
            if x_v_scpInfo_x_h == 0:
                (x_v_scpInfo_x_v_quorumSets_h,) = U_I(b, p)
                p += 4
                x_v_scpInfo_x_v_quorumSets = []
                for _ in range(x_v_scpInfo_x_v_quorumSets_h):
                    x_v_scpInfo_x_v_quorumSets_x, p = d_SCPQuorumSet(b, p)
                    x_v_scpInfo_x_v_quorumSets.append(x_v_scpInfo_x_v_quorumSets_x)
                (x_v_scpInfo_x_v_ledgerMessages_ledgerSeq, x_v_scpInfo_x_v_ledgerMessages_messages_h,) = U_II(b, p)
                p += 8
                x_v_scpInfo_x_v_ledgerMessages_messages = []
                for _ in range(x_v_scpInfo_x_v_ledgerMessages_messages_h):
                    x_v_scpInfo_x_v_ledgerMessages_messages_x, p = d_SCPEnvelope(b, p)
                    x_v_scpInfo_x_v_ledgerMessages_messages.append(x_v_scpInfo_x_v_ledgerMessages_messages_x)
                x_v_scpInfo_x_v_ledgerMessages = {"ledgerSeq": x_v_scpInfo_x_v_ledgerMessages_ledgerSeq, "messages": x_v_scpInfo_x_v_ledgerMessages_messages}
                x_v_scpInfo_x_v = {"quorumSets": x_v_scpInfo_x_v_quorumSets, "ledgerMessages": x_v_scpInfo_x_v_ledgerMessages}
                x_v_scpInfo_x = (0, x_v_scpInfo_x_v)
            else:
                raise ValueError(f'SCPHistoryEntry {x_v_scpInfo_x_h} at byte {p - 4} is unknown')
            x_v_scpInfo.append(x_v_scpInfo_x)
        x_v = {"ledgerHeader": x_v_ledgerHeader, "txSet": x_v_txSet, "txProcessing": x_v_txProcessing, "upgradesProcessing": x_v_upgradesProcessing, "scpInfo": x_v_scpInfo}
        x = (0, x_v)
    elif x_h == 1:
        x_v_ext, p = d_LedgerCloseMetaExt(b, p)
        x_v_ledgerHeader, p = d_LedgerHeaderHistoryEntry(b, p)
        x_v_txSet_start = p
        (x_v_txSet_h,) = U_i(b, p)
        p += 4
        if x_v_txSet_h == 1:
            (x_v_txSet_v_previousLedgerHash, x_v_txSet_v_phases_h,) = U_32sI(b, p)
            p += 36
            x_v_txSet_v_phases = []
            for _ in range(x_v_txSet_v_phases_h):
                (x_v_txSet_v_phases_x_h,) = U_i(b, p)
                p += 4
                if x_v_txSet_v_phases_x_h == 0:
                    (x_v_txSet_v_phases_x_v_h,) = U_I(b, p)
                    p += 4
                    x_v_txSet_v_phases_x_v = []
                    for _ in range(x_v_txSet_v_phases_x_v_h):
                        (x_v_txSet_v_phases_x_v_x_h,) = U_i(b, p)
                        p += 4
                        if x_v_txSet_v_phases_x_v_x_h == 0:
                            (x_v_txSet_v_phases_x_v_x_v_baseFee_h,) = U_I(b, p)
                            p += 4
                            if x_v_txSet_v_phases_x_v_x_v_baseFee_h:
                                (x_v_txSet_v_phases_x_v_x_v_baseFee,) = U_q(b, p)
                                p += 8
                            else:
                                x_v_txSet_v_phases_x_v_x_v_baseFee = None
                            (x_v_txSet_v_phases_x_v_x_v_txs_h,) = U_I(b, p)
                            p += 4
                            x_v_txSet_v_phases_x_v_x_v_txs = []
                            for _ in range(x_v_txSet_v_phases_x_v_x_v_txs_h):
                                x_v_txSet_v_phases_x_v_x_v_txs_x, p = d_TransactionEnvelope(b, p)
                                x_v_txSet_v_phases_x_v_x_v_txs.append(x_v_txSet_v_phases_x_v_x_v_txs_x)
                            x_v_txSet_v_phases_x_v_x_v = {"baseFee": x_v_txSet_v_phases_x_v_x_v_baseFee, "txs": x_v_txSet_v_phases_x_v_x_v_txs}
                            x_v_txSet_v_phases_x_v_x = (0, x_v_txSet_v_phases_x_v_x_v)
                        else:
                            raise ValueError(f'TxSetComponent {x_v_txSet_v_phases_x_v_x_h} at byte {p - 4} is unknown')
                        x_v_txSet_v_phases_x_v.append(x_v_txSet_v_phases_x_v_x)
                    x_v_txSet_v_phases_x = (0, x_v_txSet_v_phases_x_v)
                elif x_v_txSet_v_phases_x_h == 1:
                    (x_v_txSet_v_phases_x_v_baseFee_h,) = U_I(b, p)
                    p += 4
                    if x_v_txSet_v_phases_x_v_baseFee_h:
                        (x_v_txSet_v_phases_x_v_baseFee,) = U_q(b, p)
                        p += 8
                    else:
                        x_v_txSet_v_phases_x_v_baseFee = None
                    (x_v_txSet_v_phases_x_v_executionStages_h,) = U_I(b, p)
                    p += 4
                    x_v_txSet_v_phases_x_v_executionStages = []
                    for _ in range(x_v_txSet_v_phases_x_v_executionStages_h):
                        (x_v_txSet_v_phases_x_v_executionStages_x_h,) = U_I(b, p)
                        p += 4
                        x_v_txSet_v_phases_x_v_executionStages_x = []
                        for _ in range(x_v_txSet_v_phases_x_v_executionStages_x_h):
                            (x_v_txSet_v_phases_x_v_executionStages_x_x_h,) = U_I(b, p)
                            p += 4
                            x_v_txSet_v_phases_x_v_executionStages_x_x = []
                            for _ in range(x_v_txSet_v_phases_x_v_executionStages_x_x_h):
                                x_v_txSet_v_phases_x_v_executionStages_x_x_x, p = d_TransactionEnvelope(b, p)
                                x_v_txSet_v_phases_x_v_executionStages_x_x.append(x_v_txSet_v_phases_x_v_executionStages_x_x_x)
                            x_v_txSet_v_phases_x_v_executionStages_x.append(x_v_txSet_v_phases_x_v_executionStages_x_x)
                        x_v_txSet_v_phases_x_v_executionStages.append(x_v_txSet_v_phases_x_v_executionStages_x)
                    x_v_txSet_v_phases_x_v = {"baseFee": x_v_txSet_v_phases_x_v_baseFee, "executionStages": x_v_txSet_v_phases_x_v_executionStages}
                    x_v_txSet_v_phases_x = (1, x_v_txSet_v_phases_x_v)
                else:
                    raise ValueError(f'TransactionPhase {x_v_txSet_v_phases_x_h} at byte {p - 4} is unknown')
                x_v_txSet_v_phases.append(x_v_txSet_v_phases_x)
            x_v_txSet_v = {"previousLedgerHash": x_v_txSet_v_previousLedgerHash, "phases": x_v_txSet_v_phases}
            x_v_txSet = (1, x_v_txSet_v, b[x_v_txSet_start:p])
        else:
            raise ValueError(f'GeneralizedTransactionSet {x_v_txSet_h} at byte {p - 4} is unknown')
        (x_v_txProcessing_h,) = U_I(b, p)
        p += 4
        x_v_txProcessing = []
        for _ in range(x_v_txProcessing_h):
            x_v_txProcessing_x, p = d_TransactionResultMeta(b, p)
            x_v_txProcessing.append(x_v_txProcessing_x)
        (x_v_upgradesProcessing_h,) = U_I(b, p)
        p += 4
        x_v_upgradesProcessing = []
        for _ in range(x_v_upgradesProcessing_h):
            x_v_upgradesProcessing_x, p = d_UpgradeEntryMeta(b, p)
            x_v_upgradesProcessing.append(x_v_upgradesProcessing_x)
        (x_v_scpInfo_h,) = U_I(b, p)
        p += 4
        x_v_scpInfo = []
        for _ in range(x_v_scpInfo_h):
            (x_v_scpInfo_x_h,) = U_i(b, p)
            p += 4
            if x_v_scpInfo_x_h == 0:
                (x_v_scpInfo_x_v_quorumSets_h,) = U_I(b, p)
                p += 4
                x_v_scpInfo_x_v_quorumSets = []
                for _ in range(x_v_scpInfo_x_v_quorumSets_h):
                    x_v_scpInfo_x_v_quorumSets_x, p = d_SCPQuorumSet(b, p)
                    x_v_scpInfo_x_v_quorumSets.append(x_v_scpInfo_x_v_quorumSets_x)
                (x_v_scpInfo_x_v_ledgerMessages_ledgerSeq, x_v_scpInfo_x_v_ledgerMessages_messages_h,) = U_II(b, p)
                p += 8
                x_v_scpInfo_x_v_ledgerMessages_messages = []
                for _ in range(x_v_scpInfo_x_v_ledgerMessages_messages_h):
                    x_v_scpInfo_x_v_ledgerMessages_messages_x, p = d_SCPEnvelope(b, p)
                    x_v_scpInfo_x_v_ledgerMessages_messages.append(x_v_scpInfo_x_v_ledgerMessages_messages_x)
                x_v_scpInfo_x_v_ledgerMessages = {"ledgerSeq": x_v_scpInfo_x_v_ledgerMessages_ledgerSeq, "messages": x_v_scpInfo_x_v_ledgerMessages_messages}
                x_v_scpInfo_x_v = {"quorumSets": x_v_scpInfo_x_v_quorumSets, "ledgerMessages": x_v_scpInfo_x_v_ledgerMessages}
                x_v_scpInfo_x = (0, x_v_scpInfo_x_v)
            else:
                raise ValueError(f'SCPHistoryEntry {x_v_scpInfo_x_h} at byte {p - 4} is unknown')
            x_v_scpInfo.append(x_v_scpInfo_x)
        (x_v_totalByteSizeOfLiveSorobanState,) = U_Q(b, p)
        p += 8
        (n,) = U_I(b, p)
        p += 4
        x_v_evictedKeys = []
        x_v_evictedKeys_raw = []
        for _ in range(n):
            x_v_evictedKeys_q = p
            x_v_evictedKeys_x, p = d_LedgerKey(b, p)
            x_v_evictedKeys.append(x_v_evictedKeys_x)
            x_v_evictedKeys_raw.append(b[x_v_evictedKeys_q:p])
        (x_v_unused_h,) = U_I(b, p)
        p += 4
        x_v_unused = []
        for _ in range(x_v_unused_h):
            x_v_unused_x, p = d_LedgerEntry(b, p)
            x_v_unused.append(x_v_unused_x)
        x_v = {"ext": x_v_ext, "ledgerHeader": x_v_ledgerHeader, "txSet": x_v_txSet, "txProcessing": x_v_txProcessing, "upgradesProcessing": x_v_upgradesProcessing, "scpInfo": x_v_scpInfo, "totalByteSizeOfLiveSorobanState": x_v_totalByteSizeOfLiveSorobanState, "evictedKeys": x_v_evictedKeys, "evictedKeys_raw": x_v_evictedKeys_raw, "unused": x_v_unused}
        x = (1, x_v)
    elif x_h == 2:
        x_v_ext, p = d_LedgerCloseMetaExt(b, p)
        x_v_ledgerHeader, p = d_LedgerHeaderHistoryEntry(b, p)
        x_v_txSet_start = p
        (x_v_txSet_h,) = U_i(b, p)
        p += 4
        if x_v_txSet_h == 1:
            (x_v_txSet_v_previousLedgerHash, x_v_txSet_v_phases_h,) = U_32sI(b, p)
            p += 36
            x_v_txSet_v_phases = []
            for _ in range(x_v_txSet_v_phases_h):
                (x_v_txSet_v_phases_x_h,) = U_i(b, p)
                p += 4
                if x_v_txSet_v_phases_x_h == 0:
                    (x_v_txSet_v_phases_x_v_h,) = U_I(b, p)
                    p += 4
                    x_v_txSet_v_phases_x_v = []
                    for _ in range(x_v_txSet_v_phases_x_v_h):
                        (x_v_txSet_v_phases_x_v_x_h,) = U_i(b, p)
                        p += 4
                        if x_v_txSet_v_phases_x_v_x_h == 0:
                            (x_v_txSet_v_phases_x_v_x_v_baseFee_h,) = U_I(b, p)
                            p += 4
                            if x_v_txSet_v_phases_x_v_x_v_baseFee_h:
                                (x_v_txSet_v_phases_x_v_x_v_baseFee,) = U_q(b, p)
                                p += 8
                            else:
                                x_v_txSet_v_phases_x_v_x_v_baseFee = None
                            (x_v_txSet_v_phases_x_v_x_v_txs_h,) = U_I(b, p)
                            p += 4
                            x_v_txSet_v_phases_x_v_x_v_txs = []
                            for _ in range(x_v_txSet_v_phases_x_v_x_v_txs_h):
                                x_v_txSet_v_phases_x_v_x_v_txs_x, p = d_TransactionEnvelope(b, p)
                                x_v_txSet_v_phases_x_v_x_v_txs.append(x_v_txSet_v_phases_x_v_x_v_txs_x)
                            x_v_txSet_v_phases_x_v_x_v = {"baseFee": x_v_txSet_v_phases_x_v_x_v_baseFee, "txs": x_v_txSet_v_phases_x_v_x_v_txs}
                            x_v_txSet_v_phases_x_v_x = (0, x_v_txSet_v_phases_x_v_x_v)
                        else:
                            raise ValueError(f'TxSetComponent {x_v_txSet_v_phases_x_v_x_h} at byte {p - 4} is unknown')
                        x_v_txSet_v_phases_x_v.append(x_v_txSet_v_phases_x_v_x)
                    x_v_txSet_v_phases_x = (0, x_v_txSet_v_phases_x_v)
                elif x_v_txSet_v_phases_x_h == 1:
                    (x_v_txSet_v_phases_x_v_baseFee_h,) = U_I(b, p)
                    p += 4
                    if x_v_txSet_v_phases_x_v_baseFee_h:
                        (x_v_txSet_v_phases_x_v_baseFee,) = U_q(b, p)
                        p += 8
                    else:
                        x_v_txSet_v_phases_x_v_baseFee = None
                    (x_v_txSet_v_phases_x_v_executionStages_h,) = U_I(b, p)
                    p += 4
                    x_v_txSet_v_phases_x_v_executionStages = []
                    for _ in range(x_v_txSet_v_phases_x_v_executionStages_h):
                        (x_v_txSet_v_phases_x_v_executionStages_x_h,) = U_I(b, p)
                        p += 4
                        x_v_txSet_v_phases_x_v_executionStages_x = []
                        for _ in range(x_v_txSet_v_phases_x_v_executionStages_x_h):
                            (x_v_txSet_v_phases_x_v_executionStages_x_x_h,) = U_I(b, p)
                            p += 4
                            x_v_txSet_v_phases_x_v_executionStages_x_x = []
                            for _ in range(x_v_txSet_v_phases_x_v_executionStages_x_x_h):
                                x_v_txSet_v_phases_x_v_executionStages_x_x_x, p = d_TransactionEnvelope(b, p)
                                x_v_txSet_v_phases_x_v_executionStages_x_x.append(x_v_txSet_v_phases_x_v_executionStages_x_x_x)
                            x_v_txSet_v_phases_x_v_executionStages_x.append(x_v_txSet_v_phases_x_v_executionStages_x_x)
                        x_v_txSet_v_phases_x_v_executionStages.append(x_v_txSet_v_phases_x_v_executionStages_x)
                    x_v_txSet_v_phases_x_v = {"baseFee": x_v_txSet_v_phases_x_v_baseFee, "executionStages": x_v_txSet_v_phases_x_v_executionStages}
                    x_v_txSet_v_phases_x = (1, x_v_txSet_v_phases_x_v)
                else:
                    raise ValueError(f'TransactionPhase {x_v_txSet_v_phases_x_h} at byte {p - 4} is unknown')
                x_v_txSet_v_phases.append(x_v_txSet_v_phases_x)
            x_v_txSet_v = {"previousLedgerHash": x_v_txSet_v_previousLedgerHash, "phases": x_v_txSet_v_phases}
            x_v_txSet = (1, x_v_txSet_v, b[x_v_txSet_start:p])
        else:
            raise ValueError(f'GeneralizedTransactionSet {x_v_txSet_h} at byte {p - 4} is unknown')
        (x_v_txProcessing_h,) = U_I(b, p)
        p += 4
        x_v_txProcessing = []
        for _ in range(x_v_txProcessing_h):
            (x_v_txProcessing_x_ext_h,) = U_i(b, p)
            p += 4
            if x_v_txProcessing_x_ext_h != 0:
                raise ValueError(f'ExtensionPoint {x_v_txProcessing_x_ext_h} before byte {p} is unknown')
            x_v_txProcessing_x_ext = (0, None)
            x_v_txProcessing_x_result_q = p
            x_v_txProcessing_x_result, p = d_TransactionResultPair(b, p)
            x_v_txProcessing_x_result_raw = b[x_v_txProcessing_x_result_q:p]
            x_v_txProcessing_x_feeProcessing_q = p
            (x_v_txProcessing_x_feeProcessing_h,) = U_I(b, p)
            p += 4
            x_v_txProcessing_x_feeProcessing = []
            for _ in range(x_v_txProcessing_x_feeProcessing_h):
                x_v_txProcessing_x_feeProcessing_x, p = d_LedgerEntryChange(b, p)
                x_v_txProcessing_x_feeProcessing.append(x_v_txProcessing_x_feeProcessing_x)
            x_v_txProcessing_x_feeProcessing_raw = b[x_v_txProcessing_x_feeProcessing_q:p]
            x_v_txProcessing_x_txApplyProcessing, p = d_TransactionMeta(b, p)
            (x_v_txProcessing_x_postTxApplyFeeProcessing_h,) = U_I(b, p)
            p += 4
            x_v_txProcessing_x_postTxApplyFeeProcessing = []
            for _ in range(x_v_txProcessing_x_postTxApplyFeeProcessing_h):
                x_v_txProcessing_x_postTxApplyFeeProcessing_x, p = d_LedgerEntryChange(b, p)
                x_v_txProcessing_x_postTxApplyFeeProcessing.append(x_v_txProcessing_x_postTxApplyFeeProcessing_x)
            x_v_txProcessing_x = {"ext": x_v_txProcessing_x_ext, "result": x_v_txProcessing_x_result, "result_raw": x_v_txProcessing_x_result_raw, "feeProcessing": x_v_txProcessing_x_feeProcessing, "feeProcessing_raw": x_v_txProcessing_x_feeProcessing_raw, "txApplyProcessing": x_v_txProcessing_x_txApplyProcessing, "postTxApplyFeeProcessing": x_v_txProcessing_x_postTxApplyFeeProcessing}
            x_v_txProcessing.append(x_v_txProcessing_x)
        (x_v_upgradesProcessing_h,) = U_I(b, p)
        p += 4
        x_v_upgradesProcessing = []
        for _ in range(x_v_upgradesProcessing_h):
            x_v_upgradesProcessing_x, p = d_UpgradeEntryMeta(b, p)
            x_v_upgradesProcessing.append(x_v_upgradesProcessing_x)
        (x_v_scpInfo_h,) = U_I(b, p)
        p += 4
        x_v_scpInfo = []
        for _ in range(x_v_scpInfo_h):
            (x_v_scpInfo_x_h,) = U_i(b, p)
            p += 4
            if x_v_scpInfo_x_h == 0:
                (x_v_scpInfo_x_v_quorumSets_h,) = U_I(b, p)
                p += 4
                x_v_scpInfo_x_v_quorumSets = []
                for _ in range(x_v_scpInfo_x_v_quorumSets_h):
                    x_v_scpInfo_x_v_quorumSets_x, p = d_SCPQuorumSet(b, p)
                    x_v_scpInfo_x_v_quorumSets.append(x_v_scpInfo_x_v_quorumSets_x)
                (x_v_scpInfo_x_v_ledgerMessages_ledgerSeq, x_v_scpInfo_x_v_ledgerMessages_messages_h,) = U_II(b, p)
                p += 8
                x_v_scpInfo_x_v_ledgerMessages_messages = []
                for _ in range(x_v_scpInfo_x_v_ledgerMessages_messages_h):
                    x_v_scpInfo_x_v_ledgerMessages_messages_x, p = d_SCPEnvelope(b, p)
                    x_v_scpInfo_x_v_ledgerMessages_messages.append(x_v_scpInfo_x_v_ledgerMessages_messages_x)
                x_v_scpInfo_x_v_ledgerMessages = {"ledgerSeq": x_v_scpInfo_x_v_ledgerMessages_ledgerSeq, "messages": x_v_scpInfo_x_v_ledgerMessages_messages}
                x_v_scpInfo_x_v = {"quorumSets": x_v_scpInfo_x_v_quorumSets, "ledgerMessages": x_v_scpInfo_x_v_ledgerMessages}
                x_v_scpInfo_x = (0, x_v_scpInfo_x_v)
            else:
                raise ValueError(f'SCPHistoryEntry {x_v_scpInfo_x_h} at byte {p - 4} is unknown')
            x_v_scpInfo.append(x_v_scpInfo_x)
        (x_v_totalByteSizeOfLiveSorobanState,) = U_Q(b, p)
        p += 8
        (n,) = U_I(b, p)
        p += 4
        x_v_evictedKeys = []
        x_v_evictedKeys_raw = []
        for _ in range(n):
            x_v_evictedKeys_q = p
            x_v_evictedKeys_x, p = d_LedgerKey(b, p)
            x_v_evictedKeys.append(x_v_evictedKeys_x)
            x_v_evictedKeys_raw.append(b[x_v_evictedKeys_q:p])
        x_v = {"ext": x_v_ext, "ledgerHeader": x_v_ledgerHeader, "txSet": x_v_txSet, "txProcessing": x_v_txProcessing, "upgradesProcessing": x_v_upgradesProcessing, "scpInfo": x_v_scpInfo, "totalByteSizeOfLiveSorobanState": x_v_totalByteSizeOfLiveSorobanState, "evictedKeys": x_v_evictedKeys, "evictedKeys_raw": x_v_evictedKeys_raw}
        x = (2, x_v)
    else:
        raise ValueError(f'LedgerCloseMeta {x_h} at byte {p - 4} is unknown')
    return x, p


def d_LedgerHeaderHistoryEntry(b: bytes, p: int) -> Any:
    (x_hash,) = U_32s(b, p)
    p += 32
    x_header_start = p
    (x_header_ledgerVersion, x_header_previousLedgerHash,) = U_I32s(b, p)
    p += 36
    x_header_scpValue, p = d_StellarValue(b, p)
    (x_header_txSetResultHash, x_header_bucketListHash, x_header_ledgerSeq, x_header_totalCoins, x_header_feePool, x_header_inflationSeq, x_header_idPool, x_header_baseFee, x_header_baseReserve, x_header_maxTxSetSize,) = U_32s32sIqqIQIII(b, p)
    p += 108
    x_header_skipList = U_32s32s32s32s(b, p)
    p += 128
    (x_header_ext_h,) = U_i(b, p)
    p += 4
    if x_header_ext_h == 0:
        x_header_ext = (0, None)
    elif x_header_ext_h == 1:
        (x_header_ext_v_flags, x_header_ext_v_ext_h,) = U_Ii(b, p)
        p += 8
        if x_header_ext_v_ext_h != 0:
            raise ValueError(f'LedgerHeaderExtensionV1_ext {x_header_ext_v_ext_h} before byte {p} is unknown')
        x_header_ext_v_ext = (0, None)
        x_header_ext_v = {"flags": x_header_ext_v_flags, "ext": x_header_ext_v_ext}
        x_header_ext = (1, x_header_ext_v)
    else:
        raise ValueError(f'LedgerHeader_ext {x_header_ext_h} at byte {p - 4} is unknown')
    x_header = {"ledgerVersion": x_header_ledgerVersion, "previousLedgerHash": x_header_previousLedgerHash, "scpValue": x_header_scpValue, "txSetResultHash": x_header_txSetResultHash, "bucketListHash": x_header_bucketListHash, "ledgerSeq": x_header_ledgerSeq, "totalCoins": x_header_totalCoins, "feePool": x_header_feePool, "inflationSeq": x_header_inflationSeq, "idPool": x_header_idPool, "baseFee": x_header_baseFee, "baseReserve": x_header_baseReserve, "maxTxSetSize": x_header_maxTxSetSize, "skipList": x_header_skipList, "ext": x_header_ext, "raw": b[x_header_start:p]}
    (x_ext_h,) = U_i(b, p)
    p += 4
    if x_ext_h != 0:
        raise ValueError(f'LedgerHeaderHistoryEntry_ext {x_ext_h} before byte {p} is unknown')
    x_ext = (0, None)
    x = {"hash": x_hash, "header": x_header, "ext": x_ext}
    return x, p


def d_BucketEntry(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == -1:
        x_v, p = d_BucketMetadata(b, p)
        x = (-1, x_v)
    elif x_h == 0:
        x_v, p = d_LedgerEntry(b, p)
        x = (0, x_v)
    elif x_h == 1:
        x_v, p = d_LedgerKey(b, p)
        x = (1, x_v)
    elif x_h == 2:
        x_v, p = d_LedgerEntry(b, p)
        x = (2, x_v)
    else:
        raise ValueError(f'BucketEntry {x_h} at byte {p - 4} is unknown')
    return x, p


def d_TransactionSet(b: bytes, p: int) -> Any:
    (x_previousLedgerHash, x_txs_h,) = U_32sI(b, p)
    p += 36
    x_txs = []
    for _ in range(x_txs_h):
        x_txs_x, p = d_TransactionEnvelope(b, p)
        x_txs.append(x_txs_x)
    x = {"previousLedgerHash": x_previousLedgerHash, "txs": x_txs}
    return x, p


def d_TransactionResultMeta(b: bytes, p: int) -> Any:
    x_result_q = p
    x_result, p = d_TransactionResultPair(b, p)
    x_result_raw = b[x_result_q:p]
    x_feeProcessing_q = p
    (x_feeProcessing_h,) = U_I(b, p)
    p += 4
    x_feeProcessing = []
    for _ in range(x_feeProcessing_h):
        x_feeProcessing_x, p = d_LedgerEntryChange(b, p)
        x_feeProcessing.append(x_feeProcessing_x)
    x_feeProcessing_raw = b[x_feeProcessing_q:p]
    x_txApplyProcessing, p = d_TransactionMeta(b, p)
    x = {"result": x_result, "result_raw": x_result_raw, "feeProcessing": x_feeProcessing, "feeProcessing_raw": x_feeProcessing_raw, "txApplyProcessing": x_txApplyProcessing}
    return x, p


def d_UpgradeEntryMeta(b: bytes, p: int) -> Any:
    (x_upgrade_h,) = U_i(b, p)
    p += 4
    if x_upgrade_h < 4:
        if x_upgrade_h == 1:
            (x_upgrade_v,) = U_I(b, p)
            p += 4
            x_upgrade = (1, x_upgrade_v)
        elif x_upgrade_h == 2:
            (x_upgrade_v,) = U_I(b, p)
            p += 4
            x_upgrade = (2, x_upgrade_v)
        elif x_upgrade_h == 3:
            (x_upgrade_v,) = U_I(b, p)
            p += 4
            x_upgrade = (3, x_upgrade_v)
        else:
            raise ValueError(f'LedgerUpgrade {x_upgrade_h} at byte {p - 4} is unknown')
    else:
        if x_upgrade_h == 4:
            (x_upgrade_v,) = U_I(b, p)
            p += 4
            x_upgrade = (4, x_upgrade_v)
        elif x_upgrade_h == 5:
            (x_upgrade_v,) = U_I(b, p)
            p += 4
            x_upgrade = (5, x_upgrade_v)
        elif x_upgrade_h == 6:
            (x_upgrade_v_contractID, x_upgrade_v_contentHash,) = U_32s32s(b, p)
            p += 64
            x_upgrade_v = {"contractID": x_upgrade_v_contractID, "contentHash": x_upgrade_v_contentHash}
            x_upgrade = (6, x_upgrade_v)
        elif x_upgrade_h == 7:
            (x_upgrade_v,) = U_I(b, p)
            p += 4
            x_upgrade = (7, x_upgrade_v)
        else:
            raise ValueError(f'LedgerUpgrade {x_upgrade_h} at byte {p - 4} is unknown')
    (x_changes_h,) = U_I(b, p)
    p += 4
    x_changes = []
    for _ in range(x_changes_h):
        x_changes_x, p = d_LedgerEntryChange(b, p)
        x_changes.append(x_changes_x)
    x = {"upgrade": x_upgrade, "changes": x_changes}
    return x, p


def d_SCPQuorumSet(b: bytes, p: int) -> Any:
    (x_threshold, x_validators_h,) = U_II(b, p)
    p += 8
    x_validators = []
    for _ in range(x_validators_h):
        (x_validators_x_h, x_validators_x_v,) = U_i32s(b, p)
        p += 36
        if x_validators_x_h != 0:
            raise ValueError(f'PublicKey {x_validators_x_h} before byte {p} is unknown')
        x_validators_x = (0, x_validators_x_v)
        x_validators.append(x_validators_x)
    (x_innerSets_h,) = U_I(b, p)
    p += 4
    x_innerSets = []
    for _ in range(x_innerSets_h):
        x_innerSets_x, p = d_SCPQuorumSet(b, p)
        x_innerSets.append(x_innerSets_x)
    x = {"threshold": x_threshold, "validators": x_validators, "innerSets": x_innerSets}
    return x, p


def d_SCPEnvelope(b: bytes, p: int) -> Any:
    (x_statement_nodeID_h, x_statement_nodeID_v, x_statement_slotIndex, x_statement_pledges_h,) = U_i32sQi(b, p)
    p += 48
    if x_statement_nodeID_h != 0:
        raise ValueError(f'PublicKey {x_statement_nodeID_h} before byte {p} is unknown')
    x_statement_nodeID = (0, x_statement_nodeID_v)
    if x_statement_pledges_h == 0:
        (x_statement_pledges_v_quorumSetHash,) = U_32s(b, p)
        p += 32
        x_statement_pledges_v_ballot, p = d_SCPBallot(b, p)
        (x_statement_pledges_v_prepared_h,) = U_I(b, p)
        p += 4
        if x_statement_pledges_v_prepared_h:
            x_statement_pledges_v_prepared, p = d_SCPBallot(b, p)
        else:
            x_statement_pledges_v_prepared = None
        (x_statement_pledges_v_preparedPrime_h,) = U_I(b, p)
        p += 4
        if x_statement_pledges_v_preparedPrime_h:
            x_statement_pledges_v_preparedPrime, p = d_SCPBallot(b, p)
        else:
            x_statement_pledges_v_preparedPrime = None
        (x_statement_pledges_v_nC, x_statement_pledges_v_nH,) = U_II(b, p)
        p += 8
        x_statement_pledges_v = {"quorumSetHash": x_statement_pledges_v_quorumSetHash, "ballot": x_statement_pledges_v_ballot, "prepared": x_statement_pledges_v_prepared, "preparedPrime": x_statement_pledges_v_preparedPrime, "nC": x_statement_pledges_v_nC, "nH": x_statement_pledges_v_nH}
        x_statement_pledges = (0, x_statement_pledges_v)
    elif x_statement_pledges_h == 1:
        x_statement_pledges_v_ballot, p = d_SCPBallot(b, p)
        (x_statement_pledges_v_nPrepared, x_statement_pledges_v_nCommit, x_statement_pledges_v_nH, x_statement_pledges_v_quorumSetHash,) = U_III32s(b, p)
        p += 44
        x_statement_pledges_v = {"ballot": x_statement_pledges_v_ballot, "nPrepared": x_statement_pledges_v_nPrepared, "nCommit": x_statement_pledges_v_nCommit, "nH": x_statement_pledges_v_nH, "quorumSetHash": x_statement_pledges_v_quorumSetHash}
        x_statement_pledges = (1, x_statement_pledges_v)
    elif x_statement_pledges_h == 2:
        x_statement_pledges_v_commit, p = d_SCPBallot(b, p)
        (x_statement_pledges_v_nH, x_statement_pledges_v_commitQuorumSetHash,) = U_I32s(b, p)
        p += 36
        x_statement_pledges_v = {"commit": x_statement_pledges_v_commit, "nH": x_statement_pledges_v_nH, "commitQuorumSetHash": x_statement_pledges_v_commitQuorumSetHash}
        x_statement_pledges = (2, x_statement_pledges_v)
    elif x_statement_pledges_h == 3:
        (x_statement_pledges_v_quorumSetHash, x_statement_pledges_v_votes_h,) = U_32sI(b, p)
        p += 36
        x_statement_pledges_v_votes = []
        for _ in range(x_statement_pledges_v_votes_h):
            (x_statement_pledges_v_votes_x_h,) = U_I(b, p)
            p += 4
            x_statement_pledges_v_votes_x = b[p : p + x_statement_pledges_v_votes_x_h]
            p += (x_statement_pledges_v_votes_x_h + 3) & -4
            if p > len(b):
                raise ValueError(f'{x_statement_pledges_v_votes_x_h} bytes at byte {p} are not all there')
            x_statement_pledges_v_votes.append(x_statement_pledges_v_votes_x)
        (x_statement_pledges_v_accepted_h,) = U_I(b, p)
        p += 4
        x_statement_pledges_v_accepted = []
        for _ in range(x_statement_pledges_v_accepted_h):
            (x_statement_pledges_v_accepted_x_h,) = U_I(b, p)
            p += 4
            x_statement_pledges_v_accepted_x = b[p : p + x_statement_pledges_v_accepted_x_h]
            p += (x_statement_pledges_v_accepted_x_h + 3) & -4
            if p > len(b):
                raise ValueError(f'{x_statement_pledges_v_accepted_x_h} bytes at byte {p} are not all there')
            x_statement_pledges_v_accepted.append(x_statement_pledges_v_accepted_x)
        x_statement_pledges_v = {"quorumSetHash": x_statement_pledges_v_quorumSetHash, "votes": x_statement_pledges_v_votes, "accepted": x_statement_pledges_v_accepted}
        x_statement_pledges = (3, x_statement_pledges_v)
    else:
        raise ValueError(f'SCPStatement_pledges {x_statement_pledges_h} at byte {p - 4} is unknown')
    x_statement = {"nodeID": x_statement_nodeID, "slotIndex": x_statement_slotIndex, "pledges": x_statement_pledges}
    (x_signature_h,) = U_I(b, p)
    p += 4
    x_signature = b[p : p + x_signature_h]
    p += (x_signature_h + 3) & -4
    if p > len(b):
        raise ValueError(f'{x_signature_h} bytes at byte {p} are not all there')
    x = {"statement": x_statement, "signature": x_signature}
    return x, p


def d_LedgerCloseMetaExt(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        x = (0, None)
    elif x_h == 1:
        (x_v_ext_h, x_v_sorobanFeeWrite1KB,) = U_iq(b, p)
        p += 12
        if x_v_ext_h != 0:
            raise ValueError(f'ExtensionPoint {x_v_ext_h} before byte {p} is unknown')
        x_v_ext = (0, None)
        x_v = {"ext": x_v_ext, "sorobanFeeWrite1KB": x_v_sorobanFeeWrite1KB}
        x = (1, x_v)
    else:
        raise ValueError(f'LedgerCloseMetaExt {x_h} at byte {p - 4} is unknown')
    return x, p


def d_TransactionEnvelope(b: bytes, p: int) -> Any:
    x_start = p
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        x_v_tx_q = p
        (x_v_tx_sourceAccountEd25519, x_v_tx_fee, x_v_tx_seqNum, x_v_tx_timeBounds_h,) = U_32sIqI(b, p)
        p += 48
        if x_v_tx_timeBounds_h:
            (x_v_tx_timeBounds_minTime, x_v_tx_timeBounds_maxTime,) = U_QQ(b, p)
            p += 16
            x_v_tx_timeBounds = {"minTime": x_v_tx_timeBounds_minTime, "maxTime": x_v_tx_timeBounds_maxTime}
        else:
            x_v_tx_timeBounds = None
        x_v_tx_memo, p = d_Memo(b, p)
        (x_v_tx_operations_h,) = U_I(b, p)
        p += 4
        x_v_tx_operations = []
        for _ in range(x_v_tx_operations_h):
            x_v_tx_operations_x, p = d_Operation(b, p)
            x_v_tx_operations.append(x_v_tx_operations_x)
        (x_v_tx_ext_h,) = U_i(b, p)
        p += 4
        if x_v_tx_ext_h != 0:
            raise ValueError(f'TransactionV0_ext {x_v_tx_ext_h} before byte {p} is unknown')
        x_v_tx_ext = (0, None)
        x_v_tx = {"sourceAccountEd25519": x_v_tx_sourceAccountEd25519, "fee": x_v_tx_fee, "seqNum": x_v_tx_seqNum, "timeBounds": x_v_tx_timeBounds, "memo": x_v_tx_memo, "operations": x_v_tx_operations, "ext": x_v_tx_ext}
        x_v_tx_raw = b[x_v_tx_q:p]
        (x_v_signatures_h,) = U_I(b, p)
        p += 4
        x_v_signatures = []
        for _ in range(x_v_signatures_h):
            x_v_signatures_x, p = d_DecoratedSignature(b, p)
            x_v_signatures.append(x_v_signatures_x)
        x_v = {"tx": x_v_tx, "tx_raw": x_v_tx_raw, "signatures": x_v_signatures}
        x = (0, x_v, b[x_start:p])
    elif x_h == 2:
        x_v, p = d_TransactionV1Envelope(b, p)
        x = (2, x_v, b[x_start:p])
    elif x_h == 5:
        x_v_tx_q = p
        x_v_tx, p = d_FeeBumpTransaction(b, p)
        x_v_tx_raw = b[x_v_tx_q:p]
        (x_v_signatures_h,) = U_I(b, p)
        p += 4
        x_v_signatures = []
        for _ in range(x_v_signatures_h):
            x_v_signatures_x, p = d_DecoratedSignature(b, p)
            x_v_signatures.append(x_v_signatures_x)
        x_v = {"tx": x_v_tx, "tx_raw": x_v_tx_raw, "signatures": x_v_signatures}
        x = (5, x_v, b[x_start:p])
    else:
        raise ValueError(f'TransactionEnvelope {x_h} at byte {p - 4} is unknown')
    return x, p


def d_LedgerKey(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h < 5:
        if x_h < 2:
            if x_h == 0:
                (x_v_accountID_h, x_v_accountID_v,) = U_i32s(b, p)
                p += 36
                if x_v_accountID_h != 0:
                    raise ValueError(f'PublicKey {x_v_accountID_h} before byte {p} is unknown')
                x_v_accountID = (0, x_v_accountID_v)
                x_v = {"accountID": x_v_accountID}
                x = (0, x_v)
            elif x_h == 1:
                (x_v_accountID_h, x_v_accountID_v,) = U_i32s(b, p)
                p += 36
                if x_v_accountID_h != 0:
                    raise ValueError(f'PublicKey {x_v_accountID_h} before byte {p} is unknown')
                x_v_accountID = (0, x_v_accountID_v)
                x_v_asset, p = d_TrustLineAsset(b, p)
                x_v = {"accountID": x_v_accountID, "asset": x_v_asset}
                x = (1, x_v)
            else:
                raise ValueError(f'LedgerKey {x_h} at byte {p - 4} is unknown')
        else:
            if x_h == 2:
                (x_v_sellerID_h, x_v_sellerID_v, x_v_offerID,) = U_i32sq(b, p)
                p += 44
                if x_v_sellerID_h != 0:
                    raise ValueError(f'PublicKey {x_v_sellerID_h} before byte {p} is unknown')
                x_v_sellerID = (0, x_v_sellerID_v)
                x_v = {"sellerID": x_v_sellerID, "offerID": x_v_offerID}
                x = (2, x_v)
            elif x_h == 3:
                (x_v_accountID_h, x_v_accountID_v, x_v_dataName_h,) = U_i32sI(b, p)
                p += 40
                if x_v_accountID_h != 0:
                    raise ValueError(f'PublicKey {x_v_accountID_h} before byte {p} is unknown')
                x_v_accountID = (0, x_v_accountID_v)
                x_v_dataName = b[p : p + x_v_dataName_h]
                p += (x_v_dataName_h + 3) & -4
                if p > len(b):
                    raise ValueError(f'{x_v_dataName_h} bytes at byte {p} are not all there')
                x_v = {"accountID": x_v_accountID, "dataName": x_v_dataName}
                x = (3, x_v)
            elif x_h == 4:
                (x_v_balanceID_h, x_v_balanceID_v,) = U_i32s(b, p)
                p += 36
                if x_v_balanceID_h != 0:
                    raise ValueError(f'ClaimableBalanceID {x_v_balanceID_h} before byte {p} is unknown')
                x_v_balanceID = (0, x_v_balanceID_v)
                x_v = {"balanceID": x_v_balanceID}
                x = (4, x_v)
            else:
                raise ValueError(f'LedgerKey {x_h} at byte {p - 4} is unknown')
    else:
        if x_h < 7:
            if x_h == 5:
                (x_v_liquidityPoolID,) = U_32s(b, p)
                p += 32
                x_v = {"liquidityPoolID": x_v_liquidityPoolID}
                x = (5, x_v)
            elif x_h == 6:
                x_v_contract, p = d_SCAddress(b, p)
                x_v_key, p = d_SCVal(b, p)
                (x_v_durability,) = U_i(b, p)
                p += 4
                x_v = {"contract": x_v_contract, "key": x_v_key, "durability": x_v_durability}
                x = (6, x_v)
            else:
                raise ValueError(f'LedgerKey {x_h} at byte {p - 4} is unknown')
        else:
            if x_h == 7:
                (x_v_hash,) = U_32s(b, p)
                p += 32
                x_v = {"hash": x_v_hash}
                x = (7, x_v)
            elif x_h == 8:
                (x_v_configSettingID,) = U_i(b, p)
                p += 4
                x_v = {"configSettingID": x_v_configSettingID}
                x = (8, x_v)
            elif x_h == 9:
                (x_v_keyHash,) = U_32s(b, p)
                p += 32
                x_v = {"keyHash": x_v_keyHash}
                x = (9, x_v)
            else:
                raise ValueError(f'LedgerKey {x_h} at byte {p - 4} is unknown')
    return x, p


def d_LedgerEntry(b: bytes, p: int) -> Any:
    (x_lastModifiedLedgerSeq, x_data_h,) = U_Ii(b, p)
    p += 8
    if x_data_h < 5:
        if x_data_h < 2:
            if x_data_h == 0:
                (x_data_v_accountID_h, x_data_v_accountID_v, x_data_v_balance, x_data_v_seqNum, x_data_v_numSubEntries, x_data_v_inflationDest_h,) = U_i32sqqII(b, p)
                p += 60
                if x_data_v_accountID_h != 0:
                    raise ValueError(f'PublicKey {x_data_v_accountID_h} before byte {p} is unknown')
                x_data_v_accountID = (0, x_data_v_accountID_v)
                if x_data_v_inflationDest_h:
                    (x_data_v_inflationDest_h, x_data_v_inflationDest_v,) = U_i32s(b, p)
                    p += 36
                    if x_data_v_inflationDest_h != 0:
                        raise ValueError(f'PublicKey {x_data_v_inflationDest_h} before byte {p} is unknown')
                    x_data_v_inflationDest = (0, x_data_v_inflationDest_v)
                else:
                    x_data_v_inflationDest = None
                (x_data_v_flags, x_data_v_homeDomain_h,) = U_II(b, p)
                p += 8
                x_data_v_homeDomain = b[p : p + x_data_v_homeDomain_h]
                p += (x_data_v_homeDomain_h + 3) & -4
                if p > len(b):
                    raise ValueError(f'{x_data_v_homeDomain_h} bytes at byte {p} are not all there')
                (x_data_v_thresholds, x_data_v_signers_h,) = U_4sI(b, p)
                p += 8
                x_data_v_signers = []
                for _ in range(x_data_v_signers_h):
                    x_data_v_signers_x, p = d_Signer(b, p)
                    x_data_v_signers.append(x_data_v_signers_x)
                (x_data_v_ext_h,) = U_i(b, p)
                p += 4
                if x_data_v_ext_h == 0:
                    x_data_v_ext = (0, None)
                elif x_data_v_ext_h == 1:
                    (x_data_v_ext_v_liabilities_buying, x_data_v_ext_v_liabilities_selling, x_data_v_ext_v_ext_h,) = U_qqi(b, p)
                    p += 20
                    x_data_v_ext_v_liabilities = {"buying": x_data_v_ext_v_liabilities_buying, "selling": x_data_v_ext_v_liabilities_selling}
                    if x_data_v_ext_v_ext_h == 0:
                        x_data_v_ext_v_ext = (0, None)
                    elif x_data_v_ext_v_ext_h == 2:
                        (x_data_v_ext_v_ext_v_numSponsored, x_data_v_ext_v_ext_v_numSponsoring, x_data_v_ext_v_ext_v_signerSponsoringIDs_h,) = U_III(b, p)
                        p += 12
                        x_data_v_ext_v_ext_v_signerSponsoringIDs = []
                        for _ in range(x_data_v_ext_v_ext_v_signerSponsoringIDs_h):
                            (x_data_v_ext_v_ext_v_signerSponsoringIDs_x_h,) = U_I(b, p)
                            p += 4
                            if x_data_v_ext_v_ext_v_signerSponsoringIDs_x_h:
                                (x_data_v_ext_v_ext_v_signerSponsoringIDs_x_h, x_data_v_ext_v_ext_v_signerSponsoringIDs_x_v,) = U_i32s(b, p)
                                p += 36
                                if x_data_v_ext_v_ext_v_signerSponsoringIDs_x_h != 0:
                                    raise ValueError(f'PublicKey {x_data_v_ext_v_ext_v_signerSponsoringIDs_x_h} before byte {p} is unknown')
                                x_data_v_ext_v_ext_v_signerSponsoringIDs_x = (0, x_data_v_ext_v_ext_v_signerSponsoringIDs_x_v)
                            else:
                                x_data_v_ext_v_ext_v_signerSponsoringIDs_x = None
                            x_data_v_ext_v_ext_v_signerSponsoringIDs.append(x_data_v_ext_v_ext_v_signerSponsoringIDs_x)
                        (x_data_v_ext_v_ext_v_ext_h,) = U_i(b, p)
                        p += 4
                        if x_data_v_ext_v_ext_v_ext_h == 0:
                            x_data_v_ext_v_ext_v_ext = (0, None)
                        elif x_data_v_ext_v_ext_v_ext_h == 3:
                            (x_data_v_ext_v_ext_v_ext_v_ext_h, x_data_v_ext_v_ext_v_ext_v_seqLedger, x_data_v_ext_v_ext_v_ext_v_seqTime,) = U_iIQ(b, p)
                            p += 16
                            if x_data_v_ext_v_ext_v_ext_v_ext_h != 0:
                                raise ValueError(f'ExtensionPoint {x_data_v_ext_v_ext_v_ext_v_ext_h} before byte {p} is unknown')
                            x_data_v_ext_v_ext_v_ext_v_ext = (0, None)
                            x_data_v_ext_v_ext_v_ext_v = {"ext": x_data_v_ext_v_ext_v_ext_v_ext, "seqLedger": x_data_v_ext_v_ext_v_ext_v_seqLedger, "seqTime": x_data_v_ext_v_ext_v_ext_v_seqTime}
                            x_data_v_ext_v_ext_v_ext = (3, x_data_v_ext_v_ext_v_ext_v)
                        else:
                            raise ValueError(f'AccountEntryExtensionV2_ext {x_data_v_ext_v_ext_v_ext_h} at byte {p - 4} is unknown')
                        x_data_v_ext_v_ext_v = {"numSponsored": x_data_v_ext_v_ext_v_numSponsored, "numSponsoring": x_data_v_ext_v_ext_v_numSponsoring, "signerSponsoringIDs": x_data_v_ext_v_ext_v_signerSponsoringIDs, "ext": x_data_v_ext_v_ext_v_ext}
                        x_data_v_ext_v_ext = (2, x_data_v_ext_v_ext_v)
                    else:
                        raise ValueError(f'AccountEntryExtensionV1_ext {x_data_v_ext_v_ext_h} at byte {p - 4} is unknown')
                    x_data_v_ext_v = {"liabilities": x_data_v_ext_v_liabilities, "ext": x_data_v_ext_v_ext}
                    x_data_v_ext = (1, x_data_v_ext_v)
                else:
                    raise ValueError(f'AccountEntry_ext {x_data_v_ext_h} at byte {p - 4} is unknown')
                x_data_v = {"accountID": x_data_v_accountID, "balance": x_data_v_balance, "seqNum": x_data_v_seqNum, "numSubEntries": x_data_v_numSubEntries, "inflationDest": x_data_v_inflationDest, "flags": x_data_v_flags, "homeDomain": x_data_v_homeDomain, "thresholds": x_data_v_thresholds, "signers": x_data_v_signers, "ext": x_data_v_ext}
                x_data = (0, x_data_v)
            elif x_data_h == 1:
                (x_data_v_accountID_h, x_data_v_accountID_v,) = U_i32s(b, p)
                p += 36
                if x_data_v_accountID_h != 0:
                    raise ValueError(f'PublicKey {x_data_v_accountID_h} before byte {p} is unknown')
                x_data_v_accountID = (0, x_data_v_accountID_v)
                x_data_v_asset_q = p
                x_data_v_asset, p = d_TrustLineAsset(b, p)
                x_data_v_asset_raw = b[x_data_v_asset_q:p]
                (x_data_v_balance, x_data_v_limit, x_data_v_flags, x_data_v_ext_h,) = U_qqIi(b, p)
                p += 24
                if x_data_v_ext_h == 0:
                    x_data_v_ext = (0, None)
                elif x_data_v_ext_h == 1:
                    (x_data_v_ext_v_liabilities_buying, x_data_v_ext_v_liabilities_selling, x_data_v_ext_v_ext_h,) = U_qqi(b, p)
                    p += 20
                    x_data_v_ext_v_liabilities = {"buying": x_data_v_ext_v_liabilities_buying, "selling": x_data_v_ext_v_liabilities_selling}
                    if x_data_v_ext_v_ext_h == 0:
                        x_data_v_ext_v_ext = (0, None)
                    elif x_data_v_ext_v_ext_h == 2:
                        (x_data_v_ext_v_ext_v_liquidityPoolUseCount, x_data_v_ext_v_ext_v_ext_h,) = U_ii(b, p)
                        p += 8
                        if x_data_v_ext_v_ext_v_ext_h != 0:
                            raise ValueError(f'TrustLineEntryExtensionV2_ext {x_data_v_ext_v_ext_v_ext_h} before byte {p} is unknown')
                        x_data_v_ext_v_ext_v_ext = (0, None)
                        x_data_v_ext_v_ext_v = {"liquidityPoolUseCount": x_data_v_ext_v_ext_v_liquidityPoolUseCount, "ext": x_data_v_ext_v_ext_v_ext}
                        x_data_v_ext_v_ext = (2, x_data_v_ext_v_ext_v)
                    else:
                        raise ValueError(f'TrustLineEntry___ext {x_data_v_ext_v_ext_h} at byte {p - 4} is unknown')
                    x_data_v_ext_v = {"liabilities": x_data_v_ext_v_liabilities, "ext": x_data_v_ext_v_ext}
                    x_data_v_ext = (1, x_data_v_ext_v)
                else:
                    raise ValueError(f'TrustLineEntry_ext {x_data_v_ext_h} at byte {p - 4} is unknown')
                x_data_v = {"accountID": x_data_v_accountID, "asset": x_data_v_asset, "asset_raw": x_data_v_asset_raw, "balance": x_data_v_balance, "limit": x_data_v_limit, "flags": x_data_v_flags, "ext": x_data_v_ext}
                x_data = (1, x_data_v)
            else:
                raise ValueError(f'LedgerEntry_data {x_data_h} at byte {p - 4} is unknown')
        else:
            if x_data_h == 2:
                x_data_v, p = d_OfferEntry(b, p)
                x_data = (2, x_data_v)
            elif x_data_h == 3:
                (x_data_v_accountID_h, x_data_v_accountID_v, x_data_v_dataName_h,) = U_i32sI(b, p)
                p += 40
                if x_data_v_accountID_h != 0:
                    raise ValueError(f'PublicKey {x_data_v_accountID_h} before byte {p} is unknown')
                x_data_v_accountID = (0, x_data_v_accountID_v)
                x_data_v_dataName = b[p : p + x_data_v_dataName_h]
                p += (x_data_v_dataName_h + 3) & -4
                if p > len(b):
                    raise ValueError(f'{x_data_v_dataName_h} bytes at byte {p} are not all there')
                (x_data_v_dataValue_h,) = U_I(b, p)
                p += 4
                x_data_v_dataValue = b[p : p + x_data_v_dataValue_h]
                p += (x_data_v_dataValue_h + 3) & -4
                if p > len(b):
                    raise ValueError(f'{x_data_v_dataValue_h} bytes at byte {p} are not all there')
                (x_data_v_ext_h,) = U_i(b, p)
                p += 4
                if x_data_v_ext_h != 0:
                    raise ValueError(f'DataEntry_ext {x_data_v_ext_h} before byte {p} is unknown')
                x_data_v_ext = (0, None)
                x_data_v = {"accountID": x_data_v_accountID, "dataName": x_data_v_dataName, "dataValue": x_data_v_dataValue, "ext": x_data_v_ext}
                x_data = (3, x_data_v)
            elif x_data_h == 4:
                (x_data_v_balanceID_h, x_data_v_balanceID_v, x_data_v_claimants_h,) = U_i32sI(b, p)
                p += 40
                if x_data_v_balanceID_h != 0:
                    raise ValueError(f'ClaimableBalanceID {x_data_v_balanceID_h} before byte {p} is unknown')
                x_data_v_balanceID = (0, x_data_v_balanceID_v)
                x_data_v_claimants = []
                for _ in range(x_data_v_claimants_h):
                    (x_data_v_claimants_x_h,) = U_i(b, p)
                    p += 4
                    if x_data_v_claimants_x_h == 0:
                        (x_data_v_claimants_x_v_destination_h, x_data_v_claimants_x_v_destination_v,) = U_i32s(b, p)
                        p += 36
                        if x_data_v_claimants_x_v_destination_h != 0:
                            raise ValueError(f'PublicKey {x_data_v_claimants_x_v_destination_h} before byte {p} is unknown')
                        x_data_v_claimants_x_v_destination = (0, x_data_v_claimants_x_v_destination_v)
                        x_data_v_claimants_x_v_predicate, p = d_ClaimPredicate(b, p)
                        x_data_v_claimants_x_v = {"destination": x_data_v_claimants_x_v_destination, "predicate": x_data_v_claimants_x_v_predicate}
                        x_data_v_claimants_x = (0, x_data_v_claimants_x_v)
                    else:
                        raise ValueError(f'Claimant {x_data_v_claimants_x_h} at byte {p - 4} is unknown')
                    x_data_v_claimants.append(x_data_v_claimants_x)
                x_data_v_asset, p = d_Asset(b, p)
                (x_data_v_amount, x_data_v_ext_h,) = U_qi(b, p)
                p += 12
                if x_data_v_ext_h == 0:
                    x_data_v_ext = (0, None)
                elif x_data_v_ext_h == 1:
                    (x_data_v_ext_v_ext_h, x_data_v_ext_v_flags,) = U_iI(b, p)
                    p += 8
                    if x_data_v_ext_v_ext_h != 0:
                        raise ValueError(f'ClaimableBalanceEntryExtensionV1_ext {x_data_v_ext_v_ext_h} before byte {p} is unknown')
                    x_data_v_ext_v_ext = (0, None)
                    x_data_v_ext_v = {"ext": x_data_v_ext_v_ext, "flags": x_data_v_ext_v_flags}
                    x_data_v_ext = (1, x_data_v_ext_v)
                else:
                    raise ValueError(f'ClaimableBalanceEntry_ext {x_data_v_ext_h} at byte {p - 4} is unknown')
                x_data_v = {"balanceID": x_data_v_balanceID, "claimants": x_data_v_claimants, "asset": x_data_v_asset, "amount": x_data_v_amount, "ext": x_data_v_ext}
                x_data = (4, x_data_v)
            else:
                raise ValueError(f'LedgerEntry_data {x_data_h} at byte {p - 4} is unknown')
    else:
        if x_data_h < 7:
            if x_data_h == 5:
                (x_data_v_liquidityPoolID, x_data_v_body_h,) = U_32si(b, p)
                p += 36
                if x_data_v_body_h == 0:
                    x_data_v_body_v_params, p = d_LiquidityPoolConstantProductParameters(b, p)
                    (x_data_v_body_v_reserveA, x_data_v_body_v_reserveB, x_data_v_body_v_totalPoolShares, x_data_v_body_v_poolSharesTrustLineCount,) = U_qqqq(b, p)
                    p += 32
                    x_data_v_body_v = {"params": x_data_v_body_v_params, "reserveA": x_data_v_body_v_reserveA, "reserveB": x_data_v_body_v_reserveB, "totalPoolShares": x_data_v_body_v_totalPoolShares, "poolSharesTrustLineCount": x_data_v_body_v_poolSharesTrustLineCount}
                    x_data_v_body = (0, x_data_v_body_v)
                else:
                    raise ValueError(f'LiquidityPoolEntry_body {x_data_v_body_h} at byte {p - 4} is unknown')
                x_data_v = {"liquidityPoolID": x_data_v_liquidityPoolID, "body": x_data_v_body}
                x_data = (5, x_data_v)
            elif x_data_h == 6:
                x_data_v_start = p
                (x_data_v_ext_h,) = U_i(b, p)
                p += 4
                if x_data_v_ext_h != 0:
                    raise ValueError(f'ExtensionPoint {x_data_v_ext_h} before byte {p} is unknown')
                x_data_v_ext = (0, None)
                x_data_v_contract, p = d_SCAddress(b, p)
                x_data_v_key, p = d_SCVal(b, p)
                (x_data_v_durability,) = U_i(b, p)
                p += 4
                x_data_v_val_q = p
                x_data_v_val, p = d_SCVal(b, p)
                x_data_v_val_raw = b[x_data_v_val_q:p]
                x_data_v = {"ext": x_data_v_ext, "contract": x_data_v_contract, "key": x_data_v_key, "durability": x_data_v_durability, "val": x_data_v_val, "val_raw": x_data_v_val_raw, "raw": b[x_data_v_start:p]}
                x_data = (6, x_data_v)
            else:
                raise ValueError(f'LedgerEntry_data {x_data_h} at byte {p - 4} is unknown')
        else:
            if x_data_h == 7:
                (x_data_v_ext_h,) = U_i(b, p)
                p += 4
                if x_data_v_ext_h == 0:
                    x_data_v_ext = (0, None)
                elif x_data_v_ext_h == 1:
                    (x_data_v_ext_v_ext_h, x_data_v_ext_v_costInputs_ext_h, x_data_v_ext_v_costInputs_nInstructions, x_data_v_ext_v_costInputs_nFunctions, x_data_v_ext_v_costInputs_nGlobals, x_data_v_ext_v_costInputs_nTableEntries, x_data_v_ext_v_costInputs_nTypes, x_data_v_ext_v_costInputs_nDataSegments, x_data_v_ext_v_costInputs_nElemSegments, x_data_v_ext_v_costInputs_nImports, x_data_v_ext_v_costInputs_nExports, x_data_v_ext_v_costInputs_nDataSegmentBytes,) = U_iiIIIIIIIIII(b, p)
                    p += 48
                    if x_data_v_ext_v_ext_h != 0:
                        raise ValueError(f'ExtensionPoint {x_data_v_ext_v_ext_h} before byte {p} is unknown')
                    x_data_v_ext_v_ext = (0, None)
                    if x_data_v_ext_v_costInputs_ext_h != 0:
                        raise ValueError(f'ExtensionPoint {x_data_v_ext_v_costInputs_ext_h} before byte {p} is unknown')
                    x_data_v_ext_v_costInputs_ext = (0, None)
                    x_data_v_ext_v_costInputs = {"ext": x_data_v_ext_v_costInputs_ext, "nInstructions": x_data_v_ext_v_costInputs_nInstructions, "nFunctions": x_data_v_ext_v_costInputs_nFunctions, "nGlobals": x_data_v_ext_v_costInputs_nGlobals, "nTableEntries": x_data_v_ext_v_costInputs_nTableEntries, "nTypes": x_data_v_ext_v_costInputs_nTypes, "nDataSegments": x_data_v_ext_v_costInputs_nDataSegments, "nElemSegments": x_data_v_ext_v_costInputs_nElemSegments, "nImports": x_data_v_ext_v_costInputs_nImports, "nExports": x_data_v_ext_v_costInputs_nExports, "nDataSegmentBytes": x_data_v_ext_v_costInputs_nDataSegmentBytes}
                    x_data_v_ext_v = {"ext": x_data_v_ext_v_ext, "costInputs": x_data_v_ext_v_costInputs}
                    x_data_v_ext = (1, x_data_v_ext_v)
                else:
                    raise ValueError(f'ContractCodeEntry_ext {x_data_v_ext_h} at byte {p - 4} is unknown')
                (x_data_v_hash, x_data_v_code_h,) = U_32sI(b, p)
                p += 36
                x_data_v_code = b[p : p + x_data_v_code_h]
                p += (x_data_v_code_h + 3) & -4
                if p > len(b):
                    raise ValueError(f'{x_data_v_code_h} bytes at byte {p} are not all there')
                x_data_v = {"ext": x_data_v_ext, "hash": x_data_v_hash, "code": x_data_v_code}
                x_data = (7, x_data_v)
            elif x_data_h == 8:
                x_data_v, p = d_ConfigSettingEntry(b, p)
                x_data = (8, x_data_v)
            elif x_data_h == 9:
                (x_data_v_keyHash, x_data_v_liveUntilLedgerSeq,) = U_32sI(b, p)
                p += 36
                x_data_v = {"keyHash": x_data_v_keyHash, "liveUntilLedgerSeq": x_data_v_liveUntilLedgerSeq}
                x_data = (9, x_data_v)
            else:
                raise ValueError(f'LedgerEntry_data {x_data_h} at byte {p - 4} is unknown')
    (x_ext_h,) = U_i(b, p)
    p += 4
    if x_ext_h == 0:
        x_ext = (0, None)
    elif x_ext_h == 1:
        (x_ext_v_sponsoringID_h,) = U_I(b, p)
        p += 4
        if x_ext_v_sponsoringID_h:
            (x_ext_v_sponsoringID_h, x_ext_v_sponsoringID_v,) = U_i32s(b, p)
            p += 36
            if x_ext_v_sponsoringID_h != 0:
                raise ValueError(f'PublicKey {x_ext_v_sponsoringID_h} before byte {p} is unknown')
            x_ext_v_sponsoringID = (0, x_ext_v_sponsoringID_v)
        else:
            x_ext_v_sponsoringID = None
        (x_ext_v_ext_h,) = U_i(b, p)
        p += 4
        if x_ext_v_ext_h != 0:
            raise ValueError(f'LedgerEntryExtensionV1_ext {x_ext_v_ext_h} before byte {p} is unknown')
        x_ext_v_ext = (0, None)
        x_ext_v = {"sponsoringID": x_ext_v_sponsoringID, "ext": x_ext_v_ext}
        x_ext = (1, x_ext_v)
    else:
        raise ValueError(f'LedgerEntry_ext {x_ext_h} at byte {p - 4} is unknown')
    x = {"lastModifiedLedgerSeq": x_lastModifiedLedgerSeq, "data": x_data, "ext": x_ext}
    return x, p


def d_TransactionResultPair(b: bytes, p: int) -> Any:
    (x_transactionHash,) = U_32s(b, p)
    p += 32
    x_result_start = p
    (x_result_feeCharged, x_result_result_h,) = U_qi(b, p)
    p += 12
    if x_result_result_h < -8:
        if x_result_result_h < -13:
            if x_result_result_h < -16:
                if x_result_result_h == -18:
                    x_result_result = (-18, None)
                elif x_result_result_h == -17:
                    x_result_result = (-17, None)
                else:
                    raise ValueError(f'TransactionResult_result {x_result_result_h} at byte {p - 4} is unknown')
            else:
                if x_result_result_h == -16:
                    x_result_result = (-16, None)
                elif x_result_result_h == -15:
                    x_result_result = (-15, None)
                elif x_result_result_h == -14:
                    x_result_result = (-14, None)
                else:
                    raise ValueError(f'TransactionResult_result {x_result_result_h} at byte {p - 4} is unknown')
        else:
            if x_result_result_h < -11:
                if x_result_result_h == -13:
                    (x_result_result_v_transactionHash,) = U_32s(b, p)
                    p += 32
                    (x_result_result_v_result_feeCharged, x_result_result_v_result_result_h,) = U_qi(b, p)
                    p += 12
                    if x_result_result_v_result_result_h < -8:
                        if x_result_result_v_result_result_h < -14:
                            if x_result_result_v_result_result_h == -18:
                                x_result_result_v_result_result = (-18, None)
                            elif x_result_result_v_result_result_h == -17:
                                x_result_result_v_result_result = (-17, None)
                            elif x_result_result_v_result_result_h == -16:
                                x_result_result_v_result_result = (-16, None)
                            elif x_result_result_v_result_result_h == -15:
                                x_result_result_v_result_result = (-15, None)
                            else:
                                raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                        else:
                            if x_result_result_v_result_result_h < -11:
                                if x_result_result_v_result_result_h == -14:
                                    x_result_result_v_result_result = (-14, None)
                                elif x_result_result_v_result_result_h == -12:
                                    x_result_result_v_result_result = (-12, None)
                                else:
                                    raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                            else:
                                if x_result_result_v_result_result_h == -11:
                                    x_result_result_v_result_result = (-11, None)
                                elif x_result_result_v_result_result_h == -10:
                                    x_result_result_v_result_result = (-10, None)
                                elif x_result_result_v_result_result_h == -9:
                                    x_result_result_v_result_result = (-9, None)
                                else:
                                    raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                    else:
                        if x_result_result_v_result_result_h < -4:
                            if x_result_result_v_result_result_h == -8:
                                x_result_result_v_result_result = (-8, None)
                            elif x_result_result_v_result_result_h == -7:
                                x_result_result_v_result_result = (-7, None)
                            elif x_result_result_v_result_result_h == -6:
                                x_result_result_v_result_result = (-6, None)
                            elif x_result_result_v_result_result_h == -5:
                                x_result_result_v_result_result = (-5, None)
                            else:
                                raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                        else:
                            if x_result_result_v_result_result_h < -2:
                                if x_result_result_v_result_result_h == -4:
                                    x_result_result_v_result_result = (-4, None)
                                elif x_result_result_v_result_result_h == -3:
                                    x_result_result_v_result_result = (-3, None)
                                else:
                                    raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                            else:
                                if x_result_result_v_result_result_h == -2:
                                    x_result_result_v_result_result = (-2, None)
                                elif x_result_result_v_result_result_h == -1:
                                    (x_result_result_v_result_result_v_h,) = U_I(b, p)
                                    p += 4
                                    x_result_result_v_result_result_v = []
                                    for _ in range(x_result_result_v_result_result_v_h):
                                        x_result_result_v_result_result_v_x, p = d_OperationResult(b, p)
                                        x_result_result_v_result_result_v.append(x_result_result_v_result_result_v_x)
                                    x_result_result_v_result_result = (-1, x_result_result_v_result_result_v)
                                elif x_result_result_v_result_result_h == 0:
                                    (x_result_result_v_result_result_v_h,) = U_I(b, p)
                                    p += 4
                                    x_result_result_v_result_result_v = []
                                    for _ in range(x_result_result_v_result_result_v_h):
                                        x_result_result_v_result_result_v_x, p = d_OperationResult(b, p)
                                        x_result_result_v_result_result_v.append(x_result_result_v_result_result_v_x)
                                    x_result_result_v_result_result = (0, x_result_result_v_result_result_v)
                                else:
                                    raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                    (x_result_result_v_result_ext_h,) = U_i(b, p)
                    p += 4
                    if x_result_result_v_result_ext_h != 0:
                        raise ValueError(f'InnerTransactionResult_ext {x_result_result_v_result_ext_h} before byte {p} is unknown')
                    x_result_result_v_result_ext = (0, None)
                    x_result_result_v_result = {"feeCharged": x_result_result_v_result_feeCharged, "result": x_result_result_v_result_result, "ext": x_result_result_v_result_ext}
                    x_result_result_v = {"transactionHash": x_result_result_v_transactionHash, "result": x_result_result_v_result}
                    x_result_result = (-13, x_result_result_v)
                elif x_result_result_h == -12:
                    x_result_result = (-12, None)
                else:
                    raise ValueError(f'TransactionResult_result {x_result_result_h} at byte {p - 4} is unknown')
            else:
                if x_result_result_h == -11:
                    x_result_result = (-11, None)
                elif x_result_result_h == -10:
                    x_result_result = (-10, None)
                elif x_result_result_h == -9:
                    x_result_result = (-9, None)
                else:
                    raise ValueError(f'TransactionResult_result {x_result_result_h} at byte {p - 4} is unknown')
    else:
        if x_result_result_h < -3:
            if x_result_result_h < -6:
                if x_result_result_h == -8:
                    x_result_result = (-8, None)
                elif x_result_result_h == -7:
                    x_result_result = (-7, None)
                else:
                    raise ValueError(f'TransactionResult_result {x_result_result_h} at byte {p - 4} is unknown')
            else:
                if x_result_result_h == -6:
                    x_result_result = (-6, None)
                elif x_result_result_h == -5:
                    x_result_result = (-5, None)
                elif x_result_result_h == -4:
                    x_result_result = (-4, None)
                else:
                    raise ValueError(f'TransactionResult_result {x_result_result_h} at byte {p - 4} is unknown')
        else:
            if x_result_result_h < -1:
                if x_result_result_h == -3:
                    x_result_result = (-3, None)
                elif x_result_result_h == -2:
                    x_result_result = (-2, None)
                else:
                    raise ValueError(f'TransactionResult_result {x_result_result_h} at byte {p - 4} is unknown')
            else:
                if x_result_result_h == -1:
                    (x_result_result_v_h,) = U_I(b, p)
                    p += 4
                    x_result_result_v = []
                    for _ in range(x_result_result_v_h):
                        x_result_result_v_x, p = d_OperationResult(b, p)
                        x_result_result_v.append(x_result_result_v_x)
                    x_result_result = (-1, x_result_result_v)
                elif x_result_result_h == 0:
                    (x_result_result_v_h,) = U_I(b, p)
                    p += 4
                    x_result_result_v = []
                    for _ in range(x_result_result_v_h):
                        x_result_result_v_x, p = d_OperationResult(b, p)
                        x_result_result_v.append(x_result_result_v_x)
                    x_result_result = (0, x_result_result_v)
                elif x_result_result_h == 1:
                    (x_result_result_v_transactionHash,) = U_32s(b, p)
                    p += 32
                    (x_result_result_v_result_feeCharged, x_result_result_v_result_result_h,) = U_qi(b, p)
                    p += 12
                    if x_result_result_v_result_result_h < -8:
                        if x_result_result_v_result_result_h < -14:
                            if x_result_result_v_result_result_h == -18:
                                x_result_result_v_result_result = (-18, None)
                            elif x_result_result_v_result_result_h == -17:
                                x_result_result_v_result_result = (-17, None)
                            elif x_result_result_v_result_result_h == -16:
                                x_result_result_v_result_result = (-16, None)
                            elif x_result_result_v_result_result_h == -15:
                                x_result_result_v_result_result = (-15, None)
                            else:
                                raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                        else:
                            if x_result_result_v_result_result_h < -11:
                                if x_result_result_v_result_result_h == -14:
                                    x_result_result_v_result_result = (-14, None)
                                elif x_result_result_v_result_result_h == -12:
                                    x_result_result_v_result_result = (-12, None)
                                else:
                                    raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                            else:
                                if x_result_result_v_result_result_h == -11:
                                    x_result_result_v_result_result = (-11, None)
                                elif x_result_result_v_result_result_h == -10:
                                    x_result_result_v_result_result = (-10, None)
                                elif x_result_result_v_result_result_h == -9:
                                    x_result_result_v_result_result = (-9, None)
                                else:
                                    raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                    else:
                        if x_result_result_v_result_result_h < -4:
                            if x_result_result_v_result_result_h == -8:
                                x_result_result_v_result_result = (-8, None)
                            elif x_result_result_v_result_result_h == -7:
                                x_result_result_v_result_result = (-7, None)
                            elif x_result_result_v_result_result_h == -6:
                                x_result_result_v_result_result = (-6, None)
                            elif x_result_result_v_result_result_h == -5:
                                x_result_result_v_result_result = (-5, None)
                            else:
                                raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                        else:
                            if x_result_result_v_result_result_h < -2:
                                if x_result_result_v_result_result_h == -4:
                                    x_result_result_v_result_result = (-4, None)
                                elif x_result_result_v_result_result_h == -3:
                                    x_result_result_v_result_result = (-3, None)
                                else:
                                    raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                            else:
                                if x_result_result_v_result_result_h == -2:
                                    x_result_result_v_result_result = (-2, None)
                                elif x_result_result_v_result_result_h == -1:
                                    (x_result_result_v_result_result_v_h,) = U_I(b, p)
                                    p += 4
                                    x_result_result_v_result_result_v = []
                                    for _ in range(x_result_result_v_result_result_v_h):
                                        x_result_result_v_result_result_v_x, p = d_OperationResult(b, p)
                                        x_result_result_v_result_result_v.append(x_result_result_v_result_result_v_x)
                                    x_result_result_v_result_result = (-1, x_result_result_v_result_result_v)
                                elif x_result_result_v_result_result_h == 0:
                                    (x_result_result_v_result_result_v_h,) = U_I(b, p)
                                    p += 4
                                    x_result_result_v_result_result_v = []
                                    for _ in range(x_result_result_v_result_result_v_h):
                                        x_result_result_v_result_result_v_x, p = d_OperationResult(b, p)
                                        x_result_result_v_result_result_v.append(x_result_result_v_result_result_v_x)
                                    x_result_result_v_result_result = (0, x_result_result_v_result_result_v)
                                else:
                                    raise ValueError(f'InnerTransactionResult_result {x_result_result_v_result_result_h} at byte {p - 4} is unknown')
                    (x_result_result_v_result_ext_h,) = U_i(b, p)
                    p += 4
                    if x_result_result_v_result_ext_h != 0:
                        raise ValueError(f'InnerTransactionResult_ext {x_result_result_v_result_ext_h} before byte {p} is unknown')
                    x_result_result_v_result_ext = (0, None)
                    x_result_result_v_result = {"feeCharged": x_result_result_v_result_feeCharged, "result": x_result_result_v_result_result, "ext": x_result_result_v_result_ext}
                    x_result_result_v = {"transactionHash": x_result_result_v_transactionHash, "result": x_result_result_v_result}
                    x_result_result = (1, x_result_result_v)
                else:
                    raise ValueError(f'TransactionResult_result {x_result_result_h} at byte {p - 4} is unknown')
    (x_result_ext_h,) = U_i(b, p)
    p += 4
    if x_result_ext_h != 0:
        raise ValueError(f'TransactionResult_ext {x_result_ext_h} before byte {p} is unknown')
    x_result_ext = (0, None)
    x_result = {"feeCharged": x_result_feeCharged, "result": x_result_result, "ext": x_result_ext, "raw": b[x_result_start:p]}
    x = {"transactionHash": x_transactionHash, "result": x_result}
    return x, p


def d_LedgerEntryChange(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h < 2:
        if x_h == 0:
            x_v, p = d_LedgerEntry(b, p)
            x = (0, x_v)
        elif x_h == 1:
            x_v, p = d_LedgerEntry(b, p)
            x = (1, x_v)
        else:
            raise ValueError(f'LedgerEntryChange {x_h} at byte {p - 4} is unknown')
    else:
        if x_h == 2:
            x_v, p = d_LedgerKey(b, p)
            x = (2, x_v)
        elif x_h == 3:
            x_v, p = d_LedgerEntry(b, p)
            x = (3, x_v)
        elif x_h == 4:
            x_v, p = d_LedgerEntry(b, p)
            x = (4, x_v)
        else:
            raise ValueError(f'LedgerEntryChange {x_h} at byte {p - 4} is unknown')
    return x, p


def d_TransactionMeta(b: bytes, p: int) -> Any:
    x_start = p
    (x_h,) = U_i(b, p)
    p += 4
    if x_h < 2:
        if x_h == 0:
            (x_v_h,) = U_I(b, p)
            p += 4
            x_v = []
            for _ in range(x_v_h):
                x_v_x, p = d_OperationMeta(b, p)
                x_v.append(x_v_x)
            x = (0, x_v, b[x_start:p])
        elif x_h == 1:
            (x_v_txChanges_h,) = U_I(b, p)
            p += 4
            x_v_txChanges = []
            for _ in range(x_v_txChanges_h):
                x_v_txChanges_x, p = d_LedgerEntryChange(b, p)
                x_v_txChanges.append(x_v_txChanges_x)
            (x_v_operations_h,) = U_I(b, p)
            p += 4
            x_v_operations = []
            for _ in range(x_v_operations_h):
                x_v_operations_x, p = d_OperationMeta(b, p)
                x_v_operations.append(x_v_operations_x)
            x_v = {"txChanges": x_v_txChanges, "operations": x_v_operations}
            x = (1, x_v, b[x_start:p])
        else:
            raise ValueError(f'TransactionMeta {x_h} at byte {p - 4} is unknown')
    else:
        if x_h == 2:
            (x_v_txChangesBefore_h,) = U_I(b, p)
            p += 4
            x_v_txChangesBefore = []
            for _ in range(x_v_txChangesBefore_h):
                x_v_txChangesBefore_x, p = d_LedgerEntryChange(b, p)
                x_v_txChangesBefore.append(x_v_txChangesBefore_x)
            (x_v_operations_h,) = U_I(b, p)
            p += 4
            x_v_operations = []
            for _ in range(x_v_operations_h):
                x_v_operations_x, p = d_OperationMeta(b, p)
                x_v_operations.append(x_v_operations_x)
            (x_v_txChangesAfter_h,) = U_I(b, p)
            p += 4
            x_v_txChangesAfter = []
            for _ in range(x_v_txChangesAfter_h):
                x_v_txChangesAfter_x, p = d_LedgerEntryChange(b, p)
                x_v_txChangesAfter.append(x_v_txChangesAfter_x)
            x_v = {"txChangesBefore": x_v_txChangesBefore, "operations": x_v_operations, "txChangesAfter": x_v_txChangesAfter}
            x = (2, x_v, b[x_start:p])
        elif x_h == 3:
            (x_v_ext_h, x_v_txChangesBefore_h,) = U_iI(b, p)
            p += 8
            if x_v_ext_h != 0:
                raise ValueError(f'ExtensionPoint {x_v_ext_h} before byte {p} is unknown')
            x_v_ext = (0, None)
            x_v_txChangesBefore = []
            for _ in range(x_v_txChangesBefore_h):
                x_v_txChangesBefore_x, p = d_LedgerEntryChange(b, p)
                x_v_txChangesBefore.append(x_v_txChangesBefore_x)
            (x_v_operations_h,) = U_I(b, p)
            p += 4
            x_v_operations = []
            for _ in range(x_v_operations_h):
                x_v_operations_x, p = d_OperationMeta(b, p)
                x_v_operations.append(x_v_operations_x)
            (x_v_txChangesAfter_h,) = U_I(b, p)
            p += 4
            x_v_txChangesAfter = []
            for _ in range(x_v_txChangesAfter_h):
                x_v_txChangesAfter_x, p = d_LedgerEntryChange(b, p)
                x_v_txChangesAfter.append(x_v_txChangesAfter_x)
            (x_v_sorobanMeta_h,) = U_I(b, p)
            p += 4
            if x_v_sorobanMeta_h:
                x_v_sorobanMeta_ext, p = d_SorobanTransactionMetaExt(b, p)
                (x_v_sorobanMeta_events_h,) = U_I(b, p)
                p += 4
                x_v_sorobanMeta_events = []
                for _ in range(x_v_sorobanMeta_events_h):
                    x_v_sorobanMeta_events_x, p = d_ContractEvent(b, p)
                    x_v_sorobanMeta_events.append(x_v_sorobanMeta_events_x)
                x_v_sorobanMeta_returnValue, p = d_SCVal(b, p)
                (x_v_sorobanMeta_diagnosticEvents_h,) = U_I(b, p)
                p += 4
                x_v_sorobanMeta_diagnosticEvents = []
                for _ in range(x_v_sorobanMeta_diagnosticEvents_h):
                    x_v_sorobanMeta_diagnosticEvents_x, p = d_DiagnosticEvent(b, p)
                    x_v_sorobanMeta_diagnosticEvents.append(x_v_sorobanMeta_diagnosticEvents_x)
                x_v_sorobanMeta = {"ext": x_v_sorobanMeta_ext, "events": x_v_sorobanMeta_events, "returnValue": x_v_sorobanMeta_returnValue, "diagnosticEvents": x_v_sorobanMeta_diagnosticEvents}
            else:
                x_v_sorobanMeta = None
            x_v = {"ext": x_v_ext, "txChangesBefore": x_v_txChangesBefore, "operations": x_v_operations, "txChangesAfter": x_v_txChangesAfter, "sorobanMeta": x_v_sorobanMeta}
            x = (3, x_v, b[x_start:p])
        elif x_h == 4:
            (x_v_ext_h, x_v_txChangesBefore_h,) = U_iI(b, p)
            p += 8
            if x_v_ext_h != 0:
                raise ValueError(f'ExtensionPoint {x_v_ext_h} before byte {p} is unknown')
            x_v_ext = (0, None)
            x_v_txChangesBefore = []
            for _ in range(x_v_txChangesBefore_h):
                x_v_txChangesBefore_x, p = d_LedgerEntryChange(b, p)
                x_v_txChangesBefore.append(x_v_txChangesBefore_x)
            (x_v_operations_h,) = U_I(b, p)
            p += 4
            x_v_operations = []
            for _ in range(x_v_operations_h):
                (x_v_operations_x_ext_h, x_v_operations_x_changes_h,) = U_iI(b, p)
                p += 8
                if x_v_operations_x_ext_h != 0:
                    raise ValueError(f'ExtensionPoint {x_v_operations_x_ext_h} before byte {p} is unknown')
                x_v_operations_x_ext = (0, None)
                x_v_operations_x_changes = []
                for _ in range(x_v_operations_x_changes_h):
                    x_v_operations_x_changes_x, p = d_LedgerEntryChange(b, p)
                    x_v_operations_x_changes.append(x_v_operations_x_changes_x)
                (x_v_operations_x_events_h,) = U_I(b, p)
                p += 4
                x_v_operations_x_events = []
                for _ in range(x_v_operations_x_events_h):
                    x_v_operations_x_events_x, p = d_ContractEvent(b, p)
                    x_v_operations_x_events.append(x_v_operations_x_events_x)
                x_v_operations_x = {"ext": x_v_operations_x_ext, "changes": x_v_operations_x_changes, "events": x_v_operations_x_events}
                x_v_operations.append(x_v_operations_x)
            (x_v_txChangesAfter_h,) = U_I(b, p)
            p += 4
            x_v_txChangesAfter = []
            for _ in range(x_v_txChangesAfter_h):
                x_v_txChangesAfter_x, p = d_LedgerEntryChange(b, p)
                x_v_txChangesAfter.append(x_v_txChangesAfter_x)
            (x_v_sorobanMeta_h,) = U_I(b, p)
            p += 4
            if x_v_sorobanMeta_h:
                x_v_sorobanMeta_ext, p = d_SorobanTransactionMetaExt(b, p)
                (x_v_sorobanMeta_returnValue_h,) = U_I(b, p)
                p += 4
                if x_v_sorobanMeta_returnValue_h:
                    x_v_sorobanMeta_returnValue, p = d_SCVal(b, p)
                else:
                    x_v_sorobanMeta_returnValue = None
                x_v_sorobanMeta = {"ext": x_v_sorobanMeta_ext, "returnValue": x_v_sorobanMeta_returnValue}
            else:
                x_v_sorobanMeta = None
            (x_v_events_h,) = U_I(b, p)
            p += 4
            x_v_events = []
            for _ in range(x_v_events_h):
                (x_v_events_x_stage,) = U_i(b, p)
                p += 4
                x_v_events_x_event, p = d_ContractEvent(b, p)
                x_v_events_x = {"stage": x_v_events_x_stage, "event": x_v_events_x_event}
                x_v_events.append(x_v_events_x)
            (x_v_diagnosticEvents_h,) = U_I(b, p)
            p += 4
            x_v_diagnosticEvents = []
            for _ in range(x_v_diagnosticEvents_h):
                x_v_diagnosticEvents_x, p = d_DiagnosticEvent(b, p)
                x_v_diagnosticEvents.append(x_v_diagnosticEvents_x)
            x_v = {"ext": x_v_ext, "txChangesBefore": x_v_txChangesBefore, "operations": x_v_operations, "txChangesAfter": x_v_txChangesAfter, "sorobanMeta": x_v_sorobanMeta, "events": x_v_events, "diagnosticEvents": x_v_diagnosticEvents}
            x = (4, x_v, b[x_start:p])
        else:
            raise ValueError(f'TransactionMeta {x_h} at byte {p - 4} is unknown')
    return x, p


def d_StellarValue(b: bytes, p: int) -> Any:
    (x_txSetHash, x_closeTime, x_upgrades_h,) = U_32sQI(b, p)
    p += 44
    x_upgrades = []
    for _ in range(x_upgrades_h):
        (x_upgrades_x_h,) = U_I(b, p)
        p += 4
        x_upgrades_x = b[p : p + x_upgrades_x_h]
        p += (x_upgrades_x_h + 3) & -4
        if p > len(b):
            raise ValueError(f'{x_upgrades_x_h} bytes at byte {p} are not all there')
        x_upgrades.append(x_upgrades_x)
    (x_ext_h,) = U_i(b, p)
    p += 4
    if x_ext_h == 0:
        x_ext = (0, None)
    elif x_ext_h == 1:
        x_ext_v, p = d_LedgerCloseValueSignature(b, p)
        x_ext = (1, x_ext_v)
    elif x_ext_h == 2:
        (x_ext_v_txSetHash, x_ext_v_previousLedgerHash, x_ext_v_previousLedgerVersion,) = U_32s32sI(b, p)
        p += 68
        x_ext_v_lcValueSignature, p = d_LedgerCloseValueSignature(b, p)
        x_ext_v = {"txSetHash": x_ext_v_txSetHash, "previousLedgerHash": x_ext_v_previousLedgerHash, "previousLedgerVersion": x_ext_v_previousLedgerVersion, "lcValueSignature": x_ext_v_lcValueSignature}
        x_ext = (2, x_ext_v)
    else:
        raise ValueError(f'StellarValue_ext {x_ext_h} at byte {p - 4} is unknown')
    x = {"txSetHash": x_txSetHash, "closeTime": x_closeTime, "upgrades": x_upgrades, "ext": x_ext}
    return x, p


def d_BucketMetadata(b: bytes, p: int) -> Any:
    (x_ledgerVersion, x_ext_h,) = U_Ii(b, p)
    p += 8
    if x_ext_h == 0:
        x_ext = (0, None)
    elif x_ext_h == 1:
        (x_ext_v,) = U_i(b, p)
        p += 4
        x_ext = (1, x_ext_v)
    else:
        raise ValueError(f'BucketMetadata_ext {x_ext_h} at byte {p - 4} is unknown')
    x = {"ledgerVersion": x_ledgerVersion, "ext": x_ext}
    return x, p


def d_SCPBallot(b: bytes, p: int) -> Any:
    (x_counter, x_value_h,) = U_II(b, p)
    p += 8
    x_value = b[p : p + x_value_h]
    p += (x_value_h + 3) & -4
    if p > len(b):
        raise ValueError(f'{x_value_h} bytes at byte {p} are not all there')
    x = {"counter": x_counter, "value": x_value}
    return x, p


def d_Memo(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h < 2:
        if x_h == 0:
            x = (0, None)
        elif x_h == 1:
            (x_v_h,) = U_I(b, p)
            p += 4
            x_v = b[p : p + x_v_h]
            p += (x_v_h + 3) & -4
            if p > len(b):
                raise ValueError(f'{x_v_h} bytes at byte {p} are not all there')
            x = (1, x_v)
        else:
            raise ValueError(f'Memo {x_h} at byte {p - 4} is unknown')
    else:
        if x_h == 2:
            (x_v,) = U_Q(b, p)
            p += 8
            x = (2, x_v)
        elif x_h == 3:
            (x_v,) = U_32s(b, p)
            p += 32
            x = (3, x_v)
        elif x_h == 4:
            (x_v,) = U_32s(b, p)
            p += 32
            x = (4, x_v)
        else:
            raise ValueError(f'Memo {x_h} at byte {p - 4} is unknown')
    return x, p


def d_Operation(b: bytes, p: int) -> Any:
    (x_sourceAccount_h,) = U_I(b, p)
    p += 4
    if x_sourceAccount_h:
        x_sourceAccount, p = d_MuxedAccount(b, p)
    else:
        x_sourceAccount = None
    (x_body_h,) = U_i(b, p)
    p += 4
    if x_body_h < 13:
        if x_body_h < 6:
            if x_body_h < 3:
                if x_body_h == 0:
                    (x_body_v_destination_h, x_body_v_destination_v, x_body_v_startingBalance,) = U_i32sq(b, p)
                    p += 44
                    if x_body_v_destination_h != 0:
                        raise ValueError(f'PublicKey {x_body_v_destination_h} before byte {p} is unknown')
                    x_body_v_destination = (0, x_body_v_destination_v)
                    x_body_v = {"destination": x_body_v_destination, "startingBalance": x_body_v_startingBalance}
                    x_body = (0, x_body_v)
                elif x_body_h == 1:
                    x_body_v_destination, p = d_MuxedAccount(b, p)
                    x_body_v_asset, p = d_Asset(b, p)
                    (x_body_v_amount,) = U_q(b, p)
                    p += 8
                    x_body_v = {"destination": x_body_v_destination, "asset": x_body_v_asset, "amount": x_body_v_amount}
                    x_body = (1, x_body_v)
                elif x_body_h == 2:
                    x_body_v_sendAsset, p = d_Asset(b, p)
                    (x_body_v_sendMax,) = U_q(b, p)
                    p += 8
                    x_body_v_destination, p = d_MuxedAccount(b, p)
                    x_body_v_destAsset, p = d_Asset(b, p)
                    (x_body_v_destAmount, x_body_v_path_h,) = U_qI(b, p)
                    p += 12
                    x_body_v_path = []
                    for _ in range(x_body_v_path_h):
                        x_body_v_path_x, p = d_Asset(b, p)
                        x_body_v_path.append(x_body_v_path_x)
                    x_body_v = {"sendAsset": x_body_v_sendAsset, "sendMax": x_body_v_sendMax, "destination": x_body_v_destination, "destAsset": x_body_v_destAsset, "destAmount": x_body_v_destAmount, "path": x_body_v_path}
                    x_body = (2, x_body_v)
                else:
                    raise ValueError(f'Operation_body {x_body_h} at byte {p - 4} is unknown')
            else:
                if x_body_h == 3:
                    x_body_v_selling, p = d_Asset(b, p)
                    x_body_v_buying, p = d_Asset(b, p)
                    (x_body_v_amount, x_body_v_price_n, x_body_v_price_d, x_body_v_offerID,) = U_qiiq(b, p)
                    p += 24
                    x_body_v_price = {"n": x_body_v_price_n, "d": x_body_v_price_d}
                    x_body_v = {"selling": x_body_v_selling, "buying": x_body_v_buying, "amount": x_body_v_amount, "price": x_body_v_price, "offerID": x_body_v_offerID}
                    x_body = (3, x_body_v)
                elif x_body_h == 4:
                    x_body_v_selling, p = d_Asset(b, p)
                    x_body_v_buying, p = d_Asset(b, p)
                    (x_body_v_amount, x_body_v_price_n, x_body_v_price_d,) = U_qii(b, p)
                    p += 16
                    x_body_v_price = {"n": x_body_v_price_n, "d": x_body_v_price_d}
                    x_body_v = {"selling": x_body_v_selling, "buying": x_body_v_buying, "amount": x_body_v_amount, "price": x_body_v_price}
                    x_body = (4, x_body_v)
                elif x_body_h == 5:
                    (x_body_v_inflationDest_h,) = U_I(b, p)
                    p += 4
                    if x_body_v_inflationDest_h:
                        (x_body_v_inflationDest_h, x_body_v_inflationDest_v,) = U_i32s(b, p)
                        p += 36
                        if x_body_v_inflationDest_h != 0:
                            raise ValueError(f'PublicKey {x_body_v_inflationDest_h} before byte {p} is unknown')
                        x_body_v_inflationDest = (0, x_body_v_inflationDest_v)
                    else:
                        x_body_v_inflationDest = None
                    (x_body_v_clearFlags_h,) = U_I(b, p)
                    p += 4
                    if x_body_v_clearFlags_h:
                        (x_body_v_clearFlags,) = U_I(b, p)
                        p += 4
                    else:
                        x_body_v_clearFlags = None
                    (x_body_v_setFlags_h,) = U_I(b, p)
                    p += 4
                    if x_body_v_setFlags_h:
                        (x_body_v_setFlags,) = U_I(b, p)
                        p += 4
                    else:
                        x_body_v_setFlags = None
                    (x_body_v_masterWeight_h,) = U_I(b, p)
                    p += 4
                    if x_body_v_masterWeight_h:
                        (x_body_v_masterWeight,) = U_I(b, p)
                        p += 4
                    else:
                        x_body_v_masterWeight = None
                    (x_body_v_lowThreshold_h,) = U_I(b, p)
                    p += 4
                    if x_body_v_lowThreshold_h:
                        (x_body_v_lowThreshold,) = U_I(b, p)
                        p += 4
                    else:
                        x_body_v_lowThreshold = None
                    (x_body_v_medThreshold_h,) = U_I(b, p)
                    p += 4
                    if x_body_v_medThreshold_h:
                        (x_body_v_medThreshold,) = U_I(b, p)
                        p += 4
                    else:
                        x_body_v_medThreshold = None
                    (x_body_v_highThreshold_h,) = U_I(b, p)
                    p += 4
                    if x_body_v_highThreshold_h:
                        (x_body_v_highThreshold,) = U_I(b, p)
                        p += 4
                    else:
                        x_body_v_highThreshold = None
                    (x_body_v_homeDomain_h,) = U_I(b, p)
                    p += 4
                    if x_body_v_homeDomain_h:
                        (x_body_v_homeDomain_h,) = U_I(b, p)
                        p += 4
                        x_body_v_homeDomain = b[p : p + x_body_v_homeDomain_h]
                        p += (x_body_v_homeDomain_h + 3) & -4
                        if p > len(b):
                            raise ValueError(f'{x_body_v_homeDomain_h} bytes at byte {p} are not all there')
                    else:
                        x_body_v_homeDomain = None
                    (x_body_v_signer_h,) = U_I(b, p)
                    p += 4
                    if x_body_v_signer_h:
                        x_body_v_signer, p = d_Signer(b, p)
                    else:
                        x_body_v_signer = None
                    x_body_v = {"inflationDest": x_body_v_inflationDest, "clearFlags": x_body_v_clearFlags, "setFlags": x_body_v_setFlags, "masterWeight": x_body_v_masterWeight, "lowThreshold": x_body_v_lowThreshold, "medThreshold": x_body_v_medThreshold, "highThreshold": x_body_v_highThreshold, "homeDomain": x_body_v_homeDomain, "signer": x_body_v_signer}
                    x_body = (5, x_body_v)
                else:
                    raise ValueError(f'Operation_body {x_body_h} at byte {p - 4} is unknown')
        else:
            if x_body_h < 9:
                if x_body_h == 6:
                    (x_body_v_line_h,) = U_i(b, p)
                    p += 4
                    if x_body_v_line_h == 0:
                        x_body_v_line = (0, None)
                    elif x_body_v_line_h == 1:
                        (x_body_v_line_v_assetCode, x_body_v_line_v_issuer_h, x_body_v_line_v_issuer_v,) = U_4si32s(b, p)
                        p += 40
                        if x_body_v_line_v_issuer_h != 0:
                            raise ValueError(f'PublicKey {x_body_v_line_v_issuer_h} before byte {p} is unknown')
                        x_body_v_line_v_issuer = (0, x_body_v_line_v_issuer_v)
                        x_body_v_line_v = {"assetCode": x_body_v_line_v_assetCode, "issuer": x_body_v_line_v_issuer}
                        x_body_v_line = (1, x_body_v_line_v)
                    elif x_body_v_line_h == 2:
                        (x_body_v_line_v_assetCode, x_body_v_line_v_issuer_h, x_body_v_line_v_issuer_v,) = U_12si32s(b, p)
                        p += 48
                        if x_body_v_line_v_issuer_h != 0:
                            raise ValueError(f'PublicKey {x_body_v_line_v_issuer_h} before byte {p} is unknown')
                        x_body_v_line_v_issuer = (0, x_body_v_line_v_issuer_v)
                        x_body_v_line_v = {"assetCode": x_body_v_line_v_assetCode, "issuer": x_body_v_line_v_issuer}
                        x_body_v_line = (2, x_body_v_line_v)
                    elif x_body_v_line_h == 3:
                        (x_body_v_line_v_h,) = U_i(b, p)
                        p += 4
                        if x_body_v_line_v_h == 0:
                            x_body_v_line_v_v, p = d_LiquidityPoolConstantProductParameters(b, p)
                            x_body_v_line_v = (0, x_body_v_line_v_v)
                        else:
                            raise ValueError(f'LiquidityPoolParameters {x_body_v_line_v_h} at byte {p - 4} is unknown')
                        x_body_v_line = (3, x_body_v_line_v)
                    else:
                        raise ValueError(f'ChangeTrustAsset {x_body_v_line_h} at byte {p - 4} is unknown')
                    (x_body_v_limit,) = U_q(b, p)
                    p += 8
                    x_body_v = {"line": x_body_v_line, "limit": x_body_v_limit}
                    x_body = (6, x_body_v)
                elif x_body_h == 7:
                    (x_body_v_trustor_h, x_body_v_trustor_v, x_body_v_asset_h,) = U_i32si(b, p)
                    p += 40
                    if x_body_v_trustor_h != 0:
                        raise ValueError(f'PublicKey {x_body_v_trustor_h} before byte {p} is unknown')
                    x_body_v_trustor = (0, x_body_v_trustor_v)
                    if x_body_v_asset_h == 1:
                        (x_body_v_asset_v,) = U_4s(b, p)
                        p += 4
                        x_body_v_asset = (1, x_body_v_asset_v)
                    elif x_body_v_asset_h == 2:
                        (x_body_v_asset_v,) = U_12s(b, p)
                        p += 12
                        x_body_v_asset = (2, x_body_v_asset_v)
                    else:
                        raise ValueError(f'AssetCode {x_body_v_asset_h} at byte {p - 4} is unknown')
                    (x_body_v_authorize,) = U_I(b, p)
                    p += 4
                    x_body_v = {"trustor": x_body_v_trustor, "asset": x_body_v_asset, "authorize": x_body_v_authorize}
                    x_body = (7, x_body_v)
                elif x_body_h == 8:
                    x_body_v, p = d_MuxedAccount(b, p)
                    x_body = (8, x_body_v)
                else:
                    raise ValueError(f'Operation_body {x_body_h} at byte {p - 4} is unknown')
            else:
                if x_body_h == 9:
                    x_body = (9, None)
                elif x_body_h == 10:
                    (x_body_v_dataName_h,) = U_I(b, p)
                    p += 4
                    x_body_v_dataName = b[p : p + x_body_v_dataName_h]
                    p += (x_body_v_dataName_h + 3) & -4
                    if p > len(b):
                        raise ValueError(f'{x_body_v_dataName_h} bytes at byte {p} are not all there')
                    (x_body_v_dataValue_h,) = U_I(b, p)
                    p += 4
                    if x_body_v_dataValue_h:
                        (x_body_v_dataValue_h,) = U_I(b, p)
                        p += 4
                        x_body_v_dataValue = b[p : p + x_body_v_dataValue_h]
                        p += (x_body_v_dataValue_h + 3) & -4
                        if p > len(b):
                            raise ValueError(f'{x_body_v_dataValue_h} bytes at byte {p} are not all there')
                    else:
                        x_body_v_dataValue = None
                    x_body_v = {"dataName": x_body_v_dataName, "dataValue": x_body_v_dataValue}
                    x_body = (10, x_body_v)
                elif x_body_h == 11:
                    (x_body_v_bumpTo,) = U_q(b, p)
                    p += 8
                    x_body_v = {"bumpTo": x_body_v_bumpTo}
                    x_body = (11, x_body_v)
                elif x_body_h == 12:
                    x_body_v_selling, p = d_Asset(b, p)
                    x_body_v_buying, p = d_Asset(b, p)
                    (x_body_v_buyAmount, x_body_v_price_n, x_body_v_price_d, x_body_v_offerID,) = U_qiiq(b, p)
                    p += 24
                    x_body_v_price = {"n": x_body_v_price_n, "d": x_body_v_price_d}
                    x_body_v = {"selling": x_body_v_selling, "buying": x_body_v_buying, "buyAmount": x_body_v_buyAmount, "price": x_body_v_price, "offerID": x_body_v_offerID}
                    x_body = (12, x_body_v)
                else:
                    raise ValueError(f'Operation_body {x_body_h} at byte {p - 4} is unknown')
    else:
        if x_body_h < 20:
            if x_body_h < 16:
                if x_body_h == 13:
                    x_body_v_sendAsset, p = d_Asset(b, p)
                    (x_body_v_sendAmount,) = U_q(b, p)
                    p += 8
                    x_body_v_destination, p = d_MuxedAccount(b, p)
                    x_body_v_destAsset, p = d_Asset(b, p)
                    (x_body_v_destMin, x_body_v_path_h,) = U_qI(b, p)
                    p += 12
                    x_body_v_path = []
                    for _ in range(x_body_v_path_h):
                        x_body_v_path_x, p = d_Asset(b, p)
                        x_body_v_path.append(x_body_v_path_x)
                    x_body_v = {"sendAsset": x_body_v_sendAsset, "sendAmount": x_body_v_sendAmount, "destination": x_body_v_destination, "destAsset": x_body_v_destAsset, "destMin": x_body_v_destMin, "path": x_body_v_path}
                    x_body = (13, x_body_v)
                elif x_body_h == 14:
                    x_body_v_asset, p = d_Asset(b, p)
                    (x_body_v_amount, x_body_v_claimants_h,) = U_qI(b, p)
                    p += 12
                    x_body_v_claimants = []
                    for _ in range(x_body_v_claimants_h):
                        (x_body_v_claimants_x_h,) = U_i(b, p)
                        p += 4
                        if x_body_v_claimants_x_h == 0:
                            (x_body_v_claimants_x_v_destination_h, x_body_v_claimants_x_v_destination_v,) = U_i32s(b, p)
                            p += 36
                            if x_body_v_claimants_x_v_destination_h != 0:
                                raise ValueError(f'PublicKey {x_body_v_claimants_x_v_destination_h} before byte {p} is unknown')
                            x_body_v_claimants_x_v_destination = (0, x_body_v_claimants_x_v_destination_v)
                            x_body_v_claimants_x_v_predicate, p = d_ClaimPredicate(b, p)
                            x_body_v_claimants_x_v = {"destination": x_body_v_claimants_x_v_destination, "predicate": x_body_v_claimants_x_v_predicate}
                            x_body_v_claimants_x = (0, x_body_v_claimants_x_v)
                        else:
                            raise ValueError(f'Claimant {x_body_v_claimants_x_h} at byte {p - 4} is unknown')
                        x_body_v_claimants.append(x_body_v_claimants_x)
                    x_body_v = {"asset": x_body_v_asset, "amount": x_body_v_amount, "claimants": x_body_v_claimants}
                    x_body = (14, x_body_v)
                elif x_body_h == 15:
                    (x_body_v_balanceID_h, x_body_v_balanceID_v,) = U_i32s(b, p)
                    p += 36
                    if x_body_v_balanceID_h != 0:
                        raise ValueError(f'ClaimableBalanceID {x_body_v_balanceID_h} before byte {p} is unknown')
                    x_body_v_balanceID = (0, x_body_v_balanceID_v)
                    x_body_v = {"balanceID": x_body_v_balanceID}
                    x_body = (15, x_body_v)
                else:
                    raise ValueError(f'Operation_body {x_body_h} at byte {p - 4} is unknown')
            else:
                if x_body_h == 16:
                    (x_body_v_sponsoredID_h, x_body_v_sponsoredID_v,) = U_i32s(b, p)
                    p += 36
                    if x_body_v_sponsoredID_h != 0:
                        raise ValueError(f'PublicKey {x_body_v_sponsoredID_h} before byte {p} is unknown')
                    x_body_v_sponsoredID = (0, x_body_v_sponsoredID_v)
                    x_body_v = {"sponsoredID": x_body_v_sponsoredID}
                    x_body = (16, x_body_v)
                elif x_body_h == 17:
                    x_body = (17, None)
                elif x_body_h == 18:
                    (x_body_v_h,) = U_i(b, p)
                    p += 4
                    if x_body_v_h == 0:
                        x_body_v_v, p = d_LedgerKey(b, p)
                        x_body_v = (0, x_body_v_v)
                    elif x_body_v_h == 1:
                        (x_body_v_v_accountID_h, x_body_v_v_accountID_v,) = U_i32s(b, p)
                        p += 36
                        if x_body_v_v_accountID_h != 0:
                            raise ValueError(f'PublicKey {x_body_v_v_accountID_h} before byte {p} is unknown')
                        x_body_v_v_accountID = (0, x_body_v_v_accountID_v)
                        x_body_v_v_signerKey, p = d_SignerKey(b, p)
                        x_body_v_v = {"accountID": x_body_v_v_accountID, "signerKey": x_body_v_v_signerKey}
                        x_body_v = (1, x_body_v_v)
                    else:
                        raise ValueError(f'RevokeSponsorshipOp {x_body_v_h} at byte {p - 4} is unknown')
                    x_body = (18, x_body_v)
                elif x_body_h == 19:
                    x_body_v_asset, p = d_Asset(b, p)
                    x_body_v_from_, p = d_MuxedAccount(b, p)
                    (x_body_v_amount,) = U_q(b, p)
                    p += 8
                    x_body_v = {"asset": x_body_v_asset, "from_": x_body_v_from_, "amount": x_body_v_amount}
                    x_body = (19, x_body_v)
                else:
                    raise ValueError(f'Operation_body {x_body_h} at byte {p - 4} is unknown')
        else:
            if x_body_h < 23:
                if x_body_h == 20:
                    (x_body_v_balanceID_h, x_body_v_balanceID_v,) = U_i32s(b, p)
                    p += 36
                    if x_body_v_balanceID_h != 0:
                        raise ValueError(f'ClaimableBalanceID {x_body_v_balanceID_h} before byte {p} is unknown')
                    x_body_v_balanceID = (0, x_body_v_balanceID_v)
                    x_body_v = {"balanceID": x_body_v_balanceID}
                    x_body = (20, x_body_v)
                elif x_body_h == 21:
                    (x_body_v_trustor_h, x_body_v_trustor_v,) = U_i32s(b, p)
                    p += 36
                    if x_body_v_trustor_h != 0:
                        raise ValueError(f'PublicKey {x_body_v_trustor_h} before byte {p} is unknown')
                    x_body_v_trustor = (0, x_body_v_trustor_v)
                    x_body_v_asset, p = d_Asset(b, p)
                    (x_body_v_clearFlags, x_body_v_setFlags,) = U_II(b, p)
                    p += 8
                    x_body_v = {"trustor": x_body_v_trustor, "asset": x_body_v_asset, "clearFlags": x_body_v_clearFlags, "setFlags": x_body_v_setFlags}
                    x_body = (21, x_body_v)
                elif x_body_h == 22:
                    (x_body_v_liquidityPoolID, x_body_v_maxAmountA, x_body_v_maxAmountB, x_body_v_minPrice_n, x_body_v_minPrice_d, x_body_v_maxPrice_n, x_body_v_maxPrice_d,) = U_32sqqiiii(b, p)
                    p += 64
                    x_body_v_minPrice = {"n": x_body_v_minPrice_n, "d": x_body_v_minPrice_d}
                    x_body_v_maxPrice = {"n": x_body_v_maxPrice_n, "d": x_body_v_maxPrice_d}
                    x_body_v = {"liquidityPoolID": x_body_v_liquidityPoolID, "maxAmountA": x_body_v_maxAmountA, "maxAmountB": x_body_v_maxAmountB, "minPrice": x_body_v_minPrice, "maxPrice": x_body_v_maxPrice}
                    x_body = (22, x_body_v)
                else:
                    raise ValueError(f'Operation_body {x_body_h} at byte {p - 4} is unknown')
            else:
                if x_body_h == 23:
                    (x_body_v_liquidityPoolID, x_body_v_amount, x_body_v_minAmountA, x_body_v_minAmountB,) = U_32sqqq(b, p)
                    p += 56
                    x_body_v = {"liquidityPoolID": x_body_v_liquidityPoolID, "amount": x_body_v_amount, "minAmountA": x_body_v_minAmountA, "minAmountB": x_body_v_minAmountB}
                    x_body = (23, x_body_v)
                elif x_body_h == 24:
                    (x_body_v_hostFunction_h,) = U_i(b, p)
                    p += 4
                    if x_body_v_hostFunction_h == 0:
                        x_body_v_hostFunction_v, p = d_InvokeContractArgs(b, p)
                        x_body_v_hostFunction = (0, x_body_v_hostFunction_v)
                    elif x_body_v_hostFunction_h == 1:
                        x_body_v_hostFunction_v, p = d_CreateContractArgs(b, p)
                        x_body_v_hostFunction = (1, x_body_v_hostFunction_v)
                    elif x_body_v_hostFunction_h == 2:
                        (x_body_v_hostFunction_v_h,) = U_I(b, p)
                        p += 4
                        x_body_v_hostFunction_v = b[p : p + x_body_v_hostFunction_v_h]
                        p += (x_body_v_hostFunction_v_h + 3) & -4
                        if p > len(b):
                            raise ValueError(f'{x_body_v_hostFunction_v_h} bytes at byte {p} are not all there')
                        x_body_v_hostFunction = (2, x_body_v_hostFunction_v)
                    elif x_body_v_hostFunction_h == 3:
                        x_body_v_hostFunction_v, p = d_CreateContractArgsV2(b, p)
                        x_body_v_hostFunction = (3, x_body_v_hostFunction_v)
                    else:
                        raise ValueError(f'HostFunction {x_body_v_hostFunction_h} at byte {p - 4} is unknown')
                    (x_body_v_auth_h,) = U_I(b, p)
                    p += 4
                    x_body_v_auth = []
                    for _ in range(x_body_v_auth_h):
                        (x_body_v_auth_x_credentials_h,) = U_i(b, p)
                        p += 4
                        if x_body_v_auth_x_credentials_h == 0:
                            x_body_v_auth_x_credentials = (0, None)
                        elif x_body_v_auth_x_credentials_h == 1:
                            x_body_v_auth_x_credentials_v, p = d_SorobanAddressCredentials(b, p)
                            x_body_v_auth_x_credentials = (1, x_body_v_auth_x_credentials_v)
                        elif x_body_v_auth_x_credentials_h == 2:
                            x_body_v_auth_x_credentials_v, p = d_SorobanAddressCredentials(b, p)
                            x_body_v_auth_x_credentials = (2, x_body_v_auth_x_credentials_v)
                        elif x_body_v_auth_x_credentials_h == 3:
                            x_body_v_auth_x_credentials_v_addressCredentials, p = d_SorobanAddressCredentials(b, p)
                            (x_body_v_auth_x_credentials_v_delegates_h,) = U_I(b, p)
                            p += 4
                            x_body_v_auth_x_credentials_v_delegates = []
                            for _ in range(x_body_v_auth_x_credentials_v_delegates_h):
                                x_body_v_auth_x_credentials_v_delegates_x, p = d_SorobanDelegateSignature(b, p)
                                x_body_v_auth_x_credentials_v_delegates.append(x_body_v_auth_x_credentials_v_delegates_x)
                            x_body_v_auth_x_credentials_v = {"addressCredentials": x_body_v_auth_x_credentials_v_addressCredentials, "delegates": x_body_v_auth_x_credentials_v_delegates}
                            x_body_v_auth_x_credentials = (3, x_body_v_auth_x_credentials_v)
                        else:
                            raise ValueError(f'SorobanCredentials {x_body_v_auth_x_credentials_h} at byte {p - 4} is unknown')
                        x_body_v_auth_x_rootInvocation, p = d_SorobanAuthorizedInvocation(b, p)
                        x_body_v_auth_x = {"credentials": x_body_v_auth_x_credentials, "rootInvocation": x_body_v_auth_x_rootInvocation}
                        x_body_v_auth.append(x_body_v_auth_x)
                    x_body_v = {"hostFunction": x_body_v_hostFunction, "auth": x_body_v_auth}
                    x_body = (24, x_body_v)
                elif x_body_h == 25:
                    (x_body_v_ext_h, x_body_v_extendTo,) = U_iI(b, p)
                    p += 8
                    if x_body_v_ext_h != 0:
                        raise ValueError(f'ExtensionPoint {x_body_v_ext_h} before byte {p} is unknown')
                    x_body_v_ext = (0, None)
                    x_body_v = {"ext": x_body_v_ext, "extendTo": x_body_v_extendTo}
                    x_body = (25, x_body_v)
                elif x_body_h == 26:
                    (x_body_v_ext_h,) = U_i(b, p)
                    p += 4
                    if x_body_v_ext_h != 0:
                        raise ValueError(f'ExtensionPoint {x_body_v_ext_h} before byte {p} is unknown')
                    x_body_v_ext = (0, None)
                    x_body_v = {"ext": x_body_v_ext}
                    x_body = (26, x_body_v)
                else:
                    raise ValueError(f'Operation_body {x_body_h} at byte {p - 4} is unknown')
    x = {"sourceAccount": x_sourceAccount, "body": x_body}
    return x, p


def d_DecoratedSignature(b: bytes, p: int) -> Any:
    (x_hint, x_signature_h,) = U_4sI(b, p)
    p += 8
    x_signature = b[p : p + x_signature_h]
    p += (x_signature_h + 3) & -4
    if p > len(b):
        raise ValueError(f'{x_signature_h} bytes at byte {p} are not all there')
    x = {"hint": x_hint, "signature": x_signature}
    return x, p


def d_TransactionV1Envelope(b: bytes, p: int) -> Any:
    x_tx_q = p
    x_tx, p = d_Transaction(b, p)
    x_tx_raw = b[x_tx_q:p]
    (x_signatures_h,) = U_I(b, p)
    p += 4
    x_signatures = []
    for _ in range(x_signatures_h):
        x_signatures_x, p = d_DecoratedSignature(b, p)
        x_signatures.append(x_signatures_x)
    x = {"tx": x_tx, "tx_raw": x_tx_raw, "signatures": x_signatures}
    return x, p


def d_FeeBumpTransaction(b: bytes, p: int) -> Any:
    x_feeSource, p = d_MuxedAccount(b, p)
    (x_fee, x_innerTx_h,) = U_qi(b, p)
    p += 12
    if x_innerTx_h == 2:
        x_innerTx_v, p = d_TransactionV1Envelope(b, p)
        x_innerTx = (2, x_innerTx_v)
    else:
        raise ValueError(f'FeeBumpTransaction_innerTx {x_innerTx_h} at byte {p - 4} is unknown')
    (x_ext_h,) = U_i(b, p)
    p += 4
    if x_ext_h != 0:
        raise ValueError(f'FeeBumpTransaction_ext {x_ext_h} before byte {p} is unknown')
    x_ext = (0, None)
    x = {"feeSource": x_feeSource, "fee": x_fee, "innerTx": x_innerTx, "ext": x_ext}
    return x, p


def d_TrustLineAsset(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        x = (0, None)
    elif x_h == 1:
        (x_v_assetCode, x_v_issuer_h, x_v_issuer_v,) = U_4si32s(b, p)
        p += 40
        if x_v_issuer_h != 0:
            raise ValueError(f'PublicKey {x_v_issuer_h} before byte {p} is unknown')
        x_v_issuer = (0, x_v_issuer_v)
        x_v = {"assetCode": x_v_assetCode, "issuer": x_v_issuer}
        x = (1, x_v)
    elif x_h == 2:
        (x_v_assetCode, x_v_issuer_h, x_v_issuer_v,) = U_12si32s(b, p)
        p += 48
        if x_v_issuer_h != 0:
            raise ValueError(f'PublicKey {x_v_issuer_h} before byte {p} is unknown')
        x_v_issuer = (0, x_v_issuer_v)
        x_v = {"assetCode": x_v_assetCode, "issuer": x_v_issuer}
        x = (2, x_v)
    elif x_h == 3:
        (x_v,) = U_32s(b, p)
        p += 32
        x = (3, x_v)
    else:
        raise ValueError(f'TrustLineAsset {x_h} at byte {p - 4} is unknown')
    return x, p


def d_SCAddress(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h < 2:
        if x_h == 0:
            (x_v_h, x_v_v,) = U_i32s(b, p)
            p += 36
            if x_v_h != 0:
                raise ValueError(f'PublicKey {x_v_h} before byte {p} is unknown')
            x_v = (0, x_v_v)
            x = (0, x_v)
        elif x_h == 1:
            (x_v,) = U_32s(b, p)
            p += 32
            x = (1, x_v)
        else:
            raise ValueError(f'SCAddress {x_h} at byte {p - 4} is unknown')
    else:
        if x_h == 2:
            (x_v_id, x_v_ed25519,) = U_Q32s(b, p)
            p += 40
            x_v = {"id": x_v_id, "ed25519": x_v_ed25519}
            x = (2, x_v)
        elif x_h == 3:
            (x_v_h, x_v_v,) = U_i32s(b, p)
            p += 36
            if x_v_h != 0:
                raise ValueError(f'ClaimableBalanceID {x_v_h} before byte {p} is unknown')
            x_v = (0, x_v_v)
            x = (3, x_v)
        elif x_h == 4:
            (x_v,) = U_32s(b, p)
            p += 32
            x = (4, x_v)
        else:
            raise ValueError(f'SCAddress {x_h} at byte {p - 4} is unknown')
    return x, p


def d_SCVal(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h < 11:
        if x_h < 5:
            if x_h < 2:
                if x_h == 0:
                    (x_v_h,) = U_I(b, p)
                    p += 4
                    x_v = x_v_h == 1
                    x = (0, x_v)
                elif x_h == 1:
                    x = (1, None)
                else:
                    raise ValueError(f'SCVal {x_h} at byte {p - 4} is unknown')
            else:
                if x_h == 2:
                    (x_v_h,) = U_i(b, p)
                    p += 4
                    if x_v_h < 5:
                        if x_v_h < 2:
                            if x_v_h == 0:
                                (x_v_v,) = U_I(b, p)
                                p += 4
                                x_v = (0, x_v_v)
                            elif x_v_h == 1:
                                (x_v_v,) = U_i(b, p)
                                p += 4
                                x_v = (1, x_v_v)
                            else:
                                raise ValueError(f'SCError {x_v_h} at byte {p - 4} is unknown')
                        else:
                            if x_v_h == 2:
                                (x_v_v,) = U_i(b, p)
                                p += 4
                                x_v = (2, x_v_v)
                            elif x_v_h == 3:
                                (x_v_v,) = U_i(b, p)
                                p += 4
                                x_v = (3, x_v_v)
                            elif x_v_h == 4:
                                (x_v_v,) = U_i(b, p)
                                p += 4
                                x_v = (4, x_v_v)
                            else:
                                raise ValueError(f'SCError {x_v_h} at byte {p - 4} is unknown')
                    else:
                        if x_v_h < 7:
                            if x_v_h == 5:
                                (x_v_v,) = U_i(b, p)
                                p += 4
                                x_v = (5, x_v_v)
                            elif x_v_h == 6:
                                (x_v_v,) = U_i(b, p)
                                p += 4
                                x_v = (6, x_v_v)
                            else:
                                raise ValueError(f'SCError {x_v_h} at byte {p - 4} is unknown')
                        else:
                            if x_v_h == 7:
                                (x_v_v,) = U_i(b, p)
                                p += 4
                                x_v = (7, x_v_v)
                            elif x_v_h == 8:
                                (x_v_v,) = U_i(b, p)
                                p += 4
                                x_v = (8, x_v_v)
                            elif x_v_h == 9:
                                (x_v_v,) = U_i(b, p)
                                p += 4
                                x_v = (9, x_v_v)
                            else:
                                raise ValueError(f'SCError {x_v_h} at byte {p - 4} is unknown')
                    x = (2, x_v)
                elif x_h == 3:
                    (x_v,) = U_I(b, p)
                    p += 4
                    x = (3, x_v)
                elif x_h == 4:
                    (x_v,) = U_i(b, p)
                    p += 4
                    x = (4, x_v)
                else:
                    raise ValueError(f'SCVal {x_h} at byte {p - 4} is unknown')
        else:
            if x_h < 8:
                if x_h == 5:
                    (x_v,) = U_Q(b, p)
                    p += 8
                    x = (5, x_v)
                elif x_h == 6:
                    (x_v,) = U_q(b, p)
                    p += 8
                    x = (6, x_v)
                elif x_h == 7:
                    (x_v,) = U_Q(b, p)
                    p += 8
                    x = (7, x_v)
                else:
                    raise ValueError(f'SCVal {x_h} at byte {p - 4} is unknown')
            else:
                if x_h == 8:
                    (x_v,) = U_Q(b, p)
                    p += 8
                    x = (8, x_v)
                elif x_h == 9:
                    (x_v_hi, x_v_lo,) = U_QQ(b, p)
                    p += 16
                    x_v = {"hi": x_v_hi, "lo": x_v_lo}
                    x = (9, x_v)
                elif x_h == 10:
                    (x_v_hi, x_v_lo,) = U_qQ(b, p)
                    p += 16
                    x_v = {"hi": x_v_hi, "lo": x_v_lo}
                    x = (10, x_v)
                else:
                    raise ValueError(f'SCVal {x_h} at byte {p - 4} is unknown')
    else:
        if x_h < 17:
            if x_h < 14:
                if x_h == 11:
                    (x_v_hi_hi, x_v_hi_lo, x_v_lo_hi, x_v_lo_lo,) = U_QQQQ(b, p)
                    p += 32
                    x_v = {"hi_hi": x_v_hi_hi, "hi_lo": x_v_hi_lo, "lo_hi": x_v_lo_hi, "lo_lo": x_v_lo_lo}
                    x = (11, x_v)
                elif x_h == 12:
                    (x_v_hi_hi, x_v_hi_lo, x_v_lo_hi, x_v_lo_lo,) = U_qQQQ(b, p)
                    p += 32
                    x_v = {"hi_hi": x_v_hi_hi, "hi_lo": x_v_hi_lo, "lo_hi": x_v_lo_hi, "lo_lo": x_v_lo_lo}
                    x = (12, x_v)
                elif x_h == 13:
                    (x_v_h,) = U_I(b, p)
                    p += 4
                    x_v = b[p : p + x_v_h]
                    p += (x_v_h + 3) & -4
                    if p > len(b):
                        raise ValueError(f'{x_v_h} bytes at byte {p} are not all there')
                    x = (13, x_v)
                else:
                    raise ValueError(f'SCVal {x_h} at byte {p - 4} is unknown')
            else:
                if x_h == 14:
                    (x_v_h,) = U_I(b, p)
                    p += 4
                    x_v = b[p : p + x_v_h]
                    p += (x_v_h + 3) & -4
                    if p > len(b):
                        raise ValueError(f'{x_v_h} bytes at byte {p} are not all there')
                    x = (14, x_v)
                elif x_h == 15:
                    (x_v_h,) = U_I(b, p)
                    p += 4
                    x_v = b[p : p + x_v_h]
                    p += (x_v_h + 3) & -4
                    if p > len(b):
                        raise ValueError(f'{x_v_h} bytes at byte {p} are not all there')
                    x = (15, x_v)
                elif x_h == 16:
                    (x_v_h,) = U_I(b, p)
                    p += 4
                    if x_v_h:
                        (x_v_h,) = U_I(b, p)
                        p += 4
                        x_v = []
                        for _ in range(x_v_h):
                            x_v_x, p = d_SCVal(b, p)
                            x_v.append(x_v_x)
                    else:
                        x_v = None
                    x = (16, x_v)
                else:
                    raise ValueError(f'SCVal {x_h} at byte {p - 4} is unknown')
        else:
            if x_h < 20:
                if x_h == 17:
                    (x_v_h,) = U_I(b, p)
                    p += 4
                    if x_v_h:
                        (x_v_h,) = U_I(b, p)
                        p += 4
                        x_v = []
                        for _ in range(x_v_h):
                            x_v_x, p = d_SCMapEntry(b, p)
                            x_v.append(x_v_x)
                    else:
                        x_v = None
                    x = (17, x_v)
                elif x_h == 18:
                    x_v, p = d_SCAddress(b, p)
                    x = (18, x_v)
                elif x_h == 19:
                    x_v_executable, p = d_ContractExecutable(b, p)
                    (x_v_storage_h,) = U_I(b, p)
                    p += 4
                    if x_v_storage_h:
                        (x_v_storage_h,) = U_I(b, p)
                        p += 4
                        x_v_storage = []
                        for _ in range(x_v_storage_h):
                            x_v_storage_x, p = d_SCMapEntry(b, p)
                            x_v_storage.append(x_v_storage_x)
                    else:
                        x_v_storage = None
                    x_v = {"executable": x_v_executable, "storage": x_v_storage}
                    x = (19, x_v)
                else:
                    raise ValueError(f'SCVal {x_h} at byte {p - 4} is unknown')
            else:
                if x_h == 20:
                    x = (20, None)
                elif x_h == 21:
                    (x_v_nonce,) = U_q(b, p)
                    p += 8
                    x_v = {"nonce": x_v_nonce}
                    x = (21, x_v)
                elif x_h == 22:
                    (x_v_h,) = U_I(b, p)
                    p += 4
                    x_v = b[p : p + x_v_h]
                    p += (x_v_h + 3) & -4
                    if p > len(b):
                        raise ValueError(f'{x_v_h} bytes at byte {p} are not all there')
                    x = (22, x_v)
                else:
                    raise ValueError(f'SCVal {x_h} at byte {p - 4} is unknown')
    return x, p


def d_Signer(b: bytes, p: int) -> Any:
    x_key, p = d_SignerKey(b, p)
    (x_weight,) = U_I(b, p)
    p += 4
    x = {"key": x_key, "weight": x_weight}
    return x, p


def d_OfferEntry(b: bytes, p: int) -> Any:
    (x_sellerID_h, x_sellerID_v, x_offerID,) = U_i32sq(b, p)
    p += 44
    if x_sellerID_h != 0:
        raise ValueError(f'PublicKey {x_sellerID_h} before byte {p} is unknown')
    x_sellerID = (0, x_sellerID_v)
    x_selling, p = d_Asset(b, p)
    x_buying, p = d_Asset(b, p)
    (x_amount, x_price_n, x_price_d, x_flags, x_ext_h,) = U_qiiIi(b, p)
    p += 24
    x_price = {"n": x_price_n, "d": x_price_d}
    if x_ext_h != 0:
        raise ValueError(f'OfferEntry_ext {x_ext_h} before byte {p} is unknown')
    x_ext = (0, None)
    x = {"sellerID": x_sellerID, "offerID": x_offerID, "selling": x_selling, "buying": x_buying, "amount": x_amount, "price": x_price, "flags": x_flags, "ext": x_ext}
    return x, p


def d_ClaimPredicate(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h < 3:
        if x_h == 0:
            x = (0, None)
        elif x_h == 1:
            (x_v_h,) = U_I(b, p)
            p += 4
            x_v = []
            for _ in range(x_v_h):
                x_v_x, p = d_ClaimPredicate(b, p)
                x_v.append(x_v_x)
            x = (1, x_v)
        elif x_h == 2:
            (x_v_h,) = U_I(b, p)
            p += 4
            x_v = []
            for _ in range(x_v_h):
                x_v_x, p = d_ClaimPredicate(b, p)
                x_v.append(x_v_x)
            x = (2, x_v)
        else:
            raise ValueError(f'ClaimPredicate {x_h} at byte {p - 4} is unknown')
    else:
        if x_h == 3:
            (x_v_h,) = U_I(b, p)
            p += 4
            if x_v_h:
                x_v, p = d_ClaimPredicate(b, p)
            else:
                x_v = None
            x = (3, x_v)
        elif x_h == 4:
            (x_v,) = U_q(b, p)
            p += 8
            x = (4, x_v)
        elif x_h == 5:
            (x_v,) = U_q(b, p)
            p += 8
            x = (5, x_v)
        else:
            raise ValueError(f'ClaimPredicate {x_h} at byte {p - 4} is unknown')
    return x, p


def d_Asset(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        x = (0, None)
    elif x_h == 1:
        (x_v_assetCode, x_v_issuer_h, x_v_issuer_v,) = U_4si32s(b, p)
        p += 40
        if x_v_issuer_h != 0:
            raise ValueError(f'PublicKey {x_v_issuer_h} before byte {p} is unknown')
        x_v_issuer = (0, x_v_issuer_v)
        x_v = {"assetCode": x_v_assetCode, "issuer": x_v_issuer}
        x = (1, x_v)
    elif x_h == 2:
        (x_v_assetCode, x_v_issuer_h, x_v_issuer_v,) = U_12si32s(b, p)
        p += 48
        if x_v_issuer_h != 0:
            raise ValueError(f'PublicKey {x_v_issuer_h} before byte {p} is unknown')
        x_v_issuer = (0, x_v_issuer_v)
        x_v = {"assetCode": x_v_assetCode, "issuer": x_v_issuer}
        x = (2, x_v)
    else:
        raise ValueError(f'Asset {x_h} at byte {p - 4} is unknown')
    return x, p


def d_LiquidityPoolConstantProductParameters(b: bytes, p: int) -> Any:
    x_assetA, p = d_Asset(b, p)
    x_assetB, p = d_Asset(b, p)
    (x_fee,) = U_i(b, p)
    p += 4
    x = {"assetA": x_assetA, "assetB": x_assetB, "fee": x_fee}
    return x, p


def d_ConfigSettingEntry(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h < 10:
        if x_h < 5:
            if x_h < 2:
                if x_h == 0:
                    (x_v,) = U_I(b, p)
                    p += 4
                    x = (0, x_v)
                elif x_h == 1:
                    (x_v_ledgerMaxInstructions, x_v_txMaxInstructions, x_v_feeRatePerInstructionsIncrement, x_v_txMemoryLimit,) = U_qqqI(b, p)
                    p += 28
                    x_v = {"ledgerMaxInstructions": x_v_ledgerMaxInstructions, "txMaxInstructions": x_v_txMaxInstructions, "feeRatePerInstructionsIncrement": x_v_feeRatePerInstructionsIncrement, "txMemoryLimit": x_v_txMemoryLimit}
                    x = (1, x_v)
                else:
                    raise ValueError(f'ConfigSettingEntry {x_h} at byte {p - 4} is unknown')
            else:
                if x_h == 2:
                    (x_v_ledgerMaxDiskReadEntries, x_v_ledgerMaxDiskReadBytes, x_v_ledgerMaxWriteLedgerEntries, x_v_ledgerMaxWriteBytes, x_v_txMaxDiskReadEntries, x_v_txMaxDiskReadBytes, x_v_txMaxWriteLedgerEntries, x_v_txMaxWriteBytes, x_v_feeDiskReadLedgerEntry, x_v_feeWriteLedgerEntry, x_v_feeDiskRead1KB, x_v_sorobanStateTargetSizeBytes, x_v_rentFee1KBSorobanStateSizeLow, x_v_rentFee1KBSorobanStateSizeHigh, x_v_sorobanStateRentFeeGrowthFactor,) = U_IIIIIIIIqqqqqqI(b, p)
                    p += 84
                    x_v = {"ledgerMaxDiskReadEntries": x_v_ledgerMaxDiskReadEntries, "ledgerMaxDiskReadBytes": x_v_ledgerMaxDiskReadBytes, "ledgerMaxWriteLedgerEntries": x_v_ledgerMaxWriteLedgerEntries, "ledgerMaxWriteBytes": x_v_ledgerMaxWriteBytes, "txMaxDiskReadEntries": x_v_txMaxDiskReadEntries, "txMaxDiskReadBytes": x_v_txMaxDiskReadBytes, "txMaxWriteLedgerEntries": x_v_txMaxWriteLedgerEntries, "txMaxWriteBytes": x_v_txMaxWriteBytes, "feeDiskReadLedgerEntry": x_v_feeDiskReadLedgerEntry, "feeWriteLedgerEntry": x_v_feeWriteLedgerEntry, "feeDiskRead1KB": x_v_feeDiskRead1KB, "sorobanStateTargetSizeBytes": x_v_sorobanStateTargetSizeBytes, "rentFee1KBSorobanStateSizeLow": x_v_rentFee1KBSorobanStateSizeLow, "rentFee1KBSorobanStateSizeHigh": x_v_rentFee1KBSorobanStateSizeHigh, "sorobanStateRentFeeGrowthFactor": x_v_sorobanStateRentFeeGrowthFactor}
                    x = (2, x_v)
                elif x_h == 3:
                    (x_v_feeHistorical1KB,) = U_q(b, p)
                    p += 8
                    x_v = {"feeHistorical1KB": x_v_feeHistorical1KB}
                    x = (3, x_v)
                elif x_h == 4:
                    (x_v_txMaxContractEventsSizeBytes, x_v_feeContractEvents1KB,) = U_Iq(b, p)
                    p += 12
                    x_v = {"txMaxContractEventsSizeBytes": x_v_txMaxContractEventsSizeBytes, "feeContractEvents1KB": x_v_feeContractEvents1KB}
                    x = (4, x_v)
                else:
                    raise ValueError(f'ConfigSettingEntry {x_h} at byte {p - 4} is unknown')
        else:
            if x_h < 7:
                if x_h == 5:
                    (x_v_ledgerMaxTxsSizeBytes, x_v_txMaxSizeBytes, x_v_feeTxSize1KB,) = U_IIq(b, p)
                    p += 16
                    x_v = {"ledgerMaxTxsSizeBytes": x_v_ledgerMaxTxsSizeBytes, "txMaxSizeBytes": x_v_txMaxSizeBytes, "feeTxSize1KB": x_v_feeTxSize1KB}
                    x = (5, x_v)
                elif x_h == 6:
                    (x_v_h,) = U_I(b, p)
                    p += 4
                    x_v = []
                    for _ in range(x_v_h):
                        (x_v_x_ext_h, x_v_x_constTerm, x_v_x_linearTerm,) = U_iqq(b, p)
                        p += 20
                        if x_v_x_ext_h != 0:
                            raise ValueError(f'ExtensionPoint {x_v_x_ext_h} before byte {p} is unknown')
                        x_v_x_ext = (0, None)
                        x_v_x = {"ext": x_v_x_ext, "constTerm": x_v_x_constTerm, "linearTerm": x_v_x_linearTerm}
                        x_v.append(x_v_x)
                    x = (6, x_v)
                else:
                    raise ValueError(f'ConfigSettingEntry {x_h} at byte {p - 4} is unknown')
            else:
                if x_h == 7:
                    (x_v_h,) = U_I(b, p)
                    p += 4
                    x_v = []
                    for _ in range(x_v_h):
                        (x_v_x_ext_h, x_v_x_constTerm, x_v_x_linearTerm,) = U_iqq(b, p)
                        p += 20
                        if x_v_x_ext_h != 0:
                            raise ValueError(f'ExtensionPoint {x_v_x_ext_h} before byte {p} is unknown')
                        x_v_x_ext = (0, None)
                        x_v_x = {"ext": x_v_x_ext, "constTerm": x_v_x_constTerm, "linearTerm": x_v_x_linearTerm}
                        x_v.append(x_v_x)
                    x = (7, x_v)
                elif x_h == 8:
                    (x_v,) = U_I(b, p)
                    p += 4
                    x = (8, x_v)
                elif x_h == 9:
                    (x_v,) = U_I(b, p)
                    p += 4
                    x = (9, x_v)
                else:
                    raise ValueError(f'ConfigSettingEntry {x_h} at byte {p - 4} is unknown')
    else:
        if x_h < 15:
            if x_h < 12:
                if x_h == 10:
                    (x_v_maxEntryTTL, x_v_minTemporaryTTL, x_v_minPersistentTTL, x_v_persistentRentRateDenominator, x_v_tempRentRateDenominator, x_v_maxEntriesToArchive, x_v_liveSorobanStateSizeWindowSampleSize, x_v_liveSorobanStateSizeWindowSamplePeriod, x_v_evictionScanSize, x_v_startingEvictionScanLevel,) = U_IIIqqIIIII(b, p)
                    p += 48
                    x_v = {"maxEntryTTL": x_v_maxEntryTTL, "minTemporaryTTL": x_v_minTemporaryTTL, "minPersistentTTL": x_v_minPersistentTTL, "persistentRentRateDenominator": x_v_persistentRentRateDenominator, "tempRentRateDenominator": x_v_tempRentRateDenominator, "maxEntriesToArchive": x_v_maxEntriesToArchive, "liveSorobanStateSizeWindowSampleSize": x_v_liveSorobanStateSizeWindowSampleSize, "liveSorobanStateSizeWindowSamplePeriod": x_v_liveSorobanStateSizeWindowSamplePeriod, "evictionScanSize": x_v_evictionScanSize, "startingEvictionScanLevel": x_v_startingEvictionScanLevel}
                    x = (10, x_v)
                elif x_h == 11:
                    (x_v_ledgerMaxTxCount,) = U_I(b, p)
                    p += 4
                    x_v = {"ledgerMaxTxCount": x_v_ledgerMaxTxCount}
                    x = (11, x_v)
                else:
                    raise ValueError(f'ConfigSettingEntry {x_h} at byte {p - 4} is unknown')
            else:
                if x_h == 12:
                    (x_v_h,) = U_I(b, p)
                    p += 4
                    x_v = []
                    for _ in range(x_v_h):
                        (x_v_x,) = U_Q(b, p)
                        p += 8
                        x_v.append(x_v_x)
                    x = (12, x_v)
                elif x_h == 13:
                    (x_v_bucketListLevel, x_v_isCurrBucket_h, x_v_bucketFileOffset,) = U_IIQ(b, p)
                    p += 16
                    x_v_isCurrBucket = x_v_isCurrBucket_h == 1
                    x_v = {"bucketListLevel": x_v_bucketListLevel, "isCurrBucket": x_v_isCurrBucket, "bucketFileOffset": x_v_bucketFileOffset}
                    x = (13, x_v)
                elif x_h == 14:
                    (x_v_ledgerMaxDependentTxClusters,) = U_I(b, p)
                    p += 4
                    x_v = {"ledgerMaxDependentTxClusters": x_v_ledgerMaxDependentTxClusters}
                    x = (14, x_v)
                else:
                    raise ValueError(f'ConfigSettingEntry {x_h} at byte {p - 4} is unknown')
        else:
            if x_h < 18:
                if x_h == 15:
                    (x_v_txMaxFootprintEntries, x_v_feeWrite1KB,) = U_Iq(b, p)
                    p += 12
                    x_v = {"txMaxFootprintEntries": x_v_txMaxFootprintEntries, "feeWrite1KB": x_v_feeWrite1KB}
                    x = (15, x_v)
                elif x_h == 16:
                    (x_v_ledgerTargetCloseTimeMilliseconds, x_v_nominationTimeoutInitialMilliseconds, x_v_nominationTimeoutIncrementMilliseconds, x_v_ballotTimeoutInitialMilliseconds, x_v_ballotTimeoutIncrementMilliseconds,) = U_IIIII(b, p)
                    p += 20
                    x_v = {"ledgerTargetCloseTimeMilliseconds": x_v_ledgerTargetCloseTimeMilliseconds, "nominationTimeoutInitialMilliseconds": x_v_nominationTimeoutInitialMilliseconds, "nominationTimeoutIncrementMilliseconds": x_v_nominationTimeoutIncrementMilliseconds, "ballotTimeoutInitialMilliseconds": x_v_ballotTimeoutInitialMilliseconds, "ballotTimeoutIncrementMilliseconds": x_v_ballotTimeoutIncrementMilliseconds}
                    x = (16, x_v)
                elif x_h == 17:
                    (x_v_keys_h,) = U_I(b, p)
                    p += 4
                    x_v_keys = []
                    for _ in range(x_v_keys_h):
                        (x_v_keys_x_h,) = U_I(b, p)
                        p += 4
                        x_v_keys_x = b[p : p + x_v_keys_x_h]
                        p += (x_v_keys_x_h + 3) & -4
                        if p > len(b):
                            raise ValueError(f'{x_v_keys_x_h} bytes at byte {p} are not all there')
                        x_v_keys.append(x_v_keys_x)
                    x_v = {"keys": x_v_keys}
                    x = (17, x_v)
                else:
                    raise ValueError(f'ConfigSettingEntry {x_h} at byte {p - 4} is unknown')
            else:
                if x_h == 18:
                    (x_v_keysToFreeze_h,) = U_I(b, p)
                    p += 4
                    x_v_keysToFreeze = []
                    for _ in range(x_v_keysToFreeze_h):
                        (x_v_keysToFreeze_x_h,) = U_I(b, p)
                        p += 4
                        x_v_keysToFreeze_x = b[p : p + x_v_keysToFreeze_x_h]
                        p += (x_v_keysToFreeze_x_h + 3) & -4
                        if p > len(b):
                            raise ValueError(f'{x_v_keysToFreeze_x_h} bytes at byte {p} are not all there')
                        x_v_keysToFreeze.append(x_v_keysToFreeze_x)
                    (x_v_keysToUnfreeze_h,) = U_I(b, p)
                    p += 4
                    x_v_keysToUnfreeze = []
                    for _ in range(x_v_keysToUnfreeze_h):
                        (x_v_keysToUnfreeze_x_h,) = U_I(b, p)
                        p += 4
                        x_v_keysToUnfreeze_x = b[p : p + x_v_keysToUnfreeze_x_h]
                        p += (x_v_keysToUnfreeze_x_h + 3) & -4
                        if p > len(b):
                            raise ValueError(f'{x_v_keysToUnfreeze_x_h} bytes at byte {p} are not all there')
                        x_v_keysToUnfreeze.append(x_v_keysToUnfreeze_x)
                    x_v = {"keysToFreeze": x_v_keysToFreeze, "keysToUnfreeze": x_v_keysToUnfreeze}
                    x = (18, x_v)
                elif x_h == 19:
                    (x_v_txHashes_h,) = U_I(b, p)
                    p += 4
                    x_v_txHashes = []
                    for _ in range(x_v_txHashes_h):
                        (x_v_txHashes_x,) = U_32s(b, p)
                        p += 32
                        x_v_txHashes.append(x_v_txHashes_x)
                    x_v = {"txHashes": x_v_txHashes}
                    x = (19, x_v)
                elif x_h == 20:
                    (x_v_addTxs_h,) = U_I(b, p)
                    p += 4
                    x_v_addTxs = []
                    for _ in range(x_v_addTxs_h):
                        (x_v_addTxs_x,) = U_32s(b, p)
                        p += 32
                        x_v_addTxs.append(x_v_addTxs_x)
                    (x_v_removeTxs_h,) = U_I(b, p)
                    p += 4
                    x_v_removeTxs = []
                    for _ in range(x_v_removeTxs_h):
                        (x_v_removeTxs_x,) = U_32s(b, p)
                        p += 32
                        x_v_removeTxs.append(x_v_removeTxs_x)
                    x_v = {"addTxs": x_v_addTxs, "removeTxs": x_v_removeTxs}
                    x = (20, x_v)
                else:
                    raise ValueError(f'ConfigSettingEntry {x_h} at byte {p - 4} is unknown')
    return x, p


def d_OperationResult(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h < -3:
        if x_h == -6:
            x = (-6, None)
        elif x_h == -5:
            x = (-5, None)
        elif x_h == -4:
            x = (-4, None)
        else:
            raise ValueError(f'OperationResult {x_h} at byte {p - 4} is unknown')
    else:
        if x_h == -3:
            x = (-3, None)
        elif x_h == -2:
            x = (-2, None)
        elif x_h == -1:
            x = (-1, None)
        elif x_h == 0:
            (x_v_h,) = U_i(b, p)
            p += 4
            if x_v_h < 13:
                if x_v_h < 6:
                    if x_v_h < 3:
                        if x_v_h == 0:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -2:
                                if x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                elif x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                else:
                                    raise ValueError(f'CreateAccountResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    x_v_v = (0, None)
                                else:
                                    raise ValueError(f'CreateAccountResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (0, x_v_v)
                        elif x_v_h == 1:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -4:
                                if x_v_v_h < -7:
                                    if x_v_v_h == -9:
                                        x_v_v = (-9, None)
                                    elif x_v_v_h == -8:
                                        x_v_v = (-8, None)
                                    else:
                                        raise ValueError(f'PaymentResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -7:
                                        x_v_v = (-7, None)
                                    elif x_v_v_h == -6:
                                        x_v_v = (-6, None)
                                    elif x_v_v_h == -5:
                                        x_v_v = (-5, None)
                                    else:
                                        raise ValueError(f'PaymentResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h < -2:
                                    if x_v_v_h == -4:
                                        x_v_v = (-4, None)
                                    elif x_v_v_h == -3:
                                        x_v_v = (-3, None)
                                    else:
                                        raise ValueError(f'PaymentResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -2:
                                        x_v_v = (-2, None)
                                    elif x_v_v_h == -1:
                                        x_v_v = (-1, None)
                                    elif x_v_v_h == 0:
                                        x_v_v = (0, None)
                                    else:
                                        raise ValueError(f'PaymentResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (1, x_v_v)
                        elif x_v_h == 2:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -6:
                                if x_v_v_h < -9:
                                    if x_v_v_h == -12:
                                        x_v_v = (-12, None)
                                    elif x_v_v_h == -11:
                                        x_v_v = (-11, None)
                                    elif x_v_v_h == -10:
                                        x_v_v = (-10, None)
                                    else:
                                        raise ValueError(f'PathPaymentStrictReceiveResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -9:
                                        x_v_v_v, p = d_Asset(b, p)
                                        x_v_v = (-9, x_v_v_v)
                                    elif x_v_v_h == -8:
                                        x_v_v = (-8, None)
                                    elif x_v_v_h == -7:
                                        x_v_v = (-7, None)
                                    else:
                                        raise ValueError(f'PathPaymentStrictReceiveResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h < -3:
                                    if x_v_v_h == -6:
                                        x_v_v = (-6, None)
                                    elif x_v_v_h == -5:
                                        x_v_v = (-5, None)
                                    elif x_v_v_h == -4:
                                        x_v_v = (-4, None)
                                    else:
                                        raise ValueError(f'PathPaymentStrictReceiveResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -3:
                                        x_v_v = (-3, None)
                                    elif x_v_v_h == -2:
                                        x_v_v = (-2, None)
                                    elif x_v_v_h == -1:
                                        x_v_v = (-1, None)
                                    elif x_v_v_h == 0:
                                        (x_v_v_v_offers_h,) = U_I(b, p)
                                        p += 4
                                        x_v_v_v_offers = []
                                        for _ in range(x_v_v_v_offers_h):
                                            x_v_v_v_offers_x, p = d_ClaimAtom(b, p)
                                            x_v_v_v_offers.append(x_v_v_v_offers_x)
                                        x_v_v_v_last, p = d_SimplePaymentResult(b, p)
                                        x_v_v_v = {"offers": x_v_v_v_offers, "last": x_v_v_v_last}
                                        x_v_v = (0, x_v_v_v)
                                    else:
                                        raise ValueError(f'PathPaymentStrictReceiveResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (2, x_v_v)
                        else:
                            raise ValueError(f'OperationResult_tr {x_v_h} at byte {p - 4} is unknown')
                    else:
                        if x_v_h == 3:
                            x_v_v, p = d_ManageSellOfferResult(b, p)
                            x_v = (3, x_v_v)
                        elif x_v_h == 4:
                            x_v_v, p = d_ManageSellOfferResult(b, p)
                            x_v = (4, x_v_v)
                        elif x_v_h == 5:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -5:
                                if x_v_v_h < -8:
                                    if x_v_v_h == -10:
                                        x_v_v = (-10, None)
                                    elif x_v_v_h == -9:
                                        x_v_v = (-9, None)
                                    else:
                                        raise ValueError(f'SetOptionsResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -8:
                                        x_v_v = (-8, None)
                                    elif x_v_v_h == -7:
                                        x_v_v = (-7, None)
                                    elif x_v_v_h == -6:
                                        x_v_v = (-6, None)
                                    else:
                                        raise ValueError(f'SetOptionsResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h < -2:
                                    if x_v_v_h == -5:
                                        x_v_v = (-5, None)
                                    elif x_v_v_h == -4:
                                        x_v_v = (-4, None)
                                    elif x_v_v_h == -3:
                                        x_v_v = (-3, None)
                                    else:
                                        raise ValueError(f'SetOptionsResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -2:
                                        x_v_v = (-2, None)
                                    elif x_v_v_h == -1:
                                        x_v_v = (-1, None)
                                    elif x_v_v_h == 0:
                                        x_v_v = (0, None)
                                    else:
                                        raise ValueError(f'SetOptionsResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (5, x_v_v)
                        else:
                            raise ValueError(f'OperationResult_tr {x_v_h} at byte {p - 4} is unknown')
                else:
                    if x_v_h < 9:
                        if x_v_h == 6:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -4:
                                if x_v_v_h == -8:
                                    x_v_v = (-8, None)
                                elif x_v_v_h == -7:
                                    x_v_v = (-7, None)
                                elif x_v_v_h == -6:
                                    x_v_v = (-6, None)
                                elif x_v_v_h == -5:
                                    x_v_v = (-5, None)
                                else:
                                    raise ValueError(f'ChangeTrustResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h < -2:
                                    if x_v_v_h == -4:
                                        x_v_v = (-4, None)
                                    elif x_v_v_h == -3:
                                        x_v_v = (-3, None)
                                    else:
                                        raise ValueError(f'ChangeTrustResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -2:
                                        x_v_v = (-2, None)
                                    elif x_v_v_h == -1:
                                        x_v_v = (-1, None)
                                    elif x_v_v_h == 0:
                                        x_v_v = (0, None)
                                    else:
                                        raise ValueError(f'ChangeTrustResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (6, x_v_v)
                        elif x_v_h == 7:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -3:
                                if x_v_v_h == -6:
                                    x_v_v = (-6, None)
                                elif x_v_v_h == -5:
                                    x_v_v = (-5, None)
                                elif x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                else:
                                    raise ValueError(f'AllowTrustResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                elif x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    x_v_v = (0, None)
                                else:
                                    raise ValueError(f'AllowTrustResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (7, x_v_v)
                        elif x_v_h == 8:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -3:
                                if x_v_v_h == -7:
                                    x_v_v = (-7, None)
                                elif x_v_v_h == -6:
                                    x_v_v = (-6, None)
                                elif x_v_v_h == -5:
                                    x_v_v = (-5, None)
                                elif x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                else:
                                    raise ValueError(f'AccountMergeResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                elif x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    (x_v_v_v,) = U_q(b, p)
                                    p += 8
                                    x_v_v = (0, x_v_v_v)
                                else:
                                    raise ValueError(f'AccountMergeResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (8, x_v_v)
                        else:
                            raise ValueError(f'OperationResult_tr {x_v_h} at byte {p - 4} is unknown')
                    else:
                        if x_v_h == 9:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h == -1:
                                x_v_v = (-1, None)
                            elif x_v_v_h == 0:
                                (x_v_v_v_h,) = U_I(b, p)
                                p += 4
                                x_v_v_v = []
                                for _ in range(x_v_v_v_h):
                                    (x_v_v_v_x_destination_h, x_v_v_v_x_destination_v, x_v_v_v_x_amount,) = U_i32sq(b, p)
                                    p += 44
                                    if x_v_v_v_x_destination_h != 0:
                                        raise ValueError(f'PublicKey {x_v_v_v_x_destination_h} before byte {p} is unknown')
                                    x_v_v_v_x_destination = (0, x_v_v_v_x_destination_v)
                                    x_v_v_v_x = {"destination": x_v_v_v_x_destination, "amount": x_v_v_v_x_amount}
                                    x_v_v_v.append(x_v_v_v_x)
                                x_v_v = (0, x_v_v_v)
                            else:
                                raise ValueError(f'InflationResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (9, x_v_v)
                        elif x_v_h == 10:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -2:
                                if x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                elif x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                else:
                                    raise ValueError(f'ManageDataResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    x_v_v = (0, None)
                                else:
                                    raise ValueError(f'ManageDataResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (10, x_v_v)
                        elif x_v_h == 11:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h == -1:
                                x_v_v = (-1, None)
                            elif x_v_v_h == 0:
                                x_v_v = (0, None)
                            else:
                                raise ValueError(f'BumpSequenceResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (11, x_v_v)
                        elif x_v_h == 12:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -6:
                                if x_v_v_h < -9:
                                    if x_v_v_h == -12:
                                        x_v_v = (-12, None)
                                    elif x_v_v_h == -11:
                                        x_v_v = (-11, None)
                                    elif x_v_v_h == -10:
                                        x_v_v = (-10, None)
                                    else:
                                        raise ValueError(f'ManageBuyOfferResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -9:
                                        x_v_v = (-9, None)
                                    elif x_v_v_h == -8:
                                        x_v_v = (-8, None)
                                    elif x_v_v_h == -7:
                                        x_v_v = (-7, None)
                                    else:
                                        raise ValueError(f'ManageBuyOfferResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h < -3:
                                    if x_v_v_h == -6:
                                        x_v_v = (-6, None)
                                    elif x_v_v_h == -5:
                                        x_v_v = (-5, None)
                                    elif x_v_v_h == -4:
                                        x_v_v = (-4, None)
                                    else:
                                        raise ValueError(f'ManageBuyOfferResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -3:
                                        x_v_v = (-3, None)
                                    elif x_v_v_h == -2:
                                        x_v_v = (-2, None)
                                    elif x_v_v_h == -1:
                                        x_v_v = (-1, None)
                                    elif x_v_v_h == 0:
                                        x_v_v_v, p = d_ManageOfferSuccessResult(b, p)
                                        x_v_v = (0, x_v_v_v)
                                    else:
                                        raise ValueError(f'ManageBuyOfferResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (12, x_v_v)
                        else:
                            raise ValueError(f'OperationResult_tr {x_v_h} at byte {p - 4} is unknown')
            else:
                if x_v_h < 20:
                    if x_v_h < 16:
                        if x_v_h == 13:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -6:
                                if x_v_v_h < -9:
                                    if x_v_v_h == -12:
                                        x_v_v = (-12, None)
                                    elif x_v_v_h == -11:
                                        x_v_v = (-11, None)
                                    elif x_v_v_h == -10:
                                        x_v_v = (-10, None)
                                    else:
                                        raise ValueError(f'PathPaymentStrictSendResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -9:
                                        x_v_v_v, p = d_Asset(b, p)
                                        x_v_v = (-9, x_v_v_v)
                                    elif x_v_v_h == -8:
                                        x_v_v = (-8, None)
                                    elif x_v_v_h == -7:
                                        x_v_v = (-7, None)
                                    else:
                                        raise ValueError(f'PathPaymentStrictSendResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h < -3:
                                    if x_v_v_h == -6:
                                        x_v_v = (-6, None)
                                    elif x_v_v_h == -5:
                                        x_v_v = (-5, None)
                                    elif x_v_v_h == -4:
                                        x_v_v = (-4, None)
                                    else:
                                        raise ValueError(f'PathPaymentStrictSendResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -3:
                                        x_v_v = (-3, None)
                                    elif x_v_v_h == -2:
                                        x_v_v = (-2, None)
                                    elif x_v_v_h == -1:
                                        x_v_v = (-1, None)
                                    elif x_v_v_h == 0:
                                        (x_v_v_v_offers_h,) = U_I(b, p)
                                        p += 4
                                        x_v_v_v_offers = []
                                        for _ in range(x_v_v_v_offers_h):
                                            x_v_v_v_offers_x, p = d_ClaimAtom(b, p)
                                            x_v_v_v_offers.append(x_v_v_v_offers_x)
                                        x_v_v_v_last, p = d_SimplePaymentResult(b, p)
                                        x_v_v_v = {"offers": x_v_v_v_offers, "last": x_v_v_v_last}
                                        x_v_v = (0, x_v_v_v)
                                    else:
                                        raise ValueError(f'PathPaymentStrictSendResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (13, x_v_v)
                        elif x_v_h == 14:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -2:
                                if x_v_v_h == -5:
                                    x_v_v = (-5, None)
                                elif x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                elif x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                else:
                                    raise ValueError(f'CreateClaimableBalanceResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    (x_v_v_v_h, x_v_v_v_v,) = U_i32s(b, p)
                                    p += 36
                                    if x_v_v_v_h != 0:
                                        raise ValueError(f'ClaimableBalanceID {x_v_v_v_h} before byte {p} is unknown')
                                    x_v_v_v = (0, x_v_v_v_v)
                                    x_v_v = (0, x_v_v_v)
                                else:
                                    raise ValueError(f'CreateClaimableBalanceResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (14, x_v_v)
                        elif x_v_h == 15:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -3:
                                if x_v_v_h == -6:
                                    x_v_v = (-6, None)
                                elif x_v_v_h == -5:
                                    x_v_v = (-5, None)
                                elif x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                else:
                                    raise ValueError(f'ClaimClaimableBalanceResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                elif x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    x_v_v = (0, None)
                                else:
                                    raise ValueError(f'ClaimClaimableBalanceResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (15, x_v_v)
                        else:
                            raise ValueError(f'OperationResult_tr {x_v_h} at byte {p - 4} is unknown')
                    else:
                        if x_v_h == 16:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h == -3:
                                x_v_v = (-3, None)
                            elif x_v_v_h == -2:
                                x_v_v = (-2, None)
                            elif x_v_v_h == -1:
                                x_v_v = (-1, None)
                            elif x_v_v_h == 0:
                                x_v_v = (0, None)
                            else:
                                raise ValueError(f'BeginSponsoringFutureReservesResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (16, x_v_v)
                        elif x_v_h == 17:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h == -1:
                                x_v_v = (-1, None)
                            elif x_v_v_h == 0:
                                x_v_v = (0, None)
                            else:
                                raise ValueError(f'EndSponsoringFutureReservesResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (17, x_v_v)
                        elif x_v_h == 18:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -2:
                                if x_v_v_h == -5:
                                    x_v_v = (-5, None)
                                elif x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                elif x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                else:
                                    raise ValueError(f'RevokeSponsorshipResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    x_v_v = (0, None)
                                else:
                                    raise ValueError(f'RevokeSponsorshipResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (18, x_v_v)
                        elif x_v_h == 19:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -2:
                                if x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                elif x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                else:
                                    raise ValueError(f'ClawbackResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    x_v_v = (0, None)
                                else:
                                    raise ValueError(f'ClawbackResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (19, x_v_v)
                        else:
                            raise ValueError(f'OperationResult_tr {x_v_h} at byte {p - 4} is unknown')
                else:
                    if x_v_h < 23:
                        if x_v_h == 20:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h == -3:
                                x_v_v = (-3, None)
                            elif x_v_v_h == -2:
                                x_v_v = (-2, None)
                            elif x_v_v_h == -1:
                                x_v_v = (-1, None)
                            elif x_v_v_h == 0:
                                x_v_v = (0, None)
                            else:
                                raise ValueError(f'ClawbackClaimableBalanceResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (20, x_v_v)
                        elif x_v_h == 21:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -2:
                                if x_v_v_h == -5:
                                    x_v_v = (-5, None)
                                elif x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                elif x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                else:
                                    raise ValueError(f'SetTrustLineFlagsResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    x_v_v = (0, None)
                                else:
                                    raise ValueError(f'SetTrustLineFlagsResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (21, x_v_v)
                        elif x_v_h == 22:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -4:
                                if x_v_v_h == -8:
                                    x_v_v = (-8, None)
                                elif x_v_v_h == -7:
                                    x_v_v = (-7, None)
                                elif x_v_v_h == -6:
                                    x_v_v = (-6, None)
                                elif x_v_v_h == -5:
                                    x_v_v = (-5, None)
                                else:
                                    raise ValueError(f'LiquidityPoolDepositResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h < -2:
                                    if x_v_v_h == -4:
                                        x_v_v = (-4, None)
                                    elif x_v_v_h == -3:
                                        x_v_v = (-3, None)
                                    else:
                                        raise ValueError(f'LiquidityPoolDepositResult {x_v_v_h} at byte {p - 4} is unknown')
                                else:
                                    if x_v_v_h == -2:
                                        x_v_v = (-2, None)
                                    elif x_v_v_h == -1:
                                        x_v_v = (-1, None)
                                    elif x_v_v_h == 0:
                                        x_v_v = (0, None)
                                    else:
                                        raise ValueError(f'LiquidityPoolDepositResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (22, x_v_v)
                        else:
                            raise ValueError(f'OperationResult_tr {x_v_h} at byte {p - 4} is unknown')
                    else:
                        if x_v_h == 23:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -3:
                                if x_v_v_h == -6:
                                    x_v_v = (-6, None)
                                elif x_v_v_h == -5:
                                    x_v_v = (-5, None)
                                elif x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                else:
                                    raise ValueError(f'LiquidityPoolWithdrawResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                elif x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    x_v_v = (0, None)
                                else:
                                    raise ValueError(f'LiquidityPoolWithdrawResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (23, x_v_v)
                        elif x_v_h == 24:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h < -2:
                                if x_v_v_h == -5:
                                    x_v_v = (-5, None)
                                elif x_v_v_h == -4:
                                    x_v_v = (-4, None)
                                elif x_v_v_h == -3:
                                    x_v_v = (-3, None)
                                else:
                                    raise ValueError(f'InvokeHostFunctionResult {x_v_v_h} at byte {p - 4} is unknown')
                            else:
                                if x_v_v_h == -2:
                                    x_v_v = (-2, None)
                                elif x_v_v_h == -1:
                                    x_v_v = (-1, None)
                                elif x_v_v_h == 0:
                                    (x_v_v_v,) = U_32s(b, p)
                                    p += 32
                                    x_v_v = (0, x_v_v_v)
                                else:
                                    raise ValueError(f'InvokeHostFunctionResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (24, x_v_v)
                        elif x_v_h == 25:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h == -3:
                                x_v_v = (-3, None)
                            elif x_v_v_h == -2:
                                x_v_v = (-2, None)
                            elif x_v_v_h == -1:
                                x_v_v = (-1, None)
                            elif x_v_v_h == 0:
                                x_v_v = (0, None)
                            else:
                                raise ValueError(f'ExtendFootprintTTLResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (25, x_v_v)
                        elif x_v_h == 26:
                            (x_v_v_h,) = U_i(b, p)
                            p += 4
                            if x_v_v_h == -3:
                                x_v_v = (-3, None)
                            elif x_v_v_h == -2:
                                x_v_v = (-2, None)
                            elif x_v_v_h == -1:
                                x_v_v = (-1, None)
                            elif x_v_v_h == 0:
                                x_v_v = (0, None)
                            else:
                                raise ValueError(f'RestoreFootprintResult {x_v_v_h} at byte {p - 4} is unknown')
                            x_v = (26, x_v_v)
                        else:
                            raise ValueError(f'OperationResult_tr {x_v_h} at byte {p - 4} is unknown')
            x = (0, x_v)
        else:
            raise ValueError(f'OperationResult {x_h} at byte {p - 4} is unknown')
    return x, p


def d_OperationMeta(b: bytes, p: int) -> Any:
    (x_changes_h,) = U_I(b, p)
    p += 4
    x_changes = []
    for _ in range(x_changes_h):
        x_changes_x, p = d_LedgerEntryChange(b, p)
        x_changes.append(x_changes_x)
    x = {"changes": x_changes}
    return x, p


def d_SorobanTransactionMetaExt(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        x = (0, None)
    elif x_h == 1:
        (x_v_ext_h, x_v_totalNonRefundableResourceFeeCharged, x_v_totalRefundableResourceFeeCharged, x_v_rentFeeCharged,) = U_iqqq(b, p)
        p += 28
        if x_v_ext_h != 0:
            raise ValueError(f'ExtensionPoint {x_v_ext_h} before byte {p} is unknown')
        x_v_ext = (0, None)
        x_v = {"ext": x_v_ext, "totalNonRefundableResourceFeeCharged": x_v_totalNonRefundableResourceFeeCharged, "totalRefundableResourceFeeCharged": x_v_totalRefundableResourceFeeCharged, "rentFeeCharged": x_v_rentFeeCharged}
        x = (1, x_v)
    else:
        raise ValueError(f'SorobanTransactionMetaExt {x_h} at byte {p - 4} is unknown')
    return x, p


def d_ContractEvent(b: bytes, p: int) -> Any:
    x_start = p
    (x_ext_h, x_contractID_h,) = U_iI(b, p)
    p += 8
    if x_ext_h != 0:
        raise ValueError(f'ExtensionPoint {x_ext_h} before byte {p} is unknown')
    x_ext = (0, None)
    if x_contractID_h:
        (x_contractID,) = U_32s(b, p)
        p += 32
    else:
        x_contractID = None
    (x_type, x_body_h,) = U_ii(b, p)
    p += 8
    if x_body_h == 0:
        (n,) = U_I(b, p)
        p += 4
        x_body_v_topics = []
        x_body_v_topics_raw = []
        for _ in range(n):
            x_body_v_topics_q = p
            x_body_v_topics_x, p = d_SCVal(b, p)
            x_body_v_topics.append(x_body_v_topics_x)
            x_body_v_topics_raw.append(b[x_body_v_topics_q:p])
        x_body_v_data_q = p
        x_body_v_data, p = d_SCVal(b, p)
        x_body_v_data_raw = b[x_body_v_data_q:p]
        x_body_v = {"topics": x_body_v_topics, "topics_raw": x_body_v_topics_raw, "data": x_body_v_data, "data_raw": x_body_v_data_raw}
        x_body = (0, x_body_v)
    else:
        raise ValueError(f'ContractEvent_body {x_body_h} at byte {p - 4} is unknown')
    x = {"ext": x_ext, "contractID": x_contractID, "type": x_type, "body": x_body, "raw": b[x_start:p]}
    return x, p


def d_DiagnosticEvent(b: bytes, p: int) -> Any:
    (x_inSuccessfulContractCall_h,) = U_I(b, p)
    p += 4
    x_inSuccessfulContractCall = x_inSuccessfulContractCall_h == 1
    x_event, p = d_ContractEvent(b, p)
    x = {"inSuccessfulContractCall": x_inSuccessfulContractCall, "event": x_event}
    return x, p


def d_LedgerCloseValueSignature(b: bytes, p: int) -> Any:
    (x_nodeID_h, x_nodeID_v, x_signature_h,) = U_i32sI(b, p)
    p += 40
    if x_nodeID_h != 0:
        raise ValueError(f'PublicKey {x_nodeID_h} before byte {p} is unknown')
    x_nodeID = (0, x_nodeID_v)
    x_signature = b[p : p + x_signature_h]
    p += (x_signature_h + 3) & -4
    if p > len(b):
        raise ValueError(f'{x_signature_h} bytes at byte {p} are not all there')
    x = {"nodeID": x_nodeID, "signature": x_signature}
    return x, p


def d_MuxedAccount(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        (x_v,) = U_32s(b, p)
        p += 32
        x = (0, x_v)
    elif x_h == 256:
        (x_v_id, x_v_ed25519,) = U_Q32s(b, p)
        p += 40
        x_v = {"id": x_v_id, "ed25519": x_v_ed25519}
        x = (256, x_v)
    else:
        raise ValueError(f'MuxedAccount {x_h} at byte {p - 4} is unknown')
    return x, p


def d_SignerKey(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        (x_v,) = U_32s(b, p)
        p += 32
        x = (0, x_v)
    elif x_h == 1:
        (x_v,) = U_32s(b, p)
        p += 32
        x = (1, x_v)
    elif x_h == 2:
        (x_v,) = U_32s(b, p)
        p += 32
        x = (2, x_v)
    elif x_h == 3:
        (x_v_ed25519, x_v_payload_h,) = U_32sI(b, p)
        p += 36
        x_v_payload = b[p : p + x_v_payload_h]
        p += (x_v_payload_h + 3) & -4
        if p > len(b):
            raise ValueError(f'{x_v_payload_h} bytes at byte {p} are not all there')
        x_v = {"ed25519": x_v_ed25519, "payload": x_v_payload}
        x = (3, x_v)
    else:
        raise ValueError(f'SignerKey {x_h} at byte {p - 4} is unknown')
    return x, p


def d_InvokeContractArgs(b: bytes, p: int) -> Any:
    x_contractAddress_q = p
    x_contractAddress, p = d_SCAddress(b, p)
    x_contractAddress_raw = b[x_contractAddress_q:p]
    x_functionName_q = p
    (x_functionName_h,) = U_I(b, p)
    p += 4
    x_functionName = b[p : p + x_functionName_h]
    p += (x_functionName_h + 3) & -4
    if p > len(b):
        raise ValueError(f'{x_functionName_h} bytes at byte {p} are not all there')
    x_functionName_raw = b[x_functionName_q:p]
    (n,) = U_I(b, p)
    p += 4
    x_args = []
    x_args_raw = []
    for _ in range(n):
        x_args_q = p
        x_args_x, p = d_SCVal(b, p)
        x_args.append(x_args_x)
        x_args_raw.append(b[x_args_q:p])
    x = {"contractAddress": x_contractAddress, "contractAddress_raw": x_contractAddress_raw, "functionName": x_functionName, "functionName_raw": x_functionName_raw, "args": x_args, "args_raw": x_args_raw}
    return x, p


def d_CreateContractArgs(b: bytes, p: int) -> Any:
    x_contractIDPreimage, p = d_ContractIDPreimage(b, p)
    x_executable, p = d_ContractExecutable(b, p)
    x = {"contractIDPreimage": x_contractIDPreimage, "executable": x_executable}
    return x, p


def d_CreateContractArgsV2(b: bytes, p: int) -> Any:
    x_contractIDPreimage, p = d_ContractIDPreimage(b, p)
    x_executable, p = d_ContractExecutable(b, p)
    (n,) = U_I(b, p)
    p += 4
    x_constructorArgs = []
    x_constructorArgs_raw = []
    for _ in range(n):
        x_constructorArgs_q = p
        x_constructorArgs_x, p = d_SCVal(b, p)
        x_constructorArgs.append(x_constructorArgs_x)
        x_constructorArgs_raw.append(b[x_constructorArgs_q:p])
    x = {"contractIDPreimage": x_contractIDPreimage, "executable": x_executable, "constructorArgs": x_constructorArgs, "constructorArgs_raw": x_constructorArgs_raw}
    return x, p


def d_SorobanAddressCredentials(b: bytes, p: int) -> Any:
    x_address, p = d_SCAddress(b, p)
    (x_nonce, x_signatureExpirationLedger,) = U_qI(b, p)
    p += 12
    x_signature, p = d_SCVal(b, p)
    x = {"address": x_address, "nonce": x_nonce, "signatureExpirationLedger": x_signatureExpirationLedger, "signature": x_signature}
    return x, p


def d_SorobanDelegateSignature(b: bytes, p: int) -> Any:
    x_address, p = d_SCAddress(b, p)
    x_signature, p = d_SCVal(b, p)
    (x_nestedDelegates_h,) = U_I(b, p)
    p += 4
    x_nestedDelegates = []
    for _ in range(x_nestedDelegates_h):
        x_nestedDelegates_x, p = d_SorobanDelegateSignature(b, p)
        x_nestedDelegates.append(x_nestedDelegates_x)
    x = {"address": x_address, "signature": x_signature, "nestedDelegates": x_nestedDelegates}
    return x, p


def d_SorobanAuthorizedInvocation(b: bytes, p: int) -> Any:
    (x_function_h,) = U_i(b, p)
    p += 4
    if x_function_h == 0:
        x_function_v, p = d_InvokeContractArgs(b, p)
        x_function = (0, x_function_v)
    elif x_function_h == 1:
        x_function_v, p = d_CreateContractArgs(b, p)
        x_function = (1, x_function_v)
    elif x_function_h == 2:
        x_function_v, p = d_CreateContractArgsV2(b, p)
        x_function = (2, x_function_v)
    else:
        raise ValueError(f'SorobanAuthorizedFunction {x_function_h} at byte {p - 4} is unknown')
    (x_subInvocations_h,) = U_I(b, p)
    p += 4
    x_subInvocations = []
    for _ in range(x_subInvocations_h):
        x_subInvocations_x, p = d_SorobanAuthorizedInvocation(b, p)
        x_subInvocations.append(x_subInvocations_x)
    x = {"function": x_function, "subInvocations": x_subInvocations}
    return x, p


def d_Transaction(b: bytes, p: int) -> Any:
    x_sourceAccount, p = d_MuxedAccount(b, p)
    (x_fee, x_seqNum, x_cond_h,) = U_Iqi(b, p)
    p += 16
    if x_cond_h == 0:
        x_cond = (0, None)
    elif x_cond_h == 1:
        (x_cond_v_minTime, x_cond_v_maxTime,) = U_QQ(b, p)
        p += 16
        x_cond_v = {"minTime": x_cond_v_minTime, "maxTime": x_cond_v_maxTime}
        x_cond = (1, x_cond_v)
    elif x_cond_h == 2:
        (x_cond_v_timeBounds_h,) = U_I(b, p)
        p += 4
        if x_cond_v_timeBounds_h:
            (x_cond_v_timeBounds_minTime, x_cond_v_timeBounds_maxTime,) = U_QQ(b, p)
            p += 16
            x_cond_v_timeBounds = {"minTime": x_cond_v_timeBounds_minTime, "maxTime": x_cond_v_timeBounds_maxTime}
        else:
            x_cond_v_timeBounds = None
        (x_cond_v_ledgerBounds_h,) = U_I(b, p)
        p += 4
        if x_cond_v_ledgerBounds_h:
            (x_cond_v_ledgerBounds_minLedger, x_cond_v_ledgerBounds_maxLedger,) = U_II(b, p)
            p += 8
            x_cond_v_ledgerBounds = {"minLedger": x_cond_v_ledgerBounds_minLedger, "maxLedger": x_cond_v_ledgerBounds_maxLedger}
        else:
            x_cond_v_ledgerBounds = None
        (x_cond_v_minSeqNum_h,) = U_I(b, p)
        p += 4
        if x_cond_v_minSeqNum_h:
            (x_cond_v_minSeqNum,) = U_q(b, p)
            p += 8
        else:
            x_cond_v_minSeqNum = None
        (x_cond_v_minSeqAge, x_cond_v_minSeqLedgerGap, x_cond_v_extraSigners_h,) = U_QII(b, p)
        p += 16
        x_cond_v_extraSigners = []
        for _ in range(x_cond_v_extraSigners_h):
            x_cond_v_extraSigners_x, p = d_SignerKey(b, p)
            x_cond_v_extraSigners.append(x_cond_v_extraSigners_x)
        x_cond_v = {"timeBounds": x_cond_v_timeBounds, "ledgerBounds": x_cond_v_ledgerBounds, "minSeqNum": x_cond_v_minSeqNum, "minSeqAge": x_cond_v_minSeqAge, "minSeqLedgerGap": x_cond_v_minSeqLedgerGap, "extraSigners": x_cond_v_extraSigners}
        x_cond = (2, x_cond_v)
    else:
        raise ValueError(f'Preconditions {x_cond_h} at byte {p - 4} is unknown')
    x_memo, p = d_Memo(b, p)
    (x_operations_h,) = U_I(b, p)
    p += 4
    x_operations = []
    for _ in range(x_operations_h):
        x_operations_x, p = d_Operation(b, p)
        x_operations.append(x_operations_x)
    (x_ext_h,) = U_i(b, p)
    p += 4
    if x_ext_h == 0:
        x_ext = (0, None)
    elif x_ext_h == 1:
        (x_ext_v_ext_h,) = U_i(b, p)
        p += 4
        if x_ext_v_ext_h == 0:
            x_ext_v_ext = (0, None)
        elif x_ext_v_ext_h == 1:
            (x_ext_v_ext_v_archivedSorobanEntries_h,) = U_I(b, p)
            p += 4
            x_ext_v_ext_v_archivedSorobanEntries = []
            for _ in range(x_ext_v_ext_v_archivedSorobanEntries_h):
                (x_ext_v_ext_v_archivedSorobanEntries_x,) = U_I(b, p)
                p += 4
                x_ext_v_ext_v_archivedSorobanEntries.append(x_ext_v_ext_v_archivedSorobanEntries_x)
            x_ext_v_ext_v = {"archivedSorobanEntries": x_ext_v_ext_v_archivedSorobanEntries}
            x_ext_v_ext = (1, x_ext_v_ext_v)
        else:
            raise ValueError(f'SorobanTransactionData_ext {x_ext_v_ext_h} at byte {p - 4} is unknown')
        (n,) = U_I(b, p)
        p += 4
        x_ext_v_resources_footprint_readOnly = []
        x_ext_v_resources_footprint_readOnly_raw = []
        for _ in range(n):
            x_ext_v_resources_footprint_readOnly_q = p
            x_ext_v_resources_footprint_readOnly_x, p = d_LedgerKey(b, p)
            x_ext_v_resources_footprint_readOnly.append(x_ext_v_resources_footprint_readOnly_x)
            x_ext_v_resources_footprint_readOnly_raw.append(b[x_ext_v_resources_footprint_readOnly_q:p])
        (n,) = U_I(b, p)
        p += 4
        x_ext_v_resources_footprint_readWrite = []
        x_ext_v_resources_footprint_readWrite_raw = []
        for _ in range(n):
            x_ext_v_resources_footprint_readWrite_q = p
            x_ext_v_resources_footprint_readWrite_x, p = d_LedgerKey(b, p)
            x_ext_v_resources_footprint_readWrite.append(x_ext_v_resources_footprint_readWrite_x)
            x_ext_v_resources_footprint_readWrite_raw.append(b[x_ext_v_resources_footprint_readWrite_q:p])
        x_ext_v_resources_footprint = {"readOnly": x_ext_v_resources_footprint_readOnly, "readOnly_raw": x_ext_v_resources_footprint_readOnly_raw, "readWrite": x_ext_v_resources_footprint_readWrite, "readWrite_raw": x_ext_v_resources_footprint_readWrite_raw}
        (x_ext_v_resources_instructions, x_ext_v_resources_diskReadBytes, x_ext_v_resources_writeBytes,) = U_III(b, p)
        p += 12
        x_ext_v_resources = {"footprint": x_ext_v_resources_footprint, "instructions": x_ext_v_resources_instructions, "diskReadBytes": x_ext_v_resources_diskReadBytes, "writeBytes": x_ext_v_resources_writeBytes}
        (x_ext_v_resourceFee,) = U_q(b, p)
        p += 8
        x_ext_v = {"ext": x_ext_v_ext, "resources": x_ext_v_resources, "resourceFee": x_ext_v_resourceFee}
        x_ext = (1, x_ext_v)
    else:
        raise ValueError(f'Transaction_ext {x_ext_h} at byte {p - 4} is unknown')
    x = {"sourceAccount": x_sourceAccount, "fee": x_fee, "seqNum": x_seqNum, "cond": x_cond, "memo": x_memo, "operations": x_operations, "ext": x_ext}
    return x, p


def d_SCMapEntry(b: bytes, p: int) -> Any:
    x_key, p = d_SCVal(b, p)
    x_val, p = d_SCVal(b, p)
    x = {"key": x_key, "val": x_val}
    return x, p


def d_ContractExecutable(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        (x_v,) = U_32s(b, p)
        p += 32
        x = (0, x_v)
    elif x_h == 1:
        x = (1, None)
    elif x_h == 2:
        x_v_executable_owner, p = d_SCAddress(b, p)
        (x_v_tag_h,) = U_I(b, p)
        p += 4
        x_v_tag = b[p : p + x_v_tag_h]
        p += (x_v_tag_h + 3) & -4
        if p > len(b):
            raise ValueError(f'{x_v_tag_h} bytes at byte {p} are not all there')
        x_v = {"executable_owner": x_v_executable_owner, "tag": x_v_tag}
        x = (2, x_v)
    else:
        raise ValueError(f'ContractExecutable {x_h} at byte {p - 4} is unknown')
    return x, p


def d_ClaimAtom(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        (x_v_sellerEd25519, x_v_offerID,) = U_32sq(b, p)
        p += 40
        x_v_assetSold, p = d_Asset(b, p)
        (x_v_amountSold,) = U_q(b, p)
        p += 8
        x_v_assetBought, p = d_Asset(b, p)
        (x_v_amountBought,) = U_q(b, p)
        p += 8
        x_v = {"sellerEd25519": x_v_sellerEd25519, "offerID": x_v_offerID, "assetSold": x_v_assetSold, "amountSold": x_v_amountSold, "assetBought": x_v_assetBought, "amountBought": x_v_amountBought}
        x = (0, x_v)
    elif x_h == 1:
        (x_v_sellerID_h, x_v_sellerID_v, x_v_offerID,) = U_i32sq(b, p)
        p += 44
        if x_v_sellerID_h != 0:
            raise ValueError(f'PublicKey {x_v_sellerID_h} before byte {p} is unknown')
        x_v_sellerID = (0, x_v_sellerID_v)
        x_v_assetSold, p = d_Asset(b, p)
        (x_v_amountSold,) = U_q(b, p)
        p += 8
        x_v_assetBought, p = d_Asset(b, p)
        (x_v_amountBought,) = U_q(b, p)
        p += 8
        x_v = {"sellerID": x_v_sellerID, "offerID": x_v_offerID, "assetSold": x_v_assetSold, "amountSold": x_v_amountSold, "assetBought": x_v_assetBought, "amountBought": x_v_amountBought}
        x = (1, x_v)
    elif x_h == 2:
        (x_v_liquidityPoolID,) = U_32s(b, p)
        p += 32
        x_v_assetSold, p = d_Asset(b, p)
        (x_v_amountSold,) = U_q(b, p)
        p += 8
        x_v_assetBought, p = d_Asset(b, p)
        (x_v_amountBought,) = U_q(b, p)
        p += 8
        x_v = {"liquidityPoolID": x_v_liquidityPoolID, "assetSold": x_v_assetSold, "amountSold": x_v_amountSold, "assetBought": x_v_assetBought, "amountBought": x_v_amountBought}
        x = (2, x_v)
    else:
        raise ValueError(f'ClaimAtom {x_h} at byte {p - 4} is unknown')
    return x, p


def d_SimplePaymentResult(b: bytes, p: int) -> Any:
    (x_destination_h, x_destination_v,) = U_i32s(b, p)
    p += 36
    if x_destination_h != 0:
        raise ValueError(f'PublicKey {x_destination_h} before byte {p} is unknown')
    x_destination = (0, x_destination_v)
    x_asset, p = d_Asset(b, p)
    (x_amount,) = U_q(b, p)
    p += 8
    x = {"destination": x_destination, "asset": x_asset, "amount": x_amount}
    return x, p


def d_ManageSellOfferResult(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h < -6:
        if x_h < -9:
            if x_h == -12:
                x = (-12, None)
            elif x_h == -11:
                x = (-11, None)
            elif x_h == -10:
                x = (-10, None)
            else:
                raise ValueError(f'ManageSellOfferResult {x_h} at byte {p - 4} is unknown')
        else:
            if x_h == -9:
                x = (-9, None)
            elif x_h == -8:
                x = (-8, None)
            elif x_h == -7:
                x = (-7, None)
            else:
                raise ValueError(f'ManageSellOfferResult {x_h} at byte {p - 4} is unknown')
    else:
        if x_h < -3:
            if x_h == -6:
                x = (-6, None)
            elif x_h == -5:
                x = (-5, None)
            elif x_h == -4:
                x = (-4, None)
            else:
                raise ValueError(f'ManageSellOfferResult {x_h} at byte {p - 4} is unknown')
        else:
            if x_h == -3:
                x = (-3, None)
            elif x_h == -2:
                x = (-2, None)
            elif x_h == -1:
                x = (-1, None)
            elif x_h == 0:
                x_v, p = d_ManageOfferSuccessResult(b, p)
                x = (0, x_v)
            else:
                raise ValueError(f'ManageSellOfferResult {x_h} at byte {p - 4} is unknown')
    return x, p


def d_ManageOfferSuccessResult(b: bytes, p: int) -> Any:
    (x_offersClaimed_h,) = U_I(b, p)
    p += 4
    x_offersClaimed = []
    for _ in range(x_offersClaimed_h):
        x_offersClaimed_x, p = d_ClaimAtom(b, p)
        x_offersClaimed.append(x_offersClaimed_x)
    (x_offer_h,) = U_i(b, p)
    p += 4
    if x_offer_h == 0:
        x_offer_v, p = d_OfferEntry(b, p)
        x_offer = (0, x_offer_v)
    elif x_offer_h == 1:
        x_offer_v, p = d_OfferEntry(b, p)
        x_offer = (1, x_offer_v)
    elif x_offer_h == 2:
        x_offer = (2, None)
    else:
        raise ValueError(f'ManageOfferSuccessResult_offer {x_offer_h} at byte {p - 4} is unknown')
    x = {"offersClaimed": x_offersClaimed, "offer": x_offer}
    return x, p


def d_ContractIDPreimage(b: bytes, p: int) -> Any:
    (x_h,) = U_i(b, p)
    p += 4
    if x_h == 0:
        x_v_address, p = d_SCAddress(b, p)
        (x_v_salt,) = U_32s(b, p)
        p += 32
        x_v = {"address": x_v_address, "salt": x_v_salt}
        x = (0, x_v)
    elif x_h == 1:
        x_v, p = d_Asset(b, p)
        x = (1, x_v)
    else:
        raise ValueError(f'ContractIDPreimage {x_h} at byte {p - 4} is unknown')
    return x, p
