"""What each company's people set in their own system, and what arrives there for it by the rules that ship."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.canonical import Value
from integrations.richtext import blocks
from tests.scenarios.test_pairs import Place

# Each system's own names of the fields that all rules share.
NAMES: Mapping[str, Mapping[str, str]] = {
    kind: {"title": "title", "description": "description", "status": "status", "priority": "priority", **own}
    for kind, own in {
        "zendesk": {"title": "subject"},
        "jira": {"title": "summary"},
        "servicenow": {"title": "short_description", "status": "state"},
        "azure_devops": {},
    }.items()
}
# What people choose, by a word of the data dictionary.  Jira's “In Review” and “Lowest” and ServiceNow's “5 - Planning”
# are never written by us.
CHOSEN: Mapping[str, Mapping[str, str]] = {
    "zendesk": {"at work": "pending", "done": "solved", "high": "high", "low": "low", "critical": "urgent"},
    "jira": {"at work": "In Review", "done": "Done", "high": "High", "low": "Lowest", "critical": "Highest"},
    "servicenow": {
        "at work": "In Progress",
        "done": "Resolved",
        "high": "2 - High",
        "low": "5 - Planning",
        "critical": "1 - Critical",
    },
    "azure_devops": {"at work": "Active", "done": "Resolved", "high": "2", "low": "4", "critical": "1"},
}
# What is written for what the other side's people have chosen: “at work” is open everywhere but in Zendesk.
WRITTEN: Mapping[str, Mapping[str, str]] = {
    "zendesk": {**CHOSEN["zendesk"], "at work": "open", "pending": "pending"},
    "jira": {**CHOSEN["jira"], "at work": "In Progress", "pending": "In Progress", "low": "Low"},
    "servicenow": {**CHOSEN["servicenow"], "pending": "On Hold", "low": "4 - Low"},
    "azure_devops": {**CHOSEN["azure_devops"], "pending": "Active"},
}
# ServiceNow derives the priority: its people set these.
_DERIVED = {
    "high": ("1 - High", "2 - Medium"),
    "low": ("3 - Low", "3 - Low"),
    "critical": ("1 - High", "1 - High"),
}
# It wants to know more of what is done with.
_CLOSING = {"close_code": "Solution provided", "close_notes": "Done."}


def set_by_people(kind: str, **words: str) -> dict[str, Any]:
    """The fields that people of a company set to say this."""
    fields: dict[str, Any] = {}
    for name, word in words.items():
        if name == "priority" and kind == "servicenow":
            fields |= dict(zip(("impact", "urgency"), _DERIVED[word], strict=True))
        else:
            fields[NAMES[kind][name]] = CHOSEN[kind].get(word, word)
    return fields | (_CLOSING if fields.get("state") == "Resolved" else {})


def held(place: Place, ticket: str, *names: str) -> dict[str, Value]:
    """What a ticket holds, by the names that both sides share; texts as plain text."""
    fields = place.desk.connector.read(ticket).fields
    return {name: _plain(fields[NAMES[place.kind][name]]) for name in names}


def chosen(kind: str, **words: str) -> dict[str, Value]:
    """The same for a ticket whose own people have said this."""
    return {name: CHOSEN[kind].get(word, word) for name, word in words.items()}


def written(kind: str, by: str, **words: str) -> dict[str, Value]:
    """The same for a ticket to which we have written what people of another kind of system said."""
    meant = {
        name: "pending" if (by, word) == ("zendesk", "at work") else word for name, word in words.items()
    }
    return {name: WRITTEN[kind].get(word, word) for name, word in meant.items()}


def written_by_us(place: Place, ticket: str, *names: str) -> list[dict[str, Value]]:
    """Our own writes to these fields of a ticket, in their order; its creation is none."""
    own = {NAMES[place.kind][name]: name for name in names}
    changes = place.desk.changes(ticket)[1:]
    found = [
        {own[name]: _plain(value) for name, value in one.fields.items() if name in own}
        for one in changes
        if one.actor.name == "Concord"
    ]
    return [one for one in found if one]


def _plain(value: Value) -> Value:
    return blocks.from_value(value).plain() if blocks.is_document(value) else value
