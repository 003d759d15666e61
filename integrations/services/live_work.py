"""Whether tickets wait for a worker at this moment: what can wait, waits for them."""

from __future__ import annotations

from datetime import datetime

from integrations.store import claims


def is_due(now: datetime) -> bool:
    """Whether a worker would find something to read or to deliver.  Two queries; takes no lock; repeatable."""
    return claims.has_work(now)
