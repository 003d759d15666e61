"""What a side does with its own rules: draft, change, check, publish, roll back.

Only a draft is ever changed.  Publishing retires the version before it; going back to an earlier version publishes a
copy of it, so that the numbers tell the order in which versions held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.utils.text import slugify

from integrations.canonical import StatusStep
from integrations.connectors import registry
from integrations.mapping.checks import FieldFacts, check_set
from integrations.mapping.files import PROGRAMS, FilePolicy, clashes
from integrations.mapping.plan import fields_read
from integrations.mapping.rules import ConflictPolicy, Finding, Grade, RuleSet, Transform, UpdateMode
from integrations.mapping.rules import FieldRule as Rule
from integrations.models import DictionaryField, FieldRule, MappingSet, Side, System, ValueMap, ValuePair
from integrations.services.refusals import NotPossible
from integrations.store.configuration import rule_set_of

OPTIONS = (
    "shares_public_comments",
    "shares_internal_comments",
    "shares_files",
    "comment_heading",
    "comments_become_public",
    "tells_reasons",
    "notes_refusals",
)
# Which files leave, or are taken: the parts of the rules' file policy.
FILE_OPTIONS = ("file_max_bytes", "files_only", "files_never")


# --- Reading ---


def rules_of(mapping_set: MappingSet) -> RuleSet:
    """A stored version as plain values.  Prefetch `rules__value_map__pairs`."""
    return rule_set_of(mapping_set)


def rule_of(stored: FieldRule) -> Rule:
    """One stored rule as a plain value.  Prefetch `value_map__pairs`."""
    return Rule(
        source=stored.source,
        target=stored.target,
        transform=Transform(stored.transform),
        mode=UpdateMode(stored.mode),
        argument=stored.argument,
        values={pair.source: pair.target for pair in stored.value_map.pairs.all()}
        if stored.value_map
        else {},
        conflict=ConflictPolicy(stored.conflict),
    )


def own_fields(system: System) -> dict[str, tuple[str, ...]]:
    """The system's fields with their allowed values; empty when it was never asked for them."""
    return {
        entry["name"]: tuple(entry.get("values") or ())
        for entry in system.metadata.get("fields", [])
        if entry.get("name")
    }


def field_facts(system: System) -> dict[str, FieldFacts]:
    """What is known of the system's fields; empty when it was never asked for them."""
    return {
        entry["name"]: FieldFacts(
            label=entry.get("label") or entry["name"],
            kind=entry.get("kind", ""),
            values=tuple(entry.get("values") or ()),
            max_length=entry.get("max_length", 0),
            is_writable=entry.get("is_writable", True),
            is_required=entry.get("is_required", False),
            is_create_only=entry.get("is_create_only", False),
            steps=tuple(
                StatusStep(step["from"], step["to"], tuple(step["requires"]))
                for step in entry.get("steps", ())
            ),
            steps_known=tuple(entry.get("steps_known", ())),
        )
        for entry in system.metadata.get("fields", [])
        if entry.get("name")
    }


def dictionary_of(side: Side) -> dict[str, FieldFacts]:
    """The data dictionary that the side shares, in the same form.  One query."""
    return {
        one.name: FieldFacts(one.label, one.kind, tuple(one.values), one.max_length)
        for one in DictionaryField.objects.filter(connection=side.connection_id)
    }


def check(mapping_set: MappingSet, dictionary: Mapping[str, FieldFacts] | None = None) -> list[Finding]:
    """What is wrong or worth a look in a version, worst first.  `dictionary` spares reading it again."""
    side, is_outgoing = mapping_set.side, mapping_set.direction == MappingSet.Direction.OUTGOING
    if dictionary is None:
        dictionary = dictionary_of(side)
    rules = rules_of(mapping_set)
    findings = check_set(
        rules.rules,
        own=field_facts(side.system),
        dictionary=dictionary,
        is_outgoing=is_outgoing,
        counterpart=_counterpart(mapping_set),
        kept_elsewhere=() if is_outgoing else _kept_elsewhere(side),
    )
    if is_outgoing and not rules.shares_files:
        return findings
    about_files = [
        Finding(Grade.BLOCK if blocks else Grade.LOOK, None, message)
        for blocks, message in clashes(rules.files, files_taken(side.system), is_outgoing=is_outgoing)
    ]
    return sorted([*findings, *about_files], key=lambda finding: finding.grade)


def files_taken(system: System) -> FilePolicy:
    """Which files the system itself takes: as it told us, else as systems of its kind usually do."""
    told = system.takes_files
    usual = registry.connector_class(system.kind).capabilities.max_attachment_bytes
    return replace(told, max_bytes=told.max_bytes or usual)


def _counterpart(mapping_set: MappingSet) -> tuple[Rule, ...]:
    """The published rules of the same side's other direction: all that a side may know about the way back."""
    published = (
        MappingSet.objects.filter(side=mapping_set.side_id, state=MappingSet.State.PUBLISHED)
        .exclude(direction=mapping_set.direction)
        .prefetch_related("rules__value_map__pairs")
        .first()
    )
    return rules_of(published).rules if published else ()


