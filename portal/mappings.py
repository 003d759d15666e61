"""A version of a side's rules as its page shows it: rows with fields, samples and findings, drawings, checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from integrations.canonical import FieldKind
from integrations.mapping.checks import FieldFacts, passed
from integrations.mapping.diff import CONFLICT_WORDS, MODE_WORDS, TRANSFORM_WORDS
from integrations.mapping.rules import ConflictPolicy, Finding, Grade, RuleSet, Transform, UpdateMode
from integrations.mapping.rules import FieldRule as Rule
from integrations.models import FieldRule, MappingSet, SystemFinding
from integrations.services import mappings as services
from integrations.services.comparison import as_written, settled_by
from integrations.services.findings import rules_touched
from integrations.services.trials import Sample, Trial, try_rules
from portal import wires

TONES = {
    Transform.COPY: "blue",
    Transform.VALUE_MAP: "purple",
    Transform.TEMPLATE: "green",
    Transform.CONSTANT: "secondary",
    Transform.REDACT: "orange",
}
KIND_WORDS = {
    FieldKind.TEXT: "text",
    FieldKind.RICH_TEXT: "formatted text",
    FieldKind.CHOICE: "choice",
    FieldKind.STATUS: "status",
    FieldKind.LABELS: "list of labels",
    FieldKind.PERSON: "person",
    FieldKind.NUMBER: "number",
    FieldKind.DATETIME: "time",
}


@dataclass(frozen=True, slots=True)
class End:
    """One end of a rule: the field's label, its name where that says more, and what it is."""

    label: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule as a row of the page."""

    stored: FieldRule
    source: End
    target: End
    how: str
    tone: str
    detail: str
    mode: str
    conflict: str
    sample: Sample | None
    findings: Sequence[Finding]
    drawing: wires.Drawing | None
    values: Mapping[str, str]
    # What changed in the system under this rule.
    drift: Sequence[SystemFinding] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Both ends' fields by name."""

    sources: Mapping[str, FieldFacts]
    targets: Mapping[str, FieldFacts]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything on the page of one version."""

    mapping_set: MappingSet
    rules: RuleSet
    rows: Sequence[RuleRow]
    trial: Trial | None
    findings: Sequence[Finding]
    passes: Sequence[str]
    # What changed in the system and no rule answers: fields that new tickets need.
    drift: Sequence[SystemFinding] = ()

    @property
    def is_outgoing(self) -> bool:
        """Whether it says what leaves."""
        return _is_outgoing(self.mapping_set)

    @property
    def blocks(self) -> bool:
        """Whether a finding keeps it from being published."""
        return any(finding.grade is Grade.BLOCK for finding in self.findings)

    @property
    def general(self) -> Sequence[Finding]:
        """Findings about no rule in particular."""
        return [finding for finding in self.findings if finding.rule is None]


def facts_of(mapping_set: MappingSet) -> Facts:
    """The fields that the rules of this version read from and write to.  One query."""
    own = services.field_facts(mapping_set.side.system)
    shared = services.dictionary_of(mapping_set.side)
    return Facts(own, shared) if _is_outgoing(mapping_set) else Facts(shared, own)


def _is_outgoing(mapping_set: MappingSet) -> bool:
    return mapping_set.direction == MappingSet.Direction.OUTGOING


def sheet_of(mapping_set: MappingSet, *, with_trial: bool, key: str = "") -> Sheet:
    """The page of a version.  `with_trial`: beside each rule, what it makes of a real ticket.

    Prefetch `rules__value_map__pairs`.
    """
    rules, facts = services.rules_of(mapping_set), facts_of(mapping_set)
    # Only what comes in is written to the side's own system.
    is_incoming = mapping_set.direction == MappingSet.Direction.INCOMING
    settled = settled_by([mapping_set.side.system]) if with_trial and is_incoming else as_written
    trial = try_rules(mapping_set, rules, key=key, settled=settled) if with_trial else None
    findings = services.check(mapping_set, facts.targets if _is_outgoing(mapping_set) else facts.sources)
    touched = {} if mapping_set.state == MappingSet.State.RETIRED else rules_touched(mapping_set)
    rows = [
        _row(
            stored,
            rule,
            facts,
            trial.samples[number] if trial else None,
            _about(findings, number),
            touched.get(number, ()),
        )
        for number, (stored, rule) in enumerate(zip(mapping_set.rules.all(), rules.rules, strict=True))
    ]
    passes = passed(findings, rules.rules)
    return Sheet(mapping_set, rules, rows, trial, findings, passes, touched.get(None, ()))


def _about(findings: Sequence[Finding], number: int) -> list[Finding]:
    return [finding for finding in findings if finding.rule == number]


def _row(
    stored: FieldRule,
    rule: Rule,
    facts: Facts,
    sample: Sample | None,
    findings: Sequence[Finding],
    drift: Sequence[SystemFinding],
) -> RuleRow:
    source, target = facts.sources.get(rule.source), facts.targets.get(rule.target)
    is_map = rule.transform is Transform.VALUE_MAP
    return RuleRow(
        stored=stored,
        source=_end(rule.source, source),
        target=_end(rule.target, target),
        how=TRANSFORM_WORDS[rule.transform],
        tone=TONES[rule.transform],
        detail=_detail(rule, source),
        mode="" if rule.mode is UpdateMode.OVERWRITE else MODE_WORDS[rule.mode].lower(),
        conflict="" if rule.conflict is ConflictPolicy.NEWEST else CONFLICT_WORDS[rule.conflict].lower(),
        sample=sample,
        findings=findings,
        drawing=wires.draw(rule.values, source.values if source else (), target.values if target else ())
        if is_map
        else None,
        values=rule.values,
        drift=drift,
    )


def _end(name: str, facts: FieldFacts | None) -> End:
    if facts is None:
        return End(name or "–", "", "")
    kind = KIND_WORDS.get(FieldKind(facts.kind), facts.kind) if facts.kind else ""
    code = "" if facts.label.casefold().replace(" ", "") == name.casefold() else name
    return End(facts.label, code, f"{kind}, {facts.max_length}" if facts.max_length else kind)


def _detail(rule: Rule, source: FieldFacts | None) -> str:
    """What the badge leaves open: how many values are mapped, the template's or constant's text."""
    if rule.transform is Transform.VALUE_MAP:
        known = source.values if source else ()
        if not known:
            return f"{len(rule.values)} value{'' if len(rule.values) == 1 else 's'}"
        return f"{sum(value in rule.values for value in known)} of {len(known)} values"
    return f"“{rule.argument}”" if rule.argument else ""
