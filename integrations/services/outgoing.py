"""Events on their way out as signed web hooks: noted with the fact they speak of, sent by whoever walks the rounds."""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from integrations.connectors import errors
from integrations.connectors.http import Http
from integrations.events import AlertNews, News
from integrations.models import Alert, EndpointSecret, HookEndpoint, HookMessage, Lane, Side
from integrations.secrets import Sealer, SecretUnreadable
from integrations.watch.conditions import Condition, Severity, Standing, Subject
from integrations.watch.webhooks import EventType, body_of, headers_for, pause_after

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0
# A round ends after so long, so that an endpoint that never answers keeps nobody else from being told.
ROUND_S = 20.0
MOST_A_ROUND = 200
CLAIMED_FOR = timedelta(minutes=1)
KEPT_FOR = timedelta(days=30)
TOLD_AFTER = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=5)
LISTENERS_FOR_S = 5.0

# Event -> (endpoint, partner or None), believed for some seconds: a change must not cost a query when nobody listens.
_listeners: dict[str, list[tuple[int, int | None]]] = {}
_listeners_at = float("-inf")


# --- Noting ---


def forget_listeners() -> None:
    """Read anew who listens, at the next event."""
    global _listeners_at
    _listeners_at = float("-inf")


def listeners(kind: EventType) -> Sequence[tuple[int, int | None]]:
    """Endpoints that want to know of this, with the partner whose matters they may know."""
    global _listeners_at
    if time.monotonic() - _listeners_at > LISTENERS_FOR_S:
        _listeners.clear()
        for pk, partner, events in HookEndpoint.objects.values_list("pk", "partner", "events"):
            for event in events:
                _listeners.setdefault(event, []).append((pk, partner))
        _listeners_at = time.monotonic()
    return _listeners.get(kind.value, ())


def new_message(endpoint_id: int, kind: EventType, at: datetime, data: Mapping[str, object]) -> HookMessage:
    """A message that is due at once, not stored yet."""
    return HookMessage(
        endpoint_id=endpoint_id,
        message_id=f"msg_{secrets.token_urlsafe(20)}",
        kind=kind.value,
        body=body_of(kind, at, data),
        created_at=at,
        due_at=at,
    )


def _note(
    kind: EventType, at: datetime, data: Mapping[str, object], partners: Iterable[int]
) -> list[HookMessage]:
    """The messages of one event, for those who may know of it."""
    whose = set(partners)
    return [
        new_message(endpoint, kind, at, data)
        for endpoint, partner in listeners(kind)
        if partner is None or partner in whose
    ]


def _store(messages: Sequence[HookMessage]) -> None:
    """Store them, but for endpoints that somebody has discarded within the last seconds."""
    if not messages:
        return
    there = set(
        HookEndpoint.objects.filter(pk__in={one.endpoint_id for one in messages}).values_list("pk", flat=True)
    )
    HookMessage.objects.bulk_create([one for one in messages if one.endpoint_id in there])


_OF_NEWS = {
    AlertNews.OPENED: EventType.ALERT_OPENED,
    AlertNews.WORSENED: EventType.ALERT_WORSENED,
    AlertNews.CLOSED: EventType.ALERT_CLOSED,
}


def hear_alert(sender: Any, alert: Alert, news: AlertNews, at: datetime, **kwargs: Any) -> None:
    """An alert opened, got worse or closed.  An endpoint is not told of its own trouble."""
    kind = _OF_NEWS[news]
    if not listeners(kind):
        return
    data = {
        "alert": alert.pk,
        "condition": alert.code,
        "severity": Severity(alert.severity).name.lower(),
        "system": alert.system_id,
        "connection": alert.connection_id,
        "since": alert.since.isoformat(timespec="seconds"),
    }
    partners: Iterable[int] = ()
    if alert.connection_id:
        partners = _partners_of(alert.connection_id)
    elif alert.system:
        partners = [alert.system.partner_id]
    elif alert.endpoint and alert.endpoint.partner_id:
        partners = [alert.endpoint.partner_id]
    found = _note(kind, at, data, partners)
    _store([one for one in found if one.endpoint_id != alert.endpoint_id])


