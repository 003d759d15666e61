"""Zendesk's two ways to page: cursors with `page[size]`, and numbered pages with `page` and `per_page`.

https://developer.zendesk.com/api-reference/introduction/pagination/
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from integrations.sandbox.wire import Request, Response, json_response
from integrations.sandbox.zendesk.errors import bad_request

MAX_PAGE = 100
One = TypeVar("One")


def page_of(
    request: Request,
    name: str,
    items: Sequence[One],
    key: Callable[[One], int],
    view: Callable[[One], Any],
    beside: Callable[[Sequence[One]], Mapping[str, Any]] = lambda chosen: {},
) -> Response:
    """One page of `items`, which are in ascending order of `key`; as the request asks for it.

    `beside` gives what stands next to the list for the items that were chosen: side-loaded records.
    """
    descending = request.one("sort_order") == "desc" or request.one("sort").startswith("-")
    ordered = items[::-1] if descending else items
    if "page[size]" in request.query or "page[after]" in request.query or "page[before]" in request.query:
        return _cursor_page(request, name, ordered, key, view, beside, descending)
    return _numbered_page(request, name, ordered, view, beside)


def _cursor_page(
    request: Request,
    name: str,
    ordered: Sequence[One],
    key: Callable[[One], int],
    view: Callable[[One], Any],
    beside: Callable[[Sequence[One]], Mapping[str, Any]],
    descending: bool,
) -> Response:
    size = request.number("page[size]", MAX_PAGE)
    if not 1 <= size <= MAX_PAGE:
        return bad_request("page[size] must be between 1 and 100", "InvalidPaginationParameter")
    try:
        after, before = _decoded(request.one("page[after]")), _decoded(request.one("page[before]"))
    except ValueError:
        return bad_request("The cursor is not valid", "InvalidPaginationParameter")
    sign = -1 if descending else 1
    if before is not None:
        earlier = [one for one in ordered if sign * key(one) < sign * before]
        chosen, more = earlier[-size:], len(earlier) > size
    else:
        later = [one for one in ordered if after is None or sign * key(one) > sign * after]
        chosen, more = later[:size], len(later) > size
    first = _encoded(key(chosen[0])) if chosen else None
    last = _encoded(key(chosen[-1])) if chosen else None
    return json_response(
        {
            name: [view(one) for one in chosen],
            "meta": {"has_more": more, "after_cursor": last, "before_cursor": first},
            "links": {
                "prev": _link(request, "page[before]", first) if first else None,
                "next": _link(request, "page[after]", last) if last else None,
            },
            **beside(chosen),
        }
    )


def _link(request: Request, name: str, cursor: str) -> str:
    query = {k: v[-1] for k, v in request.query.items() if k not in ("page[before]", "page[after]")}
    query[name] = cursor
    return f"{request.origin}{request.path}?{urlencode(query)}"


def _encoded(key: int) -> str:
    return base64.urlsafe_b64encode(f"o|{key}".encode()).decode()


def _decoded(cursor: str) -> int | None:
    if not cursor:
        return None
    kind, _, key = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
    if kind != "o":
        raise ValueError(cursor)
    return int(key)


def _numbered_page(
    request: Request,
    name: str,
    ordered: Sequence[One],
    view: Callable[[One], Any],
    beside: Callable[[Sequence[One]], Mapping[str, Any]],
) -> Response:
    size = max(1, min(request.number("per_page", MAX_PAGE), MAX_PAGE))
    page = max(1, request.number("page", 1))
    start = (page - 1) * size
    chosen = ordered[start : start + size]
    return json_response(
        {
            name: [view(one) for one in chosen],
            "next_page": _numbered(request, page + 1) if start + size < len(ordered) else None,
            "previous_page": _numbered(request, page - 1) if page > 1 else None,
            "count": len(ordered),
            **beside(chosen),
        }
    )


def _numbered(request: Request, page: int) -> str:
    query = {k: v[-1] for k, v in request.query.items()} | {"page": str(page)}
    return f"{request.origin}{request.path}?{urlencode(query)}"
