"""What our account can do in a Jira project: the connection test, and the look-ups that the form and fields need."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from integrations.canonical import Account
from integrations.connectors import errors
from integrations.connectors.http import Http
from integrations.connectors.jira import client

# Right -> what cannot be done without it.
NEEDED: Mapping[str, str] = {
    "BROWSE_PROJECTS": "see the project's tickets",
    "CREATE_ISSUES": "create tickets",
    "EDIT_ISSUES": "change tickets",
    "TRANSITION_ISSUES": "change a ticket's status",
    "ADD_COMMENTS": "comment on tickets",
    "CREATE_ATTACHMENTS": "add files",
    "ASSIGN_ISSUES": "assign tickets",
}
TOO_WIDE = "ADMINISTER"


def check(http: Http, project: str, issue_type: str) -> Account:
    """Sign in and look at the project; three calls.  May be repeated."""
    me = client.myself(http)
    problems = [] if me.get("active", True) else ["The account is deactivated."]
    facts = {"project": project, "site": http.base_url}
    try:
        rights = client.my_permissions(http, project, (*NEEDED, TOO_WIDE)).get("permissions")
    except (errors.Gone, errors.Invalid):
        problems.append(f"There is no project “{project}” in this Jira, or the account may not see it.")
    else:
        held = rights if isinstance(rights, dict) else {}
        problems += (
            f"The account may not {what} ({right})." for right, what in NEEDED.items() if not has(held, right)
        )
        if has(held, TOO_WIDE):
            # Told, but not a problem: whoever tries us out does so with an account at hand.
            facts["too wide"] = "The account may administer the whole site, which is more than Concord needs."
        problems += _type_problems(http, project, issue_type)
    return Account(
        str(me.get("accountId") or ""),
        str(me.get("displayName") or ""),
        str(me.get("timeZone") or "UTC"),
        tuple(problems),
        facts,
    )


def has(rights: Mapping[str, object], right: str) -> bool:
    """Whether the answer about our rights grants this one."""
    entry = rights.get(right)
    return isinstance(entry, dict) and entry.get("havePermission") is True


@contextlib.contextmanager
def missing_explained(http: Http, project: str) -> Iterator[None]:
    """Within this block a ticket that is Gone stays so only while the account still sees the project.

    Jira answers 404 both for what was deleted and for what we may no longer see.  Forbidden says the latter; one call
    more, and only where a ticket is missing.  A single ticket that a security level hides still looks deleted.
    """
    try:
        yield
    except errors.Gone as error:
        if _may_browse(http, project):
            raise
        raise errors.Forbidden(
            f"Jira shows our account nothing of the project “{project}” any more, so nobody can tell whether the "
            "ticket is still there.",
            status=error.status,
            detail=error.detail,
        ) from error


def _may_browse(http: Http, project: str) -> bool:
    try:
        rights = client.my_permissions(http, project, ("BROWSE_PROJECTS",)).get("permissions")
    except (errors.Gone, errors.Invalid):
        return False
    return isinstance(rights, dict) and has(rights, "BROWSE_PROJECTS")


def _type_problems(http: Http, project: str, issue_type: str) -> Iterator[str]:
    try:
        types = client.issue_types(http, project)
    except (errors.Gone, errors.Forbidden, errors.Invalid):
        yield f"The account may not see which types of ticket “{project}” has."
        return
    if type_id(types, issue_type) is None:
        offered = ", ".join(f"“{one.get('name')}”" for one in types) or "none"
        yield f"The project has no type of ticket called “{issue_type}”.  It has: {offered}."


def type_id(types: list[dict], issue_type: str) -> str | None:
    """The id of an issue type by its name, without regard to case."""
    wanted = issue_type.casefold()
    return next(
        (str(one["id"]) for one in types if str(one.get("name")).casefold() == wanted and "id" in one), None
    )


def field_metadata(http: Http, project: str, issue_type: str) -> list[dict]:
    """What the fields of the issue type take; two calls or more.  Invalid when the project lacks the type."""
    found = type_id(client.issue_types(http, project), issue_type)
    if found is None:
        raise errors.Invalid(
            f"The project “{project}” has no type of ticket called “{issue_type}”.",
            fields={"issuetype": "unknown in this project"},
        )
    return client.create_fields(http, project, found)


def type_of(types: list[dict], issue_type: str) -> dict:
    """The issue type with this name; one without an id where the project does not list it."""
    wanted = (one for one in types if str(one.get("name")).casefold() == issue_type.casefold())
    return next(wanted, {"name": issue_type})


def statuses_of(types: list[dict], issue_type: str) -> tuple[str, ...]:
    """The statuses an issue of this type may have, in the project's order; of all types when it is not listed."""
    wanted = [one for one in types if str(one.get("name")).casefold() == issue_type.casefold()] or types
    names = [
        str(status["name"])
        for one in wanted
        for status in client.dicts(one.get("statuses"))
        if status.get("name")
    ]
    return tuple(dict.fromkeys(names))


def person_by_address(http: Http, project: str, field: str, email: str) -> str:
    """The account id of the one assignable person with this address; Invalid when there is not exactly one."""
    found = client.assignable_users(http, project, email)
    # A search is by beginnings, and an address is hidden where its owner wants that: then a single hit has to do.
    exact = [one for one in found if str(one.get("emailAddress") or "").casefold() == email.casefold()]
    chosen = exact or [one for one in found if not one.get("emailAddress")]
    if len(chosen) != 1 or not chosen[0].get("accountId"):
        raise errors.Invalid(
            f"The person for “{field}” is not one of those who can be assigned in “{project}”.",
            fields={field: "unknown person"},
        )
    return str(chosen[0]["accountId"])
