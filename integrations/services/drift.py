"""What people do about drift: repair it, accept it with a reason until a value changes, and take that back.

Repairs are ordinary deliveries in the ordinary lanes; nothing is ever deleted.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Q

from integrations.canonical import Comment, Person
from integrations.engine.values import stamp_from
from integrations.models import Delivery, Drift, SyncEvent, Ticket, TicketSide
from integrations.services import examination
from integrations.services.examination import attachment_from
from integrations.services.refusals import NotPossible
from integrations.store import configuration, queues, reconciling

LONGEST_REASON = 300


def open_drift(connection_ids: list[int]) -> dict[int, int]:
    """How much drift waits for a decision, by connection.  One query."""
    rows = Drift.objects.open().filter(connection__in=connection_ids).order_by().values_list("connection")
    return dict(rows.annotate(count=Count("pk")))


@transaction.atomic
def repair(drift: Drift, *, by: Any = None, now: datetime) -> bool:
    """Queue what makes both sides agree; whether it was open.

    NotPossible when it cannot be repaired by writing, or when a ticket has changed since it was compared.
    """
    drift = Drift.objects.select_for_update(of=("self",)).get(pk=drift.pk)
    if drift.state != Drift.State.OPEN:
        return False
    if not drift.can_be_repaired:
        raise NotPossible("Writing cannot mend this: somebody has to do it in the system itself.")
    source, target = (_ticket_of(drift, side_id) for side_id in (drift.source_id, drift.target_id))
    if [source.version, target.version] != drift.value.get("versions"):
        raise NotPossible("A ticket has changed since it was compared. Reconcile it again first.")
    last = Delivery.objects.filter(lane__linked_ticket=drift.linked_ticket_id, lane__target=drift.target_id)
    before = last.order_by("-number").values_list("number", flat=True).first() or 0
    if drift.reason == Drift.ReasonChoice.UNRECORDED:
        _tell(drift, source, now)
    else:
        _queue_again(drift, source, target, now)
    made = last.filter(number__gt=before).order_by("number").first()
    if made is None:
        raise NotPossible("Today's rules send nothing of it, so there is nothing to write.")
    drift.state, drift.repair, drift.decided_by, drift.decided_at = Drift.State.QUEUED, made, by, now
    drift.save(update_fields=["state", "repair", "decided_by", "decided_at"])
    return True


@transaction.atomic
def accept(drift: Drift, reason: str, *, by: Any, now: datetime) -> bool:
    """Leave it as it is until a value changes, and say why; whether it was open.  NotPossible without a reason."""
    if not reason.strip():
        raise NotPossible("Say why: whoever meets it next reads it.", field="reason")
    found = Drift.objects.open().filter(pk=drift.pk)
    said = reason.strip()[:LONGEST_REASON]
    return bool(found.update(state=Drift.State.ACCEPTED, closed_because=said, decided_by=by, decided_at=now))


def revoke(drift: Drift) -> bool:
    """Take an exception back, so that the difference counts again; whether it was accepted."""
    accepted = Drift.objects.filter(pk=drift.pk, state=Drift.State.ACCEPTED)
    return bool(accepted.update(state=Drift.State.OPEN, closed_because="", decided_by=None, decided_at=None))


def looks_like(drift: Drift) -> str:
    """What tells whether a difference is still the one that somebody looked at."""
    return hashlib.sha256(json.dumps([drift.reason, drift.expected, drift.found]).encode()).hexdigest()


def _ticket_of(drift: Drift, side_id: int) -> Ticket:
    one = TicketSide.objects.select_related("ticket__system").get(
        linked_ticket=drift.linked_ticket_id, side=side_id
    )
    assert one.ticket is not None
    return one.ticket


def _tell(drift: Drift, source: Ticket, now: datetime) -> None:
    """What no history shows becomes a change seen now: the sender's rules say what of it leaves, and to whom."""
    value = drift.value
    config = configuration.load(now)
    if "own" in value:
        is_told = reconciling.see_unrecorded(source, config, now, fields={value["own"]: value["held"]})
    elif "comment" in value:
        is_told = reconciling.see_unrecorded(source, config, now, comments=[_comment_from(value["comment"])])
    else:
        is_told = reconciling.see_unrecorded(source, config, now, files=[attachment_from(value["file"])])
    if not is_told:
        raise NotPossible("The ticket is being read at this moment. Try again.")
    _keep_comparison_fresh(drift, source)


def _keep_comparison_fresh(drift: Drift, source: Ticket) -> None:
    """What else the same comparison found may still be repaired: that the ticket was read since is our own doing."""
    before, after = source.version, Ticket.objects.values_list("version", flat=True).get(pk=source.pk)
    others = Drift.objects.select_for_update(of=("self",)).open().filter(linked_ticket=drift.linked_ticket_id)
    for other in others.exclude(pk=drift.pk).order_by("pk"):
        versions = other.value.get("versions")
        place = 0 if other.source_id == drift.source_id else 1
        if versions and versions[place] == before:
            versions[place] = after
            other.save(update_fields=["value"])


def _queue_again(drift: Drift, source: Ticket, target: Ticket, now: datetime) -> None:
    value = drift.value
    if "own" in value:
        own, into = value["own"], value["into"]
        events = SyncEvent.objects.filter(ticket=source, fields__has_key=own)
        reconciling.queue_again(
            drift.linked_ticket_id,
            drift.target_id,
            Delivery.Op.UPDATE,
            {"fields": value["released"], "changed": [own]},
            now,
            event=events.order_by("-position").first(),
            origin=f"{source.system_id}:{source.remote_id}:{drift.key}",
            stamp=queues.newer_stamp(
                now,
                source.system_id,
                stamp_from(source.winners.get(own)),
                stamp_from(target.winners.get(into)),
            ),
            outgoing_id=value["outgoing"],
        )
        return
    carried = _delivery_of(drift)
    if carried is None:
        raise NotPossible("It is not known any more what was released of it.")
    envelope = dict(carried.envelope)
    if "file" in envelope:
        # Where the file is now; addresses of files run out.
        envelope["file"] = {**envelope["file"], "locator": value["file"]["locator"]}
    reconciling.queue_again(
        drift.linked_ticket_id,
        drift.target_id,
        carried.operation,
        envelope,
        now,
        event=carried.event,
        origin=carried.origin,
        stamp=queues.newer_stamp(now, source.system_id),
        outgoing_id=carried.outgoing_id,
    )


def _delivery_of(drift: Drift) -> Delivery | None:
    """The delivery that carried this comment or file the last time."""
    rows = Delivery.objects.filter(
        Q(operation=Delivery.Op.COMMENT) | Q(operation=Delivery.Op.FILE),
        lane__linked_ticket=drift.linked_ticket_id,
        lane__target=drift.target_id,
    )
    for delivery in rows.select_related("event").order_by("-number"):
        if examination.source_of(delivery) == drift.key:
            return delivery
    return None


def _comment_from(value: dict[str, Any]) -> Comment:
    return Comment(
        id=value["id"],
        body=value["body"],
        author=Person(**value["author"]),
        is_public=value["is_public"],
        at=datetime.fromisoformat(value["at"]),
        attachments=tuple(attachment_from(one) for one in value["attachments"]),
    )
