"""From ledgers to rows: one module per table, and the registry of them."""
