"""The incremental export: tickets by the time the system last touched them, except for the last minute.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/
"""

from __future__ import annotations

import base64
import bisect
from typing import Any
from urllib.parse import urlencode

from integrations.sandbox.limits import Limits
from integrations.sandbox.wire import Request, Response, json_response
from integrations.sandbox.zendesk.errors import invalid_value, too_many
from integrations.sandbox.zendesk.state import Desk, Ticket
from integrations.sandbox.zendesk.views import ticket_value

MAX_PAGE = 1000


def answer(desk: Desk, limits: Limits, request: Request, now: float) -> Response:
    """One page of `GET /incremental/tickets/cursor`."""
    if (wait := limits.over("incremental", desk.settings.incremental_per_minute, 60, now)) is not None:
        return too_many(wait, "Incremental export: number of allowed requests per minute exceeded")
    place = _start(desk, request, now)
    if isinstance(place, Response):
        return place
    size = max(1, min(request.number("per_page", MAX_PAGE), MAX_PAGE))
    with_deleted = request.one("exclude_deleted") != "true"
    found, place, ended = _read(desk, place, size, now - desk.settings.incremental_lag_s, with_deleted)
    return json_response(_page(desk, request, found, place, size, ended))


def _start(desk: Desk, request: Request, now: float) -> int | Response:
    """The place in the log to begin at."""
    if cursor := request.one("cursor"):
        try:
            return int(base64.b64decode(cursor.encode()).decode().split("|")[-1])
        except (ValueError, IndexError):
            return invalid_value("The cursor is not valid")
    try:
        start = float(request.one("start_time"))
    except ValueError:
        return invalid_value("start_time is required and must be a Unix time")
    if start > now - desk.settings.incremental_lag_s:
        return invalid_value("Too recent start_time. Use a start_time older than 1 minute ago")
    return bisect.bisect_left(desk.log, (int(start), 0))


def _read(
    desk: Desk, place: int, size: int, until: float, with_deleted: bool
) -> tuple[list[Ticket], int, bool]:
    found: list[Ticket] = []
    log = desk.log
    while place < len(log) and log[place][0] <= until:
        if len(found) == size:
            return found, place, False
        id_ = log[place][1]
        ticket = desk.tickets.get(id_) or (desk.deleted.get(id_) if with_deleted else None)
        # An entry that a later touch replaced: the ticket comes at its newest place.
        if ticket is not None and ticket.place == place:
            found.append(ticket)
        place += 1
    return found, place, True


def _page(
    desk: Desk, request: Request, found: list[Ticket], place: int, size: int, ended: bool
) -> dict[str, Any]:
    # The vendor's cursors look like `1695052663.0||28|`; the place at the end keeps apart what one second holds.
    last = found[-1] if found else None
    text = f"{last.generated}.0||{last.id}|{place}" if last else f"0.0|||{place}"
    cursor = base64.b64encode(text.encode()).decode()
    query = {"cursor": cursor} | ({"per_page": str(size)} if "per_page" in request.query else {})
    return {
        "tickets": [ticket_value(desk, one, request.origin) for one in found],
        "after_url": f"{request.origin}{request.path}?{urlencode(query)}",
        "before_url": None,
        "after_cursor": cursor,
        "before_cursor": None,
        "end_of_stream": ended,
    }
