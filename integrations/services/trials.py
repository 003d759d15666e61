"""What rules would make of a real ticket, without writing anything: the preview beside a draft.

Outgoing rules are tried on what the side's own ticket holds.  Incoming rules are tried on what really came in for
it, which is what the other side's rules released; the other ticket itself is never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from integrations.canonical import Value
from integrations.engine.wholes import losses
from integrations.mapping.agreement import Settle
from integrations.mapping.plan import Mapped, receive, release, text_of
from integrations.mapping.rules import FieldRule, RuleSet
from integrations.models import Delivery, LinkedTicket, MappingSet, Side, Ticket, TicketSide
from integrations.services.comparison import as_written

LONGEST_SAMPLE = 60
# So many of the latest linked tickets are looked at for one that exists on this side.
RECENT = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """What one rule makes of the ticket.  `problem` tells why it makes nothing; empty `after`: nothing to read.

    `lost` tells what of a text the side's own system would not hold.
    """

    before: str = ""
    after: str = ""
    problem: str = ""
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """The ticket that was tried, as its own people know it, and a sample for each rule in its order."""

    key: str
    title: str
    samples: tuple[Sample, ...]


def try_rules(
    mapping_set: MappingSet, rules: RuleSet, *, key: str = "", settled: Settle = as_written
) -> Trial | None:
    """Try a version on the side's latest ticket, or on the one with this key; None where there is no such ticket.

    `settled` tells what the side's system makes of a value.  Four queries at most; changes nothing.
    """
    found = _ticket(mapping_set.side, key)
    if found is None:
        return None
    ticket, fields = found.ticket, _fields(mapping_set, found)
    assert ticket is not None
    apply = _outgoing if mapping_set.direction == MappingSet.Direction.OUTGOING else _incoming
    is_incoming = mapping_set.direction == MappingSet.Direction.INCOMING

    def sample(rule: FieldRule) -> Sample:
        mapped = apply(replace(rules, rules=(rule,)), fields)
        found, value = _sample(rule, mapped, fields), mapped.fields.get(rule.target)
        if not is_incoming or mapped.problem:
            return found
        lost = losses(value, lambda: settled(mapping_set.side.system_id, rule.target, value))
        return replace(found, lost=lost)

    samples = tuple(sample(rule) for rule in rules.rules)
    return Trial(ticket.key or ticket.remote_id, ticket.title, samples)


def _ticket(side: Side, key: str) -> TicketSide | None:
    found = TicketSide.objects.filter(side=side, ticket__isnull=False).select_related("ticket")
    if key:
        return found.filter(ticket__key__iexact=key).first()
    # Along the index of the connection's linked tickets: sorting all of a side's tickets would take seconds.
    recent = LinkedTicket.objects.filter(connection=side.connection_id).order_by("-updated_at")
    keys = list(recent.values_list("pk", flat=True)[:RECENT])
    return found.filter(linked_ticket__in=keys).order_by("-linked_ticket__updated_at", "-pk").first()


def _fields(mapping_set: MappingSet, found: TicketSide) -> Mapping[str, Value]:
    ticket: Ticket | None = found.ticket
    if mapping_set.direction == MappingSet.Direction.OUTGOING:
        return ticket.actual if ticket else {}
    came_in: dict[str, Value] = {}
    lanes = Delivery.objects.filter(lane__linked_ticket=found.linked_ticket_id, lane__target=found.side_id)
    changes = lanes.exclude(operation__in=Delivery.OF_RECEIVER).order_by("number")
    for envelope in changes.values_list("envelope", flat=True):
        came_in |= envelope.get("fields", {})
    return came_in


def _outgoing(rules: RuleSet, fields: Mapping[str, Value]) -> Mapped:
    return release(rules, fields)


def _incoming(rules: RuleSet, fields: Mapping[str, Value]) -> Mapped:
    return receive(rules, fields, current={}, is_new=True)


def _sample(rule: FieldRule, mapped: Mapped, fields: Mapping[str, Value]) -> Sample:
    before = _short(text_of(fields.get(rule.source)))
    if mapped.problem:
        return Sample(before, problem=mapped.problem.message)
    if rule.target not in mapped.fields:
        return Sample(before)
    return Sample(before, _short(text_of(mapped.fields[rule.target])))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SAMPLE else f"{line[: LONGEST_SAMPLE - 1]}…"
