"""SQLite has one writer at a time; here those who wait look again within a millisecond.

SQLite's own busy handler waits 1, 2, 5, 10, 15, 20, 25, ... up to 100 ms between two looks.  Our transactions take one
or two milliseconds, so that web server and workers spent most of their time waiting for nobody.
"""

from __future__ import annotations

import time
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

# How long to wait between two looks: short at first, never long.
FIRST_LOOK_S, LAST_LOOK_S = 0.0003, 0.002
# sqlite3.connect's own default.
DEFAULT_TIMEOUT_S = 5.0


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection.  A transaction begins as soon as the writer before has ended; OperationalError after `timeout`."""

    def _start_transaction_under_autocommit(self) -> None:
        timeout_s = float(self.settings_dict["OPTIONS"].get("timeout", DEFAULT_TIMEOUT_S))
        gives_up_at, pause_s = time.monotonic() + timeout_s, FIRST_LOOK_S
        self._wait_in_sqlite(0)
        try:
            while True:
                try:
                    self._begin_now()
                    return
                except OperationalError as error:
                    if not _is_busy(error) or time.monotonic() > gives_up_at:
                        raise
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, LAST_LOOK_S)
        finally:
            # Statements outside a transaction go on waiting SQLite's way.
            self._wait_in_sqlite(timeout_s)

    def _begin_now(self) -> None:
        """What Django does, without a cursor of its own for every look: that cost more than the look."""
        itself: Any = self
        with self.wrap_database_errors:
            itself.connection.execute(f"BEGIN {itself.transaction_mode or ''}").close()

    def _wait_in_sqlite(self, timeout_s: float) -> None:
        connection: Any = self.connection
        connection.execute(f"PRAGMA busy_timeout = {int(timeout_s * 1000)}").close()


def _is_busy(error: OperationalError) -> bool:
    # https://www.sqlite.org/rescode.html: 5 is SQLITE_BUSY; the codes extended from it have it in their low byte.
    return getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == 5
