"""Changelog entries made into changes, from the newest back to the issue's first values.  Pure.

An entry tells values as text.  The newest change of a field takes the issue's present value instead, which is exact:
formatted text keeps its form, a person the address, a renamed status its present name.  Older values of a description
are Jira's wiki-like text, read as plain text: Jira keeps no better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from integrations.canonical import Attachment, Change, Fields, Person, Value
from integrations.connectors.jira import fields as jira_fields
from integrations.connectors.jira.client import dicts
from integrations.connectors.jira.fields import instant, person
from integrations.richtext import blocks

# Names in the changelog of fields that are called otherwise in an issue, for entries without `fieldId`.
_NAMES = {
    "Component": "components", "Fix Version": "fixVersions", "Version": "versions", "Status": "status",
    "Attachment": "attachment",
}  # fmt: skip
HISTORY_TYPE = "concord"


@dataclass(frozen=True, slots=True)
class Logged:
    """The changes a changelog tells, oldest first; the values before the first; the ids of files added later."""

    changes: tuple[Change, ...]
    initial: Fields
    added: frozenset[str]


def changelog_changes(
    entries: Sequence[dict], raw_fields: Mapping[str, object], files: Mapping[str, Attachment]
) -> Logged:
    """Read a changelog against the issue it belongs to.  Entries may come in any order; each id counts once."""
    by_id = {str(entry.get("id")): entry for entry in entries}
    newest_first = sorted(by_id.values(), key=_order, reverse=True)
    state = _State(raw_fields)
    changes = [_change(entry, state, files) for entry in newest_first]
    return Logged(_without_stopovers(reversed(changes)), state.values, frozenset(_added(entries)))


def _without_stopovers(found: Iterable[Change]) -> tuple[Change, ...]:
    """Changes of which only the last with our marker tells a status.

    A status that has no direct step is reached over others; those were never anybody's wish, and must not travel on.
    """
    changes = list(found)
    last = {
        change.marker: number
        for number, change in enumerate(changes)
        if change.marker and "status" in change.fields
    }
    return tuple(
        replace(change, fields={name: value for name, value in change.fields.items() if name != "status"})
        if change.marker and last.get(change.marker, number) != number
        else change
        for number, change in enumerate(changes)
    )


def _order(entry: dict) -> tuple[datetime, int, str]:
    text = str(entry.get("id"))
    return instant(entry.get("created")), int(text) if text.isascii() and text.isdigit() else 0, text


def _change(entry: dict, state: _State, files: Mapping[str, Attachment]) -> Change:
    after: dict[str, Value] = {}
    before: dict[str, Value] = {}
    # Of one field there may be several items (a component each): the first seen, going back, has the last value.
    for item in reversed(_items(entry)):
        name = field_name(item)
        if not _is_exchanged(name, item):
            continue
        new, old = state.step_back(name, item)
        after.setdefault(name, new)
        before[name] = old
    added = tuple(files[one] for one in _added([entry]) if one in files)
    return Change(
        str(entry.get("id")),
        instant(entry.get("created")),
        person(entry.get("author")),
        fields=after,
        before=before,
        attachments=added,
        marker=history_marker(entry),
    )


def history_marker(entry: Mapping[str, object]) -> str:
    """The marker that we send along with a write and that Jira keeps beside the entry it made."""
    metadata = entry.get("historyMetadata")
    if not isinstance(metadata, dict) or metadata.get("type") != HISTORY_TYPE:
        return ""
    extra = metadata.get("extraData")
    marker = extra.get("marker") if isinstance(extra, dict) else None
    return marker if isinstance(marker, str) else ""


def history_metadata(marker: str) -> dict:
    """What `history_marker` finds again."""
    return {"type": HISTORY_TYPE, "extraData": {"marker": marker}}


class _State:
    """The values of all fields, at first the present ones, taken back one item at a time."""

    def __init__(self, raw_fields: Mapping[str, object]) -> None:
        self.values = jira_fields.neutral_fields(raw_fields)
        self._raw = raw_fields

    def step_back(self, name: str, item: dict) -> tuple[Value, Value]:
        """The value after and before this item; afterwards the state is the one before it."""
        if _is_one_of_many(name, item, self.values.get(name)):
            return self._step_back_list(name, item)
        new = self.values.get(name) if self._is_present(name, item) else self._side(name, item, "to")
        old = self._side(name, item, "from")
        self.values[name] = old
        return new, old

    def _is_present(self, name: str, item: dict) -> bool:
        """Whether the value at hand is the one this item set; then it is the better one.

        An item that sets another value than the issue has (an entry got lost, or the issue was read a moment
        earlier) is taken at its word where its word can be compared.
        """
        raw = self._raw.get(name)
        if isinstance(raw, dict) and raw.get("type") != "doc":
            ids = {str(raw[key]) for key in ("id", "accountId", "key", "name") if raw.get(key) is not None}
            told = {str(item[key]) for key in ("to", "tmpToAccountId") if item.get(key) not in (None, "")}
            return not told or bool(told & ids)
        # Formatted text and times are told in another form than they are held in; nothing can be compared.
        if isinstance(raw, dict) or (name in jira_fields.RICH_FIELDS and raw is not None):
            return True
        if isinstance(raw, str) and jira_fields.is_time(raw):
            return True
        return (isinstance(raw, list) and name != "labels") or self.values.get(name) == self._side(
            name, item, "to"
        )

    def _side(self, name: str, item: dict, end: str) -> Value:
        value = side_value(name, item, end)
        if isinstance(self._raw.get(name), int | float) and isinstance(value, str):
            return _as_number(value)
        return value

    def _step_back_list(self, name: str, item: dict) -> tuple[Value, Value]:
        """An item that put one entry into a list or took one out."""
        held = self.values.get(name)
        new = list(held) if isinstance(held, list) else []
        old = [entry for entry in new if entry != item.get("toString")]
        if isinstance(gone := item.get("fromString"), str) and gone not in old:
            old.append(gone)
        self.values[name] = sorted(old)
        return sorted(new), sorted(old)


def _is_one_of_many(name: str, item: dict, held: Value) -> bool:
    if name in jira_fields.NAMED_LIST_FIELDS:
        return True
    # Fields with many versions or components of a site's own making.
    has_one_end = (item.get("from") is None) != (item.get("to") is None)
    return name != "labels" and isinstance(held, list) and has_one_end and not _is_bracketed(item)


def _is_bracketed(item: dict) -> bool:
    """Multiple-choice custom fields tell the whole list: ids as "[10, 11]", words as "a, b" or "[a, b]"."""
    ends = (item.get("from"), item.get("to"))
    return any(isinstance(end, str) and end.startswith("[") for end in ends)


def side_value(name: str, item: dict, end: str) -> Value:
    """The value at the end `from` or `to` of an item, as far as its text tells."""
    key, text = item.get(end), item.get(end + "String")
    if text in (None, "") and key in (None, ""):
        return [] if name == "labels" else None
    if name in jira_fields.RICH_FIELDS:
        return blocks.from_plain(str(text)).as_value() if text else None
    if name in jira_fields.PERSON_FIELDS:
        # Beside the site's own user key, which long-lived sites still tell here, Jira Cloud puts the account.
        account_id = item.get("tmpFromAccountId" if end == "from" else "tmpToAccountId")
        return Person(str(account_id or key or ""), str(text or "")).as_value()
    if name == "labels":
        return jira_fields.clean_labels(str(text or ""))
    if name == "duedate":
        # The text has a midnight behind the day, in nobody's time zone.
        return str(key or text)[:10]
    if text and isinstance(key, str) and key.startswith("["):
        return sorted({word.strip() for word in str(text).strip("[]").split(",")} - {""})
    return str(text or key)


def _as_number(text: str) -> int | float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def field_name(item: Mapping[str, object]) -> str:
    """The name a changelog item's field has in an issue."""
    found = item.get("fieldId") or item.get("field") or ""
    name = _NAMES.get(str(found), str(found))
    return "attachment" if name.casefold() == "attachment" else name


def _is_exchanged(name: str, item: Mapping[str, object]) -> bool:
    """Links, ranks on a board, logged work and the like change an issue but are nobody else's business."""
    if name.startswith("customfield_"):
        return item.get("field") != "Rank"
    return name in jira_fields.SYSTEM_FIELDS


def _items(entry: Mapping[str, object]) -> list[dict]:
    return dicts(entry.get("items"))


def _added(entries: Sequence[dict]) -> Iterator[str]:
    """The ids of files that these entries added."""
    for entry in entries:
        for item in _items(entry):
            if field_name(item) == "attachment" and item.get("to"):
                yield str(item["to"])
