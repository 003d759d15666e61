"""Compares both sides of a linked ticket, field by field, in the words of the data dictionary.

Reads the database only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from integrations.canonical import Value
from integrations.connectors.errors import ConnectorError
from integrations.connectors.protocol import Connector
from integrations.engine import acknowledgements
from integrations.engine.undoing import Standing
from integrations.mapping.agreement import (
    End,
    Settle,
    Verdict,
    own_field,
    own_value,
    rule_from,
    rule_to,
    verdict,
)
from integrations.mapping.plan import release, text_of
from integrations.mapping.rules import NO_RULES, RuleSet
from integrations.models import (
    Delivery,
    DictionaryField,
    LinkedTicket,
    MappingSet,
    SyncEvent,
    System,
    Ticket,
    TicketSide,
)
from integrations.services.file_comparison import FileVerdict, compare_files
from integrations.services.systems import open_connector_for
from integrations.services.undone import standing
from integrations.store.configuration import rule_set_of

# What an undoing may account for.
_APART = (Verdict.DIFFERS, Verdict.ONE_WAY)
OUTGOING, INCOMING = MappingSet.Direction.OUTGOING, MappingSet.Direction.INCOMING


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field of the data dictionary on both sides, in each side's own words.

    `agreed` is what the side says that raised the ticket, in the words of the data dictionary; the other side where it
    says nothing.  `is_under_way`: a change of it waits to be delivered.
    """

    name: str
    label: str
    left: str
    right: str
    agreed: str
    verdict: Verdict
    is_under_way: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How many comments (internal ones apart) and files a side has, as far as its history was read."""

    public_comments: int = 0
    internal_comments: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides of a linked ticket beside each other.  `files` counts the files released to the other side by verdict."""

    left: TicketSide
    right: TicketSide
    rows: tuple[FieldRow, ...]
    left_counts: Counts
    right_counts: Counts
    files: Mapping[FileVerdict, int]

    @property
    def filled(self) -> tuple[FieldRow, ...]:
        """The fields that one of the sides has a value for."""
        return tuple(row for row in self.rows if row.left or row.right)

    @property
    def differing(self) -> int:
        """How many fields and files differ although rules should keep them in step."""
        fields = sum(row.verdict is Verdict.DIFFERS for row in self.rows)
        return fields + self.files.get(FileVerdict.DIFFERS, 0)


def as_written(system_id: int, field: str, value: Value) -> Value:
    """The settle function where no system can be asked: it will hold what was written."""
    return value


def compare(linked_ticket: LinkedTicket, *, settled: Settle = as_written) -> Comparison:
    """Every field of the data dictionary on both sides, with a verdict, the counts of comments and files, and how the files stand.

    `settled` tells what a system makes of a value that is written to it, so that a text it cuts or trims is not called
    different.  Ten queries, and some more where something was undone; changes nothing.
    """
    sides = {one.side.position: one for one in _sides(linked_ticket)}
    left, right = sides["left"], sides["right"]
    rules = _published([left.side_id, right.side_id])
    left_end, right_end = _end(left, rules), _end(right, rules)
    speakers = (right_end, left_end) if linked_ticket.origin_id == right.side_id else (left_end, right_end)
    under_way = _under_way(linked_ticket)
    undone = standing(linked_ticket, [left, right])

    def judged(name: str) -> Verdict:
        found = verdict(name, left_end, right_end, settled)
        is_undone = _is_undone(name, left_end, right_end, undone[right.side_id]) or _is_undone(
            name, right_end, left_end, undone[left.side_id]
        )
        return Verdict.UNDONE if is_undone and found in _APART else found

    dictionary = DictionaryField.objects.filter(connection=linked_ticket.connection_id)
    counts = _counts([one.ticket_id for one in (left, right) if one.ticket_id])
    return Comparison(
        left,
        right,
        tuple(
            FieldRow(
                name=field.name,
                label=field.label,
                left=own_value(left_end, field.name),
                right=own_value(right_end, field.name),
                agreed=next((said for end in speakers if (said := _agreed(end, field.name))), ""),
                verdict=judged(field.name),
                is_under_way=field.name in under_way,
            )
            for field in dictionary
        ),
        counts.get(left.ticket_id or 0, Counts()),
        counts.get(right.ticket_id or 0, Counts()),
        compare_files(linked_ticket),
    )


