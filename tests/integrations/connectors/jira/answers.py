"""What Jira says: pieces of its answers, as a test needs them."""

from __future__ import annotations

from collections.abc import Mapping

ME = {"accountId": "acc:concord", "displayName": "Concord", "emailAddress": "concord@example.com"}
ANN = {"accountId": "acc:ann", "displayName": "Ann Lee", "emailAddress": "ann@example.com"}


def adf(words: str) -> dict:
    return {
        "type": "doc",
        "version": 1,
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": words}]}],
    }


def rich(words: str) -> dict:
    return {"rich": [{"p": [{"t": words}]}]}


def at(minute: int, second: int = 0) -> str:
    """A time on that morning, as Jira writes it."""
    return f"2026-03-01T10:{minute:02}:{second:02}.000+0000"


def status(name: str, category: str = "new") -> dict:
    return {"id": f"s-{name}", "name": name, "statusCategory": {"key": category}}


def transition(id_: str, to: str, screen: Mapping[str, dict] | None = None) -> dict:
    fields = {} if screen is None else {"fields": dict(screen)}
    return {"id": id_, "name": f"Go to {to}", "to": status(to), **fields}


def entry(id_: int, minute: int, *items: dict, author: dict = ANN, **more: object) -> dict:
    return {"id": str(id_), "author": author, "created": at(minute), "items": list(items), **more}


def item(name: str, before: object, after: object, from_id: object = None, to_id: object = None) -> dict:
    return {
        "field": name,
        "fieldId": name,
        "fieldtype": "jira",
        "from": from_id,
        "fromString": before,
        "to": to_id,
        "toString": after,
    }


def comment(id_: int, minute: int, words: str, author: dict = ANN, **more: object) -> dict:
    return {
        "id": str(id_),
        "author": author,
        "body": adf(words),
        "created": at(minute),
        "updated": at(minute),
        "jsdPublic": True,
        **more,
    }


def issue(
    *,
    entries: list[dict] | None = None,
    comments: list[dict] | None = None,
    files: list[dict] | None = None,
    transitions: list[dict] | None = None,
    properties: dict | None = None,
    entry_total: int | None = None,
    comment_total: int | None = None,
    **fields: object,
) -> dict:
    """An issue as GET /issue tells it; the changelog's newest entry comes first."""
    newest_first = list(reversed(entries or []))
    found = comments or []
    values = {
        "summary": "Link down",
        "description": adf("It broke."),
        "status": status("To Do"),
        "priority": {"id": "3", "name": "Medium"},
        "issuetype": {"id": "10002", "name": "Task"},
        "labels": [],
        "assignee": None,
        "reporter": ANN,
        "creator": ANN,
        "resolution": None,
        "duedate": None,
        "created": at(0),
        "updated": at(59),
        "attachment": files or [],
        "comment": {"comments": found, "total": len(found) if comment_total is None else comment_total},
        **fields,
    }
    return {
        "id": "10001",
        "key": "NET-1",
        "fields": values,
        "changelog": {
            "histories": newest_first,
            "total": len(newest_first) if entry_total is None else entry_total,
            "startAt": 0,
        },
        "transitions": transitions or [],
        "properties": properties or {},
    }
