"""Web hooks at the vendor: registering, looking, removing; steps by hand remain where a vendor offers no interface.

A registration may be repeated at will and leaves one.  A secret that the vendor takes from us is accepted before it is
asked, and the same is used until a registration has succeeded: so a lost answer makes no web hook refused.  Where the
vendor makes the secret, web hooks are refused until its answer has come, and asking finds their changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from integrations.connectors import registry
from integrations.connectors.errors import ConnectorError, Forbidden
from integrations.connectors.protocol import RegisteredHook, RegistersHooks
from integrations.models import HookStanding, System, SystemSecret
from integrations.services.refusals import NotPossible
from integrations.services.systems import (
    HOOK_SECRET,
    NEW_HOOK_SECRET,
    open_connector_for,
    prepare_hook_secret,
    take_registered_secret,
)

# Longer than the calls of one registration may take together.
CLAIMED_FOR = timedelta(minutes=5)

State = HookStanding.State


@dataclass(frozen=True, slots=True)
class HookPlace:
    """Where a system's web hooks arrive, whether we may register them by its interface, and what is known there."""

    address: str
    registers: bool
    standing: HookStanding


def hook_place(system: System) -> HookPlace:
    """What a page shows of a system's registration.  One query at most; calls nobody."""
    return HookPlace(hook_address(system), registers(system), standing_of(system))


def hook_address(system: System) -> str:
    """Where the system's web hooks are received."""
    return f"{settings.PORTAL_BASE_URL}{reverse('hook', args=[system.hook_token])}"


def registers(system: System) -> bool:
    """Whether web hooks of such a system can be registered by its interface."""
    return issubclass(registry.connector_class(system.kind), RegistersHooks)


def standing_of(system: System) -> HookStanding:
    """What is known at the vendor; an empty one, not stored, where nobody looked yet."""
    # The missing row of a one-to-one relation is an AttributeError.
    return getattr(system, "hook_standing", None) or HookStanding(system=system)


def state_there(events: Sequence[str], found: Sequence[RegisteredHook]) -> HookStanding.State:
    """What these web hooks amount to, where each of `events` needs one that is active.  Pure."""
    if not found:
        return State.MISSING
    if set(events) <= {one.event for one in found if one.is_active}:
        return State.THERE
    return State.OFF if set(events) <= {one.event for one in found} else State.PARTLY


# --- Acting ---


def register_hooks(system: System, *, now: datetime, renew: bool = False) -> bool:
    """Have the vendor send web hooks to us; False when it does already.  Calls the system; may be repeated.

    With `renew` they get a new secret, and the former one stays accepted.  NotPossible in words for a person, also
    when the outcome is unknown: what is there is then looked up by the next attempt.
    """
    address = hook_address(system)
    with _claimed(system, now) as standing:
        try:
            connector = _registering(system)
            found = connector.registered_hooks(address)
            state = state_there(connector.hook_events(), found)
            if not renew and state == State.THERE and _is_signed_for(system) and standing.is_expected:
                note_looked(standing, state, now)
                return False
            made = connector.register_hook(address, prepare_hook_secret(system), renew=renew)
        except ConnectorError as error:
            _refuse(system, standing, error)
        take_registered_secret(system, made.secret)
        standing.registered_at, standing.removed_at = now, None
        note_looked(standing, State.THERE, now)
    return True


def remove_hooks(system: System, *, now: datetime) -> None:
    """Have the vendor send none any more; secrets stay.  Calls the system; may be repeated.  NotPossible in words."""
    with _claimed(system, now) as standing:
        try:
            _registering(system).unregister_hooks(hook_address(system))
        except ConnectorError as error:
            _refuse(system, standing, error)
        standing.is_expected, standing.registered_at, standing.removed_at = False, None, now
        note_looked(standing, State.MISSING, now)


def look_at_hooks(system: System, *, now: datetime) -> HookStanding:
    """Ask the vendor which web hooks lead to us, and keep what it says.  Calls the system; may be repeated.

    NotPossible, in the system's own words, when it did not tell; what was known stays.
    """
    standing = stored_standing(system)
    try:
        connector = _registering(system)
        found = connector.registered_hooks(hook_address(system))
    except ConnectorError as error:
        _refuse(system, standing, error)
    note_looked(standing, state_there(connector.hook_events(), found), now)
    return standing


def stored_standing(system: System) -> HookStanding:
    """The system's row, made where there is none."""
    standing, _ = HookStanding.objects.get_or_create(system=system)
    system.hook_standing = standing
    return standing


def note_looked(standing: HookStanding, state: HookStanding.State, now: datetime) -> None:
    """Keep what the vendor told.  What was there once is expected to stay."""
    standing.state, standing.looked_at = state, now
    standing.is_expected = standing.is_expected or state == State.THERE
    standing.problem = standing.problem_code = ""
    changed = ["state", "looked_at", "is_expected", "registered_at", "removed_at", "problem", "problem_code"]
    standing.save(update_fields=changed)


def _registering(system: System) -> RegistersHooks:
    connector = open_connector_for(system)
    if not isinstance(connector, RegistersHooks):
        raise NotPossible(
            f"{system.kind_label} offers no interface for this. Its administrator follows the steps by hand."
        )
    return connector


def _is_signed_for(system: System) -> bool:
    """Whether we know the secret in use for certain: one is stored, and no registration was left half done."""
    stored = set(
        SystemSecret.objects.filter(system=system, name__startswith=HOOK_SECRET).values_list(
            "name", flat=True
        )
    )
    return HOOK_SECRET in stored and NEW_HOOK_SECRET not in stored


@contextmanager
def _claimed(system: System, now: datetime) -> Iterator[HookStanding]:
    """Nobody else registers or removes meanwhile; two at once would leave two."""
    standing = stored_standing(system)
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    mine = HookStanding.objects.filter(pk=standing.pk)
    if not mine.filter(free).update(claimed_until=now + CLAIMED_FOR):
        raise NotPossible("Somebody else is at it at this moment. Look again in a minute.")
    try:
        yield standing
    finally:
        mine.update(claimed_until=None)


def _refuse(system: System, standing: HookStanding, error: ConnectorError) -> NoReturn:
    """Keep why it did not work, and tell what to do next."""
    if isinstance(error, Forbidden):
        next_step = "Give Concord's account the right to manage web hooks, or have an administrator follow the steps by hand."
    elif error.outcome_unknown:
        next_step = (
            "Whether it was done is not known. Try again: what is there is looked up first, and one is left."
        )
    else:
        next_step = "Test the system, then try again."
    standing.problem, standing.problem_code = error.message[:500], error.code
    standing.save(update_fields=["problem", "problem_code"])
    raise NotPossible(f"{system} did not do it: {error.message} {next_step}") from error
