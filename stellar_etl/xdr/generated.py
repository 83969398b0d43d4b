"""Decoders of Stellar's XDR. Made by `python -m stellar_etl.xdr.generate`; do not edit."""

# ruff: noqa
from struct import Struct
from typing import Any

U_12s = Struct(">12s").unpack_from
U_32s = Struct(">32s").unpack_from
U_32s32s = Struct(">32s32s").unpack_from
U_32s32s32s32s = Struct(">32s32s32s32s").unpack_from
U_32s32sI = Struct(">32s32sI").unpack_from
U_32s32sIqqIQIII = Struct(">32s32sIqqIQIII").unpack_from
U_32sI = Struct(">32sI").unpack_from
U_32sIq = Struct(">32sIq").unpack_from
U_32sQ = Struct(">32sQ").unpack_from
U_32sq = Struct(">32sq").unpack_from
U_32sqq = Struct(">32sqq").unpack_from
U_32sqqq = Struct(">32sqqq").unpack_from
U_4s = Struct(">4s").unpack_from
U_I = Struct(">I").unpack_from
U_I32s = Struct(">I32s").unpack_from
U_II = Struct(">II").unpack_from
U_III = Struct(">III").unpack_from
U_III32s = Struct(">III32s").unpack_from
U_IIIII = Struct(">IIIII").unpack_from
U_IIIIIIIIII = Struct(">IIIIIIIIII").unpack_from
U_IIIIIIIIqqqqqqI = Struct(">IIIIIIIIqqqqqqI").unpack_from
U_IIIqqIIIII = Struct(">IIIqqIIIII").unpack_from
U_IIq = Struct(">IIq").unpack_from
U_IQ = Struct(">IQ").unpack_from
U_Iq = Struct(">Iq").unpack_from
U_Q = Struct(">Q").unpack_from
U_Q32s = Struct(">Q32s").unpack_from
U_QI = Struct(">QI").unpack_from
U_QQ = Struct(">QQ").unpack_from
U_QQQQ = Struct(">QQQQ").unpack_from
U_i = Struct(">i").unpack_from
U_ii = Struct(">ii").unpack_from
U_q = Struct(">q").unpack_from
U_qI = Struct(">qI").unpack_from
U_qQ = Struct(">qQ").unpack_from
U_qQQQ = Struct(">qQQQ").unpack_from
U_qq = Struct(">qq").unpack_from
U_qqI = Struct(">qqI").unpack_from
U_qqq = Struct(">qqq").unpack_from
U_qqqI = Struct(">qqqI").unpack_from
U_qqqq = Struct(">qqqq").unpack_from


def d_LedgerCloseMetaBatch(b: bytes, p: int) -> Any:
    (f_startSequence, f_endSequence,) = U_II(b, p)
    p += 8
    (n,) = U_I(b, p)
    p += 4
    f_ledgerCloseMetas = []
    for _ in range(n):
        f_ledgerCloseMetas_x, p = d_LedgerCloseMeta(b, p)
        f_ledgerCloseMetas.append(f_ledgerCloseMetas_x)
    return {"startSequence": f_startSequence, "endSequence": f_endSequence, "ledgerCloseMetas": f_ledgerCloseMetas}, p


