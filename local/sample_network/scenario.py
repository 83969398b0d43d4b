"""Who does what: a town of accounts that pay each other, and sometimes get it wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator

from local.sample_network.engine import (
    CHANGE_TRUST,
    CREATE_ACCOUNT,
    PAYMENT,
    Asset,
    Engine,
    Operation,
    Request,
)

XLM = 10_000_000
"""Stroops of one lumen."""

ISSUERS = ("bank", "mint", "market")
ASSETS = (Asset("USD", "bank"), Asset("EUR", "bank"), Asset("GOLD", "mint"), Asset("MARKETPOINTS", "market"))
LIMIT = 1_000_000 * XLM
"""Of a trust line: with at most some hundred accounts, every asset's sum stays far below 9 * 10^15."""

MAX_ACCOUNTS = 400
MEMOS = ("", "", "", "rent", "<tea> & cake", "Grüße", "invoice 7")


class Town:
    """Makes each ledger's requests from the engine's state and a seed."""

    def __init__(self, engine: Engine, seed: int, transactions_per_ledger: int) -> None:
        self.engine = engine
        self.random = random.Random(seed)  # noqa: S311
        self.size = transactions_per_ledger
        self.names: list[str] = []

    @property
    def people(self) -> list[str]:
        """Those who have an account by now."""
        return [name for name in self.names if self.engine.account(name)]

    def ledger(self, number: int) -> list[Request]:
        """The next ledger's transactions, one a source at most; every fourth ledger the issuers pay out."""
        if not self.size:
            return []
        if not self.names:
            return self._found()
        deliveries = list(self._deliveries()) if number % 4 == 3 else []
        people = self.people
        settles = len(self.names) < min(MAX_ACCOUNTS, max(20, 3 * self.size))
        count = max(self.size - len(deliveries) - settles, 0)
        made = [self._request(source) for source in self.random.sample(people, min(count, len(people)))]
        return [*([self._settle()] if settles else []), *made, *deliveries][: self.size]

    def _found(self) -> list[Request]:
        """The first ledger: the issuers and the first people get their accounts."""
        self.names = [f"person {number}" for number in range(min(max(self.size, 4), 100 - len(ISSUERS)))]
        founded = [*ISSUERS, *self.names]
        return [Request("root", tuple(Operation(CREATE_ACCOUNT, name, amount=10_000 * XLM) for name in founded))]

    def _settle(self) -> Request:
        """A new account, paid by root."""
        name = f"person {len(self.names)}"
        self.names.append(name)
        amount = self.random.randint(50, 5_000) * XLM
        return Request("root", (Operation(CREATE_ACCOUNT, name, amount=amount),))

    def _request(self, source: str) -> Request:
        count = self.random.choice((1, 1, 1, 2, 3))
        operations = tuple(self._operation(source) for _ in range(count))
        return Request(source, operations, self.random.choice(MEMOS))

    def _operation(self, source: str) -> Operation:
        lines = [asset for asset in ASSETS if self.engine.trustline(source, asset)]
        dice = self.random.random()
        if dice < 0.08:
            return self._mistake(source)
        if len(lines) < len(ASSETS) and dice < (0.30 if not lines else 0.14):
            asset = self.random.choice([asset for asset in ASSETS if asset not in lines])
            return Operation(CHANGE_TRUST, asset=asset, amount=LIMIT)
        if lines and dice < 0.55:
            return self._pay_credit(source, self.random.choice(lines))
        destination = self._other(source)
        return Operation(PAYMENT, destination, amount=self.random.randint(1, 20 * XLM))

    def _pay_credit(self, source: str, asset: Asset) -> Operation:
        line = self.engine.trustline(source, asset)
        assert line is not None
        if line.balance < XLM:
            # Lumens for credits: the issuer pays them out with its next delivery.
            return Operation(PAYMENT, asset.issuer, amount=XLM)
        holders = [name for name in self.people if name != source and self.engine.trustline(name, asset)]
        destination = self.random.choice(holders) if holders else asset.issuer
        return Operation(PAYMENT, destination, asset, self.random.randint(1, line.balance // 2))

    def _mistake(self, source: str) -> Operation:
        """What the network refuses, each with a result of its own."""
        choice = self.random.randrange(5)
        if choice == 0:
            return Operation(PAYMENT, self._other(source), amount=10**15)  # UNDERFUNDED
        if choice == 1:
            return Operation(PAYMENT, "nobody", amount=XLM)  # NO_DESTINATION
        if choice == 2:
            return Operation(CREATE_ACCOUNT, self._other(source), amount=5 * XLM)  # ALREADY_EXIST
        if choice == 3:
            return Operation(CHANGE_TRUST, asset=Asset("FAKE", "nobody"), amount=LIMIT)  # NO_ISSUER
        return Operation(CREATE_ACCOUNT, "nobody", amount=1)  # LOW_RESERVE

    def _other(self, source: str) -> str:
        return self.random.choice([name for name in self.people if name != source])

    def _deliveries(self) -> Iterator[Request]:
        """The issuers' transactions: they pay out credits to some who trust them."""
        for issuer in ISSUERS:
            operations = []
            for asset in ASSETS:
                if asset.issuer != issuer:
                    continue
                waiting = [
                    name
                    for name in self.people
                    if (line := self.engine.trustline(name, asset)) and line.balance < LIMIT // 100
                ]
                for name in waiting[:3]:
                    amount = self.random.randint(10 * XLM, 500 * XLM)
                    operations.append(Operation(PAYMENT, name, asset, amount))
            if operations:
                yield Request(issuer, tuple(operations))
