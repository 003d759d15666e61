"""Jira's error answers and the meaning they are given."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from integrations.connectors import errors
from integrations.connectors.jira.faults import read_error


def told(status: int, body: object = None, **headers: str) -> errors.ConnectorError | None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_error(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (
            {"errors": {"priority": "Priority is required."}},
            errors.RequiredField,
            "Jira demands a value for “priority”.",
        ),
        (
            {"errors": {"summary": "You must specify a summary of the issue."}},
            errors.RequiredField,
            "Jira demands a value for “summary”.",
        ),
        (
            {"errors": {"summary": "Summary must be less than 255 characters."}},
            errors.TooLarge,
            "The text for “summary” is longer than Jira allows.",
        ),
        (
            {
                "errors": {
                    "comment": "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
                }
            },
            errors.TooLarge,
            "The text for “comment” is longer than Jira allows.",
        ),
        (
            {"errorMessages": ["CONTENT_LIMIT_EXCEEDED"]},
            errors.TooLarge,
            "The text is longer than Jira allows.",
        ),
        (
            {"errorMessages": ["Transition id '5' is not valid for this issue."]},
            errors.NoTransition,
            "Jira's workflow does not allow this step from the ticket's present status.",
        ),
        (
            {
                "errorMessages": [
                    "It seems that you have tried to perform a workflow operation (Done) that is not valid for the "
                    "current state of this issue."
                ]
            },
            errors.NoTransition,
            "Jira's workflow does not allow this step from the ticket's present status.",
        ),
        (
            {
                "errors": {
                    "priority": "Priority name 'X' is not valid",
                    "labels": "The label 'a b' can't contain spaces.",
                }
            },
            errors.Invalid,
            "Jira did not accept the value for “priority”, “labels”.",
        ),
        (
            {"errors": {"priority": "Priority is required.", "labels": "No"}},
            errors.Invalid,
            "Jira did not accept the value for “priority”, “labels”.",
        ),
        ({"errorMessages": ["Something else"]}, errors.Invalid, "Jira did not accept the request."),
        (b"<html>", errors.Invalid, "Jira did not accept the request."),
        ([], errors.Invalid, "Jira did not accept the request."),
        ({"errors": ["x"], "errorMessages": "y"}, errors.Invalid, "Jira did not accept the request."),
        (b"[" * 100_000, errors.Invalid, "Jira did not accept the request."),
    ],
)
def test_a_bad_request_is_named_by_what_is_wrong(body: object, kind: type, message: str) -> None:
    error = told(400, body)
    assert (type(error), str(error), error.status if error else None) == (kind, message, 400)


def test_the_message_never_holds_jiras_words_but_the_log_does() -> None:
    error = told(400, {"errors": {"customfield_1": "Value 'salary of Ann' is not allowed, token=abc123"}})
    assert isinstance(error, errors.Invalid)
    assert "Ann" not in error.message
    assert error.detail == "customfield_1: Value 'salary of Ann' is not allowed, token=…"
    assert list(error.fields) == ["customfield_1"]


@pytest.mark.parametrize(
    ("status", "kind"), [(410, errors.Refused), (413, errors.TooLarge), (422, errors.Invalid)]
)
def test_other_refusals_have_their_own_meaning(status: int, kind: type) -> None:
    assert type(told(status, {})) is kind


@pytest.mark.parametrize("status", [401, 403, 404, 409, 500, 503])
def test_where_the_status_says_it_best_nothing_is_added(status: int) -> None:
    assert told(status, {"errorMessages": ["x"]}) is None


def test_too_many_wrong_passwords_are_a_matter_of_signing_in() -> None:
    error = told(403, b"", X_Seraph_LoginReason="AUTHENTICATION_DENIED")
    assert isinstance(error, errors.Unauthorized)


def test_a_limit_without_retry_after_is_waited_for_until_its_reset() -> None:
    reset = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    error = told(429, {}, X_RateLimit_Reset=reset)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after_s == pytest.approx(30, abs=2)


@pytest.mark.parametrize("headers", [{"Retry_After": "5"}, {"X_RateLimit_Reset": "soon"}, {}])
def test_other_limits_are_read_as_everywhere(headers: dict[str, str]) -> None:
    assert told(429, {}, **headers) is None


def test_a_limit_of_one_issue_is_told_apart_from_the_sites() -> None:
    error = told(429, {}, **{"Retry-After": "2", "RateLimit-Reason": "jira-per-issue-on-write"})
    assert isinstance(error, errors.RateLimited)
    assert (error.retry_after_s, error.is_for_ticket) == (2.0, True)
