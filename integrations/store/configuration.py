"""Connections, sides and published rules as the engine reads them, kept in memory for a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from integrations.connectors import registry
from integrations.connectors.protocol import TicketWrites
from integrations.engine.values import ConnectionView, SideView
from integrations.mapping.files import FilePolicy
from integrations.mapping.rules import NO_RULES, ConflictPolicy, FieldRule, RuleSet, Transform, UpdateMode
from integrations.models import Connection, MappingSet, PersonPair, Side, System
from integrations.statements import Question

# How old the picture may be.  Every delivery records the version of the rules it was made with.
FRESH_FOR = timedelta(seconds=1)


@dataclass(slots=True)
class Configuration:
    """All connections with their sides and rules, and the systems' accounts."""

    connections: dict[int, ConnectionView] = field(default_factory=dict)
    by_system: dict[int, tuple[ConnectionView, ...]] = field(default_factory=dict)
    sides: dict[int, Side] = field(default_factory=dict)
    accounts: dict[int, str] = field(default_factory=dict)
    partners: dict[int, int] = field(default_factory=dict)
    ticket_writes: dict[int, TicketWrites] = field(default_factory=dict)
    failing: set[int] = field(default_factory=set)
    # By mapping set: what is published never changes, only which of them holds.
    rule_sets: dict[int, RuleSet] = field(default_factory=dict)
    loaded_at: datetime | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether it need not be loaded again yet."""
        return self.loaded_at is not None and now - self.loaded_at < FRESH_FOR


def load(now: datetime, before: Configuration | None = None) -> Configuration:
    """Read the configuration in four queries, whatever its size; three more when rules are new since `before`."""
    found = Configuration(loaded_at=now)
    for pk, kind, account_id, partner_id, fail_streak in _systems():
        connector = registry.CONNECTORS.get(kind)
        if connector and connector.capabilities.ticket_writes:
            found.ticket_writes[pk] = connector.capabilities.ticket_writes
        found.accounts[pk] = account_id
        found.partners[pk] = partner_id
        if fail_streak:
            found.failing.add(pk)
    rules = _published(found, before.rule_sets if before else {})
    people: dict[int, list[PersonPair]] = {}
    for pair_of_people in PersonPair.objects.order_by("pk"):
        people.setdefault(pair_of_people.connection_id, []).append(pair_of_people)
    sides: dict[int, list[Side]] = {}
    for side in Side.objects.select_related("system__partner", "connection"):
        found.sides[side.pk] = side
        sides.setdefault(side.connection_id, []).append(side)
    members: dict[int, list[ConnectionView]] = {}
    for pair in sides.values():
        if len(pair) != 2:
            continue
        left, right = sorted(pair, key=lambda side: side.position != Side.Position.LEFT)
        connection = left.connection
        view = ConnectionView(
            id=connection.pk,
            collects=connection.state != Connection.State.DRAFT,
            left=_side_view(left, rules, people.get(connection.pk, ())),
            right=_side_view(right, rules, people.get(connection.pk, ())),
        )
        found.connections[connection.pk] = view
        for side in pair:
            members.setdefault(side.system_id, []).append(view)
    found.by_system = {system_id: tuple(views) for system_id, views in members.items()}
    return found


def _published(found: Configuration, known: Mapping[int, RuleSet]) -> dict[tuple[int, str], RuleSet]:
    """Every published rule set by side and direction; those that are known already are not read again."""
    published = MappingSet.objects.filter(state=MappingSet.State.PUBLISHED)
    places = {pk: (side_id, direction) for pk, side_id, direction in _places()}
    found.rule_sets = {pk: known[pk] for pk in places if pk in known}
    if fresh := [pk for pk in places if pk not in known]:
        for mapping_set in published.filter(pk__in=fresh).prefetch_related("rules__value_map__pairs"):
            found.rule_sets[mapping_set.pk] = rule_set_of(mapping_set)
    return {place: found.rule_sets[pk] for pk, place in places.items() if pk in found.rule_sets}


def rule_set_of(mapping_set: MappingSet) -> RuleSet:
    """A stored mapping set as the pure value the engine works with."""
    return RuleSet(
        id=mapping_set.pk,
        version=mapping_set.version,
        rules=tuple(
            FieldRule(
                source=rule.source,
                target=rule.target,
                transform=Transform(rule.transform),
                mode=UpdateMode(rule.mode),
                argument=rule.argument,
                values={pair.source: pair.target for pair in rule.value_map.pairs.all()}
                if rule.value_map
                else {},
                conflict=ConflictPolicy(rule.conflict),
            )
            for rule in mapping_set.rules.all()
        ),
        shares_public_comments=mapping_set.shares_public_comments,
        shares_internal_comments=mapping_set.shares_internal_comments,
        shares_files=mapping_set.shares_files,
        comment_heading=mapping_set.comment_heading,
        comments_become_public=mapping_set.comments_become_public,
        tells_reasons=mapping_set.tells_reasons,
        notes_refusals=mapping_set.notes_refusals,
        files=FilePolicy(
            mapping_set.file_max_bytes, tuple(mapping_set.files_only), tuple(mapping_set.files_never)
        ),
    )


def _side_view(side: Side, rules: dict[tuple[int, str], RuleSet], people: Sequence[PersonPair]) -> SideView:
    return SideView(
        id=side.pk,
        system_id=side.system_id,
        partner_name=side.system.partner.name,
        starts=side.starts,
        trigger={name: tuple(values) for name, values in side.trigger.items()},
        outgoing=rules.get((side.pk, MappingSet.Direction.OUTGOING), NO_RULES),
        incoming=rules.get((side.pk, MappingSet.Direction.INCOMING), NO_RULES),
        person_fields=side.system.person_fields,
        takes_files=side.system.takes_files,
        people=tuple(pair.acquaintance(side.position) for pair in people),
    )


_systems = Question(
    lambda: System.objects.order_by().values_list("pk", "kind", "account_id", "partner_id", "fail_streak")
)
_places = Question(
    lambda: (
        MappingSet.objects.filter(state=MappingSet.State.PUBLISHED)
        .order_by()
        .values_list("pk", "side_id", "direction")
    )
)
