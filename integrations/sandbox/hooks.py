"""Web hooks out: a queue and threads that deliver them signed, with retries, and with the faults that were asked for.

A hook may be lost, doubled, held back behind the next one, or delayed, because vendors promise no order and no
certainty.  Delivery runs on real time: what a test waits for is `wait_idle`, never a pause.
"""

from __future__ import annotations

import heapq
import http.client
import itertools
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from integrations.sandbox.faults import FaultBox

# How long a reordered hook waits for one that may overtake it.
HELD_S = 0.5
MAX_QUEUE = 200_000
KEPT = 200

# In place of an HTTP status: the receiver was not reached, or did not answer in time.
UNREACHED = 0
TIMED_OUT = -1


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One hook.  `sign` gives the headers of an attempt (counted from 0), as some sign the time of sending.

    `settled` hears the last status; it runs in the delivering thread and may only set values.
    """

    id: str
    event: str
    url: str
    body: bytes
    sign: Callable[[int], Mapping[str, str]]
    settled: Callable[[int], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class RetryRule:
    """When a vendor tries again: `again(status, headers, attempt)`, after `delays_s`, whose length is the bound."""

    again: Callable[[int, Mapping[str, str], int], bool]
    delays_s: tuple[float, ...]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt at a delivery, for the operator's page."""

    event: str
    url: str
    status: int
    attempt: int
    ms: float


