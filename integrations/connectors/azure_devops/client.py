"""Azure DevOps' Work Item Tracking interface, version 7.1: one function a call.  No rules here.

Every function may raise ConnectorError.  Records stay JSON as Azure DevOps gives them.  Reading may be repeated; what
must not be repeated blindly says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from integrations.connectors import errors
from integrations.connectors.http import Answer, Http, SizedBody

VERSION = "7.1"
COMMENTS_VERSION = "7.1-preview.4"
PAGE_SIZE = 200
MAX_PAGES = 100
# Tells the gate in front of every service not to send us to a page where people sign in.
_HEADERS = {"X-TFS-FedAuthRedirect": "Suppress"}

Params = Mapping[str, str | int | Sequence[str]]


@dataclass(slots=True)
class Project:
    """One project of one organisation."""

    http: Http
    name: str

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json_body: object = None,
        data: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Sequence[int] = (200,),
        is_write: bool | None = None,
        version: str = VERSION,
    ) -> Answer:
        """Send a request below the project's own address, or below the organisation's where it starts with `/_apis`."""
        address = path if path.startswith("/_apis") else f"/{_part(self.name)}/_apis/wit{path}"
        return self.http.request(
            method,
            address,
            params={**(params or {}), "api-version": version},
            json_body=json_body,
            data=data,
            headers={**_HEADERS, **(headers or {})},
            expect=expect,
            is_write=is_write,
        )


# Not described by the vendor, but called by each of its own clients first.
def connection_data(project: Project) -> dict:
    """Whose token we sign in with: {"authenticatedUser": {"id", "providerDisplayName"}}."""
    return project.call("GET", "/_apis/connectionData", version=f"{VERSION}-preview").object()


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-types/list
def types(project: Project) -> list[dict]:
    """The project's work item types with states, transitions and fields."""
    return _values(project.call("GET", "/workitemtypes"))


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-types-field/list
def type_fields(project: Project, type_: str) -> list[dict]:
    """The fields of a type with their allowed values."""
    path = f"/workitemtypes/{_part(type_)}/fields"
    return _values(project.call("GET", path, params={"$expand": "allowedValues"}))


# https://learn.microsoft.com/rest/api/azure/devops/wit/fields/list
def fields(project: Project) -> list[dict]:
    """All fields with their types."""
    return _values(project.call("GET", "/fields"))


# https://learn.microsoft.com/rest/api/azure/devops/wit/classification-nodes/get-root-nodes
def trees(project: Project) -> list[dict]:
    """The roots of areas and iterations with what lies below them."""
    return _values(project.call("GET", "/classificationnodes", params={"$depth": 5}))


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/get-work-item
def item(project: Project, id_: str) -> dict:
    """A work item with its fields and links."""
    return _item(project.call("GET", f"/workitems/{checked_number(id_)}", params={"$expand": "relations"}))


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/list
def items(project: Project, ids: Sequence[str], names: Sequence[str]) -> list[dict]:
    """These work items (at most 200) with these fields; those that are gone are missing."""
    params: Params = {"ids": ",".join(ids), "fields": ",".join(names), "errorPolicy": "omit"}
    # Those left out are holes in the list.
    return _values(project.call("GET", "/workitems", params=params))


# https://learn.microsoft.com/rest/api/azure/devops/wit/recyclebin/get
def is_in_bin(project: Project, id_: str) -> bool:
    """Whether a work item lies in the recycle bin."""
    try:
        project.call("GET", f"/recyclebin/{checked_number(id_)}")
    except errors.Refused:
        return False
    return True


# https://learn.microsoft.com/rest/api/azure/devops/wit/updates/list
def updates(project: Project, id_: str, skip: int) -> tuple[list[dict], datetime | None]:
    """A page of a work item's updates, oldest first, the first `skip` left out, and when it was asked for there."""
    params: Params = {"$top": PAGE_SIZE, "$skip": skip} if skip else {"$top": PAGE_SIZE}
    answer = project.call("GET", f"/workItems/{checked_number(id_)}/updates", params=params)
    return _values(answer), answer.asked_at()


# https://learn.microsoft.com/rest/api/azure/devops/wit/comments/get-comments
def comments(project: Project, id_: str, *, newest: int = 0) -> list[dict]:
    """The comments, those taken away among them; with `newest` only so many from the end, else all."""
    found: list[dict] = []
    token = ""
    for _ in range(MAX_PAGES):
        wanted = min(PAGE_SIZE, newest - len(found)) if newest else PAGE_SIZE
        params: dict[str, str | int | Sequence[str]] = {
            "$top": wanted,
            "includeDeleted": "true",
            "order": "desc" if newest else "asc",
            "$expand": "renderedText",
        }
        if token:
            params["continuationToken"] = token
        answer = project.call(
            "GET", f"/workItems/{checked_number(id_)}/comments", params=params, version=COMMENTS_VERSION
        )
        value = answer.object()
        page = value.get("comments")
        if not isinstance(page, list):
            raise answer.garbled("Azure DevOps' answer holds no list of comments.")
        found += [one for one in page if isinstance(one, dict)]
        next_ = value.get("continuationToken")
        token = next_ if isinstance(next_, str) else ""
        if not token or not page or (newest and len(found) >= newest):
            return found
    raise errors.Garbled("Azure DevOps' list of comments did not end.")


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/create
def create_item(
    project: Project,
    type_: str,
    patch: Sequence[dict],
    *,
    quiet: bool = False,
    only_check: bool = False,
    bypass: bool = False,
) -> dict:
    """Create a work item; never to be repeated blindly.  With `only_check` nothing is made, only told whether it could."""
    # The dollar sign is part of the address.
    return _patched(project, "POST", f"/workitems/${_part(type_)}", patch, quiet, only_check, bypass)


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/update
def change_item(
    project: Project, id_: str, patch: Sequence[dict], *, quiet: bool = False, only_check: bool = False
) -> dict:
    """Change a work item.  Fields may be set again; a comment or file must not be added again blindly."""
    return _patched(project, "PATCH", f"/workitems/{checked_number(id_)}", patch, quiet, only_check, False)


