"""Which records changed: the questions, and the place between two of them.  Pure.

A second may hold many changes and a page may be cut, shortened or emptied by access rules, so a search goes on from the
time of the last row, told rows left out, and by position only within one second or past hidden rows.  Files do not touch
their record, so they are looked for beside the tables.  Times are ServiceNow's own, so no clock of ours counts but at
the very first start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from integrations.connectors.answers import Answer
from integrations.connectors.servicenow import client, records
from integrations.connectors.servicenow.batch import Part

# A change becomes visible up to this much after younger ones.
OVERLAP = timedelta(seconds=60)
MAX_REMEMBERED = 2_000
# How far back a cursor reaches that cannot be read.
SAFE_START = timedelta(days=1)
PAGE_SIZE = 200
FILES = "files"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the search in one table stands: rows before `at` are known, and those in `seen` at and after it.

    `is_under_way` between the pages of a search; `offset` while `at` alone does not lead on.
    """

    at: datetime
    seen: Mapping[str, str] = field(default_factory=dict)
    is_under_way: bool = False
    offset: int = 0


Places = Mapping[str, Place]


def read_places(text: str, sources: Sequence[str], now: datetime) -> dict[str, Place]:
    """The places in a stored cursor; an empty text is now, what cannot be read is a day ago."""
    start = Place(now - OVERLAP if not text else now - SAFE_START)
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        value = {}
    found = value if isinstance(value, dict) else {}
    return {source: _place(found.get(source)) or start for source in sources}


def _place(value: object) -> Place | None:
    if not isinstance(value, dict):
        return None
    at, seen, offset = records.time_of(str(value.get("at"))), value.get("seen"), value.get("offset", 0)
    if at is None or not isinstance(seen, dict) or not isinstance(offset, int):
        return None
    told = {str(id_): str(stamp) for id_, stamp in seen.items()}
    return Place(at, told, value.get("is_under_way") is True, max(offset, 0))


def text_of(places: Places) -> str:
    """The form that is stored."""
    value = {
        source: {
            "at": place.at.isoformat(),
            "seen": dict(place.seen),
            "is_under_way": place.is_under_way,
            "offset": place.offset,
        }
        for source, place in places.items()
    }
    return json.dumps(value, separators=(",", ":"))


def question(source: str, place: Place, tables: Sequence[str], slack: timedelta) -> Part:
    """What is asked at a place.  `slack` is for an account whose times ServiceNow may read in another zone."""
    since = place.at - slack if place.is_under_way else place.at - OVERLAP - slack
    if source == FILES:
        return client.new_files(tables, since, PAGE_SIZE, place.offset)
    query = f"sys_updated_on>={records.glide(since)}^ORDERBYsys_updated_on^ORDERBYsys_id"
    columns = ("sys_id", "sys_updated_on", "sys_mod_count")
    return client.rows(source, query, columns, limit=PAGE_SIZE, offset=place.offset)


def next_place(
    source: str, place: Place, part: Part, answer: Answer, slack: timedelta
) -> tuple[list[str], Place]:
    """The remote ids on a page that are news, and the place after it."""
    rows = records.records(answer)
    seen = dict(place.seen)
    found: list[str] = []
    latest = place.at
    for row in rows:
        at = records.time_of(records.raw(row, "sys_created_on" if source == FILES else "sys_updated_on"))
        remote_id, key, stamp = _told(source, row)
        if at is None or not remote_id:
            continue
        latest = max(latest, at)
        if seen.get(key) != stamp:
            seen[key] = stamp
            found.append(remote_id)
    if not client.has_more(answer, len(rows), part):
        return found, Place(latest, _recent(seen, latest - 2 * OVERLAP - slack))
    if latest > place.at:
        # From the last row's time: whatever moved meanwhile, nothing is skipped.
        return found, Place(latest, _recent(seen, latest - 2 * OVERLAP - slack), is_under_way=True)
    offset = int(part.params.get("sysparm_offset", 0)) + PAGE_SIZE
    return found, Place(place.at, seen, place.is_under_way, offset)


def _told(source: str, row: dict) -> tuple[str, str, str]:
    """A row's remote id, what it is remembered by, and its stamp, which begins with a time."""
    if source == FILES:
        table, sys_id = records.raw(row, "table_name"), records.raw(row, "table_sys_id")
        return remote_id(table, sys_id), records.raw(row, "sys_id"), records.raw(row, "sys_created_on")
    sys_id = records.raw(row, "sys_id")
    stamp = f"{records.raw(row, 'sys_updated_on')} {records.raw(row, 'sys_mod_count')}"
    return remote_id(source, sys_id), sys_id, stamp


def _recent(seen: Mapping[str, str], limit: datetime) -> dict[str, str]:
    from_ = records.glide(limit)
    kept = sorted((stamp, id_) for id_, stamp in seen.items() if stamp >= from_)
    return {id_: stamp for stamp, id_ in kept[-MAX_REMEMBERED:]}


def remote_id(table: str, sys_id: str) -> str:
    """How a record is named outside; "" for what can be none."""
    return f"{table}:{sys_id}" if records.is_table(table) and records.is_sys_id(sys_id) else ""


def parted(text: str) -> tuple[str, str]:
    """Table and sys_id of a remote id; empty texts for what is none."""
    table, _, sys_id = text.partition(":")
    return (table, sys_id) if remote_id(table, sys_id) else ("", "")
