"""What a new reading of a system's fields means: findings opened, closed by themselves, acknowledged by people.

Whoever read the fields hands them in with `take_metadata`; everything else follows from the rules that hold now.  A
finding is kept only where a rule or a condition uses what changed, and closes once that is no longer so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Length

from integrations.canonical import FieldKind
from integrations.mapping import drift
from integrations.mapping.checks import FieldFacts
from integrations.mapping.drift import ChangeCode, FieldChange, Place, SideRules, Use
from integrations.mapping.rules import FieldRule as Rule
from integrations.models import (
    DictionaryField,
    FieldRule,
    LinkedTicket,
    MappingSet,
    Side,
    System,
    SystemFinding,
    TicketSide,
)
from integrations.services.mappings import field_facts, rule_of
from integrations.services.refusals import NotPossible

# How often a system is asked for its fields without anybody asking.
READ_EVERY = timedelta(days=1)
# What the data dictionary calls the field, and the words in it that mean no more work.
STATUS = "status"
OVER = ("resolved", "closed")
UNDONE = "It was undone in the system."
UNUSED = "No rule uses it any more."


@dataclass(frozen=True, slots=True)
class Touched:
    """One place that a finding touches: a rule of a published version, or (both empty) a side's condition.

    `rule` is empty with a `mapping_set` where the trouble is that no rule of it writes the field.
    """

    side: Side
    place: Place
    mapping_set: MappingSet | None = None
    rule: FieldRule | None = None


@dataclass(frozen=True, slots=True)
class _Standing:
    """One side as it stands: its published versions by direction, and its rules as plain values."""

    side: Side
    sets: Mapping[str, MappingSet]
    rules: SideRules


# --- Taking a reading ---


@transaction.atomic
def take_metadata(system: System, metadata: Mapping[str, Any], *, now: datetime) -> list[SystemFinding]:
    """Keep what the system told of its fields, and open and close findings by it; returns those that are new.

    Repeatable: the same reading again changes nothing but its date.
    """
    locked = System.objects.select_for_update().get(pk=system.pk)
    before = field_facts(locked)
    system.metadata, system.metadata_at = dict(metadata), now
    system.metadata_due_at, system.metadata_problem = now + READ_EVERY, ""
    system.save(update_fields=["metadata", "metadata_at", "metadata_due_at", "metadata_problem"])
    standing = _standing(system)
    found = []
    for change in drift.changes(before, field_facts(system)):
        if used := _uses(change, standing):
            found += _open(system, change, used, now)
    _review(system, standing, now)
    return found


def review(system: System, *, now: datetime) -> None:
    """Close what no longer holds, after rules or conditions of its sides have changed.  Repeatable."""
    if SystemFinding.objects.live().about_fields().filter(system=system).exists():
        _review(system, _standing(system), now)


def _open(system: System, change: FieldChange, used: Sequence[Use], now: datetime) -> list[SystemFinding]:
    values = {
        "label": change.label[:200],
        "after": change.after[:200],
        "grade": drift.grade_of(change, used).value,
        "message": drift.sentence(change)[:500],
    }
    finding, is_new = SystemFinding.objects.live().get_or_create(
        system=system,
        code=change.code.value,
        field=change.field[:120],
        value=change.value[:200],
        defaults={**values, "before": change.before[:200], "found_at": now},
    )
    if is_new:
        return [finding]
    # A limit that is shorter still: the same finding, said anew.
    SystemFinding.objects.filter(pk=finding.pk).update(**values)
    return []


def _review(system: System, standing: Sequence[_Standing], now: datetime) -> None:
    facts = field_facts(system)
    for finding in SystemFinding.objects.live().about_fields().filter(system=system):
        used = _uses(finding.change, standing)
        if not drift.still_holds(finding.change, facts):
            close(finding, UNDONE, now)
        elif not used:
            close(finding, UNUSED, now)
        else:
            finding.grade = drift.grade_of(finding.change, used).value
            finding.ticket_count = _tickets(finding, facts, _touched(finding.change, standing)).count()
            finding.save(update_fields=["grade", "ticket_count"])


def close(finding: SystemFinding, why: str, now: datetime) -> None:
    """It holds no longer; `why` is kept with it."""
    finding.state, finding.closed_at, finding.closed_because = SystemFinding.State.CLOSED, now, why
    finding.save(update_fields=["state", "closed_at", "closed_because"])


# --- What people do ---


@transaction.atomic
def acknowledge(finding: SystemFinding, reason: str, *, by: Any, now: datetime) -> bool:
    """Say that somebody knows and why nothing is done; whether it was open.  NotPossible without a reason."""
    if not reason.strip():
        raise NotPossible("Say why: whoever meets it next reads it.", field="reason")
    moved = SystemFinding.objects.filter(pk=finding.pk, state=SystemFinding.State.OPEN).update(
        state=SystemFinding.State.ACKNOWLEDGED,
        acknowledged_at=now,
        acknowledged_by=by,
        acknowledged_reason=reason.strip()[:300],
    )
    return bool(moved)


# --- What it touches ---


def touched_by(finding: SystemFinding) -> list[Touched]:
    """The rules and conditions that a finding touches as they stand now, side by side; none for web hooks."""
    if finding.is_about_hooks:
        return []
    return _touched(finding.change, _standing(finding.system))


def tickets_of(finding: SystemFinding, touched: Iterable[Touched] | None = None) -> QuerySet[LinkedTicket]:
    """The open linked tickets that a finding touches, the latest first.

    Those that hold the value, or a text longer than the limit; where it concerns the field as such, all of them.
    """
    if finding.is_about_hooks:
        return LinkedTicket.objects.none()
    places = touched_by(finding) if touched is None else list(touched)
    return _tickets(finding, field_facts(finding.system), places)


def rules_touched(mapping_set: MappingSet) -> dict[int | None, list[SystemFinding]]:
    """The findings that hold, by the number of the rule of this version that they touch; None: no rule's."""
    side = mapping_set.side
    live = SystemFinding.objects.live().about_fields().filter(system=side.system_id)
    found: dict[int | None, list[SystemFinding]] = {}
    if not live.exists():
        return found
    rules = _plain(mapping_set)
    is_outgoing = mapping_set.direction == MappingSet.Direction.OUTGOING
    own = SideRules(
        outgoing=rules if is_outgoing else (),
        incoming=() if is_outgoing else rules,
        opens_here=_is_opened_from_outside(side),
        shared=_shared([side.connection_id]).get(side.connection_id, {}),
    )
    for finding in live.order_by("grade", "-found_at", "pk"):
        for use in drift.uses(finding.change, own):
            if use.place.value == mapping_set.direction:
                found.setdefault(use.rule, []).append(finding)
    return found


