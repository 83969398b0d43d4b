"""Helpers of stories: names for keys, units, and short forms of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from local.sample_network.config import Upgrade
from local.sample_network.encode import NATIVE, credit
from local.sample_network.engine import Engine
from local.sample_network.entries import Account, Offer
from local.sample_network.keys import public_key
from local.sample_network.operations.payments import CreateAccount, Payment
from local.sample_network.operations.trust import ChangeTrust
from local.sample_network.run import Operation, Party
from local.sample_network.transactions import Request

XLM = 10_000_000
"""Stroops of one lumen, and of one of any credit."""

LIMIT = 1_000_000 * XLM
"""Of a trust line: with some hundred accounts, every asset's sum stays far below 9 * 10^15."""

Step = Sequence[Request | Upgrade]
"""A story's step in one ledger."""

Story = Callable[["Cast"], Iterator[Step]]


@dataclass(frozen=True)
class Cast:
    """The actors of one repetition of a story: each repetition has other accounts."""

    engine: Engine
    telling: str

    def key(self, role: str) -> bytes:
        """An actor's public key."""
        return public_key(f"{self.telling} {role}")

    def party(self, role: str, number: int | None = None) -> Party:
        """An actor in the form of transactions."""
        return Party(self.key(role), number)

    def asset(self, code: str, role: str = "issuer") -> bytes:
        """A credit of an actor."""
        return credit(code, self.key(role))

    def account(self, role: str) -> Account:
        """An actor's account."""
        found = self.engine.state.account(self.key(role))
        assert found is not None
        return found

    def offers(self, role: str) -> list[Offer]:
        """An actor's offers, the oldest first."""
        books = self.engine.state.books.values()
        owned = (offer for book in books for offer in book.values() if offer.seller == self.key(role))
        return sorted(owned, key=lambda offer: offer.number)

    def does(
        self,
        role: str,
        *operations: Operation,
        expected: tuple[int, ...] | int = (),
        number: int | None = None,
        **more: Any,
    ) -> Request:
        """A transaction of an actor; all its operations succeed unless other codes are expected."""
        codes = (0,) * len(operations) if expected == () else expected
        return Request(source=self.party(role, number), operations=operations, expected=codes, **more)

    def found(self, *roles: str, amount: int = 1_000 * XLM) -> Request:
        """Accounts for actors, by the network's first account."""
        made = tuple(CreateAccount(self.key(role), amount) for role in roles)
        return Request(source=Party(public_key("root")), operations=made, expected=(0,) * len(made))

    def pays(self, role: str, amount: int, asset: bytes = NATIVE) -> Payment:
        """A payment to an actor."""
        return Payment(self.party(role), asset, amount)

    def endow(self, asset: bytes, issuer: str, *holders: str, amount: int = 10_000 * XLM) -> Iterator[Step]:
        """Trust lines for holders, then some of the asset for each."""
        yield [self.does(holder, ChangeTrust(asset, LIMIT)) for holder in holders]
        yield [self.does(issuer, *(self.pays(holder, amount, asset) for holder in holders))]