class HookSender:
    """Delivers hooks in the order given, unless faults say otherwise.

    One worker keeps that order; more are quicker and keep none, like the vendors.
    """

    def __init__(self, faults: FaultBox, rule: RetryRule, workers: int = 1) -> None:
        self.rule = rule
        self.workers = workers
        self.counts: Counter[str] = Counter()
        self.last: deque[Sent] = deque(maxlen=KEPT)
        self._faults = faults
        self._changed = threading.Condition()
        self._queue: list[tuple[float, int, Outgoing, int]] = []
        self._order = itertools.count()
        self._held: tuple[float, Outgoing] | None = None
        self._in_flight = 0
        self._threads: list[threading.Thread] = []
        self._stopping = False
        self._epoch = 0

    def submit(self, hook: Outgoing) -> None:
        """Queue one hook, as far as the faults let it."""
        faults = self._faults.faults
        with self._changed:
            if self._faults.draw(faults.hook_lost):
                self.counts["lost"] += 1
                return
            copies = 2 if self._faults.draw(faults.hook_doubled) else 1
            self.counts["doubled"] += copies - 1
            self._start()
            due = time.monotonic() + faults.hook_delay_ms / 1000
            if self._held is None and self._faults.draw(faults.hook_reordered):
                self.counts["reordered"] += 1
                self._held = (due + HELD_S, hook)
                copies -= 1
            for _ in range(copies):
                self._push(due, hook, 0)
            if copies and self._held is not None and self._held[1] is not hook:
                self._release_held(due)
            self._changed.notify_all()

    def _push(self, due: float, hook: Outgoing, attempt: int) -> None:
        if len(self._queue) >= MAX_QUEUE:
            self.counts["dropped"] += 1
            return
        heapq.heappush(self._queue, (due, next(self._order), hook, attempt))

    def _release_held(self, due: float) -> None:
        assert self._held is not None
        self._push(due, self._held[1], 0)
        self._held = None

    def wait_idle(self, timeout_s: float = 10.0) -> bool:
        """Wait until nothing is queued or on its way; false when that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending() == 0, timeout_s)

    def _pending(self) -> int:
        return len(self._queue) + self._in_flight + (self._held is not None)

    def clear(self) -> None:
        """Forget what is queued and what was counted."""
        with self._changed:
            self._queue.clear()
            self._held = None
            self._epoch += 1
            self.counts.clear()
            self.last.clear()
            self._changed.notify_all()

    def as_value(self) -> dict[str, Any]:
        """Counters: pending, sent (answered with 2xx), failed (given up), retried, lost, doubled, reordered."""
        with self._changed:
            names = ("sent", "failed", "retried", "lost", "doubled", "reordered", "dropped")
            return {"pending": self._pending(), **{name: self.counts[name] for name in names}}

    def stop(self) -> None:
        """Stop the threads; what is queued is not delivered."""
        with self._changed:
            self._stopping = True
            self._queue.clear()
            self._held = None
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)
        self._threads.clear()

    def _start(self) -> None:
        while len(self._threads) < self.workers and not self._stopping:
            thread = threading.Thread(target=self._run, name="sandbox-hooks", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        post = _Poster()
        try:
            while (job := self._take()) is not None:
                hook, attempt, epoch = job
                started = time.perf_counter()
                status, headers = post(hook, attempt, self.rule.timeout_s)
                ms = (time.perf_counter() - started) * 1000
                self._settle(hook, attempt, epoch, status, headers, ms)
        finally:
            post.close()

    def _take(self) -> tuple[Outgoing, int, int] | None:
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                if self._held is not None and self._held[0] <= now:
                    self._release_held(now)
                if self._queue and self._queue[0][0] <= now:
                    _, _, hook, attempt = heapq.heappop(self._queue)
                    self._in_flight += 1
                    return hook, attempt, self._epoch
                self._changed.wait(self._wait_s(now))
            return None

    def _wait_s(self, now: float) -> float | None:
        dues = [self._queue[0][0]] if self._queue else []
        if self._held is not None:
            dues.append(self._held[0])
        return max(0.0, min(dues) - now) if dues else None

    def _settle(
        self, hook: Outgoing, attempt: int, epoch: int, status: int, headers: Mapping[str, str], ms: float
    ) -> None:
        with self._changed:
            self._in_flight -= 1
            if epoch == self._epoch:
                self.last.append(Sent(hook.event, hook.url, status, attempt, round(ms, 1)))
                self._count(hook, attempt, status, headers)
            self._changed.notify_all()

    def _count(self, hook: Outgoing, attempt: int, status: int, headers: Mapping[str, str]) -> None:
        if 200 <= status < 300:
            self.counts["sent"] += 1
            hook.settled(status)
        elif attempt < len(self.rule.delays_s) and self.rule.again(status, headers, attempt):
            self.counts["retried"] += 1
            self._push(time.monotonic() + self.rule.delays_s[attempt], hook, attempt + 1)
        else:
            self.counts["failed"] += 1
            hook.settled(status)


class _Poster:
    """POSTs over one kept connection to each receiver."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], http.client.HTTPConnection] = {}

    def __call__(self, hook: Outgoing, attempt: int, timeout_s: float) -> tuple[int, Mapping[str, str]]:
        parts = urlsplit(hook.url)
        key = (parts.scheme, parts.netloc)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = dict(hook.sign(attempt))
        reused = key in self._open
        try:
            return self._send(key, target, hook.body, headers, timeout_s)
        except TimeoutError:
            self._drop(key)
            return TIMED_OUT, {}
        except (OSError, http.client.HTTPException):
            self._drop(key)
        if not reused:
            return UNREACHED, {}
        # The receiver may close an idle connection at any time; that says nothing about the receiver.
        try:
            return self._send(key, target, hook.body, headers, timeout_s)
        except (OSError, http.client.HTTPException):
            self._drop(key)
            return UNREACHED, {}

    def _send(
        self, key: tuple[str, str], target: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> tuple[int, Mapping[str, str]]:
        connection = self._open.get(key)
        if connection is None:
            connection = self._open[key] = self._connect(key, timeout_s)
        connection.request("POST", target, body, dict(headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}

    def _connect(self, key: tuple[str, str], timeout_s: float) -> http.client.HTTPConnection:
        scheme, host = key
        if scheme == "https":
            return http.client.HTTPSConnection(host, timeout=timeout_s, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, timeout=timeout_s)

    def _drop(self, key: tuple[str, str]) -> None:
        connection = self._open.pop(key, None)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()
