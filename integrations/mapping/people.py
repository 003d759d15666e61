"""People on both sides of a connection: who is whom.  Pure.

A person is known in each system by an id that means nothing elsewhere.  Whoever is not in the map is left out, so that
the field stays as it is: nobody is ever cleared, and no account is guessed, because we do not know somebody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from integrations.canonical import Fields, Person, Value


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """The same person there and here."""

    there: Person
    here: Person


def local_person(value: Value, known: Iterable[Acquaintance]) -> Person | None:
    """Who a person of the other side is here: by id first, then by e-mail address; None when nobody knows."""
    if not isinstance(value, dict):
        return None
    pairs = list(known)
    if wanted := str(value.get("id") or ""):
        for pair in pairs:
            if pair.there.id == wanted:
                return pair.here
    if email := str(value.get("email") or "").casefold():
        for pair in pairs:
            if pair.there.email.casefold() == email:
                return pair.here
    return None


def with_local_people(
    fields: Fields, person_fields: Collection[str], known: Iterable[Acquaintance]
) -> dict[str, Value]:
    """The fields with every person of the other side replaced by the one here.

    A field whose person is unknown or empty is left out: it then stays as it is.
    """
    pairs = list(known)
    found: dict[str, Value] = {}
    for name, value in fields.items():
        if name not in person_fields:
            found[name] = value
        elif (person := local_person(value, pairs)) is not None:
            found[name] = person.as_value()
    return found