def _patched(
    project: Project,
    method: str,
    path: str,
    patch: Sequence[dict],
    quiet: bool,
    only_check: bool,
    bypass: bool,
) -> dict:
    flags = {"suppressNotifications": quiet, "validateOnly": only_check, "bypassRules": bypass}
    answer = project.call(
        method,
        path,
        params={name: "true" for name, is_set in flags.items() if is_set},
        data=json.dumps(list(patch), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
        headers={"Content-Type": "application/json-patch+json"},
        is_write=not only_check,
    )
    return _item(answer, needs_number=not only_check)


# https://learn.microsoft.com/rest/api/azure/devops/wit/attachments/create
def upload(project: Project, name: str, body: SizedBody) -> str:
    """Bring a file to Azure DevOps; its address.

    Nobody sees the file before a work item links to it, so a lost answer leaves nothing behind that counts.
    """
    answer = project.call(
        "POST",
        "/attachments",
        params={"fileName": name},
        data=body,
        headers={"Content-Type": "application/octet-stream"},
        expect=(200, 201),
        is_write=False,
    )
    url = answer.object().get("url")
    if not isinstance(url, str) or not url:
        raise answer.garbled("Azure DevOps' answer to a file names no address.")
    return url


# https://learn.microsoft.com/rest/api/azure/devops/wit/attachments/get
def attachment_content(
    project: Project, file_id: str, limit_bytes: int
) -> AbstractContextManager[Iterator[bytes]]:
    """A file's bytes in chunks."""
    path = (
        f"/{_part(project.name)}/_apis/wit/attachments/{_part(file_id)}?download=true&api-version={VERSION}"
    )
    return project.http.stream(path, limit_bytes=limit_bytes)


# https://learn.microsoft.com/rest/api/azure/devops/wit/wiql/query-by-wiql
def query(project: Project, wiql: str, limit: int) -> list[str]:
    """The numbers of the work items that a query finds.  A read, although a POST."""
    answer = project.call("POST", "/wiql", params={"$top": limit}, json_body={"query": wiql}, is_write=False)
    found = answer.object().get("workItems")
    if not isinstance(found, list):
        raise answer.garbled("Azure DevOps' answer to a query holds no list of work items.")
    return [str(one["id"]) for one in found if isinstance(one, dict) and isinstance(one.get("id"), int)]


@dataclass(frozen=True, slots=True)
class Feed:
    """A page of the feed: work items and their latest revision, where the next page begins, whether there is one now."""

    revs: Mapping[str, str]
    token: str
    has_more: bool


# https://learn.microsoft.com/rest/api/azure/devops/wit/reporting-work-item-revisions/read-reporting-revisions-get
def revisions(project: Project, *, since: str = "", token: str = "") -> Feed:
    """The latest revisions after a watermark, or after a time; those of deleted work items among them."""
    where: dict[str, str] = {"continuationToken": token} if token else {"startDateTime": since}
    params: Params = {
        **where, "fields": "System.Id", "includeLatestOnly": "true", "includeDeleted": "true", "$maxPageSize": PAGE_SIZE
    }  # fmt: skip
    answer = project.call("GET", "/reporting/workitemrevisions", params=params)
    value = answer.object()
    values, next_ = value.get("values"), value.get("continuationToken")
    if not isinstance(values, list):
        raise answer.garbled("Azure DevOps' feed of revisions holds no list.")
    revs = {
        str(one["id"]): str(one.get("rev") or "")
        for one in values
        if isinstance(one, dict) and isinstance(one.get("id"), int)
    }
    # A missing end mark counts as the end: asking on and on would use up what the account may ask.
    has_more = value.get("isLastBatch") is False and isinstance(next_, str) and next_ != token
    return Feed(revs, next_ if isinstance(next_, str) else "", has_more)


def _values(answer: Answer) -> list[dict]:
    value = answer.json()
    # Lists are wrapped, whatever the vendor's own document shows.
    found = value.get("value") if isinstance(value, dict) else value
    if not isinstance(found, list):
        raise answer.garbled("Azure DevOps' answer has no list where one was expected.")
    return [one for one in found if isinstance(one, dict)]


def _item(answer: Answer, *, needs_number: bool = True) -> dict:
    value = answer.object()
    numbers = (value.get("id"), value.get("rev"))
    if needs_number and not all(isinstance(one, int) and not isinstance(one, bool) for one in numbers):
        raise answer.garbled("Azure DevOps' answer does not say which work item and revision it is.")
    if not isinstance(value.get("fields"), dict):
        raise answer.garbled("Azure DevOps' answer holds no fields of a work item.")
    return value


def checked_number(id_: str) -> str:
    """One segment of a path: ids are numbers, so that a text from elsewhere can never climb out of it."""
    if not (id_.isascii() and id_.isdigit() and len(id_) < 20):
        raise errors.Gone("There is no such work item in Azure DevOps: they have numbers.")
    return id_


def _part(text: str) -> str:
    return quote(text, safe="")