def _uses(change: FieldChange, standing: Iterable[_Standing]) -> list[Use]:
    return [use for one in standing for use in drift.uses(change, one.rules)]


def _touched(change: FieldChange, standing: Iterable[_Standing]) -> list[Touched]:
    found = []
    for one in standing:
        for use in drift.uses(change, one.rules):
            mapping_set = one.sets.get(use.place.value)
            rules = list(mapping_set.rules.all()) if mapping_set else []
            rule = rules[use.rule] if use.rule is not None else None
            found.append(Touched(one.side, use.place, mapping_set, rule))
    return found


def _tickets(
    finding: SystemFinding, facts: Mapping[str, FieldFacts], touched: Iterable[Touched]
) -> QuerySet[LinkedTicket]:
    sides = {one.side.pk: one.side for one in touched}.values()
    if not sides:
        return LinkedTicket.objects.none()
    here = Q()
    for side in sides:
        here |= Q(pk__in=_stands_of(side, finding, facts).values("linked_ticket"))
    tickets = LinkedTicket.objects.exclude(state=LinkedTicket.State.ENDED)
    return tickets.filter(here).order_by("-updated_at", "-pk")


def _stands_of(side: Side, finding: SystemFinding, facts: Mapping[str, FieldFacts]) -> QuerySet[TicketSide]:
    """The ends of the side's open tickets that the finding touches."""
    ends = TicketSide.objects.filter(side=side).annotate(holds=_text_of(finding.field))
    if finding.code == ChangeCode.NEWLY_REQUIRED:
        # Who is there already need not be made; those on their way must be.
        return ends.filter(ticket__isnull=True)
    ends = ends.filter(Q(ticket__isnull=True) | Q(ticket__is_gone=False))
    if finding.code in (ChangeCode.VALUE_GONE, ChangeCode.VALUE_NEW):
        ends = ends.filter(holds=finding.value)
    elif finding.code == ChangeCode.STEP_GONE:
        ends = ends.filter(holds=drift.ends_of(finding.change)[0])
    elif finding.code in (ChangeCode.STATUS_UNREACHABLE, ChangeCode.STEP_DEMANDS):
        # Who is there already need not go there.
        ends = ends.filter(Q(holds__isnull=True) | ~Q(holds=finding.value))
    elif finding.code == ChangeCode.LIMIT_SHORTER and _is_plain(facts.get(finding.field)):
        ends = ends.annotate(length=Length("holds")).filter(length__gt=int(finding.after))
    over = _words_for_over(side)
    for name, values in over.items():
        ends = ends.annotate(stands=_text_of(name))
        ends = ends.filter(Q(stands__isnull=True) | ~Q(stands__in=values))
    return ends


