"""The simulator's stage on Django's database: the same schedules, the store that production uses.

It writes rows of its own and looks at every row there is, so it needs a database in which nothing else lives.
"""

from __future__ import annotations

import math
import random as random_module
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Min

from integrations.canonical import Attachment, Change, ChangeKind, Comment, Person
from integrations.engine.values import (
    FIELD_WRITES,
    ConnectionView,
    DeliveryState,
    LaneState,
    Operation,
    Outcome,
    stamp_from,
)
from integrations.events import News, histories_read
from integrations.mapping.rules import RuleSet
from integrations.models import (
    Attempt,
    Conflict,
    Connection,
    Delivery,
    Effect,
    FieldRule,
    Lane,
    LinkedTicket,
    MappingSet,
    Partner,
    Side,
    SyncEvent,
    System,
    SystemBudget,
    Ticket,
    TicketSide,
    Undo,
    ValueMap,
    ValuePair,
)
from integrations.services import conflicts, queue, undo
from integrations.services.refusals import NotPossible
from integrations.simulation import rows
from integrations.simulation.stage import Subject
from integrations.store import configuration, tickets
from integrations.store.django import DjangoStore

# No vendor: the simulated systems are reached without a connector.
KIND = "simulated"


class DjangoStage:
    """A stage on the default database.  `close` when the world is over."""

    def __init__(self) -> None:
        self._facts: list[rows.FactRow] = []
        histories_read.connect(self._hear)

    def close(self) -> None:
        """Stop listening."""
        histories_read.disconnect(self._hear)

    def _hear(self, sender: Any, *, news: list[News], **kwargs: Any) -> None:
        self._facts += [
            rows.FactRow(
                told.linked_ticket.pk,
                told.side.pk,
                seen.event.pk,
                seen.event.happened_at,
                seen.values,
                seen.public_comments,
            )
            for told in news
            for seen in told.changes
        ]

    # Setting up.

    def add_system(self, account_id: str) -> int:
        """A system; its key."""
        number = System.objects.filter(kind=KIND).count() + 1
        name = f"Partner {number}"
        partner = Partner.objects.create(name=name, slug=f"partner-{number}")
        system = System.objects.create(
            partner=partner, name=name, kind=KIND, base_url="https://simulated.test", account_id=account_id
        )
        return system.pk

    def connect(
        self, left: int, right: int, rules: tuple[RuleSet, ...], *, right_starts: bool
    ) -> ConnectionView:
        """A running connection with these rules."""
        connection = Connection.objects.create(name=f"{left} – {right}", state=Connection.State.ACTIVE)
        places = ((Side.Position.LEFT, left, True), (Side.Position.RIGHT, right, right_starts))
        for number, (position, system_id, starts) in enumerate(places):
            side = Side.objects.create(
                connection=connection, position=position, system_id=system_id, starts=starts
            )
            self.publish(side.pk, "outgoing", rules[2 * number])
            self.publish(side.pk, "incoming", rules[2 * number + 1])
        return configuration.load(datetime.now(UTC)).connections[connection.pk]

    def open_store(self, random: random_module.Random) -> DjangoStore:
        """The store as one worker process opens it."""
        return DjangoStore(random)

    # Web hooks and people.

    def note_hint(
        self, system_id: int, remote_id: str, now: datetime, happened_at: datetime | None = None
    ) -> None:
        """This ticket changed, somebody says, at that time by its system's clock."""
        with transaction.atomic():
            if tickets.lock_untold({(system_id, remote_id): happened_at}):
                tickets.mark_hinted(system_id, [remote_id], now)

    def note_polled(self, system_id: int, marks: Mapping[str, str], now: datetime) -> None:
        """A system was asked what changed, and named these tickets with the states they are in."""
        tickets.note_polled(system_id, marks, now)

    def next_due(self, now: datetime) -> datetime | None:
        """The first moment after this one at which something comes due by itself."""
        ready = Lane.objects.filter(waits=True, state=Lane.State.READY)
        found = [
            ready.filter(next_at__gt=now).aggregate(at=Min("next_at"))["at"],
            ready.filter(leased_until__gt=now).aggregate(at=Min("leased_until"))["at"],
            Ticket.objects.filter(read_due_at__gt=now).aggregate(at=Min("read_due_at"))["at"],
            System.objects.filter(paused_until__gt=now).aggregate(at=Min("paused_until"))["at"],
        ]
        return min((at for at in found if at is not None), default=None)

    def is_at_rest(self) -> bool:
        """Whether nothing waits in any lane and no reading is due."""
        return not (
            Lane.objects.filter(waits=True).exists()
            or Ticket.objects.filter(read_due_at__isnull=False).exists()
        )

    def publish(self, side_id: int, direction: str, rules: RuleSet) -> RuleSet:
        """Make these the side's rules from now on."""
        before = MappingSet.objects.filter(
            side=side_id, direction=direction, state=MappingSet.State.PUBLISHED
        )
        before.update(state=MappingSet.State.RETIRED)
        stored = MappingSet.objects.create(
            side_id=side_id,
            direction=direction,
            version=rules.version,
            state=MappingSet.State.PUBLISHED,
            shares_public_comments=rules.shares_public_comments,
            shares_internal_comments=rules.shares_internal_comments,
            shares_files=rules.shares_files,
            comment_heading=rules.comment_heading,
            comments_become_public=rules.comments_become_public,
            tells_reasons=rules.tells_reasons,
            notes_refusals=rules.notes_refusals,
        )
        for position, rule in enumerate(rules.rules):
            values = None
            if rule.values:
                values = ValueMap.objects.create(mapping_set=stored, name=rule.target)
                ValuePair.objects.bulk_create(
                    ValuePair(value_map=values, source=source, target=target)
                    for source, target in rule.values.items()
                )
            FieldRule.objects.create(
                mapping_set=stored,
                position=position,
                source=rule.source,
                target=rule.target,
                transform=rule.transform.value,
                mode=rule.mode.value,
                conflict=rule.conflict.value,
                value_map=values,
            )
        return replace(rules, id=stored.pk)

    def set_side_paused(self, side_id: int, is_paused: bool) -> None:
        """A partner pauses its side of a connection, or lets it run again."""
        Side.objects.filter(pk=side_id).update(is_paused=is_paused)

    def set_connection_paused(self, connection_id: int, is_paused: bool) -> None:
        """A connection is paused, or runs again."""
        state = Connection.State.PAUSED if is_paused else Connection.State.ACTIVE
        Connection.objects.filter(pk=connection_id).update(state=state)

    def set_held(self, lane_id: int, is_held: bool, now: datetime) -> None:
        """A person holds a lane, or lets it move again."""
        (queue.hold_lanes if is_held else queue.resume_lanes)([lane_id], now=now)

    def start_system(self, system_id: int) -> None:
        """A person has looked after a system that refused our credentials."""
        System.objects.filter(pk=system_id).update(
            state=System.State.ACTIVE, fail_streak=0, paused_until=None, failure_code=""
        )

    def stopped_systems(self) -> list[int]:
        """Systems that wait for such a person."""
        stopped = System.objects.filter(state=System.State.STOPPED)
        return list(stopped.order_by("pk").values_list("pk", flat=True))

    def paused_until(self, system_id: int) -> datetime | None:
        """Until when a system is left alone."""
        return System.objects.values_list("paused_until", flat=True).get(pk=system_id)

    def parked_lanes(self) -> list[rows.LaneRow]:
        """Lanes that wait for a person."""
        return [_lane(lane) for lane in Lane.objects.filter(state=Lane.State.PARKED).order_by("pk")]

    def retry(self, lane_id: int, now: datetime) -> bool:
        """A person lets a parked lane try again."""
        return all(result.is_done for result in queue.retry_lanes([lane_id], now=now))

    def skip(self, lane_id: int, reason: str, now: datetime) -> bool:
        """A person leaves out what stands at the head of a lane."""
        lane = Lane.objects.get(pk=lane_id)
        head = lane.deliveries.filter(number=lane.head).first() if lane.waits else None
        if head is None:
            return False
        return queue.skip_delivery(head, reason, now=now, even_if_unverified=True).is_done

    def open_conflicts(self) -> list[rows.ConflictRow]:
        """What a person is asked about now, the oldest first."""
        return [_conflict(one) for one in Conflict.objects.open().select_related("delivery")]

    def token_of(self, conflict_id: int) -> str:
        """Which two values a person is shown who looks at it; empty when there is nothing to decide any more."""
        case = conflicts.case_of(Conflict.objects.get(pk=conflict_id), now=datetime.now(UTC))
        return case.token if case else ""

    def decide(self, conflict_id: int, choice: str, now: datetime, *, token: str = "") -> bool:
        """A person lets one value stand on both sides."""
        asked = Conflict.objects.get(pk=conflict_id)
        return conflicts.decide_conflict(asked, choice, by=None, now=now, token=token).is_done

    def set_ceiling(self, system_id: int, calls: int) -> None:
        """Staff limit the calls to a system, in a minute."""
        SystemBudget.objects.create(system_id=system_id, ceiling=calls)

    def written_to(self, system_id: int, remote_id: str) -> list[int]:
        """Deliveries that have set fields of a ticket, in their order."""
        done = Delivery.objects.filter(
            target__system=system_id,
            target__remote_id=remote_id,
            operation__in=FIELD_WRITES,
            state=Delivery.State.DONE,
        )
        return list(done.order_by("pk").values_list("pk", flat=True))

    def look_at_undoing(self, subject: Subject, now: datetime) -> int | None:
        """Look at what undoing a write, or all that a version wrote, would do; None where that is refused."""
        kind, key = subject
        for under_way in Undo.objects.filter(state=Undo.State.UNDER_WAY):
            self._work_on(under_way, now)
        try:
            begun = (
                undo.begin_with_delivery(Delivery.objects.get(pk=key), by=None, now=now)
                if kind == "delivery"
                else undo.begin_with_version(MappingSet.objects.get(pk=key), by=None, now=now)
            )
        except NotPossible:
            return None
        self._work_on(begun, now)
        return begun.pk

    def confirm_undoing(self, number: int, now: datetime) -> bool:
        """Queue what was looked at; whether there was anything to put back."""
        looked_at = Undo.objects.get(pk=number)
        try:
            is_confirmed = undo.confirm(looked_at, now=now)
        except NotPossible:
            return False
        if is_confirmed:
            self._work_on(looked_at, now)
        return is_confirmed

    def _work_on(self, one: Undo, now: datetime) -> None:
        undo.work_on(one, until=math.inf, clock=lambda: now)

    # Looking.

    def is_due(self, system_id: int, remote_id: str, now: datetime) -> bool:
        """Whether a ticket is to be read now."""
        return Ticket.objects.filter(system=system_id, remote_id=remote_id, read_due_at__lte=now).exists()

    def lanes_of(self, system_id: int, remote_id: str) -> list[rows.LaneRow]:
        """The lanes of all linked tickets that a ticket stands in."""
        linked = TicketSide.objects.filter(ticket__system=system_id, ticket__remote_id=remote_id)
        found = Lane.objects.filter(linked_ticket__in=linked.values("linked_ticket")).order_by("pk")
        return [_lane(lane) for lane in found]

    def cursor(self, system_id: int, remote_id: str) -> str | None:
        """Up to where a ticket's history is stored."""
        known = Ticket.objects.filter(system=system_id, remote_id=remote_id)
        return known.values_list("cursor", flat=True).first()

    def tables(self) -> rows.Tables:
        """Everything that is stored."""
        return rows.Tables(
            systems={
                one.pk: rows.SystemRow(
                    one.pk, one.account_id, one.state == System.State.ACTIVE, one.paused_until
                )
                for one in System.objects.all()
            },
            tickets={one.pk: _ticket(one) for one in Ticket.objects.order_by("pk")},
            linked=_linked(),
            lanes={one.pk: _lane(one) for one in Lane.objects.order_by("pk")},
            events={one.pk: _event(one) for one in SyncEvent.objects.order_by("pk")},
            deliveries={one.pk: _delivery(one) for one in Delivery.objects.order_by("pk")},
            attempts=[
                rows.AttemptRow(
                    one.delivery_id, one.number, one.fence, one.started_at, Outcome(one.outcome), one.ended_at
                )
                for one in Attempt.objects.order_by("pk")
            ],
            effects={(one.ticket_id, one.origin): one.delivery_id for one in Effect.objects.all()},
            conflicts={one.pk: _conflict(one) for one in _conflicts()},
            facts=self._facts,
        )


