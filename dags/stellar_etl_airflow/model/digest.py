"""Alerts, and the Slack or email message made from several alerts. Pure."""

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
"""Maximum number of tasks listed in a message; the others are counted."""

_LINE = 300
"""Maximum number of characters of an error in a message."""

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
"""Headings of the runbook by text of the error. They take precedence over the task's heading."""

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
"""Headings of the runbook by task name without group; other tasks depend on the warehouse or Airflow."""

_OTHERS = "database-or-warehouse-down"

ANCHORS = frozenset({DEADLINE, _OTHERS, *_BY_WORDS.values(), *_BY_TASK.values()})
"""Every heading of the runbook that an alert links to."""


def anchor_of(task_id: str, error: str) -> str:
    """Return the heading of the runbook that fits a failure best."""
    by_words = (anchor for words, anchor in _BY_WORDS.items() if words in error)
    return next(by_words, _BY_TASK.get(task_id.rpartition(".")[2], _OTHERS))


def first_line(error: str) -> str:
    """Return the first line of an error that is not empty, shortened: later lines may contain a query or rows."""
    line = next((line.strip() for line in error.splitlines() if line.strip()), "")
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        at: when it happened, ISO 8601 in UTC.
        what: what failed; alerts with the same text are grouped.
        text: the reason, in one line.
        anchor: the heading of the runbook.
        run_id: the DAG run.
        ledgers: its ledgers, such as `3-122`, if known.
        link: the log, or the run, in Airflow's UI.
        ids: the deduplication key: alerts with the same key count once.
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
        """A hash of the deduplication key."""
        return hashlib.sha256("\0".join(self.ids).encode()).hexdigest()[:24]

    def to_json(self) -> str:
        """Return text that `from_json` reads back."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Alert:
        """Return the alert that `to_json` wrote.

        Raises:
            ValueError: the text is not an alert.
        """
        try:
            value = json.loads(text)
            return cls(**{**value, "ids": tuple(value["ids"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an alert: {error!r}") from None


def is_quiet(last_sent: datetime | None, now: datetime, window: int) -> bool:
    """Whether the last message was sent so recently that no other may be sent yet.

    Args:
        last_sent: when the last message was sent; None if there was none. A future time, from a wrong clock, is
            ignored.
        now: the current time.
        window: seconds between two messages.
    """
    return last_sent is not None and timedelta(0) <= now - last_sent < timedelta(seconds=window)


@dataclass(frozen=True)
class Digest:
    """The content of one message.

    Attributes:
        alerts: at least one, oldest first.
        last_sent: when the last message was sent, if some alerts were held back since; else None.
        held_back: the number of alerts that were held back.
        runbook_url: the address of the runbook; empty if it is not set.
    """

    alerts: Sequence[Alert]
    last_sent: datetime | None
    held_back: int
    runbook_url: str

    @classmethod
    def of(cls, alerts: Iterable[Alert], last_sent: datetime | None, window: int, runbook_url: str) -> Digest:
        """Return the message of these alerts, some of which may have been held back after the last message."""
        ordered = sorted(alerts, key=lambda alert: alert.at)
        held_back = [alert for alert in ordered if is_quiet(last_sent, datetime.fromisoformat(alert.at), window)]
        return cls(ordered, last_sent if held_back else None, len(held_back), runbook_url)

    @property
    def subject(self) -> str:
        """The number of alerts, and how many of them were held back."""
        count = len(self.alerts)
        text = "1 alert" if count == 1 else f"{count} alerts"
        if self.last_sent is None:
            return text
        return f"{text}, {self.held_back} of them held back since {self.last_sent:%Y-%m-%d %H:%M} UTC"

    def _groups(self) -> list[list[Alert]]:
        """Return alerts grouped by `what`, in the order in which the groups began."""
        groups: dict[str, list[Alert]] = {}
        for alert in self.alerts:
            groups.setdefault(alert.what, []).append(alert)
        return list(groups.values())

    def _lines(self, group: Sequence[Alert]) -> tuple[str, str, list[tuple[str, str]]]:
        """Return a group's title, its details, and its links as pairs of word and address."""
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
        """Return Slack's markup (https://docs.slack.dev/messaging/formatting-message-text), without mentions."""
        lines = [f"*{_slack(self.subject)}*"]
        for group in self._groups()[:SHOWN]:
            what, about, links = self._lines(group)
            shown = ", ".join(f"<{_url(url)}|{word}>" if "://" in url else _slack(url) for word, url in links)
            lines.append(f"• *{_slack(what)}*\n{_slack(about)}\n{shown}")
        return "\n".join([*lines, *filter(None, [self._rest()])])

    def as_html(self) -> str:
        """Return the body of an email."""
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
    """Return an address with the characters escaped that would end a link."""
    return quote(url, safe=":/?#[]@!$&()*+,;=%~-._").replace("&", "&amp;")
