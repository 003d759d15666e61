"""What people do with one linked ticket: pause it, resume it, have both systems read again."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from integrations.models import LinkedTicket
from integrations.store.tickets import note_hints


def pause_ticket(linked_ticket: LinkedTicket) -> str:
    """Let nothing of this matter travel until it is resumed; changes are still collected.  Returns what it did."""
    return _set_state(
        linked_ticket,
        LinkedTicket.State.ACTIVE,
        LinkedTicket.State.PAUSED,
        done="Paused. Changes on both sides are collected and travel when it is resumed.",
    )


def resume_ticket(linked_ticket: LinkedTicket) -> str:
    """Let a paused matter travel again, in order.  Returns what it did."""
    return _set_state(
        linked_ticket,
        LinkedTicket.State.PAUSED,
        LinkedTicket.State.ACTIVE,
        done="Resumed. What was collected is delivered now, in order.",
    )


def synchronise_now(linked_ticket: LinkedTicket, *, now: datetime) -> str:
    """Have the histories of both tickets read at once, whatever their systems told us.  Returns what it did."""
    with transaction.atomic():
        stands = linked_ticket.sides.filter(ticket__isnull=False, ticket__is_gone=False)
        read = list(stands.values_list("ticket__system", "ticket__remote_id"))
        for system_id, remote_id in read:
            note_hints(system_id, [remote_id], now)
    if not read:
        return "There is no ticket to read: it is gone on both sides."
    return (
        "Both systems are asked now."
        if len(read) == 2
        else "The one system that has the ticket is asked now."
    )


def _set_state(linked_ticket: LinkedTicket, before: str, after: str, *, done: str) -> str:
    changed = LinkedTicket.objects.filter(pk=linked_ticket.pk, state=before).update(state=after)
    if changed:
        return done
    state = LinkedTicket.State(LinkedTicket.objects.values_list("state", flat=True).get(pk=linked_ticket.pk))
    return f"Nothing to do: it is {state.label.lower()}."
