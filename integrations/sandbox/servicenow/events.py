"""The web hooks of a sandboxed ServiceNow, as the business rule sends them that an administrator pasted in.

ServiceNow has none of its own: payload, signature and retries are what the script makes them.  This one names the
record and leaves it to the receiver to read it; it signs the time of sending and the raw body.  It runs after inserts
and updates, for a file too, and not after deletions.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from integrations.sandbox.hooks import Outgoing
from integrations.sandbox.servicenow.state import Hook, Record

TIMEOUT_S = 10.0


def tries_again(status: int, headers: Mapping[str, str], attempt: int) -> bool:
    """Whatever is not taken is tried again, as often as the settings say; a script that retries is rare."""
    return not 200 <= status < 300


def hook_for(hook: Hook, record: Record, actor: Record, now: datetime) -> Outgoing:
    """What the business rule sends when somebody has written a record; that of a file names what it hangs on."""
    id_ = str(uuid.uuid4())
    is_file = record.table == "sys_attachment"
    body = json.dumps(
        {
            "id": id_,
            "table": record["table_name"] if is_file else record.table,
            "sys_id": record["table_sys_id"] if is_file else record.id,
            "number": record["number"],
            "updated_by": actor["user_name"],
            "updated_by_id": actor.id,
            "mod_count": int(record["sys_mod_count"]),
            "sent_at": now.astimezone(UTC).isoformat(),
        }
    ).encode()
    return Outgoing(id_, record.table, hook.url, body, functools.partial(_headers, hook.secret, body))


def _headers(secret: str, body: bytes, attempt: int) -> dict[str, str]:
    # The time that is signed is the real one: the receiver compares it with its own clock.
    timestamp = str(int(datetime.now(UTC).timestamp()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "ServiceNow/1.0",
        "X-Concord-Timestamp": timestamp,
        "X-Concord-Signature": signature(secret, timestamp, body),
    }


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """sha256= and the HMAC-SHA256 over the timestamp, a full stop and the raw body, in hexadecimal."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"
