"""What a judgement from outside rests on: a ticket's whole history, read anew, and values that can be compared."""

from __future__ import annotations

from collections.abc import Iterator

from integrations.canonical import Change, Value
from integrations.connectors.protocol import Connector


def history_of(connector: Connector, remote_id: str) -> Iterator[Change]:
    """Everything that happened to a ticket, oldest first, page by page.  ConnectorError as the system raises it."""
    cursor, has_more = "", True
    while has_more:
        history = connector.history(remote_id, cursor)
        cursor, has_more = history.cursor, history.has_more
        yield from history.changes


def comparable(value: Value) -> Value:
    """The value without what says nothing: lists are sets in every system we know."""
    return ", ".join(sorted(str(one) for one in value)) if isinstance(value, list) else value
