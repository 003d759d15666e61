"""Takes a ticket to a status: straight where the workflow has a step, else over statuses known to lie between.

Costs one call when the step is known from the last reading.  What lies between is learned from the steps open on
tickets that were read.  Where that does not lead there, Jira is asked for the workflow's whole plan; it tells that to
administrators only, so that others learn from how other tickets went.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from integrations.connectors import errors
from integrations.connectors.http import Http
from integrations.connectors.jira import changes, client, polling, workflow
from integrations.connectors.jira.fields import jira_value
from integrations.connectors.jira.recall import Known, Workflows, known_from
from integrations.connectors.jira.workflow import Transition
from integrations.connectors.recall import Recall

DEMANDS = 200
DAY_S, HOUR_S = 86_400.0, 3_600.0


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a status: where the ticket is, the first step, and whether that one leads all the way.

    `step` is None when the ticket is there already.
    """

    wanted: str
    known: Known
    step: Transition | None
    is_straight: bool = True
    is_remembered: bool = False

    def carried(self, values: Mapping[str, object]) -> dict[str, object]:
        """Which of these values go with the steps instead of with an edit.  Raises RequiredField."""
        if self.step is None:
            return {}
        if self.is_straight:
            return workflow.screen_values(self.step, values)
        workflow.screen_values(self.step, {})
        return {name: value for name, value in values.items() if name in workflow.SCREEN_DEFAULTS}


