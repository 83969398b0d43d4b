"""Comparison of this exporter's rows with the reference exporter's: ledgers, rows, and deliberate differences."""
