"""Who is whom on the two sides of a connection: the people met, those nobody has paired, and the pairs."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import IntegrityError, transaction

from integrations.canonical import Person
from integrations.models import Connection, PersonPair, SyncEvent, System
from integrations.services.refusals import NotPossible

# So many of a system's latest changes are looked through for people.
LOOKED_THROUGH = 2000


def people_met(system: System) -> dict[str, Person]:
    """The people in person fields of a system's latest changes, by id, in the order of their names.  One query."""
    names = system.person_fields
    if not names:
        return {}
    changes = SyncEvent.objects.filter(ticket__system=system).order_by("-pk")
    found: dict[str, Person] = {}
    for fields in changes.values_list("fields", flat=True)[:LOOKED_THROUGH]:
        for name in names & fields.keys():
            value = fields[name]
            if isinstance(value, Mapping) and value.get("id"):
                person = Person(str(value["id"]), str(value.get("name") or ""), str(value.get("email") or ""))
                found.setdefault(person.id, person)
    return dict(sorted(found.items(), key=lambda one: (one[1].name.casefold(), one[0])))


def unpaired(connection: Connection) -> dict[str, list[Person]]:
    """The people met on each side that nobody has paired, by the side's position.  Our own account is none of them."""
    pairs = list(PersonPair.objects.filter(connection=connection))
    found = {}
    for side in connection.sides.select_related("system").order_by("position"):
        known = {getattr(pair, f"{side.position}_id") for pair in pairs} | {side.system.account_id}
        found[side.position] = [one for key, one in people_met(side.system).items() if key not in known]
    return found


def pair_people(connection: Connection, left: Person, right: Person) -> PersonPair:
    """Say that these two are the same person; NotPossible when either is somebody else's other half already."""
    if not left.id.strip() or not right.id.strip():
        raise NotPossible("Choose a person on both sides, or enter an id.")
    try:
        with transaction.atomic():
            return PersonPair.objects.create(
                connection=connection,
                left_id=left.id.strip(),
                left_name=left.name[:200],
                left_email=left.email[:254],
                right_id=right.id.strip(),
                right_name=right.name[:200],
                right_email=right.email[:254],
            )
    except IntegrityError as error:
        raise NotPossible("One of the two is paired with somebody already. Part them first.") from error
