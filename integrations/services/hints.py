"""Hints that something changed: a proven web hook, or the answer to asking a system what changed since.

A hint only says which tickets to read; nothing of its body is used but the time of what it tells: a ticket whose history
was read later is not read again for it.  A lost, doubled, reordered or forged hint is harmless, because the ticket's own
history is the truth.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from integrations.connectors.errors import ConnectorError
from integrations.connectors.protocol import Connector, Hook
from integrations.engine.effects import NoteSystemAnswer, NoteSystemFailure
from integrations.engine.hints import latest
from integrations.models import HookReceipt, System
from integrations.services.systems import open_connector_for
from integrations.statements import insert_new
from integrations.store import locks, tickets
from integrations.store import systems as health
from integrations.store.django import DjangoStore

logger = logging.getLogger(__name__)

# A system's "last web hook" is shown to the minute; writing it with every hook would make one row a bottleneck.
HOOK_SEEN_EVERY = timedelta(seconds=10)
# Receipts are kept longer than any vendor goes on sending the same hook again.
RECEIPTS_KEPT = timedelta(days=3)
PAGES_A_POLL = 20
# What is asked for after so many rounds were missed, or names more tickets than so, is a backlog and waits for live
# work.
AWAY_ROUNDS = 3
MOST_LIVE = 50


def take_hook(system: System, hook: Hook, now: datetime) -> bool:
    """Record a proven web hook and mark its tickets for reading; False when there is nothing to read for it.

    One that was taken before changes nothing; one that comes after what it tells was read marks nothing.  One about a
    change that our own account made is not stored at all: whatever we write is read back by whoever wrote it, and
    asking the system finds what others did in our name.
    """
    if hook.actor_id and hook.actor_id in (system.account_id, system.account_alias):
        _note_alive(system, now)
        return False
    return _desk.take(_Arrival(system, hook, now))


@dataclass(slots=True)
class _Arrival:
    """A web hook that waits to be stored, and what became of it."""

    system: System
    hook: Hook
    at: datetime
    is_news: bool | None = None
    error: Exception | None = None

    @property
    def key(self) -> tuple[int, str]:
        """What it is known by when it comes again."""
        return self.system.pk, self.hook.delivery_id[:200]

    @property
    def tickets(self) -> list[tuple[int, str]]:
        """The tickets that it names, by system and its key."""
        return [(self.system.pk, remote_id) for remote_id in self.hook.remote_ids]


class _Desk:
    """Stores web hooks of this process: those that arrive while one transaction runs share the next one."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._arrived: deque[_Arrival] = deque()

    def take(self, arrival: _Arrival) -> bool:
        """Wait until it is stored; whether something is to be read for it.  Raises what storing raised."""
        self._arrived.append(arrival)
        with self._turn:
            if arrival.is_news is None and arrival.error is None:
                self._store([self._arrived.popleft() for _ in range(len(self._arrived))])
        if arrival.error is not None:
            raise arrival.error
        return bool(arrival.is_news)

    def _store(self, arrivals: list[_Arrival]) -> None:
        try:
            locks.again_if_sacrificed(
                lambda: _store_hooks(arrivals),
                lambda: logger.warning("hooks_sacrificed", extra={"hooks": len(arrivals)}),
            )
        except Exception as error:  # noqa: BLE001 - whoever waits for the others' web hooks has to hear of it too
            for arrival in arrivals:
                arrival.error = error


_desk = _Desk()


def _store_hooks(arrivals: Sequence[_Arrival]) -> None:
    """Receipts and hints of several web hooks in one transaction."""
    systems = {arrival.system.pk: arrival.system for arrival in arrivals}
    receipts = {
        one.key: HookReceipt(system_id=one.key[0], delivery_id=one.key[1], received_at=one.at)
        for one in arrivals
    }
    with transaction.atomic():
        fresh = insert_new(list(receipts.values()), ("system_id", "delivery_id"))
        untold = tickets.lock_untold(_told([one for one in arrivals if one.key in fresh]))
        for system_id, system in sorted(systems.items()):
            new = [one for one in arrivals if one.key in fresh and one.system.pk == system_id]
            if not new:
                continue
            now = max(one.at for one in new)
            remote_ids = [remote_id for one_system_id, remote_id in untold if one_system_id == system_id]
            if remote_ids:
                tickets.mark_hinted(system_id, remote_ids, now)
            _note_alive(system, now)
    for one in arrivals:
        one.is_news = one.key in fresh and not untold.isdisjoint(one.tickets)
        # The same one may have come twice at the same moment.
        fresh.discard(one.key)


def _told(arrivals: Sequence[_Arrival]) -> dict[tuple[int, str], datetime | None]:
    """When what these web hooks tell of each ticket happened last."""
    times: dict[tuple[int, str], list[datetime | None]] = {}
    for one in arrivals:
        for ticket in one.tickets:
            times.setdefault(ticket, []).append(one.hook.happened_at)
    return {ticket: latest(found) for ticket, found in times.items()}


def _note_alive(system: System, now: datetime) -> None:
    if system.hooked_at is None or now - system.hooked_at > HOOK_SEEN_EVERY:
        System.objects.filter(pk=system.pk).update(hooked_at=now)
        system.hooked_at = now


def poll_due_systems(now: datetime) -> int:
    """Ask every system in use that is due what changed; returns the number of tickets to be read for it.

    What web hooks failed to tell is found here, so synchronisation is complete without them.
    """
    return sum(_poll(system, now) for system in System.objects.poll_due(now).distinct())


def forget_old_receipts(now: datetime) -> int:
    """Delete receipts nobody can need any more; returns how many."""
    deleted, _ = HookReceipt.objects.filter(received_at__lt=now - RECEIPTS_KEPT).delete()
    return deleted


def _has_been_away(system: System, now: datetime) -> bool:
    """Whether what a system names was changed while nobody asked: at the start, or after an outage."""
    rounds = timedelta(seconds=AWAY_ROUNDS * settings.SYNC_POLL_S)
    return system.polled_at is None or now - system.polled_at > rounds


def _poll(system: System, now: datetime) -> int:
    """One system: page by page, each page's cursor stored together with its hints."""
    claimed = System.objects.filter(pk=system.pk, poll_due_at=system.poll_due_at).update(
        poll_due_at=now + timedelta(seconds=settings.SYNC_POLL_S)
    )
    if not claimed:
        return 0
    named = 0
    is_backlog = _has_been_away(system, now)
    try:
        connector: Connector = open_connector_for(system)
        cursor = system.poll_cursor
        for _ in range(PAGES_A_POLL):
            changed = connector.changed_since(cursor)
            cursor = changed.cursor
            is_backlog = is_backlog or changed.has_more or len(changed.remote_ids) > MOST_LIVE
            with transaction.atomic():
                marks = {remote_id: changed.marks.get(remote_id, "") for remote_id in changed.remote_ids}
                named += tickets.note_polled(system.pk, marks, now, is_bulk=is_backlog)
                System.objects.filter(pk=system.pk).update(poll_cursor=cursor, polled_at=now)
            if not changed.has_more:
                break
        else:
            System.objects.filter(pk=system.pk).update(poll_due_at=now)
    except ConnectorError as error:
        _note(NoteSystemFailure(system.pk, error, now), now)
        return named
    if system.fail_streak:
        health.note_answer(NoteSystemAnswer(system.pk), now)
    return named


def _note(request: NoteSystemFailure, now: datetime) -> None:
    DjangoStore().carry_out([request], now)
