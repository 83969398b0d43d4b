"""One transaction: its fee, its signatures, its operations, its result and meta."""

from __future__ import annotations

from dataclasses import dataclass, replace

from local.sample_network import scval
from local.sample_network.encode import NATIVE, ZERO, array, ed25519_signer, i32, i64, optional, pre_authorized, u32
from local.sample_network.entries import Account, Entry
from local.sample_network.keys import contract_of
from local.sample_network.operations.accounts import remove_signer
from local.sample_network.operations.contracts import ContractOperation
from local.sample_network.run import Chain, Failed, Operation, Run
from local.sample_network.state import State
from local.sample_network.transactions import NON_REFUNDABLE, Signed

SUCCESS, FAILED, BAD_SEQ, BAD_AUTH, NO_ACCOUNT, BAD_AUTH_EXTRA, BAD_SPONSORSHIP = 0, -1, -5, -6, -8, -10, -14
BUMP_SUCCESS, BUMP_FAILED = 1, -13

EVENT_BYTES = 8
"""Bytes of events that one stroop pays for."""


class Unexpected(Exception):  # noqa: N818
    """A story had another result than expected: the scenario is wrong."""


@dataclass(frozen=True)
class _Outcome:
    """A transaction whose operations ran.

    Attributes:
        coded: its result code, with the operations' results.
        meta: its meta up to the events.
        refund: the refund in stroops.
        diagnostics: its diagnostic events.
    """

    coded: bytes
    meta: bytes
    refund: int
    diagnostics: bytes


@dataclass(frozen=True)
class Applied:
    """The result of a transaction.

    Attributes:
        result: `TransactionResult`.
        meta: `TransactionMeta`.
        refund: `LedgerEntryChanges` of the refund after all transactions.
    """

    result: bytes
    meta: bytes
    refund: bytes


