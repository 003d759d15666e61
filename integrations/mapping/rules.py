"""What a side's rules are: field rules, value maps, and a rule set that holds one published version of them.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from integrations.mapping.files import ANY_FILE, FileCode, FilePolicy, FileRefusal, judge


class Transform(StrEnum):
    """What a rule does to a value on its way."""

    COPY = "copy"
    VALUE_MAP = "value_map"
    TEMPLATE = "template"
    CONSTANT = "constant"
    REDACT = "redact"


class UpdateMode(StrEnum):
    """When a value that comes in is written."""

    OVERWRITE = "overwrite"
    ONLY_IF_EMPTY = "only_if_empty"
    ONLY_IF_NEW = "only_if_new"
    APPEND = "append"


class ConflictPolicy(StrEnum):
    """Whose value stands when both sides changed a field without having seen the other's change."""

    NEWEST = "newest"
    # The receiver's own edit stands, and the sender is told so.
    OWN = "own"
    # The lane waits until somebody has decided.
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One row: `source` field, what is done, `target` field.

    Outgoing rules go from the side's own field to the data dictionary, incoming rules from the dictionary to the
    side's own field.  `argument` is a template's text (`{field}` is filled in) or a constant's value.
    `conflict` is asked of incoming rules only.
    """

    source: str
    target: str
    transform: Transform = Transform.COPY
    mode: UpdateMode = UpdateMode.OVERWRITE
    argument: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    conflict: ConflictPolicy = ConflictPolicy.NEWEST


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One published version of a side's outgoing or incoming rules.  `id` is the version's own key.

    `files` says which files leave, or are taken on arrival.  `notes_refusals` asks for an internal comment when
    the other side does not take a change; `tells_reasons` lets the other side hear what kind of reason there is here.
    """

    id: int | None
    version: int
    rules: tuple[FieldRule, ...]
    shares_public_comments: bool = True
    shares_internal_comments: bool = False
    shares_files: bool = True
    comment_heading: str = ""
    comments_become_public: bool = True
    tells_reasons: bool = False
    notes_refusals: bool = False
    files: FilePolicy = ANY_FILE

    def withholds(self, *, name: str, content_type: str = "", size_bytes: int = 0) -> FileRefusal | None:
        """Why a file does not leave by these rules; None when it does."""
        if not self.shares_files:
            return FileRefusal(FileCode.TYPE_REFUSED, "Files do not leave.")
        return judge(
            self.files, name=name, content_type=content_type, size_bytes=size_bytes, is_outgoing=True
        )


NO_RULES = RuleSet(id=None, version=0, rules=())


class Grade(StrEnum):
    """How much a finding matters."""

    BLOCK = "block"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a check noticed in a rule set, in a sentence for people."""

    grade: Grade
    rule: int | None
    message: str


def check_rules(
    rules: Sequence[FieldRule],
    *,
    own_fields: Mapping[str, Sequence[str]],
    dictionary: Mapping[str, Sequence[str]],
    is_outgoing: bool,
) -> list[Finding]:
    """Gaps and clashes in one side's rules, worst first.

    `own_fields` and `dictionary` map field names to their allowed values (empty: any).  An empty `own_fields` means
    that the system's fields are not known yet; then they are not checked.
    """
    findings = list(_clashes(rules))
    sources, targets = (own_fields, dictionary) if is_outgoing else (dictionary, own_fields)
    for number, rule in enumerate(rules):
        if rule.source and sources and rule.source not in sources:
            findings.append(Finding(Grade.BLOCK, number, f"There is no field “{rule.source}” to read from."))
        if targets and rule.target not in targets:
            findings.append(Finding(Grade.BLOCK, number, f"There is no field “{rule.target}” to write to."))
        if rule.transform is Transform.VALUE_MAP:
            findings += _value_gaps(number, rule, sources.get(rule.source, ()), targets.get(rule.target, ()))
    return sorted(
        findings, key=lambda finding: (finding.grade, finding.rule if finding.rule is not None else -1)
    )


def _clashes(rules: Sequence[FieldRule]) -> list[Finding]:
    seen: dict[str, int] = {}
    found = []
    for number, rule in enumerate(rules):
        if rule.target in seen:
            found.append(Finding(Grade.BLOCK, number, f"Two rules write “{rule.target}”."))
        seen.setdefault(rule.target, number)
    return found


def _value_gaps(
    number: int, rule: FieldRule, sources: Sequence[str], targets: Sequence[str]
) -> list[Finding]:
    missing = [value for value in sources if value not in rule.values]
    unknown = sorted({value for value in rule.values.values() if targets and value not in targets})
    found = []
    if missing:
        names = ", ".join(f"“{value}”" for value in missing)
        found.append(
            Finding(
                Grade.LOOK,
                number,
                f"“{rule.source}” may be {names}, which the value map does not know: "
                "a ticket with it waits for a person.",
            )
        )
    if unknown:
        names = ", ".join(f"“{value}”" for value in unknown)
        found.append(Finding(Grade.BLOCK, number, f"“{rule.target}” does not know {names}."))
    return found
