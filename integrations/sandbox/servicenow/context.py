"""What a handler of the ServiceNow API gets to work with: the instance, the request, who asks, and how to tell others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations.sandbox.servicenow import errors, times
from integrations.sandbox.servicenow.processes import Doing
from integrations.sandbox.servicenow.query import Reader
from integrations.sandbox.servicenow.state import TASKS, Instance, Record
from integrations.sandbox.servicenow.tables import Table
from integrations.sandbox.servicenow.views import Shown, View
from integrations.sandbox.servicenow.writing import Sent, read
from integrations.sandbox.wire import Request, Response

Tell = Callable[[Record, Record], None]


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call.

    `roles` are the caller's, `version` is of the API (0 for the latest); `tell` sends the web hook of a change by
    somebody, `ask` answers another request, for batches.
    """

    instance: Instance
    request: Request
    actor: Record
    roles: frozenset[str]
    now: datetime
    version: int
    tell: Tell
    ask: Callable[[Request], Response]

    @property
    def zone(self) -> str:
        """The caller's time zone."""
        return self.actor["time_zone"] or "GMT"

    @property
    def view(self) -> View:
        """Shows records to the caller."""
        return View(self.instance, self.request.origin, self.zone)

    @property
    def reader(self) -> Reader:
        """Reads the caller's queries."""
        helpers = times.Helpers(self.now, self.zone, self.actor.id, self.actor["user_name"])
        literal = self.zone if self.instance.settings.literals_in_user_zone else "UTC"
        return Reader(self.instance, helpers, literal)

    def doing(self) -> Doing:
        """Writing as whoever calls, now."""
        return Doing(self.actor, times.glide(self.now), self.now.timestamp(), "admin" in self.roles)

    def table(self, name: str) -> Table:
        """The table with this name, or the error that the vendor gives."""
        table = self.instance.tables.get(name)
        if table is None:
            raise errors.invalid_table(name)
        if name in self.instance.settings.closed_tables:
            raise errors.not_authorized()
        return table

    def is_visible(self, record: Record) -> bool:
        """Whether the ACLs let the caller see the record."""
        settings = self.instance.settings
        if record.table in settings.hidden_tables or not self._has_role(record.table, "read", "write"):
            return False
        hidden = settings.hidden_records
        return not hidden or (record.id not in hidden and record["number"] not in hidden)

    def may_write(self, table: str) -> bool:
        """Whether the ACLs let the caller write to the table."""
        return table in TASKS and self._has_role(table, "write")

    def _has_role(self, table: str, *rights: str) -> bool:
        if table not in TASKS or self.roles & {"admin", "itil"}:
            return True
        name = table.partition("_")[0]
        return any(f"sn_{name}_{right}" in self.roles for right in rights)

    def sent(self, table: str) -> Sent:
        """What the body asks to write, without the fields that an ACL keeps from the caller."""
        kept = self.instance.settings.unwritable_fields
        given = {name: value for name, value in self.body().items() if f"{table}.{name}" not in kept}
        as_shown = self.request.one("sysparm_input_display_value").lower() == "true"
        return read(self.instance, table, given, self.zone, as_shown=as_shown)

    def record(self, table: str, id_: str) -> Record:
        """The record, or 404 when there is none that the caller may see."""
        found = self.instance.record(self.table(table).name, id_)
        if found is None or not self.is_visible(found):
            raise errors.no_record()
        return found

    def shown(self) -> Shown:
        """How the caller wants records."""
        display = self.request.one("sysparm_display_value", "false").lower()
        has_links = self.request.one("sysparm_exclude_reference_link").lower() != "true"
        names = [one.strip() for one in self.request.one("sysparm_fields").split(",") if one.strip()]
        return Shown(display if display in ("true", "all") else "false", has_links, names)

    def body(self) -> dict[str, Any]:
        """The JSON object that was sent.  Of several records the first counts, as at the vendor."""
        value = self.request.json()
        if isinstance(value, dict) and isinstance(value.get("records"), list):
            value = value["records"]
        if isinstance(value, list):
            value = value[0] if value else {}
        if not isinstance(value, dict):
            raise errors.Failed(
                400, "Exception while reading request", "The payload is not a valid JSON object."
            )
        return value
