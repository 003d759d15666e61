"""Compares what both systems hold, as they tell it themselves, with what was played and how it should have arrived.

Nothing of this trusts the engine's own records but for the link itself: contents come from the sandboxes, histories
are read anew through the connectors from their beginning.

For each linked pair the sequence of values that a field took in Zendesk, mapped and with repeats taken together, must
be the sequence it took in Jira.  A value missing there is lost, one too many is doubled, the same values in another
order are out of order.  Jira's workflow may need a step between two statuses: such a step is neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from integrations.canonical import Change, Value
from integrations.connectors.protocol import Connector
from integrations.mapping.plan import receive, release
from integrations.mapping.rules import RuleSet
from integrations.models import Connection, MappingSet, System, TicketSide
from integrations.services.mappings import rules_of
from integrations.services.systems import open_connector_for
from portal.evidence import comparable, history_of

FIELDS = ("summary", "status", "priority", "labels")


@dataclass(slots=True)
class Verdict:
    """The counts, and the first few findings in words."""

    incidents: int = 0
    linked: int = 0
    equal: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether everything arrived, once and in order."""
        return (
            self.incidents == self.linked == self.equal
            and not self.lost
            and not self.doubled
            and not self.out_of_order
        )

    def find(self, text: str) -> None:
        """Keep a finding, while there are few."""
        if len(self.findings) < 10:
            self.findings.append(text)


@dataclass(frozen=True, slots=True)
class _Rules:
    outgoing: RuleSet
    incoming: RuleSet


def judge(
    verdict: Verdict, connection: Connection, subjects: Mapping[str, str], jira_summaries: Sequence[str]
) -> Iterator[str]:
    """Compare every incident and enter what is found into the verdict; yields each subject when it is done.

    `subjects` maps the subjects that were played to their Zendesk tickets; `jira_summaries` are all issues there are.
    """
    verdict.incidents = len(subjects)
    copies = Counter(jira_summaries)
    left = connection.sides.get(position="left")
    right = connection.sides.get(position="right")
    rules = _Rules(_published(left.pk, "outgoing"), _published(right.pk, "incoming"))
    here, there = _open(left.system), _open(right.system)
    twins = _twins(left.pk, right.pk)
    for subject, ticket_id in subjects.items():
        verdict.doubled += max(0, copies[subject] - 1)
        twin = twins.get(ticket_id)
        if twin is None:
            verdict.lost += 1
            verdict.find(f"“{subject}” has no issue in Jira.")
        else:
            verdict.linked += 1
            _compare(verdict, rules, subject, (here, ticket_id), (there, twin))
        yield subject


def _published(side_id: int, direction: str) -> RuleSet:
    return rules_of(MappingSet.objects.get(side=side_id, direction=direction, state="published"))


def _open(system: System) -> Connector:
    return open_connector_for(system)


def _twins(left_id: int, right_id: int) -> dict[str, str]:
    """Jira's issue for each Zendesk ticket, by the ids that the systems use."""
    rows = TicketSide.objects.filter(ticket__isnull=False).values_list(
        "linked_ticket_id", "side_id", "ticket__remote_id"
    )
    by_link: dict[int, dict[int, str]] = {}
    for linked_id, side_id, remote_id in rows:
        by_link.setdefault(linked_id, {})[side_id] = remote_id
    return {
        pair[left_id]: pair[right_id] for pair in by_link.values() if left_id in pair and right_id in pair
    }


def _compare(
    verdict: Verdict,
    rules: _Rules,
    subject: str,
    source: tuple[Connector, str],
    target: tuple[Connector, str],
) -> None:
    expected = _expected(rules, list(history_of(*source)), target[0])
    actual = _sequences(list(history_of(*target)))
    is_equal = True
    for name in FIELDS:
        wanted, held = expected.get(name, []), actual.get(name, [])
        missing, extra = _difference(name, wanted, held)
        verdict.lost += len(missing)
        verdict.doubled += len(extra)
        if not missing and not extra and not _is_subsequence(wanted, held):
            verdict.out_of_order += 1
            verdict.find(f"{subject}, {name}: {held} instead of {wanted}.")
        if missing or extra:
            verdict.find(f"{subject}, {name}: expected {wanted}, found {held}.")
        is_equal = is_equal and (not wanted or (bool(held) and held[-1] == wanted[-1]))
    verdict.equal += is_equal


def _expected(rules: _Rules, changes: Sequence[Change], target: Connector) -> dict[str, list[Value]]:
    """The values each of Jira's fields should have taken, in order."""
    fields: dict[str, Value] = {}
    taken: dict[str, list[Value]] = {}
    for number, change in enumerate(changes):
        fields.update(change.fields)
        released = release(rules.outgoing, fields, changed=None if number == 0 else list(change.fields))
        wanted = receive(rules.incoming, released.fields, current={}, is_new=number == 0)
        for name, value in wanted.fields.items():
            taken.setdefault(name, []).append(comparable(target.settled(name, value)))
    return {name: _collapsed(values) for name, values in taken.items()}


def _sequences(changes: Sequence[Change]) -> dict[str, list[Value]]:
    taken: dict[str, list[Value]] = {}
    for change in changes:
        for name, value in change.fields.items():
            taken.setdefault(name, []).append(comparable(value))
    return {name: _collapsed(values) for name, values in taken.items()}


def _collapsed(values: Sequence[Value]) -> list[Value]:
    return [value for value, _ in groupby(values)]


def _difference(name: str, wanted: Sequence[Value], held: Sequence[Value]) -> tuple[list[Value], list[Value]]:
    """What is missing in `held`, and what is too much."""
    missing = list((Counter(wanted) - Counter(held)).elements())
    if name != "status":
        return missing, list((Counter(held) - Counter(wanted)).elements())
    position, extra = 0, []
    for value in held:
        if position < len(wanted) and value == wanted[position]:
            position += 1
        elif position and value == wanted[position - 1]:
            # Back at a value that was reached before: it was written twice.  Anything else is the workflow's own step.
            extra.append(value)
    return missing, extra


def _is_subsequence(wanted: Sequence[Value], held: Sequence[Value]) -> bool:
    rest = iter(held)
    return all(value in rest for value in wanted)