def _conflicts() -> Iterable[Conflict]:
    return Conflict.objects.select_related("delivery").order_by("pk")


def _conflict(one: Conflict) -> rows.ConflictRow:
    return rows.ConflictRow(
        id=one.pk,
        delivery_id=one.delivery_id,
        lane_id=one.delivery.lane_id,
        field=one.field,
        shared=one.shared,
        asked_at=one.asked_at,
        decided_at=one.decided_at,
        choice=one.choice,
        stands=one.stands,
    )


def _ticket(one: Ticket) -> rows.TicketRow:
    return rows.TicketRow(
        id=one.pk,
        system_id=one.system_id,
        remote_id=one.remote_id,
        cursor=one.cursor,
        version=one.version,
        event_count=one.event_count,
        actual=one.actual,
        winners=tickets.winners_from(one.winners, one.actual),
        marker=one.marker,
        is_gone=one.is_gone,
        twin_of=one.twin_of_id,
        followed_by=one.followed_by_id,
        read_due_at=one.read_due_at,
        read_at=one.read_at,
        told_until=one.told_until,
        read_failures=one.read_failures,
    )


def _linked() -> dict[int, rows.LinkedRow]:
    found = {
        one.pk: rows.LinkedRow(one.pk, one.connection_id, one.origin_id)
        for one in LinkedTicket.objects.order_by("pk")
    }
    for side in TicketSide.objects.filter(ticket__isnull=False).order_by("pk"):
        found[side.linked_ticket_id].tickets[side.side_id] = side.ticket_id or 0
    return found


