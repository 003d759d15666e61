"""Zendesk's error answers read: which field, which meaning.  Pure, and safe on any body.

Bodies come as {"error", "description", "details": {field: [{"description", "error"}]}}, as {"error": {"title",
"message"}}, as {"errors": [{"code", "title", "detail"}]}, or as a page.
https://developer.zendesk.com/api-reference/introduction/requests/#400-range
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from integrations.connectors import errors
from integrations.connectors.answers import MAX_DETAIL_CHARS
from integrations.connectors.http import redacted, retry_after_s
from integrations.connectors.zendesk.fields import CUSTOM, PEOPLE
from integrations.connectors.zendesk.people import id_of

_CLOSED = re.compile(r"closed prevents ticket update|ClosedTicket", re.IGNORECASE)
_REQUIRED = re.compile(r"BlankValue|cannot be blank|is required|needs? to be|can't be blank", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"too long|ValueTooLong|AttachmentTooLarge|exceeds? the|maximum (?:is|size|length)", re.IGNORECASE
)
_FULL = re.compile(r"limit of \d+ comments|TooManyComments|maximum number of comments", re.IGNORECASE)
# As opposed to the account's calls a minute.
_TICKET_LIMIT = re.compile(r"ticket updates|updates? (?:to|of|on|for|per) .{0,20}ticket", re.IGNORECASE)
_NO_STATUS = re.compile(r"^Status: (?!.*(?:blank|included in the list))", re.IGNORECASE)


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> errors.ConnectorError | None:
    """The error for Zendesk's answer, or None where the status alone says it best."""
    value = _object(body)
    if value is None:
        return None
    words, fields = _problems(value)
    detail = redacted("; ".join(words))[:MAX_DETAIL_CHARS]
    text = " ".join(words)
    if status in (400, 409, 422) and re.search("idempotency", text, re.IGNORECASE):
        # The key is the ticket's marker, so this very ticket was asked for before, with other words.
        return errors.Stale(
            "Zendesk has already taken this ticket in another form.", status=status, detail=detail
        )
    if status in (400, 422):
        return _invalid(status, text, fields, detail)
    if status == 429 and _TICKET_LIMIT.search(text):
        return errors.RateLimited(
            "Zendesk takes no more updates of this ticket for the moment.",
            retry_after_s=retry_after_s(headers),
            status=status,
            detail=detail,
            is_for_ticket=True,
        )
    if status == 403:
        return errors.Forbidden(
            "Our Zendesk account lacks the right to do this.", status=status, detail=detail
        )
    if status == 404 and re.search("InvalidEndpoint", text):
        return errors.Refused(
            "This Zendesk does not have the interface we use.", status=status, detail=detail
        )
    return None


def _invalid(status: int, text: str, fields: dict[str, str], detail: str) -> errors.ConnectorError:
    if _CLOSED.search(text):
        return errors.Closed(
            "The Zendesk ticket is closed and takes no more changes. What still has to be said there goes into a "
            "follow-up ticket, which Zendesk joins to the closed one.",
            status=status,
            detail=detail,
        )
    names = ", ".join(f"“{name}”" for name in fields)
    if _FULL.search(text):
        return errors.TooLarge("The Zendesk ticket takes no more comments.", status=status, detail=detail)
    if _REQUIRED.search(text):
        what = f"a value for {names}" if names else "a value that is missing"
        return errors.RequiredField(f"Zendesk demands {what}.", fields=fields, status=status, detail=detail)
    if _TOO_LONG.search(text):
        what = f"The text for {names}" if names else "The text or file"
        return errors.TooLarge(
            f"{what} is longer than Zendesk allows.", fields=fields, status=status, detail=detail
        )
    if any(_NO_STATUS.search(words) for name, words in fields.items() if name == "status"):
        return errors.NoTransition(
            "Zendesk does not let the ticket go to that status from its present one.",
            fields=fields,
            status=status,
            detail=detail,
        )
    message = (
        f"Zendesk did not accept the value for {names}." if names else "Zendesk did not accept the request."
    )
    return errors.Invalid(message, fields=fields, status=status, detail=detail)


def _problems(value: dict) -> tuple[list[str], dict[str, str]]:
    """Zendesk's words, and those of them that belong to a field."""
    words: list[str] = []
    fields: dict[str, str] = {}
    error, listed = value.get("error"), value.get("errors")
    for part in (error, value, *(listed if isinstance(listed, list) else ())):
        words += _texts(part)
    details = value.get("details")
    for name, problems in details.items() if isinstance(details, dict) else ():
        for problem in problems if isinstance(problems, list) else [problems]:
            problem = problem if isinstance(problem, dict) else {"description": problem}
            told = [str(problem[part]) for part in ("description", "error") if problem.get(part)]
            words += told
            fields[_field_name(str(name), problem)] = told[0] if told else ""
    return list(dict.fromkeys(words)), fields


def _texts(part: object) -> list[str]:
    if not isinstance(part, dict):
        return []
    names = ("error", "code", "title", "message", "description", "detail")
    return [text for name in names if isinstance(text := part.get(name), str)]


def _field_name(name: str, problem: dict) -> str:
    """Our name of a field in `details`; custom fields stand under `base` with their number beside."""
    if id_ := id_of(problem.get("ticket_field_id")):
        return CUSTOM + id_
    return PEOPLE.get(name, name)


def _object(body: bytes) -> dict | None:
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
