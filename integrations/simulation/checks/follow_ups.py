"""Follow-ups: what a closed ticket takes no more goes on in exactly one other, for everybody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from integrations.engine.follow_ups import is_follow_up
from integrations.simulation.evidence import Evidence, last_line


def a_closed_ticket_has_one_follow_up(evidence: Evidence) -> Iterator[str]:
    """I2: one ticket goes on from a closed one, and nothing is said in both."""
    for place, system in enumerate(evidence.world.systems):
        made = Counter(one.marker for one in system.tickets.values() if is_follow_up(one.marker))
        for marker, count in made.items():
            if count > 1:
                yield f"{count} tickets of system {place} go on from the same one, as {marker}"
    for ticket in evidence.tables.tickets.values():
        if ticket.followed_by is None:
            chain = evidence.all_of(ticket)
            said = Counter(last_line(one.body) for real in chain for one in real.comments)
            said += Counter(f"file {one.name}" for real in chain for one in real.files)
            for text, count in said.items():
                if len(chain) > 1 and count > 1:
                    yield f"“{text}” stands {count} times on ticket {ticket.id} and those before it"


def all_go_over_to_it(evidence: Evidence) -> Iterator[str]:
    """I2: no connection stays with a closed ticket that another one goes on from."""
    for linked in evidence.tables.linked.values():
        for pk in linked.tickets.values():
            if evidence.tables.tickets[pk].followed_by is not None:
                yield f"linked ticket {linked.id} stands on ticket {pk}, from which another one goes on"
