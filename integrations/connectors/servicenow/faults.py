"""ServiceNow's error answers read: which field, which meaning.  Pure, and safe on any body.

The body is {"error": {"message", "detail"}, "status": "failure"}.  403 is told for a right that is missing, for a
business rule and for a data policy alike, so the words decide; they may be in the account's language, and then the
general error is a safe answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from integrations.connectors import errors
from integrations.connectors.answers import MAX_DETAIL_CHARS, redacted

_MANDATORY = re.compile(r"fields? (?:is|are) mandatory:?\s*(.*)", re.IGNORECASE)
_POLICY = re.compile(r"data policy", re.IGNORECASE)
_RULE = re.compile(r"aborted by business rule|business rule stack", re.IGNORECASE)
_STEP = re.compile(r"transition|state (?:model|change|flow)|invalid (?:state|update of state)", re.IGNORECASE)
_TOO_LARGE = re.compile(
    r"exceeds? .{0,60}(?:size|limit|maximum)|too large|maximum (?:file )?size", re.IGNORECASE
)
_FILE_TYPE = re.compile(r"(?:file )?(?:extension|type|mime).{0,60}(?:not allowed|not permitted|prohibited)|not allowed.{0,40}extension", re.IGNORECASE)  # fmt: skip
_NO_INTERFACE = re.compile(r"does not represent any resource|invalid table", re.IGNORECASE)


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> errors.ConnectorError | None:
    """The error for ServiceNow's answer, or None where the status alone says it best."""
    words = _words(body)
    detail = redacted(words)[:MAX_DETAIL_CHARS]
    if status == 429 and not _has(headers, "Retry-After") and (wait_s := _reset_s(headers)) is not None:
        return errors.RateLimited(
            "ServiceNow asked us to slow down.", retry_after_s=wait_s, status=status, detail=detail
        )
    if not words:
        return None
    if status in (400, 404) and _NO_INTERFACE.search(words):
        return errors.Refused(
            "This ServiceNow has no such table, or not the interface we use.", status=status, detail=detail
        )
    if status in (400, 403, 413, 415, 422):
        return _refused(status, words, detail)
    return None


def _refused(status: int, words: str, detail: str) -> errors.ConnectorError | None:
    if found := _MANDATORY.search(words):
        labels = [label.strip(" .") for label in found[1].split(",") if label.strip(" .")]
        names = ", ".join(f"“{label}”" for label in labels) or "a field"
        return errors.RequiredField(
            f"ServiceNow demands a value for {names}.",
            fields=dict.fromkeys(labels, "mandatory"),
            status=status,
            detail=detail,
        )
    if _TOO_LARGE.search(words):
        return errors.TooLarge("It is larger than ServiceNow allows.", status=status, detail=detail)
    if _FILE_TYPE.search(words):
        return errors.Invalid(
            "ServiceNow does not take files of this type.",
            fields={"file": "type not allowed"},
            status=status,
            detail=detail,
        )
    if _RULE.search(words) and _STEP.search(words):
        return errors.NoTransition(
            "ServiceNow's own rules do not let the ticket go to that state from its present one.",
            fields={"state": "no transition"},
            status=status,
            detail=detail,
        )
    if _RULE.search(words) or _POLICY.search(words):
        return errors.Invalid(
            "A rule that this ServiceNow has for its tickets refused the change.",
            status=status,
            detail=detail,
        )
    if status == 403:
        return errors.Forbidden(
            "Our account lacks the right to do this in ServiceNow.", status=status, detail=detail
        )
    return None


def _words(body: bytes) -> str:
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ""
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, str):
        return error
    parts = (error.get("message"), error.get("detail")) if isinstance(error, dict) else ()
    return ": ".join(part for part in parts if isinstance(part, str) and part)


def _has(headers: Mapping[str, str], name: str) -> bool:
    return bool(headers.get(name) or headers.get(name.lower()))


def _reset_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until the limit ends, from the Unix time in X-RateLimit-Reset."""
    text = headers.get("X-RateLimit-Reset") or headers.get("x-ratelimit-reset") or ""
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return None
    return max(0.0, int(text) - datetime.now(UTC).timestamp())
