"""The common part of all ledger entries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from local.sample_network.encode import ZERO, account_id, optional, u32


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Any ledger entry.

    Attributes:
        modified: the ledger that changed it last.
        sponsor: the sponsor of its reserve, None if the owner pays.
        extended: whether it ever had a sponsor; the form that can name one stays.
    """

    modified: int = 0
    sponsor: bytes | None = None
    extended: bool = False
    plural: ClassVar[str]

    @cached_property
    def key(self) -> bytes:
        """`LedgerKey`."""
        raise NotImplementedError

    @cached_property
    def content(self) -> bytes:
        """`LedgerEntryData` without its type."""
        raise NotImplementedError

    @cached_property
    def xdr(self) -> bytes:
        """`LedgerEntry`."""
        sponsored = self.extended or self.sponsor is not None
        sponsor = None if self.sponsor is None else account_id(self.sponsor)
        extension = u32(1) + optional(sponsor) + ZERO if sponsored else ZERO
        return u32(self.modified) + self.key[:4] + self.content + extension

    @property
    def fields(self) -> dict[str, Any]:
        """Its readable form: amounts in stroops, keys as StrKeys."""
        raise NotImplementedError
