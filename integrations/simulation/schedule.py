"""A schedule: everything that is going to happen in one world, as plain data that can be kept and made smaller."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class SystemSetup:
    """One system of the chain: its kind and what is particular about it."""

    kind: str
    gives_markers: bool = True
    gives_change_ids: bool = True
    guards_writes: bool = False
    gives_marks: bool = True
    search_lag_s: int = 0
    skew_s: int = 0
    page_size: int = 0
    has_steps: bool = False
    title_limit: int = 0
    automates: bool = False
    # The meaning of the status that a rule of its own sets whenever anybody sets another one.
    insists: str = ""
    # Whether it closes tickets for ever, and takes follow-ups of those.
    closes: bool = False
    # Calls that it takes in a minute, 0 for as many as come, and whether its answers tell what is left of them.
    call_limit: int = 0
    tells_limit: bool = False
    # Staff's own limit on calls to it, in a minute; 0 for none.
    ceiling: int = 0


@dataclass(frozen=True, slots=True)
class LinkSetup:
    """A connection of two neighbours: whether the right one raises tickets too, and the flags of all four rule sets.

    In the order left outgoing, left incoming, right outgoing, right incoming.
    """

    right_starts: bool = False
    flags: tuple[tuple[str, ...], ...] = ((), (), (), ())


@dataclass(frozen=True, slots=True)
class Op:
    """Something a person does.  What the arguments mean depends on the kind; see `people.py`."""

    at_ms: int
    kind: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.at_ms / 1000:9.3f} s  {self.kind} {' '.join(str(arg) for arg in self.args)}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong: the first fitting occasion at or after its time, or the `nth` one after that.

    `system` is a place in the chain, or -1 for any.  `ms` is how long it lasts or how late something comes.
    """

    at_ms: int
    kind: str
    system: int = -1
    ms: int = 0
    nth: int = 0

    def __str__(self) -> str:
        where = f" in system {self.system}" if self.system >= 0 else ""
        length = f" {self.ms / 1000:g} s" if self.ms else ""
        nth = f" (occasion {self.nth})" if self.nth else ""
        return f"{self.at_ms / 1000:9.3f} s  ! {self.kind}{where}{length}{nth}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One world's whole fate.  `span_ms` is when people stop; faults stop when everything has come to rest."""

    seed: int
    profile: str
    span_ms: int
    systems: tuple[SystemSetup, ...]
    links: tuple[LinkSetup, ...]
    workers: int
    calls_in_flight: int
    ops: tuple[Op, ...]
    faults: tuple[Fault, ...]
    poll_s: int = 120

    def history(self) -> str:
        """What happens, in order, for people to read."""
        kinds = " – ".join(_described(system) for system in self.systems)
        lines = [f"{kinds}; {self.workers} workers, {self.calls_in_flight} calls in flight"]
        events: list[Op | Fault] = [*self.ops, *self.faults]
        events.sort(key=lambda event: event.at_ms)
        return "\n".join(lines + [str(event) for event in events])

    def as_json(self) -> str:
        """The form that is kept."""
        return json.dumps(asdict(self), ensure_ascii=False)


def from_json(text: str) -> Schedule:
    """A schedule as it was kept."""
    return _schedule(json.loads(text))


def _schedule(value: Mapping[str, Any]) -> Schedule:
    parts: dict[str, Any] = dict(value)
    parts["systems"] = tuple(SystemSetup(**one) for one in value["systems"])
    parts["links"] = tuple(
        LinkSetup(one["right_starts"], tuple(tuple(flags) for flags in one["flags"]))
        for one in value["links"]
    )
    parts["ops"] = tuple(Op(one["at_ms"], one["kind"], tuple(one["args"])) for one in value["ops"])
    parts["faults"] = tuple(Fault(**one) for one in value["faults"])
    return Schedule(**parts)


def _described(system: SystemSetup) -> str:
    usual = SystemSetup(system.kind)
    differs = [
        f"{one.name}={getattr(system, one.name)}"
        for one in fields(system)
        if getattr(system, one.name) != getattr(usual, one.name)
    ]
    return f"{system.kind}({', '.join(differs)})"
