"""What a project's process says, read when it is first needed and believed for an hour.  Thread-safe."""

from __future__ import annotations

from collections.abc import Callable

from integrations.connectors.azure_devops import client
from integrations.connectors.azure_devops.catalogue import first_reasons
from integrations.connectors.azure_devops.client import Project
from integrations.connectors.azure_devops.process import Process, TicketType, read_field_types, read_types
from integrations.connectors.recall import Recall

HOUR_S = 3600.0
_ONLY = ""


class Knowledge:
    """The process of one project.  Two threads that ask at once both ask Azure DevOps; neither waits for the other."""

    def __init__(self, project: Project, clock: Callable[[], float]) -> None:
        self._project = project
        self._process: Recall[str, Process] = Recall(1, HOUR_S, clock)
        self._reasons: Recall[str, dict[str, str]] = Recall(50, HOUR_S, clock)

    def process(self) -> Process:
        """The types and fields; two calls once an hour."""
        return self._process.get(_ONLY) or self.refresh()

    def known(self) -> Process:
        """What is known already, without a call."""
        return self._process.get(_ONLY) or Process()

    def refresh(self) -> Process:
        """The types and fields as they are now."""
        types = read_types(client.types(self._project))
        process = Process(types, read_field_types(client.fields(self._project)))
        self._process.put(_ONLY, process)
        return process

    def reasons(self, ticket_type: TicketType) -> dict[str, str]:
        """The values to fill in for reasons that a step demands; one call for a type once an hour."""
        found = self._reasons.get(ticket_type.name)
        if found is None:
            found = first_reasons(client.type_fields(self._project, ticket_type.name), ticket_type)
            self._reasons.put(ticket_type.name, found)
        return found