def _kept_elsewhere(side: Side) -> frozenset[str]:
    """The shared fields in which the other side keeps its own edit: of its rules a side learns no more than this."""
    published = (
        MappingSet.objects.filter(
            side__connection=side.connection_id,
            direction=MappingSet.Direction.INCOMING,
            state=MappingSet.State.PUBLISHED,
        )
        .exclude(side=side)
        .prefetch_related("rules__value_map__pairs")
    )
    return frozenset(
        name
        for version in published
        for rule in rules_of(version).rules
        if rule.conflict is ConflictPolicy.OWN
        for name in fields_read(rule)
    )


def files_refused_at_first(direction: str) -> list[str]:
    """What a side's first version says of files that never pass: programs are not let in unless it says otherwise."""
    return list(PROGRAMS) if direction == MappingSet.Direction.INCOMING else []


# --- Drafting ---


@transaction.atomic
def draft_rules(side: Side, direction: str) -> MappingSet:
    """The side's draft in this direction: the one there is, or a copy of the published version.  Repeatable."""
    Side.objects.select_for_update().get(pk=side.pk)
    sets = MappingSet.objects.filter(side=side, direction=direction)
    if draft := sets.filter(state=MappingSet.State.DRAFT).first():
        return draft
    return _copy(sets.filter(state=MappingSet.State.PUBLISHED).first(), side, direction)


def discard_draft(draft: MappingSet) -> None:
    """Throw a draft away; what is published goes on holding."""
    with transaction.atomic():
        _lock_draft(draft)
        draft.rules.all().delete()
        draft.delete()


def change_options(draft: MappingSet, **options: bool | str | int | list[str]) -> None:
    """Change what a draft says about comments and files; names as in OPTIONS and FILE_OPTIONS, and `note`."""
    with transaction.atomic():
        _lock_draft(draft)
        for name, value in options.items():
            if name not in (*OPTIONS, *FILE_OPTIONS, "note"):
                raise TypeError(f"A mapping set has no option {name!r}.")
            setattr(draft, name, value)
        draft.save(update_fields=list(options))


@transaction.atomic
def add_rule(draft: MappingSet, rule: Rule) -> FieldRule:
    """Add a rule at the end of a draft.  NotPossible when another rule writes the same field."""
    _lock_draft(draft)
    last = draft.rules.aggregate(last=models.Max("position"))["last"]
    return _store_rule(draft, FieldRule(mapping_set=draft, position=0 if last is None else last + 1), rule)


@transaction.atomic
def change_rule(stored: FieldRule, rule: Rule) -> FieldRule:
    """Change a rule of a draft; its value map is replaced by `rule.values`.  NotPossible as for `add_rule`."""
    _lock_draft(stored.mapping_set)
    return _store_rule(stored.mapping_set, stored, rule)


@transaction.atomic
def change_values(stored: FieldRule, values: Mapping[str, str]) -> FieldRule:
    """Replace the rows of a rule's value map; the rest of the rule stays."""
    return change_rule(stored, replace(rule_of(stored), values=values))


@transaction.atomic
def delete_rule(stored: FieldRule) -> None:
    """Take a rule out of a draft, with its value map when no other rule uses it."""
    _lock_draft(stored.mapping_set)
    value_map = stored.value_map
    stored.delete()
    _drop_unused(value_map)


@transaction.atomic
def move_rule(stored: FieldRule, *, up: bool) -> bool:
    """Move a rule one place up or down in its draft; whether it moved."""
    _lock_draft(stored.mapping_set)
    rules = list(stored.mapping_set.rules.order_by("position", "pk"))
    here = next(index for index, one in enumerate(rules) if one.pk == stored.pk)
    there = here - 1 if up else here + 1
    if not 0 <= there < len(rules):
        return False
    rules[here], rules[there] = rules[there], rules[here]
    for position, rule in enumerate(rules):
        rule.position = position
    FieldRule.objects.bulk_update(rules, ["position"])
    return True


def _lock_draft(draft: MappingSet) -> None:
    """Hold the draft against everybody else; NotPossible when it has been published or thrown away meanwhile."""
    state = MappingSet.objects.select_for_update().filter(pk=draft.pk).values_list("state", flat=True).first()
    if state is None:
        raise NotPossible("This draft has been thrown away meanwhile.")
    if state != MappingSet.State.DRAFT:
        raise NotPossible("This version has been published and is never altered. Begin a new draft.")


def _store_rule(draft: MappingSet, stored: FieldRule, rule: Rule) -> FieldRule:
    if draft.rules.filter(target=rule.target).exclude(pk=stored.pk).exists():
        raise NotPossible(f"Another rule writes “{rule.target}” already.", field="target")
    former = stored.value_map
    stored.source, stored.target = rule.source, rule.target
    stored.transform, stored.mode, stored.argument = rule.transform, rule.mode, rule.argument
    stored.conflict = rule.conflict
    stored.value_map = None
    if rule.transform is Transform.VALUE_MAP:
        is_shared = former is not None and former.rules.exclude(pk=stored.pk).exists()
        keeps = former if former is not None and not is_shared else None
        stored.value_map = keeps or ValueMap.objects.create(
            mapping_set=draft, name=_free_map_name(draft, rule.target)
        )
        _store_pairs(stored.value_map, rule.values)
    stored.save()
    if former is not None and former != stored.value_map:
        _drop_unused(former)
    return stored


