"""Who we are in an instance, what our account lacks and what it has too much of, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from integrations.canonical import Account
from integrations.connectors import errors
from integrations.connectors.servicenow import client, records
from integrations.connectors.servicenow.batch import Batch, Outcome, answered

# Tables beside the tickets, and what is not possible without reading them.
NEEDED: Mapping[str, str] = {
    "sys_journal_field": "so it sees neither comments nor work notes",
    "sys_audit": "so that changes are told only as far as each reading shows them, without who made each of them",
    "sys_choice": "so that the values of choices are taken as ServiceNow ships them",
    "sys_dictionary": "so that fields and their lengths are taken as ServiceNow ships them",
    "sys_user_group": "so that groups are known by their ids alone",
}
# Roles that may write, by table; other tables take the last.
_WRITERS: Mapping[str, tuple[str, ...]] = {
    "incident": ("itil", "sn_incident_write", "admin"),
    "problem": ("itil", "sn_problem_write", "itil_admin", "admin"),
    "change_request": ("itil", "sn_change_write", "itil_admin", "admin"),
}
_ANY_WRITER = ("itil", "admin")
_TOO_WIDE = ("admin", "security_admin")


def check(batch: Batch, user_name: str, tables: Sequence[str]) -> Account:
    """Sign in and look at what our account may do; one call.  May be repeated."""
    roles = client.rows("sys_user_has_role", f"user.user_name={records.quoted(user_name)}", ("role.name",))
    parts = (
        client.user(user_name),
        roles,
        *(client.rows(name, "", ("sys_id",), limit=1) for name in (*tables, *NEEDED)),
        client.new_files(tables, _LONG_AGO, 1, 0),
    )
    me, held, *others = batch.send(*parts)
    user = _first(me)
    readable = dict(zip((*tables, *NEEDED, "sys_attachment"), others, strict=True))
    names = sorted({records.raw(one, "role.name") for one in _rows(held)} - {""})
    problems = [
        *_user_problems(user),
        *_reading_problems(readable, tables),
        *_writing_problems(names, tables),
        *_zone_problems(user),
    ]
    facts = {"instance": batch.host, "tables": ", ".join(tables), "roles": ", ".join(names)}
    if too_wide := [name for name in names if name in _TOO_WIDE]:
        # Told, but not a problem: whoever tries us out does so with an account at hand.
        facts["too wide"] = (
            f"The account has the role {', '.join(too_wide)}, which is more than Concord needs."
        )
    return Account(
        records.raw(user, "user_name") or user_name,
        records.raw(user, "name") or user_name,
        records.raw(user, "time_zone") or ("UTC" if not zone_offset(user) else ""),
        tuple(problems),
        facts,
    )


# Any time before the first ticket.
_LONG_AGO = records.EPOCH


def _first(outcome: Outcome) -> dict:
    return next(iter(_rows(outcome)), {})


def _rows(outcome: Outcome) -> list[dict]:
    return [] if isinstance(outcome, errors.Refused) else records.records(answered(outcome))


def _user_problems(user: records.Record) -> Iterator[str]:
    if not user:
        yield "The account cannot see its own record in sys_user, so names of people stay user names."
    elif records.raw(user, "locked_out") == "true" or records.raw(user, "active") == "false":
        yield "The account is locked or not active in ServiceNow."


def _reading_problems(readable: Mapping[str, Outcome], tables: Sequence[str]) -> Iterator[str]:
    for name, outcome in readable.items():
        if name in tables and isinstance(outcome, errors.Forbidden):
            yield f"The account may not read the table {name}."
        elif name in tables and isinstance(outcome, errors.Refused):
            yield f"There is no table {name} in this ServiceNow, or it is closed to web services."
        elif name == "sys_attachment" and isinstance(outcome, errors.Refused):
            yield "The account may not read attachments, so files are not carried."
        elif name in NEEDED and (isinstance(outcome, errors.Refused) or _hides_all(outcome)):
            yield f"The account may not read {name}, {NEEDED[name]}."


def _hides_all(outcome: Outcome) -> bool:
    """Whether there are rows, and our account sees none: the total counts them before access rules do."""
    answer = answered(outcome)
    return records.count(answer.headers.get("X-Total-Count") or "") > 0 and not records.records(answer)


def _writing_problems(roles: Sequence[str], tables: Sequence[str]) -> Iterator[str]:
    for table in tables:
        writers = _WRITERS.get(table, _ANY_WRITER)
        if not set(writers) & set(roles):
            named = " or ".join(writers[:2])
            yield f"No role of the account's is known to write to {table}; {named} would do."


def zone_offset(user: records.Record) -> timedelta:
    """How far the account's zone is from UTC, from a time that ServiceNow tells in both; nothing where it tells none."""
    kept, shown = (
        records.time_of(records.raw(user, "sys_updated_on")),
        records.time_of(records.shown(user, "sys_updated_on")),
    )
    return shown - kept if kept and shown else timedelta()


def slack(user: records.Record) -> timedelta:
    """How much earlier to ask, in case ServiceNow reads the times of our questions in the account's own zone.

    Only a zone behind UTC would make it answer too little.  An hour more, for the clock change between then and now.
    """
    offset = zone_offset(user)
    return -offset + timedelta(hours=1) if offset < timedelta() else timedelta()


def _zone_problems(user: records.Record) -> Iterator[str]:
    if offset := zone_offset(user):
        hours = offset / timedelta(hours=1)
        zone = records.raw(user, "time_zone") or f"{hours:+g} hours from GMT"
        yield (
            f"The account's time zone in ServiceNow is {zone}.  Set it to GMT: ServiceNow may take the times we ask "
            "about in it, which makes every question dearer."
        )
