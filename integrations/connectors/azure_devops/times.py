"""Times as Azure DevOps writes them.  Pure.

Fractions have none to seven digits; a time that lies in the future for ever is the year 9999, one that never was 0001.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

# Stands for a time that nothing tells.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

_ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|[+-]\d\d:?\d\d)?")


def time_of(value: object) -> datetime | None:
    """A time in UTC; None for what is none, and for the years that stand for never."""
    found = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    zone = (found[3] or "Z").replace("Z", "+00:00")
    try:
        at = datetime.fromisoformat(f"{found[1]}.{(found[2] or '0')[:6].ljust(6, '0')}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if 1 < at.year < 9999 else None


def text_of(at: datetime) -> str:
    """A time as a parameter of a request."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
