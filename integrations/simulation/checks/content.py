"""What stands in the systems at the end: nothing lost, nothing twice, nothing private, both sides equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from integrations.canonical import Change, ChangeKind
from integrations.engine.acknowledgements import is_word
from integrations.engine.follow_ups import is_follow_up
from integrations.engine.values import Operation
from integrations.mapping.plan import receive, release
from integrations.mapping.rules import RuleSet
from integrations.simulation.checks.undoing import stands_undone
from integrations.simulation.evidence import Evidence, last_line, stands_alone
from integrations.simulation.rows import TicketRow
from integrations.simulation.systems import OUR_ACCOUNT
from integrations.simulation.vocabulary import FIELDS, PRIVATE, WORDS

# How a note in the place of a file begins.
STANDS_IN = "The file “"


def nothing_is_lost(evidence: Evidence) -> Iterator[str]:
    """I1: every ticket is linked as far as it should be, and everything people added is wherever it was shared to."""
    tables = evidence.tables
    for linked in tables.linked.values():
        view = evidence.connections[linked.connection_id]
        if len(linked.tickets) < 2 and linked.id not in evidence.excused:
            yield f"linked ticket {linked.id} of {view.left.system_id}–{view.right.system_id} has one side only"
    for linked, view, left, right in evidence.pairs():
        if linked.id in evidence.excused:
            continue
        for here, there, rules in (
            (left, right, view.left.outgoing),
            (right, left, view.right.outgoing),
        ):
            yield from _missing(evidence, here, there, rules)


def _missing(evidence: Evidence, here: TicketRow, there: TicketRow, rules: RuleSet) -> Iterator[str]:
    sources, targets = evidence.all_of(here), evidence.all_of(there)
    arrived = {last_line(comment.body) for target in targets for comment in target.comments}
    files = {file.name for target in targets for file in target.files}
    for comment in (one for source in sources for one in source.comments):
        is_shared = rules.shares_public_comments if comment.is_public else rules.shares_internal_comments
        text = last_line(comment.body)
        if text.startswith(STANDS_IN) or stands_alone(text):
            # Our own note about a file that its sender has, or about a refusal; it is for this system alone.
            continue
        if is_shared and text not in arrived:
            yield f"“{text}” of {here.system_id} never came to {there.system_id}"
    for file in (one for source in sources for one in source.files):
        stands_in = any(f"“{file.name}”" in text for text in arrived)
        if rules.shares_files and file.name not in files and not stands_in:
            yield f"file “{file.name}” of {here.system_id} never came to {there.system_id}"


def nothing_takes_effect_twice(evidence: Evidence) -> Iterator[str]:
    """I2: one ticket for a ticket, one comment for a comment, one file for a file; beyond the promise it is reported."""
    blind = _made_late_without_a_marker(evidence)
    for (place, ref), remote_ids in evidence.world.tickets.items():
        if ref in blind:
            continue
        made = evidence.world.systems[place].tickets
        remote_ids = [one for one in remote_ids if not is_follow_up(made[one].marker)]
        if len(remote_ids) > 1 and not _came_too_late(evidence, place, remote_ids):
            yield f"matter {ref} has {len(remote_ids)} tickets in system {place}"
    too_late = [one.change for one in evidence.journal.happened if one.sent and one.sent.is_too_late]
    late = {comment.id for change in too_late for comment in change.comments}
    late |= {file.id for change in too_late for file in change.attachments}
    for place, system in enumerate(evidence.world.systems):
        for ticket in system.tickets.values():
            parts = [(one.id, last_line(one.body)) for one in ticket.comments]
            parts += [(file.id, f"file {file.name}") for file in ticket.files]
            counts = Counter(text for id_, text in parts if id_ not in late)
            for text, count in counts.items():
                if count > 1:
                    yield f"“{text}” stands {count} times in system {place}"


def _made_late_without_a_marker(evidence: Evidence) -> set[str]:
    """Matters of tickets made too late where not even a new ticket shows its marker.

    There it cannot be told from one that an automation made under our account.  Each of the four products shows it.
    """
    made = {
        (one.place, one.remote_id)
        for one in evidence.journal.happened
        if one.sent
        and one.sent.is_too_late
        and one.change.kind is ChangeKind.CREATED
        and not one.change.marker
    }
    return {
        ref
        for (place, ref), remote_ids in evidence.world.tickets.items()
        if any((place, remote_id) in made for remote_id in remote_ids)
    }


def a_second_ticket_is_told(evidence: Evidence) -> Iterator[str]:
    """I2, beyond the promise: what a late create made, or one it forestalled, is known as that and linked nowhere."""
    tickets = evidence.tables.tickets.values()
    rows = {(evidence.place_of(row), row.remote_id): row for row in tickets}
    made = {(row.system_id, row.marker): row.id for row in tickets if row.marker}
    linked = {pk for one in evidence.tables.linked.values() for pk in one.tickets.values()}
    for one in evidence.journal.happened:
        change = one.change
        if change.kind is not ChangeKind.CREATED or not change.marker:
            continue
        if one.sent is None or not evidence.is_unpromised(one.sent):
            continue
        row = rows.get((one.place, one.remote_id))
        if row is None:
            yield f"ticket {one.remote_id} of system {one.place} came too late and was never seen"
        elif row.marker != change.marker and row.twin_of != made.get((row.system_id, change.marker)):
            yield f"ticket {one.remote_id} of system {one.place} came too late and is not told"
        elif row.twin_of and row.id in linked:
            yield f"ticket {one.remote_id} of system {one.place} came too late and is linked"


def a_second_effect_is_told(evidence: Evidence) -> Iterator[str]:
    """I2, beyond the promise: of comments and files that such a write left twice, all but one are known as doubles."""
    rows = {(evidence.place_of(row), row.remote_id): row for row in evidence.tables.tickets.values()}
    late = {
        (one.place, one.remote_id, name)
        for one in evidence.journal.happened
        if one.sent and evidence.is_unpromised(one.sent)
        for name in _parts(one.change)
    }
    for place, remote_id, name in sorted(late):
        row = rows[place, remote_id]
        shown = [event for event in evidence.events_of.get(row.id, ()) if name in _parts(event.change)]
        ours = [event for event in shown if event.change.actor.id == OUR_ACCOUNT]
        doubles = [event for event in ours if event.is_double]
        if len(ours) - len(doubles) > 1:
            yield f"{name} stands {len(ours)} times on {remote_id} in system {place}; {len(doubles)} are told"


def _parts(change: Change) -> list[str]:
    return [last_line(one.body) for one in change.comments] + [
        f"file {file.name}" for file in change.attachments
    ]


def _came_too_late(evidence: Evidence, place: int, remote_ids: list[str]) -> bool:
    """Whether all tickets but one were made after everything we wait for, which is promised to be reported only."""
    made_late = {
        one.remote_id
        for one in evidence.journal.happened
        if one.place == place and one.sent is not None and one.sent.is_too_late
    }
    return len(set(remote_ids) - made_late) <= 1


def both_sides_agree(evidence: Evidence) -> Iterator[str]:
    """I5: at rest each shared field of one side is what the rules make of the other's, one way or the other."""
    for linked, view, left, right in evidence.pairs():
        if linked.id in evidence.excused:
            continue
        ways = ((left, right, view.left.id, view.right.id), (right, left, view.right.id, view.left.id))
        for field in FIELDS:
            if any(_stands_undone(evidence, linked.id, ticket, field) for ticket in (left, right)):
                continue
            told = [
                _expected(evidence, field, here, there, from_side, to_side)
                for here, there, from_side, to_side in ways
            ]
            if None not in told and not any(is_equal for is_equal, _ in told if told):  # type: ignore[misc]
                yield f"{field} differs on linked ticket {linked.id}: {'; '.join(one[1] for one in told if one)}"


