"""Whether a system's web hooks are alive: heard lately, or silent while polling found changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min

from integrations.models import HookReceipt, SyncEvent, System, SystemSecret, Ticket
from integrations.services.systems import HOOK_SECRET

# A hook may come a little later than the poll that finds the same change.
GRACE = timedelta(minutes=2)
# So long without a hook, although there were changes, is no hiccup.
SILENT_AFTER = timedelta(minutes=15)
# So many of the latest changed tickets are looked at for changes that no hook told of.
LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class HookHealth:
    """What is known of a system's web hooks.

    `alive_since` reaches back as far as receipts are kept.  `missed` counts the changes that other people made, that
    polling found and that no web hook told of; `missed_since` is when the first of them was seen.
    """

    is_set_up: bool
    alive_since: datetime | None
    heard_at: datetime | None
    missed: int
    missed_since: datetime | None
    is_silent: bool


def hook_health(system: System, *, now: datetime) -> HookHealth:
    """How the web hooks of a system do.  Four queries; calls nobody."""
    secret = SystemSecret.objects.filter(system=system, name=HOOK_SECRET).first()
    receipts = HookReceipt.objects.filter(system=system)
    alive_since = receipts.aggregate(first=Min("received_at"))["first"]
    heard_at = system.hooked_at
    standing = getattr(system, "hook_standing", None)
    # Before anything was set up there was nothing to be told, and what was set up anew begins anew.
    begun = [heard_at, secret and secret.changed_at, standing and standing.registered_at]
    since = max((one for one in begun if one), default=None)
    if since and standing and standing.removed_at and since <= standing.removed_at + GRACE:
        # They were taken away, and nobody has set them up since.
        since = None
    found = _seen_after(system, since + GRACE) if since else []
    missed_since = min(found, default=None)
    return HookHealth(
        is_set_up=secret is not None and since is not None,
        alive_since=alive_since,
        heard_at=heard_at,
        missed=len(found),
        missed_since=missed_since,
        is_silent=missed_since is not None and now - missed_since > SILENT_AFTER,
    )


def _seen_after(system: System, moment: datetime) -> list[datetime]:
    """When changes of other people were seen after a moment, in the tickets that changed last.

    A change that is our own write coming back is no news to anybody, and no hook has to tell of it.
    """
    changed = Ticket.objects.filter(system=system, changed_at__gt=moment).order_by("-changed_at")
    keys = list(changed.values_list("pk", flat=True)[:LOOKED_AT])
    events = SyncEvent.objects.filter(ticket__in=keys, happened_at__gt=moment, caused_by=None)
    return list(events.exclude(actor_id=system.account_id).values_list("seen_at", flat=True))
