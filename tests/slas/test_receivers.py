"""From what the engine sees to the clocks, and at what cost."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from integrations.events import News, Presence, histories_read, presence_changed
from integrations.models import LinkedTicket, Side
from slas import receivers, services
from slas.models import Agreement, Clock, Timing
from tests.slas.scenes import Scene, at, clocks_of, told

# Locking a row is a query of its own, which SQLite does not know.
LOCK = int(database.features.has_select_for_update)


@pytest.fixture(autouse=True)
def _time(time_machine: Any) -> None:
    time_machine.move_to(at("12:00"), tick=False)


def test_a_ticket_that_is_raised_starts_both_clocks(scene: Scene, agreement: Agreement) -> None:
    linked = scene.open("10:00", status="new", priority="high")

    assert {kind: told(row) for kind, row in clocks_of(linked).items()} == {
        "response": "running, 0 min used, due 10:30, breached",
        "resolution": "running, 0 min used, due 18:00",
    }
    assert list(Timing.objects.order_by("pk").values_list("what", "value", "position", "side__position")) == [
        ("opened", "", 0, "left"),
        ("handed over", "", 0, "left"),
        ("handed over", "", 1, "left"),
        ("status", "new", 1, "left"),
        ("priority", "high", 1, "left"),
    ]


def test_the_answering_sides_comment_is_the_response_and_the_requesters_is_not(
    scene: Scene, agreement: Agreement
) -> None:
    linked = scene.open("10:00", status="new", priority="high")
    scene.change(linked, scene.left, "10:05", comments=1)
    before = told(clocks_of(linked)["response"])
    scene.change(linked, scene.right, "10:20", comments=1)

    assert (before, told(clocks_of(linked)["response"])) == (
        "running, 0 min used, due 10:30, breached",
        "stopped, 20 min used, due 10:30, met",
    )


def test_an_internal_note_is_no_response(scene: Scene, agreement: Agreement) -> None:
    linked = scene.open("10:00", status="new", priority="high")
    scene.change(linked, scene.right, "10:20", comments=0, summary="another")

    assert told(clocks_of(linked)["response"]) == "running, 0 min used, due 10:30, breached"


def test_a_story_from_opening_to_resolution(scene: Scene, agreement: Agreement) -> None:
    linked = scene.open("02:00", status="new", priority="low", impact="1 - High", urgency="2 - Medium")
    scene.change(linked, scene.right, "02:10", status="open")
    scene.change(linked, scene.right, "03:00", status="pending")
    scene.change(linked, scene.left, "04:00", status="open")
    scene.change(linked, scene.right, "05:00", status="resolved")
    scene.change(linked, scene.left, "06:00", status="open")
    scene.change(linked, scene.right, "06:30", status="resolved")
    scene.change(linked, scene.left, "07:00", status="closed")

    row = clocks_of(linked)["resolution"]
    assert {kind: told(one) for kind, one in clocks_of(linked).items()} == {
        "response": "stopped, 10 min used, due 02:15, met",
        "resolution": "stopped, 150 min used, 60 min paused, due 05:00, breached",
    }
    assert (row.priority, row.month.isoformat(), row.wall_s, row.stopped_at) == (
        "critical",
        "2026-11-01",
        4.5 * 3600,
        at("06:30"),
    )


def test_a_late_delivery_changes_nothing(scene: Scene, agreement: Agreement) -> None:
    prompt, late = (scene.open("02:00", status="new", priority="high") for _ in range(2))
    for linked in (prompt, late):
        changes = [
            (scene.left, scene.seen(linked, scene.left, "03:00", priority="low")),
            (scene.right, scene.seen(linked, scene.right, "02:20", comments=1)),
            (scene.right, scene.seen(linked, scene.right, "05:00", status="resolved")),
        ]
        # The other side was away for hours: its changes come last, and all at once.
        for side, change in changes if linked is prompt else [changes[2], changes[1], changes[0]]:
            scene.tell(linked, side, change)

    def values(row: Clock) -> list[Any]:
        names = [field.name for field in Clock._meta.concrete_fields if not field.primary_key]
        return [getattr(row, name) for name in names if name not in services.CLOCK_KEY]

    assert {kind: values(row) for kind, row in clocks_of(late).items()} == {
        kind: values(row) for kind, row in clocks_of(prompt).items()
    }
    assert told(clocks_of(late)["resolution"]) == "stopped, 180 min used, due 02:00, met"


def test_telling_again_changes_nothing(scene: Scene, agreement: Agreement) -> None:
    linked = scene.open("10:00", status="new", priority="high")
    changes = [
        scene.seen(linked, scene.right, "10:20", status="open", comments=1),
        scene.seen(linked, scene.right, "11:00", status="pending"),
    ]
    scene.tell(linked, scene.right, *changes)
    once = [list(Timing.objects.order_by("pk").values()), list(Clock.objects.order_by("pk").values())]

    scene.tell(linked, scene.right, *changes)
    scene.tell(linked, scene.right, changes[0])

    assert [list(Timing.objects.order_by("pk").values()), list(Clock.objects.order_by("pk").values())] == once


def test_what_is_rolled_back_leaves_no_trace(scene: Scene, agreement: Agreement) -> None:
    linked = scene.open("10:00", status="new", priority="high")
    answer = scene.seen(linked, scene.right, "10:20", comments=1)
    with transaction.atomic():
        scene.tell(linked, scene.right, answer)
        transaction.set_rollback(True)
    before = told(clocks_of(linked)["response"])

    scene.tell(linked, scene.right, answer)

    assert (before, told(clocks_of(linked)["response"])) == (
        "running, 0 min used, due 10:30, breached",
        "stopped, 20 min used, due 10:30, met",
    )


def test_what_no_clock_needs_costs_no_query(
    scene: Scene, agreement: Agreement, django_assert_num_queries: Any
) -> None:
    linked = scene.open("10:00", status="new", priority="high")
    silent = [
        (scene.left, scene.seen(linked, scene.left, "11:00", comments=2)),
        (scene.left, scene.seen(linked, scene.left, "11:01", summary="another", labels=["a"])),
        (scene.right, scene.seen(linked, scene.right, "11:02", assignee={"id": "7"})),
    ]

    with django_assert_num_queries(0):
        for side, change in silent:
            scene.tell(linked, side, change)


@pytest.mark.django_db(transaction=True)
def test_only_the_first_answer_costs_queries(django_assert_num_queries: Any, scene: Scene) -> None:
    linked = scene.open("10:00", status="new", priority="high")
    answers = [scene.seen(linked, scene.right, when, comments=1) for when in ("11:00", "11:05", "10:59")]
    scene.tell(linked, scene.right, answers[0])

    with django_assert_num_queries(0):
        scene.tell(linked, scene.right, answers[1])
    # One that turns out to be earlier is news.
    scene.tell(linked, scene.right, answers[2])

    assert Timing.objects.filter(what="comment").count() == 2


def test_a_change_that_counts_costs_four_queries(
    scene: Scene, agreement: Agreement, django_assert_num_queries: Any
) -> None:
    linked = scene.open("10:00", status="new", priority="high")
    changes = [
        scene.seen(linked, scene.right, "10:20", status="open", comments=1),
        scene.seen(
            linked, scene.right, "11:00", status="pending", priority="low", impact=1, urgency=2, type="bug"
        ),
    ]

    # Lock the ticket (not on SQLite), add the facts, read them all with the token of the terms, write the clocks.
    with transaction.atomic(), django_assert_num_queries(3 + LOCK):
        scene.tell(linked, scene.right, *changes)


def test_a_new_link_costs_one_query_more_to_look_for_clocks_that_do_not_belong(
    scene: Scene, agreement: Agreement, django_assert_num_queries: Any
) -> None:
    scene.open("09:00", status="new")
    linked = scene.make_ticket(at("10:00"))
    first = scene.seen(linked, scene.left, "10:00", status="new", priority="high")

    with transaction.atomic(), django_assert_num_queries(4 + LOCK):
        scene.tell(linked, scene.left, first, is_new=True)


def test_what_many_tickets_tell_at_once_costs_as_much_as_one(
    scene: Scene, agreement: Agreement, django_assert_num_queries: Any
) -> None:
    opened = [scene.open("09:00", status="new", priority="high") for _ in range(5)]
    news = [
        News(
            one.row,
            scene.right,
            one.tickets[scene.right.pk],
            [scene.seen(one, scene.right, "09:30", status="resolved")],
        )
        for one in opened
    ]

    with transaction.atomic(), django_assert_num_queries(3 + LOCK):
        histories_read.send(LinkedTicket, news=news)

    assert [told(clocks_of(one)["resolution"]) for one in opened] == [
        "stopped, 30 min used, due 17:00, met"
    ] * 5


def test_without_an_agreement_facts_are_kept_for_the_one_to_come(scene: Scene) -> None:
    linked = scene.open("10:00", status="new", priority="high")
    scene.change(linked, scene.right, "10:20", comments=1)

    assert (Clock.objects.count(), Timing.objects.filter(what="comment").count()) == (0, 1)


def test_a_ticket_linked_long_after_it_was_opened_was_handed_over_by_the_change_that_linked_it(
    scene: Scene,
) -> None:
    linked = scene.make_ticket(at("09:00"))
    # In the engine: the change that made the trigger hold, seen much later than it happened.
    why = scene.seen(linked, scene.left, "10:30", status="open", priority="high")
    scene.tell(linked, scene.left, why, is_new=True)
    scene.change(linked, scene.left, "11:00", priority="low")

    handed_over = Timing.objects.filter(what="handed over").order_by("happened_at")
    assert [row.happened_at for row in handed_over] == [at("10:30"), linked.row.created_at]


def test_two_histories_read_at_once_both_count(transactional_db: None, time_machine: Any) -> None:
    """Each of two processes computes with the other's fact, whoever comes first."""
    if database.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    scene, barrier = _prepared()
    linked = scene.open("10:00", status="new", priority="high")
    scene.tell(linked, scene.right, scene.seen(linked, scene.right, "10:01", status="open"))
    changes = [
        (scene.left, scene.seen(linked, scene.left, "10:30", priority="critical")),
        (scene.right, scene.seen(linked, scene.right, "11:00", status="resolved")),
    ]

    def run(side: Any, change: Any) -> None:
        try:
            with transaction.atomic():
                # Both have begun before either sees anything of the other.
                LinkedTicket.objects.count()
                barrier.wait(timeout=10)
                scene.tell(linked, side, change)
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=change) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    row = clocks_of(linked)["resolution"]
    assert (row.state, row.priority, row.elapsed_s) == ("stopped", "critical", 3600)