def _stands_undone(evidence: Evidence, linked_id: int, ticket: TicketRow, field: str) -> bool:
    words = WORDS[evidence.world.schedule.systems[evidence.place_of(ticket)].kind]
    return stands_undone(evidence, linked_id, ticket.id, words.name_of(field))


def _expected(
    evidence: Evidence, field: str, here: TicketRow, there: TicketRow, from_side: int, to_side: int
) -> tuple[bool, str] | None:
    """Whether the receiver holds what the rules make of the sender's value; None where it was not always shared."""
    versions = [one for one in evidence.journal.published if one[1] == from_side and one[2] == "outgoing"]
    if not all(any(rule.target == field for rule in one[3].rules) for one in versions):
        return None
    source, target = evidence.real(here), evidence.real(there)
    if source is None or target is None:
        return None
    own = WORDS[evidence.world.schedule.systems[evidence.place_of(here)].kind].name_of(field)
    if _may_be_ours(evidence, here, own):
        return None
    outgoing, incoming = evidence.now_of(from_side, "outgoing"), evidence.now_of(to_side, "incoming")
    told = release(outgoing, source.fields)
    name = WORDS[evidence.world.schedule.systems[evidence.place_of(there)].kind].name_of(field)
    wanted = receive(incoming, {field: told.fields.get(field)}, current={}, is_new=False)
    if _may_be_ours(evidence, there, name):
        return None
    value = evidence.world.settled(there.system_id, name, wanted.fields.get(name))
    holds = target.fields.get(name)
    return value == holds, f"{there.system_id} should hold {value!r} and holds {holds!r}"


