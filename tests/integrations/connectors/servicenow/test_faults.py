"""ServiceNow's error answers."""

from __future__ import annotations

import json
import time

import pytest

from integrations.connectors import errors
from integrations.connectors.answers import general_error
from integrations.connectors.servicenow.faults import read_error


def body(message: str, detail: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "detail": detail}, "status": "failure"}).encode()


def read(status: int, content: bytes, **headers: str) -> errors.ConnectorError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_error(status, named, content) or general_error(status, named, content, True)


POLICY = "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes"
RULE = "Operation against file 'change_request' was aborted by Business Rule 'Change Model: Check State Transition^1'."


@pytest.mark.parametrize(
    ("status", "content", "kind", "fields"),
    [
        (401, body("User Not Authenticated", "Required to provide Auth information"), errors.Unauthorized, None),
        (403, body("Operation Failed", POLICY), errors.RequiredField, {"Resolution code", "Resolution notes"}),
        (403, body("Operation Failed", RULE), errors.NoTransition, {"state"}),
        (403, body("Operation Failed", "aborted by Business Rule 'Ours^2'"), errors.Invalid, set()),
        (403, body("User Not Authorized", "Failed API level ACL Validation"), errors.Forbidden, None),
        (403, b"", errors.Forbidden, None),
        (404, body("No Record found", "Record doesn't exist or ACL restricts the record retrieval"), errors.Gone, None),
        (404, b"<html>Not here</html>", errors.Garbled, None),
        (400, body("Invalid table u_none"), errors.Refused, None),
        (400, body("Requested URI does not represent any resource"), errors.Refused, None),
        (400, body("Invalid file type", "File type exe is not allowed: a.exe"), errors.Invalid, {"file"}),
        (413, body("Request Entity Too Large", "The file is larger than 5 bytes"), errors.TooLarge, None),
        (429, body("Rate limit exceeded", "Rate limit of 100 requests per hour"), errors.RateLimited, None),
        (500, b"<html>", errors.Unavailable, None),
        (400, b'{"error": 5}', errors.Invalid, None),
        (400, b'{"error": {"message": ["a"]}}', errors.Invalid, None),
        (422, b"\xff\xfe", errors.Invalid, None),
    ],
)  # fmt: skip
def test_an_error_says_what_happens_next(
    status: int, content: bytes, kind: type[errors.ConnectorError], fields: set[str] | None
) -> None:
    error = read(status, content)
    assert type(error) is kind
    assert error.message.endswith(".")
    if fields is not None:
        assert isinstance(error, errors.Invalid)
        assert set(error.fields) == fields


def test_the_end_of_a_limit_is_read_from_either_header() -> None:
    limit = body("Rate limit exceeded")
    asked = read(429, limit, Retry_After="120")
    assert isinstance(asked, errors.RateLimited)
    assert asked.retry_after_s == 120
    reset = read(429, limit, X_RateLimit_Reset=str(int(time.time()) + 600))
    assert isinstance(reset, errors.RateLimited)
    assert reset.retry_after_s is not None
    assert 590 < reset.retry_after_s <= 600
