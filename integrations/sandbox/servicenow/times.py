"""ServiceNow's times: text without a zone, UTC inside, the user's zone for people, and the date helpers of queries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

FORMAT = "%Y-%m-%d %H:%M:%S"
_CALL = re.compile(r"^javascript:\s*(?:return\s+)?gs\.(\w+)\((.*)\);?$")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def glide(at: datetime) -> str:
    """A time as the database keeps it: UTC, whole seconds, no zone."""
    return at.astimezone(UTC).strftime(FORMAT)


def shown(value: str, zone: str) -> str:
    """A kept time for a person in this zone; what is no time stays as it is."""
    try:
        at = datetime.strptime(value, FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return value
    return at.astimezone(ZoneInfo(zone)).strftime(FORMAT)


def read(text: str, zone: str) -> str | None:
    """A time that somebody wrote in this zone, as the database keeps it; None when it is no time."""
    text = text.strip().replace("T", " ").removesuffix("Z")
    for pattern in (FORMAT, "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            at = datetime.strptime(text, pattern).replace(tzinfo=ZoneInfo(zone))
        except ValueError:
            continue
        return glide(at)
    return None


@dataclass(frozen=True, slots=True)
class Helpers:
    """The `gs` object as far as queries use it, for one user at one moment."""

    now: datetime
    zone: str
    user_id: str
    user_name: str

    def value(self, text: str) -> str | None:
        """The value of `javascript:gs.…`; None when that is nothing we know."""
        found = _CALL.match(text)
        if found is None:
            return None
        name = found[1]
        given = [one.strip().strip("'\"") for one in found[2].split(",")] if found[2].strip() else []
        if name == "dateGenerate":
            return self._generated(given)
        if name in ("getUserID", "getUserName"):
            return self.user_id if name == "getUserID" else self.user_name
        if name in ("now", "nowDateTime"):
            return glide(self.now)
        if name in ("beginningOfToday", "endOfToday"):
            return self._edge(self._today(), name.startswith("end"))
        return self._ago(name, given)

    def _generated(self, given: list[str]) -> str | None:
        if len(given) != 2:
            return None
        clock = {"start": "00:00:00", "end": "23:59:59"}.get(given[1], given[1])
        return read(f"{given[0]} {clock}", self.zone)

    def _ago(self, name: str, given: list[str]) -> str | None:
        found = re.fullmatch(r"(minutes|hours|days)Ago(Start|End)?", name)
        if found is None or len(given) != 1 or not re.fullmatch(r"-?\d{1,6}", given[0]):
            return None
        at = self.now - timedelta(**{found[1]: int(given[0])})
        if found[1] == "days" and found[2]:
            return self._edge(at.astimezone(ZoneInfo(self.zone)).date(), found[2] == "End")
        if found[2]:
            at = at.replace(minute=0 if found[1] == "hours" else at.minute, second=0, microsecond=0)
        return glide(at)

    def _today(self) -> date:
        return self.now.astimezone(ZoneInfo(self.zone)).date()

    def _edge(self, day: date, is_end: bool) -> str | None:
        return read(f"{day} {'23:59:59' if is_end else '00:00:00'}", self.zone)
