"""Reports from a handful of clocks that one can work out on paper, and by both ways of computing them."""

from __future__ import annotations

import random
import statistics
from datetime import date
from typing import Any

import pytest
from django.db import connection as database
from hypothesis import given
from hypothesis import strategies as st

from integrations.models import LinkedTicket
from slas import reports
from slas.clock import Kind
from slas.models import Agreement, Clock
from slas.reports import By, Line, Spread, Times
from tests import factories
from tests.factories import Role
from tests.slas.scenes import Scene, at


def made(scene: Scene, agreement: Agreement, **values: Any) -> Clock:
    """A clock of a ticket of its own."""
    ticket = LinkedTicket.objects.create(
        connection=scene.connection, origin=scene.left, opened_at=at("10:00"), updated_at=at("10:00")
    )
    defaults: dict[str, Any] = {
        "kind": "resolution",
        "state": "stopped",
        "priority": "high",
        "target_s": 3600,
        "month": date(2026, 11, 1),
        "started_at": at("10:00"),
        "state_since": at("10:00"),
    }
    return Clock.objects.create(linked_ticket=ticket, agreement=agreement, **{**defaults, **values})


@pytest.fixture
def _clocks(scene: Scene, agreement: Agreement) -> None:
    """High: five resolved (one late, one without a target), one running, one late and running, one closed without."""
    for minutes in (10, 20, 30, 40):
        made(scene, agreement, wall_s=minutes * 60, elapsed_s=minutes * 30, is_breached=minutes == 40)
    made(scene, agreement, wall_s=100 * 60, elapsed_s=50 * 60, target_s=None)
    made(scene, agreement, state="running")
    made(scene, agreement, state="running", is_breached=True)
    made(scene, agreement, state="ended", elapsed_s=99)
    made(scene, agreement, priority="critical", month=date(2026, 10, 1), wall_s=60, elapsed_s=60)
    made(scene, agreement, priority="", month=date(2026, 10, 1), state="paused")
    made(scene, agreement, kind="response", wall_s=60, elapsed_s=60)


HIGH = Line(
    key=("high",),
    opened=8,
    finished=5,
    at_work=2,
    met=3,
    breached=2,
    wall=Spread(40, 30, 76),
    service=Spread(20, 15, 38),
)


@pytest.mark.usefixtures("_clocks")
def test_a_line_for_each_priority_in_the_order_of_their_ranks() -> None:
    assert reports.attainment(Clock.objects.all(), Kind.RESOLUTION, [By.PRIORITY]) == [
        Line(("critical",), 1, 1, 0, 1, 0, Spread(1, 1, 1), Spread(1, 1, 1)),
        HIGH,
        Line(("",), 1, 0, 1, 0, 0, None, None),
    ]
    assert (HIGH.judged, HIGH.share_met) == (5, 0.6)


@pytest.mark.usefixtures("_clocks")
def test_a_line_for_each_month_and_partner() -> None:
    lines = reports.attainment(Clock.objects.all(), Kind.RESOLUTION, [By.PROVIDER, By.MONTH])

    assert [(line.key, line.opened, line.share_met) for line in lines] == [
        (("Global Pvt Ltd", date(2026, 10, 1)), 2, 1.0),
        (("Global Pvt Ltd", date(2026, 11, 1)), 8, 0.6),
    ]


@pytest.mark.usefixtures("_clocks")
def test_everything_in_one_line() -> None:
    line = reports.total(Clock.objects.all(), Kind.RESOLUTION)

    assert (line.key, line.opened, line.finished, line.at_work, line.met, line.breached) == (
        (),
        10,
        6,
        3,
        4,
        2,
    )


@pytest.mark.usefixtures("db")
def test_nothing_is_reported_as_nothing() -> None:
    assert reports.attainment(Clock.objects.all(), Kind.RESPONSE, [By.PRIORITY]) == []
    assert reports.total(Clock.objects.all(), Kind.RESPONSE) == Line((), 0, 0, 0, 0, 0, None, None)
    assert reports.total(Clock.objects.all(), Kind.RESPONSE).share_met is None


@pytest.mark.usefixtures("_clocks")
def test_every_number_opens_the_clocks_behind_it() -> None:
    by = [By.PRIORITY, By.MONTH, By.CUSTOMER, By.TYPE, By.AGREEMENT]
    lines = reports.attainment(Clock.objects.all(), Kind.RESOLUTION, by)

    counted = [reports.behind(Clock.objects.all(), Kind.RESOLUTION, by, line.key).count() for line in lines]

    assert counted == [line.opened for line in lines] == [1, 8, 1]


@pytest.mark.usefixtures("_clocks")
def test_a_report_counts_only_what_its_reader_may_see() -> None:
    stranger = factories.make_user(role=Role.PARTNER_AGENT, partner=factories.stranger())

    assert reports.attainment(Clock.objects.visible_to(stranger), Kind.RESOLUTION, [By.PRIORITY]) == []


@pytest.mark.usefixtures("_clocks")
def test_a_report_is_one_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        reports.attainment(Clock.objects.all(), Kind.RESOLUTION, [By.PROVIDER, By.PRIORITY, By.MONTH])


@pytest.mark.usefixtures("_clocks")
def test_both_ways_of_computing_agree(scene: Scene, agreement: Agreement) -> None:
    if database.vendor != "postgresql":
        pytest.skip("SQLite knows no percentiles")
    dice = random.Random(7)
    for _ in range(200):
        seconds = dice.randrange(100_000)
        made(
            scene, agreement, wall_s=seconds, elapsed_s=seconds // 3, priority=dice.choice(["low", "medium"])
        )
    rows = Clock.objects.filter(kind="resolution").order_by()

    grouped, streamed = (
        {line.key: rounded(line) for line in way(rows, ["priority"], Times.ALL)}
        for way in (reports._grouped, reports._streamed)
    )

    assert grouped == streamed


def rounded(line: Line) -> list[Any]:
    spreads = [spread for spread in (line.wall, line.service) if spread]
    times = [round(number, 6) for one in spreads for number in (one.mean_min, one.median_min, one.p90_min)]
    return [line.opened, line.finished, line.at_work, line.met, line.breached, times]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    # Computed with numpy.percentile.
    [
        ([5], 0.9, 5),
        ([1, 2], 0.5, 1.5),
        ([1, 2, 3, 4], 0.9, 3.7),
        ([10, 20, 30, 40, 100], 0.9, 76),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.25, 3.25),
        ([1, 2, 3], 0, 1),
        ([1, 2, 3], 1, 3),
    ],
)
def test_percentiles_interpolate_linearly(values: list[float], share: float, expected: float) -> None:
    assert reports.percentile(values, share) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=50))
def test_percentiles_are_those_of_the_standard_library(values: list[int]) -> None:
    tenths = statistics.quantiles(values, n=10, method="inclusive")

    found = [reports.percentile(sorted(values), tenth / 10) for tenth in range(1, 10)]
    assert found == pytest.approx(tenths)


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        reports.percentile([], 0.5)


def test_durations_that_nobody_asked_for_are_left_out(scene: Scene, agreement: Agreement) -> None:
    made(scene, agreement, wall_s=120, elapsed_s=60, priority="low")
    clocks = Clock.objects.all()

    found = [
        reports.total(clocks, Kind.RESOLUTION, times) for times in (Times.ALL, Times.SERVICE, Times.NONE)
    ]

    service, wall = Spread(1, 1, 1), Spread(2, 2, 2)
    assert [(one.finished, one.service, one.wall) for one in found] == [
        (1, service, wall),
        (1, service, None),
        (1, None, None),
    ]
