"""Which agreement covers which ticket, and how processes notice that terms have changed."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from integrations.models import Side
from slas import services, terms
from slas.clock import Kind, Terms
from slas.models import Agreement, Calendar, Closure, Hours, Target
from slas.terms import Agreed
from tests import factories
from tests.slas.scenes import Scene, agree, at, clocks_of, told

CUSTOMER, PROVIDER, THIRD = 1, 2, 3
# Connection 7 joins side 10 and side 11.
BOTH = (Kind.RESPONSE, Kind.RESOLUTION)


def agreed(
    *, connections: tuple[int, ...] = (), covers_own: bool = False, customer: int = CUSTOMER
) -> Agreed:
    return Agreed(
        agreement_id=1,
        customer_id=customer,
        provider_id=PROVIDER,
        connection_ids=frozenset(connections),
        covers_own=covers_own,
        valid_from_at=datetime(2026, 1, 1, tzinfo=UTC),
        valid_until_at=datetime(2027, 1, 1, tzinfo=UTC),
        zone=ZoneInfo("UTC"),
        terms=Terms(),
    )


@pytest.mark.parametrize(
    ("agreement", "raised_by", "answers", "kinds"),
    [
        (agreed(), CUSTOMER, PROVIDER, BOTH),
        (agreed(), PROVIDER, CUSTOMER, ()),
        (agreed(), CUSTOMER, THIRD, ()),
        (agreed(), THIRD, PROVIDER, ()),
        (agreed(), THIRD, CUSTOMER, ()),
        (agreed(covers_own=True), PROVIDER, CUSTOMER, (Kind.RESOLUTION,)),
        (agreed(covers_own=True), CUSTOMER, PROVIDER, BOTH),
        (agreed(covers_own=True), PROVIDER, THIRD, ()),
        # A named connection is covered whoever else takes part in it, others are not.
        (agreed(connections=(7,)), THIRD, PROVIDER, BOTH),
        (agreed(connections=(7,)), PROVIDER, THIRD, ()),
        (agreed(connections=(7,), covers_own=True), PROVIDER, THIRD, (Kind.RESOLUTION,)),
        (agreed(connections=(8,)), CUSTOMER, PROVIDER, ()),
        # Between two systems of one company.
        (agreed(customer=PROVIDER), PROVIDER, PROVIDER, BOTH),
        (agreed(customer=PROVIDER), CUSTOMER, PROVIDER, ()),
        (agreed(customer=PROVIDER), PROVIDER, CUSTOMER, ()),
    ],
)
def test_an_agreement_covers_what_the_customer_raised_and_the_provider_answers(
    agreement: Agreed, raised_by: int, answers: int, kinds: tuple[Kind, ...]
) -> None:
    assert agreement.kinds_for({10: raised_by, 11: answers}, connection_id=7, origin_id=10) == kinds


def test_a_side_that_is_not_there_covers_nothing() -> None:
    assert agreed().kinds_for({}, connection_id=7, origin_id=10) == ()


def test_an_agreement_holds_from_midnight_to_midnight_of_its_calendars_zone(scene: Scene) -> None:
    agreement = agree(scene)
    agreement.calendar = Calendar.objects.create(name="Berlin", time_zone="Europe/Berlin")
    agreement.valid_from, agreement.valid_until = date(2026, 7, 1), date(2026, 12, 1)
    one = terms.agreed(agreement)

    moments = [(6, 30, 21, 59), (6, 30, 22, 0), (11, 30, 22, 59), (11, 30, 23, 0)]
    found = [one.is_in_force(datetime(2026, *moment, tzinfo=UTC)) for moment in moments]
    assert found == [False, True, True, False]
    assert one.month_of(datetime(2026, 10, 31, 23, 30, tzinfo=UTC)) == date(2026, 11, 1)


def test_two_versions_of_an_agreement_each_judge_their_own_tickets(scene: Scene) -> None:
    first = agree(scene, valid_until=date(2026, 11, 24))
    second = agree_anew(scene, first, date(2026, 11, 24))
    early, late = scene.open("23:59", status="new"), scene.open("2 00:00", status="new")

    assert {row.agreement_id for row in clocks_of(early).values()} == {first.pk}
    assert {row.agreement_id for row in clocks_of(late).values()} == {second.pk}


def agree_anew(scene: Scene, first: Agreement, valid_from: date) -> Agreement:
    return Agreement.objects.create(
        name="The next one",
        customer=first.customer,
        provider=first.provider,
        calendar=first.calendar,
        matrix=first.matrix,
        valid_from=valid_from,
    )


def edits(agreement: Agreement) -> dict[str, Any]:
    """Everything that changes terms."""
    calendar = agreement.calendar
    return {
        "an agreement": lambda: agreement.save(),
        "a target": lambda: agreement.targets.first().save(),  # type: ignore[union-attr]
        "a target less": lambda: agreement.targets.first().delete(),  # type: ignore[union-attr]
        "the matrix": lambda: agreement.matrix.save(),
        "the calendar": lambda: calendar.save(),
        "hours less": lambda: calendar.hours.first().delete(),  # type: ignore[union-attr]
        "a holiday": lambda: calendar.holidays.create(date=date(2026, 12, 25)),
        "a closure": lambda: Closure.objects.create(
            calendar=calendar, starts_at=at("10:00"), ends_at=at("11:00")
        ),
        "connections": lambda: agreement.connections.add(
            agreement.customer.systems.get().sides.get().connection
        ),
        "connections less": lambda: agreement.connections.clear(),
        "all hours": lambda: services.set_hours(calendar, []),
        "all holidays": lambda: services.set_holidays(calendar, [(date(2026, 12, 26), "Boxing Day")]),
    }


def test_every_edit_of_terms_is_noticed_and_has_the_clocks_computed_again(agreement: Agreement) -> None:
    noticed = {}
    for name, edit in edits(agreement).items():
        Agreement.objects.update(recompute_from=None)
        book = terms.current(terms.token_now())
        edit()
        is_stale = terms.current(terms.token_now()) is not book
        noticed[name] = (is_stale, Agreement.objects.get().recompute_from)

    # Clearing what was added is an edit; clearing nothing would be none.
    assert noticed == dict.fromkeys(noticed, (True, 0))


def test_a_new_side_is_noticed(agreement: Agreement, scene: Scene) -> None:
    book = terms.current(terms.token_now())
    other = factories.make_connection(
        left=factories.make_system(factories.mercuri(), "zendesk"),
        right=factories.make_system(factories.globally(), "jira"),
        template=False,
    )

    found = terms.current(terms.token_now())
    assert (found is not book, len(found.sides[other.pk])) == (True, 2)


def test_terms_are_read_once(agreement: Agreement, django_assert_num_queries: Any) -> None:
    token = terms.token_now()
    terms.current(token)

    with django_assert_num_queries(0):
        terms.current(token)


def test_terms_that_were_rolled_back_do_not_stay_in_memory(agreement: Agreement, scene: Scene) -> None:
    linked = scene.open("10:00", status="new", priority="high")
    with transaction.atomic():
        Target.objects.update(minutes=1)
        agreement.save()
        scene.change(linked, scene.right, "10:30", status="resolved")
        within = told(clocks_of(linked)["resolution"])
        transaction.set_rollback(True)
    scene.change(linked, scene.right, "10:30", status="resolved")

    assert (within, told(clocks_of(linked)["resolution"])) == (
        "stopped, 30 min used, due 10:01, breached",
        "stopped, 30 min used, due 18:00, met",
    )


def test_a_side_made_without_a_word_is_found(agreement: Agreement, scene: Scene) -> None:
    terms.current(terms.token_now())
    left = factories.make_system(factories.mercuri(), "zendesk")
    right = factories.make_system(factories.globally(), "jira")
    connection = factories.make_connection(
        left=factories.make_system(kind="zendesk"), right=factories.make_system(kind="jira"), template=False
    )
    terms.current(terms.token_now())
    Side.objects.filter(connection=connection).delete()
    terms.current(terms.token_now())
    # Bulk writes send no signals.
    sides = Side.objects.bulk_create(
        Side(connection=connection, position=position, system=system)
        for position, system in (("left", left), ("right", right))
    )

    linked = Scene(connection, *sides).open("10:00", status="new")

    assert set(clocks_of(linked)) == {"response", "resolution"}


def test_an_agreement_that_cannot_be_read_leaves_the_others_alone(
    agreement: Agreement, scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    broken = agree_anew(scene, agreement, date(2020, 1, 1))
    broken.calendar = Calendar.objects.create(name="Nowhere", time_zone="Mars/Olympus")
    broken.save()

    with caplog.at_level(logging.ERROR):
        linked = scene.open("10:00", status="new")

    assert {row.agreement_id for row in clocks_of(linked).values()} == {agreement.pk}
    assert [record.message for record in caplog.records] == ["agreement_unreadable"]


def test_a_calendar_reads_as_people_entered_it(agreement: Agreement) -> None:
    calendar = Calendar.objects.create(name="Nights", time_zone="Europe/Berlin")
    Hours.objects.create(calendar=calendar, weekday=4, from_min=22 * 60, to_min=6 * 60)
    calendar.holidays.create(date=date(2026, 12, 25))
    calendar.closures.create(starts_at=at("10:00"), ends_at=at("11:00"))

    hours = terms.hours_of(calendar)

    assert (hours.zone, [str(one) for one in calendar.hours.all()], hours.holidays, hours.closures) == (
        "Europe/Berlin",
        ["Friday 22:00–06:00"],
        {date(2026, 12, 25)},
        ((at("10:00"), at("11:00")),),
    )
