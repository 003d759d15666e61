"""Errors of `requests`, urllib3 and the sockets made ours, at one gate, with what is known of the request's outcome.

A request whose first byte never left did nothing; after that, a write may have been carried out.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from http.client import HTTPException, IncompleteRead

import requests
import urllib3

from integrations.connectors import errors
from integrations.connectors.answers import MAX_DETAIL_CHARS, redacted
from integrations.connectors.wire import Call, GuardClosed, PrivateAddress

_TRANSPORT_ERRORS = (
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    HTTPException,
    OSError,
)
# Not urllib3's TimeoutError: it counts every failure to connect as one.
_TIMEOUTS = (TimeoutError, urllib3.exceptions.ReadTimeoutError)
_CUT_OFF = (IncompleteRead, urllib3.exceptions.InvalidChunkLength, urllib3.exceptions.DecodeError)


@contextlib.contextmanager
def mapped(call: Call) -> Iterator[None]:
    """Within this block foreign errors become ours, the original kept as cause."""
    try:
        yield
    except GuardClosed as error:
        raise errors.NotSent("The write was not sent: this worker's lease had run down.") from error
    except PrivateAddress as error:
        raise errors.Refused(
            f"{error.host} is on a private network. The operator can allow it in SYNC_PRIVATE_HOSTS."
        ) from error
    except (*_TRANSPORT_ERRORS, ValueError) as error:
        causes = list(_causes(error))
        detail = redacted(str(causes[-1]))[:MAX_DETAIL_CHARS]
        raise (_after_sending if call.has_sent else _before_sending)(causes, detail, call) from error


def _before_sending(causes: list[BaseException], detail: str, call: Call) -> errors.ConnectorError:
    if _any(causes, *_TIMEOUTS):
        return errors.TimedOut("The system could not be reached in time.", detail=detail)
    if _any(causes, ssl.SSLCertVerificationError):
        return errors.Unavailable("The system's certificate could not be verified.", detail=detail)
    if _any(causes, ssl.SSLError):
        return errors.Unavailable("No secure connection to the system could be made.", detail=detail)
    if isinstance(causes[0], ValueError):
        # An address, header or name that cannot be written down.
        return errors.Refused("The system's address is not a valid web address.", detail=detail)
    return errors.Unavailable("The system could not be reached.", detail=detail)


def _after_sending(causes: list[BaseException], detail: str, call: Call) -> errors.ConnectorError:
    unknown = call.is_write
    if _any(causes, *_TIMEOUTS):
        return errors.TimedOut("The system did not answer in time.", detail=detail, outcome_unknown=unknown)
    if _any(causes, *_CUT_OFF):
        return errors.Garbled("The system's answer was cut off.", detail=detail, outcome_unknown=unknown)
    return errors.Unavailable(
        "The connection broke before the answer was complete.", detail=detail, outcome_unknown=unknown
    )


def _any(causes: list[BaseException], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what is behind it, through the wrappers of `requests` and urllib3, outermost first."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [getattr(cause, "reason", None), cause.__cause__, *cause.args]
