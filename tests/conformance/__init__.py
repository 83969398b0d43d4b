"""Rows of this exporter against rows of the reference exporter: ledgers, rows, and where they differ on purpose."""
