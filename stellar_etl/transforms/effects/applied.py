"""An operation with its changes, and the details that effects of several families share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stellar_etl.ledgers.ledger import Operation
from stellar_etl.transforms.effects.effect import Account, Details
from stellar_etl.transforms.shared.operation_changes import EntryChange
from stellar_etl.transforms.shared.values import amount_text, asset_canonical, asset_details


@dataclass(slots=True)
class AppliedOperation:
    """An operation of a successful transaction, with its changes.

    Attributes:
        operation: the operation.
        body: the operation's content.
        source: its source account.
        changes: its changes of the entries that have effects, by ledger key.
    """

    operation: Operation
    body: Any
    source: Account
    changes: list[EntryChange]

    def of(self, type_: int) -> Iterator[EntryChange]:
        """The changes of one type of entry."""
        return (change for change in self.changes if change.type == type_)


def first(contents: Iterator[Any], what: str) -> Any:
    """Return the first content.

    Raises:
        ValueError: it does not exist; the message names `what`.
    """
    for content in contents:
        return content
    raise ValueError(f"its changes contain no {what}")


def outcome(change: EntryChange) -> str:
    """Return `created`, `updated` or `removed`."""
    if change.before is None:
        return "created"
    return "removed" if change.after is None else "updated"


def money_details(stroops: int, asset: tuple[int, Any]) -> Details:
    """Return an amount with the columns of its asset."""
    return {"amount": amount_text(stroops), **asset_details(asset, with_id=False)}


def asset_amount(asset: tuple[int, Any], stroops: int) -> Details:
    """Return an amount with its asset as one text."""
    return {"asset": asset_canonical(asset), "amount": amount_text(stroops)}


def flags_details(known: dict[int, str], set_: int | None, cleared: int | None) -> Details:
    """Return True for each known flag that is set, False for each that is cleared."""
    made = {name: True for flag, name in known.items() if set_ and set_ & flag}
    made.update((name, False) for flag, name in known.items() if cleared and cleared & flag)
    return made
