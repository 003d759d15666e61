"""What is explicitly not promised, found in a world's history by its exact circumstances and by nothing else.

Two things no engine can exclude: a system that carries a request out after everything we wait for, and an automation
that acts under our own account while a write of ours to the same field is lost.  Either ends a delivery although a
write for it is still to be carried out.  Such a write, and no other, is judged by what is promised then: that it is
recognised, told, and that everything comes to rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from integrations.simulation.journal import Happened, Journal, Sent
from integrations.simulation.systems import OUR_ACCOUNT

TOO_LATE = "carried out too late"
FORESTALLED = "forestalled by a late one"
TAKEN = "taken for an automation"


@dataclass(frozen=True, slots=True)
class Unpromised:
    """Why a write is judged by less than the whole promise, and from which moment on."""

    why: str
    since_ms: int


def found_in(journal: Journal, causes: Mapping[tuple[int, str], int | None]) -> dict[Sent, Unpromised]:
    """The writes of a world that are not covered by the promise.

    `causes` names by place and change the delivery that a change was taken for and ended by.
    """
    carried = [
        one for one in journal.calls if one.is_write and one.executed_ms is not None and one.deliveries
    ]
    late: dict[int, list[int]] = {}
    for sent in carried:
        if sent.is_too_late:
            for pk in sent.deliveries:
                late.setdefault(pk, []).append(sent.executed_ms or 0)
    taken: dict[int, list[int]] = {}
    for one in journal.happened:
        if (mistaken := _taken_for(one, causes)) is not None:
            taken.setdefault(mistaken, []).append(one.ms)
    found: dict[Sent, Unpromised] = {}
    for sent in carried:
        if sent.is_too_late:
            found[sent] = Unpromised(TOO_LATE, sent.left_ms or 0)
        elif (ms := ended_ms(sent, late)) is not None:
            found[sent] = Unpromised(FORESTALLED, ms)
        elif (ms := ended_ms(sent, taken)) is not None:
            found[sent] = Unpromised(TAKEN, ms)
    return found


def figures(found: Mapping[Sent, Unpromised]) -> Counter[str]:
    """How often each of them happened, to be told beside what was promised."""
    return Counter(f"not promised: {one.why}" for one in found.values())


def _taken_for(one: Happened, causes: Mapping[tuple[int, str], int | None]) -> int | None:
    """The delivery that an automation's change under our account was taken for."""
    if one.sent is not None or one.change.actor.id != OUR_ACCOUNT:
        return None
    return causes.get((one.place, one.change.id))


def ended_ms(sent: Sent, ended: Mapping[int, list[int]]) -> int | None:
    """When all of a write's deliveries had been ended by something else, if that was while it was under way.

    What had happened before the write's lane was claimed was there to be seen, and excuses nothing.
    """
    moments = []
    for pk in sent.deliveries:
        within = [ms for ms in ended.get(pk, ()) if sent.claimed_ms <= ms <= (sent.executed_ms or 0)]
        if not within:
            return None
        moments.append(min(within))
    return max(moments)