def _lane(one: Lane) -> rows.LaneRow:
    return rows.LaneRow(
        id=one.pk,
        linked_id=one.linked_ticket_id,
        target_side_id=one.target_id,
        connection_id=one.connection_id,
        system_id=one.system_id,
        next_at=one.next_at,
        state=LaneState(one.state),
        head=one.head,
        tail=one.tail,
        waits=one.waits,
        waits_since=one.waits_since,
        fence=one.fence,
        owner=one.owner,
        leased_until=one.leased_until,
        tries=one.tries,
        failure_code=one.failure_code,
    )


def _event(one: SyncEvent) -> rows.EventRow:
    change = Change(
        id=one.change_id,
        at=one.happened_at,
        actor=Person(one.actor_id, one.actor_name),
        kind=ChangeKind(one.kind),
        fields=one.fields,
        before=one.before,
        comments=tuple(
            Comment(
                part["id"],
                part["body"],
                Person(**part["author"]),
                part["is_public"],
                datetime.fromisoformat(part["at"]),
            )
            for part in one.comments
        ),
        attachments=tuple(Attachment(**part) for part in one.attachments),
    )
    return rows.EventRow(
        one.pk, one.ticket_id, one.position, change, one.caused_by_id, one.seen_at, one.is_double
    )


def _delivery(one: Delivery) -> rows.DeliveryRow:
    return rows.DeliveryRow(
        id=one.pk,
        lane_id=one.lane_id,
        number=one.number,
        event_id=one.event_id,
        operation=Operation(one.operation),
        marker=one.marker,
        origin=one.origin,
        stamp=stamp_from(one.stamp),
        hops=one.hops,
        envelope=one.envelope,
        problem=one.problem,
        outgoing_id=one.outgoing_id,
        queued_at=one.queued_at,
        state=DeliveryState(one.state),
        target_id=one.target_id,
        wanted=one.wanted,
        unseen=one.unseen,
        is_recognised=one.is_recognised,
        pre_image=one.pre_image,
        send_by=one.send_by,
        tries=one.tries,
        result=one.result,
        incoming_id=one.incoming_id,
        done_at=one.done_at,
        reason=one.skipped_reason,
        told_at=one.told_at,
    )
