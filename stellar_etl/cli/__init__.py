"""The command line."""

from __future__ import annotations

from stellar_etl.cli.commands import main

__all__ = ["main"]
