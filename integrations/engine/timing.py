"""How long the engine waits: back-off, settle window, send window.  Pure; durations in seconds."""

from __future__ import annotations

import random as random_module
from datetime import datetime, timedelta

from integrations.connectors.errors import ConnectorError, HeldBack, RateLimited, Stale
from integrations.connectors.protocol import Capabilities
from integrations.engine.values import Operation

# Between the guard's last moment and the end of the lease, beside the time limit of the request itself.
MARGIN_S = 5
LONGEST_BACKOFF_S = 300
FAILURES_TO_OPEN = 5


def backoff_s(tries: int, error: ConnectorError | None, random: random_module.Random) -> float:
    """Full jitter up to five minutes; never earlier than the system asked for; at once when the ticket moved."""
    if isinstance(error, Stale) and tries < 5:
        return 0.0
    if isinstance(error, HeldBack) and error.retry_after_s is not None:
        return error.retry_after_s
    wait_s = random.uniform(0, min(LONGEST_BACKOFF_S, 2 ** min(tries, 9)))
    if isinstance(error, RateLimited) and error.retry_after_s is not None:
        return max(error.retry_after_s, wait_s)
    return wait_s


def settle_s(capabilities: Capabilities, operation: Operation, request_timeout_s: float) -> float:
    """How long after the guard's last moment a write may still show up in the other system."""
    lag_s = capabilities.search_lag_s if operation is Operation.CREATE else 0
    return capabilities.late_execution_s + request_timeout_s + MARGIN_S + lag_s


def send_by(leased_until: datetime, request_timeout_s: float) -> datetime:
    """The last moment at which a write may leave: its answer must be in before the lease ends."""
    return leased_until - timedelta(seconds=request_timeout_s + MARGIN_S)


def breaker_pause_s(streak: int, random: random_module.Random) -> float:
    """How long a system is left alone after so many failures in a row; 0 while the breaker stays closed."""
    if streak < FAILURES_TO_OPEN:
        return 0.0
    longest = min(LONGEST_BACKOFF_S, 30 * 2 ** min(streak - FAILURES_TO_OPEN, 4))
    return random.uniform(2, longest)
