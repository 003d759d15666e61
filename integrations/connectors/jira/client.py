"""Jira Cloud's REST interface, version 3: one function a call.  No rules here, only addresses and shapes.

Every function may raise ConnectorError.  Answers stay JSON as Jira gives them; what they mean is said in `fields`,
`history` and `workflow`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from urllib.parse import quote

from integrations.connectors import errors
from integrations.connectors.http import Http
from integrations.connectors.jira.multipart import Form

API = "/rest/api/3"

# A list longer than this is not read to its end: 20,000 entries on one ticket is somebody's loop.
PAGE_SIZE = 100
MAX_PAGES = 200
# For answers that hold hardly more than an id.
LONG_PAGE = 1_000

# What history and comparison need, in one answer.  The fields left out are large, are never exchanged and change
# without a history entry.
ISSUE_FIELDS = (
    "*all,-worklog,-watches,-votes,-issuelinks,-subtasks,-timetracking,-progress,-aggregateprogress"
)
ISSUE_EXPAND = "changelog,transitions,transitions.fields"
PROPERTY = "concord"


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-myself/#api-rest-api-3-myself-get
def myself(http: Http) -> dict:
    """The account we sign in with: accountId, displayName, timeZone."""
    return http.request("GET", f"{API}/myself").object()


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-permissions/#api-rest-api-3-mypermissions-get
def my_permissions(http: Http, project_key: str, permissions: Sequence[str]) -> dict:
    """Which of these permissions we have in the project: {"permissions": {KEY: {"havePermission": bool}}}."""
    params = {"projectKey": project_key, "permissions": ",".join(permissions)}
    return http.request("GET", f"{API}/mypermissions", params=params).object()


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-get
def issue_types(http: Http, project_key: str) -> list[dict]:
    """The issue types that we may create in the project."""
    path = f"{API}/issue/createmeta/{_part(project_key)}/issuetypes"
    return list(_pages(http, path, {}, ("issueTypes", "values", "createMetaIssueType")))


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-createmeta-projectidorkey-issuetypes-issuetypeid-get
def create_fields(http: Http, project_key: str, issue_type_id: str) -> list[dict]:
    """The fields of an issue type, with what each takes."""
    path = f"{API}/issue/createmeta/{_part(project_key)}/issuetypes/{_part(issue_type_id)}"
    return list(_pages(http, path, {}, ("fields", "values", "results")))


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-projects/#api-rest-api-3-project-projectidorkey-get
def project(http: Http, project_key: str) -> dict:
    """The project: its id, key and name."""
    return http.request("GET", f"{API}/project/{_part(project_key)}").object()


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-projects/#api-rest-api-3-project-projectidorkey-statuses-get
def project_statuses(http: Http, project_key: str) -> list[dict]:
    """Per issue type of the project: its statuses."""
    return _list(http.request("GET", f"{API}/project/{_part(project_key)}/statuses").json())


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-resolutions/#api-rest-api-3-resolution-get
def resolutions(http: Http) -> list[dict]:
    """All resolutions of the site."""
    return _list(http.request("GET", f"{API}/resolution").json())


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-user-search/#api-rest-api-3-user-assignable-search-get
def assignable_users(http: Http, project_key: str, query: str) -> list[dict]:
    """People who may be assigned in the project and whose name or e-mail address begins with `query`."""
    params: dict[str, str | int] = {"project": project_key, "query": query, "maxResults": 10}
    return _list(http.request("GET", f"{API}/user/assignable/search", params=params).json())


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
def get_issue(http: Http, issue_id: str) -> dict:
    """An issue with its fields, comments, files, recent changelog, open transitions and our own property."""
    params = {"fields": ISSUE_FIELDS, "expand": ISSUE_EXPAND, "properties": PROPERTY}
    return http.request("GET", f"{API}/issue/{_part(issue_id)}", params=params).object()


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-changelog-get
def changelog(http: Http, issue_id: str) -> list[dict]:
    """The whole changelog, oldest first."""
    return list(_pages(http, f"{API}/issue/{_part(issue_id)}/changelog", {}, ("values", "histories")))


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/#api-rest-api-3-issue-issueidorkey-comment-get
def comments(http: Http, issue_id: str) -> list[dict]:
    """All comments, oldest first."""
    path = f"{API}/issue/{_part(issue_id)}/comment"
    return list(_pages(http, path, {"orderBy": "created"}, ("comments", "values")))


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/#api-rest-api-3-comment-list-post
def comments_with_properties(http: Http, ids: Sequence[str]) -> list[dict]:
    """These comments (at most 1,000) with their properties.  A read, although it is a POST."""
    answer = http.request(
        "POST",
        f"{API}/comment/list",
        params={"expand": "properties"},
        json_body={"ids": [int(one) for one in ids if one.isascii() and one.isdigit()]},
        is_write=False,
    )
    return _list(answer.object().get("values"))


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
def workflow_place(http: Http, issue_id: str) -> dict:
    """An issue's status, type and project, the steps open to us from there, and its recent changelog."""
    params = {"fields": "status,issuetype,project", "expand": ISSUE_EXPAND}
    return http.request("GET", f"{API}/issue/{_part(issue_id)}", params=params).object()


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-workflows/#api-rest-api-3-workflows-post
def workflow_plan(http: Http, project_id: str, issue_type_id: str) -> dict:
    """The whole workflow of a project's issue type.  A read, although it is a POST.

    Forbidden or Unauthorized without the global right to administer Jira or, in a team-managed project, the right to
    see its workflow.
    """
    asked = {"projectAndIssueTypes": [{"projectId": project_id, "issueTypeId": issue_type_id}]}
    return http.request("POST", f"{API}/workflows", json_body=asked, is_write=False).object()


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-get
def texts(http: Http, issue_id: str, names: Sequence[str]) -> dict:
    """An issue with these fields alone."""
    return http.request("GET", f"{API}/issue/{_part(issue_id)}", params={"fields": ",".join(names)}).object()


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-post
def create_issue(http: Http, body: Mapping[str, object]) -> dict:
    """Create an issue; answers its id and key."""
    return http.request("POST", f"{API}/issue", json_body=body, expect=(200, 201)).object()


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-put
def edit_issue(http: Http, issue_id: str, body: Mapping[str, object]) -> None:
    """Set fields.  The answer is empty (204), or the issue (200) on sites that return it."""
    http.request("PUT", f"{API}/issue/{_part(issue_id)}", json_body=body, expect=(200, 204))


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-transitions-post
def transition_issue(http: Http, issue_id: str, body: Mapping[str, object]) -> None:
    """Take a step of the workflow.  The answer is empty."""
    http.request("POST", f"{API}/issue/{_part(issue_id)}/transitions", json_body=body, expect=(200, 204))


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/#api-rest-api-3-issue-issueidorkey-comment-post
def add_comment(http: Http, issue_id: str, body: Mapping[str, object]) -> dict:
    """Add a comment; answers the comment."""
    path = f"{API}/issue/{_part(issue_id)}/comment"
    return http.request("POST", path, json_body=body, expect=(200, 201)).object()


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-attachments/#api-rest-api-3-attachment-meta-get
def attachment_settings(http: Http) -> dict:
    """Whether files are on, and the largest one in bytes."""
    return http.request("GET", f"{API}/attachment/meta").object()


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-attachments/#api-rest-api-3-issue-issueidorkey-attachments-post
def add_attachment(http: Http, issue_id: str, form: Form) -> list[dict]:
    """Add a file; answers a list of one attachment."""
    # Without this header Jira takes the request for a forged form and refuses it.
    headers = {"X-Atlassian-Token": "no-check", "Content-Type": form.content_type}
    path = f"{API}/issue/{_part(issue_id)}/attachments"
    return _list(http.request("POST", path, data=form.body, headers=headers, expect=(200, 201)).json())


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-attachments/#api-rest-api-3-attachment-content-id-get
def attachment_content(
    http: Http, attachment_id: str, limit_bytes: int
) -> AbstractContextManager[Iterator[bytes]]:
    """A file's bytes in chunks."""
    return http.stream(
        f"{API}/attachment/content/{_part(attachment_id)}?redirect=false", limit_bytes=limit_bytes
    )


