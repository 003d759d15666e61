"""What readings of issues told about workflows, remembered so that it need not be asked again.  Thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from integrations.connectors.jira.workflow import Graph, Transition, read_transitions


@dataclass(frozen=True, slots=True)
class Known:
    """What a reading of an issue told about its place in the workflow.

    `place` are the ids of its project and type, which Jira wants to be asked by; "" where the answer had none.
    """

    issue_type: str
    status: str
    transitions: tuple[Transition, ...]
    place: tuple[str, str] = ("", "")


def known_from(raw: Mapping[str, object]) -> Known:
    """An issue's place in the workflow, from any answer that holds its status, type and transitions."""
    fields = raw.get("fields")
    held = fields if isinstance(fields, dict) else {}
    return Known(
        _part(held.get("issuetype"), "name"),
        _part(held.get("status"), "name"),
        read_transitions(raw.get("transitions")),
        (_part(held.get("project"), "id"), _part(held.get("issuetype"), "id")),
    )


def _part(value: object, name: str) -> str:
    return str(value.get(name) or "") if isinstance(value, dict) else ""


class Workflows:
    """Which statuses lead where, by issue type: learned from every reading, and from Jira's plan.  Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # What was open to our account, what Jira says, and what others did: each is surer and newer than the next.
        self._plans: dict[str, Graph] = {}
        self._steps: dict[str, dict[str, frozenset[str]]] = {}
        self._moves: dict[str, dict[str, frozenset[str]]] = {}

    def learn(self, known: Known, moves: Iterable[tuple[str, str]]) -> None:
        """Take in the steps open from a status, and changes of status that happened."""
        with self._lock:
            # No steps at all means that our account may not take any, which says nothing about the workflow.
            if known.transitions and known.status:
                targets = frozenset(step.to_status for step in known.transitions)
                self._steps.setdefault(known.issue_type, {})[known.status] = targets
            made = self._moves.setdefault(known.issue_type, {})
            for start, end in moves:
                made[start] = made.get(start, frozenset()) | {end}

    def plan(self, issue_type: str, plan: Graph) -> None:
        """Take in a whole workflow as Jira told it."""
        with self._lock:
            self._plans[issue_type] = plan

    def graph(self, issue_type: str) -> dict[str, frozenset[str]]:
        """For each status of an issue type, the statuses it is known to lead to."""
        with self._lock:
            known = (self._moves, self._plans, self._steps)
            return {start: to for one in known for start, to in one.get(issue_type, {}).items()}
