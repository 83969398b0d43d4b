"""Exports: the exporter's arguments, its manifest, and where its files are stored."""
