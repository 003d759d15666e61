"""A connection as one person may see it: a card for each side, and what a template would begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from integrations.mapping import templates
from integrations.mapping.rules import FieldRule
from integrations.models import Lane, MappingSet, Side, System
from integrations.services.mappings import field_facts, own_fields
from portal.access import Someone, may


@dataclass(frozen=True, slots=True)
class SideCard:
    """One side with what the reader may know and do.  `versions` are its published rules; empty when not the
    reader's to know, and then `conditions` are empty too."""

    side: Side
    is_readable: bool
    versions: Sequence[MappingSet]
    conditions: Sequence[tuple[str, str]]
    waiting: int
    parked: int
    may_pause: bool
    may_change: bool
    may_open_system: bool


def cards_of(sides: Sequence[Side], user: Someone) -> list[SideCard]:
    """The cards of a connection's sides.  Two queries."""
    published = MappingSet.objects.filter(side__in=sides, state=MappingSet.State.PUBLISHED)
    versions: dict[int, list[MappingSet]] = {}
    for one in published.order_by("side", "-direction"):
        versions.setdefault(one.side_id, []).append(one)
    lanes = Lane.objects.filter(connection__in={side.connection_id for side in sides}, waits=True)
    counts = list(lanes.order_by().values_list("target_id", "state").annotate(count=Count("pk")))
    return [_card(side, user, versions.get(side.pk, []), counts) for side in sides]


def _card(
    side: Side, user: Someone, versions: Sequence[MappingSet], lanes: Sequence[tuple[int, str, int]]
) -> SideCard:
    partner = side.system.partner
    is_readable = may(user, "read", "mappings", partner)
    here = {state: count for target, state, count in lanes if target == side.pk}
    return SideCard(
        side=side,
        is_readable=is_readable,
        versions=versions if is_readable else (),
        conditions=_conditions(side) if is_readable else (),
        waiting=sum(here.values()),
        parked=here.get(Lane.State.PARKED, 0),
        may_pause=may(user, "write", "connections", partner),
        may_change=may(user, "write", "mappings", partner),
        may_open_system=may(user, "read", "systems", partner),
    )


def _conditions(side: Side) -> list[tuple[str, str]]:
    facts = field_facts(side.system)
    return [
        (facts[name].label if name in facts else name, " or ".join(values))
        for name, values in side.trigger.items()
    ]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a side of this system would send and take at first."""

    outgoing: Sequence[FieldRule]
    incoming: Sequence[FieldRule]
    comments_become_public: bool


def preview_of(system: System) -> Preview:
    """The rules that ship for a system's product, as they would fit this very system."""
    known = own_fields(system)
    return Preview(
        templates.outgoing_rules(system.kind, known),
        templates.incoming_rules(system.kind, known),
        templates.template_for(system.kind).comments_become_public,
    )
