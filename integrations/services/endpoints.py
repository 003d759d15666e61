"""What staff do with endpoints that are told by web hook: add, change secrets, pause, test, send again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from integrations.connectors.wire import is_allowed
from integrations.models import EndpointSecret, HookEndpoint, HookMessage, Partner
from integrations.secrets import Sealer
from integrations.services import outgoing
from integrations.services.refusals import NotPossible
from integrations.watch.webhooks import EventType, new_secret

# So long the former secret signs too, for receivers to change over.
OVERLAP = timedelta(hours=24)


@transaction.atomic
def add_endpoint(
    partner: Partner | None, name: str, url: str, events: Sequence[str], *, now: datetime
) -> tuple[HookEndpoint, str]:
    """The new endpoint and its secret, which is told once.  NotPossible for an address that must not be called."""
    endpoint = HookEndpoint.objects.create(
        partner=partner, name=name, url=checked_url(url), events=sorted(events)
    )
    outgoing.forget_listeners()
    return endpoint, _add_secret(endpoint, now)


def change_endpoint(endpoint: HookEndpoint, name: str, url: str, events: Sequence[str]) -> None:
    """Another name, address or choice of events.  NotPossible as for a new one."""
    endpoint.name, endpoint.url, endpoint.events = name, checked_url(url), sorted(events)
    endpoint.save(update_fields=["name", "url", "events"])
    outgoing.forget_listeners()


def checked_url(url: str) -> str:
    """The address without spaces; NotPossible unless it is https, or a private host that the operator allows.

    Where its name leads is checked on every call.
    """
    address = url.strip()
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        raise NotPossible("This is no web address.", field="url") from None
    if not host or parts.scheme not in {"http", "https"} or "@" in parts.netloc or parts.fragment:
        raise NotPossible("Enter a web address such as https://example.com/hooks/concord.", field="url")
    if parts.scheme == "http" and not is_allowed(host, port, frozenset(settings.SYNC_PRIVATE_HOSTS)):
        raise NotPossible(
            "Use https. Inside a private network the operator can allow this host in SYNC_PRIVATE_HOSTS.",
            field="url",
        )
    return address


@transaction.atomic
def rotate_secret(endpoint: HookEndpoint, *, now: datetime) -> str:
    """A new secret, told once.  The one before it signs beside it for a day."""
    EndpointSecret.objects.filter(endpoint=endpoint, ends_at=None).update(ends_at=now + OVERLAP)
    EndpointSecret.objects.filter(endpoint=endpoint, ends_at__lte=now).delete()
    return _add_secret(endpoint, now)


def end_former_secrets(endpoint: HookEndpoint) -> bool:
    """Sign with the newest secret alone, as after a leak; whether there was another."""
    deleted, _ = EndpointSecret.objects.filter(endpoint=endpoint).exclude(ends_at=None).delete()
    return bool(deleted)


def _add_secret(endpoint: HookEndpoint, now: datetime) -> str:
    secret = new_secret()
    sealed = Sealer(settings.CREDENTIAL_KEYS).seal(endpoint.place, secret)
    EndpointSecret.objects.create(endpoint=endpoint, sealed=sealed, made_at=now)
    return secret


def pause_endpoint(endpoint: HookEndpoint) -> bool:
    """Send nothing until it is resumed; messages are kept.  Whether it was active."""
    return _move(endpoint, [HookEndpoint.State.ACTIVE], HookEndpoint.State.PAUSED)


def resume_endpoint(endpoint: HookEndpoint, *, now: datetime) -> bool:
    """Send again, what was kept at once.  Whether it was paused or disabled."""
    before = [HookEndpoint.State.PAUSED, HookEndpoint.State.DISABLED]
    if not _move(endpoint, before, HookEndpoint.State.ACTIVE):
        return False
    HookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=None)
    endpoint.messages.filter(state=HookMessage.State.WAITING).update(due_at=now, tries=0)
    return True


def _move(endpoint: HookEndpoint, before: Sequence[str], after: HookEndpoint.State) -> bool:
    moved = HookEndpoint.objects.filter(pk=endpoint.pk, state__in=before).update(state=after)
    if moved:
        endpoint.state = after
    return bool(moved)


def send_test(endpoint: HookEndpoint, *, now: datetime) -> HookMessage:
    """Send a test event at once and say what became of it.  Calls the endpoint, even one that is paused."""
    message = outgoing.new_message(endpoint.pk, EventType.TEST, now, {"endpoint": endpoint.name})
    message.save()
    outgoing.send(message, now)
    return message


def resend(message: HookMessage, *, now: datetime) -> None:
    """Send a message once more, under its own id, at once.  Calls the endpoint."""
    HookMessage.objects.filter(pk=message.pk).update(state=HookMessage.State.WAITING, tries=0, due_at=now)
    message.refresh_from_db()
    outgoing.send(message, now)


def discard_endpoint(endpoint: HookEndpoint) -> None:
    """Delete it with its secrets and messages."""
    endpoint.delete()
    outgoing.forget_listeners()
