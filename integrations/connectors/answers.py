"""Answers read: JSON that can be stored, the meaning of a status, Retry-After, and redaction.  Pure but for the clock."""

from __future__ import annotations

import contextlib
import email.utils
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from integrations.connectors import errors

MAX_DETAIL_CHARS = 500
# How far the clocks of one system's machines may lie apart.
CLOCKS_DIFFER = timedelta(seconds=1)


@dataclass(frozen=True)
class Answer:
    """An answer with an expected status.  `wrote` is true for the answer to a write.

    `took_s`: from before the request left until the answer was there; None where that was not measured.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    wrote: bool = False
    took_s: float | None = None

    def asked_at(self) -> datetime | None:
        """When the request left, by the clock that dates the system's answers, or a bit earlier; None without a date.

        The date lies between request and answer; the parts of a second that it leaves out make it earlier.
        """
        at = _http_date(self.headers.get("Date") or "")
        return (
            None if at is None or self.took_s is None else at - timedelta(seconds=self.took_s) - CLOCKS_DIFFER
        )

    def json(self) -> dict | list:
        """The body as JSON object or array; Garbled when it is something else.

        A byte order mark is tolerated.  Characters that no database stores (NUL, half of a surrogate pair, as a
        vendor leaves it when cutting a text) are taken out.
        """
        value = self._value
        if not isinstance(value, dict | list):
            raise self.garbled("The system's answer was not a JSON object.")
        return value

    def object(self) -> dict:
        """The body as a JSON object; Garbled when it is something else."""
        value = self.json()
        if not isinstance(value, dict):
            raise self.garbled("The system's answer was a list where an object was expected.")
        return value

    def garbled(self, message: str) -> errors.Garbled:
        """The error for an answer of another shape than promised: after a write, nobody knows what was done."""
        detail = described(self.headers, self.body)
        return errors.Garbled(message, status=self.status, detail=detail, outcome_unknown=self.wrote)

    @cached_property
    def _value(self) -> Any:
        try:
            text = self.body.decode("utf-8-sig")
            value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
            return _storable(value) if _UNSTORABLE_ESCAPE.search(text) else value
        except (ValueError, RecursionError) as error:
            raise self.garbled("The system's answer could not be read as JSON.") from error


_UNSTORABLE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is out of range")
    return number


def _storable(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "ignore").replace("\0", "")
        case list():
            return [_storable(one) for one in value]
        case dict():
            return {_storable(name): _storable(one) for name, one in value.items()}
        case _:
            return value


# A vendor's reader of error bodies: (status, headers, body) -> the error to raise, or None for the general one.
ErrorReader = Callable[[int, Mapping[str, str], bytes], errors.ConnectorError | None]


def general_error(
    status: int, headers: Mapping[str, str], body: bytes, writes: bool
) -> errors.ConnectorError:
    """The error for an HTTP status when the vendor's body says nothing more exact."""
    detail = shown(body)
    if status == 401:
        return errors.Unauthorized(
            "The system does not accept our credentials.", status=status, detail=detail
        )
    if status in (203, 301, 302, 303, 307, 308):
        return errors.Unauthorized(
            "The system answered with a sign-in page instead of data.", status=status, detail=detail
        )
    if status == 403:
        return errors.Forbidden("Our account lacks a right in this system.", status=status, detail=detail)
    if status in (404, 410) and body.lstrip()[:1] == b"<":
        # A page instead of the interface's own words: an address that leads elsewhere, or something in between.
        return errors.Garbled(
            "Something other than the system answered at its address.",
            status=status,
            detail=described(headers, body),
        )
    if status in (404, 410):
        return errors.Gone(
            "The ticket does not exist there, or we may not see it.", status=status, detail=detail
        )
    if status in (408, 425):
        # The server gave up on a request that it had not fully received or would not take yet.
        return errors.TimedOut("The system did not take the request in time.", status=status, detail=detail)
    if status in (409, 412):
        return errors.Stale("The ticket was changed at the same moment.", status=status, detail=detail)
    if status == 413:
        return errors.TooLarge("It is larger than the system allows.", status=status, detail=detail)
    if status == 429:
        return errors.RateLimited(
            "The system asked us to slow down.",
            retry_after_s=retry_after_s(headers),
            status=status,
            detail=detail,
        )
    if status == 503:
        # Refused at the door: nothing was carried out.  A Retry-After is honoured like a 429's.
        if (wait_s := retry_after_s(headers)) is not None:
            return errors.RateLimited(
                "The system is busy.", retry_after_s=wait_s, status=status, detail=detail
            )
        return errors.Unavailable("The system is not available at the moment.", status=status, detail=detail)
    if status >= 500:
        return errors.Unavailable(
            "The system failed while it worked on our request.",
            status=status,
            detail=detail,
            outcome_unknown=writes,
        )
    if status < 400:
        return errors.Garbled(
            "The system answered in an unexpected way.", status=status, detail=detail, outcome_unknown=writes
        )
    return errors.Invalid("The system did not accept the request.", status=status, detail=detail)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header, given as a number or a date; None when there is none or it makes no sense.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    raw = headers.get("Retry-After") or headers.get("retry-after")
    if not raw:
        return None
    with contextlib.suppress(ValueError):
        seconds = float(raw)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    at = _http_date(raw)
    return None if at is None else max(0.0, (at - datetime.now(UTC)).total_seconds())


def _http_date(text: str) -> datetime | None:
    """A date as HTTP headers have it, in UTC; None when it is none."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        at = email.utils.parsedate_to_datetime(text)
        # "-0000" gives a time without zone, which means UTC.
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    return None


# Bounded, so that a long word does not cost the square of its length.
_NAMES = r"(?:authorization|cookie|[\w-]{0,40}(?:token|password|passwd|secret|api[_-]?key|signature))"
_SECRETS = (
    (re.compile(r"(?i)(cookie\s*:\s*)[^\r\n]+"), r"\1…"),
    # `"api_token": "two words"`, also with the quotes escaped inside another text.
    (re.compile(rf'(?i)({_NAMES}\\?["\']?\s*[:=]\s*\\?)(["\']).*?(?:\2|$)'), r"\1\2…\2"),
    # `Authorization: Basic abc`, `token=abc`, `/token/abc/`.
    (re.compile(rf'(?i)({_NAMES}\s*[:=/]\s*)(?!\\?["\'])(?:(?:basic|bearer)\s+)?[^\s"\',;&/]+'), r"\1…"),
    (re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9+/=._~-]{8,}"), r"\1 …"),
    # `https://user:password@host`.
    (re.compile(r"(://)[^/\s@:]*:[^/\s@]*@"), r"\1…@"),
)


def redacted(text: str) -> str:
    """Text for a log with whatever looks like a credential taken out."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def shown(body: bytes) -> str:
    """The beginning of an error's body for our log.  Only for errors: any other body may hold a ticket's content."""
    return redacted(body[: 4 * MAX_DETAIL_CHARS].decode("utf-8", "replace"))[:MAX_DETAIL_CHARS]


def described(headers: Mapping[str, str], body: bytes) -> str:
    """An unreadable body described for our log.  Its words are kept only of a page, which is no ticket."""
    kind = headers.get("Content-Type") or "no content type"
    page = re.search(rb"(?is)<title[^<>]{0,200}>([^<]{0,200})", body[:20_000])
    title = f", page “{' '.join(page[1].decode('utf-8', 'replace').split())}”" if page else ""
    return redacted(f"{kind}, {len(body)} bytes{title}")[:MAX_DETAIL_CHARS]
