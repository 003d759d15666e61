"""Remote calls of a change for every ordered pair: which pairs there are, the work in each vendor's words, the verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from integrations.connectors import registry
from portal.benchmark.pairs import Counted, all_pairs
from portal.benchmark.work import CHANGES_A_TICKET, WORKS
from tests.integrations.connectors.bench import bench

COUNTED = Counted("zendesk", "jira", 2.5, 3.0, {}, {}, lost=0, doubled=0)


def test_every_system_meets_every_other_in_both_directions() -> None:
    kinds = sorted(registry.CONNECTORS)
    assert sorted(all_pairs()) == [(one, other) for one in kinds for other in kinds if one != other]
    assert all_pairs(("jira", "zendesk")) == [("jira", "zendesk"), ("zendesk", "jira")]


@pytest.mark.parametrize("kind", sorted(registry.CONNECTORS))
def test_the_work_is_four_changes_that_the_vendor_takes_and_that_each_change_the_ticket(kind: str) -> None:
    work = WORKS[kind]
    with bench(kind) as desk:
        [made] = desk.sandbox.act(work.creation(7))
        id_ = str(made["ticket"])
        [content] = desk.sandbox.tickets()
        assert work.title_in(content) == "Parcel 7 has not arrived"
        for update in work.updates(id_):
            desk.clock.advance(1)
            [before] = desk.sandbox.tickets()
            desk.sandbox.act(update)
            [after] = desk.sandbox.tickets()
            assert after["fields"] != before["fields"] or after["status"] != before["status"]
        assert work.title_in(after) == f"Parcel of ticket {id_} is found"
        assert len(desk.changes(work.prefix + id_)) == CHANGES_A_TICKET


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({}, True),
        ({"one_by_one": 3.01}, False),
        ({"under_load": 3.01}, False),
        ({"lost": 1}, False),
        ({"doubled": 1}, False),
    ],
)
def test_a_pair_holds_up_to_three_calls_a_change_with_nothing_lost_or_doubled(
    change: dict[str, float], holds: bool
) -> None:
    assert replace(COUNTED, **change).holds is holds  # type: ignore[arg-type]
