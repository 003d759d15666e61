"""What a sandboxed ServiceNow holds at first: a small company, and the tables that describe the instance itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from integrations.sandbox.servicenow.state import TASKS, Instance, Record
from integrations.sandbox.servicenow.tables import Field

LONG_AGO = "2024-01-01 00:00:00"
COMPANY = "Partner Ltd"
GROUPS = {
    "Service Desk": "First line",
    "Network": "Networks and telephony",
    "Software": "Applications",
    "Database": "Databases",
    "Hardware": "Devices",
}
PEOPLE = (
    ("ada.agent", "Ada Agent", "ada@partner.example", ("itil",), "Service Desk"),
    ("nina.network", "Nina Network", "nina@partner.example", ("itil",), "Network"),
    ("sam.software", "Sam Software", "sam@partner.example", ("itil",), "Software"),
    ("carl.caller", "Carl Caller", "carl@partner.example", (), ""),
    ("admin", "System Administrator", "admin@partner.example", ("admin",), ""),
)
ROLES = (
    *("admin", "itil", "itil_admin"),
    *("sn_incident_read", "sn_incident_write"),
    *("sn_problem_read", "sn_problem_write"),
    *("sn_change_read", "sn_change_write"),
)
# By impact, then urgency: the vendor's priority look-up rules.
PRIORITY = {
    ("1", "1"): "1", ("1", "2"): "2", ("1", "3"): "3",
    ("2", "1"): "2", ("2", "2"): "3", ("2", "3"): "4",
    ("3", "1"): "3", ("3", "2"): "4", ("3", "3"): "5",
}  # fmt: skip


def seed(instance: Instance) -> None:
    """Fill an empty instance."""
    company = instance.add("core_company", _values(instance, "core_company", COMPANY, name=COMPANY))
    for name in ("Head office", "Warehouse"):
        instance.add("cmn_location", _values(instance, "cmn_location", name, name=name))
    for name in ("Mail server", "VPN gateway", "Web shop"):
        instance.add("cmdb_ci", _values(instance, "cmdb_ci", name, name=name))
    for name in ROLES:
        instance.add("sys_user_role", _values(instance, "sys_user_role", name, name=name))
    for name, description in GROUPS.items():
        values = _values(instance, "sys_user_group", name, name=name, description=description, active="true")
        instance.add("sys_user_group", values)
    for user_name, name, email, roles, group in PEOPLE:
        user = add_user(instance, user_name, name, email, company=company.id)
        grant(instance, user, roles)
        if group:
            member = instance.first("sys_user_group", "name", group)
            assert member is not None
            instance.add(
                "sys_user_grmember",
                _values(instance, "sys_user_grmember", user.id, user=user.id, group=member.id),
            )
    for (impact, urgency), priority in PRIORITY.items():
        name = f"{impact} {urgency}"
        values = _values(
            instance, "dl_u_priority", name, impact=impact, urgency=urgency, priority=priority, active="true"
        )
        instance.add("dl_u_priority", values)
    add_user(instance, "ivo.inactive", "Ivo Inactive", "ivo@partner.example", active="false")
    integration = add_user(instance, "", "Concord", "", web_service_access_only="true", company=company.id)
    instance.refs["(integration)"] = integration.id
    describe(instance)


def integration_user(instance: Instance) -> Record:
    """The user that signs in from outside."""
    user = instance.record("sys_user", instance.refs["(integration)"])
    assert user is not None
    return user


def add_user(instance: Instance, user_name: str, name: str, email: str, **more: str) -> Record:
    """A new person; the sys_id is always the same for the same name and address."""
    first, _, last = name.partition(" ")
    values = _values(
        instance,
        "sys_user",
        f"{name} {email}",
        user_name=user_name,
        name=name,
        first_name=first,
        last_name=last,
        email=email,
        active="true",
        locked_out="false",
        web_service_access_only="false",
        sys_class_name="sys_user",
    )
    return instance.add("sys_user", {**values, **more})


def grant(instance: Instance, user: Record, roles: tuple[str, ...] | list[str]) -> None:
    """Give the user these roles and no others."""
    for one in [one for one in instance.rows("sys_user_has_role") if one["user"] == user.id]:
        instance.remove(one)
    for name in roles:
        role = next((one for one in instance.rows("sys_user_role") if one["name"] == name), None)
        if role is None:
            role = instance.add("sys_user_role", _values(instance, "sys_user_role", name, name=name))
        key = f"{user.id} {name}"
        more = {"user": user.id, "role": role.id, "inherited": "false", "state": "active"}
        instance.add("sys_user_has_role", _values(instance, "sys_user_has_role", key, **more))


def describe(instance: Instance) -> None:
    """Write the settings into the tables where a client reads them: rights, dictionary, choices, policies."""
    settings = instance.settings
    user = integration_user(instance)
    email = f"{settings.username}@sandbox.example"
    own = {"user_name": settings.username, "email": email, "time_zone": settings.time_zone}
    instance.set(user, own, user.touched)
    grant(instance, user, settings.roles)
    instance.passwords = {settings.username: settings.password}
    instance.replace_all("sys_db_object", _db_objects(instance))
    instance.replace_all("sys_dictionary", _dictionary(instance))
    instance.replace_all("sys_choice", _choices(instance))
    instance.replace_all("sys_properties", _properties(instance))
    _describe_policies(instance)


def _db_objects(instance: Instance) -> Iterator[dict[str, str]]:
    for table in instance.tables.values():
        parent = instance.new_id(f"sys_db_object {table.parent}") if table.parent else ""
        yield _values(
            instance, "sys_db_object", table.name, name=table.name, label=table.label, super_class=parent
        )


def _dictionary(instance: Instance) -> Iterator[dict[str, str]]:
    """One row for each field where it is defined; a table that extends another tells only what differs."""
    tables = instance.tables
    for table in tables.values():
        inherited = tables[table.parent].fields if table.parent else {}
        for field in table.fields.values():
            if inherited.get(field.name) != field:
                yield _dictionary_row(instance, table.name, field)


def _dictionary_row(instance: Instance, table: str, field: Field) -> dict[str, str]:
    return _values(
        instance,
        "sys_dictionary",
        f"{table} {field.name}",
        name=table,
        element=field.name,
        column_label=field.label,
        internal_type=field.type,
        max_length=str(field.max_length),
        reference=field.target,
        choice="1" if field.choices else "0",
        default_value=field.default,
        mandatory=_bool(field.mandatory),
        read_only=_bool(field.is_fixed),
        active="true",
        audit=_bool(table in TASKS),
    )


def _choices(instance: Instance) -> Iterator[dict[str, str]]:
    for table in instance.tables.values():
        inherited = instance.tables[table.parent].fields if table.parent else {}
        for field in table.fields.values():
            if inherited.get(field.name) == field:
                continue
            for order, (value, label) in enumerate(field.choices):
                yield _values(
                    instance,
                    "sys_choice",
                    f"{table.name} {field.name} {value}",
                    name=table.name,
                    element=field.name,
                    value=value,
                    label=label,
                    language="en",
                    sequence=str(order),
                    inactive="false",
                )


def _properties(instance: Instance) -> Iterator[dict[str, str]]:
    settings = instance.settings
    megabytes = settings.max_attachment_bytes // (1024 * 1024)
    for name, value in (
        ("com.glide.attachment.max_size", str(megabytes)),
        ("glide.attachment.extensions", settings.attachment_extensions),
        ("glide.invalid_query.returns_no_rows", _bool(settings.invalid_query_returns_no_rows)),
        ("glide.sys.default.tz", "GMT"),
        ("glide.buildtag.last", "glide-sandbox"),
    ):
        yield _values(instance, "sys_properties", name, name=name, value=value)


def _describe_policies(instance: Instance) -> None:
    policies: list[dict[str, str]] = []
    rules: list[dict[str, str]] = []
    for one in instance.settings.data_policies:
        key = f"{one['table']} {one['name']}"
        policy = _values(
            instance,
            "sys_data_policy2",
            key,
            short_description=one["name"],
            model_table=one["table"],
            conditions=one["condition"],
            active="true",
            reverse_if_false="true",
        )
        policies.append(policy)
        for name in one["mandatory"]:
            more: dict[str, Any] = {"field": name, "table": one["table"], "mandatory": "true"}
            rules.append(
                _values(
                    instance,
                    "sys_data_policy_rule",
                    f"{key} {name}",
                    sys_data_policy=policy["sys_id"],
                    disabled="ignore",
                    **more,
                )
            )
    instance.replace_all("sys_data_policy2", policies)
    instance.replace_all("sys_data_policy_rule", rules)


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _values(instance: Instance, table: str, key: str, /, **more: str) -> dict[str, str]:
    """Values of a record that was there from the first day."""
    return {
        "sys_id": instance.new_id(f"{table} {key}"),
        "sys_created_on": LONG_AGO,
        "sys_updated_on": LONG_AGO,
        "sys_created_by": "system",
        "sys_updated_by": "system",
        "sys_mod_count": "0",
        **more,
    }
