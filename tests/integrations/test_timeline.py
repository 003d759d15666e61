"""One timeline over both tickets, whole for those who see all partners, reduced for a partner's own people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from integrations.models import Lane, Side, Undo
from integrations.richtext import blocks
from integrations.services.timeline.entries import Entry, Fate, FieldChange, File, Remark, Sent
from integrations.services.timeline.timelines import timeline
from integrations.services.timeline.viewers import Viewer
from tests import factories
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter

pytestmark = pytest.mark.django_db

EVERYONE = Viewer(sees_all=True)


@pytest.fixture
def matter() -> Matter:
    left, right = scenes.mercuri_and_infinity()
    scenes.dictionary(left, title="Title", priority="Priority")
    return scenes.matter(left, right, left_fields={"subject": "Charged twice"}, right_fields={})


def own(side: Side) -> Viewer:
    return Viewer(frozenset({side.system.partner_id}))


def entries(matter: Matter, viewer: Viewer, **options: Any) -> list[Entry]:
    return list(timeline(matter.linked, viewer, now=NOW, **options).entries)


def text(words: str) -> blocks.Document:
    return blocks.from_plain(words)


def test_both_sides_stand_in_the_order_of_their_own_times(matter: Matter) -> None:
    scenes.seen(matter.left_ticket, minute=-30, kind="created", fields={"subject": "Charged twice"})
    scenes.seen(matter.right_ticket, minute=-10, actor="Raj Patel", fields={"priority": "High"})
    scenes.seen(matter.left_ticket, minute=-20, fields={"priority": "urgent"}, before={"priority": "low"})

    found = entries(matter, EVERYONE)

    assert [(entry.partner, entry.system, entry.ticket, entry.author) for entry in found] == [
        ("Infinity Solutions", "Infinity Jira", "INF-1", "Raj Patel"),
        ("Mercuri Inc", "Mercuri Zendesk", "#1", "Ann Lee"),
        ("Mercuri Inc", "Mercuri Zendesk", "#1", "Ann Lee"),
    ]
    assert [entry.at for entry in found] == [NOW - timedelta(minutes=minutes) for minutes in (10, 20, 30)]
    # A new ticket is told as one fact, not as every field it came with.
    assert [entry.changes for entry in found] == [
        [FieldChange("Priority", "", "High")],
        [FieldChange("Priority", "low", "urgent")],
        [],
    ]
    assert [entry.kind for entry in found] == ["updated", "updated", "created"]


def test_long_texts_are_told_by_their_beginning(matter: Matter) -> None:
    scenes.seen(matter.left_ticket, fields={"description": scenes.body("word " * 40), "subject": "x" * 90})

    changes = entries(matter, EVERYONE)[0].changes

    assert [(change.label, change.before, change.is_text) for change in changes] == [
        ("Description", "", True),
        ("Subject", "", True),
    ]
    assert changes[0].after.startswith("word word")
    assert len(changes[0].after) <= 80


def test_our_own_write_coming_back_is_told_once_where_it_began(matter: Matter) -> None:
    change = scenes.seen(matter.left_ticket, minute=-5, fields={"subject": "New"})
    delivery = scenes.arrived(
        matter.to_right, change, envelope={"fields": {"title": "New"}, "changed": ["subject"]}
    )
    scenes.seen(matter.right_ticket, minute=-4, fields={"summary": "New"}, caused_by=delivery)

    found = entries(matter, EVERYONE)

    assert [entry.ticket for entry in found] == ["#1"]
    assert found[0].sent == [
        Sent(
            "Infinity Solutions",
            "Infinity Jira",
            "title",
            Fate.DELIVERED,
            at=change.happened_at + timedelta(seconds=4),
            delay=timedelta(seconds=4),
            delivery_id=delivery.pk,
            number=1,
            tries=1,
        )
    ]


def test_what_was_put_back_is_told_where_it_happened_and_to_nobody_else(matter: Matter) -> None:
    revert = scenes.queued(
        matter.to_right, operation="revert", state="done", envelope={"fields": {"summary": "Old"}}
    )
    scenes.seen(
        matter.right_ticket,
        fields={"summary": "Old"},
        before={"summary": "New"},
        caused_by=revert,
        actor="Concord",
    )

    (entry,) = entries(matter, EVERYONE)

    assert (entry.ticket, entry.is_undoing, entry.through) == ("INF-1", True, "")
    assert entry.changes == [FieldChange("Summary", "New", "Old")]
    assert entries(matter, Viewer(frozenset({matter.left.system.partner_id}))) == []
    assert len(entries(matter, Viewer(frozenset({matter.right.system.partner_id})))) == 1


def test_a_change_that_another_connection_brought_names_where_it_came_from(matter: Matter) -> None:
    global_jira = factories.make_system(factories.globally(), "jira", name="Global Jira")
    jira, devops = scenes.connection(matter.right.system, global_jira)
    onward = scenes.matter(jira, devops, left_fields={}, right_fields={}, number=7)
    fixed = scenes.seen(onward.right_ticket, fields={"state": "Resolved"}, actor="Dev Ops")
    delivery = scenes.arrived(onward.to_left, fixed, envelope={"fields": {"status": "resolved"}})
    scenes.seen(matter.right_ticket, actor="Concord", fields={"status": "Done"}, caused_by=delivery)

    assert [(entry.ticket, entry.through) for entry in entries(matter, EVERYONE)] == [
        ("INF-1", "Global Pvt Ltd")
    ]


def test_every_delivery_tells_its_fate(matter: Matter) -> None:
    def fate(minute: int, lane: Lane | None = None, **values: Any) -> None:
        change = scenes.seen(matter.left_ticket, minute=minute)
        scenes.queued(lane or matter.to_right, change, envelope={"fields": {"title": ""}}, **values)

    fate(-60, state="superseded", done_at=NOW - timedelta(minutes=59))
    fate(-50, state="skipped", done_at=NOW - timedelta(minutes=40), skipped_reason="By mail")
    fate(-30, state="sent", tries=2)
    fate(-20)
    scenes.park(matter.to_right, "too_large", "The text is too long.")

    def told() -> list[tuple[Fate, timedelta | None, str, str]]:
        sent = [entry.sent[0] for entry in reversed(entries(matter, EVERYONE))]
        return [(one.fate, one.delay, one.failure_code, one.reason) for one in sent]

    minutes = [timedelta(minutes=count) for count in (1, 10, 30, 20)]
    assert told() == [
        (Fate.OVERTAKEN, minutes[0], "", ""),
        (Fate.SKIPPED, minutes[1], "", "By mail"),
        (Fate.PARKED, minutes[2], "too_large", ""),
        (Fate.WAITING, minutes[3], "", ""),
    ]
    Lane.objects.update(state="ready", failure_code="")
    assert [one[0] for one in told()][2:] == [Fate.VERIFYING, Fate.WAITING]
    Lane.objects.update(state="held")
    assert [one[0] for one in told()][2:] == [Fate.HELD, Fate.HELD]


def test_an_internal_note_that_was_not_released_stays_with_its_company(matter: Matter) -> None:
    scenes.seen(matter.left_ticket, minute=-3, comments=[scenes.comment("They pay late", is_public=False)])
    shared = scenes.seen(matter.left_ticket, minute=-2, comments=[scenes.comment("For you", is_public=False)])
    scenes.arrived(
        matter.to_right, shared, operation="comment", envelope=scenes.released("For you", is_public=False)
    )

    remarks = [entry.remarks for entry in entries(matter, EVERYONE)]

    assert remarks == [[Remark("Ann Lee", False, text("For you"))], [Remark("", False, None)]]
    # Its own people read it, whatever else they see.
    at_mercuri = Viewer(frozenset({matter.left.system.partner_id}), sees_all=True)
    assert entries(matter, at_mercuri)[1].remarks == [Remark("Ann Lee", False, text("They pay late"))]


def test_a_partner_sees_its_own_changes_in_full_and_only_whether_they_were_passed_on(matter: Matter) -> None:
    change = scenes.seen(
        matter.left_ticket, minute=-9, fields={"priority": "urgent"}, before={"priority": "low"}
    )
    scenes.arrived(
        matter.to_right, change, envelope={"fields": {"priority": "critical"}, "changed": ["priority"]}
    )
    late = scenes.seen(
        matter.left_ticket, minute=-5, comments=[scenes.comment("Hello", files=["trace.txt"])], attachments=[]
    )
    scenes.queued(matter.to_right, late, operation="comment", envelope=scenes.released("Hello"), tries=4)
    scenes.park(matter.to_right, "forbidden", "The account at Infinity may not comment.")

    newest, oldest = entries(matter, own(matter.left))

    assert oldest.changes == [FieldChange("Priority", "low", "urgent")]
    done_at = change.happened_at + timedelta(seconds=4)
    assert oldest.sent == [Sent("Infinity Solutions", "Jira", "priority", Fate.DELIVERED, at=done_at)]
    assert newest.remarks == [Remark("Ann Lee", True, text("Hello"), (File("trace.txt", 4096),))]
    assert newest.sent == [
        Sent(
            "Infinity Solutions",
            "Jira",
            "comment",
            Fate.PARKED,
            failure="The receiver has to look at it; until then it waits, and what follows waits behind it.",
        )
    ]


def test_a_partner_learns_that_its_own_rules_stop_a_change_and_not_what_they_said(matter: Matter) -> None:
    change = scenes.seen(matter.left_ticket, fields={"priority": "urgent"})
    behind = scenes.seen(matter.left_ticket, minute=1, fields={"priority": "low"})
    problem = {"code": "unmapped_value", "field": "priority", "message": "No row."}
    scenes.queued(matter.to_right, change, problem=problem, envelope={"fields": {}, "changed": ["priority"]})
    scenes.queued(matter.to_right, behind, envelope={"fields": {"priority": "low"}, "changed": ["priority"]})
    scenes.park(matter.to_right, "unmapped_value", "“priority” holds “urgent”.")

    later, stopped = (entry.sent[0] for entry in entries(matter, own(matter.left)))

    assert (stopped.fate, stopped.failure) == (
        Fate.PARKED,
        "The sender has to look at it; until then it waits, and what follows waits behind it.",
    )
    assert (later.fate, later.failure) == (Fate.UNDER_WAY, "")


def test_a_partner_sees_of_the_other_side_what_was_released_and_arrived(matter: Matter) -> None:
    change = scenes.seen(
        matter.right_ticket,
        minute=-9,
        actor="Raj Patel",
        fields={"priority": "Highest", "margin": "canary"},
        comments=[scenes.comment("On it", author="Raj Patel"), scenes.comment("canary", is_public=False)],
    )
    scenes.arrived(
        matter.to_left, change, envelope={"fields": {"priority": "critical"}, "changed": ["priority"]}
    )
    scenes.arrived(
        matter.to_left, change, operation="comment", envelope=scenes.released("On it", author="Raj Patel")
    )
    file = {"file": {**scenes.file("plan.txt"), "is_public": True}}
    scenes.arrived(matter.to_left, change, operation="file", envelope=file)
    # Waiting, left out, and between the engine and one system: nothing of these was handed over.
    hidden = scenes.seen(matter.right_ticket, minute=-1, fields={"summary": "canary"})
    scenes.arrived(matter.to_left, hidden, operation="repair", envelope={"fields": {"subject": "canary"}})
    scenes.queued(
        matter.to_left, hidden, envelope={"fields": {"title": "canary"}}, state="skipped", done_at=NOW
    )
    scenes.queued(matter.to_left, hidden, envelope={"fields": {"title": "canary"}})

    done_at = change.happened_at + timedelta(seconds=4)
    (only,) = entries(matter, own(matter.left))

    assert "canary" not in repr(only)
    assert only == Entry(
        event_id=change.pk,
        at=change.happened_at,
        kind="updated",
        author="Raj Patel",
        partner="Infinity Solutions",
        system="Jira",
        ticket="",
        is_own=False,
        changes=[FieldChange("Priority", "", "critical")],
        remarks=[Remark("Raj Patel", True, text("On it"))],
        files=[File("plan.txt", 4096)],
        sent=[
            Sent("Mercuri Inc", "Mercuri Zendesk", "priority", Fate.DELIVERED, at=done_at),
            Sent("Mercuri Inc", "Mercuri Zendesk", "comment", Fate.DELIVERED, at=done_at),
            Sent("Mercuri Inc", "Mercuri Zendesk", "file plan.txt", Fate.DELIVERED, at=done_at),
        ],
    )


def test_a_partner_sees_that_the_other_side_opened_the_ticket() -> None:
    left, right = scenes.mercuri_and_infinity()
    matter = scenes.matter(left, right, left_fields={}, right_fields={})
    opened = scenes.seen(matter.left_ticket, kind="created", fields={"subject": "canary"})
    scenes.arrived(
        matter.to_right, opened, operation="create", envelope={"fields": {"title": "Charged twice"}}
    )

    (only,) = entries(matter, own(right))

    assert (only.kind, only.partner, only.changes) == ("created", "Mercuri Inc", [])
    assert "canary" not in repr(only)


def test_a_stranger_sees_an_empty_timeline(matter: Matter) -> None:
    change = scenes.seen(matter.left_ticket, fields={"subject": "New"})
    scenes.arrived(matter.to_right, change, envelope={"fields": {"title": "New"}})

    assert entries(matter, Viewer()) == []


def test_older_pages_continue_where_the_newer_one_ended(matter: Matter) -> None:
    # Three of them in the same second: the key decides.
    made = [scenes.seen(matter.left_ticket, minute=minute) for minute in (-9, -5, -5, -5, -1)]

    pages, older = [], ""
    while True:
        found = timeline(matter.linked, EVERYONE, now=NOW, older_than=older, limit=2)
        pages.append([entry.event_id for entry in found.entries])
        older = found.older
        if not older:
            break

    keys = [event.pk for event in made]
    assert pages == [[keys[4], keys[3]], [keys[2], keys[1]], [keys[0]]]


@pytest.mark.parametrize("nonsense", ["x", "nan-1", "1e999-3", "12", "-", "12-x"])
def test_a_key_that_is_not_understood_starts_at_the_newest(matter: Matter, nonsense: str) -> None:
    change = scenes.seen(matter.left_ticket)

    assert [entry.event_id for entry in entries(matter, EVERYONE, older_than=nonsense)] == [change.pk]


def test_the_timeline_costs_the_same_whatever_its_length(
    matter: Matter, django_assert_num_queries: Any
) -> None:
    for minute in range(30):
        change = scenes.seen(matter.left_ticket, minute=minute)
        scenes.arrived(matter.to_right, change, envelope={"fields": {"title": "New"}})

    # Sides, changes, deliveries, files that stayed.
    with django_assert_num_queries(4):
        entries(matter, EVERYONE)
    # Sides, keys of changes, own changes, deliveries, labels of the dictionary, files that stayed.
    with django_assert_num_queries(6):
        entries(matter, own(matter.left))


def test_a_write_tells_that_it_is_being_undone_to_those_whose_system_it_is(matter: Matter) -> None:
    change = scenes.seen(matter.left_ticket, minute=-5, fields={"subject": "New"})
    delivery = scenes.arrived(
        matter.to_right,
        change,
        envelope={"fields": {"title": "New"}},
        wanted={"summary": "New"},
        pre_image={"summary": "Old"},
    )

    def told(viewer: Viewer) -> list[tuple[int | None, str]]:
        (entry,) = entries(matter, viewer)
        return [(one.undo_id, one.undoing.words if one.undoing else "") for one in entry.sent]

    assert told(own(matter.right)) == [(delivery.pk, "")]
    undo = Undo.objects.create(target=matter.right, asked_at=NOW, due_at=NOW, state="ready")
    item = undo.items.create(lane=matter.to_right, delivery=delivery, field="summary", state="open")
    assert told(own(matter.right)) == [(delivery.pk, "undoing waits to be confirmed")]
    Undo.objects.update(state="under_way")
    assert told(own(matter.right)) == [(None, "being undone")]
    assert told(EVERYONE) == [(None, "being undone")]
    # What is done in the receiver's system is nothing to its sender.
    assert told(own(matter.left)) == [(None, "")]
    Undo.objects.update(state="ended")
    item.state = "left"
    item.save()
    assert told(own(matter.right)) == [(delivery.pk, "not undone")]
    undo.items.create(lane=matter.to_right, delivery=delivery, field="priority", state="done")
    assert told(own(matter.right)) == [(delivery.pk, "undone in part")]
    Undo.objects.update(state="discarded")
    assert told(own(matter.right)) == [(delivery.pk, "")]
