"""One round of the watch, whoever walks it: look at everything, then tell those who want to know.

The worker's beat walks it, and so does `manage.py watch`, which goes on when no worker does.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kombu.exceptions import OperationalError as BrokerError

from integrations.services import outgoing, watching
from integrations.services.watching import Round
from portal import mailing
from portal.celery import app

logger = logging.getLogger(__name__)

BROKER_TIMEOUT_S = 3


def walk(now: datetime, *, broker_answers: bool | None = None) -> Round:
    """Open, worsen and close alerts, and send what is due.  May be repeated, and done by several at once."""
    done = watching.watch(now=now, broker_answers=broker_answers, others=mailing.trouble(now))
    for alert in [*done.opened, *done.worsened]:
        logger.warning("alert", extra={"alert_id": alert.pk, "code": alert.code, "subject": alert.subject})
    mailing.send_due(now)
    outgoing.send_due(now)
    outgoing.forget_old(now)
    return done


def broker_answers() -> bool:
    """Whether the message broker can be reached; waits some seconds at most."""
    try:
        with app.connection_for_write(connect_timeout=BROKER_TIMEOUT_S) as connection:
            connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
    except (OSError, BrokerError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Outage:
    """The database is away, remembered in a file, because there is no other place: since when."""

    file: Path

    def since(self) -> datetime | None:
        """When it was first found away; None while it is there.  A file that cannot be read counts as none."""
        try:
            return datetime.fromisoformat(json.loads(self.file.read_text())["since"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def begin(self, now: datetime) -> bool:
        """Note that it is away; whether that is news."""
        if self.since() is not None:
            return False
        self.file.write_text(json.dumps({"since": now.isoformat()}))
        return True

    def end(self) -> datetime | None:
        """Note that it is back; since when it had been away, None when it had not."""
        since = self.since()
        self.file.unlink(missing_ok=True)
        return since
