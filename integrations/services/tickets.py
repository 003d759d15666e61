"""What people do with one linked ticket: pause it, resume it, have both systems read again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from integrations.models import LinkedTicket
from integrations.store.tickets import note_hints


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an action, in a sentence for the person who asked."""

    is_done: bool
    message: str


def pause_ticket(linked_ticket: LinkedTicket) -> Answer:
    """Let nothing of this matter travel until it is resumed; changes are still collected."""
    return _set_state(
        linked_ticket,
        LinkedTicket.State.ACTIVE,
        LinkedTicket.State.PAUSED,
        done="Paused. Changes on both sides are collected and travel when it is resumed.",
    )


def resume_ticket(linked_ticket: LinkedTicket) -> Answer:
    """Let a paused matter travel again, in order."""
    return _set_state(
        linked_ticket,
        LinkedTicket.State.PAUSED,
        LinkedTicket.State.ACTIVE,
        done="Resumed. What was collected is delivered now, in order.",
    )


def synchronise_now(linked_ticket: LinkedTicket, *, now: datetime) -> Answer:
    """Have the histories of both tickets read at once, whatever their systems told us."""
    with transaction.atomic():
        stands = linked_ticket.sides.filter(ticket__isnull=False, ticket__is_gone=False)
        read = list(stands.values_list("ticket__system", "ticket__remote_id"))
        for system_id, remote_id in read:
            note_hints(system_id, [remote_id], now)
    if not read:
        return Answer(False, "There is no ticket to read: it is gone on both sides.")
    if len(read) == 1:
        return Answer(True, "The one system that has the ticket is asked now.")
    return Answer(True, "Both systems are asked now.")


def _set_state(linked_ticket: LinkedTicket, before: str, after: str, *, done: str) -> Answer:
    if LinkedTicket.objects.filter(pk=linked_ticket.pk, state=before).update(state=after):
        return Answer(True, done)
    state = LinkedTicket.State(LinkedTicket.objects.values_list("state", flat=True).get(pk=linked_ticket.pk))
    return Answer(False, f"Nothing to do: it is {state.label.lower()}.")