def _text_of(name: str) -> Cast:
    """What the end's ticket holds in one field.  Cast, or its text would be compared as JSON."""
    return Cast(KeyTextTransform(name, "ticket__actual"), TextField())


def _is_plain(facts: FieldFacts | None) -> bool:
    return facts is not None and facts.kind == FieldKind.TEXT


def _words_for_over(side: Side) -> dict[str, list[str]]:
    """The side's own status field with the values that mean no more work; empty where no rule tells."""
    rules = FieldRule.objects.filter(
        mapping_set__side=side,
        mapping_set__direction=MappingSet.Direction.OUTGOING,
        mapping_set__state=MappingSet.State.PUBLISHED,
        target=STATUS,
    ).prefetch_related("value_map__pairs")
    return {
        rule.source: [own for own, shared in rule_of(rule).values.items() if shared in OVER]
        for rule in rules
        if rule.source
    }


def _standing(system: System) -> list[_Standing]:
    """The system's sides with what they do with its fields.  Five queries, however many sides."""
    sides = list(Side.objects.filter(system=system).select_related("connection", "system"))
    sets: dict[int, dict[str, MappingSet]] = {}
    published = MappingSet.objects.filter(side__in=sides, state=MappingSet.State.PUBLISHED)
    for one in published.prefetch_related("rules__value_map__pairs"):
        sets.setdefault(one.side_id, {})[one.direction] = one
    shared = _shared([side.connection_id for side in sides])
    starters = Side.objects.filter(connection=OuterRef("connection"), starts=True).exclude(pk=OuterRef("pk"))
    opened = dict(
        Side.objects.filter(system=system)
        .annotate(starter=Subquery(starters.values("pk")[:1]))
        .values_list("pk", "starter")
    )
    return [
        _Standing(
            side,
            sets.get(side.pk, {}),
            SideRules(
                outgoing=_plain(sets.get(side.pk, {}).get(MappingSet.Direction.OUTGOING)),
                incoming=_plain(sets.get(side.pk, {}).get(MappingSet.Direction.INCOMING)),
                trigger=side.trigger if side.starts else {},
                opens_here=opened.get(side.pk) is not None,
                shared=shared.get(side.connection_id, {}),
            ),
        )
        for side in sides
    ]


def _plain(mapping_set: MappingSet | None) -> list[Rule]:
    return [rule_of(rule) for rule in mapping_set.rules.all()] if mapping_set else []


def _shared(connections: Iterable[int]) -> dict[int, dict[str, Sequence[str]]]:
    found: dict[int, dict[str, Sequence[str]]] = {}
    for one in DictionaryField.objects.filter(connection__in=list(connections)):
        found.setdefault(one.connection_id, {})[one.name] = one.values
    return found


def _is_opened_from_outside(side: Side) -> bool:
    return Side.objects.filter(connection=side.connection_id, starts=True).exclude(pk=side.pk).exists()
