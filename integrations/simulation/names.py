"""Names for traces: keys and markers by the order in which they first appear, so that two stores can be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from integrations.connectors.errors import ConnectorError
from integrations.mapping.rules import RuleSet
from integrations.simulation.clock import milliseconds

# Fields that hold a key of the store, and the table it belongs to.
KEYS = {
    "lane_id": "lane",
    "delivery_id": "delivery",
    "delivery_ids": "delivery",
    "ticket_id": "ticket",
    "target_id": "ticket",
    "closed_ticket_id": "ticket",
    "follows": "ticket",
    "system_id": "system",
    "source_system_id": "system",
    "incoming_id": "rules",
    "outgoing_id": "rules",
    "linked_ticket_id": "linked",
}


UNDOING = re.compile(r"undo:(\w+):(\d+):(.*)")
CONFLICT = re.compile(r"conflict:(\d+)")
FACT = re.compile(r"(\d+):(\w+:h\d+:.*)")


class Names:
    """Turns values into text that is the same whatever keys a store gave."""

    def __init__(self, *, enabled: bool) -> None:
        self.enabled = enabled
        self._known: dict[tuple[str, object], str] = {}

    def of(self, value: Any) -> str:
        """The text; empty when nobody wants a trace."""
        return self._text(value) if self.enabled else ""

    def _text(self, value: Any, name: str = "") -> str:
        if value is None or isinstance(value, bool):
            return repr(value)
        if name in KEYS and not isinstance(value, list | tuple):
            return self._key(KEYS[name], value)
        match value:
            case RuleSet():
                return f"rules {value.version} {self._key('rules', value.id)}"
            case datetime():
                return str(milliseconds(value))
            case Enum():
                return str(value.value)
            case ConnectorError():
                return f"{value.code} {value.message}"
            case str():
                return self._word(value)
            case Mapping():
                inner = (f"{key}: {self._text(value[key], str(key))}" for key in sorted(value))
                return "{" + ", ".join(inner) + "}"
            case list() | tuple():
                return "[" + ", ".join(self._text(one, name) for one in value) + "]"
        if is_dataclass(value) and not isinstance(value, type):
            kind = type(value).__name__
            # What is called "id" belongs to another table in every kind of value.
            inner = (
                f"id={self._key(kind, getattr(value, one.name))}"
                if one.name == "id"
                else f"{one.name}={self._text(getattr(value, one.name), one.name)}"
                for one in fields(value)
            )
            return f"{kind}({', '.join(inner)})"
        return repr(value)

    def _word(self, value: str) -> str:
        if value.startswith("concord-"):
            return self._key("marker", value)
        if undoing := UNDOING.match(value):
            return repr(
                f"undo:{self._key('undo', undoing[1])}:{self._key('system', int(undoing[2]))}:{undoing[3]}"
            )
        if conflict := CONFLICT.fullmatch(value):
            return repr(f"conflict:{self._key('conflict', int(conflict[1]))}")
        if fact := FACT.match(value):
            # What names a fact begins with the key of its system.
            return repr(f"{self._key('system', int(fact[1]))}:{fact[2]}")
        return repr(value)

    def _key(self, table: str, key: object) -> str:
        known = self._known
        if (table, key) not in known:
            known[table, key] = f"{table}#{sum(1 for one, _ in known if one == table) + 1}"
        return known[table, key]
