"""Pages of the Table and Attachment APIs: limit and offset, the Link header, and the total count.

The limit is applied before the ACLs: a page may be short, or empty, while more follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from integrations.sandbox.servicenow.errors import Failed
from integrations.sandbox.servicenow.state import Record
from integrations.sandbox.wire import Request


def cut(
    request: Request, found: Sequence[Record], default: int
) -> tuple[Sequence[Record], list[tuple[str, str]]]:
    """The page that was asked for, before ACLs, and its headers."""
    limit = request.number("sysparm_limit", default)
    offset = request.number("sysparm_offset", 0)
    if offset < 0 or limit < 0:
        raise Failed(400, "Pagination not supported", "sysparm_offset and sysparm_limit must not be negative")
    headers = []
    if request.one("sysparm_no_count").lower() != "true":
        headers.append(("X-Total-Count", str(len(found))))
    if request.one("sysparm_suppress_pagination_header").lower() != "true" and limit:
        links = _links(request, len(found), offset, limit)
        if links:
            headers.append(("Link", links))
    return found[offset : offset + limit], headers


def _links(request: Request, total: int, offset: int, limit: int) -> str:
    last = max(0, (total - 1) // limit * limit)
    places = [("first", 0)]
    if offset > 0:
        places.append(("prev", max(0, offset - limit)))
    if offset + limit < total:
        places.append(("next", offset + limit))
    places.append(("last", last))
    return ",".join(f'<{_address(request, at)}>;rel="{name}"' for name, at in places) if total > limit else ""


def _address(request: Request, offset: int) -> str:
    query = [(name, one) for name, each in request.query.items() for one in each if name != "sysparm_offset"]
    return f"{request.origin}{request.path}?{urlencode([*query, ('sysparm_offset', str(offset))])}"
