"""Azure DevOps' ways to find work items: WIQL, and the feed of all revisions.

https://learn.microsoft.com/rest/api/azure/devops/wit/wiql and
https://learn.microsoft.com/rest/api/azure/devops/wit/reporting-work-item-revisions
"""

from __future__ import annotations

import bisect
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from integrations.sandbox.azure_devops import errors, wiql
from integrations.sandbox.azure_devops.context import Call
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.schema import Field
from integrations.sandbox.azure_devops.state import Person, Revision, WorkItem
from integrations.sandbox.azure_devops.views import View, node_id, time_text
from integrations.sandbox.wire import Response, json_response

MAX_WIQL_CHARS = 32_000
MAX_PAGE = 1000


def query(call: Call) -> Response:
    """POST /wit/wiql?timePrecision=&$top=: only ids, whatever is selected."""
    text = str(call.body().get("query") or "")
    if not text.strip():
        raise Wrong("Value cannot be null.\r\nParameter name: wiql", "ArgumentNullException")
    if len(text) > MAX_WIQL_CHARS:
        message = f"The query is longer than {MAX_WIQL_CHARS} characters."
        raise Wrong(message, "WorkItemTrackingQueryMaxWiqlTextLengthLimitExceededException")
    found = wiql.parse(text, _asked(call))
    items = [one for one in call.organization.items.values() if _is_seen(call, one) and found.test(one)]
    for field, descending in reversed(found.order):
        items.sort(key=functools.partial(_sort_key, call, field), reverse=descending)
    most = call.organization.settings.max_query_results
    top = call.request.number("$top", 0)
    if len(items) > most and not 0 < top <= most:
        message = (
            f"VS402337: The number of work items returned exceeds the size limit of {most}. Change the query to "
            "return fewer items."
        )
        raise Wrong(message, "WorkItemTrackingQueryResultSizeLimitExceededException")
    told = items[:top] if top > 0 else items
    value: dict[str, Any] = {
        "queryType": "flat",
        "queryResultType": "workItem",
        "asOf": time_text(int(call.now.timestamp() * 1000)),
        "columns": [call.view.field_reference(one) for one in found.columns],
    }
    if found.order:
        value["sortColumns"] = [
            {"field": call.view.field_reference(field), "descending": descending}
            for field, descending in found.order
        ]
    value["workItems"] = [
        {"id": one.id, "url": f"{call.view.project_base}/_apis/wit/workItems/{one.id}"} for one in told
    ]
    return json_response(value)


def _is_seen(call: Call, item: WorkItem) -> bool:
    return not item.is_deleted and not _is_hidden(call, item)


def _asked(call: Call) -> wiql.Asked:
    return wiql.Asked(
        call.organization.schema,
        call.organization.api_user,
        call.organization.settings.project if call.has_project else "",
        call.now,
        call.flag("timePrecision"),
        lambda item, field: _read(call, item, field),
    )


def _read(call: Call, item: WorkItem, field: Field) -> Any:
    """A field's value for comparing."""
    match field.reference:
        case "System.Id":
            return item.id
        case "System.Rev":
            return item.now.rev
        case "System.TeamProject":
            return call.organization.settings.project
        case "System.WorkItemType":
            return item.type.name
        case "System.Watermark":
            return item.now.watermark
        case "System.AreaId":
            return node_id(call.organization, "area", str(item.fields["System.AreaPath"]))
        case "System.IterationId":
            return node_id(call.organization, "iteration", str(item.fields["System.IterationPath"]))
        case "System.AuthorizedDate":
            return item.now.at
        case "System.History":
            return " ".join(one.now.text for one in item.comments if not one.now.is_deleted)
        case _:
            return item.fields.get(field.reference)


def _sort_key(call: Call, field: Field, item: WorkItem) -> tuple[int, Any]:
    value = _read(call, item, field)
    if value is None:
        return 0, 0
    if isinstance(value, Person):
        return 2, value.name.lower()
    return (2, value.lower()) if isinstance(value, str) else (1, value)


# --- The feed of revisions ---


@dataclass(frozen=True, slots=True)
class _Feed:
    """Which revisions somebody wants to be told."""

    types: frozenset[str]
    latest: bool
    discussed: bool
    with_deleted: bool

    def wants(self, item: WorkItem, one: Revision) -> bool:
        """Whether this revision is one of them."""
        if item.is_deleted and not self.with_deleted:
            return False
        if self.types and item.type.name.lower() not in self.types:
            return False
        return (one is item.now or not self.latest) and ("System.History" in one.fields or not self.discussed)


def revisions(call: Call) -> Response:
    """GET or POST /wit/reporting/workitemrevisions: in the order of their watermarks."""
    body = call.body() if call.request.method == "POST" else {}

    def wants(name: str) -> bool:
        return body.get(name) is True or call.flag(name)

    feed = _Feed(
        frozenset(str(one).lower() for one in body.get("types") or call.listed("types")),
        wants("includeLatestOnly"),
        wants("includeDiscussionChangesOnly"),
        wants("includeDeleted"),
    )
    names = [str(one) for one in body.get("fields") or call.listed("fields")]
    only = call.fields(names) if names else None
    size = max(1, min(call.request.number("$maxPageSize", MAX_PAGE), MAX_PAGE))
    after = _start(call)
    # One more than fits tells that there is more.
    found = list(itertools.islice(_since(call, after, feed), size + 1))
    told = found[:size]
    view = View(call.organization, call.request.origin, as_objects=wants("includeIdentityRef"))
    token = str(told[-1][1].watermark if told else after)
    base = call.view.project_base if call.has_project else call.view.base
    return json_response(
        {
            "values": [_revision(view, item, one, only) for item, one in told],
            "nextLink": f"{base}/_apis/wit/reporting/workItemRevisions?continuationToken={token}&api-version=7.1",
            "continuationToken": token,
            "isLastBatch": len(found) <= size,
        }
    )


def _since(call: Call, after: int, feed: _Feed) -> Iterator[tuple[WorkItem, Revision]]:
    log = call.organization.log
    for at in range(bisect.bisect_right(log, after, key=_watermark), len(log)):
        id_, one = log[at]
        item = call.organization.items.get(id_)
        if item is not None and not _is_hidden(call, item) and feed.wants(item, one):
            yield item, one


def _start(call: Call) -> int:
    """The watermark after which to go on: the token's, or that of the last revision before a time."""
    if token := call.request.one("continuationToken") or call.request.one("watermark"):
        if not token.isdigit():
            raise errors.bad_argument(f"The continuation token '{token}' cannot be used.")
        return int(token)
    at = call.time(call.request.one("startDateTime"))
    if at is None:
        return 0
    return max((one.watermark for _, one in call.organization.log if one.at < at), default=0)


def _watermark(entry: tuple[int, Revision]) -> int:
    return entry[1].watermark


def _is_hidden(call: Call, item: WorkItem) -> bool:
    return item.id in call.organization.settings.hidden_items


def _revision(view: View, item: WorkItem, one: Revision, only: list[str] | None) -> dict[str, Any]:
    fields = {"System.Id": item.id, "System.Rev": one.rev, **view.fields(item, one, wide=True)}
    if only is not None:
        fields = {name: value for name, value in fields.items() if name in only}
    value: dict[str, Any] = {"id": item.id, "rev": one.rev, "fields": fields}
    if one.comment is not None:
        value["commentVersionRef"] = view.comment_reference(item, one)
    return value


ROUTES = (
    ("POST", "/wit/wiql", query),
    ("GET", "/wit/reporting/workitemrevisions", revisions),
    ("POST", "/wit/reporting/workitemrevisions", revisions),
)
