"""Hints that something changed: a proven web hook, or the answer to asking a system what changed since.

A hint only says which tickets to read; nothing of its body is used.  A lost, doubled, reordered or forged hint is
harmless, because the ticket's own history is the truth.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from integrations.connectors.errors import ConnectorError
from integrations.connectors.protocol import Connector, Hook
from integrations.engine.effects import NoteSystemAnswer, NoteSystemFailure
from integrations.models import HookReceipt, System
from integrations.services.systems import open_connector_for
from integrations.store import systems as health
from integrations.store import tickets
from integrations.store.django import DjangoStore

# A system's "last web hook" is shown to the minute; writing it with every hook would make one row a bottleneck.
HOOK_SEEN_EVERY = timedelta(seconds=10)
# Receipts are kept longer than any vendor goes on sending the same hook again.
RECEIPTS_KEPT = timedelta(days=3)
PAGES_A_POLL = 20


def take_hook(system: System, hook: Hook, now: datetime) -> bool:
    """Record a proven web hook and mark its tickets for reading; False when it was taken before.

    A hook about a change that our own account made brings no news in most cases: it is read back a little later,
    together with whatever else happened by then.
    """
    is_ours = bool(system.account_id) and hook.actor_id == system.account_id
    delay_s = settings.SYNC_READ_BACK_S if is_ours else 0
    try:
        with transaction.atomic():
            HookReceipt.objects.create(system=system, delivery_id=hook.delivery_id[:200], received_at=now)
            tickets.note_hints(system.pk, hook.remote_ids, now, delay_s=delay_s)
            if system.hooked_at is None or now - system.hooked_at > HOOK_SEEN_EVERY:
                System.objects.filter(pk=system.pk).update(hooked_at=now)
    except IntegrityError:
        # The same one again: it was recorded together with its hints the first time.
        return False
    return True


def poll_due_systems(now: datetime) -> int:
    """Ask every system in use that is due what changed; returns the number of tickets named.

    What web hooks failed to tell is found here, so synchronisation is complete without them.
    """
    return sum(_poll(system, now) for system in System.objects.poll_due(now).distinct())


def forget_old_receipts(now: datetime) -> int:
    """Delete receipts nobody can need any more; returns how many."""
    deleted, _ = HookReceipt.objects.filter(received_at__lt=now - RECEIPTS_KEPT).delete()
    return deleted


def _poll(system: System, now: datetime) -> int:
    """One system: page by page, each page's cursor stored together with its hints."""
    claimed = System.objects.filter(pk=system.pk, poll_due_at=system.poll_due_at).update(
        poll_due_at=now + timedelta(seconds=settings.SYNC_POLL_S)
    )
    if not claimed:
        return 0
    named = 0
    try:
        connector: Connector = open_connector_for(system)
        cursor = system.poll_cursor
        for _ in range(PAGES_A_POLL):
            changed = connector.changed_since(cursor)
            cursor = changed.cursor
            with transaction.atomic():
                tickets.note_hints(system.pk, changed.remote_ids, now)
                System.objects.filter(pk=system.pk).update(poll_cursor=cursor, polled_at=now)
            named += len(changed.remote_ids)
            if not changed.has_more:
                break
        else:
            System.objects.filter(pk=system.pk).update(poll_due_at=now)
    except ConnectorError as error:
        _note(NoteSystemFailure(system.pk, error, now), now)
        return named
    if system.fail_streak:
        health.note_answer(NoteSystemAnswer(system.pk))
    return named


def _note(request: NoteSystemFailure, now: datetime) -> None:
    DjangoStore().carry_out([request], now)
