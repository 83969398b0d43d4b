"""Everyday traffic: accounts that pay and trade with each other, with some failures."""

from __future__ import annotations

import random
from collections.abc import Iterator

from local.sample_network import scval
from local.sample_network.encode import NATIVE, credit, issuer_of
from local.sample_network.engine import Engine
from local.sample_network.entries import Offer, Trustline, trustline_key
from local.sample_network.host import instance_key
from local.sample_network.keys import contract_of, public_key
from local.sample_network.operations.contracts import AssetCall
from local.sample_network.operations.offers import ManageBuyOffer, ManageSellOffer
from local.sample_network.operations.payments import CreateAccount, PathPaymentStrictSend, Payment
from local.sample_network.operations.trust import ChangeTrust
from local.sample_network.run import Operation, Party
from local.sample_network.scenario.cast import LIMIT, XLM
from local.sample_network.transactions import Request, memo_text

ISSUERS = ("bank", "mint", "market")
ASSETS = tuple(
    credit(code, public_key(issuer))
    for code, issuer in (("USD", "bank"), ("EUR", "bank"), ("GOLD", "mint"), ("MARKETPOINTS", "market"))
)
MAX_ACCOUNTS = 400
MOST_OFFERS = 3
"""The most offers of an account; beyond that it deletes the oldest one."""

MEMOS = ("", "", "", "rent", "<tea> & cake", "Grüße", "invoice 7")
NOBODY = Party(public_key("nobody"))


