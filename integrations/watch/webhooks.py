"""Outgoing web hooks by the Standard Webhooks specification: signature, catalogue of events, pauses between tries.  Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random

SECRET_PREFIX = "whsec_"  # noqa: S105  # what the specification begins every secret with
SECRET_BYTES = 32


class EventType(StrEnum):
    """What an endpoint can be told of."""

    ALERT_OPENED = "alert.opened"
    ALERT_WORSENED = "alert.worsened"
    ALERT_CLOSED = "alert.closed"
    LANE_PARKED = "lane.parked"
    LANE_RESUMED = "lane.resumed"
    TICKET_LINKED = "ticket.linked"
    STATUS_CHANGED = "ticket.status_changed"
    TEST = "endpoint.test"


# After the first try at once, as the specification proposes; three days and a half in all.
PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
LONGEST_PAUSE = timedelta(days=1)
# So much longer or shorter, so that what failed together does not come back together.
JITTER = 0.2


def new_secret() -> str:
    """A secret nobody can guess, in the form in which receivers' libraries take it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, at: datetime, body: bytes) -> str:
    """One signature: "v1," and the base64 of HMAC-SHA256 over id, time in whole seconds and body, with dots between."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers_for(secrets_: Sequence[str], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers; with one signature for each secret that holds, so that receivers can change over."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signature(one, message_id, at, body) for one in secrets_),
    }


def body_of(kind: EventType, at: datetime, data: Mapping[str, object]) -> str:
    """The thin body: type, time and the names of what changed.  Whoever wants more asks the API with its own rights."""
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": kind.value, "timestamp": moment, "data": dict(data)}, separators=(",", ":"))


def pause_after(tries: int, random: Random, retry_after_s: float | None = None) -> timedelta | None:
    """How long to wait after the try number `tries` failed; None when it was the last.

    The receiver's Retry-After is honoured where it asks for more, up to a day.
    """
    if tries > len(PAUSES):
        return None
    pause = PAUSES[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    asked = timedelta(seconds=min(retry_after_s or 0.0, LONGEST_PAUSE.total_seconds()))
    return max(pause, asked)
