"""What the tests of the sandboxed Azure DevOps do over and over: patches, work items, comments, files."""

from __future__ import annotations

import json
from typing import Any

import requests

from tests.integrations.sandbox.vendor import Vendor

PREVIEW = "7.1-preview.4"


def patched(
    one: Vendor, method: str, path: str, *operations: dict[str, Any], **query: str
) -> requests.Response:
    """Send a JSON patch."""
    return one(
        method,
        path,
        data=json.dumps(operations).encode(),
        params=query,
        headers={"Content-Type": "application/json-patch+json"},
    )


def setting(**fields: Any) -> list[dict[str, Any]]:
    """An operation for each field; `System_Title` names `System.Title`."""
    return [
        {"op": "add", "path": f"/fields/{name.replace('_', '.')}", "value": value}
        for name, value in fields.items()
    ]


def create(one: Vendor, type_: str = "Bug", **fields: Any) -> dict[str, Any]:
    """A new work item."""
    fields.setdefault("System_Title", "VPN is down")
    response = patched(one, "POST", f"/wit/workitems/${type_}", *setting(**fields))
    assert response.status_code == 200, response.text
    return dict(response.json())


def change(one: Vendor, id_: int, *operations: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A changed work item."""
    response = patched(one, "PATCH", f"/wit/workitems/{id_}", *operations, *setting(**fields))
    assert response.status_code == 200, response.text
    return dict(response.json())


def refused(response: requests.Response) -> tuple[int, str, str]:
    """A refusal's status, key and message."""
    body = response.json()
    return response.status_code, body["typeKey"], body["message"]


def comment(one: Vendor, id_: int, text: str, **query: str) -> dict[str, Any]:
    """A new comment."""
    response = one(
        "POST", f"/wit/workItems/{id_}/comments", {"text": text}, params={"api-version": PREVIEW, **query}
    )
    assert response.status_code == 200, response.text
    return dict(response.json())


def comments(one: Vendor, id_: int, **query: str) -> dict[str, Any]:
    """A page of comments."""
    return dict(one.get(f"/wit/workItems/{id_}/comments", **{"api-version": PREVIEW, **query}))


def upload(one: Vendor, name: str, data: bytes) -> dict[str, Any]:
    """An uploaded file that hangs on nothing yet."""
    response = one(
        "POST",
        "/wit/attachments",
        data=data,
        params={"fileName": name},
        headers={"Content-Type": "application/octet-stream"},
    )
    assert response.status_code == 201, response.text
    return dict(response.json())


def attach(one: Vendor, id_: int, name: str, data: bytes) -> dict[str, Any]:
    """A work item with one more file."""
    link = {"rel": "AttachedFile", "url": upload(one, name, data)["url"]}
    return change(one, id_, {"op": "add", "path": "/relations/-", "value": link})


def updates(one: Vendor, id_: int) -> list[dict[str, Any]]:
    """The steps of a work item."""
    return list(one.get(f"/wit/workItems/{id_}/updates")["value"])
