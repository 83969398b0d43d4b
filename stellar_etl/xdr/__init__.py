"""Stellar's XDR as plain Python values.

This package is the one boundary between bytes and transforms. The decoders in `generated.py` are made by
`python -m stellar_etl.xdr.generate` from the definitions that `stellar-sdk` carries; nothing else reads XDR. They
give, for each kind of type:

- a struct: a dict by XDR field name, and for the types and fields listed in `generate.py` their encoded bytes too
  (`raw`, or `{field}_raw`), so that hashes and base64 columns need no encoding;
- a union: a tuple `(discriminant, value)`, and `(discriminant, value, raw)` where the encoded bytes are kept;
- an enum: its integer; its names are in `names.py`;
- opaque data and strings: bytes; an optional value: the value or None; an array: a list.
"""

from stellar_etl.xdr.decode import XdrError, decode_batch, decode_bucket_entry, decode_header, decode_ledger

__all__ = ["XdrError", "decode_batch", "decode_bucket_entry", "decode_header", "decode_ledger"]
