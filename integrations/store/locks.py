"""One order for everybody's row locks: lanes by key, then tickets by key.

A reading holds its ticket and goes on to the lanes of its linked tickets; the end of a delivery holds its lane and goes
on to the ticket it leads to.  Where the two meet PostgreSQL waits a second, its `deadlock_timeout`, before it ends one
of them.  So a transaction that does both, or several of one, takes first everything it is going to need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from django.db import OperationalError, connection
from django.db.models import OuterRef, Q, Subquery

from integrations.engine import effects
from integrations.models import Lane, TicketSide
from integrations.statements import Question
from integrations.store import tickets

Done = TypeVar("Done")

# So often a transaction is done again that PostgreSQL gave up so that another could go on.
SACRIFICES = 3
# https://www.postgresql.org/docs/current/errcodes-appendix.html: deadlock_detected
DEADLOCK = "40P01"
# No row has this key: a list in SQL is never empty.
NOBODY = 0

_IN_A_LANE = (
    effects.MarkSent
    | effects.StoreCreated
    | effects.StoreFollowUp
    | effects.Finish
    | effects.Release
    | effects.Withdraw
    | effects.Park
)


def take(requests: Sequence[effects.Request]) -> None:
    """Lock the lanes and tickets that these requests touch, before the first of them is carried out.

    A reading without news touches its ticket alone, and one kind of request locks its lanes in their order by itself.
    """
    if not connection.features.has_select_for_update:
        return
    news = [
        one.ticket_id for one in requests if isinstance(one, effects.StoreReading) and one.history.changes
    ]
    moved = [one for one in requests if isinstance(one, _IN_A_LANE)]
    if not news and len({type(one) for one in moved}) <= 1 and not _one_by_one(moved):
        return
    answered = [one.lane_id for one in moved if isinstance(one, effects.Finish) and one.answers]
    linked = [pk for (pk,) in _linked_of(tickets=news)] + [pk for (pk,) in _linked_by(lanes=answered)]
    lanes = [one.lane_id for one in moved]
    if not linked and not lanes:
        return
    rows = _lanes(keys=sorted(set(lanes)) or [NOBODY], linked=sorted(set(linked)) or [NOBODY])
    if moved:
        ours = set(lanes)
        reading = [one.ticket_id for one in requests if isinstance(one, effects.StoreReading)]
        stands = [ticket_id for pk, ticket_id in rows if pk in ours and ticket_id]
        tickets.lock(keys=sorted({*reading, *stands}))


def again_if_sacrificed(do: Callable[[], Done], note: Callable[[], object]) -> Done:
    """Do a transaction, and do it again when PostgreSQL ended it so that another could go on; `note` tells of each.

    Nothing of the one that was ended is stored.  Inside somebody else's transaction it is not ours to begin again.
    """
    for _ in range(SACRIFICES):
        try:
            return do()
        except OperationalError as error:
            if not _was_sacrificed(error) or connection.in_atomic_block:
                raise
            note()
    return do()


def _was_sacrificed(error: OperationalError) -> bool:
    """Whether two transactions waited for each other and ours was ended."""
    return getattr(error.__cause__, "sqlstate", "") == DEADLOCK


def _one_by_one(moved: Iterable[effects.Request]) -> bool:
    """Whether several of these lock their lanes one after the other, in the order in which they were asked for."""
    alone = (effects.Release, effects.Withdraw, effects.Park)
    return sum(isinstance(one, alone) for one in moved) > 1


_linked_of = Question(
    lambda tickets: TicketSide.objects.filter(ticket__in=tickets).order_by().values_list("linked_ticket_id")
)
_linked_by = Question(
    lambda lanes: Lane.objects.filter(pk__in=lanes).order_by().values_list("linked_ticket_id")
)
# Each lane with the ticket to which it leads, where there is one.
_lanes = Question(
    lambda keys, linked: (
        Lane.objects.filter(Q(pk__in=keys) | Q(linked_ticket__in=linked))
        .select_for_update(no_key=True, of=("self",))
        .order_by("pk")
        .values_list(
            "pk",
            Subquery(
                TicketSide.objects.filter(
                    linked_ticket=OuterRef("linked_ticket"), side=OuterRef("target")
                ).values("ticket")[:1]
            ),
        )
    )
)
