"""A matter between Mercuri's Zendesk and Infinity's Jira, row by row: for tests of what people see and do.

Nothing here runs the engine: a test says which changes were seen and which deliveries wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from integrations.canonical import Fields
from integrations.models import (
    Alert,
    Delivery,
    DictionaryField,
    Drift,
    Examination,
    FieldRule,
    Lane,
    LinkedTicket,
    MappingSet,
    PartnerTicket,
    Side,
    SyncEvent,
    System,
    Ticket,
    TicketSide,
    ValueMap,
    ValuePair,
)
from integrations.richtext import blocks
from integrations.watch.conditions import Subject
from tests import factories

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass(slots=True)
class Matter:
    """One linked ticket with everything around it.  `left` is Mercuri's Zendesk, `right` Infinity's Jira."""

    linked: LinkedTicket
    left: Side
    right: Side
    to_left: Lane
    to_right: Lane
    tickets: dict[int, Ticket] = field(default_factory=dict)

    @property
    def left_ticket(self) -> Ticket:
        return self.tickets[self.left.pk]

    @property
    def right_ticket(self) -> Ticket:
        return self.tickets[self.right.pk]


def connection(left: System, right: System) -> tuple[Side, Side]:
    """An active connection without rules; its left and its right side."""
    joined = factories.make_connection(left, right, template=False)
    one, other = joined.sides.select_related("system__partner", "connection").order_by("position")
    return one, other


def mercuri_and_infinity() -> tuple[Side, Side]:
    """The two sides of the connection from the contact centre to the retailer."""
    zendesk = factories.make_system(factories.mercuri(), "zendesk", name="Mercuri Zendesk")
    return connection(zendesk, factories.make_system(factories.infinity(), "jira", name="Infinity Jira"))


def matter(
    left: Side,
    right: Side,
    *,
    left_fields: Fields | None = None,
    right_fields: Fields | None = None,
    title: str = "Orders are charged twice",
    number: int = 1,
    at: datetime = NOW,
) -> Matter:
    """A linked ticket between two sides; `right_fields=None` means that its ticket is still to be made there."""
    linked = LinkedTicket.objects.create(
        connection=left.connection, title=title, origin=left, opened_at=at, updated_at=at
    )
    found = Matter(linked, left, right, _lane(linked, left, at), _lane(linked, right, at))
    for side, fields, key in (
        (left, left_fields or {}, f"#{number}"),
        (right, right_fields, f"INF-{number}"),
    ):
        ticket = None
        if fields is not None:
            ticket = Ticket.objects.create(
                system=side.system, remote_id=f"{side.pk}-{number}", key=key, title=title, actual=dict(fields)
            )
            found.tickets[side.pk] = ticket
        TicketSide.objects.create(linked_ticket=linked, side=side, ticket=ticket)
    for company in {left.system.partner_id, right.system.partner_id}:
        PartnerTicket.objects.create(partner_id=company, linked_ticket=linked, updated_at=at)
    return found


def _lane(linked: LinkedTicket, target: Side, at: datetime) -> Lane:
    return Lane.objects.create(
        linked_ticket=linked, target=target, connection=target.connection, system=target.system, next_at=at
    )


def seen(
    ticket: Ticket, *, minute: int = 0, kind: str = "updated", actor: str = "Ann Lee", **values: Any
) -> SyncEvent:
    """A change in a ticket's own history, `minute` minutes before NOW (negative) or after."""
    position = SyncEvent.objects.filter(ticket=ticket).count() + 1
    at = NOW + timedelta(minutes=minute)
    return SyncEvent.objects.create(
        ticket=ticket,
        change_id=f"c{position}",
        position=position,
        kind=kind,
        actor_id=actor.lower(),
        actor_name=actor,
        happened_at=at,
        seen_at=at + timedelta(seconds=1),
        **values,
    )


def comment(
    text: str, *, is_public: bool = True, author: str = "Ann Lee", files: Sequence[str] = ()
) -> dict[str, Any]:
    """A comment as a change holds it."""
    return {
        "id": f"k-{text[:20]}",
        "body": body(text),
        "author": {"id": author.lower(), "name": author, "email": ""},
        "is_public": is_public,
        "at": NOW.isoformat(),
        "attachments": [file(name) for name in files],
    }


def released(text: str, *, is_public: bool = True, author: str = "Ann Lee") -> dict[str, Any]:
    """The envelope of a comment on its way."""
    return {"comment": {"body": body(text), "is_public": is_public, "author": author, "at": NOW.isoformat()}}


def body(text: str) -> dict[str, Any]:
    """A text as rich text."""
    return blocks.from_plain(text).as_value()


