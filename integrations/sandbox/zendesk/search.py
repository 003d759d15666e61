"""A little of Zendesk's search: enough to see that it lags and is not fit for finding a ticket just made.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/search/
"""

from __future__ import annotations

import re

from integrations.sandbox.wire import Request, Response, json_response
from integrations.sandbox.zendesk.errors import invalid_value
from integrations.sandbox.zendesk.state import Desk, Ticket
from integrations.sandbox.zendesk.views import ticket_value

MAX_RESULTS = 1000
MAX_PAGE = 100
_TERM = re.compile(r'(\w+)(:|>=|<=|>|<)("[^"]*"|\S+)|("[^"]*"|\S+)')


def answer(desk: Desk, request: Request, now: float) -> Response:
    """`GET /search`: at most 1000 results; the page beyond them is an error."""
    size = max(1, min(request.number("per_page", MAX_PAGE), MAX_PAGE))
    page = max(1, request.number("page", 1))
    if (page - 1) * size >= MAX_RESULTS:
        return invalid_value(
            "Search Response Limits: requested response size was greater than Search Response Limits"
        )
    found = find(desk, request.one("query"), now)
    chosen = found[:MAX_RESULTS][(page - 1) * size : page * size]
    results = [{**ticket_value(desk, one, request.origin), "result_type": "ticket"} for one in chosen]
    more = page * size < min(len(found), MAX_RESULTS)
    base = f"{request.origin}{request.path}"
    return json_response(
        {
            "results": results,
            "facets": None,
            "next_page": f"{base}?query={request.one('query')}&page={page + 1}" if more else None,
            "previous_page": None,
            "count": len(found),
        }
    )


def find(desk: Desk, query: str, now: float) -> list[Ticket]:
    """The tickets that match, as far as the index has caught up; newest first."""
    until = now - desk.settings.search_lag_s
    terms = _TERM.findall(query)
    found = [
        one for one in desk.tickets.values() if one.made <= until and all(_fits(one, term) for term in terms)
    ]
    return sorted(found, key=lambda one: (one.updated_at, one.id), reverse=True)


def _fits(ticket: Ticket, term: tuple[str, str, str, str]) -> bool:
    name, operator, raw, word = term
    if word:
        text = f"{ticket.id} {ticket.subject} {ticket.description}".lower()
        return word.strip('"').lower() in text
    value = raw.strip('"')
    if name == "type":
        return value == "ticket" or ticket.type == value
    if name in ("created", "updated"):
        return _compare(ticket.created_at if name == "created" else ticket.updated_at, operator, value)
    if name == "tags":
        return value in ticket.tags
    have = {
        "external_id": ticket.external_id,
        "status": ticket.status,
        "priority": ticket.priority,
        "subject": ticket.subject,
        "ticket_type": ticket.type,
        "id": str(ticket.id),
    }
    found = have.get(name)
    if name == "subject":
        return value.lower() in (found or "").lower()
    return found == value if value != "none" else found is None


def _compare(have: str, operator: str, value: str) -> bool:
    have = have[: len(value)]
    return {
        ":": have == value,
        ">": have > value,
        "<": have < value,
        ">=": have >= value,
        "<=": have <= value,
    }[operator]
