"""Opening, activating and pausing connections, and the rings that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.models import Connection, FieldRule, LinkedTicket, MappingSet, Side, System
from integrations.services import connections
from integrations.services.connections import SideData, find_path, open_connection
from integrations.services.refusals import NotPossible
from tests.factories import globally, infinity, make_connection, make_system, mercuri
from tests.integrations import scenes

pytestmark = pytest.mark.django_db


def rules_of(side: Side, direction: str) -> list[tuple[str, str, str, str]]:
    found = FieldRule.objects.filter(mapping_set__side=side, mapping_set__direction=direction)
    return list(found.values_list("source", "target", "transform", "mode"))


def test_a_connection_begins_as_a_draft_with_dictionary_sides_and_rules() -> None:
    zendesk = make_system(mercuri(), "zendesk")
    jira = make_system(globally(), "jira")

    connection = open_connection(
        "Complaints", zendesk, jira, left_side=SideData(starts=True, trigger={"priority": [" urgent", ""]})
    )

    left, right = connection.sides.all()
    assert (connection.name, connection.state) == ("Complaints", "draft")
    assert [(side.position, side.system_id, side.starts, side.trigger) for side in (left, right)] == [
        ("left", zendesk.pk, True, {"priority": ["urgent"]}),
        ("right", jira.pk, False, {}),
    ]
    assert list(connection.dictionary.values_list("name", flat=True)) == [
        "title",
        "description",
        "status",
        "priority",
        "type",
        "impact",
        "urgency",
        "labels",
        "assignee",
        "requester",
    ]
    assert list(
        MappingSet.objects.filter(side__connection=connection)
        .order_by("pk")
        .values_list(
            "side__position",
            "direction",
            "version",
            "state",
            "comments_become_public",
            "notes_refusals",
            "tells_reasons",
        )
    ) == [
        ("left", "outgoing", 1, "published", False, False, False),
        ("left", "incoming", 1, "published", False, True, False),
        ("right", "outgoing", 1, "published", True, False, False),
        ("right", "incoming", 1, "published", True, True, False),
    ]
    assert rules_of(right, "incoming") == [
        ("title", "summary", "copy", "overwrite"),
        ("description", "description", "copy", "overwrite"),
        ("status", "status", "value_map", "overwrite"),
        ("priority", "priority", "value_map", "overwrite"),
        ("labels", "labels", "copy", "overwrite"),
    ]
    assert rules_of(left, "incoming") == [
        ("title", "subject", "copy", "overwrite"),
        ("description", "description", "copy", "only_if_new"),
        ("status", "status", "value_map", "overwrite"),
        ("priority", "priority", "value_map", "overwrite"),
        ("type", "type", "value_map", "only_if_new"),
        ("labels", "tags", "copy", "overwrite"),
    ]


def test_without_the_template_nothing_is_exchanged() -> None:
    connection = make_connection(template=False, state=Connection.State.DRAFT)

    assert not FieldRule.objects.exists()
    with pytest.raises(NotPossible, match="No side has any rule yet"):
        connections.activate_connection(connection)


def test_a_name_is_taken_once() -> None:
    make_connection(name="Complaints")

    with pytest.raises(NotPossible) as refusal:
        make_connection(make_system(), make_system(), name="Complaints")

    assert (refusal.value.field, refusal.value.message) == ("name", "A connection has this name already.")
    assert Connection.objects.count() == 1


def test_a_system_is_not_joined_to_itself() -> None:
    system = make_system()

    with pytest.raises(NotPossible, match="two different systems"):
        open_connection("Mirror", system, system)


def test_two_systems_are_joined_once() -> None:
    connection = make_connection(name="Complaints")
    left, right = (side.system for side in connection.sides.all())

    with pytest.raises(NotPossible) as refusal:
        open_connection("Again", right, left)

    assert refusal.value.message == f"{right} and {left} are joined already, by “Complaints”."


def test_a_ring_is_refused_and_its_way_is_named() -> None:
    zendesk = make_system(mercuri(), name="Mercuri Zendesk")
    jira = make_system(infinity(), "jira", name="Infinity Jira")
    other = make_system(globally(), "jira", name="Global Jira")
    make_connection(zendesk, jira)
    make_connection(jira, other)

    with pytest.raises(NotPossible) as refusal:
        open_connection("Short cut", zendesk, other)

    assert refusal.value.message == (
        "Mercuri Zendesk and Global Jira exchange already by way of Infinity Jira. A second way would be a ring: every "
        "change would come back to where it began."
    )


def test_a_draft_that_would_close_a_ring_is_not_activated_and_the_ring_is_named() -> None:
    zendesk = make_system(mercuri(), name="Mercuri Zendesk")
    jira = make_system(infinity(), "jira", name="Infinity Jira")
    other = make_system(globally(), "jira", name="Global Jira")
    make_connection(zendesk, jira)
    make_connection(jira, other)
    # As if it had been opened before anybody looked for rings.
    closing = make_connection(zendesk, make_system(globally(), "jira"), state=Connection.State.DRAFT)
    closing.sides.filter(position="right").update(system=other)

    with pytest.raises(NotPossible) as refusal:
        connections.activate_connection(closing)

    assert refusal.value.message == (
        "Activating it would close a ring: Mercuri Zendesk – Infinity Jira – Global Jira – Mercuri Zendesk. Every "
        "change would come back to where it began. Discard this connection, or take one of the others out of the "
        "ring first."
    )
    closing.refresh_from_db()
    assert closing.state == "draft"


@pytest.mark.parametrize(
    ("start", "goal", "way"),
    [
        (1, 1, []),
        (1, 2, [(2, "a")]),
        (1, 3, [(2, "a"), (3, "b")]),
        (1, 4, None),
        (9, 1, None),
    ],
)
def test_the_shortest_way_is_found(start: int, goal: int, way: list[tuple[int, str]] | None) -> None:
    edges = {1: [(2, "a")], 2: [(1, "a"), (3, "b")], 3: [(2, "b")], 4: []}

    assert find_path(edges, start, goal) == way


def test_a_connection_is_activated_paused_and_resumed() -> None:
    connection = make_connection(state=Connection.State.DRAFT)

    did = [
        connections.activate_connection(connection),
        connections.activate_connection(connection),
        connections.pause_connection(connection),
        connections.pause_connection(connection),
        connections.resume_connection(connection),
    ]

    assert did == [True, False, True, False, True]
    connection.refresh_from_db()
    assert connection.state == "active"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"account_id": ""}, "Test Global Jira first"),
        ({"state": System.State.STOPPED}, "Global Jira is stopped"),
    ],
)
def test_a_system_that_cannot_be_used_keeps_a_connection_from_starting(
    values: dict[str, Any], sentence: str
) -> None:
    jira = make_system(globally(), "jira", name="Global Jira", **values)
    connection = make_connection(make_system(mercuri()), jira, state=Connection.State.DRAFT)

    with pytest.raises(NotPossible, match=sentence):
        connections.activate_connection(connection)


def test_a_side_is_paused_with_a_reason() -> None:
    side = make_connection().sides.first()
    assert side is not None

    with pytest.raises(NotPossible, match="Say why"):
        connections.pause_side(side, "  ")
    did = [connections.pause_side(side, "Stock-taking"), connections.pause_side(side, "Another")]
    side.refresh_from_db()

    assert did == [True, False]
    assert (side.is_paused, side.paused_reason) == (True, "Stock-taking")
    assert [connections.resume_side(side), connections.resume_side(side)] == [True, False]
    side.refresh_from_db()
    assert (side.is_paused, side.paused_reason) == (False, "")


def test_a_side_changes_what_it_starts() -> None:
    side = make_connection().sides.first()
    assert side is not None

    connections.change_side(
        side, SideData(starts=False, trigger={"tags": ["vip", "vip"], "": ["x"], "type": []})
    )
    side.refresh_from_db()

    assert (side.starts, side.trigger) == (False, {"tags": ["vip"]})


def test_a_connection_without_tickets_can_be_discarded() -> None:
    connections.discard_connection(make_connection())

    assert not Connection.objects.exists()
    assert not MappingSet.objects.exists()
    assert System.objects.count() == 2


def test_a_connection_with_tickets_is_kept() -> None:
    connection = make_connection()
    left, right = connection.sides.select_related("system")
    scenes.matter(left, right)

    with pytest.raises(NotPossible, match="their story is kept"):
        connections.discard_connection(connection)

    assert LinkedTicket.objects.count() == 1