def settled_by(systems: Iterable[System]) -> Settle:
    """The settle function of these systems' connectors; one that cannot be opened holds what is written.  No call."""
    opened: dict[int, Connector] = {}
    for system in systems:
        with suppress(ConnectorError):
            opened[system.pk] = open_connector_for(system)

    def settled(system_id: int, field: str, value: Value) -> Value:
        connector = opened.get(system_id)
        return connector.settled(field, value) if connector else value

    return settled


def agreed_values(one: TicketSide) -> dict[str, str]:
    """What one side says of its ticket in the words of the data dictionary, as far as its rules can tell."""
    end = _end(one, _published([one.side_id]))
    return {rule.target: _agreed(end, rule.target) for rule in end.outgoing.rules}


def _sides(linked_ticket: LinkedTicket) -> Iterable[TicketSide]:
    return linked_ticket.sides.select_related("side__system__partner", "ticket")


def _published(side_ids: list[int]) -> dict[tuple[int, str], RuleSet]:
    sets = MappingSet.objects.filter(side__in=side_ids, state=MappingSet.State.PUBLISHED)
    return {
        (one.side_id, one.direction): rule_set_of(one)
        for one in sets.prefetch_related("rules__value_map__pairs")
    }


def _end(one: TicketSide, rules: Mapping[tuple[int, str], RuleSet]) -> End:
    ticket: Ticket | None = one.ticket
    return End(
        actual=ticket.actual if ticket else {},
        exists=ticket is not None and not ticket.is_gone,
        system_id=one.side.system_id,
        outgoing=rules.get((one.side_id, OUTGOING), NO_RULES),
        incoming=rules.get((one.side_id, INCOMING), NO_RULES),
    )


def _is_undone(name: str, sender: End, receiver: End, undone: Mapping[str, Standing]) -> bool:
    """Whether what the sender released was put back at the receiver, and still is."""
    into = rule_from(receiver.incoming, name)
    one = undone.get(into.target) if into else None
    return one is not None and one.covers(name, [own_field(sender, name)])


def _agreed(end: End, name: str) -> str:
    """What a side says in the words of the data dictionary; empty when it says nothing, or its rules cannot tell."""
    rule = rule_to(end.outgoing, name)
    if rule is None:
        return ""
    return text_of(release(replace(end.outgoing, rules=(rule,)), end.actual).fields.get(name))


def _under_way(linked_ticket: LinkedTicket) -> set[str]:
    """Fields of the dictionary of which a change waits in one of the lanes."""
    waiting = Delivery.objects.waiting().filter(lane__linked_ticket=linked_ticket)
    waiting = waiting.exclude(operation__in=Delivery.OF_RECEIVER)
    return {
        name for envelope in waiting.values_list("envelope", flat=True) for name in envelope.get("fields", {})
    }


def _counts(ticket_ids: Iterable[int]) -> dict[int, Counts]:
    """Counted from the changes seen.  A file that came with a comment counts as a file, a word of ours to its side alone not."""
    found: dict[int, Counts] = {}
    seen = SyncEvent.objects.filter(ticket__in=list(ticket_ids)).exclude(comments=[], attachments=[])
    seen = seen.exclude(caused_by__origin__startswith=acknowledgements.MARK)
    for ticket_id, comments, files in seen.values_list("ticket", "comments", "attachments"):
        have = found.get(ticket_id, Counts())
        public = sum(1 for comment in comments if comment.get("is_public"))
        found[ticket_id] = Counts(
            have.public_comments + public,
            have.internal_comments + len(comments) - public,
            have.files + len(files) + sum(len(comment.get("attachments", ())) for comment in comments),
        )
    return found