class Journeys:
    """Moves tickets through the workflow of one project.  Thread-safe."""

    def __init__(
        self,
        http: Http,
        project: str,
        known: Recall[str, Known],
        workflows: Workflows,
        clock: Callable[[], float],
    ) -> None:
        self._http = http
        self._project = project
        self._known = known
        self._workflows = workflows
        # What a step was found to demand where Jira had not told its screen: then the next one costs one call again.
        self._demands: Recall[tuple[str, str], dict[str, object]] = Recall(DEMANDS, DAY_S, clock)
        # Where Jira did not show us the plan: it is asked again when the right may have been given.
        self._is_secret: Recall[tuple[str, str], bool] = Recall(DEMANDS, HOUR_S, clock)

    def route(self, remote_id: str, present: str, wanted: str) -> Route:
        """How to get from the present status to the wanted one.  Raises NoTransition.

        No call when the last reading shows a straight step, else one; two when the workflow's plan has to be read, and
        three when we may not read it and others' ways have to be looked at.
        """
        known = self._known.get(remote_id)
        if known is not None and workflow.same_status(known.status, present or known.status):
            step = workflow.step_to(known.transitions, wanted)
            if step is not None:
                return Route(wanted, known, step, is_remembered=True)
        return self._route_from(self._look(remote_id), wanted, visited=())

    def _route_from(self, known: Known, wanted: str, visited: tuple[str, ...]) -> Route:
        """The way on from what was just read, never over a status that was visited before."""
        if workflow.same_status(known.status, wanted):
            return Route(wanted, known, None)
        if step := workflow.step_to(known.transitions, wanted):
            return Route(wanted, known, step)
        way = workflow.way(self._graph(known, visited), known.status, wanted)
        for learn in () if visited else (self._learn_the_plan, self._learn_from_others):
            if way is not None:
                break
            learn(known, wanted)
            way = workflow.way(self._graph(known, visited), known.status, wanted)
        step = workflow.step_to(known.transitions, way[0]) if way else None
        if step is None:
            raise workflow.no_step(wanted, known.transitions)
        return Route(wanted, known, step, is_straight=False)

    def _graph(self, known: Known, visited: tuple[str, ...]) -> dict[str, frozenset[str]]:
        graph = self._workflows.graph(known.issue_type)
        # From here only the steps that are open to us; from elsewhere what is known.
        graph[known.status] = frozenset(step.to_status for step in known.transitions)
        return {name: to for name, to in graph.items() if name not in visited}

    def _learn_the_plan(self, known: Known, wanted: str) -> None:
        """Read the whole workflow, where our account may."""
        if not all(known.place) or self._is_secret.get(known.place):
            return
        try:
            told = client.workflow_plan(self._http, *known.place)
        except (errors.Forbidden, errors.Unauthorized, errors.Gone, errors.Invalid):
            # It is nothing wrong: most accounts that exchange tickets may not administer Jira.
            self._is_secret.put(known.place, True)
            return
        self._workflows.plan(known.issue_type, workflow.read_plan(told))

    def _learn_from_others(self, known: Known, wanted: str) -> None:
        """See how the last tickets of this type got to the wanted status."""
        if not known.issue_type:
            return
        jql = polling.arrived_jql(self._project, known.issue_type, wanted)
        page = client.search(
            self._http, jql, fields=("status", "issuetype"), expand="changelog", page_size=20
        )
        for raw in client.dicts(page.get("issues")):
            self._workflows.learn(known_from(raw), workflow.moves(raw))

    def go(self, remote_id: str, route: Route, given: Mapping[str, object], marker: str) -> tuple[str, ...]:
        """Take the steps, `given` goes with the last; the ids of the history entries made, if they were several.

        One call for a straight step.  On a way over other statuses the ticket is read again after each step.
        """
        visited: list[str] = []
        arrived: list[str] = []
        while route.step is not None:
            sent = dict(given) if route.is_straight and not visited else {}
            if visited or not route.is_straight:
                sent = workflow.screen_values(route.step, given if route.is_straight else {})
            # Whatever comes of it, the remembered steps are those of a status that is no more.
            self._known.drop(remote_id)
            self._take(remote_id, route, sent, marker)
            arrived.append(route.step.to_status)
            if route.is_straight:
                break
            if len(arrived) >= workflow.MAX_STEPS:
                raise workflow.no_step(route.wanted, ())
            visited.append(route.known.status)
            route = self._route_from(self._look(remote_id), route.wanted, tuple(visited))
        if len(arrived) < 2:
            return ()
        return workflow.entries_of(workflow.histories(client.workflow_place(self._http, remote_id)), arrived)

    def _take(self, remote_id: str, route: Route, sent: Mapping[str, object], marker: str) -> None:
        step = route.step
        assert step is not None
        place = (route.known.issue_type, step.id)
        if step.screen is None:
            sent = {**(self._demands.get(place) or {}), **sent}
        try:
            self._post(remote_id, step, sent, marker)
        except errors.Invalid as error:
            if error.status != 400:
                raise
            if defaults := _defaults_for(error, step, sent):
                self._post(remote_id, step, {**sent, **defaults}, marker)
                self._demands.put(place, defaults)
            elif not route.is_remembered or not self._take_again(remote_id, route, sent, marker):
                raise

    def _take_again(self, remote_id: str, route: Route, sent: Mapping[str, object], marker: str) -> bool:
        """The remembered step was refused: look where the ticket is now.  False when nothing has changed."""
        known = self._look(remote_id)
        if workflow.same_status(known.status, route.wanted):
            # Somebody was quicker.
            return True
        step = workflow.step_to(known.transitions, route.wanted)
        if step is None:
            raise workflow.no_step(route.wanted, known.transitions)
        if step == route.step:
            return False
        self._known.drop(remote_id)
        self._post(remote_id, step, {**sent, **workflow.screen_values(step, sent)}, marker)
        return True

    def _post(self, remote_id: str, step: Transition, sent: Mapping[str, object], marker: str) -> None:
        body: dict[str, object] = {"transition": {"id": step.id}}
        if sent:
            body["fields"] = dict(sent)
        if marker:
            body["historyMetadata"] = changes.history_metadata(marker)
        client.transition_issue(self._http, remote_id, body)

    def _look(self, remote_id: str) -> Known:
        raw = client.workflow_place(self._http, remote_id)
        known = known_from(raw)
        self._known.put(remote_id, known)
        self._workflows.learn(known, workflow.moves(raw))
        return known


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
