"""A ledger at a time: transactions into a set, applied in the network's order, under a header that chains them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from local.sample_network.apply import Application, Applied
from local.sample_network.buckets import HotArchiveBucketList, LiveBucketList, archive_changes, live_changes
from local.sample_network.config import FEE_WRITE_1KB, Upgrade
from local.sample_network.encode import ZERO, account_id, array, i32, i64, opaque, present, u32, u64
from local.sample_network.entries import Account, Entry, Ttl
from local.sample_network.host import persists
from local.sample_network.keys import NETWORK, PASSPHRASE, public_key, sha256, sign
from local.sample_network.run import Chain
from local.sample_network.state import State
from local.sample_network.transactions import Request, Signed, signed

TOTAL_COINS = 8_000_000_000_000_000
"""Stroops. Below 9 * 10^15, so that every sum is exact in a FLOAT column."""

SCAN_PERIOD = 4
"""Ledgers from one search for expired entries to the next."""

CLUSTERS = 3
"""Of calls that must not run at once, in one stage."""


class Engine:
    """The network's state and its chain.

    Attributes:
        chain: the values that headers carry on.
        state: every live entry.
        archive: entries that expired and were evicted, by ledger key.
        live: the bucket list of the state.
        hot_archive: the bucket list of the archive.
        header: the last closed ledger's, as `LedgerHeaderHistoryEntry`.
    """

    def __init__(self, first_ledger: int) -> None:
        """The state before the first ledger: one account has all lumens, created in the ledger before."""
        self.chain = Chain(sequence=first_ledger - 1)
        root = Account(owner=public_key("root"), balance=TOTAL_COINS, sequence=0, modified=1)
        self.state = State(self.chain.sequence, [root])
        self.archive: dict[bytes, Entry] = {}
        self.live, self.hot_archive = LiveBucketList(), HotArchiveBucketList()
        self.header = b""
        self._previous = sha256(f"{PASSPHRASE}/genesis".encode())
        self._bucket_list = self._settled({})
        self._skips = [bytes(32)] * 4

    def close(self, requests: Sequence[Request], upgrades: Sequence[Upgrade], close_time: int) -> bytes:
        """Close a ledger with these transactions; return `LedgerCloseMeta`."""
        self.chain.sequence += 1
        self.chain.close_time = close_time
        self.state.ledger = self.chain.sequence
        archived = dict(self.archive)
        made = self._signed(requests)
        stages = _stages([one for one in made if one.request.contract])
        classic = [one for one in made if not one.request.contract]
        tx_set = self._tx_set(classic, stages)
        ordered = _in_order(classic, stages, sha256(tx_set))
        applied = self._apply(ordered)
        processing = [
            ZERO + one.signed.digest + done.result + one.fee_changes + done.meta + done.refund for one, done in applied
        ]
        upgraded = [upgrade.apply(self.state, self.chain) for upgrade in upgrades]
        evicted = self._evict()
        self._bucket_list = self._settled(archived)
        results = array(one.signed.digest + done.result for one, done in applied)
        header = self._header(sha256(tx_set), upgrades, sha256(results))
        digest = sha256(header)
        self._previous = digest
        self.header = digest + header + ZERO
        return (
            u32(2)
            + (u32(1) + ZERO + i64(FEE_WRITE_1KB))
            + self.header
            + tx_set
            + array(processing)
            + array(upgraded)
            + ZERO  # consensus messages
            + u64(self.state.soroban_size)
            + array(evicted)
        )

    # Transactions ------------------------------------------------------------------------------------------------

    def _signed(self, requests: Sequence[Request]) -> list[Signed]:
        """Sign transactions, those of one source with one sequence number after the other."""
        taken: Counter[bytes] = Counter()
        made = []
        # Contract calls are applied last.
        for request in sorted(requests, key=lambda request: request.contract is not None):
            source = request.source.key
            account = self.state.account(source)
            sequence = request.sequence
            if sequence is None:
                assert account is not None
                taken[source] += 1
                sequence = account.sequence + taken[source]
            made.append(signed(request, sequence, self.chain.close_time))
        return made

    def _apply(self, ordered: Sequence[Signed]) -> list[tuple[Application, Applied]]:
        """Charge all fees, run all transactions, then refund the rest of contract calls' fees."""
        made = [Application(one, self.state, self.chain, self.archive) for one in ordered]
        for application in made:
            application.charge()
        for application in made:
            application.run()
        done = [(application, application.finish()) for application in made]
        for key in [key for key in self.archive if key in self.state.entries]:
            del self.archive[key]
        return done

    def _evict(self) -> list[bytes]:
        """Remove expired entries: delete temporary ones, archive the others; return the ledger keys."""
        if self.chain.sequence % SCAN_PERIOD:
            return []
        keys = []
        for ttl in [entry for entry in self.state.entries.values() if isinstance(entry, Ttl)]:
            if ttl.live_until >= self.chain.sequence:
                continue
            if persists(ttl.of):
                self.archive[ttl.of] = self.state.entries[ttl.of]
            for key in (ttl.of, ttl.key):
                self.state.remove(key)
                keys.append(key)
        return keys

    def _settled(self, archived: Mapping[bytes, Entry]) -> bytes:
        """Put the ledger's changes into the buckets; return the header's hash of them.

        Args:
            archived: the archive before the ledger.
        """
        sequence, protocol = self.chain.sequence, self.chain.protocol
        self.live.add(sequence, protocol, live_changes(self.state.settle(), self.state.entries))
        self.hot_archive.add(sequence, protocol, archive_changes(archived, self.archive))
        return sha256(self.live.digest + self.hot_archive.digest)

    # The set and the header --------------------------------------------------------------------------------------

    def _tx_set(self, classic: Sequence[Signed], stages: list[list[list[Signed]]]) -> bytes:
        """`GeneralizedTransactionSet`: a classic phase, and one of contract calls that may run in parallel (CAP-63)."""
        fee = present(i64(self.chain.base_fee))
        component = i32(0) + fee + array(one.envelope for one in sorted(classic, key=lambda one: one.place))
        calls = array(array(array(one.envelope for one in cluster) for cluster in stage) for stage in stages)
        phases = [ZERO + array([component] if classic else []), u32(1) + fee + calls]
        return u32(1) + self._previous + array(phases)

    def _header(self, tx_set: bytes, upgrades: Sequence[Upgrade], results: bytes) -> bytes:
        """`LedgerHeader`, its value signed by the one validator."""
        chain, validator = self.chain, public_key("validator")
        signature = sign(validator, NETWORK + i32(4) + tx_set + u64(chain.close_time))
        value = (
            tx_set
            + u64(chain.close_time)
            + array(opaque(upgrade.xdr) for upgrade in upgrades)
            + (i32(1) + account_id(validator) + opaque(signature))
        )
        if chain.sequence % 50 == 0:
            # As stellar-core does it; its third and fourth hash need more ledgers than this network makes.
            if chain.sequence % 5000 == 50:
                self._skips[1] = self._skips[0]
            self._skips[0] = self._bucket_list
        return (
            u32(chain.protocol)
            + self._previous
            + value
            + results
            + self._bucket_list
            + u32(chain.sequence)
            + i64(TOTAL_COINS)
            + i64(chain.fee_pool)
            + u32(0)
            + u64(chain.id_pool)
            + u32(chain.base_fee)
            + u32(chain.base_reserve)
            + u32(chain.max_tx_set_size)
            + b"".join(self._skips)
            + ZERO
        )


