"""What the simulated companies call things, and the rules by which each shares them.

All systems speak of the same four things: a title, a status, a priority and a reference that never changes.  The
yard knows two priorities only, and the board two words for open work, so that not every way there leads back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from integrations.mapping.rules import ConflictPolicy, FieldRule, RuleSet, Transform

# A field that every system has and no rule names: what stands in it must never leave.
PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Words:
    """One kind of system: its field names, and its values by those of the data dictionary.

    `aliases`: further values of its own, which mean the same.
    """

    title: str
    status: Mapping[str, str]
    priority: Mapping[str, str]
    aliases: Mapping[str, str]
    steps: Mapping[str, tuple[str, ...]]

    def name_of(self, field: str) -> str:
        """Its own name of a field of the dictionary."""
        return self.title if field == "title" else field

    def outgoing(self, field: str) -> dict[str, str]:
        """Its values with their meaning."""
        table = self.status if field == "status" else self.priority
        # Where several meanings share a value, the first one is what it is taken for.
        found = {own: common for common, own in reversed([*table.items()])}
        return {**found, **self.aliases} if field == "status" else found

    def values(self, field: str) -> tuple[str, ...]:
        """What its people can choose."""
        return tuple(self.outgoing(field))


WORDS: dict[str, Words] = {
    "desk": Words(
        title="subject",
        status={"new": "new", "open": "open", "pending": "pending", "solved": "solved"},
        priority={"1": "urgent", "2": "high", "3": "normal", "4": "low"},
        aliases={},
        steps={},
    ),
    "board": Words(
        title="summary",
        status={"new": "To Do", "open": "In Progress", "pending": "Waiting", "solved": "Done"},
        priority={"1": "Highest", "2": "High", "3": "Medium", "4": "Low"},
        aliases={"In Review": "open"},
        steps={"Done": ("In Progress",)},
    ),
    "hub": Words(
        title="short_description",
        status={"new": "1", "open": "2", "pending": "3", "solved": "6"},
        priority={"1": "1", "2": "2", "3": "3", "4": "4"},
        aliases={},
        steps={},
    ),
    "yard": Words(
        title="heading",
        status={"new": "New", "open": "Active", "pending": "Blocked", "solved": "Closed"},
        priority={"1": "High", "2": "High", "3": "Low", "4": "Low"},
        aliases={},
        steps={"Closed": ("Active", "Blocked")},
    ),
}
FIELDS = ("title", "status", "priority", "ref")


def rules_of(kind: str, direction: str, flags: Collection[str], *, id: int, version: int) -> RuleSet:
    """One published version of a side's rules.

    Flags: `no title` shares no title; `gap` has no row for the lowest priority; `internal` shares internal comments;
    `no files` shares none; `notes` asks for a word when
    something was not taken, `tells` lets the other side hear why; `heading` writes the author above a comment; `own title` and so on keep the own edit of a
    field where neither side had seen the other's; `ask title` and so on ask a person there.
    """
    words = WORDS[kind]
    outgoing = direction == "outgoing"
    rules = []
    for name in FIELDS:
        if name == "title" and "no title" in flags:
            continue
        own = words.name_of(name)
        values: dict[str, str] = {}
        if name in ("status", "priority"):
            values = words.outgoing(name) if outgoing else dict(getattr(words, name))
        if name == "priority" and "gap" in flags:
            values.pop(list(values)[-1])
        rules.append(
            FieldRule(
                source=own if outgoing else name,
                target=name if outgoing else own,
                transform=Transform.VALUE_MAP if values else Transform.COPY,
                values=values,
                conflict=ConflictPolicy.NEWEST if outgoing else _policy(name, flags),
            )
        )
    return RuleSet(
        id=id,
        version=version,
        rules=tuple(rules),
        shares_internal_comments="internal" in flags,
        shares_files="no files" not in flags,
        comment_heading="{author}" if "heading" in flags else "",
        tells_reasons="tells" in flags,
        notes_refusals="notes" in flags,
    )


def _policy(name: str, flags: Collection[str]) -> ConflictPolicy:
    if f"ask {name}" in flags:
        return ConflictPolicy.PERSON
    return ConflictPolicy.OWN if f"own {name}" in flags else ConflictPolicy.NEWEST
