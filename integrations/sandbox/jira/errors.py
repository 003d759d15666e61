"""Jira's error bodies: `{"errorMessages": [...], "errors": {"field": "message"}}`."""

from __future__ import annotations

from collections.abc import Mapping

from integrations.sandbox.wire import Response, json_response

UNSEEN = "Issue does not exist or you do not have permission to see it."


class Wrong(Exception):
    """The request is refused; becomes `status` with these messages."""

    def __init__(self, *messages: str, status: int = 400, errors: Mapping[str, str] | None = None) -> None:
        super().__init__("; ".join([*messages, *(f"{k}: {v}" for k, v in (errors or {}).items())]))
        self.messages = list(messages)
        self.errors = dict(errors or {})
        self.status = status

    def response(self) -> Response:
        """The answer."""
        return json_response({"errorMessages": self.messages, "errors": self.errors}, self.status)


def wrong_field(name: str, message: str) -> Wrong:
    """400 for one field."""
    return Wrong(errors={name: message})


def unseen() -> Wrong:
    """404 that tells neither whether the issue exists nor whether we may see it."""
    return Wrong(UNSEEN, status=404)


def not_on_screen(name: str) -> Wrong:
    """400 for a field that cannot be set here."""
    return wrong_field(
        name, f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
    )


def unauthorized() -> Response:
    """401 as the gateway words it."""
    value = {"message": "Client must be authenticated to access this resource.", "status-code": 401}
    return json_response(value, 401, (("WWW-Authenticate", 'OAuth realm="sandbox"'),))


def removed() -> Response:
    """410 of the search that no longer exists."""
    message = (
        "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration "
        "guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
    )
    return json_response({"errorMessages": [message], "errors": {}}, 410)


def too_many(retry_after_s: int, reason: str, limit: int, resets_at: str) -> Response:
    """429 with Jira's headers; `resets_at` is a time in ISO 8601.

    https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
    """
    headers = (
        ("Retry-After", str(retry_after_s)),
        ("X-RateLimit-Limit", str(limit)),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", resets_at),
        ("RateLimit-Reason", reason),
    )
    return json_response({"errorMessages": ["Rate limit exceeded."], "errors": {}}, 429, headers)
