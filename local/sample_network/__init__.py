"""A network of generated ledgers, so that everything runs offline.

`python -m local.sample_network --out DIR` writes a lake of valid, hash-chained ledgers with signed transactions. The
same arguments give the same bytes. `encode` packs XDR, `engine` applies transactions to a state, `scenario` decides who
does what, `lake` writes the files.
"""
