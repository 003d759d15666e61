"""One worker process's place of work: its store and its open connectors, kept from tick to tick."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from django.conf import settings

from integrations.runtime.connectors import Connectors, Opener
from integrations.runtime.drain import LINGER_S, Drain, Report
from integrations.store.django import DjangoStore


class Worker:
    """Drains what is due, again and again, with the same open connections."""

    def __init__(self, opener: Opener) -> None:
        self._connectors = Connectors(opener)
        self._store = DjangoStore()
        self.owner = f"{socket.gethostname()}:{os.getpid()}"

    def drain(
        self,
        *,
        for_s: float,
        linger_s: float = LINGER_S,
        stop: Callable[[], bool] = lambda: False,
        hand_over: Callable[[], None] = lambda: None,
    ) -> Report:
        """Work until nothing is due for `linger_s`, at most `for_s` seconds.  May be called at any time, by many.

        `hand_over` is called when the time is over, before what is under way has come to its end.
        """
        drain = Drain(
            self._store,
            self._connectors,
            self.owner,
            lease_s=settings.SYNC_LANE_LEASE_S,
            request_timeout_s=settings.SYNC_REQUEST_TIMEOUT_S,
            calls_in_flight=settings.SYNC_CALLS_IN_FLIGHT,
        )
        return drain.run(for_s=for_s, linger_s=linger_s, stop=stop, hand_over=hand_over)
