"""What every button does besides its action: refuse in a sentence, tell what happened, write the trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import Q
from django.http import HttpRequest

from integrations.services.refusals import NotPossible
from portal import audit
from portal.access import RESOURCES, Someone, rights_of
from portal.models import AuditEntry, User
from portal.presentation import TimelineEntry

SHOWN = 12


def act(
    request: HttpRequest,
    action: Callable[[], Any],
    *,
    obj: models.Model,
    done: str,
    trail: str,
    changes: Mapping[str, Any] | None = None,
    partner: models.Model | None = None,
    idle: str = "Nothing to do: somebody else was quicker.",
) -> bool:
    """Do it with its entry in the audit trail, in one transaction, and tell the person; whether it was done.

    `action` returns False for "there was nothing to do", and raises NotPossible to refuse; neither leaves a trail.
    """
    try:
        with transaction.atomic():
            was_done = action() is not False
            if was_done:
                audit.record(request.user, trail, obj, changes, partner=partner)
    except NotPossible as refusal:
        messages.error(request, refusal.message)
        return False
    if was_done:
        messages.success(request, done)
    else:
        messages.info(request, idle)
    return was_done


def signed_in(request: HttpRequest) -> User:
    """Whoever asks; every page behind the sign-in has somebody."""
    assert isinstance(request.user, User)
    return request.user


def require_everywhere(user: Someone, action: str, resource: str) -> None:
    """Return when the person may do this at all partners, as for what belongs to none; PermissionDenied otherwise."""
    if rights_of(user).partner_ids(resource, action) is not None:
        raise PermissionDenied(f"Needs {action} on {RESOURCES[resource].lower()} at all partners.")


def trail_of(obj: models.Model, user: Someone, limit: int = SHOWN) -> list[TimelineEntry]:
    """What was done to one object, newest first, for `portal/_timeline.html`; without the other partners' matters.

    Nothing for somebody who may read no trail.  One query.
    """
    places = rights_of(user).partner_ids("audit", "read")
    entries = AuditEntry.objects.about(obj)
    if places is not None:
        # What concerns both sides of a connection names no partner.
        entries = entries.filter(Q(partner__in=places) | Q(partner=None)) if places else entries.none()
    return [
        TimelineEntry(
            at=entry.at,
            title=entry.actor_label,
            context=entry.action,
            text=_changes_text(entry.changes),
            icon="history",
        )
        for entry in entries[:limit]
    ]


def _changes_text(changes: Mapping[str, Any]) -> str:
    return "\n".join(f"{_field_words(name)}: {_change_words(value)}" for name, value in changes.items())


def _field_words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _change_words(value: Any) -> str:
    if isinstance(value, list) and len(value) == 2:
        before, after = (_value_words(one) for one in value)
        return f"{before} → {after}"
    return _value_words(value)


def _value_words(value: Any) -> str:
    if value in (None, "", [], {}):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{_field_words(name)} {_value_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_value_words(one) for one in value)
    return str(value)
