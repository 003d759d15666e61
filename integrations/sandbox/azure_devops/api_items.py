"""Azure DevOps' work item endpoints: create, read, change, delete.

https://learn.microsoft.com/rest/api/azure/devops/wit/work-items
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integrations.sandbox.azure_devops import errors, events, items, patch
from integrations.sandbox.azure_devops.context import Call
from integrations.sandbox.azure_devops.errors import Wrong
from integrations.sandbox.azure_devops.patch import Wanted
from integrations.sandbox.azure_devops.process import ItemType
from integrations.sandbox.azure_devops.rules import Doing
from integrations.sandbox.azure_devops.state import Revision, WorkItem
from integrations.sandbox.wire import Response, empty, json_response

MAX_IDS = 200
_PATCH = "application/json-patch+json"


def create(call: Call, type_: str) -> Response:
    """POST /wit/workitems/${type}: 200 with the work item."""
    call.check_right("write", "Edit work items in this node")
    item_type = _type(call, type_)
    wanted = _wanted(call)
    if call.flag("validateOnly"):
        trial = items.create(call.organization, item_type, wanted, call.doing(), is_kept=False)
        return _answer(call, trial)
    item = items.create(call.organization, item_type, wanted, call.doing())
    call.tell(events.Event(events.CREATED, item, item.updates[0]))
    return _answer(call, item)


def _type(call: Call, name: str) -> ItemType:
    settings = call.organization.settings
    found = call.organization.schema.type(name.removeprefix("$")) if name.startswith("$") else None
    if found is None:
        raise errors.no_type(name.removeprefix("$"), settings.project)
    return found


def _wanted(call: Call) -> Wanted:
    content_type = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != _PATCH:
        message = (
            f'The request indicated a Content-Type of "{content_type}" for method type "{call.request.method}" '
            f"which is not supported. Valid content types for this method are: {_PATCH}."
        )
        raise Wrong(
            message, "VssRequestContentTypeNotSupportedException", 415, space=errors.WEB_API, event=3000
        )
    return patch.read(call.request.json())


def _answer(call: Call, item: WorkItem) -> Response:
    """The whole work item.  Recorded answers to a write have the links too, asked for or not."""
    expand = call.expand()
    return json_response(call.view.item(item, expand="relations" if expand in ("none", "links") else expand))


def template(call: Call, type_: str) -> Response:
    """GET /wit/workitems/${type}: what a new work item would have."""
    item_type = _type(call, type_)
    seconds = call.now.timestamp()
    doing = Doing(call.organization.api_user, int(seconds * 1000), seconds, bypass=True)
    trial = items.create(call.organization, item_type, Wanted(), doing, is_kept=False)
    value = call.view.item(trial, expand="none")
    return json_response({"fields": value["fields"], "url": call.view.type_url(item_type)})


def read(call: Call, id_: str) -> Response:
    """GET /wit/workitems/{id}"""
    if id_.startswith("$"):
        return template(call, id_)
    item = call.item(id_)
    expand, only = _shape(call, call.listed("fields"), call.expand())
    return json_response(_told(call, item, expand if expand != "none" else "links", only, None))


def _shape(call: Call, names: list[str], expand: str) -> tuple[str, list[str] | None]:
    if names and expand not in ("none", "links"):
        message = "The expand parameter can not be used with the fields parameter."
        raise Wrong(message, "ConflictingParametersException")
    return expand, call.fields(names) if names else None


def _told(
    call: Call, item: WorkItem, expand: str, only: Sequence[str] | None, as_of: object
) -> dict[str, Any]:
    at = call.time(as_of if as_of is not None else call.request.one("asOf"))
    if at is None:
        return call.view.item(item, expand=expand, only=only)
    then = [one for one in item.revisions if one.at <= at]
    if not then:
        raise errors.unseen_item(item.id)
    value = call.view.item(item, then[-1], expand=expand, only=only)
    links = {"_links": call.view.links(item)} if "_links" in value else {}
    return value | links | {"url": call.view.item_url(item)}


def read_list(call: Call) -> Response:
    """GET /wit/workitems?ids="""
    return _batch(call, call.listed("ids"), call.listed("fields"), call.expand(),
                  call.request.one("errorPolicy"), call.request.one("asOf"))  # fmt: skip


def read_batch(call: Call) -> Response:
    """POST /wit/workitemsbatch: at most 200."""
    body = call.body()
    ids = [str(one) for one in body.get("ids") or []]
    names = [str(one) for one in body.get("fields") or []]
    expand = str(body.get("$expand") or "none").lower()
    return _batch(call, ids, names, expand, str(body.get("errorPolicy") or ""), body.get("asOf") or "")


def _batch(call: Call, ids: list[str], names: list[str], expand: str, policy: str, as_of: object) -> Response:
    if not ids or not all(one.isdigit() for one in ids):
        raise errors.bad_argument("The parameter ids must hold at least one work item id.")
    if len(ids) > MAX_IDS:
        raise errors.bad_argument(f"The number of work items asked for exceeds the limit of {MAX_IDS}.")
    expand, only = _shape(call, names, expand)
    found: list[dict[str, Any] | None] = []
    for id_ in ids:
        item = call.organization.item(int(id_))
        if item is not None:
            found.append(_told(call, item, expand, only, as_of))
        elif policy.lower() == "omit":
            found.append(None)
        else:
            raise errors.unseen_item(id_)
    return json_response(call.view.collection(found))


def change(call: Call, id_: str) -> Response:
    """PATCH /wit/workitems/{id}: 200 with the whole work item."""
    item = call.item(id_)
    call.check_right("write", "Edit work items in this node")
    wanted = _wanted(call)
    if call.flag("validateOnly"):
        return _answer(call, items.checked(call.organization, item, wanted, call.doing()))
    update = items.change(call.organization, item, wanted, call.doing())
    if update is not None:
        for event in events.of_update(item, update):
            call.tell(event)
    return _answer(call, item)


def delete(call: Call, id_: str) -> Response:
    """DELETE /wit/workitems/{id}: into the recycle bin, or for good with ?destroy=true."""
    item = call.item(id_)
    call.check_right("write", "Delete work items in this project")
    if call.flag("destroy"):
        call.check_right("destroy", "Permanently delete work items")
        items.destroy(call.organization, item)
        return empty()
    update = items.delete(call.organization, item, call.doing())
    call.tell(events.Event(events.DELETED, item, update))
    return json_response(call.view.deleted(item))


# --- The recycle bin ---


def _binned(call: Call, id_: str) -> WorkItem:
    item = call.organization.items.get(int(id_)) if id_.isdigit() else None
    if item is None or not item.is_deleted:
        raise errors.unseen_item(id_)
    return item


def bin_list(call: Call) -> Response:
    """GET /wit/recyclebin: short references, or more of those in ?ids="""
    if ids := call.listed("ids"):
        return json_response(call.view.collection([_without_item(call, _binned(call, one)) for one in ids]))
    found = [one for one in call.organization.items.values() if one.is_deleted]
    return json_response(
        call.view.collection({"id": one.id, "url": call.view.item_url(one)} for one in found)
    )


def _without_item(call: Call, item: WorkItem) -> dict[str, Any]:
    return {name: value for name, value in call.view.deleted(item).items() if name != "resource"}


def bin_read(call: Call, id_: str) -> Response:
    """GET /wit/recyclebin/{id}"""
    return json_response(_without_item(call, _binned(call, id_)))


def bin_restore(call: Call, id_: str) -> Response:
    """PATCH /wit/recyclebin/{id} with isDeleted false"""
    item = _binned(call, id_)
    call.check_right("write", "Restore work items")
    if call.body().get("isDeleted") is not False:
        message = "The value of isDeleted must be false."
        raise Wrong(message, "WorkItemInvalidRestoreRequestException")
    update = items.restore(call.organization, item, call.doing())
    call.tell(events.Event(events.RESTORED, item, update))
    return json_response(call.view.deleted(item))


def bin_destroy(call: Call, id_: str) -> Response:
    """DELETE /wit/recyclebin/{id}"""
    item = _binned(call, id_)
    call.check_right("destroy", "Permanently delete work items")
    items.destroy(call.organization, item)
    return empty()


# --- History ---


def updates(call: Call, id_: str) -> Response:
    """GET /wit/workItems/{id}/updates: oldest first, 200 at a time."""
    item = call.item(id_)
    chosen = _page(call, item.updates)
    return json_response(call.view.collection(call.view.update(item, one) for one in chosen))


def _page(call: Call, found: list[Any]) -> list[Any]:
    skip, top = max(0, call.request.number("$skip", 0)), call.request.number("$top", MAX_IDS)
    return found[skip : skip + max(0, min(top, MAX_IDS))]


def update(call: Call, id_: str, number: str) -> Response:
    """GET /wit/workItems/{id}/updates/{updateNumber}"""
    item = call.item(id_)
    found = [one for one in item.updates if str(one.id) == number]
    if not found:
        raise _no_revision(item, number)
    return json_response(call.view.update(item, found[0]))


def _no_revision(item: WorkItem, number: str) -> Wrong:
    message = f"Revision {number} of work item {item.id} does not exist."
    return Wrong(message, "WorkItemIdRevisionNotFoundException", 404)


def revisions(call: Call, id_: str) -> Response:
    """GET /wit/workItems/{id}/revisions: the whole work item at each of them."""
    item = call.item(id_)
    expand = call.expand()
    chosen: list[Revision] = _page(call, item.revisions)
    return json_response(call.view.collection(call.view.item(item, one, expand=expand) for one in chosen))


def revision(call: Call, id_: str, number: str) -> Response:
    """GET /wit/workItems/{id}/revisions/{revisionNumber}"""
    item = call.item(id_)
    found = [one for one in item.revisions if str(one.rev) == number]
    if not found:
        raise _no_revision(item, number)
    expand = call.expand()
    return json_response(call.view.item(item, found[0], expand=expand if expand != "none" else "links"))


ROUTES = (
    ("POST", "/wit/workitems/{type}", create),
    ("GET", "/wit/workitems/{id}", read),
    ("GET", "/wit/workitems", read_list),
    ("POST", "/wit/workitemsbatch", read_batch),
    ("PATCH", "/wit/workitems/{id}", change),
    ("DELETE", "/wit/workitems/{id}", delete),
    ("GET", "/wit/recyclebin", bin_list),
    ("GET", "/wit/recyclebin/{id}", bin_read),
    ("PATCH", "/wit/recyclebin/{id}", bin_restore),
    ("DELETE", "/wit/recyclebin/{id}", bin_destroy),
    ("GET", "/wit/workitems/{id}/updates", updates),
    ("GET", "/wit/workitems/{id}/updates/{updateNumber}", update),
    ("GET", "/wit/workitems/{id}/revisions", revisions),
    ("GET", "/wit/workitems/{id}/revisions/{revisionNumber}", revision),
)