def hear_parked(sender: Any, lane: Lane, **kwargs: Any) -> None:
    """A lane waits for a person."""
    _hear_lane(EventType.LANE_PARKED, lane)


def hear_resumed(sender: Any, lane: Lane, **kwargs: Any) -> None:
    """A lane that waited for a person moves again."""
    _hear_lane(EventType.LANE_RESUMED, lane)


def _hear_lane(kind: EventType, lane: Lane) -> None:
    if not listeners(kind):
        return
    data = {
        "lane": lane.pk,
        "linked_ticket": f"LT-{lane.linked_ticket_id}",
        "connection": lane.connection_id,
        "to_system": lane.system_id,
    }
    _store(_note(kind, timezone.now(), data, _partners_of(lane.connection_id)))


def hear_news(sender: Any, news: Sequence[News], **kwargs: Any) -> None:
    """Histories were read: tickets that were linked, and changes of status as far as the side's rules know them."""
    if not listeners(EventType.TICKET_LINKED) and not listeners(EventType.STATUS_CHANGED):
        return
    messages: list[HookMessage] = []
    partners: dict[int, list[int]] = {}
    for told in news:
        linked = told.linked_ticket
        whose = partners.setdefault(linked.connection_id, []) or _partners_of(linked.connection_id)
        partners[linked.connection_id] = whose
        data = {
            "linked_ticket": linked.number,
            "connection": linked.connection_id,
            "system": told.side.system_id,
        }
        if told.is_new:
            messages += _note(EventType.TICKET_LINKED, linked.created_at, data, whose)
        for change in told.changes:
            if "status" in change.values:
                messages += _note(EventType.STATUS_CHANGED, change.event.happened_at, data, whose)
    now = timezone.now()
    for one in messages:
        # The body has the source's own time; it is due now, however old the change.
        one.created_at = one.due_at = now
    _store(messages)


def _partners_of(connection_id: int) -> list[int]:
    sides = Side.objects.filter(connection=connection_id)
    return list(sides.values_list("system__partner", flat=True))


# --- Sending ---


def send_due(now: datetime) -> int:
    """Send what is due; how many messages were taken.  Safe when several do it at once.

    An endpoint that fails is left alone for the rest of the round, and a round ends after some seconds.
    """
    ends_at = time.monotonic() + ROUND_S
    due = HookMessage.objects.filter(
        state=HookMessage.State.WAITING, due_at__lte=now, endpoint__state=HookEndpoint.State.ACTIVE
    )
    taken, failed = 0, set()
    for message in due.select_related("endpoint").order_by("due_at", "pk")[:MOST_A_ROUND]:
        if message.endpoint_id in failed or time.monotonic() > ends_at:
            continue
        claimed = HookMessage.objects.filter(
            pk=message.pk, due_at=message.due_at, state=HookMessage.State.WAITING
        )
        if not claimed.update(due_at=now + CLAIMED_FOR):
            continue
        if send(message, now):
            taken += 1
        else:
            failed.add(message.endpoint_id)
    return taken


def send(message: HookMessage, now: datetime) -> bool:
    """Send one message and note what became of it; whether it was taken."""
    endpoint = message.endpoint
    try:
        status = _post(endpoint, message, now)
    except errors.ConnectorError as error:
        _note_failure(message, error, now)
        return False
    except SecretUnreadable as error:
        _note_failure(message, errors.Unauthorized(str(error)), now)
        return False
    message.state, message.status, message.problem = HookMessage.State.DELIVERED, status, ""
    message.tries, message.tried_at, message.delivered_at = message.tries + 1, now, now
    message.save(update_fields=["state", "status", "problem", "tries", "tried_at", "delivered_at"])
    HookEndpoint.objects.filter(pk=endpoint.pk).update(answered_at=now, failing_since=None)
    return True


