"""Computing clocks again, sweeping, explaining and editing terms."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection as database
from django.db import transaction

from integrations.models import LinkedTicket, Ticket
from slas import services, tasks
from slas.calendars import Window, every_day
from slas.models import Agreement, Calendar, Clock, PriorityMatrix, Target, Timing
from slas.services import Goal
from tests import factories
from tests.slas import scenes
from tests.slas.scenes import Linked, Scene, agree, at, clocks_of, told

MINUTES = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _time(time_machine: Any) -> None:
    time_machine.move_to(at("10:00"), tick=False)


def rows() -> list[dict[str, Any]]:
    """All clocks, keys of the rows themselves left out."""
    return list(
        Clock.objects.order_by("linked_ticket", "agreement", "kind").values(
            *(field.name for field in Clock._meta.concrete_fields if not field.primary_key)
        )
    )


def story(scene: Scene) -> list[Linked]:
    """A few tickets in different states."""
    running = scene.open("08:00", status="new", priority="high")
    paused = scene.open("08:10", status="new", priority="critical")
    scene.change(paused, scene.right, "08:40", status="pending")
    resolved = scene.open("08:20", status="new", priority="low")
    scene.change(resolved, scene.right, "09:00", status="resolved", comments=1)
    return [running, paused, resolved]


# --- Computing again ---


def test_clocks_thrown_away_come_back_the_same(scene: Scene, agreement: Agreement) -> None:
    linked = story(scene)
    before = rows()
    Clock.objects.all().delete()

    services.recompute(linked[0].row, at("10:00"))
    one = len(rows())
    services.recompute_all(at("10:00"))

    assert (one, rows()) == (2, before)


def test_computing_again_changes_nothing(scene: Scene, agreement: Agreement) -> None:
    story(scene)
    before = list(Clock.objects.order_by("pk").values())

    services.recompute_all(at("10:00"))
    services.recompute_all(at("10:00"))

    assert list(Clock.objects.order_by("pk").values()) == before


def test_progress_is_told_after_every_batch(
    scene: Scene, agreement: Agreement, monkeypatch: pytest.MonkeyPatch
) -> None:
    story(scene)
    monkeypatch.setattr(services, "BATCH", 2)
    told_of: list[tuple[int, int]] = []

    done = services.recompute_all(at("10:00"), lambda done, total: told_of.append((done, total)))

    assert (done, told_of) == (3, [(2, 3), (3, 3)])


def test_a_ticket_linked_before_anybody_measured_has_at_least_a_beginning(
    scene: Scene, agreement: Agreement
) -> None:
    linked = scene.make_ticket(at("08:00"))

    services.recompute(linked.row, at("10:00"))

    assert {kind: told(row) for kind, row in clocks_of(linked).items()} == {
        "response": "running, 0 min used",
        "resolution": "running, 0 min used",
    }


def test_the_clocks_of_an_agreement_that_no_longer_holds_go(scene: Scene, agreement: Agreement) -> None:
    story(scene)
    agreement.valid_until = date(2026, 11, 23)
    agreement.save()

    services.recompute_all(at("10:00"))

    assert Clock.objects.count() == 0


def test_a_change_of_terms_reaches_all_clocks_with_the_next_sweeps(
    scene: Scene, agreement: Agreement, monkeypatch: pytest.MonkeyPatch
) -> None:
    story(scene)
    services.sweep(at("10:00"))
    monkeypatch.setattr(services, "BATCH", 2)
    Target.objects.filter(kind="resolution", priority="high").get().delete()
    agreement.targets.filter(kind="resolution", priority="low").update(minutes=30)
    # An update sends no signal; the deletion before it did.
    steps = []
    for _ in range(3):
        _, computed = services.sweep(at("10:00"), budget_s=0)
        steps.append((computed, Agreement.objects.get().recompute_from is None))

    assert steps == [(2, False), (1, False), (0, True)]
    assert [
        (row["priority"], row["target_s"], row["is_breached"])
        for row in rows()
        if row["kind"] == "resolution"
    ] == [
        ("high", None, False),
        ("critical", 7200, False),
        ("low", 1800, True),
    ]
    assert services.sweep(at("10:00")) == (0, 0)


def test_applying_changed_terms_makes_room_for_tickets_that_wait(
    scene: Scene, agreement: Agreement, monkeypatch: pytest.MonkeyPatch
) -> None:
    story(scene)
    monkeypatch.setattr(services, "BATCH", 1)
    services.set_targets(agreement, [Goal("resolution", "high", 60)])
    waiting = iter([False, True, True])
    pace = services.Pace(lambda: next(waiting), least_s=0)

    steps = [services.sweep(at("10:00"), pace=pace)[1] for _ in range(2)]

    assert steps == [2, 1]
    assert services.sweep(at("10:00")) == (0, 0)
    assert Agreement.objects.get().recompute_from is None


def test_the_sweep_of_clocks_asks_whether_tickets_wait(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    linked = scene.open("08:00")
    paces: list[services.Pace] = []
    monkeypatch.setattr(services, "sweep", lambda now, pace: paces.append(pace))
    tasks.sweep_clocks()
    Ticket.objects.update(read_due_at=None)
    before = paces[0].others_wait()

    Ticket.objects.filter(sides__linked_ticket=linked.row).update(read_due_at=at("09:00"))

    assert (before, paces[0].others_wait()) == (False, True)


def test_a_change_of_terms_while_they_are_being_applied_begins_again(
    scene: Scene, agreement: Agreement, monkeypatch: pytest.MonkeyPatch
) -> None:
    story(scene)
    monkeypatch.setattr(services, "BATCH", 2)
    services.set_targets(agreement, [Goal("resolution", "high", 60)])
    services.sweep(at("10:00"), budget_s=0)
    services.set_targets(agreement, [Goal("resolution", "high", 240)])

    services.sweep(at("10:00"))

    assert {
        row["target_s"] for row in rows() if row["priority"] == "high" and row["kind"] == "resolution"
    } == {14400}


def test_a_connection_taken_from_an_agreement_takes_its_clocks_along(
    scene: Scene, agreement: Agreement
) -> None:
    story(scene)
    elsewhere = factories.make_connection(
        left=factories.make_system(factories.mercuri()),
        right=factories.make_system(factories.globally(), "jira"),
        template=False,
    )
    agreement.connections.set([scene.connection])
    services.sweep(at("10:00"))
    before = Clock.objects.count()

    agreement.connections.set([elsewhere])
    services.sweep(at("10:00"))

    assert (before, Clock.objects.count()) == (6, 0)


def test_a_new_agreement_measures_what_happened_before_it_was_entered(scene: Scene) -> None:
    linked = story(scene)
    agree(scene)

    services.sweep(at("10:00"))

    assert [told(clocks_of(one)["resolution"]) for one in linked] == [
        "running, 0 min used, due 16:00",
        "paused, 30 min used",
        "stopped, 40 min used, due 08:20, met",
    ]


def test_an_agreement_can_be_computed_at_once(scene: Scene) -> None:
    story(scene)
    agreement = agree(scene)

    assert (services.recompute_agreement(agreement, at("10:00")), Clock.objects.count()) == (3, 6)
    assert Agreement.objects.get().recompute_from is None


def test_a_ticket_in_somebody_elses_hands_is_waited_for_alone(transactional_db: None) -> None:
    """While we hold one ticket we wait for no other: whoever locks two in another order is not kept waiting."""
    if database.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    scene = scenes.make_scene()
    agree(scene)
    tickets = [scene.open("08:00", status="new") for _ in range(4)]
    Clock.objects.all().delete()
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                list(LinkedTicket.objects.select_for_update().filter(pk=tickets[2].row.pk))
                held.set()
                release.wait(timeout=20)
        finally:
            database.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(timeout=10)
    with transaction.atomic():
        first = services._recompute_batch(LinkedTicket.objects.all(), 0, at("10:00"))
    release.set()
    holder.join(timeout=20)
    services.recompute_all(at("10:00"))

    assert (first, Clock.objects.count()) == ([ticket.row.pk for ticket in tickets[:2]], 8)


# --- Sweeping ---


def test_clocks_that_ran_out_are_marked_and_no_others(scene: Scene, agreement: Agreement) -> None:
    story(scene)
    scene.open("09:50", status="new", priority="high")
    scene.open("09:50", status="new")
    before = list(Clock.objects.breached().values_list("pk", flat=True))

    marked = [services.mark_breaches(at(moment)) for moment in ("10:20", "10:21", "10:21")]

    assert marked == [0, 1, 0]
    newly = Clock.objects.breached().exclude(pk__in=before)
    assert [(row.kind, row.breaches_at) for row in newly] == [("response", at("10:20"))]


def test_the_sweep_says_what_computing_would(scene: Scene, agreement: Agreement) -> None:
    story(scene)
    services.mark_breaches(at("5 10:00"))
    swept = rows()

    services.recompute_all(at("5 10:00"))

    assert rows() == swept


def test_many_clocks_are_marked_in_batches(
    scene: Scene, agreement: Agreement, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        scene.open("09:59", status="new", priority="high")
    monkeypatch.setattr(services, "BATCH", 2)

    assert services.mark_breaches(at("2 23:00")) == 10


def test_the_schedules_task_sweeps(scene: Scene, agreement: Agreement, time_machine: Any) -> None:
    scene.open("09:59", status="new", priority="high")
    time_machine.move_to(at("10:35"), tick=False)

    tasks.sweep_clocks()

    assert set(Clock.objects.breached().values_list("kind", flat=True)) == {"response"}


# --- Showing ---


def test_a_running_clock_shows_what_has_passed_since_it_was_written(
    scene: Scene, agreement: Agreement, django_assert_num_queries: Any
) -> None:
    services.set_hours(agreement.calendar, every_day(8 * 60, 18 * 60))
    running, paused, resolved = story(scene)
    clocks = [clocks_of(linked)["resolution"] for linked in (running, paused, resolved)]
    services.live(clocks, at("12:00"))

    # The token of the terms.
    with django_assert_num_queries(1):
        shown = services.live(clocks, at("2 09:00"))

    assert [
        (one.elapsed // MINUTES, one.paused // MINUTES, one.remaining and one.remaining // MINUTES)
        for one in shown
    ] == [
        (11 * 60, 0, -3 * 60),
        (30, 9 * 60 + 20 + 60, 90),
        (40, 0, 72 * 60 - 40),
    ]
    assert shown[0].used_share == 11 / 8


def test_a_stored_clock_shows_the_same_as_its_explanation(scene: Scene, agreement: Agreement) -> None:
    services.set_hours(agreement.calendar, every_day(8 * 60, 18 * 60, range(5)))
    linked = story(scene)[1]
    scene.change(linked, scene.left, "08:50", priority="low")
    scene.change(linked, scene.left, "09:10", status="open")
    scene.change(linked, scene.left, "09:20", priority="high")
    row, now = clocks_of(linked)["resolution"], at("3 11:11")

    (live,) = services.live([row], now)
    explained = {one.measurement.kind: one.measurement for one in services.explain(linked.row, now)}[
        "resolution"
    ]

    assert row.state_since == at("09:10"), "a new priority is no new state"
    assert (live.elapsed, live.paused, live.remaining) == (
        explained.elapsed,
        explained.paused,
        explained.remaining,
    )


def test_the_explanation_leads_to_the_events(
    scene: Scene, agreement: Agreement, django_assert_num_queries: Any
) -> None:
    linked = story(scene)[1]
    services.explain(linked.row, at("10:00"))

    # The facts, with the token of the terms.
    with django_assert_num_queries(1):
        (_, resolution) = services.explain(linked.row, at("10:00"))

    events = {row.event_id: row.event for row in Timing.objects.select_related("event")}
    causes = [events[one.cause.event_id] for one in resolution.measurement.intervals]
    assert [(event and event.happened_at) for event in causes] == [None, at("08:40")]
    assert resolution.agreement_id == agreement.pk


def test_a_clock_can_be_shown_as_it_stood(scene: Scene, agreement: Agreement) -> None:
    linked = story(scene)[2]

    stood = {
        moment: [
            one.measurement.state.value for one in services.explain(linked.row, at("10:00"), as_of=at(moment))
        ]
        for moment in ("08:19", "08:20", "08:59", "09:00")
    }

    assert stood == {
        "08:19": [],
        "08:20": ["running", "running"],
        "08:59": ["running", "running"],
        "09:00": ["stopped", "stopped"],
    }


# --- Editing ---


def test_editing_a_matrix_tells_what_changed(agreement: Agreement) -> None:
    matrix = agreement.matrix
    before = matrix.rows

    changes = services.edit_matrix(matrix, [["P1"] * 4] * 4)

    assert changes == {"rows": [before, [["critical"] * 4] * 4]}
    assert services.edit_matrix(matrix, [["critical"] * 4] * 4) == {}
    assert PriorityMatrix.objects.get().rows == [["critical"] * 4] * 4


def test_a_wrong_matrix_is_refused_and_nothing_changed(agreement: Agreement) -> None:
    with pytest.raises(ValueError, match="“soon” at urgency 1, impact 1"):
        services.edit_matrix(agreement.matrix, [["soon"] * 4] * 4)

    assert PriorityMatrix.objects.get().rows == agreement.matrix.rows


def test_editing_targets_tells_what_changed(agreement: Agreement) -> None:
    goals = [goal for goal in services.reference_goals() if (goal.kind, goal.priority) != ("response", "low")]
    goals = [
        Goal(goal.kind, goal.priority, 90)
        if (goal.kind, goal.priority) == ("resolution", "critical")
        else goal
        for goal in goals
    ]

    changes = services.set_targets(agreement, [*goals, Goal("resolution", "high", 2400, "change")])

    assert changes == {
        "resolution critical": [120, 90],
        "resolution high change": [None, 2400],
        "response low": [480, None],
    }
    assert services.set_targets(agreement, [*goals, Goal("resolution", "high", 2400, "change")]) == {}
    assert agreement.targets.count() == 8


def test_a_wrong_target_changes_none(agreement: Agreement) -> None:
    before = list(agreement.targets.values())

    with pytest.raises(ValidationError):
        services.set_targets(agreement, [Goal("resolution", "high", 5), Goal("resolution", "someday", 5)])

    assert list(agreement.targets.values()) == before


def test_editing_hours_and_holidays_tells_what_changed(agreement: Agreement) -> None:
    office = Calendar.objects.create(name="Office", time_zone="Europe/Berlin")
    services.set_hours(office, every_day(8 * 60, 18 * 60, range(2)))

    hours = services.set_hours(office, [Window(0, 480, 1080), Window(1, 480, 720), Window(1, 780, 1440)])
    holidays = services.set_holidays(office, [(date(2026, 12, 25), "Christmas")])

    assert hours == {"Tuesday": ["08:00–18:00", "08:00–12:00, 13:00–24:00"]}
    assert holidays == {"2026-12-25": [None, "Christmas"]}
    assert services.set_holidays(office, [(date(2026, 12, 25), "Christmas")]) == {}


# --- The reference ---


def test_the_reference_can_be_loaded_again_and_again(scene: Scene) -> None:
    customer, provider = scene.left.system.partner, scene.right.system.partner

    loaded = [services.load_reference(customer, provider, [scene.connection]) for _ in range(2)]

    assert loaded[0] == loaded[1]
    assert (str(loaded[0]), loaded[0].targets.count(), loaded[0].connections.count()) == (
        "Global Pvt Ltd for Mercuri Inc",
        8,
        1,
    )
    assert str(loaded[0].calendar.hours.first()) == "Monday 00:00–24:00"


def test_loading_the_reference_keeps_what_people_changed(agreement: Agreement, scene: Scene) -> None:
    services.set_targets(agreement, [Goal("resolution", "critical", 90)])

    services.load_reference(agreement.customer, agreement.provider)

    assert list(agreement.targets.values_list("minutes", flat=True)) == [90]