def _prepared() -> tuple[Scene, threading.Barrier]:
    from tests.slas import scenes

    scene = scenes.make_scene()
    scenes.agree(scene)
    return scene, threading.Barrier(2)


def test_answers_are_remembered_up_to_a_limit() -> None:
    known = receivers.Answered(limit=2)
    tickets = [LinkedTicket(pk=number, created_at=at("09:00")) for number in (1, 2, 3)]
    for ticket in tickets:
        known.note(ticket, at("10:00"))

    assert [known.covers(ticket, at("11:00")) for ticket in tickets] == [False, True, True]
    assert not known.covers(tickets[2], at("09:59"))


def test_an_emptied_database_does_not_inherit_answers() -> None:
    known = receivers.Answered(limit=2)
    known.note(LinkedTicket(pk=1, created_at=at("09:00")), at("10:00"))

    assert not known.covers(LinkedTicket(pk=1, created_at=at("2 09:00")), at("2 10:00"))


@pytest.mark.parametrize(
    ("value", "stored"), [(None, ""), (1, "1"), ("x" * 200, "x" * 100), (["a"], "['a']")]
)
def test_any_value_fits_into_a_fact(scene: Scene, value: Any, stored: str) -> None:
    linked = scene.open("10:00")
    scene.change(linked, scene.left, "11:00", priority=value)

    assert Timing.objects.get(what="priority").value == stored


def test_the_engine_is_heard() -> None:
    assert receivers.hear in [receiver() for _, receiver, *_ in histories_read.receivers]


def test_a_requesters_ticket_that_is_gone_ends_its_clocks_until_it_is_back(
    scene: Scene, agreement: Agreement
) -> None:
    linked = scene.open("10:00", status="new", priority="high")

    def presence(side: Side, when: str, *, is_gone: bool) -> dict[str, str]:
        values = {} if is_gone else {"status": "new"}
        news = [Presence(linked.row, side, linked.tickets[side.pk], at(when), is_gone, values)]
        with transaction.atomic():
            presence_changed.send(LinkedTicket, news=news)
        return {kind: row.state for kind, row in clocks_of(linked).items()}

    # The requester still waits when the answering side's ticket is gone.
    assert presence(scene.right, "10:10", is_gone=True) == {"response": "running", "resolution": "running"}
    gone = presence(scene.left, "10:20", is_gone=True)
    assert "running" not in gone.values()
    assert presence(scene.left, "10:30", is_gone=False) == {"response": "running", "resolution": "running"}
