"""Carries a drill out, one short step after the other; whoever takes the next step finds everything in its row.

The row is claimed for a step by moving its due time, so that of several workers one takes it.  A worker that dies
leaves the drill due again: at worst somebody's change is made twice there, which the record then shows as two changes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta

from django.db.models import Q

from integrations.models import Delivery, Lane, LinkedTicket, MappingSet, Side, Ticket
from integrations.sandbox.client import Sandbox, SandboxError
from integrations.services.mappings import rules_of
from portal.drill import record
from portal.drill.places import NoSandbox, sandbox_of
from portal.drill.traffic import Words, opening, plan, words_of
from portal.models import Drill

logger = logging.getLogger(__name__)

State = Drill.State

STEP_EVERY = timedelta(seconds=1)
# A step that takes longer than this was left by a worker that is gone.
STEP_WITHIN = timedelta(seconds=60)
# How long a sandbox may not answer, tickets may take to be linked, and nothing may move at the end.
PATIENCE = timedelta(minutes=10)


def run_due(now: datetime, *, only_ours: bool = True) -> int:
    """Take the next step of every drill that is due; how many there were."""
    taken = 0
    for drill in Drill.objects.due(now):
        claimed = Drill.objects.filter(pk=drill.pk, next_at=drill.next_at).update(next_at=now + STEP_WITHIN)
        if claimed:
            taken += 1
            _Step(drill, now, only_ours).take()
    return taken


def cancel(drill: Drill, now: datetime) -> bool:
    """Bring the system back and end the drill without a record; False when it is over already."""
    ended = Drill.objects.running().filter(pk=drill.pk).update(state=State.CANCELLED, ended_at=now)
    if ended:
        try:
            with closing(sandbox_of(drill.stopped_system)) as sandbox:
                sandbox.faults(down=False)
        except (NoSandbox, SandboxError, OSError):
            # One that is not there needs not be brought back: it begins anew when it is started.
            logger.warning("drill_sandbox_gone", exc_info=True, extra={"drill_id": drill.pk})
    return bool(ended)


class _Step:
    """One step of one drill."""

    def __init__(self, drill: Drill, now: datetime, only_ours: bool) -> None:
        self.drill = drill
        self.now = now
        self.only_ours = only_ours
        sides = list(drill.connection.sides.select_related("system__partner").order_by("position"))
        self.origin: Side = next((side for side in sides if side.starts), sides[0])
        self.other: Side = next(side for side in sides if side.pk != self.origin.pk)

    def take(self) -> None:
        """Take it; what cannot be done now is tried again until patience ends."""
        do = {
            State.ASKED: self._open,
            State.OPENING: self._stop_when_linked,
            State.OUTAGE: self._change,
            State.CATCHING_UP: self._judge_when_quiet,
        }[State(self.drill.state)]
        try:
            do()
        except (NoSandbox, SandboxError, OSError, ValueError) as error:
            logger.warning("drill_step_failed", exc_info=True, extra={"drill_id": self.drill.pk})
            self._fail_or_wait(str(error))

    # The steps.

    def _open(self) -> None:
        words = self._words()
        mark, who = self._mark(), self._who()[0]
        with closing(self._sandbox(self.origin)) as sandbox:
            acts = [opening(index, mark, words, who) for index in range(self.drill.tickets)]
            self.drill.opened = [str(done["ticket"]) for done in sandbox.act(*acts)]
        self._go(State.OPENING, "opened")

    def _stop_when_linked(self) -> None:
        linked = self._linked()
        if len(linked) < self.drill.tickets or not _is_quiet(linked):
            self._wait(since=self.drill.asked_at, what="The drill's tickets were not linked")
            return
        with closing(self._sandbox(self._stopped_side())) as sandbox:
            sandbox.faults(down=True, down_as="drop" if self.drill.how == Drill.How.CUT else "503")
        self.drill.linked_at = self.drill.stopped_at = self.now
        self._go(State.OUTAGE, "linked_at", "stopped_at")

    def _change(self) -> None:
        drill = self.drill
        assert drill.stopped_at is not None
        passed = (self.now - drill.stopped_at).total_seconds() / max(1, drill.outage_s)
        due = min(drill.changes, int(drill.changes * passed))
        self._act(due)
        if passed < 1:
            self._go(State.OUTAGE)
            return
        with closing(self._sandbox(self._stopped_side())) as sandbox:
            sandbox.faults(down=False)
        drill.restored_at = self.now
        self._go(State.CATCHING_UP, "restored_at")

    def _act(self, due: int) -> None:
        """Do the acts up to this one.  What a workflow does not let people do is left out, as they would."""
        drill = self.drill
        acts = plan(
            drill.pk,
            mark=self._mark(),
            tickets=drill.tickets,
            changes=drill.changes,
            words=self._words(),
            who=self._who(),
        )
        ids = self._ids()
        with (
            closing(self._sandbox(self.origin)) as here,
            closing(self._sandbox(self.other)) as there,
        ):
            for act in acts[drill.done : due]:
                side = self.origin if act.by_origin else self.other
                if drill.how == Drill.How.CUT or side.system_id != drill.stopped_system_id:
                    _try(here if act.by_origin else there, {**act.action, "ticket": ids[side.pk][act.ticket]})
                drill.done = act.number
                drill.save(update_fields=["done"])

    def _judge_when_quiet(self) -> None:
        linked = self._linked()
        is_parked = Lane.objects.filter(linked_ticket__in=linked, waits=True).exclude(state=Lane.State.READY)
        drill = self.drill
        assert drill.restored_at is not None
        if not _is_quiet(linked) and not is_parked.exists() and self.now - drill.restored_at < PATIENCE:
            self._go(State.CATCHING_UP)
            return
        drill.record = record.made(drill, self.origin, self.other, linked, self.now)
        drill.ended_at = self.now
        self._go(State.DONE, "record", "ended_at")

    # What the steps share.

    def _go(self, state: Drill.State, *fields: str) -> None:
        """Store where the drill stands, unless somebody has cancelled it."""
        self.drill.state, self.drill.next_at = state, self.now + STEP_EVERY
        values = {name: getattr(self.drill, name) for name in ("state", "next_at", *fields)}
        Drill.objects.running().filter(pk=self.drill.pk).update(**values)

    def _wait(self, *, since: datetime, what: str) -> None:
        if self.now - since > PATIENCE:
            self._fail(f"{what} within {PATIENCE.seconds // 60} minutes. Look at the connection's queue.")
        else:
            self._go(State(self.drill.state))

    def _fail_or_wait(self, reason: str) -> None:
        latest = self.drill.restored_at or self.drill.stopped_at or self.drill.asked_at
        if self.now - latest > PATIENCE + timedelta(seconds=self.drill.outage_s):
            self._fail(reason)
        elif self.drill.state == State.ASKED:
            # Nothing has begun: there is nothing to wait for.
            self._fail(reason)
        else:
            self._go(State(self.drill.state))

    def _fail(self, reason: str) -> None:
        self.drill.problem, self.drill.ended_at = reason[:500], self.now
        self._go(State.FAILED, "problem", "ended_at")

    def _sandbox(self, side: Side) -> Sandbox:
        return sandbox_of(side.system, only_ours=self.only_ours)

    def _stopped_side(self) -> Side:
        return self.origin if self.origin.system_id == self.drill.stopped_system_id else self.other

    def _mark(self) -> str:
        return f"{self.drill.pk} of {self.drill.asked_at:%d %b %H:%M:%S}"

    def _who(self) -> tuple[str, str]:
        return tuple(
            f"Drill of {side.system.partner} <drill@{side.system.partner.slug}.example>"
            for side in (self.origin, self.other)
        )  # type: ignore[return-value]

    def _words(self) -> Words:
        published = MappingSet.objects.prefetch_related("rules__value_map__pairs").get(
            side=self.origin, direction=MappingSet.Direction.OUTGOING, state=MappingSet.State.PUBLISHED
        )
        lists = [
            entry["name"]
            for entry in self.origin.system.metadata.get("fields", [])
            if entry.get("kind") == "list"
        ]
        return words_of(rules_of(published), self.origin.trigger, lists)

    def _linked(self) -> list[LinkedTicket]:
        """The linked tickets of the drill that stand on both sides."""
        ids = Q()
        for own in self.drill.opened:
            ids |= Q(remote_id=own) | Q(remote_id__endswith=f":{own}")
        begun = Ticket.objects.filter(ids, system=self.origin.system_id)
        found = LinkedTicket.objects.filter(
            connection=self.drill.connection_id, sides__ticket__in=begun.values("pk")
        )
        standing = found.exclude(pk__in=LinkedTicket.objects.filter(sides__ticket__isnull=True).values("pk"))
        return list(standing.order_by("pk").distinct())

    def _ids(self) -> dict[int, list[str]]:
        """The systems' own ids of the drill's tickets, by side, in the order in which they were raised."""
        found: dict[int, list[str]] = {self.origin.pk: [], self.other.pk: []}
        by_origin = {}
        for linked in self._linked():
            ends = dict(linked.sides.values_list("side_id", "ticket__remote_id"))
            by_origin[_own(ends[self.origin.pk])] = ends
        for own in self.drill.opened:
            for side in (self.origin, self.other):
                found[side.pk].append(_own(by_origin[own][side.pk]))
        return found


def _own(remote_id: str) -> str:
    """The id as the system's people use it: a connector may have put the table in front."""
    return remote_id.rpartition(":")[2]


def _try(sandbox: Sandbox, action: dict) -> None:
    try:
        sandbox.act(action)
    except SandboxError:
        logger.info("drill_act_refused", exc_info=True)


def _is_quiet(linked: Sequence[LinkedTicket]) -> bool:
    waiting = Delivery.objects.waiting().filter(lane__linked_ticket__in=linked)
    to_read = Ticket.objects.filter(sides__linked_ticket__in=linked, read_due_at__isnull=False)
    return not waiting.exists() and not to_read.exists()
