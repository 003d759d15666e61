"""The rules for a work item's fields: types, lists, lengths, people, paths, states and what follows from them.

https://learn.microsoft.com/azure/devops/boards/work-items/guidance/agile-process-workflow
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.sandbox.azure_devops import errors
from integrations.sandbox.azure_devops.errors import Broken, Wrong
from integrations.sandbox.azure_devops.process import ItemType
from integrations.sandbox.azure_devops.schema import Field
from integrations.sandbox.azure_devops.state import Organization, Person
from integrations.sandbox.azure_devops.texts import cleaned
from integrations.sandbox.clock import parse_time

STRING_CHARS = 255
TEXT_CHARS = 1_000_000
MAX_TAGS = 100
TAG_CHARS = 400
# What the right to bypass rules lets a writer set though only the system does otherwise.
BYPASSED = ("System.CreatedBy", "System.CreatedDate", "System.ChangedBy", "System.ChangedDate")
_COMMON = "Microsoft.VSTS.Common."


@dataclass(frozen=True, slots=True)
class Doing:
    """Who writes, when by the work item (ms), and how far the system's clock is (seconds)."""

    actor: Person
    at: int
    now: float
    bypass: bool = False


def changed(
    organization: Organization,
    item_type: ItemType,
    before: Mapping[str, Any],
    wanted: Mapping[str, Any],
    doing: Doing,
) -> dict[str, Any]:
    """The fields after the change; Wrong tells every rule that does not allow it.  An empty `before` is a new item."""
    after = {name: value for name, value in before.items() if name != "System.History"}
    broken: list[Broken] = []
    named: set[str] = set()
    for name, raw in wanted.items():
        field = _writable(organization, item_type, name, doing)
        named.add(field.reference)
        value = None if raw is None or raw == "" else _converted(organization, field, raw, doing, broken)
        if isinstance(value, Person):
            value = _kept_person(value, before.get(field.reference))
            if value is not before.get(field.reference) and not (value.is_active or doing.bypass):
                broken.append(errors.unknown_person(field.reference, field.name, value.combined))
        if value is None:
            after.pop(field.reference, None)
        else:
            after[field.reference] = value
    if not before:
        _fill(organization, item_type, after)
    broken_state = list(_broken_state(organization, item_type, before, after, named, doing))
    broken += broken_state
    if not doing.bypass:
        broken += _broken_lists(organization, item_type, before, after)
        # What a state wants is no matter where that state cannot be had.
        broken += _missing(organization, item_type, {**after, "System.State": ""} if broken_state else after)
    if broken:
        raise errors.broken_rules(broken)
    _follow_state(item_type, before, after, doing)
    return after


def _writable(organization: Organization, item_type: ItemType, name: str, doing: Doing) -> Field:
    field = organization.schema.find(name)
    if field is None or not organization.schema.has(item_type, field):
        raise errors.no_field(name)
    if field.read_only and not (doing.bypass and field.reference in BYPASSED):
        raise errors.read_only(field.reference)
    return field


def _kept_person(person: Person, before: Any) -> Person:
    """Whoever has left the organisation keeps the work items they have and gets no more."""
    return before if isinstance(before, Person) and before.id == person.id else person


# --- Values ---


def _converted(organization: Organization, field: Field, raw: Any, doing: Doing, broken: list[Broken]) -> Any:
    """The value as the field holds it; what is wrong goes to `broken`."""
    match field.type:
        case "integer" | "picklistInteger":
            return _number(field, raw, int, broken)
        case "double":
            return _number(field, raw, float, broken)
        case "boolean":
            return raw if isinstance(raw, bool) else str(raw).lower() in ("true", "1")
        case "dateTime":
            return _time(field, raw, broken)
        case "identity":
            return _person(organization, field, raw, doing, broken)
        case "html" | "history":
            return _text(field, cleaned(str(raw)), TEXT_CHARS, broken)
        case "plainText" if field.reference == "System.Tags":
            return _tags(str(raw))
        case "treePath":
            return _path(organization, field, str(raw))
        case _:
            return _text(field, str(raw), STRING_CHARS, broken)


def _number(field: Field, raw: Any, kind: type[int] | type[float], broken: list[Broken]) -> Any:
    try:
        return kind(raw)
    except (TypeError, ValueError):
        broken.append(errors.not_of_type(field.reference, field.name))
        return None


def _time(field: Field, raw: Any, broken: list[Broken]) -> int | None:
    try:
        return int(parse_time(str(raw)).timestamp() * 1000)
    except ValueError:
        broken.append(errors.not_of_type(field.reference, field.name))
        return None


def _text(field: Field, text: str, most: int, broken: list[Broken]) -> str:
    if len(text) > most:
        broken.append(errors.too_long(field.reference, field.name))
    return text


def _person(
    organization: Organization, field: Field, raw: Any, doing: Doing, broken: list[Broken]
) -> Person | None:
    words = raw
    if isinstance(raw, Mapping):
        words = (
            raw.get("id") or raw.get("descriptor") or raw.get("uniqueName") or raw.get("displayName") or ""
        )
    found = organization.find_person(str(words))
    if found is None and doing.bypass:
        found = organization.add_person(str(words), "", is_active=False)
    if found is None:
        shown = raw.get("uniqueName") or raw.get("displayName") if isinstance(raw, Mapping) else raw
        broken.append(errors.unknown_person(field.reference, field.name, shown))
    return found


