"""Who sees which agreements and clocks, and what the database refuses."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from slas.models import Agreement, Calendar, Clock, Closure, Holiday, Hours, PriorityMatrix, Target
from tests import factories
from tests.factories import Role
from tests.slas.scenes import Scene, agree, at


def test_a_clock_is_seen_by_the_parties_of_its_agreement_who_share_the_ticket(
    scene: Scene, agreement: Agreement
) -> None:
    # Global has a contract with Infinity on the same connection: none of Mercuri's business.
    contract = Agreement.objects.create(
        name="Underpinning",
        kind=Agreement.Kind.UNDERPINNING,
        customer=factories.infinity(),
        provider=factories.globally(),
        calendar=agreement.calendar,
        matrix=agreement.matrix,
        valid_from=date(2020, 1, 1),
    )
    contract.connections.add(scene.connection)
    scene.open("10:00", status="new")
    people = {
        "mercuri": factories.make_user(role=Role.PARTNER_AGENT, partner=factories.mercuri()),
        "global": factories.make_user(role=Role.PARTNER_AGENT, partner=factories.globally()),
        "infinity": factories.make_user(role=Role.PARTNER_AGENT, partner=factories.infinity()),
        "stranger": factories.make_user(role=Role.PARTNER_AGENT, partner=factories.stranger()),
        "integrator": factories.make_user(role=Role.INTEGRATOR_STAFF),
        "nobody": factories.make_user(),
    }

    seen = {
        name: (
            sorted(Agreement.objects.visible_to(user).values_list("name", flat=True)),
            Clock.objects.visible_to(user).count(),
        )
        for name, user in people.items()
    }

    sla, uc = "Global Pvt Ltd for Mercuri Inc", "Underpinning"
    assert seen == {
        "mercuri": ([sla], 2),
        "global": ([sla, uc], 4),
        # A party, but without a side in the connection it shares no ticket.
        "infinity": ([uc], 0),
        "stranger": ([], 0),
        "integrator": ([sla, uc], 4),
        "nobody": ([], 0),
    }


def test_which_clocks_are_at_work_due_and_over_due(scene: Scene, agreement: Agreement) -> None:
    running = scene.open("10:00", status="new", priority="high")
    paused = scene.open("10:00", status="new", priority="high")
    scene.change(paused, scene.right, "10:10", status="pending")
    Clock.objects.update(is_breached=False)

    assert {(row.linked_ticket_id, row.kind) for row in Clock.objects.at_work()} == {
        (running.row.pk, "response"),
        (running.row.pk, "resolution"),
        (paused.row.pk, "resolution"),
    }
    assert [row.kind for row in Clock.objects.due_before(at("20:00"))] == ["response", "resolution"]
    assert [row.kind for row in Clock.objects.overdue(at("10:30"))] == []
    assert [row.kind for row in Clock.objects.overdue(at("10:31"))] == ["response"]
    assert Clock.objects.of_agreements([agreement.pk]).count() == 4
    assert Clock.objects.of_agreements([]).count() == 0


def test_which_agreements_are_in_force(scene: Scene) -> None:
    agree(scene, valid_from=date(2026, 1, 1), valid_until=date(2027, 1, 1))

    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [Agreement.objects.in_force(day).count() for day in days] == [0, 1, 1, 0]


def broken_rows(agreement: Agreement) -> dict[str, Any]:
    """Rows that make no sense."""
    calendar = agreement.calendar
    matrix = agreement.matrix
    return {
        "an hour of no time": Hours(calendar=calendar, weekday=0, from_min=60, to_min=60),
        "a day of 25 hours": Hours(calendar=calendar, weekday=0, from_min=60, to_min=1500),
        "an eighth day": Hours(calendar=calendar, weekday=7, from_min=60, to_min=120),
        "two beginnings": Hours(calendar=calendar, weekday=0, from_min=0, to_min=120),
        "a closure backwards": Closure(calendar=calendar, starts_at=at("11:00"), ends_at=at("10:00")),
        "a target of nothing": Target(agreement=agreement, kind="response", priority="low", type="change", minutes=0),
        "a target twice": Target(agreement=agreement, kind="response", priority="low", minutes=5),
        "an end before the beginning": Agreement(
            name="x", customer=agreement.customer, provider=agreement.provider, calendar=calendar, matrix=matrix,
            valid_from=date(2026, 1, 1), valid_until=date(2026, 1, 1),
        ),
        "more than all": Agreement(
            name="x", customer=agreement.customer, provider=agreement.provider, calendar=calendar, matrix=matrix,
            valid_from=date(2026, 1, 1), goal_percent=101,
        ),
    }  # fmt: skip


def test_rows_that_make_no_sense_are_refused_by_form_and_database(agreement: Agreement) -> None:
    stored = []
    for name, row in broken_rows(agreement).items():
        with pytest.raises(ValidationError):
            row.full_clean()
        with suppress(IntegrityError), transaction.atomic():
            row.save()
            stored.append(name)

    assert stored == []


@pytest.mark.parametrize(
    "row",
    [
        Calendar(name="x", time_zone="Mars/Olympus"),
        PriorityMatrix(name="x", rows=[["high"]]),
        PriorityMatrix(name="x", rows="high"),
        Agreement(name="x", pause_statuses=["resolved"], valid_from=date(2026, 1, 1)),
        Agreement(name="x", pause_statuses="pending", valid_from=date(2026, 1, 1)),
    ],
)
def test_values_that_cannot_be_read_are_refused(row: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        row.clean_fields(exclude=["customer", "provider", "calendar", "matrix"])

    assert set(refused.value.message_dict) <= {"time_zone", "rows", "pause_statuses"}


def test_a_holiday_is_named_for_people() -> None:
    assert str(Holiday(date=date(2026, 12, 25), name="Christmas")) == "2026-12-25 Christmas"
