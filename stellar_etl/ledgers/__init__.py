"""Ledgers as values: transactions, operations, changes of entries, keys."""
