"""Takes a ticket to a status: straight where the workflow has a step, else over statuses known to lie between.

Costs one call when the step is known from the last reading.  A step that Jira no longer accepts is looked up once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from integrations.connectors import errors
from integrations.connectors.http import Http
from integrations.connectors.jira import changes, client, workflow
from integrations.connectors.jira.fields import jira_value
from integrations.connectors.jira.recall import Known, Recall, Workflows
from integrations.connectors.jira.workflow import Transition


@dataclass(frozen=True, slots=True)
class Route:
    """The statuses to go through, the last being the wanted one, and the steps open at the start."""

    statuses: tuple[str, ...]
    transitions: tuple[Transition, ...]
    is_remembered: bool

    def carried(self, values: Mapping[str, object]) -> dict[str, object]:
        """Which of these values go with the steps instead of with an edit.  Raises RequiredField."""
        first = workflow.step_to(self.transitions, self.statuses[0])
        if first is None:
            return {}
        if len(self.statuses) == 1:
            return workflow.screen_values(first, values)
        workflow.screen_values(first, {})
        return {name: value for name, value in values.items() if name in workflow.SCREEN_DEFAULTS}


class Journeys:
    """Moves tickets through the workflow of one site.  Thread-safe."""

    def __init__(self, http: Http, known: Recall[str, Known], workflows: Workflows) -> None:
        self._http = http
        self._known = known
        self._workflows = workflows

    def route(self, remote_id: str, present: str, wanted: str) -> Route:
        """How to get from the present status to the wanted one; at most one call.  Raises NoTransition."""
        known = self._known.get(remote_id)
        if known is not None and (not present or workflow.same_status(known.status, present)):
            if workflow.step_to(known.transitions, wanted) is not None:
                return Route((wanted,), known.transitions, is_remembered=True)
        transitions = self._open_steps(remote_id)
        if workflow.step_to(transitions, wanted) is not None:
            return Route((wanted,), transitions, is_remembered=False)
        statuses = self._way(known, present, wanted, transitions)
        if statuses is None:
            raise workflow.no_step(wanted, transitions)
        return Route(statuses, transitions, is_remembered=False)

    def _way(
        self, known: Known | None, present: str, wanted: str, transitions: tuple[Transition, ...]
    ) -> tuple[str, ...] | None:
        """A way over other statuses, if every step of it was seen on tickets of this type."""
        if known is None or not present:
            return None
        graph = {name: to for name, to in self._workflows.graph(known.issue_type).items() if name != present}
        graph[present] = frozenset(step.to_status for step in transitions)
        return workflow.way(graph, present, wanted)

    def go(self, remote_id: str, route: Route, given: Mapping[str, object], marker: str) -> None:
        """Take the steps; one call for a straight one, two for each further one.  `given` goes with the last."""
        transitions = route.transitions
        for number, status in enumerate(route.statuses, 1):
            is_last = number == len(route.statuses)
            step = workflow.step_to(transitions, status)
            if step is None:
                raise workflow.no_step(status, transitions)
            sent = (
                given if is_last and number == 1 else workflow.screen_values(step, given if is_last else {})
            )
            # Whatever comes of it, the remembered steps are those of a status that is no more.
            self._known.drop(remote_id)
            self._take(remote_id, step, sent, marker, may_look_again=route.is_remembered)
            if not is_last:
                transitions = self._open_steps(remote_id)

    def _take(
        self,
        remote_id: str,
        step: Transition,
        sent: Mapping[str, object],
        marker: str,
        *,
        may_look_again: bool,
    ) -> None:
        try:
            self._post(remote_id, step, sent, marker)
        except errors.Invalid as error:
            if error.status != 400:
                raise
            defaults = _defaults_for(error, step, sent)
            if defaults:
                self._post(remote_id, step, {**sent, **defaults}, marker)
                return
            if not may_look_again:
                raise
            transitions = self._open_steps(remote_id)
            again = workflow.step_to(transitions, step.to_status)
            if again is None:
                raise workflow.no_step(step.to_status, transitions) from error
            if again == step:
                raise
            self._post(remote_id, again, {**sent, **workflow.screen_values(again, sent)}, marker)

    def _post(self, remote_id: str, step: Transition, sent: Mapping[str, object], marker: str) -> None:
        body: dict[str, object] = {"transition": {"id": step.id}}
        if sent:
            body["fields"] = dict(sent)
        if marker:
            body["historyMetadata"] = changes.history_metadata(marker)
        client.transition_issue(self._http, remote_id, body)

    def _open_steps(self, remote_id: str) -> tuple[Transition, ...]:
        return workflow.read_transitions(client.transitions(self._http, remote_id))


def _defaults_for(error: errors.Invalid, step: Transition, sent: Mapping[str, object]) -> dict[str, object]:
    """Defaults for fields that Jira demands although their screen did not say so (a validator's demand)."""
    if not isinstance(error, errors.RequiredField):
        return {}
    found: dict[str, object] = {}
    for name in error.fields:
        one = (step.screen or {}).get(name) or workflow.ScreenField(name, is_required=True)
        default = workflow.default_for(one)
        if default is None or name in sent:
            return {}
        found[name] = jira_value(name, default)
    return found
