"""Who the numbers in Zendesk's records are: names remembered, and looked up at most once a page.

Records name people by id alone.  What Zendesk sends beside a record comes first, then what was seen before; only who
is still unknown costs a call, one for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from integrations.canonical import Person, Value
from integrations.connectors import errors

MAX_KNOWN = 5000

LookUp = Callable[[list[str]], Iterable[dict]]


class People:
    """The people of one Zendesk as far as they were met.  Used by several threads: every step is one dict call."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._known: dict[str, Person] = {}

    def meet(self, users: Iterable[dict]) -> None:
        """Remember users that came with an answer."""
        for user in users:
            if person := person_of(user):
                if len(self._known) >= MAX_KNOWN:
                    self._known.clear()
                self._known[person.id] = person

    def find(self, ids: Iterable[str]) -> None:
        """Look up who is not known yet.  Who cannot be found stays a number: no reason to stop a ticket."""
        unknown = sorted({id_ for id_ in ids if id_ and id_ not in self._known})
        for start in range(0, len(unknown), 100):
            part = unknown[start : start + 100]
            try:
                self.meet(self._look_up(part))
            except errors.Refused:
                return
            self.meet({"id": id_} for id_ in part if id_ not in self._known)

    def named(self, identity: object) -> Person:
        """The person behind an id, or behind an object that names one; nobody when there is none."""
        person = person_of(identity)
        if person is None:
            return Person("")
        return person if person.name else self._known.get(person.id, person)

    def settled(self, value: Value) -> Value:
        """The field value that Zendesk will tell for a person we write by number or mail address, if they were met."""
        if not isinstance(value, dict):
            return self.value(value)
        if id_of(value.get("id")):
            return self._known.get(id_of(value["id"]), person_of(value) or Person("")).as_value()
        email = str(value.get("email") or "").casefold()
        for person in list(self._known.values()):
            if email and person.email.casefold() == email:
                return person.as_value()
        return value

    def value(self, identity: object) -> Value:
        """The same as a field value; None for nobody."""
        person = self.named(identity)
        return person.as_value() if person.id else None


def person_of(identity: object) -> Person | None:
    """A person from an id (number or text) or from a user record."""
    if isinstance(identity, dict):
        id_ = id_of(identity.get("id"))
        name, email = identity.get("name"), identity.get("email")
        text_name = name if isinstance(name, str) else ""
        return Person(id_, text_name, email if isinstance(email, str) else "") if id_ else None
    id_ = id_of(identity)
    return Person(id_) if id_ else None


def id_of(value: object) -> str:
    """An id as text; "" for what is none.  Zendesk gives numbers in records and texts in audits and web hooks."""
    if isinstance(value, dict):
        value = value.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value > 0 else ""
    if isinstance(value, str) and value.isascii() and value.isdigit() and value.strip("0"):
        return value
    return ""
