"""What can go wrong with a partner's system, named by what happens next.

    ConnectorError
    +-- Unavailable        try again later; the lane waits at this delivery
    |   +-- TimedOut       no answer in time
    |   +-- RateLimited    retry_after_s: seconds the vendor asked for, or None
    |   |   +-- HeldBack   our own budget: not sent, so that the system need not refuse it
    |   +-- Garbled        the answer could not be read
    |   +-- Stale          somebody changed the ticket in between: read again, decide again
    |   +-- NotSent        our own guard closed before the bytes left: nothing happened
    +-- Refused            this will never be accepted as it is; the lane stops and asks a person
    |   +-- Invalid        a field or value the other system rejects
    |   |   +-- RequiredField     a field the system demands is missing
    |   |   +-- NoTransition      the workflow has no step to that status
    |   |   +-- TooLarge          a text or file over the system's limit
    |   |       +-- FileTooLarge      known before or while the file was sent; nothing of it was written
    |   +-- FileGone       a file is in its own system no more; nothing of it was written
    |   +-- FileSizeWrong  a file is longer than its own system says; nothing of it was written
    |   +-- Forbidden      the account lacks a right
    |   +-- Gone           the ticket no longer exists there, or is closed for ever
    |       +-- Closed         it is there, and takes nothing more; some systems take a follow-up instead
    +-- Unauthorized       credentials wrong or expired; the whole system stops

`code` is stable and is the key of the handbook article.  `message` is for people and never holds a secret or the
content of a ticket beyond the names of fields.  `is_of_source` marks what the system said that a file comes from, not
the one that it goes to.  `outcome_unknown` is true when a write may have been carried out
although we got no proper answer: then the write must be looked for before it is sent again.
"""

from __future__ import annotations

from typing import ClassVar

from integrations.canonical import FileTrace


class ConnectorError(Exception):
    """Base of everything a connector may raise."""

    code: ClassVar[str] = "unavailable"

    def __init__(
        self, message: str, *, status: int | None = None, detail: str = "", outcome_unknown: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        # HTTP status, where there was one; `detail` is for our log, redacted and cut.
        self.status = status
        self.detail = detail
        self.outcome_unknown = outcome_unknown
        self.is_of_source = False
        # What of a file had left before the answer was lost.
        self.file: FileTrace | None = None


class Unavailable(ConnectorError):
    """Try again later; the lane waits at this delivery."""

    code = "unavailable"


class TimedOut(Unavailable):
    """No answer in time."""

    code = "timed_out"


class RateLimited(Unavailable):
    """The system asked us to slow down; `is_for_ticket` with this one ticket alone."""

    code = "rate_limited"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        status: int | None = 429,
        detail: str = "",
        is_for_ticket: bool = False,
    ) -> None:
        super().__init__(message, status=status, detail=detail)
        self.retry_after_s = retry_after_s
        self.is_for_ticket = is_for_ticket


class HeldBack(RateLimited):
    """The budget of calls is used up for the moment.  Nothing was sent, and nothing is wrong with the system."""

    code = "held_back"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, retry_after_s=retry_after_s, status=None)


class Garbled(Unavailable):
    """The answer could not be read: not JSON, a sign-in page, cut off, or of another shape."""

    code = "payload_broken"


class Stale(Unavailable):
    """The ticket changed between our reading and our writing; nothing was written."""

    code = "conflict"


class NotSent(Unavailable):
    """Our own guard closed before the bytes left: the lease had run down.  Nothing happened remotely."""

    code = "not_sent"


class Refused(ConnectorError):
    """This will never be accepted as it is; a person has to look."""

    code = "refused"


class Invalid(Refused):
    """A field or value the other system rejects.  `fields` maps the vendor's field names to its words."""

    code = "invalid"

    def __init__(
        self,
        message: str,
        *,
        fields: dict[str, str] | None = None,
        status: int | None = None,
        detail: str = "",
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message, status=status, detail=detail, outcome_unknown=outcome_unknown)
        self.fields = fields or {}


class RequiredField(Invalid):
    """A field that the system demands is missing."""

    code = "required_field"


class NoTransition(Invalid):
    """The workflow has no step from the present status to the wanted one."""

    code = "transition_missing"


class TooLarge(Invalid):
    """A text or file over the system's limit."""

    code = "too_large"


class FileTooLarge(TooLarge):
    """A file over a limit, stopped before all of it was sent."""

    code = "file_too_large"


class FileGone(Refused):
    """The file is no longer where it came from."""

    code = "file_gone"


class FileSizeWrong(Refused):
    """The file is longer than its own system says, so it was stopped on the way."""

    code = "file_size_wrong"


class Forbidden(Refused):
    """The account lacks a right."""

    code = "forbidden"


class Gone(Refused):
    """The ticket no longer exists there, or is closed and takes nothing."""

    code = "gone"


class Closed(Gone):
    """The ticket is there but closed for ever.  A connector that `FollowsUp` can open the one that goes on from it."""


class Unauthorized(ConnectorError):
    """Credentials are wrong or expired."""

    code = "unauthorized"


class HookRefused(Exception):
    """A web hook that is not proven to come from the partner's system.  `reason` is for our log alone."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