def the_newest_value_stands(evidence: Evidence) -> Iterator[str]:
    """I5: what a person set last by the sources' own times has not been covered by something older."""
    for ticket in evidence.tables.tickets.values():
        real = evidence.real(ticket)
        if real is None or ticket.id in evidence.deleted or ticket.followed_by is not None:
            continue
        for name, winner in ticket.winners.items():
            if real.fields.get(name) != ticket.actual.get(name):
                yield f"{name} of ticket {ticket.id} is {real.fields.get(name)!r}, known as {ticket.actual.get(name)!r}"
            if name not in ticket.actual or winner.value != ticket.actual[name]:
                if not _is_excused(evidence, ticket) and not _may_be_ours(evidence, ticket, name):
                    yield f"{name} of ticket {ticket.id} should be {winner.value!r}, is {ticket.actual.get(name)!r}"
        for change in real.history:
            happened = evidence.happened_by_change[evidence.place_of(ticket), change.id]
            if happened.sent is not None or evidence.was_taken_for_ours(happened):
                continue
            at = int(change.at.timestamp() * 1000)
            for name in change.fields:
                if name in ticket.winners and ticket.winners[name].stamp.ms < at:
                    yield f"{name} of ticket {ticket.id} was set by {change.actor.name} at {at} and gave way to older"


def _may_be_ours(evidence: Evidence, ticket: TicketRow, name: str) -> bool:
    """Whether an automation under our account set the field last, and was taken for a write of ours that got lost.

    Nothing in such a history tells the two apart; the reconciliation finds what was taken for the other.
    """
    place = evidence.place_of(ticket)
    changes = [change for change in evidence.events_of.get(ticket.id, []) if name in change.change.fields]
    if not changes:
        return False
    return evidence.was_taken_for_ours(evidence.happened_by_change[place, changes[-1].change.id])


def _is_excused(evidence: Evidence, ticket: TicketRow) -> bool:
    return any(
        ticket.id in evidence.tables.linked[linked_id].tickets.values() for linked_id in evidence.excused
    )


def what_is_private_stays(evidence: Evidence) -> Iterator[str]:
    """I6: nothing that the sender's rules do not release is in any delivery, any call or any other system."""
    for sent in evidence.journal.calls:
        if sent.is_write and PRIVATE in (text := repr(sent.call)) and "canary" in text:
            if not _only_as_present(sent.call):
                yield f"a call to {sent.place} holds private text"
    for row in evidence.tables.deliveries.values():
        if "canary" in repr(row.envelope) or "canary" in repr(row.wanted):
            yield f"delivery {row.id} holds private text"
        rules = evidence.sender(evidence.lane_of(row)).outgoing
        if row.operation is Operation.COMMENT:
            comment = row.envelope["comment"]
            is_shared = comment["is_public"] or rules.shares_internal_comments
            if not is_shared and not is_word(row.origin):
                yield f"delivery {row.id} carries an internal comment that is not shared"
        if row.operation is Operation.FILE and not rules.shares_files:
            yield f"delivery {row.id} carries a file that is not shared"
    for place, system in enumerate(evidence.world.systems):
        for ticket in system.tickets.values():
            for comment in ticket.comments:
                text = last_line(comment.body)
                if text.startswith("internal") and comment.is_public:
                    yield f"the internal “{text}” is public in system {place}"
                if "canary" in text:
                    yield f"private text stands in a comment in system {place}"
            foreign = [
                name
                for change in ticket.history
                if change.actor.id == OUR_ACCOUNT
                for name, value in change.fields.items()
                if "canary" in str(value)
            ]
            if foreign:
                yield f"private text of another system stands in {foreign} in system {place}"


def _only_as_present(call: object) -> bool:
    """Whether private text is only in what the receiver itself holds, which a call names for the connector's sake."""
    return "canary" not in repr(getattr(call, "fields", "")) + repr(getattr(call, "draft", ""))
