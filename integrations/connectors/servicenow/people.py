"""Who the ids and user names in ServiceNow's records are: remembered, and looked up together when unknown.

Fields name people and groups by `sys_id`, the audit and the journal name who acted by user name.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable

from integrations.canonical import Person, Value
from integrations.connectors import errors
from integrations.connectors.servicenow import records

MAX_KNOWN = 5000
AT_ONCE = 50

# Asks for records of a table: (table, query, fields) -> the records.
LookUp = Callable[[str, str, tuple[str, ...]], list[dict]]

USER_FIELDS = ("sys_id", "user_name", "name", "email")
GROUP_FIELDS = ("sys_id", "name")


class Directory:
    """The people and groups of one instance as far as they were met.  Thread-safe."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._lock = threading.Lock()
        self._people: dict[str, Person] = {}
        self._actors: dict[str, Person] = {}
        self._groups: dict[str, str] = {}

    # Meeting

    def meet_user(self, user: records.Record) -> None:
        """Remember a person's record."""
        sys_id, user_name = records.raw(user, "sys_id"), records.raw(user, "user_name")
        name, email = records.raw(user, "name") or user_name, records.raw(user, "email")
        with self._lock:
            self._make_room()
            if sys_id:
                self._people[sys_id] = Person(sys_id, name, email)
            if user_name:
                self._actors[user_name] = Person(user_name, name, email)

    def meet_group(self, group: records.Record) -> None:
        """Remember a group's record."""
        sys_id, name = records.raw(group, "sys_id"), records.raw(group, "name")
        with self._lock:
            self._make_room()
            if sys_id:
                self._groups[sys_id] = name or sys_id

    def _make_room(self) -> None:
        for known in (self._people, self._actors, self._groups):
            if len(known) >= MAX_KNOWN:
                known.clear()

    def find(self, ids: Iterable[str], user_names: Iterable[str]) -> None:
        """Look up who is not known yet.  Who cannot be found stays an id: no reason to stop a ticket."""
        unknown = {id_ for id_ in ids if id_ not in self._people and id_ not in self._groups}
        unknown = {id_ for id_ in unknown if records.is_sys_id(id_)}
        names = {name for name in user_names if name and name not in self._actors}
        for part_ids, part_names in _parts(sorted(unknown), sorted(names)):
            # Refused: our account may not see people.
            with contextlib.suppress(errors.Refused):
                self._ask(part_ids, part_names)
            for id_ in part_ids:
                if id_ not in self._people and id_ not in self._groups:
                    self.meet_user({"sys_id": id_, "name": ""})
            for name in part_names:
                if name not in self._actors:
                    self.meet_user({"user_name": name})

    def _ask(self, ids: list[str], names: list[str]) -> None:
        wanted = ",".join(ids)
        asked = [f"sys_idIN{wanted}"] if ids else []
        asked += [f"user_nameIN{','.join(records.quoted(name) for name in names)}"] if names else []
        for user in self._look_up("sys_user", "^OR".join(asked), USER_FIELDS):
            self.meet_user(user)
        if left := [id_ for id_ in ids if id_ not in self._people]:
            for group in self._look_up("sys_user_group", f"sys_idIN{','.join(left)}", GROUP_FIELDS):
                self.meet_group(group)

    # Naming

    def person(self, sys_id: str) -> Person:
        """The person with this id."""
        return self._people.get(sys_id) or Person(sys_id)

    def actor(self, user_name: str) -> Person:
        """Who acts under this user name."""
        return self._actors.get(user_name) or Person(user_name, user_name)

    def group(self, sys_id: str) -> str:
        """The name of the group with this id; the id itself where it is not known."""
        return self._groups.get(sys_id) or sys_id

    def settled_person(self, value: Value) -> Value:
        """The value that a field will tell for a person we write by id or mail address, if they were met."""
        if not isinstance(value, dict):
            text = str(value).strip() if value else ""
            return self.person(text).as_value() if records.is_sys_id(text) else None
        id_, email = str(value.get("id") or ""), str(value.get("email") or "").casefold()
        if id_ in self._people:
            return self._people[id_].as_value()
        for person in list(self._people.values()):
            if email and person.email.casefold() == email:
                return person.as_value()
        return value if id_ or email else None

    def settled_group(self, value: Value) -> Value:
        """The value that a field will tell for a group we write by name or id."""
        if isinstance(value, dict):
            value = value.get("name") or value.get("id")
        name = str(value).strip() if value else ""
        if name in self._groups:
            return self._groups[name]
        id_ = self._group_named(name)
        return self._groups[id_] if id_ else name or None

    # Writing

    def person_id(self, field: str, value: Value) -> str:
        """The id to write for a person; "" for nobody.  Invalid for somebody whom this ServiceNow does not know.

        Who is not known here is never taken for nobody: the field would be emptied.
        """
        if value in (None, "", {}):
            return ""
        given = value if isinstance(value, dict) else {"id": value}
        id_, email = str(given.get("id") or ""), str(given.get("email") or "")
        if is_own_id(id_):
            return id_
        known = self.settled_person(value)
        if isinstance(known, dict) and is_own_id(str(known.get("id") or "")):
            return str(known["id"])
        if email:
            self._meet(f"email={records.quoted(email)}")
            known = self.settled_person({"email": email})
            if isinstance(known, dict) and is_own_id(str(known.get("id") or "")):
                return str(known["id"])
        raise errors.Invalid(
            f"The person for “{field}” has no account in this ServiceNow.", fields={field: "unknown person"}
        )

    def _meet(self, query: str) -> None:
        for user in self._look_up("sys_user", f"{query}^active=true", USER_FIELDS):
            self.meet_user(user)

    def group_id(self, field: str, value: Value) -> str:
        """The id to write for a group by its name; "" for none.  Invalid for one that this ServiceNow lacks."""
        if isinstance(value, dict):
            value = value.get("name") or value.get("id")
        name = str(value).strip() if value else ""
        if not name or is_own_id(name):
            return name
        found = self._group_named(name)
        if found is None:
            for group in self._look_up("sys_user_group", f"name={records.quoted(name)}", GROUP_FIELDS):
                self.meet_group(group)
            found = self._group_named(name)
        if found is None:
            raise errors.Invalid(
                f"This ServiceNow has no group “{name}” for “{field}”.", fields={field: "unknown group"}
            )
        return found

    def _group_named(self, name: str) -> str | None:
        known = list(self._groups.items())
        return next((id_ for id_, own in known if own.casefold() == name.casefold() and id_ != own), None)


def is_own_id(text: str) -> bool:
    """Whether a text is an id of ServiceNow's own: 32 hexadecimal digits."""
    return len(text) == 32 and all(one in "0123456789abcdef" for one in text)


def _parts(ids: list[str], names: list[str]) -> Iterable[tuple[list[str], list[str]]]:
    for start in range(0, max(len(ids), len(names)), AT_ONCE):
        yield ids[start : start + AT_ONCE], names[start : start + AT_ONCE]
