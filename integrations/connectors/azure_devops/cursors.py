"""How far a history and the feed of changes were read, as the text that is kept between readings.  Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from integrations.connectors.azure_devops import times


@dataclass(frozen=True, slots=True)
class HistoryCursor:
    """A place in a work item's updates.

    `update` is the number of the last one seen and `count` how many there were up to it; `rev` and `type` are what the
    work item was then: updates tell only what changed.
    """

    update: int = 0
    count: int = 0
    rev: int = 0
    type: str = ""

    @classmethod
    def read(cls, text: str) -> HistoryCursor:
        """The place a text tells; the beginning for a text that makes no sense."""
        value = _object(text)
        update, count, rev = (_number(value.get(name)) for name in ("update", "count", "rev"))
        type_ = value.get("type")
        if not (update and count and rev and isinstance(type_, str)):
            return cls()
        return cls(update, count, rev, type_)

    def text(self) -> str:
        """The text to keep."""
        return json.dumps({"update": self.update, "count": self.count, "rev": self.rev, "type": self.type})

    @property
    def skip(self) -> int:
        """How many updates to leave out: all that were seen but the last, which shows that we are where we think."""
        return max(self.count - 1, 0)


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """A place in the feed of revisions: Azure DevOps' own watermark, and a time to start from where that fails."""

    token: str
    since: datetime

    @classmethod
    def read(cls, text: str, otherwise: datetime) -> FeedCursor:
        """The place a text tells; the time `otherwise` for a text that makes no sense."""
        value = _object(text)
        token = value.get("token")
        return cls(token if isinstance(token, str) else "", times.time_of(value.get("since")) or otherwise)

    def text(self) -> str:
        """The text to keep."""
        return json.dumps({"token": self.token, "since": times.text_of(self.since)})


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _object(text: str) -> dict:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