@dataclass
class Application:
    """A transaction in a ledger: charged, then run, then refunded."""

    signed: Signed
    state: State
    chain: Chain
    archive: dict[bytes, Entry]
    fee: int = 0
    fee_changes: bytes = ZERO
    _outcome: _Outcome | None = None

    def charge(self) -> None:
        """Take the fee, before any transaction of the ledger runs."""
        account = self.state.account(self.signed.payer)
        assert account is not None
        self.fee = self.signed.fee(self.chain.base_fee)
        self.fee_changes = self._pay(-self.fee)

    def _pay(self, amount: int) -> bytes:
        account = self.state.account(self.signed.payer)
        if account is None:
            return ZERO
        with self.state.attempt() as attempt:
            self.state.put(replace(account, balance=account.balance + amount))
            self.chain.fee_pool -= amount
            return self.state.changes(attempt)

    # Before the operations ---------------------------------------------------------------------------------------

    def _refused(self, run: Run) -> int:
        """The error code of the whole transaction, 0 if it can run: then its sequence number is used."""
        request, source = self.signed.request, self.signed.request.source.key
        account = self.state.account(source)
        if account is None:
            return NO_ACCOUNT
        least = request.conditions.least_sequence
        fits = account.sequence == self.signed.sequence - 1
        if least is not None:
            fits = least <= account.sequence < self.signed.sequence
        if not fits:
            return BAD_SEQ
        raised = replace(
            account,
            sequence=self.signed.sequence,
            sequence_ledger=self.chain.sequence,
            sequence_time=self.chain.close_time,
            level=3,
        )
        self.state.put(raised)
        return self._unsigned(run)

    def _unsigned(self, run: Run) -> int:
        request, used = self.signed.request, set[bytes]()
        refused = 0
        if not self._weighs(request.source.key, 1, used) or not self.signed.signs.issuperset(
            request.conditions.extra_signers
        ):
            refused = BAD_AUTH
        used.update(request.conditions.extra_signers)
        sources = {(operation.source or request.source).key: None for operation in request.operations}
        carried = [
            self._weighs((operation.source or request.source).key, operation.needs, used)
            for operation in request.operations
        ]
        if not refused and not all(carried):
            refused = FAILED
        if not refused and self.signed.signs - used:
            refused = BAD_AUTH_EXTRA
        # A transaction removes a signer that is its hash (CAP-21: for any result).
        for owner in {request.source.key: None, **sources}:
            account = self.state.account(owner)
            for signer in account.signers if account else ():
                if signer.key == pre_authorized(self.signed.inner):
                    remove_signer(run, owner, signer)
        return refused

    def _weighs(self, owner: bytes, needed: int, used: set[bytes]) -> bool:
        """Whether the signatures reach an account's threshold; a missing account needs its own key."""
        account = self.state.account(owner) or Account(owner=owner, balance=0, sequence=0)
        weights = {ed25519_signer(owner): account.thresholds[0]}
        weights |= {signer.key: signer.weight for signer in account.signers}
        weight = 0
        for key in sorted(self.signed.signs | {pre_authorized(self.signed.inner)}):
            if weights.get(key):
                weight += weights[key]
                used.add(key)
        return weight >= max(account.thresholds[needed], 1)

    # The operations ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run it, after all fees were taken."""
        request = self.signed.request
        run = Run(
            self.state,
            self.chain,
            (request.source.key, self.signed.sequence),
            self.archive,
            memo=request.memo.event_value,
        )
        code, before = self._before(run)
        results: list[bytes] = []
        metas: list[bytes] = []
        if code == FAILED:
            results = [i32(-1) for _ in request.operations]  # opBAD_AUTH
        elif code == SUCCESS:
            code = self._operations(run, results, metas)
        self._compare(code, results)
        soroban_meta = ZERO
        refund = 0
        if request.contract is not None:
            consumed = _consumed(run) if code == SUCCESS else 0
            refund = request.resource_fee - NON_REFUNDABLE - consumed
            soroban_meta = u32(1) + self._contract_meta(run, code, consumed)
        with_results = array(results) if code in (SUCCESS, FAILED) else b""
        meta = before + array(metas) + ZERO + soroban_meta
        self._outcome = _Outcome(i32(code) + with_results, meta, refund, array(run.diagnostics))

    def _before(self, run: Run) -> tuple[int, bytes]:
        """Check sequence number and signatures; return the error code and the changes."""
        encoded = []
        if self.signed.request.fee_source is not None:
            with self.state.attempt() as attempt:
                account = self.state.account(self.signed.payer)
                assert account is not None
                self.state.put(account)
                encoded.append(self.state.changes(attempt))
        with self.state.attempt() as attempt:
            code = self._refused(run)
            encoded.append(self.state.changes(attempt))
        count = sum(int.from_bytes(changes[:4], "big") for changes in encoded)
        return code, u32(count) + b"".join(changes[4:] for changes in encoded)

    def _operations(self, run: Run, results: list[bytes], metas: list[bytes]) -> int:
        """Run the operations; return the transaction's code."""
        request, id_pool, code = self.signed.request, self.chain.id_pool, SUCCESS
        with self.state.attempt() as attempt:
            for index, operation in enumerate(request.operations):
                run.operation, run.source, run.events = index, operation.source or request.source, []
                results.append(self._operation(run, index, metas))
            if len(metas) < len(results):
                code = FAILED
            elif run.sponsors:
                code = BAD_SPONSORSHIP
            attempt.undone = code != SUCCESS
        if code != SUCCESS:
            self.chain.id_pool = id_pool
            metas.clear()
        return code

    def _operation(self, run: Run, index: int, metas: list[bytes]) -> bytes:
        """Run one operation; return its result, and add its meta if it succeeds."""
        operation = self.signed.request.operations[index]
        head = i32(0) + i32(operation.number)
        try:
            with self.state.attempt() as attempt:
                result = self._done(run, operation)
                changes = self.state.changes(attempt)
        except Failed as failure:
            return i32(failure.code) if failure.outer else head + i32(failure.code) + failure.payload
        metas.append(ZERO + changes + array(run.events))
        return head + i32(0) + result

    def _done(self, run: Run, operation: Operation) -> bytes:
        """Run an operation; return the content of its successful result.

        Raises:
            Failed: it can't be done.
        """
        if self.state.account(run.source.key) is None:
            raise Failed(-2, outer=True)  # opNO_ACCOUNT
        result = operation.apply(run)
        if (
            isinstance(operation, ContractOperation)
            and _consumed(run) > self.signed.request.resource_fee - NON_REFUNDABLE
        ):
            raise Failed(operation.insufficient)
        return result

    def _compare(self, code: int, results: list[bytes]) -> None:
        expected = self.signed.request.expected
        if expected is None:
            return
        codes = tuple(_code(result) for result in results)
        if isinstance(expected, int) and code == expected:
            return
        if expected != codes:
            request = self.signed.request
            names = ", ".join(type(operation).__name__ for operation in request.operations)
            raise Unexpected(
                f"ledger {self.chain.sequence}: a transaction of {names} ended with {code} {codes}, not {expected}"
            )

    def _contract_meta(self, run: Run, code: int, consumed: int) -> bytes:
        """`SorobanTransactionMetaV2`."""
        rent = run.rent if code == SUCCESS else 0
        fees = u32(1) + ZERO + i64(NON_REFUNDABLE) + i64(consumed) + i64(rent)
        return fees + optional(run.returned if code == SUCCESS else None)

    # After all transactions --------------------------------------------------------------------------------------

    def finish(self) -> Applied:
        """Refund the rest of the fee; return the complete result and meta."""
        outcome = self._outcome
        assert outcome is not None
        changes = self._pay(outcome.refund) if outcome.refund else ZERO
        charged = self.fee - (outcome.refund if changes != ZERO else 0)
        events = [u32(0) + self._fee_event(self.fee)]
        if charged != self.fee:
            events.append(u32(2) + self._fee_event(charged - self.fee))
        whole = u32(4) + ZERO + outcome.meta + array(events) + outcome.diagnostics
        if self.signed.request.fee_source is None:
            return Applied(i64(charged) + outcome.coded + ZERO, whole, changes)
        code = BUMP_SUCCESS if outcome.coded[:4] == i32(SUCCESS) else BUMP_FAILED
        inner = self.signed.inner + i64(0) + outcome.coded + ZERO
        return Applied(i64(charged) + i32(code) + inner + ZERO, whole, changes)

    def _fee_event(self, amount: int) -> bytes:
        topics = [scval.symbol("fee"), scval.address(scval.of_account(self.signed.payer))]
        return scval.contract_event(contract_of(NATIVE), topics, scval.i128(amount))


def _consumed(run: Run) -> int:
    """The stroops of the refundable fee that rent and events use."""
    return run.rent + sum(map(len, run.events)) // EVENT_BYTES


def _code(result: bytes) -> int:
    """The code of an operation's result, its frame's code if that failed."""
    outer = int.from_bytes(result[:4], "big", signed=True)
    return outer or int.from_bytes(result[8:12], "big", signed=True)
