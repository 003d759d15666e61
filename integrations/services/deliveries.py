"""What one delivery holds, and what it would write on the other side if it left now.  Reads the database only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from integrations.canonical import Value
from integrations.engine.wholes import losses
from integrations.mapping.agreement import Settle
from integrations.mapping.files import file_refusal
from integrations.mapping.plan import Problem, headed, heading, receive, text_of
from integrations.mapping.rules import NO_RULES
from integrations.models import Conflict, Delivery, DictionaryField, MappingSet, Side, TicketSide
from integrations.richtext import blocks
from integrations.richtext.blocks import Document
from integrations.services.timeline.changes import field_labels
from integrations.services.timeline.fates import losses_of
from integrations.store.configuration import rule_set_of


@dataclass(frozen=True, slots=True)
class Released:
    """One field that the sender's rules let go, in the words of the data dictionary."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Write:
    """One field of the receiver: what it holds now, and what it would be set to."""

    label: str
    now: str
    then: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What a delivery carries.  Only one of fields, comment and file is filled."""

    fields: tuple[Released, ...] = ()
    comment: Document | None = None
    comment_author: str = ""
    is_public: bool = True
    file_name: str = ""
    file_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What the receiver's rules of today would make of it.  `problem` is set where they cannot tell.

    `stand_in` says why a note goes in the place of a file.  `lost` tells what the texts lose, or have lost, on the way;
    `origin` names the place where they stand as they were written.  `is_decided`: of what it carries a person has decided
    which value stands, and that goes its own way.
    """

    writes: tuple[Write, ...] = ()
    comment_heading: str = ""
    becomes_public: bool = False
    problem: Problem | None = None
    stand_in: str = ""
    lost: tuple[str, ...] = ()
    origin: str = ""
    is_decided: bool = False


def contents_of(delivery: Delivery) -> Contents:
    """What the sender released.  One query at most."""
    envelope = delivery.envelope
    if comment := envelope.get("comment"):
        body = blocks.from_value(comment.get("body"))
        return Contents(
            comment=body, comment_author=comment.get("author", ""), is_public=bool(comment.get("is_public"))
        )
    if file := envelope.get("file"):
        name, size = str(file.get("name", "")), int(file.get("size_bytes") or 0)
        return Contents(file_name=name, file_bytes=size, is_public=bool(file.get("is_public")))
    fields: Mapping[str, Value] = envelope.get("fields", {})
    if delivery.operation in Delivery.OF_RECEIVER:
        labels = field_labels(delivery.lane.system)
    else:
        dictionary = DictionaryField.objects.filter(connection=delivery.lane.connection_id)
        labels = dict(dictionary.values_list("name", "label"))
    return Contents(
        fields=tuple(Released(labels.get(name, name), text_of(value)) for name, value in fields.items())
    )


def preview(delivery: Delivery, settled: Settle) -> Preview:
    """What would be written if it left now, by the receiver's published rules and what its ticket holds.

    For a delivery that has left already: what was written, and what that replaced.  `settled` tells what the receiver's
    system makes of a value.
    """
    found = _preview(delivery, settled)
    if found.lost:
        return replace(found, origin=_origin(delivery))
    return found


def _origin(delivery: Delivery) -> str:
    """Where the text stands as it was written: the sender's system, or its ticket where that is known."""
    other = Side.objects.filter(connection=delivery.lane.connection_id).exclude(pk=delivery.lane.target_id)
    side = other.select_related("system__partner").defer("system__metadata").first()
    return f"{side.system.kind_label} of {side.system.partner}" if side else ""


def _preview(delivery: Delivery, settled: Settle) -> Preview:
    labels = field_labels(delivery.lane.system)
    if delivery.state != Delivery.State.NEW and delivery.operation == Delivery.Op.FILE:
        told = delivery.wanted.get("stand_in") or {}
        incoming = rule_set_of(delivery.incoming) if delivery.incoming else NO_RULES
        return Preview(becomes_public=incoming.comments_become_public, stand_in=told.get("message", ""))
    if delivery.state != Delivery.State.NEW:
        return Preview(
            _writes(delivery.wanted, delivery.pre_image, labels),
            becomes_public=bool(delivery.envelope.get("comment", {}).get("is_public"))
            and (rule_set_of(delivery.incoming) if delivery.incoming else NO_RULES).comments_become_public,
            lost=losses_of(delivery),
        )
    side = delivery.lane.target
    mapping_set = (
        MappingSet.objects.filter(
            side=side, direction=MappingSet.Direction.INCOMING, state=MappingSet.State.PUBLISHED
        )
        .prefetch_related("rules__value_map__pairs")
        .first()
    )
    rules = rule_set_of(mapping_set) if mapping_set else NO_RULES
    if comment := delivery.envelope.get("comment"):
        line = heading(rules.comment_heading, comment, partner=_sender(side))
        return Preview(
            comment_heading=line,
            becomes_public=bool(comment.get("is_public")) and rules.comments_become_public,
            lost=losses(
                comment.get("body"),
                lambda: settled(side.system_id, "comment", headed(comment.get("body"), line)),
            ),
        )
    if file := delivery.envelope.get("file"):
        refusal = file_refusal(rules.files, side.system.takes_files, file)
        return Preview(
            becomes_public=bool(file.get("is_public")) and rules.comments_become_public,
            stand_in=refusal.reason if refusal else "",
        )
    stands = TicketSide.objects.select_related("ticket").get(
        linked_ticket=delivery.lane.linked_ticket_id, side=side
    )
    current = stands.ticket.actual if stands.ticket else {}
    fields = delivery.envelope.get("fields", {})
    if delivery.operation in Delivery.OF_RECEIVER:
        return Preview(_writes(fields, current, labels))
    mapped = receive(rules, fields, current=current, is_new=stands.ticket is None)
    settled_elsewhere = _decided_about(delivery)
    writes = {name: value for name, value in mapped.fields.items() if name not in settled_elsewhere}
    return Preview(
        _writes(writes, current, labels),
        problem=mapped.problem,
        is_decided=bool(delivery.envelope.get("decided")),
        lost=tuple(
            f"{labels.get(name, name)}: {sentence}"
            for name, value in writes.items()
            for sentence in losses(
                value,
                lambda name=name, value=value: settled(side.system_id, name, value),  # type: ignore[misc]
            )
        ),
    )


def _decided_about(delivery: Delivery) -> set[str]:
    """Fields that this delivery does not write: somebody decides, or has decided, which of two values stands."""
    asked = Conflict.objects.open().filter(delivery=delivery).values_list("field", flat=True)
    return {*asked, *delivery.envelope.get("decided", ())}


def _writes(
    wanted: Mapping[str, Value], before: Mapping[str, Value], labels: Mapping[str, str]
) -> tuple[Write, ...]:
    return tuple(
        Write(labels.get(name, name), text_of(before.get(name)), text_of(value))
        for name, value in wanted.items()
    )


def _sender(side: Side) -> str:
    others = Side.objects.filter(connection=side.connection_id).exclude(pk=side.pk)
    return others.values_list("system__partner__name", flat=True).first() or ""
