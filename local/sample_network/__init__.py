"""A network of generated ledgers, so that everything runs offline.

`python -m local.sample_network --out DIR` writes a lake of valid, hash-chained ledgers with signed transactions of
every operation type, and `state.json`: what the network holds after the last of them. Beside it, it writes a history
archive: of each checkpoint (ledgers 63, 127, ...) the headers, and the state in buckets; of a lake that reaches none,
nothing. The same arguments give the same bytes.

`encode` and `scval` pack XDR; `entries` and `state` hold what the network knows; `run` and `operations` are what
transactions do to it, `funds`, `exchange`, `orderbook` and `host` what they do it with; `transactions` signs, `apply`
takes a transaction from fee to result, `buckets` keep what it changed, `engine` closes ledgers; `scenario` decides who
does what; `lake`, `archive` and `final_state` write the files, into what `folder` lets them.

Simpler than a real network: the bucket lists begin in the ledger before the first, with the one account that holds
every lumen; what expires is found by going through the state, not the buckets; the archive has no transactions, results
and consensus messages; contracts are a few functions written here, not Wasm; what they cost is a flat fee, and rent
grows with size and time by one divisor; an operation that fails leaves nothing behind for those after it; a pool or a
book serves a hop of a path whole.
"""
