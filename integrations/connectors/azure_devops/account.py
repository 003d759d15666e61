"""What our account can do in a project: the connection test.  Nothing is written: Azure DevOps only checks.

A work item that is checked and not made tells, without any right beside those for work items, who we are, whether the
project and the type exist, whether we may write, and what the process demands of a new one.
"""

from __future__ import annotations

from collections.abc import Iterator

from integrations.canonical import Account, Person
from integrations.connectors import errors
from integrations.connectors.azure_devops import client
from integrations.connectors.azure_devops.client import Project
from integrations.connectors.azure_devops.identities import person_of
from integrations.connectors.azure_devops.process import read_types

PROBE = ({"op": "add", "path": "/fields/System.Title", "value": "Concord: connection test, never stored"},)


def check(project: Project, type_: str) -> Account:
    """Sign in and look at the project; three calls, four where the process demands more.  May be repeated."""
    facts = {"project": project.name, "organisation": project.http.base_url}
    try:
        types = read_types(client.types(project))
    except (errors.Forbidden, errors.Gone):
        me = _who(project)
        problem = f"There is no project “{project.name}” in this organisation, or the account may not see it."
        return Account(me.id, me.name, problems=(problem,), facts=facts)
    problems = list(_type_problems([one.name for one in types.values() if not one.is_disabled], type_))
    me = Person("")
    if not problems:
        try:
            made = client.create_item(project, type_, PROBE, only_check=True)
            me = person_of(made["fields"].get("System.CreatedBy")) or me
        except errors.Invalid as error:
            problems.append(f"A new {type_} is not taken as Concord makes it: {error.message}")
        except errors.Forbidden:
            problems.append(
                "The account may not create and change work items: its token needs the scope Work Items, Read & write."
            )
        else:
            if _is_too_wide(project, type_):
                # Told, but not a problem: whoever tries us out does so with an account at hand.
                facts["too wide"] = (
                    "The account may bypass the rules of work items, which Concord never needs."
                )
    me = me if me.id else _who(project)
    # Some web hooks tell people as texts, in which only the mail address names them.
    return Account(me.id, me.name, problems=tuple(problems), facts=facts, alias=me.email)


def _type_problems(types: list[str], type_: str) -> Iterator[str]:
    if type_.casefold() not in (one.casefold() for one in types):
        offered = ", ".join(f"“{one}”" for one in types) or "none"
        yield f"The project has no type of work item called “{type_}”.  It has: {offered}."


def _is_too_wide(project: Project, type_: str) -> bool:
    try:
        client.create_item(project, type_, PROBE, only_check=True, bypass=True)
    except errors.Refused:
        return False
    return True


def _who(project: Project) -> Person:
    """Who we are, where no work item tells it."""
    found = client.connection_data(project).get("authenticatedUser")
    user = found if isinstance(found, dict) else {}
    if not isinstance(user.get("id"), str) or user.get("providerDisplayName") == "Anonymous":
        raise errors.Unauthorized("Azure DevOps does not know the personal access token.")
    return Person(user["id"].lower(), str(user.get("providerDisplayName") or user["id"]))
