"""Who a person of the other side is here; whoever is unknown leaves the field alone."""

from __future__ import annotations

import pytest

from integrations.canonical import Person, Value
from integrations.mapping.people import Acquaintance, local_person, with_local_people

ANN = Acquaintance(there=Person("z1", "Ann", "Ann@mercuri.example"), here=Person("j1", "Ann Lee"))
BOB = Acquaintance(there=Person("z2", "Bob"), here=Person("j2", "Bob Ray"))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"id": "z1"}, ANN.here),
        ({"id": "z2", "email": "ann@mercuri.example"}, BOB.here),
        ({"id": "other", "email": "ann@MERCURI.example"}, ANN.here),
        ({"id": "other"}, None),
        ({"id": "", "email": ""}, None),
        (None, None),
        ("z1", None),
    ],
)
def test_a_person_is_known_by_id_then_by_address(value: Value, found: Person | None) -> None:
    assert local_person(value, [ANN, BOB]) == found


def test_unknown_people_leave_their_fields_alone() -> None:
    fields = {"title": "Charged twice", "assignee": {"id": "z1"}, "requester": {"id": "x"}, "owner": None}

    found = with_local_people(fields, {"assignee", "requester", "owner"}, [ANN, BOB])

    assert found == {"title": "Charged twice", "assignee": ANN.here.as_value()}