def _free_map_name(draft: MappingSet, target: str) -> str:
    base = slugify(target)[:50] or "values"
    taken = set(draft.value_maps.values_list("name", flat=True))
    return next(
        name for name in (base, *(f"{base}-{number}" for number in range(2, 1000))) if name not in taken
    )


def _store_pairs(value_map: ValueMap, values: Mapping[str, str]) -> None:
    value_map.pairs.all().delete()
    ValuePair.objects.bulk_create(
        ValuePair(value_map=value_map, source=source, target=target, position=position)
        for position, (source, target) in enumerate(values.items())
    )


def _drop_unused(value_map: ValueMap | None) -> None:
    if value_map is not None and not value_map.rules.exists():
        value_map.delete()


def store_rules(mapping_set: MappingSet, rules: Sequence[Rule]) -> None:
    """Write the rules of a version that is being made, with a value map of its own for each that has one."""
    maps: dict[int, ValueMap] = {}
    names: set[str] = set()
    for position, rule in enumerate(rules):
        if rule.transform is not Transform.VALUE_MAP:
            continue
        base = slugify(rule.target)[:50] or "values"
        name = base if base not in names else f"{base}-{position}"
        names.add(name)
        maps[position] = ValueMap.objects.create(mapping_set=mapping_set, name=name)
    ValuePair.objects.bulk_create(
        ValuePair(value_map=value_map, source=source, target=target, position=place)
        for position, value_map in maps.items()
        for place, (source, target) in enumerate(rules[position].values.items())
    )
    FieldRule.objects.bulk_create(
        FieldRule(
            mapping_set=mapping_set,
            position=position,
            source=rule.source,
            target=rule.target,
            transform=rule.transform,
            mode=rule.mode,
            conflict=rule.conflict,
            argument=rule.argument,
            value_map=maps.get(position),
        )
        for position, rule in enumerate(rules)
    )


# --- Publishing ---


@transaction.atomic
def publish_mapping(draft: MappingSet, *, by: Any, now: datetime, note: str = "") -> MappingSet:
    """Let a draft hold from now on; the version before it is retired.

    NotPossible, with the findings, while a check blocks it.
    """
    Side.objects.select_for_update().get(pk=draft.side_id)
    _lock_draft(draft)
    blocking = [finding.message for finding in check(draft) if finding.grade is Grade.BLOCK]
    if blocking:
        raise NotPossible("It cannot be published yet. " + " ".join(blocking))
    return _publish(draft, by=by, now=now, note=note or draft.note)


@transaction.atomic
def roll_back_mapping(version: MappingSet, *, by: Any, now: datetime) -> MappingSet:
    """Let an earlier version hold again, as a copy with a new number; returns the copy.

    NotPossible for a draft, for the version that holds, and when a check blocks it today.
    """
    Side.objects.select_for_update().get(pk=version.side_id)
    if version.state != MappingSet.State.RETIRED:
        raise NotPossible("Only a version that held before can be brought back.")
    copy = _copy(version, version.side, version.direction)
    blocking = [finding.message for finding in check(copy) if finding.grade is Grade.BLOCK]
    if blocking:
        raise NotPossible(f"Version {version.version} no longer fits. " + " ".join(blocking))
    return _publish(copy, by=by, now=now, note=f"Version {version.version} again")


def _publish(draft: MappingSet, *, by: Any, now: datetime, note: str) -> MappingSet:
    MappingSet.objects.filter(
        side=draft.side_id, direction=draft.direction, state=MappingSet.State.PUBLISHED
    ).update(state=MappingSet.State.RETIRED)
    draft.state, draft.published_at, draft.published_by = MappingSet.State.PUBLISHED, now, by
    draft.note = note.strip()[:300]
    draft.save(update_fields=["state", "published_at", "published_by", "note"])
    return draft


def _copy(version: MappingSet | None, side: Side, direction: str) -> MappingSet:
    """A new draft with the next number and the content of `version`; empty without one."""
    latest = MappingSet.objects.filter(side=side, direction=direction).aggregate(last=models.Max("version"))
    copy = MappingSet(side=side, direction=direction, version=(latest["last"] or 0) + 1)
    copy.files_never = files_refused_at_first(direction)
    if version is not None:
        for option in (*OPTIONS, *FILE_OPTIONS):
            setattr(copy, option, getattr(version, option))
    copy.save()
    if version is not None:
        full = MappingSet.objects.prefetch_related("rules__value_map__pairs").get(pk=version.pk)
        store_rules(copy, rules_of(full).rules)
    return copy
