"""Zendesk's error bodies.  https://developer.zendesk.com/api-reference/introduction/requests/#400-range"""

from __future__ import annotations

from integrations.sandbox.wire import Response, json_response


class Invalid(Exception):
    """A record does not pass; becomes a 422 with `details` by field."""

    def __init__(self, field: str, description: str, error: str | None = None, **more: object) -> None:
        super().__init__(description)
        self.details = {field: [{"description": description, "error": error, **more}]}


class Missing(Exception):
    """There is no such record; becomes a 404."""


def record_invalid(error: Invalid) -> Response:
    """422 for a record that does not pass."""
    value = {"error": "RecordInvalid", "description": "Record validation errors", "details": error.details}
    return json_response(value, 422)


def not_found() -> Response:
    """404 for a record that does not exist."""
    return json_response({"error": "RecordNotFound", "description": "Not found"}, 404)


def no_endpoint() -> Response:
    """404 for an address that does not exist."""
    return json_response({"error": "InvalidEndpoint", "description": "Not found"}, 404)


def unauthorized() -> Response:
    """401 without saying what was wrong."""
    return json_response({"error": "Couldn't authenticate you"}, 401)


def bad_request(message: str, error: str = "BadRequest") -> Response:
    """400 for a request that makes no sense."""
    return json_response({"error": error, "description": message}, 400)


def invalid_value(message: str) -> Response:
    """422 for a parameter of the export or the search."""
    return json_response({"error": "InvalidValue", "description": message}, 422)


def conflict() -> Response:
    """409 of a safe update that came too late."""
    return json_response(
        {
            "error": "UpdateConflict",
            "description": "Safe Update prevented the update due to outdated ticket data. "
            "Please fetch the latest ticket data and try again.",
        },
        409,
    )


def too_many(
    retry_after_s: int, description: str = "Number of allowed API requests per minute exceeded"
) -> Response:
    """429 with the seconds to wait."""
    return json_response(
        {"error": "TooManyRequests", "description": description}, 429, (("Retry-After", str(retry_after_s)),)
    )
