"""Carries out one remote call with the right connector, the send guard around every write."""

from __future__ import annotations

from typing import Any

from integrations.connectors import http
from integrations.connectors.errors import ConnectorError, Garbled
from integrations.connectors.protocol import Connector, FollowsUp, GuardsWrites
from integrations.engine import effects
from integrations.engine.ports import Clock
from integrations.runtime.connectors import Connectors
from integrations.runtime.files import carry


def carry_out(call: effects.Call, connectors: Connectors, clock: Clock) -> Any:
    """Do the call and return its result; raises ConnectorError and nothing else that a partner could cause.

    Runs in a thread of its own; touches no database.
    """
    connector = connectors.get(call.system_id)
    try:
        if call.send_by is None:
            return _read(call, connector)
        deadline = call.send_by
        with http.guarded(lambda: clock.now() <= deadline):
            return _write(call, connector, connectors)
    except ConnectorError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        # A partner's answer of a shape that its connector did not foresee must not stop other lanes.
        raise Garbled(
            "The system's answer could not be understood.",
            detail=repr(error)[:300],
            outcome_unknown=call.send_by is not None,
        ) from error


def _read(call: effects.Call, connector: Connector) -> Any:
    match call:
        case effects.ReadHistory():
            return connector.history(call.remote_id, call.since)
        case effects.FindTicket():
            return connector.find(call.marker)
        case _:
            raise NotImplementedError(type(call).__name__)


def _write(call: effects.Call, connector: Connector, connectors: Connectors) -> Any:
    match call:
        case effects.CreateTicket(draft=draft) if draft is not None:
            return connector.create(draft)
        case effects.FollowUp(draft=draft) if draft is not None and isinstance(connector, FollowsUp):
            return connector.follow_up(call.closed_id, draft)
        case effects.UpdateTicket(fields=fields, current=current, basis=basis) if fields is not None:
            if basis is not None and isinstance(connector, GuardsWrites):
                return connector.update_on(
                    basis, call.remote_id, fields, current=current or {}, marker=call.marker
                )
            return connector.update(call.remote_id, fields, current=current or {}, marker=call.marker)
        case effects.AddComment(draft=draft) if draft is not None:
            return connector.comment(call.remote_id, draft)
        case effects.CarryFile():
            return carry(call, connectors.get(call.source_system_id), connector)
        case _:
            raise NotImplementedError(type(call).__name__)
