"""The running demo as the story and the verdict see it: both sandboxes, and waiting until something is so."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from integrations.sandbox.client import Sandbox
from portal.demo.processes import Trouble

LOOK_EVERY_S = 0.05
PATIENCE_S = 60.0

T = TypeVar("T")
Content = Mapping[str, Any]


class NotArrived(Trouble):
    """Something that was waited for did not come."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of what happened.  `arrived` says where it went to, `after_s` how long that took."""

    at: datetime
    where: str
    who: str
    what: str
    arrived: str = ""
    after_s: float | None = None


@dataclass(slots=True)
class Stage:
    """The sandboxes by their system's name.  `check` raises when a process has ended; `tell` shows a line at once."""

    sandboxes: dict[str, Sandbox]
    check: Callable[[], None]
    tell: Callable[[Row], None]
    rows: list[Row] = field(default_factory=list)

    def note(self, row: Row) -> None:
        """Remember a line and show it."""
        self.rows.append(row)
        self.tell(row)

    def until(self, what: str, condition: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
        """Wait until the condition gives something true, and return that; NotArrived when it takes too long."""
        deadline = time.monotonic() + patience_s
        while not (found := condition()):
            self.check()
            if time.monotonic() > deadline:
                raise NotArrived(f"After {patience_s:.0f} seconds still not so: {what}.")
            time.sleep(LOOK_EVERY_S)
        return found

    def watch(self, every_s: float) -> None:
        """Stay as long as all processes run; Trouble when one has ended."""
        while True:
            self.check()
            time.sleep(every_s)

    def find(self, system: str, title: str) -> Content | None:
        """The ticket of that title in a system; None when there is none."""
        return next((one for one in self.sandboxes[system].tickets() if title_of(one) == title), None)


def title_of(ticket: Content) -> str:
    """The title, whatever the vendor calls it."""
    fields = ticket["fields"]
    names = ("subject", "summary", "short_description", "System.Title")
    return next((str(fields[name]) for name in names if fields.get(name)), "")


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)
