"""The watch: gathers the facts, lets the rules judge them, and keeps the alerts in step.

May be run by anybody at any time: by the worker's beat, and by `manage.py watch` outside of it.  Whoever moves an
alert first tells of it, so that two watchers do not tell twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, Min, OuterRef
from django.db.models.functions import Coalesce

from integrations.events import AlertNews, alert_told
from integrations.models import (
    Alert,
    Connection,
    HookTrouble,
    Lane,
    LinkedTicket,
    Side,
    SyncEvent,
    System,
    SystemFinding,
    SystemSecret,
    Ticket,
    TicketSide,
)
from integrations.services import heartbeats, outgoing
from integrations.services.systems import settings_of
from integrations.watch.conditions import (
    Background,
    Condition,
    Expiry,
    LaneGroup,
    Severity,
    Standing,
    Subject,
    SystemFacts,
    Verdict,
    judge,
)
from integrations.watch.course import Course, Step, next_step


@dataclass(slots=True)
class Round:
    """What one look changed."""

    opened: list[Alert] = field(default_factory=list)
    worsened: list[Alert] = field(default_factory=list)
    closed: list[Alert] = field(default_factory=list)


def watch(*, now: datetime, broker_answers: bool | None = None, others: Iterable[Standing] = ()) -> Round:
    """Look at everything once and open, worsen and close alerts.  Calls no other system; may be repeated.

    `broker_answers`: what whoever asked the broker found; None leaves its alert as it is.  `others`: what holds
    besides, as far as it is known elsewhere.
    """
    verdict = verdict_of(now, broker_answers, others)
    done = Round()
    live = {(one.code, one.subject): one for one in Alert.objects.live()}
    for standing in verdict.standings:
        _hold(live.pop((standing.code.value, standing.subject.key), None), standing, now, done)
    for alert in live.values():
        if alert.code not in verdict.unjudged:
            _clear(alert, now, done)
    return done


def verdict_of(now: datetime, broker_answers: bool | None = None, others: Iterable[Standing] = ()) -> Verdict:
    """What holds now, by what the database knows.  Ten queries."""
    beats = heartbeats.heard()
    background = Background(
        tick=beats.get(heartbeats.TICK),
        sweep=beats.get(heartbeats.SWEEP),
        watch=beats.get(heartbeats.WATCH),
        broker_answers=broker_answers,
    )
    return judge(
        background,
        _systems(),
        _expiries(),
        _lanes(),
        [*_hooks(), *_gone(), *_twins(now), *_doubled(now), *outgoing.trouble(now), *others],
        now,
    )


# --- Facts ---


def _systems() -> list[SystemFacts]:
    known = Alert.objects.live().filter(code=Condition.SYSTEM_FAILING.value)
    since = dict(known.values_list("system", "since"))
    rows = System.objects.annotate(has_sides=Exists(Side.objects.filter(system=OuterRef("pk"))))
    return [
        SystemFacts(
            pk=one.pk,
            name=one.name,
            is_active=one.state == System.State.ACTIVE,
            is_stopped=one.state == System.State.STOPPED,
            fail_streak=one.fail_streak,
            failed_at=one.failed_at,
            failing_since=since.get(one.pk),
            polled_at=one.polled_at,
            poll_every=timedelta(seconds=settings.SYNC_POLL_S),
            has_sides=one.has_sides,
        )
        for one in rows.defer("metadata").iterator()
    ]


def _expiries() -> list[Expiry]:
    stored = SystemSecret.objects.filter(expires_on__isnull=False).select_related("system")
    return [
        Expiry(one.system_id, one.system.name, _label_of(one), one.expires_on)
        for one in stored.defer("system__metadata", "sealed")
        if one.expires_on
    ]


def _label_of(secret: SystemSecret) -> str:
    labels = {spec.name: spec.label for spec in settings_of(secret.system.kind)}
    return labels.get(secret.name, secret.name)


def _lanes() -> list[LaneGroup]:
    counted = (
        Lane.objects.filter(waits=True, waits_since__isnull=False)
        .order_by()
        .values("connection", "system", "state")
        .annotate(count=Count("pk"), oldest=Min("waits_since"))
    )
    groups = list(counted)
    systems = System.objects.select_related("partner").defer("metadata")
    targets = systems.in_bulk({one["system"] for one in groups})
    connections = Connection.objects.in_bulk({one["connection"] for one in groups})
    found = []
    for one in groups:
        target, connection = targets[one["system"]], connections[one["connection"]]
        is_moving = target.state == System.State.ACTIVE and connection.state == Connection.State.ACTIVE
        found.append(
            LaneGroup(
                connection=connection.pk,
                system=target.pk,
                connection_name=connection.name,
                # As the other company knows it: the system's own name is its partner's matter.
                target=f"{target.kind_label} of {target.partner}",
                state=one["state"],
                count=one["count"],
                oldest=one["oldest"],
                is_explained=not is_moving or target.fail_streak > 0,
            )
        )
    return found


def _hooks() -> list[Standing]:
    """Findings about web hooks that nobody has looked after yet: found elsewhere, told here."""
    found = SystemFinding.objects.filter(state=SystemFinding.State.OPEN, code__in=list(HookTrouble))
    return [
        Standing(
            Condition(one.code),
            Subject(system=one.system_id),
            one.found_at,
            Severity.WARNING,
            f"{one.system.name}: {one.message}."[:300],
        )
        for one in found.select_related("system").defer("system__metadata")
    ]


def _gone() -> list[Standing]:
    """Systems from which tickets of active links are gone: whether that is wanted is for people to say."""
    rows = (
        TicketSide.objects.filter(ticket__is_gone=True, linked_ticket__state=LinkedTicket.State.ACTIVE)
        .order_by()
        .values("ticket__system", "ticket__system__name")
        .annotate(
            count=Count("ticket", distinct=True),
            since=Min(Coalesce("ticket__refused_at", "ticket__changed_at", "ticket__read_at")),
        )
    )
    return [
        Standing(
            Condition.TICKETS_GONE,
            Subject(system=one["ticket__system"]),
            one["since"],
            Severity.WARNING,
            f"{one['ticket__system__name']}: {one['count']} linked ticket{'' if one['count'] == 1 else 's'} "
            f"{'is' if one['count'] == 1 else 'are'} gone there.",
        )
        for one in rows
        if one["since"]
    ]


def _twins(now: datetime) -> list[Standing]:
    """Systems in which a create of ours took effect twice, the latest pair by name; one more is worse."""
    found: dict[int, list[Ticket]] = {}
    rows = Ticket.objects.twins(now).select_related("system", "twin_of").defer("system__metadata")
    # Put in order here: asked in the order of keys, SQLite goes through all tickets for the few.
    for twin in sorted(rows, key=lambda one: -one.pk):
        found.setdefault(twin.system_id, []).append(twin)
    return [
        Standing(
            Condition.DUPLICATE_TWIN,
            Subject(system=system_id),
            twins[-1].opened_at or now,
            Severity.WARNING,
            f"{twins[0].system.name} carried a request out too late: {twins[0]} is there beside {twins[0].twin_of}"
            f"{f', and {len(twins) - 1} more such' if len(twins) > 1 else ''}."[:300],
            len(twins),
        )
        for system_id, twins in found.items()
    ]


def _doubled(now: datetime) -> list[Standing]:
    """Systems in which a comment or file of ours stands twice, the latest by its ticket; one more is worse."""
    found: dict[int, list[SyncEvent]] = {}
    rows = SyncEvent.objects.doubled(now).select_related("ticket__system")
    for event in sorted(rows.order_by().defer("ticket__system__metadata"), key=lambda one: -one.pk):
        found.setdefault(event.ticket.system_id, []).append(event)
    return [
        Standing(
            Condition.DOUBLED_EFFECT,
            Subject(system=system_id),
            events[-1].seen_at,
            Severity.NOTICE,
            f"{events[0].ticket.system.name} carried a request out too late: a comment or file of ours stands twice "
            f"on {events[0].ticket}{f', and {len(events) - 1} more such' if len(events) > 1 else ''}."[:300],
            len(events),
        )
        for system_id, events in found.items()
    ]


# --- Alerts ---


def _hold(alert: Alert | None, standing: Standing, now: datetime, done: Round) -> None:
    course = Course(alert.stage, alert.cleared_at) if alert else None
    match next_step(course, standing.stage, now):
        case Step.OPEN:
            if opened := _open(standing, now):
                done.opened.append(opened)
        case Step.WORSEN if alert:
            if _worsen(alert, standing, now):
                done.worsened.append(alert)
        case _ if alert and (alert.message != standing.message or alert.cleared_at):
            Alert.objects.live().filter(pk=alert.pk).update(message=standing.message, cleared_at=None)


def _open(standing: Standing, now: datetime) -> Alert | None:
    """The new alert; None when another watcher was quicker."""
    try:
        with transaction.atomic():
            alert = Alert.objects.create(
                code=standing.code.value,
                subject=standing.subject.key,
                system_id=standing.subject.system,
                connection_id=standing.subject.connection,
                endpoint_id=standing.subject.endpoint,
                severity=standing.severity.value,
                stage=standing.stage,
                message=standing.message[:300],
                since=standing.since,
                opened_at=now,
            )
            alert_told.send(Alert, alert=alert, news=AlertNews.OPENED, at=now)
    except IntegrityError:
        return None
    return alert


@transaction.atomic
def _worsen(alert: Alert, standing: Standing, now: datetime) -> bool:
    """It got worse: whoever had acknowledged it knew of something milder, so it is open again."""
    changed = {
        "stage": standing.stage,
        "severity": max(alert.severity, standing.severity.value),
        "message": standing.message[:300],
        "state": Alert.State.OPEN,
        "worsened_at": now,
        "cleared_at": None,
    }
    if not Alert.objects.live().filter(pk=alert.pk, stage=alert.stage).update(**changed):
        return False
    for name, value in changed.items():
        setattr(alert, name, value)
    alert_told.send(Alert, alert=alert, news=AlertNews.WORSENED, at=now)
    return True


def _clear(alert: Alert, now: datetime, done: Round) -> None:
    match next_step(Course(alert.stage, alert.cleared_at), None, now):
        case Step.BEGIN_CLEARING:
            Alert.objects.live().filter(pk=alert.pk, cleared_at=None).update(cleared_at=now)
        case Step.CLOSE if _close(alert, now):
            done.closed.append(alert)


@transaction.atomic
def _close(alert: Alert, now: datetime) -> bool:
    closed = Alert.objects.live().filter(pk=alert.pk, cleared_at=alert.cleared_at)
    if not closed.update(state=Alert.State.CLOSED, closed_at=now):
        return False
    alert.state, alert.closed_at = Alert.State.CLOSED, now
    alert_told.send(Alert, alert=alert, news=AlertNews.CLOSED, at=now)
    return True


def note_outage(code: Condition, message: str, *, since: datetime, now: datetime) -> Alert:
    """Record an outage that is over already and could not be written down while it lasted.  Told as closed."""
    with transaction.atomic():
        alert = Alert.objects.create(
            code=code.value,
            subject=Subject().key,
            severity=Severity.CRITICAL.value,
            message=message,
            state=Alert.State.CLOSED,
            since=since,
            opened_at=since,
            closed_at=now,
        )
        alert_told.send(Alert, alert=alert, news=AlertNews.CLOSED, at=now)
    return alert


def worst_open(alerts: Iterable[Alert]) -> Severity | None:
    """The worst that nobody has taken in hand; None when nothing is open.  Pure."""
    found = [one.severity for one in alerts if one.state == Alert.State.OPEN]
    return Severity(max(found)) if found else None