def file(name: str) -> dict[str, Any]:
    """A file as a change holds it."""
    return {"id": name, "name": name, "content_type": "text/plain", "size_bytes": 4096, "locator": name}


def queued(
    lane: Lane, event: SyncEvent | None = None, *, operation: str = "update", **values: Any
) -> Delivery:
    """One more delivery at the end of a lane; one that is over moves the lane's head."""
    lane.refresh_from_db()
    lane.tail += 1
    delivery = Delivery.objects.create(
        lane=lane,
        number=lane.tail,
        event=event,
        operation=operation,
        marker=f"concord-{lane.pk}-{lane.tail}",
        origin=f"origin-{lane.pk}-{lane.tail}",
        stamp=[0, 0],
        **{"queued_at": event.seen_at if event else NOW, **values},
    )
    if delivery.state in ("done", "skipped", "superseded"):
        lane.head = lane.tail + 1
    lane.waits = lane.head <= lane.tail
    lane.waits_since = (lane.waits_since or delivery.queued_at) if lane.waits else None
    lane.save()
    return delivery


def arrived(
    lane: Lane, event: SyncEvent, *, operation: str = "update", after_s: int = 4, **values: Any
) -> Delivery:
    """A delivery that reached the other side."""
    done_at = event.happened_at + timedelta(seconds=after_s)
    return queued(lane, event, operation=operation, state="done", done_at=done_at, tries=1, **values)


def park(lane: Lane, code: str, message: str) -> Lane:
    """The lane waits for a person."""
    lane.refresh_from_db()
    lane.state, lane.failure_code, lane.failure_message = Lane.State.PARKED, code, message
    lane.save()
    return lane


def dictionary(side: Side, **labels: str) -> None:
    """The data dictionary by name and label, in place of the one that ships."""
    DictionaryField.objects.filter(connection=side.connection).delete()
    DictionaryField.objects.bulk_create(
        DictionaryField(connection=side.connection, name=name, label=label, position=place)
        for place, (name, label) in enumerate(labels.items())
    )


def publish(side: Side, direction: str, rules: Mapping[str, Any], **flags: Any) -> MappingSet:
    """Publish rules `{target: source}`, `{target: (source, {value: value})}` or `{target: FieldRule(...)}`."""
    MappingSet.objects.filter(side=side, direction=direction).update(state=MappingSet.State.RETIRED)
    version = MappingSet.objects.filter(side=side, direction=direction).count() + 1
    made = MappingSet.objects.create(
        side=side, direction=direction, version=version, state="published", **flags
    )
    for place, (target, how) in enumerate(rules.items()):
        rule = how if isinstance(how, FieldRule) else FieldRule()
        if isinstance(how, str):
            rule.source = how
        elif isinstance(how, tuple):
            rule.source, pairs = how
            rule.transform = FieldRule.TransformChoice.VALUE_MAP
            rule.value_map = ValueMap.objects.create(mapping_set=made, name=f"map-{target.replace('_', '-')}")
            ValuePair.objects.bulk_create(
                ValuePair(value_map=rule.value_map, source=one, target=other) for one, other in pairs.items()
            )
        rule.mapping_set, rule.target, rule.position = made, target, place
        rule.save()
    return made


def alert(system: System | None = None, *, code: str = "system_failing", **values: Any) -> Alert:
    """An open alert, about a system or about the portal itself."""
    subject = Subject(system=system.pk if system else None)
    wanted = {"severity": 2, "message": f"{system or 'Concord'} fails.", "since": NOW, "opened_at": NOW}
    return Alert.objects.create(code=code, subject=subject.key, system=system, **{**wanted, **values})


def drifted(matter: Matter, label: str, *, expected: str, found: str, **values: Any) -> Drift:
    """A comparison that found one field of Mercuri's missing at Infinity."""
    Examination.objects.update_or_create(
        linked_ticket=matter.linked,
        defaults={
            "at": NOW,
            "agrees": False,
            "body": {
                "fields": ["title"],
                "comments": 1,
                "files": 0,
                "exceptions": [
                    {"kind": "field", "key": "status", "why": "redacted", "from_left": None},
                    {"kind": "comment", "key": "k", "why": "internal", "from_left": True},
                ],
                "positions": {str(matter.left.pk): 0, str(matter.right.pk): 0},
            },
        },
    )
    given = {"kind": "field", "key": label.lower(), "reason": "not_there", "source": matter.left, **values}
    target = matter.left if given["source"] == matter.right else matter.right
    return Drift.objects.create(
        linked_ticket=matter.linked,
        connection=matter.left.connection,
        target=target,
        label=label,
        expected=expected,
        found=found,
        found_at=NOW,
        seen_at=NOW,
        **given,
    )
