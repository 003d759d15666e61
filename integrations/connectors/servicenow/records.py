"""The values in ServiceNow's records, in whichever of their forms an instance tells them.  Pure.

A value is text ("1", "true", ""), a reference is `{"link", "value"}`, and with display values every field is
`{"display_value", "value"}`; some of ServiceNow's own interfaces give numbers and booleans instead of text.  Times are
`YYYY-MM-DD HH:MM:SS` in UTC.  https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from integrations.connectors import errors
from integrations.connectors.answers import Answer

# Before anything that an instance holds.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_SYS_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,79}")

Record = Mapping[str, object]


def raw(record: Record, name: str) -> str:
    """The value of a field as the database keeps it; "" when it is empty or not told."""
    return raw_text(record.get(name))


def raw_text(value: object) -> str:
    """A value in any of its forms as the database keeps it."""
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else ""


def shown(record: Record, name: str) -> str:
    """The display value of a field where the record has one."""
    value = record.get(name)
    if isinstance(value, dict):
        value = value.get("display_value")
    return value if isinstance(value, str) else ""


def records(answer: Answer) -> list[dict]:
    """The records in an answer to a list."""
    found = answer.object().get("result")
    if not isinstance(found, list):
        raise answer.garbled("ServiceNow's answer holds no list of records.")
    return [one for one in found if isinstance(one, dict)]


def record(answer: Answer) -> dict:
    """The record in an answer about one."""
    found = answer.object().get("result")
    if isinstance(found, list) and len(found) == 1:
        # Version 1 of the interface answers some questions about one record with a list.
        found = found[0]
    if not isinstance(found, dict):
        raise answer.garbled("ServiceNow's answer holds no record.")
    return found


def time_of(text: str) -> datetime | None:
    """A time of ServiceNow's in UTC; None when it is none.  A zone is honoured where one is written."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def time_in(one: Record, name: str, otherwise: datetime | None = None) -> datetime:
    """The time in a field; Garbled when there is none that can be read."""
    at = time_of(raw(one, name)) or otherwise
    if at is None:
        raise errors.Garbled(f"A record of ServiceNow has no readable time in {name}.")
    return at


def glide(at: datetime) -> str:
    """A time as ServiceNow writes it."""
    return at.astimezone(UTC).strftime(TIME_FORMAT)


def count(text: str) -> int:
    """A number in a record; -1 when it is none."""
    return int(text) if text.isascii() and text.isdigit() else -1


def is_sys_id(text: str) -> bool:
    """Whether a text can be a record's id: one segment of an address and one value of a query."""
    return _SYS_ID.fullmatch(text) is not None


def is_table(text: str) -> bool:
    """Whether a text can be a table's name."""
    return _TABLE.fullmatch(text) is not None


def quoted(text: str) -> str:
    """A text as a value in an encoded query, where ^ parts the conditions and two of them are one."""
    return text.replace("^", "^^")
