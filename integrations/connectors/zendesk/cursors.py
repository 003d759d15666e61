"""How far a history and the export of changes were read, as the text that is kept between readings.  Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from integrations.connectors.zendesk.people import id_of


@dataclass(frozen=True, slots=True)
class HistoryCursor:
    """A place in a ticket's audits: Zendesk's own cursor, and the last audit for where it has none."""

    after: str = ""
    last: str = ""

    @classmethod
    def read(cls, text: str) -> HistoryCursor:
        """The place a text tells; the beginning for a text that makes no sense."""
        value = _object(text)
        after = value.get("after")
        return cls(after if isinstance(after, str) else "", id_of(value.get("last")))

    def text(self) -> str:
        """The text to keep."""
        return json.dumps({"after": self.after, "last": self.last})

    def new_of(self, audits: list[dict]) -> list[dict]:
        """The audits after the last one seen; all, when it is not among them."""
        for index, audit in enumerate(audits):
            if self.last and id_of(audit.get("id")) == self.last:
                return audits[index + 1 :]
        return audits


@dataclass(frozen=True, slots=True)
class ExportCursor:
    """A place in the incremental export: Zendesk's own cursor, and a Unix time to start from where that fails."""

    after: str
    start: int

    @classmethod
    def read(cls, text: str, otherwise: int) -> ExportCursor:
        """The place a text tells; the time `otherwise` for a text that makes no sense."""
        value = _object(text)
        after, start = value.get("after"), value.get("start")
        return cls(after if isinstance(after, str) else "", start if isinstance(start, int) else otherwise)

    def text(self) -> str:
        """The text to keep."""
        return json.dumps({"after": self.after, "start": self.start})

    def after_page(self, tickets: Sequence[dict], after: str, overlap_s: int) -> ExportCursor:
        """The place after a page with these tickets."""
        # When the system last touched a ticket; the export goes by this, not by `updated_at`.
        touched = [at for one in tickets if isinstance(at := one.get("generated_timestamp"), int)]
        return ExportCursor(after or self.after, max([self.start, *(at - overlap_s for at in touched)]))


def _object(text: str) -> dict:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
