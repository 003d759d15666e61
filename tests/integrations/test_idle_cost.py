"""With nothing due, whatever runs every few seconds costs the same beside twenty linked tickets and beside 2,000."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from integrations import tasks
from integrations.models import System
from integrations.services import reconciliation
from portal import tasks as portal_tasks
from portal.benchmark import existing
from slas import tasks as clock_tasks
from slas.services import load_reference
from tests import factories
from tests.costs import cost_of

pytestmark = pytest.mark.django_db

FEW, MANY = 20, 2000
# What one row more could cost at least; a look at every ticket costs 1,980 times as much.
SLACK = 400


def nightly() -> None:
    """A look at what is to be compared at night, in the middle of one."""
    reconciliation.begin_nightly(datetime(2026, 3, 2, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    "task",
    [
        tasks.tick,
        tasks.sweep,
        tasks.reconcile,
        nightly,
        tasks.carry_on_undoing,
        portal_tasks.watch,
        portal_tasks.run_drills,
        clock_tasks.sweep_clocks,
    ],
    ids=lambda task: getattr(task, "__name__", str(task)),
)
def test_a_round_that_finds_nothing_due_reads_no_more_of_a_larger_database(task: Callable[[], None]) -> None:
    joined = factories.make_connection()
    later = datetime.now(UTC) + timedelta(days=1)
    System.objects.update(poll_due_at=later, metadata_due_at=later)
    sides = joined.sides.order_by("position")
    load_reference(sides[0].system.partner, sides[1].system.partner, [joined])
    existing.fill(joined, FEW)
    existing.remember_sizes()
    task()
    beside_few = cost_of(task)

    existing.fill(joined, MANY - FEW)
    existing.remember_sizes()
    task()

    assert cost_of(task) <= beside_few + SLACK
