"""What Zendesk's error answers mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors import errors
from integrations.connectors.zendesk.faults import read_error


def read(status: int, value: object) -> errors.ConnectorError | None:
    return read_error(status, {}, json.dumps(value).encode())


def invalid(field: str, description: str, error: str | None = None, **more: object) -> dict:
    details = {field: [{"description": description, "error": error, **more}]}
    return {"error": "RecordInvalid", "description": "Record validation errors", "details": details}


@pytest.mark.parametrize(
    ("value", "kind", "fields"),
    [
        (invalid("status", "Status: closed prevents ticket update"), errors.Closed, {}),
        (invalid("status", "Status: is not included in the list", "InvalidValue"), errors.Invalid,
         {"status": "Status: is not included in the list"}),
        (invalid("status", "Status: cannot be changed to new", "InvalidValue"), errors.NoTransition,
         {"status": "Status: cannot be changed to new"}),
        (invalid("requester", "Requester: Email:  cannot be blank", "BlankValue"), errors.RequiredField,
         {"requester": "Requester: Email:  cannot be blank"}),
        (invalid("base", "Cause: is required when solving a ticket", ticket_field_id=360001,
                 ticket_field_type="FieldTagger"), errors.RequiredField,
         {"custom_field_360001": "Cause: is required when solving a ticket"}),
        (invalid("base", "Ticket has reached the limit of 5000 comments"), errors.TooLarge, {}),
        (invalid("subject", "Subject: is too long (maximum is 150 characters)", "ValueTooLong"), errors.TooLarge,
         {"subject": "Subject: is too long (maximum is 150 characters)"}),
        (invalid("assignee_id", "Assignee: is invalid", "InvalidValue"), errors.Invalid,
         {"assignee": "Assignee: is invalid"}),
        ({"error": "InvalidPaginationParameter", "description": "The cursor is not valid"}, errors.Invalid, {}),
        ({"error": {"title": "Bad Request", "message": "odd"}}, errors.Invalid, {}),
        ({"errors": [{"code": "BadRequest", "title": "odd", "detail": "very"}]}, errors.Invalid, {}),
        ({"error": "IdempotentRequestError", "description": "Idempotency key was used with another body"},
         errors.Stale, {}),
        ({}, errors.Invalid, {}),
    ],
)  # fmt: skip
def test_a_record_that_does_not_pass_says_which_field_and_why(
    value: dict, kind: type[errors.ConnectorError], fields: dict[str, str]
) -> None:
    for status in (400, 422):
        error = read(status, value)
        assert error is not None
        assert (type(error), error.status, error.outcome_unknown) == (kind, status, False)
        if fields and isinstance(error, errors.Invalid):
            assert error.fields == fields


def test_a_closed_ticket_is_told_in_a_sentence() -> None:
    error = read(422, invalid("status", "Status: closed prevents ticket update"))
    assert error is not None
    assert error.message.startswith("The Zendesk ticket is closed and takes no more changes.")


def test_messages_name_fields_and_never_values() -> None:
    error = read(422, invalid("subject", "Subject: my secret words is invalid", "InvalidValue"))
    assert error is not None
    assert error.message == "Zendesk did not accept the value for “subject”."


@pytest.mark.parametrize(
    ("status", "value", "kind"),
    [
        (
            403,
            {"error": {"title": "Forbidden", "message": "You do not have access to this page."}},
            errors.Forbidden,
        ),
        (404, {"error": "InvalidEndpoint", "description": "Not found"}, errors.Refused),
    ],
)
def test_other_answers_have_a_sentence_of_their_own(
    status: int, value: dict, kind: type[errors.ConnectorError]
) -> None:
    assert type(read(status, value)) is kind


@pytest.mark.parametrize("status", [401, 404, 409, 429, 500, 503])
def test_where_the_status_says_it_best_the_general_meaning_stands(status: int) -> None:
    assert read(status, {"error": "RecordNotFound", "description": "Not found"}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "errors", "description", "details", "title", "message", "status", "base"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.integers(200, 599), JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50))
def test_no_body_is_too_odd(status: int, body: bytes) -> None:
    error = read_error(status, {}, body)
    assert error is None or isinstance(error, errors.ConnectorError)


def test_a_limit_of_one_ticket_is_told_apart_from_the_accounts() -> None:
    error = read(429, {"error": "TooManyRequests", "description": "Rate limit for ticket updates exceeded"})
    assert isinstance(error, errors.RateLimited)
    assert error.is_for_ticket