# https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
def search(
    http: Http,
    jql: str,
    *,
    fields: Sequence[str] = ("updated",),
    properties: Sequence[str] = (),
    expand: str = "",
    page_token: str = "",
    page_size: int = PAGE_SIZE,
) -> dict:
    """One page of a search: {"issues": [...], "isLast": bool, "nextPageToken"?: text}.  A read, although a POST."""
    body: dict[str, object] = {"jql": jql, "fields": list(fields), "maxResults": page_size}
    if properties:
        body["properties"] = list(properties)
    if expand:
        body["expand"] = expand
    if page_token:
        body["nextPageToken"] = page_token
    return http.request("POST", f"{API}/search/jql", json_body=body, is_write=False).object()


def search_all(http: Http, jql: str, *, properties: Sequence[str]) -> Iterator[dict]:
    """All issues of a search, read page by page as they are asked for, with these properties."""
    token = ""
    for _ in range(MAX_PAGES):
        page = search(
            http, jql, fields=("created",), properties=properties, page_token=token, page_size=LONG_PAGE
        )
        yield from _list(page.get("issues"))
        token = str(page.get("nextPageToken") or "")
        if not token or page.get("isLast") is True:
            return
    raise errors.Garbled("The search did not end.")


def _pages(http: Http, path: str, params: Mapping[str, str], names: Sequence[str]) -> Iterator[dict]:
    """The entries of a list that is paged with startAt; the list goes by one of `names`."""
    start_at = 0
    for _ in range(MAX_PAGES):
        asked: dict[str, str | int | Sequence[str]] = {**params, "startAt": start_at, "maxResults": PAGE_SIZE}
        answer = http.request("GET", path, params=asked).object()
        entries = next((answer[name] for name in names if isinstance(answer.get(name), list)), None)
        if entries is None:
            raise errors.Garbled("Jira's answer has no list where one was expected.", detail=path)
        yield from dicts(entries)
        start_at += len(entries)
        total = answer.get("total")
        if not entries or answer.get("isLast") is True or (isinstance(total, int) and start_at >= total):
            return
    raise errors.Garbled(f"The list at {path} did not end.")


def _list(value: object) -> list[dict]:
    if not isinstance(value, list):
        raise errors.Garbled("Jira's answer has no list where one was expected.")
    return dicts(value)


def dicts(value: object) -> list[dict]:
    """The objects of a list in an answer; none where there is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _part(text: str) -> str:
    """One segment of a path: an id from elsewhere can never climb out of it."""
    return quote(text, safe="")