def d_LedgerCloseMeta(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_LedgerCloseMetaV0(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_LedgerCloseMetaV1(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_LedgerCloseMetaV2(b, p)
        return (t, v), p
    raise ValueError(f"LedgerCloseMeta {t} at byte {p - 4} is unknown")


def d_LedgerCloseMetaV0(b: bytes, p: int) -> Any:
    f_ledgerHeader, p = d_LedgerHeaderHistoryEntry(b, p)
    f_txSet, p = d_TransactionSet(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_txProcessing = []
    for _ in range(n):
        f_txProcessing_x, p = d_TransactionResultMeta(b, p)
        f_txProcessing.append(f_txProcessing_x)
    (n,) = U_I(b, p)
    p += 4
    f_upgradesProcessing = []
    for _ in range(n):
        f_upgradesProcessing_x, p = d_UpgradeEntryMeta(b, p)
        f_upgradesProcessing.append(f_upgradesProcessing_x)
    (n,) = U_I(b, p)
    p += 4
    f_scpInfo = []
    for _ in range(n):
        f_scpInfo_x, p = d_SCPHistoryEntry(b, p)
        f_scpInfo.append(f_scpInfo_x)
    return {"ledgerHeader": f_ledgerHeader, "txSet": f_txSet, "txProcessing": f_txProcessing, "upgradesProcessing": f_upgradesProcessing, "scpInfo": f_scpInfo}, p


def d_LedgerCloseMetaV1(b: bytes, p: int) -> Any:
    f_ext, p = d_LedgerCloseMetaExt(b, p)
    f_ledgerHeader, p = d_LedgerHeaderHistoryEntry(b, p)
    f_txSet, p = d_GeneralizedTransactionSet(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_txProcessing = []
    for _ in range(n):
        f_txProcessing_x, p = d_TransactionResultMeta(b, p)
        f_txProcessing.append(f_txProcessing_x)
    (n,) = U_I(b, p)
    p += 4
    f_upgradesProcessing = []
    for _ in range(n):
        f_upgradesProcessing_x, p = d_UpgradeEntryMeta(b, p)
        f_upgradesProcessing.append(f_upgradesProcessing_x)
    (n,) = U_I(b, p)
    p += 4
    f_scpInfo = []
    for _ in range(n):
        f_scpInfo_x, p = d_SCPHistoryEntry(b, p)
        f_scpInfo.append(f_scpInfo_x)
    (f_totalByteSizeOfLiveSorobanState,) = U_Q(b, p)
    p += 8
    (n,) = U_I(b, p)
    p += 4
    f_evictedKeys = []
    f_evictedKeys_raw = []
    for _ in range(n):
        q = p
        f_evictedKeys_x, p = d_LedgerKey(b, p)
        f_evictedKeys.append(f_evictedKeys_x)
        f_evictedKeys_raw.append(b[q:p])
    (n,) = U_I(b, p)
    p += 4
    f_unused = []
    for _ in range(n):
        f_unused_x, p = d_LedgerEntry(b, p)
        f_unused.append(f_unused_x)
    return {"ext": f_ext, "ledgerHeader": f_ledgerHeader, "txSet": f_txSet, "txProcessing": f_txProcessing, "upgradesProcessing": f_upgradesProcessing, "scpInfo": f_scpInfo, "totalByteSizeOfLiveSorobanState": f_totalByteSizeOfLiveSorobanState, "evictedKeys": f_evictedKeys, "evictedKeys_raw": f_evictedKeys_raw, "unused": f_unused}, p


def d_LedgerCloseMetaV2(b: bytes, p: int) -> Any:
    f_ext, p = d_LedgerCloseMetaExt(b, p)
    f_ledgerHeader, p = d_LedgerHeaderHistoryEntry(b, p)
    f_txSet, p = d_GeneralizedTransactionSet(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_txProcessing = []
    for _ in range(n):
        f_txProcessing_x, p = d_TransactionResultMetaV1(b, p)
        f_txProcessing.append(f_txProcessing_x)
    (n,) = U_I(b, p)
    p += 4
    f_upgradesProcessing = []
    for _ in range(n):
        f_upgradesProcessing_x, p = d_UpgradeEntryMeta(b, p)
        f_upgradesProcessing.append(f_upgradesProcessing_x)
    (n,) = U_I(b, p)
    p += 4
    f_scpInfo = []
    for _ in range(n):
        f_scpInfo_x, p = d_SCPHistoryEntry(b, p)
        f_scpInfo.append(f_scpInfo_x)
    (f_totalByteSizeOfLiveSorobanState,) = U_Q(b, p)
    p += 8
    (n,) = U_I(b, p)
    p += 4
    f_evictedKeys = []
    f_evictedKeys_raw = []
    for _ in range(n):
        q = p
        f_evictedKeys_x, p = d_LedgerKey(b, p)
        f_evictedKeys.append(f_evictedKeys_x)
        f_evictedKeys_raw.append(b[q:p])
    return {"ext": f_ext, "ledgerHeader": f_ledgerHeader, "txSet": f_txSet, "txProcessing": f_txProcessing, "upgradesProcessing": f_upgradesProcessing, "scpInfo": f_scpInfo, "totalByteSizeOfLiveSorobanState": f_totalByteSizeOfLiveSorobanState, "evictedKeys": f_evictedKeys, "evictedKeys_raw": f_evictedKeys_raw}, p


def d_LedgerHeaderHistoryEntry(b: bytes, p: int) -> Any:
    (f_hash,) = U_32s(b, p)
    p += 32
    f_header, p = d_LedgerHeader(b, p)
    f_ext, p = d_LedgerHeaderHistoryEntry_ext(b, p)
    return {"hash": f_hash, "header": f_header, "ext": f_ext}, p


def d_TransactionSet(b: bytes, p: int) -> Any:
    (f_previousLedgerHash,) = U_32s(b, p)
    p += 32
    (n,) = U_I(b, p)
    p += 4
    f_txs = []
    for _ in range(n):
        f_txs_x, p = d_TransactionEnvelope(b, p)
        f_txs.append(f_txs_x)
    return {"previousLedgerHash": f_previousLedgerHash, "txs": f_txs}, p


def d_TransactionResultMeta(b: bytes, p: int) -> Any:
    q = p
    f_result, p = d_TransactionResultPair(b, p)
    f_result_raw = b[q:p]
    q = p
    (n,) = U_I(b, p)
    p += 4
    f_feeProcessing = []
    for _ in range(n):
        f_feeProcessing_x, p = d_LedgerEntryChange(b, p)
        f_feeProcessing.append(f_feeProcessing_x)
    f_feeProcessing_raw = b[q:p]
    f_txApplyProcessing, p = d_TransactionMeta(b, p)
    return {"result": f_result, "result_raw": f_result_raw, "feeProcessing": f_feeProcessing, "feeProcessing_raw": f_feeProcessing_raw, "txApplyProcessing": f_txApplyProcessing}, p


def d_UpgradeEntryMeta(b: bytes, p: int) -> Any:
    f_upgrade, p = d_LedgerUpgrade(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_changes = []
    for _ in range(n):
        f_changes_x, p = d_LedgerEntryChange(b, p)
        f_changes.append(f_changes_x)
    return {"upgrade": f_upgrade, "changes": f_changes}, p


def d_SCPHistoryEntry(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_SCPHistoryEntryV0(b, p)
        return (t, v), p
    raise ValueError(f"SCPHistoryEntry {t} at byte {p - 4} is unknown")


def d_LedgerCloseMetaExt(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_LedgerCloseMetaExtV1(b, p)
        return (t, v), p
    raise ValueError(f"LedgerCloseMetaExt {t} at byte {p - 4} is unknown")


def d_GeneralizedTransactionSet(b: bytes, p: int) -> Any:
    start = p
    (t,) = U_i(b, p)
    p += 4
    if t == 1:
        v, p = d_TransactionSetV1(b, p)
        return (t, v, b[start:p]), p
    raise ValueError(f"GeneralizedTransactionSet {t} at byte {p - 4} is unknown")


def d_LedgerKey(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_LedgerKey_account(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_LedgerKey_trustLine(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_LedgerKey_offer(b, p)
        return (t, v), p
    if t == 3:
        v, p = d_LedgerKey_data(b, p)
        return (t, v), p
    if t == 4:
        v, p = d_LedgerKey_claimableBalance(b, p)
        return (t, v), p
    if t == 5:
        v, p = d_LedgerKey_liquidityPool(b, p)
        return (t, v), p
    if t == 6:
        v, p = d_LedgerKey_contractData(b, p)
        return (t, v), p
    if t == 7:
        v, p = d_LedgerKey_contractCode(b, p)
        return (t, v), p
    if t == 8:
        v, p = d_LedgerKey_configSetting(b, p)
        return (t, v), p
    if t == 9:
        v, p = d_LedgerKey_ttl(b, p)
        return (t, v), p
    raise ValueError(f"LedgerKey {t} at byte {p - 4} is unknown")


def d_LedgerEntry(b: bytes, p: int) -> Any:
    (f_lastModifiedLedgerSeq,) = U_I(b, p)
    p += 4
    f_data, p = d_LedgerEntry_data(b, p)
    f_ext, p = d_LedgerEntry_ext(b, p)
    return {"lastModifiedLedgerSeq": f_lastModifiedLedgerSeq, "data": f_data, "ext": f_ext}, p


def d_TransactionResultMetaV1(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    q = p
    f_result, p = d_TransactionResultPair(b, p)
    f_result_raw = b[q:p]
    q = p
    (n,) = U_I(b, p)
    p += 4
    f_feeProcessing = []
    for _ in range(n):
        f_feeProcessing_x, p = d_LedgerEntryChange(b, p)
        f_feeProcessing.append(f_feeProcessing_x)
    f_feeProcessing_raw = b[q:p]
    f_txApplyProcessing, p = d_TransactionMeta(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_postTxApplyFeeProcessing = []
    for _ in range(n):
        f_postTxApplyFeeProcessing_x, p = d_LedgerEntryChange(b, p)
        f_postTxApplyFeeProcessing.append(f_postTxApplyFeeProcessing_x)
    return {"ext": f_ext, "result": f_result, "result_raw": f_result_raw, "feeProcessing": f_feeProcessing, "feeProcessing_raw": f_feeProcessing_raw, "txApplyProcessing": f_txApplyProcessing, "postTxApplyFeeProcessing": f_postTxApplyFeeProcessing}, p


def d_LedgerHeader(b: bytes, p: int) -> Any:
    start = p
    (f_ledgerVersion, f_previousLedgerHash,) = U_I32s(b, p)
    p += 36
    f_scpValue, p = d_StellarValue(b, p)
    (f_txSetResultHash, f_bucketListHash, f_ledgerSeq, f_totalCoins, f_feePool, f_inflationSeq, f_idPool, f_baseFee, f_baseReserve, f_maxTxSetSize,) = U_32s32sIqqIQIII(b, p)
    p += 108
    f_skipList = U_32s32s32s32s(b, p)
    p += 128
    f_ext, p = d_LedgerHeader_ext(b, p)
    return {"ledgerVersion": f_ledgerVersion, "previousLedgerHash": f_previousLedgerHash, "scpValue": f_scpValue, "txSetResultHash": f_txSetResultHash, "bucketListHash": f_bucketListHash, "ledgerSeq": f_ledgerSeq, "totalCoins": f_totalCoins, "feePool": f_feePool, "inflationSeq": f_inflationSeq, "idPool": f_idPool, "baseFee": f_baseFee, "baseReserve": f_baseReserve, "maxTxSetSize": f_maxTxSetSize, "skipList": f_skipList, "ext": f_ext, "raw": b[start:p]}, p


def d_LedgerHeaderHistoryEntry_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"LedgerHeaderHistoryEntry_ext {t} at byte {p - 4} is unknown")


def d_TransactionEnvelope(b: bytes, p: int) -> Any:
    start = p
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_TransactionV0Envelope(b, p)
        return (t, v, b[start:p]), p
    if t == 2:
        v, p = d_TransactionV1Envelope(b, p)
        return (t, v, b[start:p]), p
    if t == 5:
        v, p = d_FeeBumpTransactionEnvelope(b, p)
        return (t, v, b[start:p]), p
    raise ValueError(f"TransactionEnvelope {t} at byte {p - 4} is unknown")


def d_TransactionResultPair(b: bytes, p: int) -> Any:
    (f_transactionHash,) = U_32s(b, p)
    p += 32
    f_result, p = d_TransactionResult(b, p)
    return {"transactionHash": f_transactionHash, "result": f_result}, p


def d_LedgerEntryChange(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_LedgerEntry(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_LedgerEntry(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_LedgerKey(b, p)
        return (t, v), p
    if t == 3:
        v, p = d_LedgerEntry(b, p)
        return (t, v), p
    if t == 4:
        v, p = d_LedgerEntry(b, p)
        return (t, v), p
    raise ValueError(f"LedgerEntryChange {t} at byte {p - 4} is unknown")


def d_TransactionMeta(b: bytes, p: int) -> Any:
    start = p
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (n,) = U_I(b, p)
        p += 4
        v = []
        for _ in range(n):
            v_x, p = d_OperationMeta(b, p)
            v.append(v_x)
        return (t, v, b[start:p]), p
    if t == 1:
        v, p = d_TransactionMetaV1(b, p)
        return (t, v, b[start:p]), p
    if t == 2:
        v, p = d_TransactionMetaV2(b, p)
        return (t, v, b[start:p]), p
    if t == 3:
        v, p = d_TransactionMetaV3(b, p)
        return (t, v, b[start:p]), p
    if t == 4:
        v, p = d_TransactionMetaV4(b, p)
        return (t, v, b[start:p]), p
    raise ValueError(f"TransactionMeta {t} at byte {p - 4} is unknown")


def d_LedgerUpgrade(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 1:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    if t == 2:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    if t == 3:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    if t == 4:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    if t == 5:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    if t == 6:
        v, p = d_ConfigUpgradeSetKey(b, p)
        return (t, v), p
    if t == 7:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    raise ValueError(f"LedgerUpgrade {t} at byte {p - 4} is unknown")


def d_SCPHistoryEntryV0(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_quorumSets = []
    for _ in range(n):
        f_quorumSets_x, p = d_SCPQuorumSet(b, p)
        f_quorumSets.append(f_quorumSets_x)
    f_ledgerMessages, p = d_LedgerSCPMessages(b, p)
    return {"quorumSets": f_quorumSets, "ledgerMessages": f_ledgerMessages}, p


def d_LedgerCloseMetaExtV1(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    (f_sorobanFeeWrite1KB,) = U_q(b, p)
    p += 8
    return {"ext": f_ext, "sorobanFeeWrite1KB": f_sorobanFeeWrite1KB}, p


def d_TransactionSetV1(b: bytes, p: int) -> Any:
    (f_previousLedgerHash,) = U_32s(b, p)
    p += 32
    (n,) = U_I(b, p)
    p += 4
    f_phases = []
    for _ in range(n):
        f_phases_x, p = d_TransactionPhase(b, p)
        f_phases.append(f_phases_x)
    return {"previousLedgerHash": f_previousLedgerHash, "phases": f_phases}, p


def d_LedgerKey_account(b: bytes, p: int) -> Any:
    f_accountID, p = d_PublicKey(b, p)
    return {"accountID": f_accountID}, p


def d_LedgerKey_trustLine(b: bytes, p: int) -> Any:
    f_accountID, p = d_PublicKey(b, p)
    f_asset, p = d_TrustLineAsset(b, p)
    return {"accountID": f_accountID, "asset": f_asset}, p


def d_LedgerKey_offer(b: bytes, p: int) -> Any:
    f_sellerID, p = d_PublicKey(b, p)
    (f_offerID,) = U_q(b, p)
    p += 8
    return {"sellerID": f_sellerID, "offerID": f_offerID}, p


def d_LedgerKey_data(b: bytes, p: int) -> Any:
    f_accountID, p = d_PublicKey(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_dataName = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    return {"accountID": f_accountID, "dataName": f_dataName}, p


def d_LedgerKey_claimableBalance(b: bytes, p: int) -> Any:
    f_balanceID, p = d_ClaimableBalanceID(b, p)
    return {"balanceID": f_balanceID}, p


def d_LedgerKey_liquidityPool(b: bytes, p: int) -> Any:
    (f_liquidityPoolID,) = U_32s(b, p)
    p += 32
    return {"liquidityPoolID": f_liquidityPoolID}, p


def d_LedgerKey_contractData(b: bytes, p: int) -> Any:
    f_contract, p = d_SCAddress(b, p)
    f_key, p = d_SCVal(b, p)
    (f_durability,) = U_i(b, p)
    p += 4
    return {"contract": f_contract, "key": f_key, "durability": f_durability}, p


def d_LedgerKey_contractCode(b: bytes, p: int) -> Any:
    (f_hash,) = U_32s(b, p)
    p += 32
    return {"hash": f_hash}, p


def d_LedgerKey_configSetting(b: bytes, p: int) -> Any:
    (f_configSettingID,) = U_i(b, p)
    p += 4
    return {"configSettingID": f_configSettingID}, p


def d_LedgerKey_ttl(b: bytes, p: int) -> Any:
    (f_keyHash,) = U_32s(b, p)
    p += 32
    return {"keyHash": f_keyHash}, p


def d_LedgerEntry_data(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_AccountEntry(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_TrustLineEntry(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_OfferEntry(b, p)
        return (t, v), p
    if t == 3:
        v, p = d_DataEntry(b, p)
        return (t, v), p
    if t == 4:
        v, p = d_ClaimableBalanceEntry(b, p)
        return (t, v), p
    if t == 5:
        v, p = d_LiquidityPoolEntry(b, p)
        return (t, v), p
    if t == 6:
        v, p = d_ContractDataEntry(b, p)
        return (t, v), p
    if t == 7:
        v, p = d_ContractCodeEntry(b, p)
        return (t, v), p
    if t == 8:
        v, p = d_ConfigSettingEntry(b, p)
        return (t, v), p
    if t == 9:
        v, p = d_TTLEntry(b, p)
        return (t, v), p
    raise ValueError(f"LedgerEntry_data {t} at byte {p - 4} is unknown")


def d_LedgerEntry_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_LedgerEntryExtensionV1(b, p)
        return (t, v), p
    raise ValueError(f"LedgerEntry_ext {t} at byte {p - 4} is unknown")


def d_ExtensionPoint(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"ExtensionPoint {t} at byte {p - 4} is unknown")


def d_StellarValue(b: bytes, p: int) -> Any:
    (f_txSetHash, f_closeTime,) = U_32sQ(b, p)
    p += 40
    (n,) = U_I(b, p)
    p += 4
    f_upgrades = []
    for _ in range(n):
        (n,) = U_I(b, p)
        p += 4
        f_upgrades_x = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        f_upgrades.append(f_upgrades_x)
    f_ext, p = d_StellarValue_ext(b, p)
    return {"txSetHash": f_txSetHash, "closeTime": f_closeTime, "upgrades": f_upgrades, "ext": f_ext}, p


def d_LedgerHeader_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_LedgerHeaderExtensionV1(b, p)
        return (t, v), p
    raise ValueError(f"LedgerHeader_ext {t} at byte {p - 4} is unknown")


def d_TransactionV0Envelope(b: bytes, p: int) -> Any:
    q = p
    f_tx, p = d_TransactionV0(b, p)
    f_tx_raw = b[q:p]
    (n,) = U_I(b, p)
    p += 4
    f_signatures = []
    for _ in range(n):
        f_signatures_x, p = d_DecoratedSignature(b, p)
        f_signatures.append(f_signatures_x)
    return {"tx": f_tx, "tx_raw": f_tx_raw, "signatures": f_signatures}, p


def d_TransactionV1Envelope(b: bytes, p: int) -> Any:
    q = p
    f_tx, p = d_Transaction(b, p)
    f_tx_raw = b[q:p]
    (n,) = U_I(b, p)
    p += 4
    f_signatures = []
    for _ in range(n):
        f_signatures_x, p = d_DecoratedSignature(b, p)
        f_signatures.append(f_signatures_x)
    return {"tx": f_tx, "tx_raw": f_tx_raw, "signatures": f_signatures}, p


def d_FeeBumpTransactionEnvelope(b: bytes, p: int) -> Any:
    q = p
    f_tx, p = d_FeeBumpTransaction(b, p)
    f_tx_raw = b[q:p]
    (n,) = U_I(b, p)
    p += 4
    f_signatures = []
    for _ in range(n):
        f_signatures_x, p = d_DecoratedSignature(b, p)
        f_signatures.append(f_signatures_x)
    return {"tx": f_tx, "tx_raw": f_tx_raw, "signatures": f_signatures}, p


def d_TransactionResult(b: bytes, p: int) -> Any:
    start = p
    (f_feeCharged,) = U_q(b, p)
    p += 8
    f_result, p = d_TransactionResult_result(b, p)
    f_ext, p = d_TransactionResult_ext(b, p)
    return {"feeCharged": f_feeCharged, "result": f_result, "ext": f_ext, "raw": b[start:p]}, p


def d_OperationMeta(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_changes = []
    for _ in range(n):
        f_changes_x, p = d_LedgerEntryChange(b, p)
        f_changes.append(f_changes_x)
    return {"changes": f_changes}, p


def d_TransactionMetaV1(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_txChanges = []
    for _ in range(n):
        f_txChanges_x, p = d_LedgerEntryChange(b, p)
        f_txChanges.append(f_txChanges_x)
    (n,) = U_I(b, p)
    p += 4
    f_operations = []
    for _ in range(n):
        f_operations_x, p = d_OperationMeta(b, p)
        f_operations.append(f_operations_x)
    return {"txChanges": f_txChanges, "operations": f_operations}, p


def d_TransactionMetaV2(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_txChangesBefore = []
    for _ in range(n):
        f_txChangesBefore_x, p = d_LedgerEntryChange(b, p)
        f_txChangesBefore.append(f_txChangesBefore_x)
    (n,) = U_I(b, p)
    p += 4
    f_operations = []
    for _ in range(n):
        f_operations_x, p = d_OperationMeta(b, p)
        f_operations.append(f_operations_x)
    (n,) = U_I(b, p)
    p += 4
    f_txChangesAfter = []
    for _ in range(n):
        f_txChangesAfter_x, p = d_LedgerEntryChange(b, p)
        f_txChangesAfter.append(f_txChangesAfter_x)
    return {"txChangesBefore": f_txChangesBefore, "operations": f_operations, "txChangesAfter": f_txChangesAfter}, p


def d_TransactionMetaV3(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_txChangesBefore = []
    for _ in range(n):
        f_txChangesBefore_x, p = d_LedgerEntryChange(b, p)
        f_txChangesBefore.append(f_txChangesBefore_x)
    (n,) = U_I(b, p)
    p += 4
    f_operations = []
    for _ in range(n):
        f_operations_x, p = d_OperationMeta(b, p)
        f_operations.append(f_operations_x)
    (n,) = U_I(b, p)
    p += 4
    f_txChangesAfter = []
    for _ in range(n):
        f_txChangesAfter_x, p = d_LedgerEntryChange(b, p)
        f_txChangesAfter.append(f_txChangesAfter_x)
    if U_I(b, p)[0]:
        p += 4
        f_sorobanMeta, p = d_SorobanTransactionMeta(b, p)
    else:
        f_sorobanMeta = None
        p += 4
    return {"ext": f_ext, "txChangesBefore": f_txChangesBefore, "operations": f_operations, "txChangesAfter": f_txChangesAfter, "sorobanMeta": f_sorobanMeta}, p


def d_TransactionMetaV4(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_txChangesBefore = []
    for _ in range(n):
        f_txChangesBefore_x, p = d_LedgerEntryChange(b, p)
        f_txChangesBefore.append(f_txChangesBefore_x)
    (n,) = U_I(b, p)
    p += 4
    f_operations = []
    for _ in range(n):
        f_operations_x, p = d_OperationMetaV2(b, p)
        f_operations.append(f_operations_x)
    (n,) = U_I(b, p)
    p += 4
    f_txChangesAfter = []
    for _ in range(n):
        f_txChangesAfter_x, p = d_LedgerEntryChange(b, p)
        f_txChangesAfter.append(f_txChangesAfter_x)
    if U_I(b, p)[0]:
        p += 4
        f_sorobanMeta, p = d_SorobanTransactionMetaV2(b, p)
    else:
        f_sorobanMeta = None
        p += 4
    (n,) = U_I(b, p)
    p += 4
    f_events = []
    for _ in range(n):
        f_events_x, p = d_TransactionEvent(b, p)
        f_events.append(f_events_x)
    (n,) = U_I(b, p)
    p += 4
    f_diagnosticEvents = []
    for _ in range(n):
        f_diagnosticEvents_x, p = d_DiagnosticEvent(b, p)
        f_diagnosticEvents.append(f_diagnosticEvents_x)
    return {"ext": f_ext, "txChangesBefore": f_txChangesBefore, "operations": f_operations, "txChangesAfter": f_txChangesAfter, "sorobanMeta": f_sorobanMeta, "events": f_events, "diagnosticEvents": f_diagnosticEvents}, p


def d_ConfigUpgradeSetKey(b: bytes, p: int) -> Any:
    (f_contractID, f_contentHash,) = U_32s32s(b, p)
    p += 64
    return {"contractID": f_contractID, "contentHash": f_contentHash}, p


def d_SCPQuorumSet(b: bytes, p: int) -> Any:
    (f_threshold,) = U_I(b, p)
    p += 4
    (n,) = U_I(b, p)
    p += 4
    f_validators = []
    for _ in range(n):
        f_validators_x, p = d_PublicKey(b, p)
        f_validators.append(f_validators_x)
    (n,) = U_I(b, p)
    p += 4
    f_innerSets = []
    for _ in range(n):
        f_innerSets_x, p = d_SCPQuorumSet(b, p)
        f_innerSets.append(f_innerSets_x)
    return {"threshold": f_threshold, "validators": f_validators, "innerSets": f_innerSets}, p


def d_LedgerSCPMessages(b: bytes, p: int) -> Any:
    (f_ledgerSeq,) = U_I(b, p)
    p += 4
    (n,) = U_I(b, p)
    p += 4
    f_messages = []
    for _ in range(n):
        f_messages_x, p = d_SCPEnvelope(b, p)
        f_messages.append(f_messages_x)
    return {"ledgerSeq": f_ledgerSeq, "messages": f_messages}, p


def d_TransactionPhase(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (n,) = U_I(b, p)
        p += 4
        v = []
        for _ in range(n):
            v_x, p = d_TxSetComponent(b, p)
            v.append(v_x)
        return (t, v), p
    if t == 1:
        v, p = d_ParallelTxsComponent(b, p)
        return (t, v), p
    raise ValueError(f"TransactionPhase {t} at byte {p - 4} is unknown")


def d_PublicKey(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    raise ValueError(f"PublicKey {t} at byte {p - 4} is unknown")


def d_TrustLineAsset(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_AlphaNum4(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_AlphaNum12(b, p)
        return (t, v), p
    if t == 3:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    raise ValueError(f"TrustLineAsset {t} at byte {p - 4} is unknown")


def d_ClaimableBalanceID(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    raise ValueError(f"ClaimableBalanceID {t} at byte {p - 4} is unknown")


def d_SCAddress(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_PublicKey(b, p)
        return (t, v), p
    if t == 1:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    if t == 2:
        v, p = d_MuxedEd25519Account(b, p)
        return (t, v), p
    if t == 3:
        v, p = d_ClaimableBalanceID(b, p)
        return (t, v), p
    if t == 4:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    raise ValueError(f"SCAddress {t} at byte {p - 4} is unknown")


def d_SCVal(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = U_I(b, p)[0] == 1
        p += 4
        return (t, v), p
    if t == 1:
        v = None
        return (t, v), p
    if t == 2:
        v, p = d_SCError(b, p)
        return (t, v), p
    if t == 3:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    if t == 4:
        (v,) = U_i(b, p)
        p += 4
        return (t, v), p
    if t == 5:
        (v,) = U_Q(b, p)
        p += 8
        return (t, v), p
    if t == 6:
        (v,) = U_q(b, p)
        p += 8
        return (t, v), p
    if t == 7:
        (v,) = U_Q(b, p)
        p += 8
        return (t, v), p
    if t == 8:
        (v,) = U_Q(b, p)
        p += 8
        return (t, v), p
    if t == 9:
        v, p = d_UInt128Parts(b, p)
        return (t, v), p
    if t == 10:
        v, p = d_Int128Parts(b, p)
        return (t, v), p
    if t == 11:
        v, p = d_UInt256Parts(b, p)
        return (t, v), p
    if t == 12:
        v, p = d_Int256Parts(b, p)
        return (t, v), p
    if t == 13:
        (n,) = U_I(b, p)
        p += 4
        v = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        return (t, v), p
    if t == 14:
        (n,) = U_I(b, p)
        p += 4
        v = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        return (t, v), p
    if t == 15:
        (n,) = U_I(b, p)
        p += 4
        v = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        return (t, v), p
    if t == 16:
        if U_I(b, p)[0]:
            p += 4
            (n,) = U_I(b, p)
            p += 4
            v = []
            for _ in range(n):
                v_x, p = d_SCVal(b, p)
                v.append(v_x)
        else:
            v = None
            p += 4
        return (t, v), p
    if t == 17:
        if U_I(b, p)[0]:
            p += 4
            (n,) = U_I(b, p)
            p += 4
            v = []
            for _ in range(n):
                v_x, p = d_SCMapEntry(b, p)
                v.append(v_x)
        else:
            v = None
            p += 4
        return (t, v), p
    if t == 18:
        v, p = d_SCAddress(b, p)
        return (t, v), p
    if t == 19:
        v, p = d_SCContractInstance(b, p)
        return (t, v), p
    if t == 20:
        v = None
        return (t, v), p
    if t == 21:
        v, p = d_SCNonceKey(b, p)
        return (t, v), p
    if t == 22:
        (n,) = U_I(b, p)
        p += 4
        v = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        return (t, v), p
    raise ValueError(f"SCVal {t} at byte {p - 4} is unknown")


def d_AccountEntry(b: bytes, p: int) -> Any:
    f_accountID, p = d_PublicKey(b, p)
    (f_balance, f_seqNum, f_numSubEntries,) = U_qqI(b, p)
    p += 20
    if U_I(b, p)[0]:
        p += 4
        f_inflationDest, p = d_PublicKey(b, p)
    else:
        f_inflationDest = None
        p += 4
    (f_flags,) = U_I(b, p)
    p += 4
    (n,) = U_I(b, p)
    p += 4
    f_homeDomain = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    (f_thresholds,) = U_4s(b, p)
    p += 4
    (n,) = U_I(b, p)
    p += 4
    f_signers = []
    for _ in range(n):
        f_signers_x, p = d_Signer(b, p)
        f_signers.append(f_signers_x)
    f_ext, p = d_AccountEntry_ext(b, p)
    return {"accountID": f_accountID, "balance": f_balance, "seqNum": f_seqNum, "numSubEntries": f_numSubEntries, "inflationDest": f_inflationDest, "flags": f_flags, "homeDomain": f_homeDomain, "thresholds": f_thresholds, "signers": f_signers, "ext": f_ext}, p


def d_TrustLineEntry(b: bytes, p: int) -> Any:
    f_accountID, p = d_PublicKey(b, p)
    f_asset, p = d_TrustLineAsset(b, p)
    (f_balance, f_limit, f_flags,) = U_qqI(b, p)
    p += 20
    f_ext, p = d_TrustLineEntry_ext(b, p)
    return {"accountID": f_accountID, "asset": f_asset, "balance": f_balance, "limit": f_limit, "flags": f_flags, "ext": f_ext}, p


def d_OfferEntry(b: bytes, p: int) -> Any:
    f_sellerID, p = d_PublicKey(b, p)
    (f_offerID,) = U_q(b, p)
    p += 8
    f_selling, p = d_Asset(b, p)
    f_buying, p = d_Asset(b, p)
    (f_amount,) = U_q(b, p)
    p += 8
    f_price, p = d_Price(b, p)
    (f_flags,) = U_I(b, p)
    p += 4
    f_ext, p = d_OfferEntry_ext(b, p)
    return {"sellerID": f_sellerID, "offerID": f_offerID, "selling": f_selling, "buying": f_buying, "amount": f_amount, "price": f_price, "flags": f_flags, "ext": f_ext}, p


def d_DataEntry(b: bytes, p: int) -> Any:
    f_accountID, p = d_PublicKey(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_dataName = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    (n,) = U_I(b, p)
    p += 4
    f_dataValue = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    f_ext, p = d_DataEntry_ext(b, p)
    return {"accountID": f_accountID, "dataName": f_dataName, "dataValue": f_dataValue, "ext": f_ext}, p


def d_ClaimableBalanceEntry(b: bytes, p: int) -> Any:
    f_balanceID, p = d_ClaimableBalanceID(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_claimants = []
    for _ in range(n):
        f_claimants_x, p = d_Claimant(b, p)
        f_claimants.append(f_claimants_x)
    f_asset, p = d_Asset(b, p)
    (f_amount,) = U_q(b, p)
    p += 8
    f_ext, p = d_ClaimableBalanceEntry_ext(b, p)
    return {"balanceID": f_balanceID, "claimants": f_claimants, "asset": f_asset, "amount": f_amount, "ext": f_ext}, p


def d_LiquidityPoolEntry(b: bytes, p: int) -> Any:
    (f_liquidityPoolID,) = U_32s(b, p)
    p += 32
    f_body, p = d_LiquidityPoolEntry_body(b, p)
    return {"liquidityPoolID": f_liquidityPoolID, "body": f_body}, p


def d_ContractDataEntry(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    f_contract, p = d_SCAddress(b, p)
    f_key, p = d_SCVal(b, p)
    (f_durability,) = U_i(b, p)
    p += 4
    f_val, p = d_SCVal(b, p)
    return {"ext": f_ext, "contract": f_contract, "key": f_key, "durability": f_durability, "val": f_val}, p


def d_ContractCodeEntry(b: bytes, p: int) -> Any:
    f_ext, p = d_ContractCodeEntry_ext(b, p)
    (f_hash,) = U_32s(b, p)
    p += 32
    (n,) = U_I(b, p)
    p += 4
    f_code = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    return {"ext": f_ext, "hash": f_hash, "code": f_code}, p


def d_ConfigSettingEntry(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    if t == 1:
        v, p = d_ConfigSettingContractComputeV0(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_ConfigSettingContractLedgerCostV0(b, p)
        return (t, v), p
    if t == 3:
        v, p = d_ConfigSettingContractHistoricalDataV0(b, p)
        return (t, v), p
    if t == 4:
        v, p = d_ConfigSettingContractEventsV0(b, p)
        return (t, v), p
    if t == 5:
        v, p = d_ConfigSettingContractBandwidthV0(b, p)
        return (t, v), p
    if t == 6:
        (n,) = U_I(b, p)
        p += 4
        v = []
        for _ in range(n):
            v_x, p = d_ContractCostParamEntry(b, p)
            v.append(v_x)
        return (t, v), p
    if t == 7:
        (n,) = U_I(b, p)
        p += 4
        v = []
        for _ in range(n):
            v_x, p = d_ContractCostParamEntry(b, p)
            v.append(v_x)
        return (t, v), p
    if t == 8:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    if t == 9:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    if t == 10:
        v, p = d_StateArchivalSettings(b, p)
        return (t, v), p
    if t == 11:
        v, p = d_ConfigSettingContractExecutionLanesV0(b, p)
        return (t, v), p
    if t == 12:
        (n,) = U_I(b, p)
        p += 4
        v = []
        for _ in range(n):
            (v_x,) = U_Q(b, p)
            p += 8
            v.append(v_x)
        return (t, v), p
    if t == 13:
        v, p = d_EvictionIterator(b, p)
        return (t, v), p
    if t == 14:
        v, p = d_ConfigSettingContractParallelComputeV0(b, p)
        return (t, v), p
    if t == 15:
        v, p = d_ConfigSettingContractLedgerCostExtV0(b, p)
        return (t, v), p
    if t == 16:
        v, p = d_ConfigSettingSCPTiming(b, p)
        return (t, v), p
    if t == 17:
        v, p = d_FrozenLedgerKeys(b, p)
        return (t, v), p
    if t == 18:
        v, p = d_FrozenLedgerKeysDelta(b, p)
        return (t, v), p
    if t == 19:
        v, p = d_FreezeBypassTxs(b, p)
        return (t, v), p
    if t == 20:
        v, p = d_FreezeBypassTxsDelta(b, p)
        return (t, v), p
    raise ValueError(f"ConfigSettingEntry {t} at byte {p - 4} is unknown")


def d_TTLEntry(b: bytes, p: int) -> Any:
    (f_keyHash, f_liveUntilLedgerSeq,) = U_32sI(b, p)
    p += 36
    return {"keyHash": f_keyHash, "liveUntilLedgerSeq": f_liveUntilLedgerSeq}, p


def d_LedgerEntryExtensionV1(b: bytes, p: int) -> Any:
    if U_I(b, p)[0]:
        p += 4
        f_sponsoringID, p = d_PublicKey(b, p)
    else:
        f_sponsoringID = None
        p += 4
    f_ext, p = d_LedgerEntryExtensionV1_ext(b, p)
    return {"sponsoringID": f_sponsoringID, "ext": f_ext}, p


def d_StellarValue_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_LedgerCloseValueSignature(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_StellarValue__proposedValue(b, p)
        return (t, v), p
    raise ValueError(f"StellarValue_ext {t} at byte {p - 4} is unknown")


def d_LedgerHeaderExtensionV1(b: bytes, p: int) -> Any:
    (f_flags,) = U_I(b, p)
    p += 4
    f_ext, p = d_LedgerHeaderExtensionV1_ext(b, p)
    return {"flags": f_flags, "ext": f_ext}, p


def d_TransactionV0(b: bytes, p: int) -> Any:
    (f_sourceAccountEd25519, f_fee, f_seqNum,) = U_32sIq(b, p)
    p += 44
    if U_I(b, p)[0]:
        p += 4
        f_timeBounds, p = d_TimeBounds(b, p)
    else:
        f_timeBounds = None
        p += 4
    f_memo, p = d_Memo(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_operations = []
    for _ in range(n):
        f_operations_x, p = d_Operation(b, p)
        f_operations.append(f_operations_x)
    f_ext, p = d_TransactionV0_ext(b, p)
    return {"sourceAccountEd25519": f_sourceAccountEd25519, "fee": f_fee, "seqNum": f_seqNum, "timeBounds": f_timeBounds, "memo": f_memo, "operations": f_operations, "ext": f_ext}, p


def d_DecoratedSignature(b: bytes, p: int) -> Any:
    (f_hint,) = U_4s(b, p)
    p += 4
    (n,) = U_I(b, p)
    p += 4
    f_signature = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    return {"hint": f_hint, "signature": f_signature}, p


def d_Transaction(b: bytes, p: int) -> Any:
    f_sourceAccount, p = d_MuxedAccount(b, p)
    (f_fee, f_seqNum,) = U_Iq(b, p)
    p += 12
    f_cond, p = d_Preconditions(b, p)
    f_memo, p = d_Memo(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_operations = []
    for _ in range(n):
        f_operations_x, p = d_Operation(b, p)
        f_operations.append(f_operations_x)
    f_ext, p = d_Transaction_ext(b, p)
    return {"sourceAccount": f_sourceAccount, "fee": f_fee, "seqNum": f_seqNum, "cond": f_cond, "memo": f_memo, "operations": f_operations, "ext": f_ext}, p


def d_FeeBumpTransaction(b: bytes, p: int) -> Any:
    f_feeSource, p = d_MuxedAccount(b, p)
    (f_fee,) = U_q(b, p)
    p += 8
    f_innerTx, p = d_FeeBumpTransaction_innerTx(b, p)
    f_ext, p = d_FeeBumpTransaction_ext(b, p)
    return {"feeSource": f_feeSource, "fee": f_fee, "innerTx": f_innerTx, "ext": f_ext}, p


def d_TransactionResult_result(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t in (1, -13):
        v, p = d_InnerTransactionResultPair(b, p)
        return (t, v), p
    if t in (0, -1):
        (n,) = U_I(b, p)
        p += 4
        v = []
        for _ in range(n):
            v_x, p = d_OperationResult(b, p)
            v.append(v_x)
        return (t, v), p
    if t in (-2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12, -14, -15, -16, -17, -18):
        v = None
        return (t, v), p
    raise ValueError(f"TransactionResult_result {t} at byte {p - 4} is unknown")


def d_TransactionResult_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"TransactionResult_ext {t} at byte {p - 4} is unknown")


def d_SorobanTransactionMeta(b: bytes, p: int) -> Any:
    f_ext, p = d_SorobanTransactionMetaExt(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_events = []
    for _ in range(n):
        f_events_x, p = d_ContractEvent(b, p)
        f_events.append(f_events_x)
    f_returnValue, p = d_SCVal(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_diagnosticEvents = []
    for _ in range(n):
        f_diagnosticEvents_x, p = d_DiagnosticEvent(b, p)
        f_diagnosticEvents.append(f_diagnosticEvents_x)
    return {"ext": f_ext, "events": f_events, "returnValue": f_returnValue, "diagnosticEvents": f_diagnosticEvents}, p


def d_OperationMetaV2(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_changes = []
    for _ in range(n):
        f_changes_x, p = d_LedgerEntryChange(b, p)
        f_changes.append(f_changes_x)
    (n,) = U_I(b, p)
    p += 4
    f_events = []
    for _ in range(n):
        f_events_x, p = d_ContractEvent(b, p)
        f_events.append(f_events_x)
    return {"ext": f_ext, "changes": f_changes, "events": f_events}, p


def d_SorobanTransactionMetaV2(b: bytes, p: int) -> Any:
    f_ext, p = d_SorobanTransactionMetaExt(b, p)
    if U_I(b, p)[0]:
        p += 4
        f_returnValue, p = d_SCVal(b, p)
    else:
        f_returnValue = None
        p += 4
    return {"ext": f_ext, "returnValue": f_returnValue}, p


def d_TransactionEvent(b: bytes, p: int) -> Any:
    (f_stage,) = U_i(b, p)
    p += 4
    f_event, p = d_ContractEvent(b, p)
    return {"stage": f_stage, "event": f_event}, p


def d_DiagnosticEvent(b: bytes, p: int) -> Any:
    f_inSuccessfulContractCall = U_I(b, p)[0] == 1
    p += 4
    f_event, p = d_ContractEvent(b, p)
    return {"inSuccessfulContractCall": f_inSuccessfulContractCall, "event": f_event}, p


def d_SCPEnvelope(b: bytes, p: int) -> Any:
    f_statement, p = d_SCPStatement(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_signature = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    return {"statement": f_statement, "signature": f_signature}, p


def d_TxSetComponent(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_TxSetComponent_txsMaybeDiscountedFee(b, p)
        return (t, v), p
    raise ValueError(f"TxSetComponent {t} at byte {p - 4} is unknown")


def d_ParallelTxsComponent(b: bytes, p: int) -> Any:
    if U_I(b, p)[0]:
        p += 4
        (f_baseFee,) = U_q(b, p)
        p += 8
    else:
        f_baseFee = None
        p += 4
    (n,) = U_I(b, p)
    p += 4
    f_executionStages = []
    for _ in range(n):
        (n,) = U_I(b, p)
        p += 4
        f_executionStages_x = []
        for _ in range(n):
            (n,) = U_I(b, p)
            p += 4
            f_executionStages_x_x = []
            for _ in range(n):
                f_executionStages_x_x_x, p = d_TransactionEnvelope(b, p)
                f_executionStages_x_x.append(f_executionStages_x_x_x)
            f_executionStages_x.append(f_executionStages_x_x)
        f_executionStages.append(f_executionStages_x)
    return {"baseFee": f_baseFee, "executionStages": f_executionStages}, p


def d_AlphaNum4(b: bytes, p: int) -> Any:
    (f_assetCode,) = U_4s(b, p)
    p += 4
    f_issuer, p = d_PublicKey(b, p)
    return {"assetCode": f_assetCode, "issuer": f_issuer}, p


def d_AlphaNum12(b: bytes, p: int) -> Any:
    (f_assetCode,) = U_12s(b, p)
    p += 12
    f_issuer, p = d_PublicKey(b, p)
    return {"assetCode": f_assetCode, "issuer": f_issuer}, p


def d_MuxedEd25519Account(b: bytes, p: int) -> Any:
    (f_id, f_ed25519,) = U_Q32s(b, p)
    p += 40
    return {"id": f_id, "ed25519": f_ed25519}, p


def d_SCError(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (v,) = U_I(b, p)
        p += 4
        return (t, v), p
    if t in (1, 2, 3, 4, 5, 6, 7, 8, 9):
        (v,) = U_i(b, p)
        p += 4
        return (t, v), p
    raise ValueError(f"SCError {t} at byte {p - 4} is unknown")


def d_UInt128Parts(b: bytes, p: int) -> Any:
    (f_hi, f_lo,) = U_QQ(b, p)
    p += 16
    return {"hi": f_hi, "lo": f_lo}, p


def d_Int128Parts(b: bytes, p: int) -> Any:
    (f_hi, f_lo,) = U_qQ(b, p)
    p += 16
    return {"hi": f_hi, "lo": f_lo}, p


def d_UInt256Parts(b: bytes, p: int) -> Any:
    (f_hi_hi, f_hi_lo, f_lo_hi, f_lo_lo,) = U_QQQQ(b, p)
    p += 32
    return {"hi_hi": f_hi_hi, "hi_lo": f_hi_lo, "lo_hi": f_lo_hi, "lo_lo": f_lo_lo}, p


def d_Int256Parts(b: bytes, p: int) -> Any:
    (f_hi_hi, f_hi_lo, f_lo_hi, f_lo_lo,) = U_qQQQ(b, p)
    p += 32
    return {"hi_hi": f_hi_hi, "hi_lo": f_hi_lo, "lo_hi": f_lo_hi, "lo_lo": f_lo_lo}, p


def d_SCMapEntry(b: bytes, p: int) -> Any:
    f_key, p = d_SCVal(b, p)
    f_val, p = d_SCVal(b, p)
    return {"key": f_key, "val": f_val}, p


def d_SCContractInstance(b: bytes, p: int) -> Any:
    f_executable, p = d_ContractExecutable(b, p)
    if U_I(b, p)[0]:
        p += 4
        (n,) = U_I(b, p)
        p += 4
        f_storage = []
        for _ in range(n):
            f_storage_x, p = d_SCMapEntry(b, p)
            f_storage.append(f_storage_x)
    else:
        f_storage = None
        p += 4
    return {"executable": f_executable, "storage": f_storage}, p


def d_SCNonceKey(b: bytes, p: int) -> Any:
    (f_nonce,) = U_q(b, p)
    p += 8
    return {"nonce": f_nonce}, p


def d_Signer(b: bytes, p: int) -> Any:
    f_key, p = d_SignerKey(b, p)
    (f_weight,) = U_I(b, p)
    p += 4
    return {"key": f_key, "weight": f_weight}, p


def d_AccountEntry_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_AccountEntryExtensionV1(b, p)
        return (t, v), p
    raise ValueError(f"AccountEntry_ext {t} at byte {p - 4} is unknown")


def d_TrustLineEntry_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_TrustLineEntry__v1(b, p)
        return (t, v), p
    raise ValueError(f"TrustLineEntry_ext {t} at byte {p - 4} is unknown")


def d_Asset(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_AlphaNum4(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_AlphaNum12(b, p)
        return (t, v), p
    raise ValueError(f"Asset {t} at byte {p - 4} is unknown")


def d_Price(b: bytes, p: int) -> Any:
    (f_n, f_d,) = U_ii(b, p)
    p += 8
    return {"n": f_n, "d": f_d}, p


def d_OfferEntry_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"OfferEntry_ext {t} at byte {p - 4} is unknown")


def d_DataEntry_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"DataEntry_ext {t} at byte {p - 4} is unknown")


def d_Claimant(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_Claimant_v0(b, p)
        return (t, v), p
    raise ValueError(f"Claimant {t} at byte {p - 4} is unknown")


def d_ClaimableBalanceEntry_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_ClaimableBalanceEntryExtensionV1(b, p)
        return (t, v), p
    raise ValueError(f"ClaimableBalanceEntry_ext {t} at byte {p - 4} is unknown")


def d_LiquidityPoolEntry_body(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_LiquidityPoolEntry__constantProduct(b, p)
        return (t, v), p
    raise ValueError(f"LiquidityPoolEntry_body {t} at byte {p - 4} is unknown")


def d_ContractCodeEntry_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_ContractCodeEntry__v1(b, p)
        return (t, v), p
    raise ValueError(f"ContractCodeEntry_ext {t} at byte {p - 4} is unknown")


def d_ConfigSettingContractComputeV0(b: bytes, p: int) -> Any:
    (f_ledgerMaxInstructions, f_txMaxInstructions, f_feeRatePerInstructionsIncrement, f_txMemoryLimit,) = U_qqqI(b, p)
    p += 28
    return {"ledgerMaxInstructions": f_ledgerMaxInstructions, "txMaxInstructions": f_txMaxInstructions, "feeRatePerInstructionsIncrement": f_feeRatePerInstructionsIncrement, "txMemoryLimit": f_txMemoryLimit}, p


def d_ConfigSettingContractLedgerCostV0(b: bytes, p: int) -> Any:
    (f_ledgerMaxDiskReadEntries, f_ledgerMaxDiskReadBytes, f_ledgerMaxWriteLedgerEntries, f_ledgerMaxWriteBytes, f_txMaxDiskReadEntries, f_txMaxDiskReadBytes, f_txMaxWriteLedgerEntries, f_txMaxWriteBytes, f_feeDiskReadLedgerEntry, f_feeWriteLedgerEntry, f_feeDiskRead1KB, f_sorobanStateTargetSizeBytes, f_rentFee1KBSorobanStateSizeLow, f_rentFee1KBSorobanStateSizeHigh, f_sorobanStateRentFeeGrowthFactor,) = U_IIIIIIIIqqqqqqI(b, p)
    p += 84
    return {"ledgerMaxDiskReadEntries": f_ledgerMaxDiskReadEntries, "ledgerMaxDiskReadBytes": f_ledgerMaxDiskReadBytes, "ledgerMaxWriteLedgerEntries": f_ledgerMaxWriteLedgerEntries, "ledgerMaxWriteBytes": f_ledgerMaxWriteBytes, "txMaxDiskReadEntries": f_txMaxDiskReadEntries, "txMaxDiskReadBytes": f_txMaxDiskReadBytes, "txMaxWriteLedgerEntries": f_txMaxWriteLedgerEntries, "txMaxWriteBytes": f_txMaxWriteBytes, "feeDiskReadLedgerEntry": f_feeDiskReadLedgerEntry, "feeWriteLedgerEntry": f_feeWriteLedgerEntry, "feeDiskRead1KB": f_feeDiskRead1KB, "sorobanStateTargetSizeBytes": f_sorobanStateTargetSizeBytes, "rentFee1KBSorobanStateSizeLow": f_rentFee1KBSorobanStateSizeLow, "rentFee1KBSorobanStateSizeHigh": f_rentFee1KBSorobanStateSizeHigh, "sorobanStateRentFeeGrowthFactor": f_sorobanStateRentFeeGrowthFactor}, p


def d_ConfigSettingContractHistoricalDataV0(b: bytes, p: int) -> Any:
    (f_feeHistorical1KB,) = U_q(b, p)
    p += 8
    return {"feeHistorical1KB": f_feeHistorical1KB}, p


def d_ConfigSettingContractEventsV0(b: bytes, p: int) -> Any:
    (f_txMaxContractEventsSizeBytes, f_feeContractEvents1KB,) = U_Iq(b, p)
    p += 12
    return {"txMaxContractEventsSizeBytes": f_txMaxContractEventsSizeBytes, "feeContractEvents1KB": f_feeContractEvents1KB}, p


def d_ConfigSettingContractBandwidthV0(b: bytes, p: int) -> Any:
    (f_ledgerMaxTxsSizeBytes, f_txMaxSizeBytes, f_feeTxSize1KB,) = U_IIq(b, p)
    p += 16
    return {"ledgerMaxTxsSizeBytes": f_ledgerMaxTxsSizeBytes, "txMaxSizeBytes": f_txMaxSizeBytes, "feeTxSize1KB": f_feeTxSize1KB}, p


def d_ContractCostParamEntry(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    (f_constTerm, f_linearTerm,) = U_qq(b, p)
    p += 16
    return {"ext": f_ext, "constTerm": f_constTerm, "linearTerm": f_linearTerm}, p


def d_StateArchivalSettings(b: bytes, p: int) -> Any:
    (f_maxEntryTTL, f_minTemporaryTTL, f_minPersistentTTL, f_persistentRentRateDenominator, f_tempRentRateDenominator, f_maxEntriesToArchive, f_liveSorobanStateSizeWindowSampleSize, f_liveSorobanStateSizeWindowSamplePeriod, f_evictionScanSize, f_startingEvictionScanLevel,) = U_IIIqqIIIII(b, p)
    p += 48
    return {"maxEntryTTL": f_maxEntryTTL, "minTemporaryTTL": f_minTemporaryTTL, "minPersistentTTL": f_minPersistentTTL, "persistentRentRateDenominator": f_persistentRentRateDenominator, "tempRentRateDenominator": f_tempRentRateDenominator, "maxEntriesToArchive": f_maxEntriesToArchive, "liveSorobanStateSizeWindowSampleSize": f_liveSorobanStateSizeWindowSampleSize, "liveSorobanStateSizeWindowSamplePeriod": f_liveSorobanStateSizeWindowSamplePeriod, "evictionScanSize": f_evictionScanSize, "startingEvictionScanLevel": f_startingEvictionScanLevel}, p


def d_ConfigSettingContractExecutionLanesV0(b: bytes, p: int) -> Any:
    (f_ledgerMaxTxCount,) = U_I(b, p)
    p += 4
    return {"ledgerMaxTxCount": f_ledgerMaxTxCount}, p


def d_EvictionIterator(b: bytes, p: int) -> Any:
    (f_bucketListLevel,) = U_I(b, p)
    p += 4
    f_isCurrBucket = U_I(b, p)[0] == 1
    p += 4
    (f_bucketFileOffset,) = U_Q(b, p)
    p += 8
    return {"bucketListLevel": f_bucketListLevel, "isCurrBucket": f_isCurrBucket, "bucketFileOffset": f_bucketFileOffset}, p


def d_ConfigSettingContractParallelComputeV0(b: bytes, p: int) -> Any:
    (f_ledgerMaxDependentTxClusters,) = U_I(b, p)
    p += 4
    return {"ledgerMaxDependentTxClusters": f_ledgerMaxDependentTxClusters}, p


def d_ConfigSettingContractLedgerCostExtV0(b: bytes, p: int) -> Any:
    (f_txMaxFootprintEntries, f_feeWrite1KB,) = U_Iq(b, p)
    p += 12
    return {"txMaxFootprintEntries": f_txMaxFootprintEntries, "feeWrite1KB": f_feeWrite1KB}, p


def d_ConfigSettingSCPTiming(b: bytes, p: int) -> Any:
    (f_ledgerTargetCloseTimeMilliseconds, f_nominationTimeoutInitialMilliseconds, f_nominationTimeoutIncrementMilliseconds, f_ballotTimeoutInitialMilliseconds, f_ballotTimeoutIncrementMilliseconds,) = U_IIIII(b, p)
    p += 20
    return {"ledgerTargetCloseTimeMilliseconds": f_ledgerTargetCloseTimeMilliseconds, "nominationTimeoutInitialMilliseconds": f_nominationTimeoutInitialMilliseconds, "nominationTimeoutIncrementMilliseconds": f_nominationTimeoutIncrementMilliseconds, "ballotTimeoutInitialMilliseconds": f_ballotTimeoutInitialMilliseconds, "ballotTimeoutIncrementMilliseconds": f_ballotTimeoutIncrementMilliseconds}, p


def d_FrozenLedgerKeys(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_keys = []
    for _ in range(n):
        (n,) = U_I(b, p)
        p += 4
        f_keys_x = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        f_keys.append(f_keys_x)
    return {"keys": f_keys}, p


def d_FrozenLedgerKeysDelta(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_keysToFreeze = []
    for _ in range(n):
        (n,) = U_I(b, p)
        p += 4
        f_keysToFreeze_x = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        f_keysToFreeze.append(f_keysToFreeze_x)
    (n,) = U_I(b, p)
    p += 4
    f_keysToUnfreeze = []
    for _ in range(n):
        (n,) = U_I(b, p)
        p += 4
        f_keysToUnfreeze_x = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        f_keysToUnfreeze.append(f_keysToUnfreeze_x)
    return {"keysToFreeze": f_keysToFreeze, "keysToUnfreeze": f_keysToUnfreeze}, p


def d_FreezeBypassTxs(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_txHashes = []
    for _ in range(n):
        (f_txHashes_x,) = U_32s(b, p)
        p += 32
        f_txHashes.append(f_txHashes_x)
    return {"txHashes": f_txHashes}, p


def d_FreezeBypassTxsDelta(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_addTxs = []
    for _ in range(n):
        (f_addTxs_x,) = U_32s(b, p)
        p += 32
        f_addTxs.append(f_addTxs_x)
    (n,) = U_I(b, p)
    p += 4
    f_removeTxs = []
    for _ in range(n):
        (f_removeTxs_x,) = U_32s(b, p)
        p += 32
        f_removeTxs.append(f_removeTxs_x)
    return {"addTxs": f_addTxs, "removeTxs": f_removeTxs}, p


def d_LedgerEntryExtensionV1_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"LedgerEntryExtensionV1_ext {t} at byte {p - 4} is unknown")


def d_LedgerCloseValueSignature(b: bytes, p: int) -> Any:
    f_nodeID, p = d_PublicKey(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_signature = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    return {"nodeID": f_nodeID, "signature": f_signature}, p


def d_StellarValue__proposedValue(b: bytes, p: int) -> Any:
    (f_txSetHash, f_previousLedgerHash, f_previousLedgerVersion,) = U_32s32sI(b, p)
    p += 68
    f_lcValueSignature, p = d_LedgerCloseValueSignature(b, p)
    return {"txSetHash": f_txSetHash, "previousLedgerHash": f_previousLedgerHash, "previousLedgerVersion": f_previousLedgerVersion, "lcValueSignature": f_lcValueSignature}, p


def d_LedgerHeaderExtensionV1_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"LedgerHeaderExtensionV1_ext {t} at byte {p - 4} is unknown")


def d_TimeBounds(b: bytes, p: int) -> Any:
    (f_minTime, f_maxTime,) = U_QQ(b, p)
    p += 16
    return {"minTime": f_minTime, "maxTime": f_maxTime}, p


def d_Memo(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        (n,) = U_I(b, p)
        p += 4
        v = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        return (t, v), p
    if t == 2:
        (v,) = U_Q(b, p)
        p += 8
        return (t, v), p
    if t == 3:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    if t == 4:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    raise ValueError(f"Memo {t} at byte {p - 4} is unknown")


def d_Operation(b: bytes, p: int) -> Any:
    if U_I(b, p)[0]:
        p += 4
        f_sourceAccount, p = d_MuxedAccount(b, p)
    else:
        f_sourceAccount = None
        p += 4
    f_body, p = d_Operation_body(b, p)
    return {"sourceAccount": f_sourceAccount, "body": f_body}, p


def d_TransactionV0_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"TransactionV0_ext {t} at byte {p - 4} is unknown")


def d_MuxedAccount(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    if t == 256:
        v, p = d_MuxedAccount_med25519(b, p)
        return (t, v), p
    raise ValueError(f"MuxedAccount {t} at byte {p - 4} is unknown")


def d_Preconditions(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_TimeBounds(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_PreconditionsV2(b, p)
        return (t, v), p
    raise ValueError(f"Preconditions {t} at byte {p - 4} is unknown")


def d_Transaction_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_SorobanTransactionData(b, p)
        return (t, v), p
    raise ValueError(f"Transaction_ext {t} at byte {p - 4} is unknown")


def d_FeeBumpTransaction_innerTx(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 2:
        v, p = d_TransactionV1Envelope(b, p)
        return (t, v), p
    raise ValueError(f"FeeBumpTransaction_innerTx {t} at byte {p - 4} is unknown")


def d_FeeBumpTransaction_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"FeeBumpTransaction_ext {t} at byte {p - 4} is unknown")


def d_InnerTransactionResultPair(b: bytes, p: int) -> Any:
    (f_transactionHash,) = U_32s(b, p)
    p += 32
    f_result, p = d_InnerTransactionResult(b, p)
    return {"transactionHash": f_transactionHash, "result": f_result}, p


def d_OperationResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_OperationResult_tr(b, p)
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6):
        v = None
        return (t, v), p
    raise ValueError(f"OperationResult {t} at byte {p - 4} is unknown")


def d_SorobanTransactionMetaExt(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_SorobanTransactionMetaExtV1(b, p)
        return (t, v), p
    raise ValueError(f"SorobanTransactionMetaExt {t} at byte {p - 4} is unknown")


def d_ContractEvent(b: bytes, p: int) -> Any:
    start = p
    f_ext, p = d_ExtensionPoint(b, p)
    if U_I(b, p)[0]:
        p += 4
        (f_contractID,) = U_32s(b, p)
        p += 32
    else:
        f_contractID = None
        p += 4
    (f_type,) = U_i(b, p)
    p += 4
    f_body, p = d_ContractEvent_body(b, p)
    return {"ext": f_ext, "contractID": f_contractID, "type": f_type, "body": f_body, "raw": b[start:p]}, p


def d_SCPStatement(b: bytes, p: int) -> Any:
    f_nodeID, p = d_PublicKey(b, p)
    (f_slotIndex,) = U_Q(b, p)
    p += 8
    f_pledges, p = d_SCPStatement_pledges(b, p)
    return {"nodeID": f_nodeID, "slotIndex": f_slotIndex, "pledges": f_pledges}, p


def d_TxSetComponent_txsMaybeDiscountedFee(b: bytes, p: int) -> Any:
    if U_I(b, p)[0]:
        p += 4
        (f_baseFee,) = U_q(b, p)
        p += 8
    else:
        f_baseFee = None
        p += 4
    (n,) = U_I(b, p)
    p += 4
    f_txs = []
    for _ in range(n):
        f_txs_x, p = d_TransactionEnvelope(b, p)
        f_txs.append(f_txs_x)
    return {"baseFee": f_baseFee, "txs": f_txs}, p


def d_ContractExecutable(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    if t == 1:
        v = None
        return (t, v), p
    if t == 2:
        v, p = d_ContractExecutableExternalRef(b, p)
        return (t, v), p
    raise ValueError(f"ContractExecutable {t} at byte {p - 4} is unknown")


def d_SignerKey(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    if t == 1:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    if t == 2:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    if t == 3:
        v, p = d_SignerKey_ed25519SignedPayload(b, p)
        return (t, v), p
    raise ValueError(f"SignerKey {t} at byte {p - 4} is unknown")


def d_AccountEntryExtensionV1(b: bytes, p: int) -> Any:
    f_liabilities, p = d_Liabilities(b, p)
    f_ext, p = d_AccountEntryExtensionV1_ext(b, p)
    return {"liabilities": f_liabilities, "ext": f_ext}, p


def d_TrustLineEntry__v1(b: bytes, p: int) -> Any:
    f_liabilities, p = d_Liabilities(b, p)
    f_ext, p = d_TrustLineEntry___ext(b, p)
    return {"liabilities": f_liabilities, "ext": f_ext}, p


def d_Claimant_v0(b: bytes, p: int) -> Any:
    f_destination, p = d_PublicKey(b, p)
    f_predicate, p = d_ClaimPredicate(b, p)
    return {"destination": f_destination, "predicate": f_predicate}, p


def d_ClaimableBalanceEntryExtensionV1(b: bytes, p: int) -> Any:
    f_ext, p = d_ClaimableBalanceEntryExtensionV1_ext(b, p)
    (f_flags,) = U_I(b, p)
    p += 4
    return {"ext": f_ext, "flags": f_flags}, p


def d_LiquidityPoolEntry__constantProduct(b: bytes, p: int) -> Any:
    f_params, p = d_LiquidityPoolConstantProductParameters(b, p)
    (f_reserveA, f_reserveB, f_totalPoolShares, f_poolSharesTrustLineCount,) = U_qqqq(b, p)
    p += 32
    return {"params": f_params, "reserveA": f_reserveA, "reserveB": f_reserveB, "totalPoolShares": f_totalPoolShares, "poolSharesTrustLineCount": f_poolSharesTrustLineCount}, p


def d_ContractCodeEntry__v1(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    f_costInputs, p = d_ContractCodeCostInputs(b, p)
    return {"ext": f_ext, "costInputs": f_costInputs}, p


def d_Operation_body(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_CreateAccountOp(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_PaymentOp(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_PathPaymentStrictReceiveOp(b, p)
        return (t, v), p
    if t == 3:
        v, p = d_ManageSellOfferOp(b, p)
        return (t, v), p
    if t == 4:
        v, p = d_CreatePassiveSellOfferOp(b, p)
        return (t, v), p
    if t == 5:
        v, p = d_SetOptionsOp(b, p)
        return (t, v), p
    if t == 6:
        v, p = d_ChangeTrustOp(b, p)
        return (t, v), p
    if t == 7:
        v, p = d_AllowTrustOp(b, p)
        return (t, v), p
    if t == 8:
        v, p = d_MuxedAccount(b, p)
        return (t, v), p
    if t == 9:
        v = None
        return (t, v), p
    if t == 10:
        v, p = d_ManageDataOp(b, p)
        return (t, v), p
    if t == 11:
        v, p = d_BumpSequenceOp(b, p)
        return (t, v), p
    if t == 12:
        v, p = d_ManageBuyOfferOp(b, p)
        return (t, v), p
    if t == 13:
        v, p = d_PathPaymentStrictSendOp(b, p)
        return (t, v), p
    if t == 14:
        v, p = d_CreateClaimableBalanceOp(b, p)
        return (t, v), p
    if t == 15:
        v, p = d_ClaimClaimableBalanceOp(b, p)
        return (t, v), p
    if t == 16:
        v, p = d_BeginSponsoringFutureReservesOp(b, p)
        return (t, v), p
    if t == 17:
        v = None
        return (t, v), p
    if t == 18:
        v, p = d_RevokeSponsorshipOp(b, p)
        return (t, v), p
    if t == 19:
        v, p = d_ClawbackOp(b, p)
        return (t, v), p
    if t == 20:
        v, p = d_ClawbackClaimableBalanceOp(b, p)
        return (t, v), p
    if t == 21:
        v, p = d_SetTrustLineFlagsOp(b, p)
        return (t, v), p
    if t == 22:
        v, p = d_LiquidityPoolDepositOp(b, p)
        return (t, v), p
    if t == 23:
        v, p = d_LiquidityPoolWithdrawOp(b, p)
        return (t, v), p
    if t == 24:
        v, p = d_InvokeHostFunctionOp(b, p)
        return (t, v), p
    if t == 25:
        v, p = d_ExtendFootprintTTLOp(b, p)
        return (t, v), p
    if t == 26:
        v, p = d_RestoreFootprintOp(b, p)
        return (t, v), p
    raise ValueError(f"Operation_body {t} at byte {p - 4} is unknown")


def d_MuxedAccount_med25519(b: bytes, p: int) -> Any:
    (f_id, f_ed25519,) = U_Q32s(b, p)
    p += 40
    return {"id": f_id, "ed25519": f_ed25519}, p


def d_PreconditionsV2(b: bytes, p: int) -> Any:
    if U_I(b, p)[0]:
        p += 4
        f_timeBounds, p = d_TimeBounds(b, p)
    else:
        f_timeBounds = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        f_ledgerBounds, p = d_LedgerBounds(b, p)
    else:
        f_ledgerBounds = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        (f_minSeqNum,) = U_q(b, p)
        p += 8
    else:
        f_minSeqNum = None
        p += 4
    (f_minSeqAge, f_minSeqLedgerGap,) = U_QI(b, p)
    p += 12
    (n,) = U_I(b, p)
    p += 4
    f_extraSigners = []
    for _ in range(n):
        f_extraSigners_x, p = d_SignerKey(b, p)
        f_extraSigners.append(f_extraSigners_x)
    return {"timeBounds": f_timeBounds, "ledgerBounds": f_ledgerBounds, "minSeqNum": f_minSeqNum, "minSeqAge": f_minSeqAge, "minSeqLedgerGap": f_minSeqLedgerGap, "extraSigners": f_extraSigners}, p


def d_SorobanTransactionData(b: bytes, p: int) -> Any:
    f_ext, p = d_SorobanTransactionData_ext(b, p)
    f_resources, p = d_SorobanResources(b, p)
    (f_resourceFee,) = U_q(b, p)
    p += 8
    return {"ext": f_ext, "resources": f_resources, "resourceFee": f_resourceFee}, p


def d_InnerTransactionResult(b: bytes, p: int) -> Any:
    (f_feeCharged,) = U_q(b, p)
    p += 8
    f_result, p = d_InnerTransactionResult_result(b, p)
    f_ext, p = d_InnerTransactionResult_ext(b, p)
    return {"feeCharged": f_feeCharged, "result": f_result, "ext": f_ext}, p


def d_OperationResult_tr(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_CreateAccountResult(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_PaymentResult(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_PathPaymentStrictReceiveResult(b, p)
        return (t, v), p
    if t == 3:
        v, p = d_ManageSellOfferResult(b, p)
        return (t, v), p
    if t == 4:
        v, p = d_ManageSellOfferResult(b, p)
        return (t, v), p
    if t == 5:
        v, p = d_SetOptionsResult(b, p)
        return (t, v), p
    if t == 6:
        v, p = d_ChangeTrustResult(b, p)
        return (t, v), p
    if t == 7:
        v, p = d_AllowTrustResult(b, p)
        return (t, v), p
    if t == 8:
        v, p = d_AccountMergeResult(b, p)
        return (t, v), p
    if t == 9:
        v, p = d_InflationResult(b, p)
        return (t, v), p
    if t == 10:
        v, p = d_ManageDataResult(b, p)
        return (t, v), p
    if t == 11:
        v, p = d_BumpSequenceResult(b, p)
        return (t, v), p
    if t == 12:
        v, p = d_ManageBuyOfferResult(b, p)
        return (t, v), p
    if t == 13:
        v, p = d_PathPaymentStrictSendResult(b, p)
        return (t, v), p
    if t == 14:
        v, p = d_CreateClaimableBalanceResult(b, p)
        return (t, v), p
    if t == 15:
        v, p = d_ClaimClaimableBalanceResult(b, p)
        return (t, v), p
    if t == 16:
        v, p = d_BeginSponsoringFutureReservesResult(b, p)
        return (t, v), p
    if t == 17:
        v, p = d_EndSponsoringFutureReservesResult(b, p)
        return (t, v), p
    if t == 18:
        v, p = d_RevokeSponsorshipResult(b, p)
        return (t, v), p
    if t == 19:
        v, p = d_ClawbackResult(b, p)
        return (t, v), p
    if t == 20:
        v, p = d_ClawbackClaimableBalanceResult(b, p)
        return (t, v), p
    if t == 21:
        v, p = d_SetTrustLineFlagsResult(b, p)
        return (t, v), p
    if t == 22:
        v, p = d_LiquidityPoolDepositResult(b, p)
        return (t, v), p
    if t == 23:
        v, p = d_LiquidityPoolWithdrawResult(b, p)
        return (t, v), p
    if t == 24:
        v, p = d_InvokeHostFunctionResult(b, p)
        return (t, v), p
    if t == 25:
        v, p = d_ExtendFootprintTTLResult(b, p)
        return (t, v), p
    if t == 26:
        v, p = d_RestoreFootprintResult(b, p)
        return (t, v), p
    raise ValueError(f"OperationResult_tr {t} at byte {p - 4} is unknown")


def d_SorobanTransactionMetaExtV1(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    (f_totalNonRefundableResourceFeeCharged, f_totalRefundableResourceFeeCharged, f_rentFeeCharged,) = U_qqq(b, p)
    p += 24
    return {"ext": f_ext, "totalNonRefundableResourceFeeCharged": f_totalNonRefundableResourceFeeCharged, "totalRefundableResourceFeeCharged": f_totalRefundableResourceFeeCharged, "rentFeeCharged": f_rentFeeCharged}, p


def d_ContractEvent_body(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_ContractEvent__v0(b, p)
        return (t, v), p
    raise ValueError(f"ContractEvent_body {t} at byte {p - 4} is unknown")


def d_SCPStatement_pledges(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_SCPStatement__prepare(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_SCPStatement__confirm(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_SCPStatement__externalize(b, p)
        return (t, v), p
    if t == 3:
        v, p = d_SCPNomination(b, p)
        return (t, v), p
    raise ValueError(f"SCPStatement_pledges {t} at byte {p - 4} is unknown")


def d_ContractExecutableExternalRef(b: bytes, p: int) -> Any:
    f_executable_owner, p = d_SCAddress(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_tag = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    return {"executable_owner": f_executable_owner, "tag": f_tag}, p


def d_SignerKey_ed25519SignedPayload(b: bytes, p: int) -> Any:
    (f_ed25519,) = U_32s(b, p)
    p += 32
    (n,) = U_I(b, p)
    p += 4
    f_payload = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    return {"ed25519": f_ed25519, "payload": f_payload}, p


def d_Liabilities(b: bytes, p: int) -> Any:
    (f_buying, f_selling,) = U_qq(b, p)
    p += 16
    return {"buying": f_buying, "selling": f_selling}, p


def d_AccountEntryExtensionV1_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 2:
        v, p = d_AccountEntryExtensionV2(b, p)
        return (t, v), p
    raise ValueError(f"AccountEntryExtensionV1_ext {t} at byte {p - 4} is unknown")


def d_TrustLineEntry___ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 2:
        v, p = d_TrustLineEntryExtensionV2(b, p)
        return (t, v), p
    raise ValueError(f"TrustLineEntry___ext {t} at byte {p - 4} is unknown")


def d_ClaimPredicate(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        (n,) = U_I(b, p)
        p += 4
        v = []
        for _ in range(n):
            v_x, p = d_ClaimPredicate(b, p)
            v.append(v_x)
        return (t, v), p
    if t == 2:
        (n,) = U_I(b, p)
        p += 4
        v = []
        for _ in range(n):
            v_x, p = d_ClaimPredicate(b, p)
            v.append(v_x)
        return (t, v), p
    if t == 3:
        if U_I(b, p)[0]:
            p += 4
            v, p = d_ClaimPredicate(b, p)
        else:
            v = None
            p += 4
        return (t, v), p
    if t == 4:
        (v,) = U_q(b, p)
        p += 8
        return (t, v), p
    if t == 5:
        (v,) = U_q(b, p)
        p += 8
        return (t, v), p
    raise ValueError(f"ClaimPredicate {t} at byte {p - 4} is unknown")


def d_ClaimableBalanceEntryExtensionV1_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"ClaimableBalanceEntryExtensionV1_ext {t} at byte {p - 4} is unknown")


def d_LiquidityPoolConstantProductParameters(b: bytes, p: int) -> Any:
    f_assetA, p = d_Asset(b, p)
    f_assetB, p = d_Asset(b, p)
    (f_fee,) = U_i(b, p)
    p += 4
    return {"assetA": f_assetA, "assetB": f_assetB, "fee": f_fee}, p


def d_ContractCodeCostInputs(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    (f_nInstructions, f_nFunctions, f_nGlobals, f_nTableEntries, f_nTypes, f_nDataSegments, f_nElemSegments, f_nImports, f_nExports, f_nDataSegmentBytes,) = U_IIIIIIIIII(b, p)
    p += 40
    return {"ext": f_ext, "nInstructions": f_nInstructions, "nFunctions": f_nFunctions, "nGlobals": f_nGlobals, "nTableEntries": f_nTableEntries, "nTypes": f_nTypes, "nDataSegments": f_nDataSegments, "nElemSegments": f_nElemSegments, "nImports": f_nImports, "nExports": f_nExports, "nDataSegmentBytes": f_nDataSegmentBytes}, p


def d_CreateAccountOp(b: bytes, p: int) -> Any:
    f_destination, p = d_PublicKey(b, p)
    (f_startingBalance,) = U_q(b, p)
    p += 8
    return {"destination": f_destination, "startingBalance": f_startingBalance}, p


def d_PaymentOp(b: bytes, p: int) -> Any:
    f_destination, p = d_MuxedAccount(b, p)
    f_asset, p = d_Asset(b, p)
    (f_amount,) = U_q(b, p)
    p += 8
    return {"destination": f_destination, "asset": f_asset, "amount": f_amount}, p


def d_PathPaymentStrictReceiveOp(b: bytes, p: int) -> Any:
    f_sendAsset, p = d_Asset(b, p)
    (f_sendMax,) = U_q(b, p)
    p += 8
    f_destination, p = d_MuxedAccount(b, p)
    f_destAsset, p = d_Asset(b, p)
    (f_destAmount,) = U_q(b, p)
    p += 8
    (n,) = U_I(b, p)
    p += 4
    f_path = []
    for _ in range(n):
        f_path_x, p = d_Asset(b, p)
        f_path.append(f_path_x)
    return {"sendAsset": f_sendAsset, "sendMax": f_sendMax, "destination": f_destination, "destAsset": f_destAsset, "destAmount": f_destAmount, "path": f_path}, p


def d_ManageSellOfferOp(b: bytes, p: int) -> Any:
    f_selling, p = d_Asset(b, p)
    f_buying, p = d_Asset(b, p)
    (f_amount,) = U_q(b, p)
    p += 8
    f_price, p = d_Price(b, p)
    (f_offerID,) = U_q(b, p)
    p += 8
    return {"selling": f_selling, "buying": f_buying, "amount": f_amount, "price": f_price, "offerID": f_offerID}, p


def d_CreatePassiveSellOfferOp(b: bytes, p: int) -> Any:
    f_selling, p = d_Asset(b, p)
    f_buying, p = d_Asset(b, p)
    (f_amount,) = U_q(b, p)
    p += 8
    f_price, p = d_Price(b, p)
    return {"selling": f_selling, "buying": f_buying, "amount": f_amount, "price": f_price}, p


def d_SetOptionsOp(b: bytes, p: int) -> Any:
    if U_I(b, p)[0]:
        p += 4
        f_inflationDest, p = d_PublicKey(b, p)
    else:
        f_inflationDest = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        (f_clearFlags,) = U_I(b, p)
        p += 4
    else:
        f_clearFlags = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        (f_setFlags,) = U_I(b, p)
        p += 4
    else:
        f_setFlags = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        (f_masterWeight,) = U_I(b, p)
        p += 4
    else:
        f_masterWeight = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        (f_lowThreshold,) = U_I(b, p)
        p += 4
    else:
        f_lowThreshold = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        (f_medThreshold,) = U_I(b, p)
        p += 4
    else:
        f_medThreshold = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        (f_highThreshold,) = U_I(b, p)
        p += 4
    else:
        f_highThreshold = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        (n,) = U_I(b, p)
        p += 4
        f_homeDomain = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
    else:
        f_homeDomain = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        f_signer, p = d_Signer(b, p)
    else:
        f_signer = None
        p += 4
    return {"inflationDest": f_inflationDest, "clearFlags": f_clearFlags, "setFlags": f_setFlags, "masterWeight": f_masterWeight, "lowThreshold": f_lowThreshold, "medThreshold": f_medThreshold, "highThreshold": f_highThreshold, "homeDomain": f_homeDomain, "signer": f_signer}, p


def d_ChangeTrustOp(b: bytes, p: int) -> Any:
    f_line, p = d_ChangeTrustAsset(b, p)
    (f_limit,) = U_q(b, p)
    p += 8
    return {"line": f_line, "limit": f_limit}, p


def d_AllowTrustOp(b: bytes, p: int) -> Any:
    f_trustor, p = d_PublicKey(b, p)
    f_asset, p = d_AssetCode(b, p)
    (f_authorize,) = U_I(b, p)
    p += 4
    return {"trustor": f_trustor, "asset": f_asset, "authorize": f_authorize}, p


def d_ManageDataOp(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_dataName = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    if U_I(b, p)[0]:
        p += 4
        (n,) = U_I(b, p)
        p += 4
        f_dataValue = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
    else:
        f_dataValue = None
        p += 4
    return {"dataName": f_dataName, "dataValue": f_dataValue}, p


def d_BumpSequenceOp(b: bytes, p: int) -> Any:
    (f_bumpTo,) = U_q(b, p)
    p += 8
    return {"bumpTo": f_bumpTo}, p


def d_ManageBuyOfferOp(b: bytes, p: int) -> Any:
    f_selling, p = d_Asset(b, p)
    f_buying, p = d_Asset(b, p)
    (f_buyAmount,) = U_q(b, p)
    p += 8
    f_price, p = d_Price(b, p)
    (f_offerID,) = U_q(b, p)
    p += 8
    return {"selling": f_selling, "buying": f_buying, "buyAmount": f_buyAmount, "price": f_price, "offerID": f_offerID}, p


def d_PathPaymentStrictSendOp(b: bytes, p: int) -> Any:
    f_sendAsset, p = d_Asset(b, p)
    (f_sendAmount,) = U_q(b, p)
    p += 8
    f_destination, p = d_MuxedAccount(b, p)
    f_destAsset, p = d_Asset(b, p)
    (f_destMin,) = U_q(b, p)
    p += 8
    (n,) = U_I(b, p)
    p += 4
    f_path = []
    for _ in range(n):
        f_path_x, p = d_Asset(b, p)
        f_path.append(f_path_x)
    return {"sendAsset": f_sendAsset, "sendAmount": f_sendAmount, "destination": f_destination, "destAsset": f_destAsset, "destMin": f_destMin, "path": f_path}, p


def d_CreateClaimableBalanceOp(b: bytes, p: int) -> Any:
    f_asset, p = d_Asset(b, p)
    (f_amount,) = U_q(b, p)
    p += 8
    (n,) = U_I(b, p)
    p += 4
    f_claimants = []
    for _ in range(n):
        f_claimants_x, p = d_Claimant(b, p)
        f_claimants.append(f_claimants_x)
    return {"asset": f_asset, "amount": f_amount, "claimants": f_claimants}, p


def d_ClaimClaimableBalanceOp(b: bytes, p: int) -> Any:
    f_balanceID, p = d_ClaimableBalanceID(b, p)
    return {"balanceID": f_balanceID}, p


def d_BeginSponsoringFutureReservesOp(b: bytes, p: int) -> Any:
    f_sponsoredID, p = d_PublicKey(b, p)
    return {"sponsoredID": f_sponsoredID}, p


def d_RevokeSponsorshipOp(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_LedgerKey(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_RevokeSponsorshipOp_signer(b, p)
        return (t, v), p
    raise ValueError(f"RevokeSponsorshipOp {t} at byte {p - 4} is unknown")


def d_ClawbackOp(b: bytes, p: int) -> Any:
    f_asset, p = d_Asset(b, p)
    f_from_, p = d_MuxedAccount(b, p)
    (f_amount,) = U_q(b, p)
    p += 8
    return {"asset": f_asset, "from_": f_from_, "amount": f_amount}, p


def d_ClawbackClaimableBalanceOp(b: bytes, p: int) -> Any:
    f_balanceID, p = d_ClaimableBalanceID(b, p)
    return {"balanceID": f_balanceID}, p


def d_SetTrustLineFlagsOp(b: bytes, p: int) -> Any:
    f_trustor, p = d_PublicKey(b, p)
    f_asset, p = d_Asset(b, p)
    (f_clearFlags, f_setFlags,) = U_II(b, p)
    p += 8
    return {"trustor": f_trustor, "asset": f_asset, "clearFlags": f_clearFlags, "setFlags": f_setFlags}, p


def d_LiquidityPoolDepositOp(b: bytes, p: int) -> Any:
    (f_liquidityPoolID, f_maxAmountA, f_maxAmountB,) = U_32sqq(b, p)
    p += 48
    f_minPrice, p = d_Price(b, p)
    f_maxPrice, p = d_Price(b, p)
    return {"liquidityPoolID": f_liquidityPoolID, "maxAmountA": f_maxAmountA, "maxAmountB": f_maxAmountB, "minPrice": f_minPrice, "maxPrice": f_maxPrice}, p


def d_LiquidityPoolWithdrawOp(b: bytes, p: int) -> Any:
    (f_liquidityPoolID, f_amount, f_minAmountA, f_minAmountB,) = U_32sqqq(b, p)
    p += 56
    return {"liquidityPoolID": f_liquidityPoolID, "amount": f_amount, "minAmountA": f_minAmountA, "minAmountB": f_minAmountB}, p


def d_InvokeHostFunctionOp(b: bytes, p: int) -> Any:
    f_hostFunction, p = d_HostFunction(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_auth = []
    for _ in range(n):
        f_auth_x, p = d_SorobanAuthorizationEntry(b, p)
        f_auth.append(f_auth_x)
    return {"hostFunction": f_hostFunction, "auth": f_auth}, p


def d_ExtendFootprintTTLOp(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    (f_extendTo,) = U_I(b, p)
    p += 4
    return {"ext": f_ext, "extendTo": f_extendTo}, p


def d_RestoreFootprintOp(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    return {"ext": f_ext}, p


def d_LedgerBounds(b: bytes, p: int) -> Any:
    (f_minLedger, f_maxLedger,) = U_II(b, p)
    p += 8
    return {"minLedger": f_minLedger, "maxLedger": f_maxLedger}, p


def d_SorobanTransactionData_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_SorobanResourcesExtV0(b, p)
        return (t, v), p
    raise ValueError(f"SorobanTransactionData_ext {t} at byte {p - 4} is unknown")


def d_SorobanResources(b: bytes, p: int) -> Any:
    f_footprint, p = d_LedgerFootprint(b, p)
    (f_instructions, f_diskReadBytes, f_writeBytes,) = U_III(b, p)
    p += 12
    return {"footprint": f_footprint, "instructions": f_instructions, "diskReadBytes": f_diskReadBytes, "writeBytes": f_writeBytes}, p


def d_InnerTransactionResult_result(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t in (0, -1):
        (n,) = U_I(b, p)
        p += 4
        v = []
        for _ in range(n):
            v_x, p = d_OperationResult(b, p)
            v.append(v_x)
        return (t, v), p
    if t in (-2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12, -14, -15, -16, -17, -18):
        v = None
        return (t, v), p
    raise ValueError(f"InnerTransactionResult_result {t} at byte {p - 4} is unknown")


def d_InnerTransactionResult_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"InnerTransactionResult_ext {t} at byte {p - 4} is unknown")


def d_CreateAccountResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4):
        v = None
        return (t, v), p
    raise ValueError(f"CreateAccountResult {t} at byte {p - 4} is unknown")


def d_PaymentResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6, -7, -8, -9):
        v = None
        return (t, v), p
    raise ValueError(f"PaymentResult {t} at byte {p - 4} is unknown")


def d_PathPaymentStrictReceiveResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_PathPaymentStrictReceiveResult_success(b, p)
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6, -7, -8):
        v = None
        return (t, v), p
    if t == -9:
        v, p = d_Asset(b, p)
        return (t, v), p
    if t in (-10, -11, -12):
        v = None
        return (t, v), p
    raise ValueError(f"PathPaymentStrictReceiveResult {t} at byte {p - 4} is unknown")


def d_ManageSellOfferResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_ManageOfferSuccessResult(b, p)
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12):
        v = None
        return (t, v), p
    raise ValueError(f"ManageSellOfferResult {t} at byte {p - 4} is unknown")


def d_SetOptionsResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6, -7, -8, -9, -10):
        v = None
        return (t, v), p
    raise ValueError(f"SetOptionsResult {t} at byte {p - 4} is unknown")


def d_ChangeTrustResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6, -7, -8):
        v = None
        return (t, v), p
    raise ValueError(f"ChangeTrustResult {t} at byte {p - 4} is unknown")


def d_AllowTrustResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6):
        v = None
        return (t, v), p
    raise ValueError(f"AllowTrustResult {t} at byte {p - 4} is unknown")


def d_AccountMergeResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (v,) = U_q(b, p)
        p += 8
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6, -7):
        v = None
        return (t, v), p
    raise ValueError(f"AccountMergeResult {t} at byte {p - 4} is unknown")


def d_InflationResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (n,) = U_I(b, p)
        p += 4
        v = []
        for _ in range(n):
            v_x, p = d_InflationPayout(b, p)
            v.append(v_x)
        return (t, v), p
    if t == -1:
        v = None
        return (t, v), p
    raise ValueError(f"InflationResult {t} at byte {p - 4} is unknown")


def d_ManageDataResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4):
        v = None
        return (t, v), p
    raise ValueError(f"ManageDataResult {t} at byte {p - 4} is unknown")


def d_BumpSequenceResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == -1:
        v = None
        return (t, v), p
    raise ValueError(f"BumpSequenceResult {t} at byte {p - 4} is unknown")


def d_ManageBuyOfferResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_ManageOfferSuccessResult(b, p)
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12):
        v = None
        return (t, v), p
    raise ValueError(f"ManageBuyOfferResult {t} at byte {p - 4} is unknown")


def d_PathPaymentStrictSendResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_PathPaymentStrictSendResult_success(b, p)
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6, -7, -8):
        v = None
        return (t, v), p
    if t == -9:
        v, p = d_Asset(b, p)
        return (t, v), p
    if t in (-10, -11, -12):
        v = None
        return (t, v), p
    raise ValueError(f"PathPaymentStrictSendResult {t} at byte {p - 4} is unknown")


def d_CreateClaimableBalanceResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_ClaimableBalanceID(b, p)
        return (t, v), p
    if t in (-1, -2, -3, -4, -5):
        v = None
        return (t, v), p
    raise ValueError(f"CreateClaimableBalanceResult {t} at byte {p - 4} is unknown")


def d_ClaimClaimableBalanceResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6):
        v = None
        return (t, v), p
    raise ValueError(f"ClaimClaimableBalanceResult {t} at byte {p - 4} is unknown")


def d_BeginSponsoringFutureReservesResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3):
        v = None
        return (t, v), p
    raise ValueError(f"BeginSponsoringFutureReservesResult {t} at byte {p - 4} is unknown")


def d_EndSponsoringFutureReservesResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == -1:
        v = None
        return (t, v), p
    raise ValueError(f"EndSponsoringFutureReservesResult {t} at byte {p - 4} is unknown")


def d_RevokeSponsorshipResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4, -5):
        v = None
        return (t, v), p
    raise ValueError(f"RevokeSponsorshipResult {t} at byte {p - 4} is unknown")


def d_ClawbackResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4):
        v = None
        return (t, v), p
    raise ValueError(f"ClawbackResult {t} at byte {p - 4} is unknown")


def d_ClawbackClaimableBalanceResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3):
        v = None
        return (t, v), p
    raise ValueError(f"ClawbackClaimableBalanceResult {t} at byte {p - 4} is unknown")


def d_SetTrustLineFlagsResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4, -5):
        v = None
        return (t, v), p
    raise ValueError(f"SetTrustLineFlagsResult {t} at byte {p - 4} is unknown")


def d_LiquidityPoolDepositResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6, -7, -8):
        v = None
        return (t, v), p
    raise ValueError(f"LiquidityPoolDepositResult {t} at byte {p - 4} is unknown")


def d_LiquidityPoolWithdrawResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3, -4, -5, -6):
        v = None
        return (t, v), p
    raise ValueError(f"LiquidityPoolWithdrawResult {t} at byte {p - 4} is unknown")


def d_InvokeHostFunctionResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        (v,) = U_32s(b, p)
        p += 32
        return (t, v), p
    if t in (-1, -2, -3, -4, -5):
        v = None
        return (t, v), p
    raise ValueError(f"InvokeHostFunctionResult {t} at byte {p - 4} is unknown")


def d_ExtendFootprintTTLResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3):
        v = None
        return (t, v), p
    raise ValueError(f"ExtendFootprintTTLResult {t} at byte {p - 4} is unknown")


def d_RestoreFootprintResult(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t in (-1, -2, -3):
        v = None
        return (t, v), p
    raise ValueError(f"RestoreFootprintResult {t} at byte {p - 4} is unknown")


def d_ContractEvent__v0(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_topics = []
    f_topics_raw = []
    for _ in range(n):
        q = p
        f_topics_x, p = d_SCVal(b, p)
        f_topics.append(f_topics_x)
        f_topics_raw.append(b[q:p])
    q = p
    f_data, p = d_SCVal(b, p)
    f_data_raw = b[q:p]
    return {"topics": f_topics, "topics_raw": f_topics_raw, "data": f_data, "data_raw": f_data_raw}, p


def d_SCPStatement__prepare(b: bytes, p: int) -> Any:
    (f_quorumSetHash,) = U_32s(b, p)
    p += 32
    f_ballot, p = d_SCPBallot(b, p)
    if U_I(b, p)[0]:
        p += 4
        f_prepared, p = d_SCPBallot(b, p)
    else:
        f_prepared = None
        p += 4
    if U_I(b, p)[0]:
        p += 4
        f_preparedPrime, p = d_SCPBallot(b, p)
    else:
        f_preparedPrime = None
        p += 4
    (f_nC, f_nH,) = U_II(b, p)
    p += 8
    return {"quorumSetHash": f_quorumSetHash, "ballot": f_ballot, "prepared": f_prepared, "preparedPrime": f_preparedPrime, "nC": f_nC, "nH": f_nH}, p


def d_SCPStatement__confirm(b: bytes, p: int) -> Any:
    f_ballot, p = d_SCPBallot(b, p)
    (f_nPrepared, f_nCommit, f_nH, f_quorumSetHash,) = U_III32s(b, p)
    p += 44
    return {"ballot": f_ballot, "nPrepared": f_nPrepared, "nCommit": f_nCommit, "nH": f_nH, "quorumSetHash": f_quorumSetHash}, p


def d_SCPStatement__externalize(b: bytes, p: int) -> Any:
    f_commit, p = d_SCPBallot(b, p)
    (f_nH, f_commitQuorumSetHash,) = U_I32s(b, p)
    p += 36
    return {"commit": f_commit, "nH": f_nH, "commitQuorumSetHash": f_commitQuorumSetHash}, p


def d_SCPNomination(b: bytes, p: int) -> Any:
    (f_quorumSetHash,) = U_32s(b, p)
    p += 32
    (n,) = U_I(b, p)
    p += 4
    f_votes = []
    for _ in range(n):
        (n,) = U_I(b, p)
        p += 4
        f_votes_x = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        f_votes.append(f_votes_x)
    (n,) = U_I(b, p)
    p += 4
    f_accepted = []
    for _ in range(n):
        (n,) = U_I(b, p)
        p += 4
        f_accepted_x = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        f_accepted.append(f_accepted_x)
    return {"quorumSetHash": f_quorumSetHash, "votes": f_votes, "accepted": f_accepted}, p


def d_AccountEntryExtensionV2(b: bytes, p: int) -> Any:
    (f_numSponsored, f_numSponsoring,) = U_II(b, p)
    p += 8
    (n,) = U_I(b, p)
    p += 4
    f_signerSponsoringIDs = []
    for _ in range(n):
        if U_I(b, p)[0]:
            p += 4
            f_signerSponsoringIDs_x, p = d_PublicKey(b, p)
        else:
            f_signerSponsoringIDs_x = None
            p += 4
        f_signerSponsoringIDs.append(f_signerSponsoringIDs_x)
    f_ext, p = d_AccountEntryExtensionV2_ext(b, p)
    return {"numSponsored": f_numSponsored, "numSponsoring": f_numSponsoring, "signerSponsoringIDs": f_signerSponsoringIDs, "ext": f_ext}, p


def d_TrustLineEntryExtensionV2(b: bytes, p: int) -> Any:
    (f_liquidityPoolUseCount,) = U_i(b, p)
    p += 4
    f_ext, p = d_TrustLineEntryExtensionV2_ext(b, p)
    return {"liquidityPoolUseCount": f_liquidityPoolUseCount, "ext": f_ext}, p


def d_ChangeTrustAsset(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_AlphaNum4(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_AlphaNum12(b, p)
        return (t, v), p
    if t == 3:
        v, p = d_LiquidityPoolParameters(b, p)
        return (t, v), p
    raise ValueError(f"ChangeTrustAsset {t} at byte {p - 4} is unknown")


def d_AssetCode(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 1:
        (v,) = U_4s(b, p)
        p += 4
        return (t, v), p
    if t == 2:
        (v,) = U_12s(b, p)
        p += 12
        return (t, v), p
    raise ValueError(f"AssetCode {t} at byte {p - 4} is unknown")


def d_RevokeSponsorshipOp_signer(b: bytes, p: int) -> Any:
    f_accountID, p = d_PublicKey(b, p)
    f_signerKey, p = d_SignerKey(b, p)
    return {"accountID": f_accountID, "signerKey": f_signerKey}, p


def d_HostFunction(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_InvokeContractArgs(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_CreateContractArgs(b, p)
        return (t, v), p
    if t == 2:
        (n,) = U_I(b, p)
        p += 4
        v = b[p : p + n]
        p += (n + 3) & -4
        if p > len(b):
            raise ValueError(f'{n} bytes at byte {p} are not all there')
        return (t, v), p
    if t == 3:
        v, p = d_CreateContractArgsV2(b, p)
        return (t, v), p
    raise ValueError(f"HostFunction {t} at byte {p - 4} is unknown")


def d_SorobanAuthorizationEntry(b: bytes, p: int) -> Any:
    f_credentials, p = d_SorobanCredentials(b, p)
    f_rootInvocation, p = d_SorobanAuthorizedInvocation(b, p)
    return {"credentials": f_credentials, "rootInvocation": f_rootInvocation}, p


def d_SorobanResourcesExtV0(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_archivedSorobanEntries = []
    for _ in range(n):
        (f_archivedSorobanEntries_x,) = U_I(b, p)
        p += 4
        f_archivedSorobanEntries.append(f_archivedSorobanEntries_x)
    return {"archivedSorobanEntries": f_archivedSorobanEntries}, p


def d_LedgerFootprint(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_readOnly = []
    f_readOnly_raw = []
    for _ in range(n):
        q = p
        f_readOnly_x, p = d_LedgerKey(b, p)
        f_readOnly.append(f_readOnly_x)
        f_readOnly_raw.append(b[q:p])
    (n,) = U_I(b, p)
    p += 4
    f_readWrite = []
    f_readWrite_raw = []
    for _ in range(n):
        q = p
        f_readWrite_x, p = d_LedgerKey(b, p)
        f_readWrite.append(f_readWrite_x)
        f_readWrite_raw.append(b[q:p])
    return {"readOnly": f_readOnly, "readOnly_raw": f_readOnly_raw, "readWrite": f_readWrite, "readWrite_raw": f_readWrite_raw}, p


def d_PathPaymentStrictReceiveResult_success(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_offers = []
    for _ in range(n):
        f_offers_x, p = d_ClaimAtom(b, p)
        f_offers.append(f_offers_x)
    f_last, p = d_SimplePaymentResult(b, p)
    return {"offers": f_offers, "last": f_last}, p


def d_ManageOfferSuccessResult(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_offersClaimed = []
    for _ in range(n):
        f_offersClaimed_x, p = d_ClaimAtom(b, p)
        f_offersClaimed.append(f_offersClaimed_x)
    f_offer, p = d_ManageOfferSuccessResult_offer(b, p)
    return {"offersClaimed": f_offersClaimed, "offer": f_offer}, p


def d_InflationPayout(b: bytes, p: int) -> Any:
    f_destination, p = d_PublicKey(b, p)
    (f_amount,) = U_q(b, p)
    p += 8
    return {"destination": f_destination, "amount": f_amount}, p


def d_PathPaymentStrictSendResult_success(b: bytes, p: int) -> Any:
    (n,) = U_I(b, p)
    p += 4
    f_offers = []
    for _ in range(n):
        f_offers_x, p = d_ClaimAtom(b, p)
        f_offers.append(f_offers_x)
    f_last, p = d_SimplePaymentResult(b, p)
    return {"offers": f_offers, "last": f_last}, p


def d_SCPBallot(b: bytes, p: int) -> Any:
    (f_counter,) = U_I(b, p)
    p += 4
    (n,) = U_I(b, p)
    p += 4
    f_value = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    return {"counter": f_counter, "value": f_value}, p


def d_AccountEntryExtensionV2_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 3:
        v, p = d_AccountEntryExtensionV3(b, p)
        return (t, v), p
    raise ValueError(f"AccountEntryExtensionV2_ext {t} at byte {p - 4} is unknown")


def d_TrustLineEntryExtensionV2_ext(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    raise ValueError(f"TrustLineEntryExtensionV2_ext {t} at byte {p - 4} is unknown")


def d_LiquidityPoolParameters(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_LiquidityPoolConstantProductParameters(b, p)
        return (t, v), p
    raise ValueError(f"LiquidityPoolParameters {t} at byte {p - 4} is unknown")


def d_InvokeContractArgs(b: bytes, p: int) -> Any:
    q = p
    f_contractAddress, p = d_SCAddress(b, p)
    f_contractAddress_raw = b[q:p]
    q = p
    (n,) = U_I(b, p)
    p += 4
    f_functionName = b[p : p + n]
    p += (n + 3) & -4
    if p > len(b):
        raise ValueError(f'{n} bytes at byte {p} are not all there')
    f_functionName_raw = b[q:p]
    (n,) = U_I(b, p)
    p += 4
    f_args = []
    f_args_raw = []
    for _ in range(n):
        q = p
        f_args_x, p = d_SCVal(b, p)
        f_args.append(f_args_x)
        f_args_raw.append(b[q:p])
    return {"contractAddress": f_contractAddress, "contractAddress_raw": f_contractAddress_raw, "functionName": f_functionName, "functionName_raw": f_functionName_raw, "args": f_args, "args_raw": f_args_raw}, p


def d_CreateContractArgs(b: bytes, p: int) -> Any:
    f_contractIDPreimage, p = d_ContractIDPreimage(b, p)
    f_executable, p = d_ContractExecutable(b, p)
    return {"contractIDPreimage": f_contractIDPreimage, "executable": f_executable}, p


def d_CreateContractArgsV2(b: bytes, p: int) -> Any:
    f_contractIDPreimage, p = d_ContractIDPreimage(b, p)
    f_executable, p = d_ContractExecutable(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_constructorArgs = []
    f_constructorArgs_raw = []
    for _ in range(n):
        q = p
        f_constructorArgs_x, p = d_SCVal(b, p)
        f_constructorArgs.append(f_constructorArgs_x)
        f_constructorArgs_raw.append(b[q:p])
    return {"contractIDPreimage": f_contractIDPreimage, "executable": f_executable, "constructorArgs": f_constructorArgs, "constructorArgs_raw": f_constructorArgs_raw}, p


def d_SorobanCredentials(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v = None
        return (t, v), p
    if t == 1:
        v, p = d_SorobanAddressCredentials(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_SorobanAddressCredentials(b, p)
        return (t, v), p
    if t == 3:
        v, p = d_SorobanAddressCredentialsWithDelegates(b, p)
        return (t, v), p
    raise ValueError(f"SorobanCredentials {t} at byte {p - 4} is unknown")


def d_SorobanAuthorizedInvocation(b: bytes, p: int) -> Any:
    f_function, p = d_SorobanAuthorizedFunction(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_subInvocations = []
    for _ in range(n):
        f_subInvocations_x, p = d_SorobanAuthorizedInvocation(b, p)
        f_subInvocations.append(f_subInvocations_x)
    return {"function": f_function, "subInvocations": f_subInvocations}, p


def d_ClaimAtom(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_ClaimOfferAtomV0(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_ClaimOfferAtom(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_ClaimLiquidityAtom(b, p)
        return (t, v), p
    raise ValueError(f"ClaimAtom {t} at byte {p - 4} is unknown")


def d_SimplePaymentResult(b: bytes, p: int) -> Any:
    f_destination, p = d_PublicKey(b, p)
    f_asset, p = d_Asset(b, p)
    (f_amount,) = U_q(b, p)
    p += 8
    return {"destination": f_destination, "asset": f_asset, "amount": f_amount}, p


def d_ManageOfferSuccessResult_offer(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t in (0, 1):
        v, p = d_OfferEntry(b, p)
        return (t, v), p
    if t == 2:
        v = None
        return (t, v), p
    raise ValueError(f"ManageOfferSuccessResult_offer {t} at byte {p - 4} is unknown")


def d_AccountEntryExtensionV3(b: bytes, p: int) -> Any:
    f_ext, p = d_ExtensionPoint(b, p)
    (f_seqLedger, f_seqTime,) = U_IQ(b, p)
    p += 12
    return {"ext": f_ext, "seqLedger": f_seqLedger, "seqTime": f_seqTime}, p


def d_ContractIDPreimage(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_ContractIDPreimage_fromAddress(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_Asset(b, p)
        return (t, v), p
    raise ValueError(f"ContractIDPreimage {t} at byte {p - 4} is unknown")


def d_SorobanAddressCredentials(b: bytes, p: int) -> Any:
    f_address, p = d_SCAddress(b, p)
    (f_nonce, f_signatureExpirationLedger,) = U_qI(b, p)
    p += 12
    f_signature, p = d_SCVal(b, p)
    return {"address": f_address, "nonce": f_nonce, "signatureExpirationLedger": f_signatureExpirationLedger, "signature": f_signature}, p


def d_SorobanAddressCredentialsWithDelegates(b: bytes, p: int) -> Any:
    f_addressCredentials, p = d_SorobanAddressCredentials(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_delegates = []
    for _ in range(n):
        f_delegates_x, p = d_SorobanDelegateSignature(b, p)
        f_delegates.append(f_delegates_x)
    return {"addressCredentials": f_addressCredentials, "delegates": f_delegates}, p


def d_SorobanAuthorizedFunction(b: bytes, p: int) -> Any:
    (t,) = U_i(b, p)
    p += 4
    if t == 0:
        v, p = d_InvokeContractArgs(b, p)
        return (t, v), p
    if t == 1:
        v, p = d_CreateContractArgs(b, p)
        return (t, v), p
    if t == 2:
        v, p = d_CreateContractArgsV2(b, p)
        return (t, v), p
    raise ValueError(f"SorobanAuthorizedFunction {t} at byte {p - 4} is unknown")


def d_ClaimOfferAtomV0(b: bytes, p: int) -> Any:
    (f_sellerEd25519, f_offerID,) = U_32sq(b, p)
    p += 40
    f_assetSold, p = d_Asset(b, p)
    (f_amountSold,) = U_q(b, p)
    p += 8
    f_assetBought, p = d_Asset(b, p)
    (f_amountBought,) = U_q(b, p)
    p += 8
    return {"sellerEd25519": f_sellerEd25519, "offerID": f_offerID, "assetSold": f_assetSold, "amountSold": f_amountSold, "assetBought": f_assetBought, "amountBought": f_amountBought}, p


def d_ClaimOfferAtom(b: bytes, p: int) -> Any:
    f_sellerID, p = d_PublicKey(b, p)
    (f_offerID,) = U_q(b, p)
    p += 8
    f_assetSold, p = d_Asset(b, p)
    (f_amountSold,) = U_q(b, p)
    p += 8
    f_assetBought, p = d_Asset(b, p)
    (f_amountBought,) = U_q(b, p)
    p += 8
    return {"sellerID": f_sellerID, "offerID": f_offerID, "assetSold": f_assetSold, "amountSold": f_amountSold, "assetBought": f_assetBought, "amountBought": f_amountBought}, p


def d_ClaimLiquidityAtom(b: bytes, p: int) -> Any:
    (f_liquidityPoolID,) = U_32s(b, p)
    p += 32
    f_assetSold, p = d_Asset(b, p)
    (f_amountSold,) = U_q(b, p)
    p += 8
    f_assetBought, p = d_Asset(b, p)
    (f_amountBought,) = U_q(b, p)
    p += 8
    return {"liquidityPoolID": f_liquidityPoolID, "assetSold": f_assetSold, "amountSold": f_amountSold, "assetBought": f_assetBought, "amountBought": f_amountBought}, p


def d_ContractIDPreimage_fromAddress(b: bytes, p: int) -> Any:
    f_address, p = d_SCAddress(b, p)
    (f_salt,) = U_32s(b, p)
    p += 32
    return {"address": f_address, "salt": f_salt}, p


def d_SorobanDelegateSignature(b: bytes, p: int) -> Any:
    f_address, p = d_SCAddress(b, p)
    f_signature, p = d_SCVal(b, p)
    (n,) = U_I(b, p)
    p += 4
    f_nestedDelegates = []
    for _ in range(n):
        f_nestedDelegates_x, p = d_SorobanDelegateSignature(b, p)
        f_nestedDelegates.append(f_nestedDelegates_x)
    return {"address": f_address, "signature": f_signature, "nestedDelegates": f_nestedDelegates}, p
