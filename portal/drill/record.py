"""The record of a drill: every change, when it happened, when it was applied, in which order; signed.

What counts is what both systems tell themselves: their histories are read anew through the connectors, from the
beginning.  The engine's own tables only say which two tickets belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from integrations.canonical import Change
from integrations.connectors.protocol import Connector
from integrations.mapping.agreement import Verdict
from integrations.mapping.rules import RuleSet
from integrations.models import LinkedTicket, MappingSet, Side
from integrations.services.comparison import compare, settled_by
from integrations.services.mappings import rules_of
from integrations.services.systems import open_connector_for
from integrations.signatures import Signer
from portal.drill.histories import facts_of, sights_of
from portal.drill.trace import Trace, Traced, trace
from portal.evidence import history_of
from portal.models import Drill

KIND = "outage-drill"
VERSION = 1


@dataclass(frozen=True, slots=True)
class _End:
    """One side with what it published and the connector to its system."""

    side: Side
    connector: Connector
    outgoing: RuleSet
    incoming: RuleSet

    @property
    def name(self) -> str:
        return f"{self.side.system.partner}: {self.side.system}"


def made(
    drill: Drill, origin: Side, other: Side, linked: Sequence[LinkedTicket], now: datetime
) -> dict[str, Any]:
    """The signed record of a drill whose system is back.  Calls both systems; ConnectorError as they raise it."""
    ends = [_end(origin), _end(other)]
    pages = [_ticket(one, ends) for one in linked]
    document = {
        "version": VERSION,
        "drill": str(drill),
        "connection": str(drill.connection),
        "asked_by": str(drill.asked_by or "the operator"),
        "systems": [end.name for end in ends],
        "away": next(end.name for end in ends if end.side.system_id == drill.stopped_system_id),
        "how": drill.get_how_display(),
        "times": {
            "asked": _moment(drill.asked_at),
            "away": _moment(drill.stopped_at),
            "back": _moment(drill.restored_at),
            "in_step": _moment(now),
        },
        "verdict": _verdict(drill, pages),
        "tickets": pages,
    }
    return Signer(settings.CREDENTIAL_KEYS).sign(KIND, document)


def _verdict(drill: Drill, pages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    events = [event for page in pages for event in page["events"]]
    away = [event for event in events if _while_away(drill, event)]
    counts = {name: sum(page[name] for page in pages) for name in ("lost", "doubled", "out_of_order")}
    tickets, equal = len(pages), sum(page["equal"] for page in pages)
    return {
        "tickets": tickets,
        "events": len(events),
        "while_away": len(away),
        "applied": sum(event["fate"] != "lost" for event in events),
        "equal": equal,
        **counts,
        "holds": tickets == drill.tickets == equal and bool(away) and not any(counts.values()),
    }


def _while_away(drill: Drill, event: dict[str, Any]) -> bool:
    # Some systems tell their times to the second only.
    happened, away, back = (
        text[:19] for text in (event["happened"], _moment(drill.stopped_at), _moment(drill.restored_at))
    )
    return away <= happened <= back


def _ticket(linked: LinkedTicket, ends: Sequence[_End]) -> dict[str, Any]:
    remote = dict(linked.sides.values_list("side_id", "ticket__remote_id"))
    keys = dict(linked.sides.values_list("side_id", "ticket__key"))
    histories = {end.side.pk: list(history_of(end.connector, remote[end.side.pk])) for end in ends}
    traces = [
        (sender, receiver, _traced(sender, receiver, histories)) for sender, receiver in (ends, ends[::-1])
    ]
    events = sorted(
        (_event(sender, receiver, one) for sender, receiver, found in traces for one in found.traced),
        key=lambda event: event["happened"],
    )
    compared = compare(linked, settled=settled_by(end.side.system for end in ends))
    differing = [row.label for row in compared.rows if row.verdict is Verdict.DIFFERS]
    return {
        "number": linked.number,
        "title": linked.title,
        "records": [f"{end.name}: {keys[end.side.pk] or remote[end.side.pk]}" for end in ends],
        "equal": not differing,
        "differing": differing,
        "lost": sum(found.lost for *_, found in traces),
        "doubled": sum(found.doubled for *_, found in traces),
        "out_of_order": sum(found.out_of_order for *_, found in traces),
        "events": events,
    }


def _traced(sender: _End, receiver: _End, histories: dict[int, list[Change]]) -> Trace:
    account = {end.side.pk: end.side.system.account_id for end in (sender, receiver)}
    return trace(
        facts_of(
            histories[sender.side.pk],
            account_id=account[sender.side.pk],
            outgoing=sender.outgoing,
            incoming=receiver.incoming,
            settled=receiver.connector.settled,
            names=_followed(receiver.incoming),
        ),
        sights_of(histories[receiver.side.pk], account_id=account[receiver.side.pk]),
    )


def _followed(incoming: RuleSet) -> set[str]:
    """The receiver's fields for what the traffic changes."""
    return {rule.target for rule in incoming.rules if rule.source in ("title", "priority")}


def _event(sender: _End, receiver: _End, one: Traced) -> dict[str, Any]:
    waited_s = one.waited_s
    return {
        "happened": _moment(one.fact.at),
        "who": one.fact.who,
        "in": sender.name,
        "what": one.fact.told,
        "to": receiver.name,
        "applied": _moment(one.applied_at),
        "place": one.place,
        # Two systems' clocks may differ by more than the way takes.
        "waited_s": None if waited_s is None else max(0, round(waited_s)),
        "fate": one.fate.value,
    }


def _end(side: Side) -> _End:
    published = {
        one.direction: rules_of(one)
        for one in MappingSet.objects.filter(side=side, state=MappingSet.State.PUBLISHED).prefetch_related(
            "rules__value_map__pairs"
        )
    }
    directions = MappingSet.Direction
    return _End(
        side, open_connector_for(side.system), published[directions.OUTGOING], published[directions.INCOMING]
    )


def _moment(at: datetime | None) -> str:
    """ISO 8601 in UTC, to the millisecond; empty for a moment that never came."""
    return "" if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds")
