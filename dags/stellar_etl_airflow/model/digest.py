"""Notifications in chat and by email: alerts, and the single message made from many. Pure."""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

RUNBOOK = "docs/runbook.md"

SHOWN = 10
"""The number of tasks that a message lists; the others are counted."""

_LINE = 300
"""How many characters of an error a message shows."""

DEADLINE = "deadline-missed"

_BY_WORDS = {
    "ledgers that have not closed": "table-behind-the-network",
    "can't change that: rename the column": "network-upgrade-with-new-columns",
    "of another network": "moving-a-dataset",
    "the rows of the new export are kept": "audit-finding",
    "'daily_budget'": "cost-too-high",
    "bytes billed": "cost-too-high",
    "bytesBilledLimitExceeded": "cost-too-high",
    "Pod took too long": "pods-stuck",
    "Airflow Variable": "wrong-variable",
}
"""Headings of the runbook by text of an error, which is more specific than the task's name."""

_BY_TASK = {
    "get_ledger_range_from_times": "failed-export",
    "get_newest_ledger": "failed-export",
    "export": "failed-export",
    "verify_export": "failed-export",
    "check": "failed-check",
    "check_sources": "failed-check",
    "report": "gap-found",
    "check_schedules": "no-new-runs",
}
"""Headings of the runbook by the task's name, without its group; all other tasks ask the warehouse or Airflow."""

_OTHERS = "database-or-warehouse-down"

ANCHORS = frozenset({DEADLINE, _OTHERS, *_BY_WORDS.values(), *_BY_TASK.values()})
"""Every heading of the runbook that an alert may lead to."""


def anchor_of(task_id: str, error: str) -> str:
    """The heading of the runbook that fits a failure best."""
    by_words = (anchor for words, anchor in _BY_WORDS.items() if words in error)
    return next(by_words, _BY_TASK.get(task_id.rpartition(".")[2], _OTHERS))


def first_line(error: str) -> str:
    """An error's first line that says something, not too long: what follows may be a query, or rows."""
    line = next((line.strip() for line in error.splitlines() if line.strip()), "")
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        at: when it happened, ISO 8601 in UTC.
        what: what failed; alerts about the same are sent together.
        text: why, in one line.
        anchor: the heading of the runbook.
        run_id: the DAG run.
        ledgers: its ledgers, such as `3-122`, as far as they are known.
        link: the log, or the run, in Airflow's UI.
        ids: its deduplication key: reported twice, it is one alert.
    """

    at: str
    what: str
    text: str
    anchor: str
    run_id: str
    ledgers: str
    link: str
    ids: tuple[str, ...]

    @property
    def key(self) -> str:
        """A name for it."""
        return hashlib.sha256("\0".join(self.ids).encode()).hexdigest()[:24]

    def to_json(self) -> str:
        """Text that `from_json` reads back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Alert:
        """Read what `to_json` made.

        Raises:
            ValueError: it is something else.
        """
        try:
            value = json.loads(text)
            return cls(**{**value, "ids": tuple(value["ids"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an alert: {error!r}") from None


def is_quiet(told: datetime | None, now: datetime, window: int) -> bool:
    """Whether the last message was sent so recently that no other one may be sent yet.

    Args:
        told: when the last message was sent, None if there was none. A future time, from a wrong clock,
            is ignored.
        now: the time.
        window: seconds.
    """
    return told is not None and timedelta(0) <= now - told < timedelta(seconds=window)


@dataclass(frozen=True)
class Digest:
    """The content of one message.

    Attributes:
        alerts: at least one, oldest first.
        told: when the last message was sent, if it held some of these back.
        held: the number that it held back.
        runbook_url: the address of the runbook, empty if it is not set.
    """

    alerts: Sequence[Alert]
    told: datetime | None
    held: int
    runbook_url: str

    @classmethod
    def of(cls, alerts: Iterable[Alert], told: datetime | None, window: int, runbook_url: str) -> Digest:
        """The message of these alerts, some of which happened while the one before kept them back."""
        ordered = sorted(alerts, key=lambda alert: alert.at)
        held = [alert for alert in ordered if is_quiet(told, datetime.fromisoformat(alert.at), window)]
        return cls(ordered, told if held else None, len(held), runbook_url)

    @property
    def subject(self) -> str:
        """How many alerts, and how many of them were held back."""
        many = len(self.alerts)
        text = "1 alert" if many == 1 else f"{many} alerts"
        if self.told is None:
            return text
        return f"{text}, {self.held} of them held back since {self.told:%Y-%m-%d %H:%M} UTC"

    def _groups(self) -> list[list[Alert]]:
        """Alerts of the same together, in the order in which they began."""
        groups: dict[str, list[Alert]] = {}
        for alert in self.alerts:
            groups.setdefault(alert.what, []).append(alert)
        return list(groups.values())

    def _lines(self, group: Sequence[Alert]) -> tuple[str, str, list[tuple[str, str]]]:
        """What failed, the rest of it, and links with their words."""
        first = group[0]
        more = f" (the first of {len(group)})" if len(group) > 1 else ""
        ledgers = first.ledgers and f"ledgers {first.ledgers}"
        about = ", ".join(filter(None, (first.text, ledgers, f"run {first.run_id}")))
        runbook = f"{self.runbook_url or RUNBOOK}#{first.anchor}"
        return f"{first.what}{more}", about, [("log", first.link), ("runbook", runbook)]

    def _rest(self) -> str:
        rest = self._groups()[SHOWN:]
        return f"and {len(rest)} other tasks: {sum(map(len, rest))} alerts" if rest else ""

    def as_slack(self) -> str:
        """Slack's markup (https://docs.slack.dev/messaging/formatting-message-text), in which nothing is a mention."""
        lines = [f"*{_slack(self.subject)}*"]
        for group in self._groups()[:SHOWN]:
            what, about, links = self._lines(group)
            shown = ", ".join(f"<{_url(url)}|{word}>" if "://" in url else _slack(url) for word, url in links)
            lines.append(f"• *{_slack(what)}*\n{_slack(about)}\n{shown}")
        return "\n".join([*lines, *filter(None, [self._rest()])])

    def as_html(self) -> str:
        """The body of an email."""
        parts = []
        for group in self._groups()[:SHOWN]:
            what, about, links = self._lines(group)
            shown = ", ".join(
                f'<a href="{_url(url)}">{word}</a>' if "://" in url else html.escape(url) for word, url in links
            )
            parts.append(f"<p><b>{html.escape(what)}</b><br>{html.escape(about)}<br>{shown}</p>")
        return "\n".join([*parts, *filter(None, [self._rest()])])


def _slack(text: str) -> str:
    return html.escape(text, quote=False)


def _url(url: str) -> str:
    """An address without what would end a link."""
    return quote(url, safe=":/?#[]@!$&()*+,;=%~-._").replace("&", "&amp;")
