"""Jira's error answers read: which field, which meaning.  Pure.

The body is {"errorMessages": [...], "errors": {field: words}}.  Jira's words may be in the account's language, so the
meaning is taken from words only where nothing else tells, and the general error is always a safe answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from integrations.connectors import errors
from integrations.connectors.http import redacted, retry_after_s
from integrations.connectors.jira.rates import is_for_issue

_REQUIRED = re.compile(
    r"\brequired\b|must (?:specify|provide)|^specify an?\b|can(?:not| ?not|'t) be empty", re.IGNORECASE
)
_TOO_LONG = re.compile(
    r"too long|exceed\w* the (?:allowed|maximum)|less than (?:or equal to )?[\d,.]+ char|CONTENT_LIMIT_EXCEEDED",
    re.IGNORECASE,
)
_NO_STEP = re.compile(
    r"workflow (?:operation|action)|transition.*(?:not valid|invalid|not available)", re.IGNORECASE
)


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> errors.ConnectorError | None:
    """The error for Jira's answer, or None where the status alone says it best."""
    messages, fields = _problems(body)
    detail = redacted("; ".join([*messages, *(f"{name}: {words}" for name, words in fields.items())]))[:500]
    if status == 400:
        return _invalid(messages, fields, detail)
    if status == 403 and "AUTHENTICATION_DENIED" in headers.get("X-Seraph-LoginReason", ""):
        # After too many wrong passwords Jira wants a captcha solved in the browser.
        return errors.Unauthorized(
            "Jira refuses to sign in with our account until somebody signs in as it in a browser.",
            status=status,
            detail=detail,
        )
    if status == 410:
        return errors.Refused(
            "This site's Jira no longer has the interface we use.", status=status, detail=detail
        )
    if status == 413:
        return errors.TooLarge(
            "Jira's limit for one ticket or one file is reached.", fields=fields, status=status, detail=detail
        )
    if status == 422:
        return errors.Invalid(
            "Jira's own set-up of this project keeps it from doing this.",
            fields=fields,
            status=status,
            detail=detail,
        )
    if status == 429:
        return _limited(headers, detail)
    return None


def _limited(headers: Mapping[str, str], detail: str) -> errors.RateLimited | None:
    asked_s, is_narrow = retry_after_s(headers), is_for_issue(headers)
    wait_s = _reset_s(headers) if asked_s is None else asked_s
    if (asked_s is not None and not is_narrow) or wait_s is None:
        return None
    return errors.RateLimited(
        "Jira takes no more changes to this issue for a moment."
        if is_narrow
        else "Jira asked us to slow down.",
        retry_after_s=wait_s,
        status=429,
        detail=detail,
        is_for_ticket=is_narrow,
    )


def _invalid(messages: list[str], fields: dict[str, str], detail: str) -> errors.Invalid:
    names = ", ".join(f"“{name}”" for name in fields)
    required = [name for name, words in fields.items() if _REQUIRED.search(words)]
    words = " ".join([*messages, *fields.values()])
    if required and len(required) == len(fields):
        return errors.RequiredField(
            f"Jira demands a value for {names}.", fields=fields, status=400, detail=detail
        )
    if _TOO_LONG.search(words):
        what = f"The text for {names}" if names else "The text"
        return errors.TooLarge(
            f"{what} is longer than Jira allows.", fields=fields, status=400, detail=detail
        )
    if not fields and _NO_STEP.search(words):
        return errors.NoTransition(
            "Jira's workflow does not allow this step from the ticket's present status.",
            status=400,
            detail=detail,
        )
    if names:
        return errors.Invalid(
            f"Jira did not accept the value for {names}.", fields=fields, status=400, detail=detail
        )
    return errors.Invalid("Jira did not accept the request.", status=400, detail=detail)


def _problems(body: bytes) -> tuple[list[str], dict[str, str]]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return [], {}
    if not isinstance(value, dict):
        return [], {}
    raw_messages, raw_fields = value.get("errorMessages"), value.get("errors")
    messages = [str(one) for one in raw_messages] if isinstance(raw_messages, list) else []
    fields = (
        {str(name): str(words) for name, words in raw_fields.items()} if isinstance(raw_fields, dict) else {}
    )
    return messages, fields


def _reset_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until the limit ends, from the time in X-RateLimit-Reset."""
    try:
        at = datetime.fromisoformat(headers.get("X-RateLimit-Reset", ""))
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())