def _stages(calls: list[Signed]) -> list[list[list[Signed]]]:
    """Calls in stages of clusters: calls with common entries of which one writes share a cluster."""
    clusters: list[list[Signed]] = []
    for call in sorted(calls, key=lambda one: one.place):
        touching = [cluster for cluster in clusters if any(_conflict(call, other) for other in cluster)]
        merged = sorted([call, *(one for cluster in touching for one in cluster)], key=lambda one: one.place)
        clusters = [*(cluster for cluster in clusters if cluster not in touching), merged]
    clusters.sort(key=lambda cluster: cluster[0].place)
    return [clusters[start : start + CLUSTERS] for start in range(0, len(clusters), CLUSTERS)]


def _conflict(one: Signed, other: Signed) -> bool:
    assert one.request.contract is not None
    assert other.request.contract is not None
    read, written = map(set, one.request.contract.touched)
    other_read, other_written = map(set, other.request.contract.touched)
    same_source = one.request.source.key == other.request.source.key
    return same_source or bool(written & (other_read | other_written) or read & other_written)


def _in_order(classic: list[Signed], stages: list[list[list[Signed]]], tx_set: bytes) -> list[Signed]:
    """The order in which transactions are applied: shuffled by the set's hash, each source's own in their order."""

    def shuffled(one: Signed) -> int:
        return int.from_bytes(one.place, "big") ^ int.from_bytes(tx_set, "big")

    rounds: dict[int, list[Signed]] = defaultdict(list)
    seen: Counter[bytes] = Counter()
    for one in sorted(classic, key=lambda one: one.sequence):
        rounds[seen[one.request.source.key]].append(one)
        seen[one.request.source.key] += 1
    ordered = [one for number in sorted(rounds) for one in sorted(rounds[number], key=shuffled)]
    run = [
        sorted((sorted(cluster, key=shuffled) for cluster in stage), key=lambda cluster: shuffled(cluster[0]))
        for stage in stages
    ]
    run.sort(key=lambda stage: shuffled(stage[0][0]))
    return ordered + [one for stage in run for cluster in stage for one in cluster]
