"""Which updates may share one write, judged on values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.canonical import Value
from integrations.engine.shares import Share, share_of, with_followers
from integrations.engine.values import (
    DeliveryState,
    HeadView,
    Operation,
    SideView,
    Stamp,
    TicketState,
    Winner,
)
from integrations.mapping.rules import NO_RULES, FieldRule, RuleSet

INCOMING = RuleSet(id=1, version=1, rules=tuple(FieldRule(name, name) for name in ("title", "status")))
SIDE = SideView(1, 7, "Infinity", False, {}, NO_RULES, INCOMING)
TICKET = TicketState(1, 7, "B-1", "", 1, 1, actual={"title": "one", "status": "open"}, winners={})
# The same when it is stored that the change of moment 50 has brought the title that stands there.
STORED = replace(TICKET, winners={"title": Winner("one", Stamp(50, 3))})


class AsWritten:
    """A system that keeps every value as it was written."""

    def settled(self, system_id: int, field: str, value: Value) -> Value:
        return value


def update(number: int, at_ms: int, followers: tuple[HeadView, ...] = (), **fields: Value) -> HeadView:
    """An update that waits at this place, of a change made at this moment."""
    given: Mapping[str, Any] = {"fields": fields}
    return HeadView(
        lane_id=1,
        delivery_id=number,
        number=number,
        operation=Operation.UPDATE,
        state=DeliveryState.NEW,
        marker=f"concord-{number}",
        origin=f"o{number}",
        stamp=Stamp(at_ms, 3),
        envelope=given,
        problem={},
        wanted={},
        is_recognised=True,
        has_effect=False,
        send_by=datetime(2026, 3, 2, tzinfo=UTC),
        tries=0,
        lane_tries=0,
        side=SIDE,
        sender=SIDE,
        target=TICKET,
        source_system_id=3,
        followers=followers,
    )


def written_together(head: HeadView, ticket: TicketState = TICKET) -> list[tuple[int, Mapping[str, Value]]]:
    """The deliveries that go out in one write, each with what of it is written."""
    systems: Any = AsWritten()
    own = share_of(head, ticket, ticket.actual, systems)
    assert isinstance(own, Share)
    return [(share.head.number, dict(share.open)) for share in with_followers(own, ticket, systems)]


@pytest.mark.parametrize(
    ("later", "together"),
    [
        (update(2, 40, title="older"), [(1, {})]),
        (update(2, 60, title="newer"), [(1, {}), (2, {"title": "newer"})]),
        (update(2, 40, status="solved"), [(1, {}), (2, {"status": "solved"})]),
    ],
    ids=["older", "newer", "another field"],
)
def test_a_value_that_stands_there_already_is_covered_only_by_a_newer_one(
    later: HeadView, together: list[tuple[int, Mapping[str, Value]]]
) -> None:
    assert written_together(update(1, 50, (later,), title="one"), STORED) == together


@pytest.mark.parametrize("later", [update(2, 60, title="newer"), update(2, 40, status="solved")])
def test_nothing_is_written_behind_a_value_that_stands_there_already_before_that_is_stored(
    later: HeadView,
) -> None:
    assert written_together(update(1, 50, (later,), title="one")) == [(1, {})]


def test_what_stands_there_already_too_may_end_with_it() -> None:
    later = update(2, 60, status="open")
    assert written_together(update(1, 50, (later,), title="one")) == [(1, {}), (2, {})]


def test_two_values_of_one_field_never_share_a_write() -> None:
    later = update(2, 60, title="three")
    assert written_together(update(1, 50, (later,), title="two")) == [(1, {"title": "two"})]
