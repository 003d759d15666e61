"""Every answer of the sandboxed Azure DevOps, and every request of the walk, fits Microsoft's documents."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from integrations.sandbox.azure_devops.system import ROUTES
from tests.integrations.sandbox.azure_devops import (
    PREVIEW,
    attach,
    change,
    comment,
    comments,
    create,
    patched,
    setting,
)
from tests.integrations.sandbox.openapi import Document, Exchange, described
from tests.integrations.sandbox.vendor import Vendor, vendor

DOCUMENTS = ("azure-devops.trimmed.json", "azure-devops-hooks.trimmed.json")
# Null in the examples that Microsoft publishes beside its documents.
NULL = frozenset(("actions", "defaultValue", "subscriber", "message", "detailedMessage", "resource"))
# The documents know 200 alone, and so do the published examples; the service answers more exactly.
KNOWN = {
    "POST /{organization}/{project}/_apis/wit/attachments: 201 is not described",
    "DELETE /{organization}/{project}/_apis/wit/workItems/{workItemId}/comments/{commentId}: 204 is not described",
    "DELETE /{organization}/{project}/_apis/wit/recyclebin/{id}: 204 is not described",
    "DELETE /{organization}/_apis/hooks/subscriptions/{subscriptionId}: 204 is not described",
}
# A place left out with errorPolicy omit is null, as the text says and the schema does not.
HOLE = "None is not of type 'object'"


def walk_items(one: Vendor) -> None:
    """Work items with everything about them."""
    create(one, System_AssignedTo="ines@partner.example", System_Tags="a; b", Custom_Impact="High")
    create(one, "Task")
    url = one.get("/wit/workitems/2")["url"]
    change(one, 1, {"op": "test", "path": "/rev", "value": 1}, System_State="Active")
    link = {"rel": "System.LinkTypes.Related", "url": url, "attributes": {"comment": "both"}}
    change(one, 1, {"op": "add", "path": "/relations/-", "value": link})
    change(one, 1, {"op": "replace", "path": "/relations/0/attributes/comment", "value": "other"})
    attach(one, 1, "log.txt", b"a line")
    one.get("/wit/workitems/$Bug")
    for expand in ("none", "relations", "fields", "links", "all"):
        one.get("/wit/workitems/1", **{"$expand": expand})
        one.get("/wit/workitems", ids="1,2", **{"$expand": expand})
    one.send(
        "POST", "/wit/workitemsbatch", {"ids": [1, 9], "errorPolicy": "omit", "fields": ["System.Title"]}
    )
    for path in ("updates", "updates/2", "revisions", "revisions/2"):
        one.get(f"/wit/workItems/1/{path}")
    one.send("POST", "/wit/wiql", {"query": "SELECT [System.Id] FROM WorkItems ORDER BY [System.Id]"})
    one.get("/wit/reporting/workitemrevisions", includeIdentityRef="true")
    one.send("POST", "/wit/reporting/workitemrevisions", {"includeDeleted": True, "types": ["Bug"]})
    one.send("DELETE", "/wit/workitems/2")
    one.get("/wit/recyclebin")
    one.get("/wit/recyclebin", ids="2")
    one.get("/wit/recyclebin/2")
    one.send("PATCH", "/wit/recyclebin/2", {"isDeleted": False})
    one.send("DELETE", "/wit/workitems/2")
    one.send("DELETE", "/wit/recyclebin/2")
    patched(one, "PATCH", "/wit/workitems/1", *setting(System_Title=""))


def walk_comments_and_files(one: Vendor) -> None:
    """Comments in both formats with their versions, and a file in pieces."""
    made = comment(one, 1, "<b>x</b>")["id"]
    comment(one, 1, "**x**", format="markdown")
    path = f"/wit/workItems/1/comments/{made}"
    one("PATCH", path, {"text": "y"}, params={"api-version": PREVIEW})
    one.get(path, **{"api-version": PREVIEW, "$expand": "all"})
    one.get(f"{path}/versions", **{"api-version": PREVIEW})
    comments(one, 1, ids=str(made))
    comments(one, 1, **{"$top": "1"})
    one("DELETE", path, params={"api-version": PREVIEW})
    comments(one, 1, includeDeleted="true")
    start = one("POST", "/wit/attachments", params={"fileName": "a", "uploadType": "chunked"}).json()
    file = f"/wit/attachments/{start['id']}"
    one("PUT", file, data=b"abc", headers={"Content-Range": "bytes 0-2/3"})
    one("GET", file)


def walk_types(one: Vendor) -> None:
    """The process."""
    for path in (
        "workitemtypes",
        "workitemtypes/Bug",
        "workitemtypes/Bug/fields",
        "workitemtypes/Bug/states",
        "workitemtypes/Bug/fields/System.State",
        "fields",
        "fields/System.Title",
        "classificationnodes?$depth=2",
    ):
        one.get(f"/wit/{path}")
    one.get("/wit/tags", **{"api-version": "7.1-preview.1"})
    one.get(one.sign_in["url"] + "/_apis/wit/workitemrelationtypes")


def walk_hooks(one: Vendor) -> None:
    """Subscriptions to every event, and their deliveries."""
    url = one.sign_in["url"] + "/_apis/hooks"
    body: dict[str, Any] = {
        "publisherId": "tfs",
        "resourceVersion": "1.0",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": {},
        "consumerInputs": {"url": "http://127.0.0.1:9/"},
    }
    kinds = [each["id"] for each in one.get(url + "/publishers/tfs/eventtypes")["value"]]
    made = [one.send("POST", url + "/subscriptions", {**body, "eventType": kind}) for kind in kinds]
    assert len(made) == 5
    create(one)
    comment(one, 3, "x")
    id_ = next(each["id"] for each in made if each["eventType"] == "workitem.commented")
    one.get(f"{url}/subscriptions/{id_}/notifications")
    one.get(f"{url}/subscriptions/{id_}/notifications/1")
    one.send("POST", url + "/testnotifications", {"details": {**body, "eventType": "workitem.updated"}})
    one.send("POST", url + "/subscriptionsquery", {"publisherId": "tfs"})
    one.send("POST", url + "/publishersquery", {"publisherIds": ["tfs"]})
    one.get(url + "/subscriptions")
    one.get(f"{url}/subscriptions/{id_}")
    one.send("PUT", f"{url}/subscriptions/{id_}", {**body, "eventType": "workitem.created"})
    one.send("DELETE", f"{url}/subscriptions/{id_}")
    for path in (
        "publishers",
        "publishers/tfs",
        "publishers/tfs/eventtypes/workitem.created",
        "consumers",
        "consumers/webHooks",
        "consumers/webHooks/actions",
        "consumers/webHooks/actions/httpRequest",
    ):
        one.get(f"{url}/{path}")


def bare(exchange: Exchange) -> Exchange:
    """With a list instead of its wrapper, which the documents leave out."""
    answered = exchange.answered
    if isinstance(answered, dict) and set(answered) == {"count", "value"}:
        return replace(exchange, answered=answered["value"])
    return exchange


def test_every_exchange_fits_microsofts_documents(shared_data: Path) -> None:
    documents = [Document(shared_data / "contracts" / name, NULL) for name in DOCUMENTS]
    with vendor("azure_devops", denied=[]) as one:
        for walk in (walk_items, walk_comments_and_files, walk_types, walk_hooks):
            walk(one)
        exchanges = one.session.exchanges

    problems = {problem for each in exchanges for doc in documents for problem in doc.problems(bare(each))}
    assert sorted(one for one in problems if HOLE not in one) == sorted(KNOWN)

    visited = {(each.method, doc.route(each.path) or "") for each in exchanges for doc in documents}
    wanted = {route for doc in documents for route in described(doc)}
    served = {(method, "/_apis" + path) for method, path, _ in ROUTES}
    assert sorted((unnamed(wanted) & unnamed(served)) - unnamed(visited)) == []


def unnamed(routes: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Without organisation and project, the names in braces, which everybody chooses differently, and capitals."""
    return {
        (method, re.sub(r"\$?{[^}]*}", "{}", path.partition("/_apis")[2]).lower()) for method, path in routes
    }
