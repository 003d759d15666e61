"""The work item types of a project: their states by category, the steps between them, their fields.  Pure.

https://learn.microsoft.com/azure/devops/boards/work-items/workflow-and-state-categories
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from integrations.connectors import errors

REPRO_STEPS = "Microsoft.VSTS.TCM.ReproSteps"
# Categories in which work on an item is over.
OVER = frozenset(("Completed", "Removed"))
# A longer way through the states is a decision for a person.
MAX_STEPS = 4


@dataclass(frozen=True, slots=True)
class TicketType:
    """A work item type.  `categories`: state -> category, in the order of the process; `steps`: state -> next states.

    Without `steps` the process has not told them, and every step is tried.
    """

    name: str
    categories: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fields: frozenset[str] = frozenset()
    is_disabled: bool = False

    @property
    def tells_in_steps(self) -> bool:
        """Whether the description is in the field Repro Steps, as for bugs: their form shows no other."""
        return REPRO_STEPS in self.fields

    def state(self, name: object) -> str | None:
        """The state as the process spells it; capitals do not matter."""
        wanted = name.strip().casefold() if isinstance(name, str) else ""
        return next((one for one in self.categories if one.casefold() == wanted), None)

    def is_over(self, state: object) -> bool:
        """Whether a work item in this state is done with."""
        return self.categories.get(self.state(state) or "") in OVER

    def way(self, present: object, wanted: object) -> tuple[str, ...]:
        """The states to go through, the wanted one last; empty when it is there already.  Raises NoTransition.

        Over states that end the work no way leads on: closing and reopening would mislead everybody who looks.
        """
        target = self.state(wanted) if self.categories else str(wanted)
        if target is None:
            raise _no_step(f"A {self.name} has no state “{wanted}”.  It has: {_named(self.categories)}.")
        start = self.state(present) if self.categories else str(present or "")
        if start == target:
            return ()
        if not start or not self.steps or target in self.steps.get(start, ()):
            return (target,)
        if (found := self._search(start, target)) is not None:
            return found
        onward = self.steps.get(start, ())
        raise _no_step(
            f"No way leads a {self.name} from “{start}” to “{target}”.  From there it goes to: {_named(onward)}."
        )

    def _search(self, start: str, target: str) -> tuple[str, ...] | None:
        ways: deque[tuple[str, ...]] = deque([(start,)])
        seen = {start}
        while ways:
            way = ways.popleft()
            if len(way) > MAX_STEPS:
                return None
            for onward in self.steps.get(way[-1], ()):
                if onward == target:
                    return (*way[1:], onward)
                if onward not in seen and self.categories.get(onward) not in OVER:
                    seen.add(onward)
                    ways.append((*way, onward))
        return None


@dataclass(frozen=True, slots=True)
class Process:
    """What a project's process says: types by name, and the types of fields by reference name."""

    types: Mapping[str, TicketType] = field(default_factory=dict)
    field_types: Mapping[str, str] = field(default_factory=dict)

    def type(self, name: object) -> TicketType:
        """The type with this name; one that nothing is known of, where the process does not tell it."""
        wanted = name.casefold() if isinstance(name, str) else ""
        found = next((one for one in self.types.values() if one.name.casefold() == wanted), None)
        return found or TicketType(name if isinstance(name, str) else "")


def read_types(records: Iterable[dict]) -> dict[str, TicketType]:
    """The types in an answer, those without a name left out."""
    found = (_type(record) for record in records if isinstance(record.get("name"), str))
    return {one.name: one for one in found}


def _type(record: dict) -> TicketType:
    steps = {
        str(start): tuple(
            str(one["to"]) for one in _dicts(onward) if isinstance(one.get("to"), str) and one["to"] != start
        )
        for start, onward in _object(record.get("transitions")).items()
    }
    categories = {
        state["name"]: str(state.get("category") or "")
        for state in _dicts(record.get("states"))
        if isinstance(state.get("name"), str)
    }
    if not categories:
        categories = {name: "" for start, onward in steps.items() for name in (start, *onward) if name}
    named = [*_dicts(record.get("fields")), *_dicts(record.get("fieldInstances"))]
    return TicketType(
        record["name"],
        categories,
        steps,
        frozenset(str(one.get("referenceName")) for one in named),
        record.get("isDisabled") is True,
    )


def read_field_types(records: Iterable[dict]) -> dict[str, str]:
    """The types of fields; people by a name of their own, because Azure DevOps calls their fields texts."""
    return {
        str(one["referenceName"]): "identity" if one.get("isIdentity") is True else str(one.get("type") or "")
        for one in records
        if isinstance(one.get("referenceName"), str)
    }


def _no_step(message: str) -> errors.NoTransition:
    return errors.NoTransition(message, fields={"status": "no transition"})


def _named(states: Iterable[str]) -> str:
    return ", ".join(f"“{one}”" for one in states) or "nowhere"


def _dicts(value: object) -> list[dict]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(value: object) -> dict:
    return value if isinstance(value, dict) else {}
