"""Who the identities in answers are, and how a person is named when a field is written.

Azure DevOps gives people as objects, or as texts such as `Ann Lee <ann@example.com>` (in web hooks and older versions),
and takes a mail address or a unique name.  Used by several threads: every step is one dict call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from integrations.canonical import Person, Value
from integrations.connectors import errors

MAX_KNOWN = 5000
# `Ann Lee <ann@example.com>`, `Ann Lee <COMPANY\ann>`.
_COMBINED = re.compile(r"([^<>]*)<([^<>]+)>\s*")


def person_of(identity: object) -> Person | None:
    """A person from an identity object or text; None for nobody."""
    if isinstance(identity, str):
        return _from_text(identity)
    if not isinstance(identity, dict):
        return None
    combined = _from_text(_text(identity, "name"))
    unique = _text(identity, "uniqueName") or (combined.id if combined else "")
    name = _text(identity, "displayName") or (combined.name if combined else "") or unique
    if not (id_ := _text(identity, "id").lower() or unique or name):
        return None
    return Person(id_, name, unique if "@" in unique else "")


def _from_text(text: str) -> Person | None:
    text = text.strip()
    if not text:
        return None
    if found := _COMBINED.fullmatch(text):
        name, unique = found[1].strip(), found[2].strip()
        return Person(unique, name or unique, unique if "@" in unique else "")
    return Person(text, text, text if "@" in text else "")


def _text(value: Mapping[str, object], name: str) -> str:
    found = value.get(name)
    return found.strip() if isinstance(found, str) else ""


class People:
    """The people of one organisation as far as they were met in answers."""

    def __init__(self) -> None:
        self._known: dict[str, Person] = {}
        self._unique: dict[str, str] = {}

    def met(self, identity: object) -> Person:
        """The person an answer names, remembered; nobody has an empty id."""
        person = person_of(identity)
        if person is None:
            return Person("")
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
            self._unique.clear()
        unique = _text(identity, "uniqueName") if isinstance(identity, dict) else person.id
        for key in (person.id, person.email, unique):
            if key and isinstance(identity, dict):
                self._known[key.casefold()] = person
        self._unique.setdefault(person.id, unique or person.email)
        return person

    def settled(self, value: Value) -> Value:
        """The field value that Azure DevOps will tell for a person we write, if they were met."""
        if value in (None, "", {}, []):
            return None
        if not isinstance(value, dict):
            value = {"id": str(value), "name": "", "email": ""}
        for key in (value.get("id"), value.get("email")):
            if key and (person := self._known.get(str(key).casefold())):
                return person.as_value()
        return value

    def written(self, field: str, value: Value) -> str:
        """What to write for a person; "" for nobody.  Invalid for somebody without a name that the system knows."""
        if value in (None, ""):
            return ""
        person = (
            value if isinstance(value, dict) else {"email": value if "@" in str(value) else "", "id": value}
        )
        id_ = str(person.get("id") or "")
        if unique := person.get("email") or self._unique.get(id_):
            return str(unique)
        raise errors.Invalid(
            f"Azure DevOps needs the mail address of the person for “{field}”.",
            fields={field: "The mail address is missing."},
        )
