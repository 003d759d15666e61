"""The clocks on a ticket's page: what each card says, and what is drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.models import LinkedTicket, Side
from portal.clocks import Card, clocks_of
from portal.drawing import Drawing
from portal.models import User
from slas import services as slas
from slas.models import Timing
from tests import factories
from tests.factories import Role
from tests.integrations import scenes

pytestmark = pytest.mark.django_db

OPENED = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def sides() -> tuple[Side, Side]:
    """Under the reference agreement: critical is answered in 15 minutes and resolved in two hours."""
    slas.load_reference(factories.mercuri(), factories.infinity())
    return scenes.mercuri_and_infinity()


@pytest.fixture
def staff() -> User:
    return factories.make_user(role=Role.INTEGRATOR_STAFF)


def ticket(sides: tuple[Side, Side], *facts: tuple[str, str, float]) -> LinkedTicket:
    """A ticket with facts: what, value, minutes after its opening.  Statuses are Infinity's, the rest Mercuri's."""
    left, right = sides
    linked = scenes.matter(left, right, left_fields={}, right_fields={}, at=OPENED).linked
    for place, (what, value, minute) in enumerate([("opened", "", 0), *facts], 1):
        Timing.objects.create(
            linked_ticket=linked,
            side=right if what == "status" else left,
            what=what,
            value=value,
            happened_at=OPENED + timedelta(minutes=minute),
            position=place,
        )
    return linked


def cards(user: User, linked: LinkedTicket, minutes: float) -> dict[str, Card]:
    found, _ = clocks_of(user, linked, OPENED + timedelta(minutes=minutes))
    return {card.label: card for card in found}


def told(card: Card) -> tuple[Any, ...]:
    return card.badge, card.large, card.small, card.used


@pytest.mark.parametrize(
    ("facts", "minutes", "resolution"),
    [
        ([], 30, ("Running", "1 h 30 min left", "30 min of 2 h used", 25)),
        ([], 100, ("At risk", "20 min left", "1 h 40 min of 2 h used", 83)),
        ([], 150, ("Breached", "30 min over", "2 h 30 min of 2 h used", 100)),
        (
            [("status", "pending", 60)],
            180,
            ("Paused", "1 h left", "1 h of 2 h used; status became “pending”", 50),
        ),
        ([("status", "resolved", 90)], 999, ("Met", "1 h 30 min", "Target 2 h", 75)),
        ([("status", "resolved", 130)], 999, ("Breached", "2 h 10 min", "Target 2 h", 100)),
        (
            [("status", "closed", 30)],
            999,
            (
                "Ended without",
                "1 h 30 min left",
                "30 min of 2 h used; status became “closed”, without having been resolved",
                25,
            ),
        ),
    ],
)
def test_a_clock_says_where_it_stands(
    sides: tuple[Side, Side], staff: User, facts: list, minutes: float, resolution: tuple[Any, ...]
) -> None:
    linked = ticket(sides, ("priority", "critical", 0), *facts)

    assert told(cards(staff, linked, minutes)["Resolution"]) == resolution


def test_without_a_priority_nothing_is_judged(sides: tuple[Side, Side], staff: User) -> None:
    card = cards(staff, ticket(sides), 30)["Resolution"]

    assert told(card) == ("Running", "30 min", "No target for this priority and type", None)


def test_what_is_past_the_target_is_drawn_apart(sides: tuple[Side, Side], staff: User) -> None:
    linked = ticket(sides, ("priority", "critical", 0), ("status", "open", 30))

    _, drawing = clocks_of(staff, linked, OPENED + 3 * HOUR)

    assert isinstance(drawing, Drawing)
    bars = {line.label: [bar.fill for bar in line.bars] for line in drawing.lines}
    assert bars == {"Response": ["#4299e1", "#d63939"], "Resolution": ["#4299e1", "#d63939"]}
    resolution = next(line for line in drawing.lines if line.label == "Resolution").bars
    # Three hours, of which the last one is too much; both end at now.
    assert resolution[1].width == pytest.approx(resolution[0].width / 3, rel=0.01)
    assert resolution[1].x + resolution[1].width == pytest.approx(resolution[0].x + resolution[0].width)
    assert [mark.label for mark in drawing.marks] == ["now", "due"]
    assert all(drawing.left <= tick.x <= drawing.width for tick in drawing.ticks)
    assert 2 <= len(drawing.ticks) <= 9


def test_pauses_are_grey_and_what_is_over_has_no_now(sides: tuple[Side, Side], staff: User) -> None:
    linked = ticket(
        sides,
        ("priority", "low", 0),
        ("status", "open", 10),
        ("status", "pending", 60),
        ("status", "open", 120),
        ("status", "resolved", 180),
    )

    _, drawing = clocks_of(staff, linked, OPENED + 50 * HOUR)

    assert isinstance(drawing, Drawing)
    resolution = next(line for line in drawing.lines if line.label == "Resolution").bars
    assert [bar.fill for bar in resolution] == ["#4299e1", "#d5d8dc", "#4299e1"]
    assert resolution[1].title.startswith("Paused: status became “pending”")
    assert drawing.marks == ()


@pytest.mark.parametrize("days", [0.02, 0.5, 3, 40, 900])
def test_the_axis_has_few_round_moments_whatever_its_length(
    sides: tuple[Side, Side], staff: User, days: float
) -> None:
    _, drawing = clocks_of(staff, ticket(sides, ("priority", "low", 0)), OPENED + timedelta(days=days))

    assert isinstance(drawing, Drawing)
    assert 1 <= len(drawing.ticks) <= 9
    assert [tick.x for tick in drawing.ticks] == sorted({tick.x for tick in drawing.ticks})


def test_of_a_ticket_just_opened_nothing_is_drawn(sides: tuple[Side, Side], staff: User) -> None:
    found, drawing = clocks_of(staff, ticket(sides), OPENED + timedelta(seconds=20))

    assert (len(found), drawing) == (2, None)


def test_an_agreement_is_shown_to_its_parties_who_may_read_reports(sides: tuple[Side, Side]) -> None:
    linked = ticket(sides, ("priority", "low", 0))

    def count(role: str, partner: Any) -> int:
        return len(clocks_of(factories.make_user(role=role, partner=partner), linked, OPENED + HOUR)[0])

    assert count(Role.SERVICE_LEVEL_MANAGER, factories.mercuri()) == 2
    assert count(Role.SERVICE_LEVEL_MANAGER, factories.globally()) == 0
    assert count(Role.PARTNER_AGENT, factories.mercuri()) == 0