class People:
    """The accounts of the everyday traffic, and their next transactions."""

    def __init__(self, engine: Engine, dice: random.Random, size: int) -> None:
        self.engine = engine
        self.dice = dice
        self.size = size
        self.keys: list[bytes] = []
        self._offers: dict[bytes, list[Offer]] = {}

    def found(self) -> list[Request]:
        """Create the accounts of the issuers and the first others."""
        self.keys = [self._key(number) for number in range(min(max(self.size, 4), 97))]
        founded = [*map(public_key, ISSUERS), *self.keys]
        operations = tuple(CreateAccount(key, 10_000 * XLM) for key in founded)
        return [Request(source=Party(public_key("root")), operations=operations)]

    @staticmethod
    def _key(number: int) -> bytes:
        return public_key(f"person {number}")

    def requests(self, count: int, number: int) -> list[Request]:
        """Return a number of transactions, at most one per source; every fourth ledger the issuers pay out."""
        self._offers = {}
        for book in self.engine.state.books.values():
            for offer in book.values():
                self._offers.setdefault(offer.seller, []).append(offer)
        made = list(self._deliveries()) if number % 4 == 3 else []
        if len(self.keys) < min(MAX_ACCOUNTS, max(20, 3 * self.size)):
            made.insert(0, self._settle())
        busy = self.dice.sample(self._present(), min(max(count - len(made), 0), len(self._present())))
        return [*made, *map(self._request, busy)][:count]

    def _present(self) -> list[bytes]:
        """The existing accounts."""
        return [key for key in self.keys if self.engine.state.account(key)]

    def _settle(self) -> Request:
        """A new account, paid by root."""
        key = self._key(len(self.keys))
        self.keys.append(key)
        amount = self.dice.randint(50, 5_000) * XLM
        return Request(source=Party(public_key("root")), operations=(CreateAccount(key, amount),))

    def _request(self, source: bytes) -> Request:
        if lives_native(self.engine) and self.dice.random() < 0.05:
            return Request(source=Party(source), operations=(self._call(source),))
        count = self.dice.choice((1, 1, 1, 2, 3))
        operations = tuple(self._operation(source) for _ in range(count))
        return Request(source=Party(source), operations=operations, memo=memo_text(self.dice.choice(MEMOS)))

    def _call(self, source: bytes) -> Operation:
        """A payment of lumens through their contract."""
        amount = self.dice.randint(1, XLM)
        return AssetCall(NATIVE, "transfer", scval.of_account(source), scval.of_account(self._other(source)), amount)

    def _line(self, owner: bytes, asset: bytes) -> Trustline | None:
        return self.engine.state.get(Trustline, trustline_key(owner, asset))

    def _operation(self, source: bytes) -> Operation:
        lines = [asset for asset in ASSETS if self._line(source, asset)]
        dice = self.dice.random()
        if dice < 0.08:
            return self._mistake(source)
        if len(lines) < len(ASSETS) and dice < (0.30 if not lines else 0.14):
            return ChangeTrust(self.dice.choice([asset for asset in ASSETS if asset not in lines]), LIMIT)
        if lines and dice < 0.35:
            return self._trade(source, self.dice.choice(lines))
        if lines and dice < 0.60:
            return self._pay_credit(source, self.dice.choice(lines))
        return Payment(Party(self._other(source)), NATIVE, self.dice.randint(1, 20 * XLM))

    def _trade(self, source: bytes, asset: bytes) -> Operation:
        """An offer near the current price, which varies with the days; or a payment through the book."""
        mine = self._offers.get(source, [])
        if len(mine) >= MOST_OFFERS:
            oldest = min(mine, key=lambda offer: offer.number)
            return ManageSellOffer(oldest.selling, oldest.buying, 0, oldest.n, oldest.d, oldest.number)
        price = self.dice.randint(90, 110)
        amount = self.dice.randint(XLM, 20 * XLM)
        choice = self.dice.randrange(3)
        if choice == 0:
            return ManageSellOffer(asset, NATIVE, amount, price, 50)
        if choice == 1:
            return ManageBuyOffer(NATIVE, asset, amount, price, 50)
        return PathPaymentStrictSend(NATIVE, amount, Party(source), asset, 1)

    def _pay_credit(self, source: bytes, asset: bytes) -> Operation:
        line, issuer = self._line(source, asset), issuer_of(asset)
        assert line is not None
        assert issuer is not None
        if line.balance < XLM:
            # Lumens for credits: the issuer pays them out with its next delivery.
            return Payment(Party(issuer), NATIVE, XLM)
        holders = [key for key in self.keys if key != source and self._line(key, asset)]
        destination = self.dice.choice(holders) if holders else issuer
        return Payment(Party(destination), asset, self.dice.randint(1, line.balance // 2))

    def _mistake(self, source: bytes) -> Operation:
        """Transactions that the network refuses, each with another result."""
        choice = self.dice.randrange(5)
        if choice == 0:
            return Payment(Party(self._other(source)), NATIVE, 10**15)  # UNDERFUNDED
        if choice == 1:
            return Payment(NOBODY, NATIVE, XLM)  # NO_DESTINATION
        if choice == 2:
            return CreateAccount(self._other(source), 5 * XLM)  # ALREADY_EXIST
        if choice == 3:
            return ChangeTrust(credit("FAKE", NOBODY.key), LIMIT)  # NO_ISSUER
        return CreateAccount(NOBODY.key, 1)  # LOW_RESERVE

    def _other(self, source: bytes) -> bytes:
        return self.dice.choice([key for key in self._present() if key != source])

    def _deliveries(self) -> Iterator[Request]:
        """The issuers' transactions: they pay out credits to some holders of trust lines."""
        for name in ISSUERS:
            issuer = public_key(name)
            operations = []
            for asset in ASSETS:
                if issuer_of(asset) != issuer:
                    continue
                lines = ((key, self._line(key, asset)) for key in self.keys)
                waiting = [key for key, line in lines if line and line.balance < LIMIT // 100]
                for key in waiting[:3]:
                    operations.append(Payment(Party(key), asset, self.dice.randint(10 * XLM, 500 * XLM)))
            if operations:
                yield Request(source=Party(issuer), operations=tuple(operations))


def lives_native(engine: Engine) -> bool:
    """Whether the contract of lumens exists."""
    return instance_key(contract_of(NATIVE)) in engine.state.entries
