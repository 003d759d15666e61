"""What senders hear of changes that were not taken: each once, on their own ticket alone, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from integrations.connectors.errors import Forbidden, Invalid
from integrations.engine import effects
from integrations.engine.acknowledgements import is_word
from integrations.engine.conflicts import CODE
from integrations.engine.values import DeliveryState, Operation
from integrations.simulation.evidence import Evidence, last_line, stands_alone
from integrations.simulation.rows import DeliveryRow, TicketRow

# What the receiver's system may say here, what its rules do, and what becomes of a file that it does not take.
KINDS_OF_REASON = (
    "has no right to that there",
    "does not accept the value",
    "has no row for it",
    "such files",
)


def who_sent_it_is_told(evidence: Evidence) -> Iterator[str]:
    """I15: whoever sent what waits for a person is told so once, where they want it, and once how it ended."""
    words = Counter(row.origin for row in evidence.tables.deliveries.values() if is_word(row.origin))
    yield from (f"{origin} was queued {count} times" for origin, count in words.items() if count > 1)
    stopped = {
        one.request.delivery_id
        for one in evidence.journal.commits
        if isinstance(one.request, effects.Park) and one.result and _is_told_of(one.request)
    }
    noted = {row.id for row in evidence.tables.deliveries.values() if row.wanted.get("stand_in")}
    for row in evidence.tables.deliveries.values():
        refused, end = f"told:refused:{row.id}", f"told:end:{row.id}"
        expected: set[str] = set()
        if _may_hear(evidence, row):
            is_over = row.state not in (DeliveryState.NEW, DeliveryState.SENT)
            if row.id in stopped or (is_over and row.id in noted):
                expected.add(refused)
            if row.id in stopped and is_over:
                expected.add(end)
        told = words.keys() & {refused, end}
        if told != expected:
            yield f"of delivery {row.id} the sender was told {sorted(told)} instead of {sorted(expected)}"


def _is_told_of(request: effects.Park) -> bool:
    is_unknown = request.error is not None and request.error.outcome_unknown
    return request.code != CODE and not is_unknown


def _may_hear(evidence: Evidence, row: DeliveryRow) -> bool:
    """Whether rules that never changed in this let the sender hear of a delivery."""
    if is_word(row.origin) or row.operation in (Operation.REPAIR, Operation.REVERT):
        return False
    return evidence.now_of(evidence.sender(evidence.lane_of(row)).id, "incoming").notes_refusals


def why_is_told_by_rules_alone(evidence: Evidence) -> Iterator[str]:
    """I6: what kind of reason there was leaves the receiver only where its rules say so."""
    for row in evidence.tables.deliveries.values():
        if not _is_to_its_sender(evidence, row):
            continue
        rules = evidence.now_of(evidence.sender(evidence.lane_of(row)).id, "outgoing")
        text = last_line(row.envelope["comment"]["body"])
        told = [reason for reason in KINDS_OF_REASON if reason in text]
        if told and not rules.tells_reasons:
            yield f"delivery {row.id} tells {told}, which is the receiver's matter"


def a_word_stands_once_on_its_ticket(evidence: Evidence) -> Iterator[str]:
    """I2, I6: every word that was delivered stands once on the sender's ticket, internal, and nowhere else."""
    expected: Counter[tuple[int, int]] = Counter()
    for row in evidence.tables.deliveries.values():
        target = evidence.target(evidence.lane_of(row))
        if _is_to_its_sender(evidence, row) and row.state is DeliveryState.DONE and target is not None:
            expected[_matter(evidence, target)] += 1
    found: Counter[tuple[int, int]] = Counter()
    for ticket in evidence.tables.tickets.values():
        for real in evidence.all_of(ticket) if ticket.followed_by is None else ():
            for comment in real.comments:
                if not stands_alone(last_line(comment.body)):
                    continue
                found[_matter(evidence, ticket)] += 1
                if comment.is_public:
                    yield f"a word is public on ticket {ticket.id}"
    if found != expected:
        yield f"words stand on {dict(found)} instead of {dict(expected)}"


def _is_to_its_sender(evidence: Evidence, row: DeliveryRow) -> bool:
    if not is_word(row.origin):
        return False
    lane = evidence.lane_of(row)
    about = evidence.lane_of(evidence.tables.deliveries[int(row.origin.rsplit(":", 1)[1])])
    return about.linked_id == lane.linked_id and about.id != lane.id


def a_word_stops_no_lane(evidence: Evidence) -> Iterator[str]:
    """I12: where a sender's system does not take a word, what waits behind it goes on."""
    for one in evidence.journal.commits:
        match one.request:
            case effects.Park(delivery_id=pk, error=Invalid() | Forbidden() as error) if one.result:
                if is_word(evidence.tables.deliveries[pk].origin) and not error.outcome_unknown:
                    yield f"lane {one.request.lane_id} waits for a person because of a word"


def _matter(evidence: Evidence, ticket: TicketRow) -> tuple[int, int]:
    return evidence.place_of(ticket), ticket.id