def _tags(raw: str) -> str | None:
    """Tags are told apart by semicolons (a comma will do), without regard to capitals, and come in their order."""
    found: dict[str, str] = {}
    for one in raw.replace(",", ";").split(";"):
        if words := " ".join(one.split()):
            found.setdefault(words.lower(), words)
    if len(found) > MAX_TAGS:
        message = f"A work item can have at most {MAX_TAGS} tags."
        raise Wrong(message, "WorkItemTagLimitExceededException")
    if any(len(one) > TAG_CHARS for one in found):
        raise Wrong("The tag name is too long.", "InvalidTagNameException")
    return "; ".join(sorted(found.values(), key=str.lower)) or None


def _path(organization: Organization, field: Field, raw: str) -> str:
    settings = organization.settings
    below = settings.areas if field.reference == "System.AreaPath" else settings.iterations
    known = [settings.project, *(f"{settings.project}\\{one}" for one in below)]
    found = next((one for one in known if one.lower() == raw.strip("\\").lower()), None)
    if found is None:
        message = f"TF401347: Invalid tree name given for work item -1, field '{field.reference}'."
        raise Wrong(message, "WorkItemFieldInvalidTreeNameException")
    return found


# --- Rules ---


def _fill(organization: Organization, item_type: ItemType, after: dict[str, Any]) -> None:
    """What a new work item has when nobody says otherwise."""
    after.setdefault("System.AreaPath", organization.settings.project)
    after.setdefault("System.IterationPath", organization.settings.project)
    after.setdefault("System.State", item_type.states[0].name)
    for field in organization.schema.fields_of(item_type):
        if field.default is not None:
            after.setdefault(field.reference, field.default)


def _broken_state(
    organization: Organization,
    item_type: ItemType,
    before: Mapping[str, Any],
    after: dict[str, Any],
    named: set[str],
    doing: Doing,
) -> Iterator[Broken]:
    """Checks state and reason, and sets the reason that goes with a new state."""
    was, wanted = str(before.get("System.State", "")), str(after.get("System.State", ""))
    state = item_type.state(wanted)
    if state is None or (not doing.bypass and _is_blocked(organization, item_type, was, state.name)):
        if not wanted:
            yield errors.empty_field("System.State", "State")
        else:
            yield errors.not_in_list("System.State", "State", wanted)
        return
    after["System.State"] = state.name
    is_moved = state.name != was
    # A new work item may begin in any state, with the reason of the step from its first state.
    came_from = was or ("" if ("", state.name) in item_type.reasons else item_type.states[0].name)
    allowed = item_type.reasons_for(came_from, state.name) if is_moved else ()
    if "System.Reason" not in named:
        if is_moved:
            after["System.Reason"] = allowed[0]
        return
    reason = after.get("System.Reason")
    if is_moved and reason is None:
        after["System.Reason"] = allowed[0]
    elif reason != before.get("System.Reason") and not doing.bypass:
        known = allowed or _reasons_into(item_type, state.name)
        if reason not in known:
            yield errors.not_in_list("System.Reason", "Reason", reason or "")


def _reasons_into(item_type: ItemType, state: str) -> tuple[str, ...]:
    return tuple(
        reason for (_, to), reasons in item_type.reasons.items() if to == state for reason in reasons
    )


def _is_blocked(organization: Organization, item_type: ItemType, before: str, after: str) -> bool:
    rules = organization.settings.blocked_transitions
    return any((one["type"], one["from"], one["to"]) == (item_type.name, before, after) for one in rules)


def _broken_lists(
    organization: Organization, item_type: ItemType, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Broken]:
    for field in organization.schema.fields_of(item_type):
        value = after.get(field.reference)
        # What was there before may stay, though the list has changed since.
        if field.values and value is not None and value != before.get(field.reference):
            if value not in field.values:
                yield errors.not_in_list(field.reference, field.name, value)


def _missing(organization: Organization, item_type: ItemType, after: Mapping[str, Any]) -> Iterator[Broken]:
    wanted = ["System.Title", *required_in(organization, item_type, str(after.get("System.State", "")))]
    for reference in wanted:
        if after.get(reference) in (None, ""):
            field = organization.schema.fields[reference]
            yield errors.empty_field(reference, field.name)


def required_in(organization: Organization, item_type: ItemType, state: str) -> list[str]:
    """The fields that rules of the process want in a state, beside the title."""
    rules = organization.settings.required_fields
    return [
        one["field"] for one in rules if one["type"] == item_type.name and one.get("state", "") in ("", state)
    ]


def _follow_state(
    item_type: ItemType, before: Mapping[str, Any], after: dict[str, Any], doing: Doing
) -> None:
    """The dates and people that the process writes when the state changes."""
    was = item_type.state(str(before.get("System.State", "")))
    now = item_type.state(str(after["System.State"]))
    assert now is not None
    if was == now:
        return
    after[_COMMON + "StateChangeDate"] = doing.at
    if now.category == "Proposed":
        _forget(after, "Activated", "Resolved", "Closed")
        return
    if now.category == "InProgress" or _COMMON + "ActivatedDate" not in after:
        if before or now.category == "InProgress":
            _note(after, "Activated", doing)
    if now.category == "InProgress":
        _forget(after, "Resolved", "Closed")
    elif now.category == "Resolved":
        _forget(after, "Closed")
        _note(after, "Resolved", doing)
        after[_COMMON + "ResolvedReason"] = after["System.Reason"]
    elif now.category == "Completed":
        _note(after, "Closed", doing)


def _note(after: dict[str, Any], what: str, doing: Doing) -> None:
    after[f"{_COMMON}{what}Date"] = doing.at
    after[f"{_COMMON}{what}By"] = doing.actor


def _forget(after: dict[str, Any], *names: str) -> None:
    for what in names:
        after.pop(f"{_COMMON}{what}Date", None)
        after.pop(f"{_COMMON}{what}By", None)
        if what == "Resolved":
            after.pop(_COMMON + "ResolvedReason", None)
