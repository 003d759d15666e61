"""What a timeline is made of: one entry for each change, and what followed from it.  Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from integrations.canonical import FileTrace
from integrations.engine.values import StandIn
from integrations.models import SyncEvent
from integrations.richtext.blocks import Document
from integrations.services.undo_traces import Undoing


class Fate(StrEnum):
    """What became of one delivery."""

    DELIVERED = "delivered"
    UNDER_WAY = "under way"
    WAITING = "waiting"
    VERIFYING = "being verified"
    PARKED = "needs a person"
    HELD = "held"
    OVERTAKEN = "overtaken"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery of a change to the other side.

    `delay` runs from the change in its own system to its arrival, or to now while it waits.  What a partner's own
    people see has no number, tries or reason, and of a failure says only who has to look at it.  `file` is what of a file
    really travelled; `stand_in` says why a note went in its place.
    """

    partner: str
    system: str
    what: str
    fate: Fate
    at: datetime | None = None
    delay: timedelta | None = None
    delivery_id: int | None = None
    number: int | None = None
    tries: int = 0
    failure_code: str = ""
    failure: str = ""
    reason: str = ""
    file: FileTrace | None = None
    stand_in: StandIn | None = None
    lost: tuple[str, ...] = ()
    # The delivery, where what it replaced is known and is not being put back already.
    undo_id: int | None = None
    undoing: Undoing | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that changed, in words.  `is_text`: a longer text, of which `after` is the beginning."""

    label: str
    before: str
    after: str
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file, by name and size.  `stayed` says why the sender's rules did not let it leave.

    Whoever is not of its company is not told the name of a file that stayed.
    """

    name: str
    size_bytes: int = 0
    stayed: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """One comment.  `body` is None for an internal note that stayed with its company."""

    author: str
    is_public: bool
    body: Document | None
    files: tuple[File, ...] = ()


@dataclass(slots=True)
class Entry:
    """One change and everything that followed from it.

    `partner`, `system` and `ticket` tell where it happened.  `through` names the partner from whom it reached that
    system over another connection of ours.
    """

    event_id: int
    at: datetime
    kind: SyncEvent.Kind
    author: str
    partner: str
    system: str
    ticket: str
    is_own: bool
    through: str = ""
    # We put back what a write of ours had replaced.
    is_undoing: bool = False
    changes: list[FieldChange] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Entries, newest first; `older` continues where they end, empty at the beginning of the matter."""

    entries: Sequence[Entry]
    older: str = ""
