"""Open connectors, one a system, kept while the system's settings stay the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from integrations.canonical import Value
from integrations.connectors.errors import ConnectorError
from integrations.connectors.gate import Gate
from integrations.connectors.protocol import Capabilities, Connector, FollowsUp
from integrations.engine.purse import Purse
from integrations.models import System, SystemSecret

# How long a system's settings are believed before they are compared again.
FRESH_FOR = timedelta(seconds=2)

Opener = Callable[[System, Gate], Connector]


class Connectors:
    """Opens connectors on demand.  `refresh` is called by the database's thread only; `get` by any."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self.purse = Purse(time.monotonic)
        self._open: dict[int, tuple[object, Connector]] = {}
        # Systems that cannot be opened, and why; nothing is claimed for them.
        self.refused: dict[int, ConnectorError] = {}
        # Systems whose last call ran out of time.
        self.silent: set[int] = set()
        self._refreshed_at: datetime | None = None
        self._lock = threading.Lock()

    def refresh(self, now: datetime) -> dict[int, ConnectorError]:
        """Open what is new and reopen what changed; the settings are read in two queries.

        Returns the systems that cannot be opened and could be before: one bad credential stops its system alone.
        """
        if self._refreshed_at and now - self._refreshed_at < FRESH_FOR:
            return {}
        refused: dict[int, ConnectorError] = {}
        secrets: dict[int, list] = {}
        for system_id, name, sealed in SystemSecret.objects.values_list("system_id", "name", "sealed"):
            secrets.setdefault(system_id, []).append((name, sealed))
        for system in System.objects.select_related("partner"):
            print_of = (system.kind, system.base_url, str(sorted(system.settings.items())))
            fingerprint = (print_of, tuple(sorted(secrets.get(system.pk, []))))
            known = self._open.get(system.pk)
            if known is None or known[0] != fingerprint:
                try:
                    connector = self._opener(system, self.purse.gate(system.pk))
                except ConnectorError as error:
                    refused[system.pk] = error
                    continue
                with self._lock:
                    self._open[system.pk] = (fingerprint, connector)
        fresh = {pk: error for pk, error in refused.items() if pk not in self.refused}
        self.refused = refused
        self._refreshed_at = now
        return fresh

    def get(self, system_id: int) -> Connector:
        """The open connector of a system."""
        with self._lock:
            return self._open[system_id][1]

    def capabilities(self, system_id: int) -> Capabilities:
        """What the system can do."""
        return self.get(system_id).capabilities

    @property
    def steps_at_once(self) -> dict[int, int]:
        """How many steps may be under way in each open system."""
        with self._lock:
            return {pk: connector.capabilities.steps_at_once for pk, (_, connector) in self._open.items()}

    def follows_up(self, system_id: int) -> bool:
        """Whether a closed ticket can be followed up by a new one there."""
        return isinstance(self.get(system_id), FollowsUp)

    def settled(self, system_id: int, field: str, value: Value) -> Value:
        """What the system will hold after this value is written."""
        return self.get(system_id).settled(field, value)
