"""Azure DevOps' comment endpoints, which are under preview in every version.

https://learn.microsoft.com/rest/api/azure/devops/wit/comments
"""

from __future__ import annotations

from integrations.sandbox.azure_devops import comments, errors, events
from integrations.sandbox.azure_devops.context import Call
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.state import Comment, WorkItem
from integrations.sandbox.wire import Response, empty, json_response

MAX_PAGE = 200


def add(call: Call, id_: str) -> Response:
    """POST /wit/workItems/{id}/comments: HTML, or Markdown with ?format=markdown"""
    item = call.item(id_)
    call.check_right("write", "Edit work items in this node")
    comment, update = comments.add(
        call.organization, item, call.body().get("text"), _format(call, "html"), call.doing()
    )
    for event in events.of_update(item, update):
        call.tell(event)
    return json_response(call.view.comment(comment))


def _format(call: Call, otherwise: str) -> str:
    wanted = call.request.one("format").lower() or otherwise
    if wanted not in ("html", "markdown"):
        raise errors.bad_argument(f"The value '{wanted}' is not valid for the parameter format.")
    return wanted


def listed(call: Call, id_: str) -> Response:
    """GET /wit/workItems/{id}/comments: the newest first unless ?order=asc, or those in ?ids="""
    item = call.item(id_)
    with_deleted = call.flag("includeDeleted")
    found = [one for one in item.comments if with_deleted or not one.now.is_deleted]
    url = f"{call.view.project_base}/_apis/wit/workItems/{item.id}/comments"
    total = len(found)
    if "ids" in call.request.query:
        wanted = call.listed("ids")
        found = [one for one in found if str(one.id) in wanted]
        told = [call.view.comment(one, call.expand()) for one in found]
        return json_response({"totalCount": total, "count": len(told), "comments": told, "url": url})
    descending = call.request.one("order", "desc").lower() != "asc"
    found.sort(key=lambda one: one.id, reverse=descending)
    if (token := call.request.number("continuationToken", 0)) > 0:
        found = [one for one in found if (one.id <= token if descending else one.id >= token)]
    size = max(1, min(call.request.number("$top", MAX_PAGE), MAX_PAGE))
    value = {
        "totalCount": total,
        "count": len(found[:size]),
        "comments": [call.view.comment(one, call.expand()) for one in found[:size]],
        "url": url,
    }
    if len(found) > size:
        value["continuationToken"] = str(found[size].id)
        value["nextPage"] = (
            f"{url}?continuationToken={found[size].id}&$top={size}&order={'desc' if descending else 'asc'}"
        )
    return json_response(value)


def _find(call: Call, item: WorkItem, comment_id: str, *, with_deleted: bool = False) -> Comment:
    found = next((one for one in item.comments if str(one.id) == comment_id), None)
    if found is None or (found.now.is_deleted and not with_deleted):
        message = f"Comment {comment_id} for work item {item.id} does not exist or you do not have permissions to read it."
        raise Wrong(message, "WorkItemCommentNotFoundException", 404)
    return found


def read(call: Call, id_: str, comment_id: str) -> Response:
    """GET /wit/workItems/{id}/comments/{commentId}"""
    comment = _find(call, call.item(id_), comment_id, with_deleted=call.flag("includeDeleted"))
    return json_response(call.view.comment(comment, call.expand()))


def edit(call: Call, id_: str, comment_id: str) -> Response:
    """PATCH /wit/workItems/{id}/comments/{commentId}"""
    item = call.item(id_)
    call.check_right("write", "Edit work items in this node")
    comment = _find(call, item, comment_id)
    text = call.body().get("text")
    update = comments.edit(
        call.organization, item, comment, text, _format(call, comment.now.format), call.doing()
    )
    for event in events.of_update(item, update):
        call.tell(event)
    return json_response(call.view.comment(comment))


def delete(call: Call, id_: str, comment_id: str) -> Response:
    """DELETE /wit/workItems/{id}/comments/{commentId}"""
    item = call.item(id_)
    call.check_right("write", "Edit work items in this node")
    update = comments.delete(call.organization, item, _find(call, item, comment_id), call.doing())
    for event in events.of_update(item, update):
        call.tell(event)
    return empty()


def versions(call: Call, id_: str, comment_id: str) -> Response:
    """GET /wit/workItems/{id}/comments/{commentId}/versions"""
    comment = _find(call, call.item(id_), comment_id, with_deleted=True)
    told = [call.view.comment_version(comment, one) for one in reversed(comment.versions)]
    return json_response(call.view.collection(told))


ROUTES = (
    ("POST", "/wit/workitems/{id}/comments", add),
    ("GET", "/wit/workitems/{id}/comments", listed),
    ("GET", "/wit/workitems/{id}/comments/{commentId}", read),
    ("PATCH", "/wit/workitems/{id}/comments/{commentId}", edit),
    ("DELETE", "/wit/workitems/{id}/comments/{commentId}", delete),
    ("GET", "/wit/workitems/{id}/comments/{commentId}/versions", versions),
)
