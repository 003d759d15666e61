"""Reconciliation: runs over many links, at night or on demand, which compare them and repair what they may.

A run is a row: whoever works on it takes it for a moment, does one linked ticket after the other and notes each, so
that one that is killed loses a ticket's comparison at most.  It is bulk work: while anything live is due, it waits.
Repairs are ordinary deliveries in the ordinary lanes; nothing is ever deleted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from integrations.connectors.errors import ConnectorError, RateLimited
from integrations.connectors.protocol import Connector
from integrations.models import (
    Connection,
    Drift,
    Examination,
    LinkedTicket,
    Reconciliation,
    System,
)
from integrations.services import examination
from integrations.services.drift import repair
from integrations.services.examination import NotComparable, UnderWay
from integrations.services.refusals import NotPossible
from integrations.services.systems import open_connector_for_bulk
from integrations.store import claims, configuration

logger = logging.getLogger(__name__)

# Whoever works on a run has it for so long; then it is due for others again.
CLAIM_FOR = timedelta(seconds=120)
# Between two looks at a ticket that had something on its way, and how often.
AGAIN_AFTER = timedelta(seconds=3)
MOST_TRIES = 20
# How soon a run goes on that made room for live work, or whose system takes no calls.
MAKE_ROOM_FOR = timedelta(seconds=2)
SYSTEM_AWAY_FOR = timedelta(seconds=60)
# A run that is not through by then is ended: the next night begins anew.
LONGEST = timedelta(hours=20)
# Spreads connections evenly over the night whatever their keys are.
GOLDEN = 0.618034

Opener = Callable[[System], Connector]


# --- Asking for one ---


def reconcile_ticket(linked: LinkedTicket, *, by: Any, now: datetime) -> Reconciliation | None:
    """Have one linked ticket compared; None when that is under way already."""
    return _begin(now, by=by, linked_ticket=linked)


def reconcile_connection(
    connection: Connection, *, by: Any, now: datetime, is_nightly: bool = False
) -> Reconciliation | None:
    """Have all linked tickets of a connection compared; None when that is under way already."""
    return _begin(now, by=by, is_nightly=is_nightly, connection=connection)


def reconcile_system(system: System, *, by: Any, now: datetime) -> Reconciliation | None:
    """Have all linked tickets compared that stand in a system; None when that is under way already."""
    return _begin(now, by=by, system=system)


@transaction.atomic
def _begin(
    now: datetime,
    *,
    by: Any,
    is_nightly: bool = False,
    connection: Connection | None = None,
    system: System | None = None,
    linked_ticket: LinkedTicket | None = None,
) -> Reconciliation | None:
    scope = {"connection": connection, "system": system, "linked_ticket": linked_ticket}
    running = Reconciliation.objects.filter(**scope, state=Reconciliation.State.RUNNING)
    if running.exists():
        return None
    run = Reconciliation(**scope, is_nightly=is_nightly, asked_by=by, asked_at=now, due_at=now)
    run.total = _in_scope(run).count()
    run.save()
    return run


def stop(run: Reconciliation, *, now: datetime) -> bool:
    """Let a run end where it is; whether it ran.  What it found stays."""
    return bool(
        Reconciliation.objects.filter(pk=run.pk, state=Reconciliation.State.RUNNING).update(
            state=Reconciliation.State.STOPPED, ended_at=now
        )
    )


def begin_nightly(now: datetime) -> list[Reconciliation]:
    """The runs that are to begin now: each active connection once a night, at a moment of its own.  Repeatable."""
    night = now.replace(hour=settings.SYNC_NIGHT_BEGINS_H, minute=0, second=0, microsecond=0)
    night -= timedelta(days=1) if night > now else timedelta(0)
    lasts = timedelta(hours=settings.SYNC_NIGHT_LASTS_H)
    if now >= night + lasts:
        return []
    begun = []
    done = Reconciliation.objects.filter(is_nightly=True, asked_at__gte=night)
    waiting = Connection.objects.filter(state=Connection.State.ACTIVE, created_at__lt=night).exclude(
        pk__in=done.values("connection")
    )
    for connection in waiting:
        if now >= night + lasts * ((connection.pk * GOLDEN) % 1):
            run = reconcile_connection(connection, by=None, now=now, is_nightly=True)
            begun += [run] if run else []
    return begun


# --- Working ---


def carry_on(
    *, for_s: float, opener: Opener = open_connector_for_bulk, clock: Callable[[], datetime] = timezone.now
) -> bool:
    """Work on the runs that are due, for about so long; whether there was anything to do.  May be called by many."""
    until = time.monotonic() + for_s
    did_any = False
    while (run := _claim(clock())) is not None:
        did_any = True
        _Working(run, opener, clock, until).run()
        if time.monotonic() >= until:
            break
    return did_any


def _claim(now: datetime) -> Reconciliation | None:
    """A due run, taken; what somebody waits for comes first."""
    due = Reconciliation.objects.filter(state=Reconciliation.State.RUNNING, due_at__lte=now)
    for run in due.order_by("is_nightly", F("linked_ticket").desc(nulls_last=True), "due_at")[:5]:
        taken = Reconciliation.objects.filter(pk=run.pk, due_at=run.due_at, state=run.state)
        if taken.update(due_at=now + CLAIM_FOR):
            return run
    return None


class _Working:
    """One worker's spell of work on one run."""

    def __init__(
        self, run: Reconciliation, opener: Opener, clock: Callable[[], datetime], until: float
    ) -> None:
        self.work = run
        self.clock = clock
        self.until = until
        self.opener = opener
        self.config = configuration.load(clock())
        self.open: dict[int, Connector] = {}

    def run(self) -> None:
        """Compare ticket after ticket until the time is over, live work is due, or the run is through."""
        while True:
            now = self.clock()
            if now - self.work.asked_at > LONGEST:
                self._end(Reconciliation.State.STOPPED)
                return
            linked = self._next()
            if linked is None:
                if self.work.again:
                    self._pause(AGAIN_AFTER)
                else:
                    self._end(Reconciliation.State.ENDED)
                return
            if away := self._away(linked):
                self._pause(max(away - now, MAKE_ROOM_FOR))
                return
            try:
                self._compare(linked)
            except RateLimited as error:
                self._pause(timedelta(seconds=max(error.retry_after_s or 0, 10)))
                return
            if time.monotonic() >= self.until or claims.has_work(self.clock()):
                self._pause(MAKE_ROOM_FOR if self.work.is_nightly else timedelta(0))
                return

    def _next(self) -> LinkedTicket | None:
        """The next one in the order of keys; after the last, those that had something on their way."""
        fresh = _in_scope(self.work).filter(pk__gt=self.work.last).order_by("pk").first()
        if fresh is not None or not self.work.again:
            return fresh
        now = self.clock()
        waiting = [int(key) for key, (_, at) in self.work.again.items() if datetime.fromisoformat(at) <= now]
        found = LinkedTicket.objects.filter(pk__in=waiting).order_by("pk").first()
        if found is None and not LinkedTicket.objects.filter(pk__in=self.work.again).exists():
            self.work.again = {}
        return found

    def _away(self, linked: LinkedTicket) -> datetime | None:
        """Until when one of its systems takes no calls; None when both do."""
        now = self.clock()
        systems = System.objects.filter(sides__connection=linked.connection_id)
        if systems.count() == System.objects.callable_at(now).filter(pk__in=systems.values("pk")).count():
            return None
        until = max((one.paused_until for one in systems if one.paused_until), default=now)
        return max(until, now + SYSTEM_AWAY_FOR)

    def _compare(self, linked: LinkedTicket) -> None:
        now = self.clock()
        key, run = str(linked.pk), self.work
        tries = run.again.get(key, (0, ""))[0]
        try:
            found = examination.examine(linked, self._connector, self.config, now=now)
        except UnderWay as reason:
            if tries < MOST_TRIES:
                run.again[key] = (tries + 1, (now + AGAIN_AFTER).isoformat())
            else:
                self._unread(linked, str(reason))
        except NotComparable as reason:
            self._unread(linked, str(reason))
        except RateLimited:
            raise
        except ConnectorError as error:
            logger.info("reconcile_unread", extra={"linked_ticket": linked.pk, "code": error.code})
            self._unread(linked, error.message)
        else:
            run.again.pop(key, None)
            run.compared += 1
            run.differing += not found.agrees
            run.repaired += _repair_by_policy(linked, now)
        run.last = max(run.last, linked.pk)
        self._save()

    def _unread(self, linked: LinkedTicket, reason: str) -> None:
        self.work.again.pop(str(linked.pk), None)
        self.work.unread += 1
        Examination.objects.update_or_create(
            linked_ticket=linked,
            defaults={"problem": reason[:300]},
            create_defaults={"at": self.clock(), "problem": reason[:300]},
        )

    def _connector(self, system_id: int) -> Connector:
        if system_id not in self.open:
            self.open[system_id] = self.opener(System.objects.get(pk=system_id))
        return self.open[system_id]

    def _save(self, **more: object) -> None:
        """Note how far it is; a run that was stopped meanwhile stays stopped."""
        run = self.work
        progress = {
            name: getattr(run, name)
            for name in ("last", "again", "compared", "differing", "repaired", "unread")
        }
        Reconciliation.objects.filter(pk=run.pk, state=Reconciliation.State.RUNNING).update(
            **progress, **more
        )

    def _pause(self, for_: timedelta) -> None:
        self._save(due_at=self.clock() + for_)

    def _end(self, state: str) -> None:
        self._save(state=state, ended_at=self.clock())


def _in_scope(run: Reconciliation) -> QuerySet[LinkedTicket]:
    found = LinkedTicket.objects.filter(state=LinkedTicket.State.ACTIVE)
    if run.linked_ticket_id:
        return found.filter(pk=run.linked_ticket_id)
    if run.connection_id:
        return found.filter(connection=run.connection_id)
    if run.system_id:
        return found.filter(connection__sides__system=run.system_id)
    return found


def _repair_by_policy(linked: LinkedTicket, now: datetime) -> int:
    """Queue what the connection's policy lets be repaired without being asked; how many."""
    if linked.connection.drift_policy != Connection.DriftPolicy.REPAIR:
        return 0
    repaired = 0
    for drift in Drift.objects.open().filter(linked_ticket=linked, needs_a_person=False).order_by("pk"):
        try:
            repair(drift, now=now)
        except NotPossible as refusal:
            # The first repair of a ticket may make the next one's comparison old: the next run goes on.
            logger.info("drift_not_repaired", extra={"drift": drift.pk, "reason": refusal.message})
        else:
            repaired += 1
    return repaired
