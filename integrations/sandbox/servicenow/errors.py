"""ServiceNow's error bodies.

https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/reference/r_RESTAPIReference.html
"""

from __future__ import annotations

from integrations.sandbox.wire import Response, json_response


class Failed(Exception):
    """A call that fails; becomes an answer with this status."""

    def __init__(self, status: int, message: str, detail: str | None = None) -> None:
        super().__init__(detail or message)
        self.status, self.message, self.detail = status, message, detail


def failure(status: int, message: str, detail: str | None = None) -> Response:
    """An error as the vendor words it."""
    return json_response({"error": {"message": message, "detail": detail}, "status": "failure"}, status)


def no_record() -> Failed:
    """There is no such record, or none that this user may see."""
    return Failed(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")


def denied(what: str) -> Failed:
    """The user may not do this; `what` is Insert, Update or Delete."""
    return Failed(403, "Operation Failed", f"ACL Exception {what} Failed due to security constraints")


def not_authorized() -> Failed:
    """The table, or the API, is closed to this user."""
    return Failed(403, "User Not Authorized", "Failed API level ACL Validation")


def mandatory(labels: list[str]) -> Failed:
    """A data policy misses values."""
    words = ", ".join(labels)
    return Failed(
        403, "Operation Failed", f"Data Policy Exception: The following fields are mandatory: {words}"
    )


def aborted(table: str, rule: str, id_: str) -> Failed:
    """A business rule refuses the write."""
    words = f"Operation against file '{table}' was aborted by Business Rule '{rule}^{id_}'."
    return Failed(403, "Operation Failed", f"{words} Business Rule Stack:{rule}")


def invalid_table(name: str) -> Failed:
    """There is no such table."""
    return Failed(400, f"Invalid table {name}")


def unauthorized() -> Response:
    """401 without saying what was wrong."""
    response = failure(401, "User Not Authenticated", "Required to provide Auth information")
    return response.with_headers(("WWW-Authenticate", 'BASIC realm="Service-now"'))


def no_resource() -> Response:
    """The address belongs to no API."""
    return failure(400, "Requested URI does not represent any resource")


def too_many(limit: int, retry_after_s: int) -> Response:
    """A rate limit rule is exceeded."""
    detail = f"Rate limit of {limit} requests per hour for Table API exceeded"
    return failure(429, "Rate limit exceeded", detail).with_headers(("Retry-After", str(retry_after_s)))
