"""Neutral values put into the words of one Jira project: custom fields by their shape, people by their account."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from integrations.canonical import Value
from integrations.connectors.http import Http
from integrations.connectors.jira import account
from integrations.connectors.jira.fields import PERSON_FIELDS, Shape, jira_value, shapes
from integrations.connectors.recall import Recall

PEOPLE = 2_000
HOUR_S = 3600.0


class Wording:
    """Translates what is written.  Remembers the fields' shapes and people's accounts for an hour.  Thread-safe."""

    def __init__(self, http: Http, project: str, issue_type: str, clock: Callable[[], float]) -> None:
        self._http = http
        self._project = project
        self._issue_type = issue_type
        self._shapes: Recall[str, Mapping[str, Shape]] = Recall(1, HOUR_S, clock)
        self._people: Recall[str, str] = Recall(PEOPLE, HOUR_S, clock)

    def field_metadata(self) -> list[dict]:
        """What the fields of the project's issue type take, read anew; two calls or more."""
        metadata = account.field_metadata(self._http, self._project, self._issue_type)
        self._shapes.put("", shapes(metadata))
        return metadata

    def jira_values(self, values: Mapping[str, Value]) -> dict[str, object]:
        """These values in Jira's form; no call but for custom fields and for people known by address alone.

        Raises Invalid for a person whom this Jira does not know.
        """
        known = self._known_shapes() if any(name.startswith("customfield_") for name in values) else {}
        return {name: self._jira_value(name, value, known.get(name)) for name, value in values.items()}

    def _jira_value(self, name: str, value: Value, shape: Shape | None) -> object:
        is_person = name in PERSON_FIELDS or (shape is not None and shape.type == "user")
        return jira_value(name, self._with_account(name, value) if is_person else value, shape)

    def known_shape(self, name: str) -> Shape | None:
        """What a field takes, as far as it was asked before.  No call."""
        return (self._shapes.get("") or {}).get(name)

    def _known_shapes(self) -> Mapping[str, Shape]:
        return self._shapes.get("") or shapes(self.field_metadata())

    def _with_account(self, name: str, value: Value) -> Value:
        """A person known by address alone, with the account that has it here."""
        if not isinstance(value, dict) or value.get("id") or not value.get("email"):
            return value
        email = str(value["email"])
        found = self._people.get(email)
        if found is None:
            found = account.person_by_address(self._http, self._project, name, email)
            self._people.put(email, found)
        return {**value, "id": found}
