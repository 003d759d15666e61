"""Carries out changes of a work item: guarded by its revision, state by state, tried before the first time.

A change is one call when its step through the states is known to go; a step that was never taken is tried before with
`validateOnly`, so that a rule that demands more is met, or told, before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from integrations.canonical import FieldKind, Fields, Value
from integrations.connectors import errors
from integrations.connectors.azure_devops import client, fields
from integrations.connectors.azure_devops.client import Project
from integrations.connectors.azure_devops.identities import People
from integrations.connectors.azure_devops.knowledge import Knowledge
from integrations.connectors.azure_devops.process import TicketType
from integrations.connectors.azure_devops.texts import Markup, patched
from integrations.connectors.recall import Recall

Patch = list[dict[str, object]]
DAY_S = 86_400.0
HOUR_S = 3600.0
REMEMBERED = 2_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a work item stood when it was last read: the revision a change is built on, and its type."""

    rev: int
    type: str


class Writer:
    """Writes to the work items of one project.  Thread-safe."""

    def __init__(
        self,
        project: Project,
        knowledge: Knowledge,
        people: People,
        clock: Callable[[], float],
        *,
        is_quiet: bool,
    ) -> None:
        self._project = project
        self._knowledge = knowledge
        self._people = people
        self._is_quiet = is_quiet
        self._places: Recall[str, Place] = Recall(REMEMBERED, HOUR_S, clock)
        # Steps that went: (type, from, to) -> what they demanded beside the state.
        self._steps: Recall[tuple[str, str, str], dict[str, Value]] = Recall(REMEMBERED, DAY_S, clock)

    # --- What is remembered ---

    def was_read(self, remote_id: str, rev: int, type_: str) -> None:
        """Remember where a reading found the work item: the next change is built on this."""
        if rev:
            self._places.put(remote_id, Place(rev, type_))

    def type_of(self, remote_id: str, current: Fields) -> TicketType:
        """The type of a work item, as far as it is known; asked for where it is not."""
        place = self._places.get(remote_id)
        name = (place.type if place else "") or current.get("type")
        if not name:
            item = client.item(self._project, remote_id)
            name = item["fields"].get("System.WorkItemType")
        return self._knowledge.process().type(name)

    # --- Creating ---

    def create(self, type_: str, patch: Patch) -> dict:
        """Create a work item; never to be repeated blindly."""
        made = self._quietly(lambda quiet: client.create_item(self._project, type_, patch, quiet=quiet))
        self.was_read(str(made["id"]), made["rev"], type_)
        return made

    # --- Changing ---

    def update(self, remote_id: str, wanted: Fields, current: Fields) -> tuple[str, ...]:
        """Set fields; the numbers of the revisions that were made.

        Raises Stale when somebody wrote since the last reading, NoTransition and RequiredField before anything was
        written where the states cannot be followed.
        """
        ticket_type = self.type_of(remote_id, current)
        values = self._into_own_texts(
            remote_id,
            ticket_type,
            {name: value for name, value in wanted.items() if name != "status"},
            current,
        )
        way: tuple[str, ...] = ()
        if "status" in wanted:
            if not wanted["status"]:
                raise errors.RequiredField(
                    "A work item always has a state.", fields={"status": "It cannot be empty."}
                )
            way = ticket_type.way(current.get("status"), wanted["status"])
        if not way:
            return self._change(remote_id, self._patch(values, ticket_type)) if values else ()
        return self._walk(remote_id, ticket_type, str(current.get("status") or ""), way, values)

    def _into_own_texts(
        self, remote_id: str, ticket_type: TicketType, values: Fields, current: Fields
    ) -> dict[str, Value | Markup]:
        """The values with texts made of the work item's own HTML; one call more where it holds such a text.

        Between that look and the write nobody's edit is lost: the write is guarded by the revision.
        """
        process = self._knowledge.process()
        own = {
            name: fields.reference_of(name, ticket_type)
            for name, value in values.items()
            if value and current.get(name) and fields.kind_of(name, process) is FieldKind.RICH_TEXT
        }
        if not own:
            return dict(values)
        found = client.items(self._project, [remote_id], tuple(own.values()))
        raw = found[0].get("fields") if found else None
        held = raw if isinstance(raw, dict) else {}
        texts = {name: patched(held.get(reference), values[name]) for name, reference in own.items()}
        return {**values, **texts}

    def _walk(
        self,
        remote_id: str,
        ticket_type: TicketType,
        present: str,
        way: tuple[str, ...],
        values: Mapping[str, Value | Markup],
    ) -> tuple[str, ...]:
        made: list[str] = []
        for state in way:
            given: dict[str, Value | Markup] = {**(values if state == way[-1] else {}), "status": state}
            try:
                patch = self._tried(remote_id, ticket_type, present, state, given)
                made += self._change(remote_id, patch)
            except errors.Invalid:
                # A rule that looks at other fields, or a new one: the next attempt is tried before again.
                self._steps.drop((ticket_type.name, present, state))
                raise
            except errors.Unavailable as error:
                # A part of the way was gone, so the write as a whole is not undone.
                error.outcome_unknown = error.outcome_unknown or bool(made)
                raise
            present = state
        return tuple(made)

    def _tried(
        self,
        remote_id: str,
        ticket_type: TicketType,
        present: str,
        state: str,
        given: Mapping[str, Value | Markup],
    ) -> Patch:
        """The operations for a step, with what it demands; tried where this step was never taken."""
        step = (ticket_type.name, present, state)
        known = self._steps.get(step)
        if known is not None:
            return self._patch({**known, **given}, ticket_type)
        patch = self._patch(given, ticket_type)
        try:
            self._try(remote_id, patch)
            more: dict[str, Value] = {}
        except errors.RequiredField as error:
            more = self._demanded(error, ticket_type, given)
            patch = self._patch({**more, **given}, ticket_type)
            self._try(remote_id, patch)
        self._steps.put(step, more)
        return patch

    def _try(self, remote_id: str, patch: Patch) -> None:
        client.change_item(self._project, remote_id, self._guarded(remote_id, patch), only_check=True)

    def _demanded(
        self, error: errors.RequiredField, ticket_type: TicketType, given: Mapping[str, Value | Markup]
    ) -> dict[str, Value]:
        """Values for the reasons that a step demands; what else it demands is for a person to map."""
        if not set(error.fields) <= set(fields.REASONS):
            raise error
        known = self._knowledge.reasons(ticket_type)
        if any(name in given or name not in known for name in error.fields):
            raise error
        return {name: known[name] for name in error.fields}

    def _patch(self, values: Mapping[str, Value | Markup], ticket_type: TicketType) -> Patch:
        return fields.patch(values, ticket_type, self._knowledge.process(), self._people)

    def _guarded(self, remote_id: str, patch: Patch) -> Patch:
        """The operations behind a test that nobody wrote since the reading they are built on.

        https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/update
        """
        place = self._places.get(remote_id)
        return [{"op": "test", "path": "/rev", "value": place.rev}, *patch] if place else patch

    def _change(self, remote_id: str, patch: Patch) -> tuple[str, ...]:
        place = self._places.get(remote_id)
        guarded = self._guarded(remote_id, patch)
        try:
            item = self._quietly(
                lambda quiet: client.change_item(self._project, remote_id, guarded, quiet=quiet)
            )
        except errors.Unavailable:
            # Whoever reads next finds out what the revision is now.
            self._places.drop(remote_id)
            raise
        return self._made(remote_id, item, place)

    def add(self, remote_id: str, patch: Patch, *, is_quiet: bool) -> tuple[dict, tuple[str, ...]]:
        """Add a comment or file, which agrees with whatever others wrote; the work item, and the revision made."""
        place = self._places.get(remote_id)

        def send(quiet: bool) -> dict:
            return client.change_item(self._project, remote_id, patch, quiet=quiet)

        item = self._quietly(send) if is_quiet else send(False)
        return item, self._made(remote_id, item, place)

    def _made(self, remote_id: str, item: dict, place: Place | None) -> tuple[str, ...]:
        """The revision that a change made; none when it changed nothing."""
        rev = item["rev"]
        if place is None:
            return (str(rev),)
        if rev == place.rev + 1:
            self._places.put(remote_id, Place(rev, place.type))
        # Further on there is somebody else's change that was not read yet: the guard stays where the reading was.
        return (str(rev),) if rev != place.rev else ()

    def _quietly(self, send: Callable[[bool], dict]) -> dict:
        """Write without telling those who follow the work item, as far as our account may.

        It is a right of its own (“Suppress notifications for work item updates”).  Which right is missing is not told
        in a form to rely on, so what is forbidden quietly is tried once aloud: nothing was written.
        """
        if not self._is_quiet:
            return send(False)
        try:
            return send(True)
        except errors.Forbidden as error:
            if error.status != 403:
                raise
        made = send(False)
        self._is_quiet = False
        return made
