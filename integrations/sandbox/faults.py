"""What goes wrong on purpose: outages, throttling, lost answers, and web hooks that get lost on the way.

Rates are drawn from a seeded generator, so that a run can be repeated; `next` holds faults that strike once.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any


class Blow(StrEnum):
    """What happens to one request."""

    NONE = "none"
    ERROR = "error"
    """An error status instead of doing anything."""
    RESET = "reset"
    """The connection is cut before anything is done."""
    ANSWER_LOST = "answer_lost"
    """Everything is done, and the connection is cut instead of answering."""
    TRUNCATED = "truncated"
    """Everything is done, and the connection is cut in the middle of the answer."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What a request meets: the blow, the status of an error, and how long its answer is held back."""

    blow: Blow = Blow.NONE
    status: int = 0
    delay_s: float = 0.0


@dataclass(slots=True)
class OneShot:
    """A fault for the next `times` requests whose `METHOD /path` begins with `match`.

    `do` is answer_lost, reset, truncated, slow, or an error status such as 429 or 503.
    """

    match: str
    do: str
    times: int = 1
    ms: int = 1000


@dataclass(slots=True)
class Faults:
    """The settings of everything that goes wrong; all off at first.

    `down` lets every vendor request fail: `down_as` is "drop" (the connection is cut, nothing is done) or an error
    status such as "503".
    """

    down: bool = False
    down_as: str = "drop"
    latency_ms: int = 0
    rate_429: float = 0.0
    retry_after_s: int = 1
    rate_5xx: float = 0.0
    rate_answer_lost: float = 0.0
    rate_reset: float = 0.0
    rate_truncated: float = 0.0
    hook_lost: float = 0.0
    hook_doubled: float = 0.0
    hook_reordered: float = 0.0
    hook_delay_ms: int = 0
    seed: int = 0
    next: list[OneShot] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.next = [one if isinstance(one, OneShot) else OneShot(**one) for one in self.next]
        for one in self.next:
            if one.do not in ("answer_lost", "reset", "truncated", "slow") and not _is_error(one.do):
                raise ValueError(f"{one.do!r} is not a fault")
        if self.down_as != "drop" and not _is_error(self.down_as):
            raise ValueError("down_as is drop or an error status")


def _is_error(text: str) -> bool:
    return text.isdigit() and 400 <= int(text) < 600


class FaultBox:
    """The faults of one sandbox and the dice they are drawn with.  Not thread-safe: the server's lock guards it."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._dice = random.Random(0)

    def set(self, values: Mapping[str, Any]) -> None:
        """Change the faults named in `values`; ValueError names what is not known.  `seed` restarts the dice."""
        known = {one.name for one in fields(Faults)}
        if unknown := sorted(set(values) - known):
            raise ValueError("unknown: " + ", ".join(unknown))
        try:
            self.faults = replace(self.faults, **values)
        except TypeError as error:
            raise ValueError(str(error)) from error
        if "seed" in values:
            self._dice = random.Random(self.faults.seed)

    def clear(self) -> None:
        """No fault at all."""
        self.faults = Faults()
        self._dice = random.Random(0)

    def as_value(self) -> dict[str, Any]:
        """The settings as JSON."""
        return asdict(self.faults)

    def fate(self, method: str, path: str) -> Fate:
        """Draw what happens to this request."""
        faults = self.faults
        delay_s = faults.latency_ms / 1000
        if faults.next and (one := self._strike(f"{method} {path}")) is not None:
            return _one_fate(one, delay_s)
        if faults.down:
            if faults.down_as == "drop":
                return Fate(Blow.RESET, 0, delay_s)
            return Fate(Blow.ERROR, int(faults.down_as), delay_s)
        for rate, blow, status in (
            (faults.rate_reset, Blow.RESET, 0),
            (faults.rate_429, Blow.ERROR, 429),
            (faults.rate_5xx, Blow.ERROR, 503),
            (faults.rate_answer_lost, Blow.ANSWER_LOST, 0),
            (faults.rate_truncated, Blow.TRUNCATED, 0),
        ):
            if rate and self._dice.random() < rate:
                return Fate(blow, status, delay_s)
        return Fate(delay_s=delay_s) if delay_s else _FINE

    def _strike(self, line: str) -> OneShot | None:
        for one in self.faults.next:
            if line.startswith(one.match):
                one.times -= 1
                if one.times <= 0:
                    self.faults.next.remove(one)
                return one
        return None

    def draw(self, rate: float) -> bool:
        """Whether something that happens at `rate` happens now."""
        return bool(rate) and self._dice.random() < rate


_FINE = Fate()


def _one_fate(one: OneShot, delay_s: float) -> Fate:
    if one.do == "slow":
        return Fate(delay_s=delay_s + one.ms / 1000)
    if one.do.isdigit():
        return Fate(Blow.ERROR, int(one.do), delay_s)
    return Fate(Blow(one.do), 0, delay_s)
