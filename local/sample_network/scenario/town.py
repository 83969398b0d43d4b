"""Each ledger's transactions: concurrent stories and the everyday traffic."""

from __future__ import annotations

import random
from collections.abc import Iterator

from local.sample_network import config
from local.sample_network.config import Upgrade
from local.sample_network.engine import Engine
from local.sample_network.scenario import accounts, contracts, markets, rights
from local.sample_network.scenario.cast import Cast, Step, Story
from local.sample_network.scenario.everyday import People
from local.sample_network.transactions import Request

STORIES: tuple[Story, ...] = (
    markets.offers,
    contracts.lives,
    markets.pools,
    contracts.tokens,
    rights.balances,
    accounts.envelopes,
    contracts.lumens,
    rights.regulated,
    rights.sponsors,
    accounts.signers,
    markets.paths,
    accounts.belongings,
    contracts.rules,
)
"""Repeated stories, each time with other actors; the first ones cover the most in a short lake."""


MOST_RUNNING = 2 * len(STORIES)
"""The number of concurrent stories: more could need more upgrades at once than the six of a ledger."""


class Town:
    """Makes each ledger's requests from the engine's state and a seed."""

    def __init__(self, engine: Engine, seed: int, transactions_per_ledger: int) -> None:
        self.engine = engine
        self.seed = seed
        self.size = transactions_per_ledger
        self.people = People(engine, random.Random(seed), transactions_per_ledger)  # noqa: S311
        self._waiting = self._all_stories()
        self._running: list[Iterator[Step]] = []

    def ledger(self, number: int) -> tuple[list[Request], list[Upgrade]]:
        """The next ledger's transactions and upgrades; about the requested number of transactions."""
        first = [config.protocol(self.engine.chain.protocol)] if not number else []
        if not self.size:
            return [], first
        if not number:
            return self.people.found(), first
        requests, upgrades = self._stories(max(self.size - 2, 1))
        everyday = self.people.requests(max(self.size - len(requests), 0), number)
        return [*requests, *everyday], upgrades

    def _all_stories(self) -> Iterator[Iterator[Step]]:
        yield contracts.founding(Cast(self.engine, f"{self.seed} founding"))
        round_number = 0
        while True:
            round_number += 1
            for story in STORIES:
                yield story(Cast(self.engine, f"{self.seed} {story.__name__} {round_number}"))

    def _stories(self, most: int) -> tuple[list[Request], list[Upgrade]]:
        """A step of each running story, and new stories while there is room."""
        requests: list[Request] = []
        upgrades: list[Upgrade] = []
        advanced: list[Iterator[Step]] = []
        while len(requests) < most:
            if not self._running and len(advanced) >= MOST_RUNNING:
                break
            story = self._running.pop(0) if self._running else next(self._waiting)
            step = next(story, None)
            if step is None:
                continue
            advanced.append(story)
            requests += [one for one in step if isinstance(one, Request)]
            upgrades += [one for one in step if isinstance(one, Upgrade)]
        # Stories without a step come first the next time.
        self._running += advanced
        return requests, upgrades