def _post(endpoint: HookEndpoint, message: HookMessage, now: datetime) -> int:
    """The status of an answer that took the message; raises ConnectorError, and SecretUnreadable."""
    body = message.body.encode()
    headers = headers_for(secrets_of(endpoint, now), message.message_id, now, body)
    parts = urlsplit(endpoint.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    http = Http(
        f"{parts.scheme}://{parts.netloc}",
        timeout_s=TIMEOUT_S,
        allowed_private_hosts=frozenset(settings.SYNC_PRIVATE_HOSTS),
        pool_size=1,
    )
    try:
        answer = http.request(
            "POST",
            path,
            data=body,
            headers={**headers, "Content-Type": "application/json"},
            expect=range(200, 300),
        )
    finally:
        http.close()
    return answer.status


def secrets_of(endpoint: HookEndpoint, now: datetime) -> list[str]:
    """The secrets that hold, the newest first; SecretUnreadable when one cannot be opened."""
    sealer = Sealer(settings.CREDENTIAL_KEYS)
    held = EndpointSecret.objects.filter(endpoint=endpoint).filter(Q(ends_at=None) | Q(ends_at__gt=now))
    return [sealer.open(endpoint.place, one.sealed) for one in held]


def _note_failure(message: HookMessage, error: errors.ConnectorError, now: datetime) -> None:
    retry_after_s = error.retry_after_s if isinstance(error, errors.RateLimited) else None
    message.tries, message.tried_at = message.tries + 1, now
    message.status, message.problem = error.status, error.message[:300]
    pause = pause_after(message.tries, random.Random(), retry_after_s)
    if pause is None:
        message.state = HookMessage.State.FAILED
    else:
        message.due_at = now + pause
    message.save(update_fields=["tries", "tried_at", "status", "problem", "state", "due_at"])
    endpoint = message.endpoint
    HookEndpoint.objects.filter(pk=endpoint.pk, failing_since=None).update(failing_since=now)
    since = endpoint.failing_since or now
    # 410 is how a receiver says that it wants nothing any more.
    if error.status == 410 or now - since >= GIVEN_UP_AFTER:
        active = HookEndpoint.objects.filter(pk=endpoint.pk, state=HookEndpoint.State.ACTIVE)
        active.update(state=HookEndpoint.State.DISABLED)
    logger.info(
        "hook_not_taken", extra={"endpoint_id": endpoint.pk, "status": error.status, "code": error.code}
    )


def forget_old(now: datetime) -> int:
    """Delete messages that were taken or given up a month ago; those that wait stay.  Returns how many."""
    old = HookMessage.objects.exclude(state=HookMessage.State.WAITING).filter(created_at__lt=now - KEPT_FOR)
    return old.delete()[0]


# --- Judging ---


def trouble(now: datetime) -> list[Standing]:
    """Endpoints that take nothing for an hour, and those that were therefore disabled.  One query."""
    found = []
    failing = Q(failing_since__isnull=False, state=HookEndpoint.State.ACTIVE)
    for one in HookEndpoint.objects.filter(failing | Q(state=HookEndpoint.State.DISABLED)):
        subject, since = Subject(endpoint=one.pk), one.failing_since or now
        if one.state == HookEndpoint.State.DISABLED:
            message = (
                f"{one.name} is told nothing any more: it took no web hook for days, or said that it is gone."
            )
            found.append(
                Standing(Condition.ENDPOINT_DISABLED, subject, since, Severity.CRITICAL, message[:300])
            )
        elif now - since >= TOLD_AFTER:
            message = f"{one.name} takes no web hooks."
            found.append(
                Standing(Condition.ENDPOINT_FAILING, subject, since, Severity.WARNING, message[:300])
            )
    return found
