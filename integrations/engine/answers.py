"""What a sender is told when its change comes too late: the newer value that stands at the receiver.  Pure.

Usually that value is on its way already, as news of the ticket it was set in.  Not always: in a chain of systems a
newer change can arrive in the middle as a value that stands there already.  Nothing is written then, so no history
shows it and nobody further along hears of it; a sender that holds another value would keep it for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from integrations.canonical import Value
from integrations.engine import conflicts
from integrations.engine.shares import Share
from integrations.engine.values import NO_STAMP, Answer, Operation, SideView, Stamp, TicketState, Winner
from integrations.mapping import plan as mapping


def answers_to(share: Share, target: TicketState) -> tuple[Answer, ...]:
    """The winners that overtook parts of a delivery, and texts with more in them than was sent.

    Empty when nothing newer stands there.  What is written first is told once the history shows it.

    Every answer carries a newer stamp than what it answers, so an answer to an answer ends.  May be repeated.
    """
    # Also when what was to be put back is overtaken: the other side was told of it when that was decided.
    overtaken = {name: target.winners[name] for name in share.overtaken if name in target.winners}
    if share.head.operation is Operation.REVERT:
        # What undoes a write was sent by nobody.
        overtaken = {}
    decided, newer = (
        {name: winner for name, winner in told.items() if winner.stamp > share.head.stamp}
        for told in (share.told, overtaken)
    )
    here, there = share.head.side, share.head.sender
    return (
        *winners_told(here, there, target.actual, decided, answered=share.head.stamp),
        *winners_told(here, there, target.actual, newer),
    )


def winners_told(
    side: SideView,
    other: SideView,
    actual: Mapping[str, Value],
    winners: Mapping[str, Winner],
    *,
    answered: Stamp = NO_STAMP,
) -> tuple[Answer, ...]:
    """What this side releases of these winners to the other, those of one stamp together.

    `answered` is the stamp of a change that was known when it was decided that these stand.
    """
    standing = {**actual, **{name: winner.value for name, winner in winners.items()}}
    by_stamp: dict[Stamp, list[str]] = {}
    for name, winner in winners.items():
        by_stamp.setdefault(winner.stamp, []).append(name)
    released = [(stamp, names, _released(side, standing, names)) for stamp, names in sorted(by_stamp.items())]
    return tuple(
        Answer(
            stamp=stamp,
            envelope={
                "fields": mapped.fields,
                "changed": names,
                **conflicts.seen_by_answer(side, other, mapped.fields, answered),
            },
            problem=mapped.problem.as_value() if mapped.problem else {},
            outgoing_id=side.outgoing.id,
        )
        for stamp, names, mapped in released
        if mapped.fields or mapped.problem
    )


def _released(side: SideView, fields: Mapping[str, Value], names: Sequence[str]) -> mapping.Mapped:
    return mapping.release(side.outgoing, fields, changed=names)
