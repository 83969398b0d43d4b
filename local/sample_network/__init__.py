"""A network of generated ledgers, so that everything runs offline.

`python -m local.sample_network --out DIR` writes a lake of valid, hash-chained ledgers with signed transactions of
every operation type, and `state.json`: the network's state after the last of them. Beside it, it writes a history
archive: for each checkpoint (ledgers 63, 127, ...) the headers, and the state in buckets. A lake without a
checkpoint has an empty archive. The same arguments give the same bytes.

`encode` and `scval` pack XDR; `entries` and `state` have the network's state; `run` and `operations` have the
operations, `funds`, `exchange`, `orderbook` and `host` their helpers; `transactions` signs, `apply` takes a transaction
from fee to result, `buckets` store its changes, `engine` closes ledgers; `scenario` chooses the transactions; `lake`,
`archive` and `final_state` write the files, into a folder that `folder` has checked.

Simpler than a real network: the bucket lists begin in the ledger before the first, with the one account that has all
lumens; expired entries are found in the state, not in the buckets; the archive has no transactions, results
and consensus messages; contracts are a few functions written here, not Wasm; they cost a flat fee, and rent
grows with size and time by one divisor; a failed operation has no effect on those after it; either a pool or a book
serves a whole hop of a path.
"""
