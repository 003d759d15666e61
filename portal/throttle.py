"""Slows down guessing passwords: after repeated failures signing in is refused for a while, right password or not.

Counted by account and by address.  By account the waiting time doubles, so that a password takes years to guess and
its owner waits a quarter of an hour at most; by address it takes many failures, because an office shares one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from portal.models import SignInFailures


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures are free, and how long the waiting gets."""

    free: int
    first_wait: timedelta
    longest_wait: timedelta


ACCOUNT = Limit(free=5, first_wait=timedelta(minutes=1), longest_wait=timedelta(minutes=15))
ADDRESS = Limit(free=50, first_wait=timedelta(minutes=1), longest_wait=timedelta(minutes=15))
# Failures older than this are forgotten.
MEMORY = timedelta(hours=1)


def wait_after(count: int, limit: Limit) -> timedelta:
    """How long to wait after the `count`th failure in a row.  Pure."""
    if count < limit.free:
        return timedelta()
    # The exponent is capped before the power: the count has no bound.
    return min(limit.first_wait * 2 ** min(count - limit.free, 16), limit.longest_wait)


def locked_for(username: str, address: str, *, now: datetime) -> timedelta:
    """How long this account, or this address, still has to wait; zero when it may try."""
    rows = SignInFailures.objects.filter(key__in=_keys(username, address), locked_until__gt=now)
    return max((row.locked_until - now for row in rows if row.locked_until), default=timedelta())


@transaction.atomic
def note_failure(username: str, address: str, *, now: datetime) -> None:
    """Count a failure for the account and the address.  Not repeatable: every call counts."""
    SignInFailures.objects.filter(last_at__lt=now - MEMORY).delete()
    for key, limit in _keys(username, address).items():
        row, _is_new = SignInFailures.objects.select_for_update().get_or_create(
            key=key, defaults={"last_at": now}
        )
        row.count += 1
        row.last_at = now
        wait = wait_after(row.count, limit)
        row.locked_until = now + wait if wait else None
        row.save(update_fields=["count", "last_at", "locked_until"])


def note_success(username: str) -> None:
    """Forget the account's failures.  The address keeps its own: one good account must not open it for guessing."""
    SignInFailures.objects.filter(key=_key("account", username)).delete()


def address_of(request: HttpRequest) -> str:
    """Where the request comes from: behind our proxy what that one saw, which is the last entry it appended."""
    forwarded = request.headers.get("X-Forwarded-For", "")
    if settings.BEHIND_PROXY and forwarded:
        return forwarded.rsplit(",", 1)[-1].strip()
    return request.META.get("REMOTE_ADDR", "")


def _keys(username: str, address: str) -> dict[str, Limit]:
    return {_key("account", username): ACCOUNT, _key("address", address): ADDRESS}


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value.strip().casefold()}".encode()).hexdigest()
