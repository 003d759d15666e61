"""Deciding about many differences: what is meant is written down first and shown, then done some at a time.

Only what still looks as it did is touched, and everything stays within the rights that the person has when it is done.
What was done is known one by one, so that an action that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from integrations.models import Drift
from integrations.services import drift as service
from integrations.services.refusals import NotPossible
from portal import audit, bulk
from portal.drift import drift_for
from portal.models import DriftAction, DriftActionItem, User

Act, Outcome = DriftAction.Act, DriftActionItem.Outcome

# Differences of one step: a person waits for it a few seconds at most.
STEP = 100

_TRAIL: Mapping[str, str] = {Act.REPAIR: "repaired", Act.ACCEPT: "accepted", Act.REVOKE: "revoked"}
_DONE: Mapping[str, str] = {
    Act.REPAIR: "The repair waits in its lane.",
    Act.ACCEPT: "It may stay different until a value changes.",
    Act.REVOKE: "It counts as drift again.",
}
CHANGED = "It has changed since it was chosen. Look at it anew."
NOTHING = "Somebody was quicker, or it is not yours to decide about."


@dataclass(frozen=True, slots=True)
class Hit:
    """Differences of an action that would be written at, or are missing at, one system; `repairable` by writing."""

    system: str
    count: int
    repairable: int
    needs_a_person: int


@transaction.atomic
def plan(user: User, act: str, drifts: QuerySet[Drift], *, narrowed: str, now: datetime) -> DriftAction:
    """Write down which differences are meant and how they look; nothing is done to them yet.

    Those that the person may not decide about, and those that the act does not fit, are left out.
    """
    bulk.forget_unconfirmed(user.drift_actions, now)
    found = _fitting(act, drifts.filter(pk__in=drift_for(user, "write").values("pk")))
    action = DriftAction.objects.create(asked_by=user, asked_at=now, act=act, narrowed=narrowed[:500])
    DriftActionItem.objects.bulk_create(
        (
            DriftActionItem(action=action, drift=drift, looked_like=service.looks_like(drift))
            for drift in found.order_by("linked_ticket", "pk")[: bulk.MOST]
        ),
        batch_size=1000,
    )
    return action


def carry_on(user: User, action: DriftAction, *, now: datetime, step: int = STEP) -> bool:
    """Do the next ones; whether that was the last of it.  Interrupted or called twice, nothing is done twice."""
    bulk.begin(action, now)
    rows = list(action.items.filter(outcome=Outcome.TO_DO).order_by("pk")[:step])
    allowed = drift_for(user, "write").in_bulk([row.drift_id for row in rows])
    for row in rows:
        _do(user, action, row, allowed.get(row.drift_id), now)
    if len(rows) == step and action.items.filter(outcome=Outcome.TO_DO).exists():
        return False
    bulk.end(action, now)
    return True


def hits_of(action: DriftAction) -> list[Hit]:
    """What an action would touch, system by system, the most first.  One query."""
    mendable = ~Q(drift__reason__in=Drift.BEYOND_WRITING)
    rows = (
        action.items.order_by()
        .values_list("drift__target__system__name")
        .annotate(
            count=Count("pk"),
            repairable=Count("pk", filter=mendable),
            person=Count("pk", filter=Q(drift__needs_a_person=True)),
        )
    )
    return sorted((Hit(*row) for row in rows), key=lambda one: (-one.count, one.system))


def _fitting(act: str, drifts: QuerySet[Drift]) -> QuerySet[Drift]:
    if act == Act.REVOKE:
        return drifts.filter(state=Drift.State.ACCEPTED)
    found = drifts.filter(state=Drift.State.OPEN)
    return found.exclude(reason__in=Drift.BEYOND_WRITING) if act == Act.REPAIR else found


@transaction.atomic
def _do(user: User, action: DriftAction, row: DriftActionItem, drift: Drift | None, now: datetime) -> None:
    """One of them, with its entry in the trail and what came of it."""
    current = DriftActionItem.objects.select_for_update().get(pk=row.pk)
    if current.outcome != Outcome.TO_DO:
        return
    row.outcome, row.message = Outcome.LEFT, NOTHING
    if drift is not None and service.looks_like(drift) != row.looked_like:
        row.message = CHANGED
    elif drift is not None:
        try:
            if _acts(action, user, now)[action.act](drift):
                row.outcome, row.message = Outcome.DONE, _DONE[action.act]
        except NotPossible as refusal:
            row.message = refusal.message[:300]
    row.save(update_fields=["outcome", "message"])
    if drift is not None and row.outcome == Outcome.DONE:
        why = {"reason": action.reason} if action.reason else {}
        facts = {"what": drift.get_kind_display(), "cause": "reconcile"} if action.act == Act.REPAIR else why
        audit.record(user, _TRAIL[action.act], drift, facts, partner=drift.target.system.partner)


def _acts(action: DriftAction, user: User, now: datetime) -> Mapping[str, Callable[[Drift], bool]]:
    return {
        Act.REPAIR: lambda drift: service.repair(drift, by=user, now=now),
        Act.ACCEPT: lambda drift: service.accept(drift, action.reason, by=user, now=now),
        Act.REVOKE: service.revoke,
    }
