"""Why a field holds what it holds: the steps of its latest change, and the one at which a value did not move."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Model

from integrations.models import (
    Connection,
    Delivery,
    DictionaryField,
    FieldRule,
    Lane,
    LinkedTicket,
    Side,
    System,
)
from integrations.services.explaining import Direction, End, explain
from integrations.services.timeline.viewers import Viewer
from tests.integrations import scenes
from tests.integrations.scenes import Matter

pytestmark = pytest.mark.django_db

OUT = {"urgent": "critical", "high": "high"}
IN = {"critical": "Highest", "high": "High"}


@pytest.fixture
def matter() -> Matter:
    """Mercuri sends priority, Infinity takes it; the other way nothing is agreed."""
    left, right = scenes.mercuri_and_infinity()
    scenes.dictionary(left, priority="Priority")
    scenes.publish(left, "outgoing", {"priority": ("priority", OUT)})
    scenes.publish(right, "incoming", {"priority": ("priority", IN)})
    made = scenes.matter(left, right, left_fields={"priority": "high"}, right_fields={"priority": "High"})
    LinkedTicket.objects.update(created_at=scenes.NOW.replace(hour=1))
    made.linked.refresh_from_db()
    return made


def directions(matter: Matter) -> tuple[Direction, Direction]:
    there, back = explain(
        matter.linked, DictionaryField.objects.get(name="priority"), now=scenes.NOW
    ).directions
    return there, back


def told(direction: Direction) -> tuple[End, list[str]]:
    return direction.end, [step.text for step in direction.steps]


def version(side: Side, direction: str) -> int:
    return side.mapping_sets.get(direction=direction, state="published").pk


def raised(matter: Matter, **values: object) -> Delivery:
    """Ann raises the priority at Mercuri; what became of it is in `values`."""
    event = scenes.seen(matter.left_ticket, minute=-9, fields={"priority": "urgent"})
    rules = {
        "outgoing_id": version(matter.left, "outgoing"),
        "incoming_id": version(matter.right, "incoming"),
    }
    envelope = {"fields": {"priority": "critical"}, "changed": ["priority"]}
    return scenes.queued(matter.to_right, event, envelope=envelope, **{**rules, **values})


SET = "Ann Lee set it to “urgent” at Mercuri Inc."
RELEASED = "Mercuri Inc released it as “critical”, by version 2 of its rules."


def test_a_value_that_arrived_is_told_from_the_event_to_the_write(matter: Matter) -> None:
    delivery = raised(matter, state="done", done_at=scenes.NOW, wanted={"priority": "Highest"})

    there, back = directions(matter)

    wrote = "Infinity Solutions wrote “Highest” to priority, by version 2 of its rules."
    assert told(there) == (End.ARRIVED, [SET, RELEASED, wrote])
    assert [(step.delivery_id, step.mapping_set_id) for step in there.steps[1:]] == [
        (delivery.pk, version(matter.left, "outgoing")),
        (delivery.pk, version(matter.right, "incoming")),
    ]
    assert told(back) == (
        End.NOT_SENT,
        ["No rule of Infinity Solutions sends priority: it stays inside."],
    )


@pytest.mark.parametrize(
    ("values", "end", "last"),
    [
        (
            {"state": "superseded"},
            End.OVERTAKEN,
            "A newer value stood at Infinity Solutions when it came, and it was not written.",
        ),
        (
            {"state": "skipped", "skipped_reason": "It was a test."},
            End.LEFT_OUT,
            "Somebody left it out: It was a test.",
        ),
        (
            {"state": "done"},
            End.EQUAL,
            "Infinity Solutions had that value already, or a newer one: nothing had to be written.",
        ),
        (
            {"state": "sent"},
            End.UNDER_WAY,
            "It was sent, and whether it arrived is being verified in Infinity Solutions's own history.",
        ),
        ({}, End.UNDER_WAY, "It is about to be written."),
    ],
)
def test_what_became_of_it_is_told(matter: Matter, values: dict, end: End, last: str) -> None:
    raised(matter, **values)

    assert told(directions(matter)[0]) == (end, [SET, RELEASED, last])


def test_a_lane_that_waits_for_a_person_says_why(matter: Matter) -> None:
    raised(matter)
    scenes.park(matter.to_right, "invalid", "Jira does not take “Highest”.")

    there = directions(matter)[0]
    assert told(there) == (End.STUCK, [SET, RELEASED, "Jira does not take “Highest”."])
    assert [step.code for step in there.steps] == ["", "", "invalid"]


def test_a_change_behind_others_says_how_many(matter: Matter) -> None:
    scenes.queued(matter.to_right, operation="comment", envelope=scenes.released("first"))
    raised(matter)

    end, steps = told(directions(matter)[0])

    assert (end, steps[-1]) == (
        End.UNDER_WAY,
        "It waits behind 1 earlier change of this ticket; order is kept.",
    )


@pytest.mark.parametrize(
    ("of", "values", "text"),
    [
        (LinkedTicket, {"state": "paused"}, "This linked ticket is paused. Its changes are collected."),
        (Connection, {"state": "paused"}, "The connection is paused. Its changes are collected."),
        (System, {"state": "paused"}, "Infinity Jira is paused. Its changes are collected."),
        (
            System,
            {"paused_until": scenes.NOW + timedelta(minutes=5)},
            "Infinity Jira does not answer as it should and is left alone for a while.",
        ),
        (System, {"paused_until": scenes.NOW}, "It is about to be written."),
    ],
)
def test_what_keeps_everything_from_moving_is_named(
    matter: Matter, of: type[Model], values: dict, text: str
) -> None:
    raised(matter)
    of._default_manager.update(**values)
    matter.linked.refresh_from_db()

    assert told(directions(matter)[0]) == (End.UNDER_WAY, [SET, RELEASED, text])


def test_a_lane_that_somebody_holds_says_so_to_staff(matter: Matter) -> None:
    raised(matter)
    scenes.park(matter.to_right, "invalid", "Jira does not take “Highest”.")
    Lane.objects.update(state="held")

    there = directions(matter)[0]

    held = "Somebody holds its lane: nothing leaves until it is resumed."
    assert told(there) == (End.HELD, [SET, RELEASED, held])
    mercuri = Viewer(frozenset({matter.left.system.partner_id}))
    assert told(there.seen_by(mercuri)) == (End.UNDER_WAY, [SET, RELEASED])


def test_that_a_person_is_waited_for_is_told_to_the_sender_in_brief(matter: Matter) -> None:
    mercuri = Viewer(frozenset({matter.left.system.partner_id}))
    infinity = Viewer(frozenset({matter.right.system.partner_id}))
    raised(matter)
    scenes.park(matter.to_right, "invalid", "Jira does not take “Highest”.")
    first = directions(matter)[0]
    raised(matter)
    behind = directions(matter)[0]

    brief = "Infinity Solutions has to look at it; until then it waits."
    assert told(first.seen_by(mercuri)) == (End.STUCK, [SET, RELEASED, brief])
    assert told(first.seen_by(infinity)) == (End.NOTHING, [])
    brief = "An earlier change of this ticket waits for a person; order is kept."
    assert told(behind.seen_by(mercuri)) == (End.STUCK, [SET, RELEASED, brief])


def test_a_side_that_is_paused_is_named(matter: Matter) -> None:
    raised(matter)
    Side.objects.filter(pk=matter.right.pk).update(is_paused=True, paused_reason="Moving house.")

    assert told(directions(matter)[0])[1][-1] == "Infinity Solutions has paused its side: Moving house."


def test_a_field_that_is_only_taken_for_new_tickets_says_so(matter: Matter) -> None:
    scenes.publish(
        matter.right,
        "incoming",
        {"priority": FieldRule(source="priority", transform="copy", mode="only_if_new")},
    )
    raised(matter, state="done", incoming_id=version(matter.right, "incoming"))

    assert told(directions(matter)[0])[0] is End.NOT_TAKEN
    assert told(directions(matter)[0])[1][-1] == "Infinity Solutions takes it only for a new ticket."


def test_our_own_write_is_not_sent_back(matter: Matter) -> None:
    scenes.publish(matter.right, "outgoing", {"priority": ("priority", {"Highest": "critical"})})
    delivery = raised(matter, state="done", wanted={"priority": "Highest"})
    scenes.seen(matter.right_ticket, minute=-8, fields={"priority": "Highest"}, caused_by=delivery)

    end, steps = told(directions(matter)[1])

    assert (end, steps[-1]) == (
        End.NOT_SENT,
        "That was our own write of what came from Mercuri Inc, and nothing goes back to where it came from.",
    )


def test_what_nobody_changed_says_so(matter: Matter) -> None:
    assert told(directions(matter)[0])[0] is End.NO_CHANGE


def test_a_rule_that_came_later_says_so(matter: Matter) -> None:
    scenes.seen(matter.left_ticket, minute=-9, fields={"priority": "urgent"})

    end, steps = told(directions(matter)[0])

    assert end is End.NOT_SENT
    assert steps[-1].startswith(
        "The rules that held then sent nothing of it. Version 2, which holds now, would"
    )


def test_each_company_is_told_its_own_steps_and_no_more(matter: Matter) -> None:
    mercuri = Viewer(frozenset({matter.left.system.partner_id}))
    infinity = Viewer(frozenset({matter.right.system.partner_id}))
    raised(matter)
    waiting = directions(matter)[0]
    Delivery.objects.update(state="done", wanted={"priority": "Highest"})
    arrived = directions(matter)[0]

    assert told(waiting.seen_by(mercuri)) == (End.UNDER_WAY, [SET, RELEASED])
    assert told(waiting.seen_by(infinity)) == (End.NOTHING, [])
    assert told(arrived.seen_by(mercuri)) == (End.ARRIVED, [SET, RELEASED])
    assert told(arrived.seen_by(infinity)) == (
        End.ARRIVED,
        ["Infinity Solutions wrote “Highest” to priority, by version 2 of its rules."],
    )


def test_what_waits_is_told_also_where_our_own_write_came_to_the_field_since(matter: Matter) -> None:
    raised(matter)
    scenes.park(matter.to_right, "conflict", "“priority” was changed on both sides.")
    answer = scenes.seen(matter.right_ticket, minute=-8, fields={"priority": "High"})
    wrote = scenes.arrived(matter.to_left, answer, envelope={"fields": {"priority": "high"}})
    scenes.seen(matter.left_ticket, minute=-7, fields={"priority": "high"}, caused_by=wrote, actor="Concord")

    there = directions(matter)[0]

    assert told(there)[1][:2] == [SET, RELEASED]
    assert "“priority” was changed on both sides." in there.steps[-1].text
