"""Hands out a schedule's faults when their occasion comes; each happens once."""

from __future__ import annotations

from collections.abc import Iterable

from integrations.simulation.schedule import Fault

# What can go wrong with any call, and with those only that change something.
ANY_CALL = frozenset({"busy_503", "limited_429", "lost_request", "reset", "garbled", "unauthorized"})
WRITES = frozenset({"lost_response", "late", "too_late", "refused_400", "forbidden"})
HINTS = frozenset({"hint_lost", "hint_doubled", "hint_delayed"})
# These begin by the clock, whatever is going on.
TIMED = frozenset({"outage", "silence", "database_down", "hint_forged"})


class Mishaps:
    """The faults that have not happened yet."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.timed: list[Fault] = []
        self._calls: dict[int, list[Fault]] = {}
        self._hints: dict[int, list[Fault]] = {}
        self._points: dict[str, list[Fault]] = {}
        self._waited: dict[int, int] = {}
        for fault in sorted(faults, key=lambda one: one.at_ms):
            if fault.kind in TIMED:
                self.timed.append(fault)
            elif fault.kind in HINTS:
                self._hints.setdefault(fault.system, []).append(fault)
            elif fault.kind.startswith(("kill:", "freeze:")):
                self._points.setdefault(fault.kind.split(":")[1], []).append(fault)
            elif fault.kind in ANY_CALL | WRITES:
                self._calls.setdefault(fault.system, []).append(fault)
            else:
                raise ValueError(f"Nobody knows the fault “{fault.kind}”.")

    def of_call(self, place: int, ms: int, *, is_write: bool) -> Fault | None:
        """What happens to a call that leaves now."""
        waiting = self._calls.get(place)
        if not waiting:
            return None
        for number, fault in enumerate(waiting):
            if fault.at_ms > ms:
                return None
            if (is_write or fault.kind in ANY_CALL) and self._is_its_turn(fault):
                return waiting.pop(number)
        return None

    def of_hint(self, place: int, ms: int) -> Fault | None:
        """What happens to a hint that is sent now."""
        return self._first(self._hints.get(place), ms)

    def of_point(self, point: str, ms: int) -> Fault | None:
        """What happens to a worker that passes here now; `any` means whatever point comes first."""
        return self._first(self._points.get(point), ms) or self._first(self._points.get("any"), ms)

    def _first(self, waiting: list[Fault] | None, ms: int) -> Fault | None:
        if waiting and waiting[0].at_ms <= ms and self._is_its_turn(waiting[0]):
            return waiting.pop(0)
        return None

    def _is_its_turn(self, fault: Fault) -> bool:
        """Count down to the nth occasion."""
        passed = self._waited.get(id(fault), 0)
        self._waited[id(fault)] = passed + 1
        return passed >= fault.nth
