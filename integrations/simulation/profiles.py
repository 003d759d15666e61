"""Turns a seed into a schedule: which systems, which people, which mishaps.  The same seed gives the same schedule."""

from __future__ import annotations

import random as random_module
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from integrations.simulation.clock import HOUR, MINUTE, SECOND
from integrations.simulation.moments import MATTERS, arranged
from integrations.simulation.schedule import Fault, LinkSetup, Op, Schedule, SystemSetup
from integrations.simulation.vocabulary import WORDS

CHAIN = ("desk", "board", "hub", "yard")


@dataclass(frozen=True, slots=True)
class Profile:
    """How wild it gets.  Faults are counted for each schedule; `outage_ms` is how long one may last."""

    name: str
    span_ms: int
    ops: int
    workers: tuple[int, ...] = (2, 3)
    matters: int = 1
    call_faults: int = 14
    hint_faults: int = 8
    kills: int = 14
    freezes: int = 3
    outages: float = 0.4
    outage_ms: tuple[int, int] = (10 * SECOND, 10 * MINUTE)
    database_outages: float = 0.15
    rule_edits: float = 0.5
    pauses: float = 0.3
    deletions: float = 0.03
    refusals: float = 0.15
    # Writes that a system refuses, and sides that let their senders hear of it.
    refused: int = 0
    too_late: int = 0
    undoings: int = 0
    # Two systems insist on different statuses.
    fights: bool = False
    # Some sides keep their own edits where both changed a field.
    keeps_own: bool = False
    # Some sides ask a person there, and so often somebody answers before the round that looks after everything.
    decisions: int = 0
    # People say something more, or take the work up again; they do nothing else.
    is_talk: bool = False
    # Systems take so many calls a minute, or staff allow so many.
    limits: tuple[int, ...] = ()
    systems: tuple[int, ...] = (2, 3, 4)
    calls_in_flight: tuple[int, ...] = (4, 8)
    poll_s: int = 120
    long_outage: bool = False
    # Writes that are carried out late are the only mishap of calls, and workers stop after storing something.
    late_only: bool = False
    # People set the status alone, to one of two meanings.
    is_narrow: bool = False
    # Moments that are arranged; see `moments.py`.
    moments: tuple[str, ...] = ()
    # How far clocks may be apart; 0 means mostly a little.
    skew_s: int = 0


# Nothing goes wrong but what is arranged.
_QUIET: dict[str, Any] = {
    **dict.fromkeys(("call_faults", "hint_faults", "kills", "freezes"), 0),
    **dict.fromkeys(("outages", "database_outages", "rule_edits", "pauses", "deletions", "refusals"), 0.0),
    "systems": (2, 3),
}

PROFILES = {
    one.name: one
    for one in (
        Profile("base", span_ms=10 * MINUTE, ops=12),
        Profile("hot", span_ms=2 * MINUTE, ops=30, workers=(3, 4), call_faults=16, kills=10, freezes=4),
        Profile(
            "outage",
            span_ms=26 * HOUR,
            ops=120,
            matters=3,
            call_faults=20,
            kills=20,
            freezes=4,
            outages=0.0,
            database_outages=0.3,
            rule_edits=0.2,
            pauses=0.0,
            deletions=0.0,
            refusals=0.0,
            systems=(3, 4),
            poll_s=600,
            long_outage=True,
        ),
        # One system is dead from the beginning: nobody else may notice.
        Profile(
            "isolation",
            span_ms=10 * MINUTE,
            ops=60,
            workers=(1, 2),
            matters=20,
            call_faults=0,
            hint_faults=0,
            kills=0,
            freezes=0,
            outages=0.0,
            database_outages=0.0,
            rule_edits=0.0,
            pauses=0.0,
            deletions=0.0,
            refusals=0.0,
            systems=(3, 4),
            calls_in_flight=(4,),
        ),
        # Workers that stand still for a while again and again, some beyond their lease, some not.
        Profile(
            "frozen",
            span_ms=3 * MINUTE,
            ops=20,
            call_faults=10,
            hint_faults=4,
            kills=4,
            freezes=24,
            outages=0.1,
            pauses=0.0,
            deletions=0.0,
            refusals=0.0,
        ),
        # Late execution, and workers that stand still between looking and deciding.
        Profile(
            "stale looks",
            span_ms=3 * MINUTE,
            ops=12,
            call_faults=12,
            hint_faults=0,
            kills=2,
            freezes=12,
            outages=0.0,
            pauses=0.0,
            deletions=0.0,
            refusals=0.0,
            late_only=True,
        ),
        # The same, arranged: what turns up late, looked for a moment before and decided on a moment after.
        Profile("late looks", span_ms=4 * MINUTE, ops=3, moments=("stale look",) * 2, **_QUIET),
        # A value is found in its place, and is another one before that is stored.
        Profile("stale ends", span_ms=2 * MINUTE, ops=3, moments=("stale end",), **_QUIET),
        # Clocks minutes apart, and edits to and fro.
        Profile(
            "skewed", span_ms=5 * MINUTE, ops=30, kills=2, freezes=0, outages=0.1, pauses=0.0, skew_s=600
        ),
        # Everybody sets the same few values, and hears of one another late.
        Profile(
            "coincidence",
            span_ms=3 * MINUTE,
            ops=30,
            call_faults=8,
            hint_faults=24,
            kills=4,
            freezes=4,
            outages=0.1,
            rule_edits=0.0,
            pauses=0.5,
            deletions=0.0,
            refusals=0.0,
            systems=(3, 4),
            is_narrow=True,
        ),
        # Staff undo single writes and whole versions, while people edit.
        Profile("undone", span_ms=5 * MINUTE, ops=16, kills=8, deletions=0.0, skew_s=60, undoings=5),
        # Systems and staff that limit calls, and several workers that share what there is.
        Profile(
            "limits",
            span_ms=5 * MINUTE,
            ops=40,
            workers=(2, 3, 4),
            matters=4,
            call_faults=6,
            hint_faults=4,
            kills=6,
            freezes=2,
            outages=0.1,
            deletions=0.0,
            refusals=0.0,
            systems=(2, 3),
            calls_in_flight=(4, 8),
            undoings=1,
            limits=(8, 12, 20, 40),
        ),
        # Both sides edit the same fields, hear of one another late, and some keep their own edits.
        Profile(
            "own edits",
            span_ms=3 * MINUTE,
            ops=30,
            call_faults=8,
            hint_faults=16,
            kills=4,
            freezes=2,
            outages=0.3,
            rule_edits=0.0,
            pauses=0.6,
            deletions=0.0,
            refusals=0.0,
            systems=(2, 3),
            keeps_own=True,
        ),
        # The same, where some sides ask a person: lanes wait, and go on as it is decided.
        Profile(
            "conflicts",
            span_ms=4 * MINUTE,
            ops=30,
            call_faults=8,
            hint_faults=16,
            kills=10,
            freezes=2,
            outages=0.3,
            database_outages=0.1,
            rule_edits=0.2,
            pauses=0.4,
            deletions=0.0,
            refusals=0.0,
            systems=(2, 3),
            decisions=8,
        ),
        # Tickets that are closed for ever, and what people still have to say.
        Profile(
            "closed",
            span_ms=4 * MINUTE,
            ops=16,
            call_faults=10,
            hint_faults=6,
            kills=12,
            freezes=3,
            outages=0.2,
            database_outages=0.1,
            rule_edits=0.0,
            pauses=0.2,
            deletions=0.0,
            refusals=0.0,
            moments=("closing",) * 2,
            is_talk=True,
        ),
        # Short outages in the middle of many edits: all that is under way is cut off.
        Profile(
            "cut off",
            span_ms=5 * MINUTE,
            ops=10,
            workers=(1, 2, 3),
            matters=MATTERS,
            calls_in_flight=(16, 32),
            moments=("cut off",) * 2,
            **_QUIET,
        ),
        # Rules of two systems' own undo each other's changes through us.
        Profile(
            "fights",
            span_ms=8 * MINUTE,
            ops=6,
            call_faults=4,
            hint_faults=2,
            kills=3,
            freezes=1,
            outages=0.1,
            rule_edits=0.1,
            deletions=0.0,
            refusals=0.0,
            systems=(2, 3),
            fights=True,
        ),
        # Systems that do not take what they are sent, until somebody has looked.
        Profile(
            "refused",
            span_ms=10 * MINUTE,
            ops=16,
            call_faults=10,
            kills=10,
            refused=6,
            refusals=0.0,
            rule_edits=0.7,
        ),
        # Systems that carry a request out after everything we wait for.
        Profile("beyond", span_ms=10 * MINUTE, ops=12, too_late=2, kills=4, freezes=1, deletions=0.0),
    )
}

# How often each mishap of a call happens, among themselves.
CALL_FAULTS = {
    "busy_503": 3,
    "limited_429": 3,
    "lost_request": 2,
    "lost_response": 5,
    "late": 4,
    "reset": 2,
    "garbled": 2,
}
HINT_FAULTS = {"hint_lost": 4, "hint_doubled": 2, "hint_delayed": 3, "hint_forged": 1}
POINTS = ("before_commit", "after_commit", "before_call", "leaving", "after_call", "claim")


def schedule_of(seed: int, profile: str = "base") -> Schedule:
    """The schedule that a seed stands for."""
    return _Writer(random_module.Random(f"{profile}:{seed}"), PROFILES[profile]).write(seed)


class _Writer:
    """Draws one schedule."""

    def __init__(self, random: random_module.Random, profile: Profile) -> None:
        self.random = random
        self.profile = profile
        self.texts = 0

    def write(self, seed: int) -> Schedule:
        profile, random = self.profile, self.random
        count = random.choice(profile.systems)
        start = random.randint(0, len(CHAIN) - count)
        skew_s = profile.skew_s or random.choice((0, 3, 3, 3, 600))
        systems = tuple(self._system(kind, skew_s) for kind in CHAIN[start : start + count])
        if profile.fights:
            systems = self._insisting(systems)
        if profile.limits:
            systems = tuple(self._limited(system) for system in systems)
        links = tuple(self._link() for _ in systems[1:])
        moment = arranged(random, profile.moments, systems, profile.span_ms)
        systems = moment.systems
        ops = [*self._ops(systems, links), *moment.ops]
        faults = [*self._faults(len(systems)), *moment.faults]
        return Schedule(
            seed=seed,
            profile=profile.name,
            span_ms=profile.span_ms,
            systems=systems,
            links=links,
            workers=random.choice(profile.workers),
            calls_in_flight=random.choice(profile.calls_in_flight),
            ops=tuple(sorted(ops, key=lambda op: op.at_ms)),
            faults=tuple(sorted(faults, key=lambda fault: fault.at_ms)),
            poll_s=profile.poll_s,
        )

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _system(self, kind: str, skew_s: int) -> SystemSetup:
        guards_writes = self._chance(0.3)
        return SystemSetup(
            kind=kind,
            gives_markers=self._chance(0.6),
            # A system that compares revisions tells which one a write has made.
            gives_change_ids=guards_writes or self._chance(0.5),
            guards_writes=guards_writes,
            gives_marks=self._chance(0.7),
            search_lag_s=self.random.choice((0, 0, 30, 90)),
            skew_s=self.random.randint(-skew_s, skew_s),
            page_size=self.random.choice((0, 0, 0, 2, 5)),
            has_steps=self._chance(0.4),
            title_limit=self.random.choice((0, 0, 0, 6)),
            automates=self._chance(0.15),
        )

    def _insisting(self, systems: tuple[SystemSetup, ...]) -> tuple[SystemSetup, ...]:
        found = list(systems)
        places = self.random.sample(range(len(found)), 2)
        meanings = self.random.sample(("new", "open", "pending", "solved"), 2)
        for place, meaning in zip(places, meanings, strict=True):
            found[place] = replace(found[place], insists=meaning)
        return tuple(found)

    def _limited(self, system: SystemSetup) -> SystemSetup:
        kind = self.random.choice(("limit", "limit", "silent limit", "ceiling", "both", "none"))
        most = self.profile.limits
        return replace(
            system,
            call_limit=self.random.choice(most) if kind in ("limit", "silent limit", "both") else 0,
            tells_limit=kind != "silent limit",
            ceiling=self.random.choice(most) if kind in ("ceiling", "both") else 0,
        )

    def _link(self) -> LinkSetup:
        flags = []
        for _ in range(2):
            shared = [flag for flag, share in (("internal", 0.2), ("no files", 0.2)) if self._chance(share)]
            flags += [tuple(shared), ("heading",) if self._chance(0.3) else ()]
        if self.profile.refused:
            flags = self._telling(flags)
        if self.profile.keeps_own:
            flags = self._own_edits(flags)
        if self.profile.decisions:
            flags = self._asking(flags)
        return LinkSetup(self._chance(0.4), tuple(flags))

    def _telling(self, flags: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Most sides tell what they did not take, most want to hear of it, and half of them share internal comments."""
        told: list[tuple[str, ...]] = []
        for place, one in enumerate(flags):
            drawn = {"notes": 0.85} if place % 2 else {"tells": 0.85, "internal": 0.5}
            told.append(
                tuple(sorted({*one, *(word for word, share in drawn.items() if self._chance(share))}))
            )
        return told

    def _own_edits(self, flags: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Of each field one side, both or neither keeps its own edit."""
        kept: list[list[str]] = [list(one) for one in flags]
        for name in ("title", "status", "priority"):
            for place in self.random.choice(((), (1,), (3,), (1, 3))):
                kept[place].append(f"own {name}")
        return [tuple(one) for one in kept]

    def _asking(self, flags: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Of each field one side, both or neither asks a person; the other side may keep its own edit."""
        kept: list[list[str]] = [list(one) for one in flags]
        for name in ("title", "status", "priority"):
            one, other = self.random.sample((1, 3), 2)
            asks, others = self.random.choice((("ask", ""), ("ask", "ask"), ("ask", "own"), ("", "")))
            kept[one] += [f"{asks} {name}"] if asks else []
            kept[other] += [f"{others} {name}"] if others else []
        return [tuple(one) for one in kept]

    # People.

    def _ops(self, systems: tuple[SystemSetup, ...], links: tuple[LinkSetup, ...]) -> list[Op]:
        profile = self.profile
        ops = [Op(0, "raise", (0, "t0"))]
        for number in range(1, profile.matters):
            places = [0] + [place + 1 for place, link in enumerate(links) if link.right_starts]
            ops.append(
                Op(
                    self.random.randint(0, profile.span_ms // 4),
                    "raise",
                    (self.random.choice(places), f"m{number}"),
                )
            )
        ops += [self._edit(systems) for _ in range(profile.ops)]
        if self._chance(profile.rule_edits):
            ops += self._rule_edit(links)
        if self._chance(profile.pauses):
            ops += self._pause(len(links))
        ops += [op for _ in range(profile.undoings) for op in self._undoing(systems, links)]
        ops += [self._decision() for _ in range(profile.decisions)]
        if self._chance(profile.deletions):
            at, place = self._at(), self.random.randrange(len(systems))
            ops.append(Op(at, "delete", (place, 0)))
            if self._chance(0.5):
                ops.append(Op(at + self.random.randint(SECOND, MINUTE), "restore", (place, 0)))
        return ops

    def _at(self) -> int:
        return self.random.randint(0, self.profile.span_ms)

    def _edit(self, systems: tuple[SystemSetup, ...], place: int | None = None) -> Op:
        self.texts += 1
        place = self.random.randrange(len(systems)) if place is None else place
        matter = self.random.randrange(self.profile.matters)
        words = WORDS[systems[place].kind]
        if self.profile.is_narrow:
            few = [own for own, common in words.outgoing("status").items() if common in ("new", "open")]
            return Op(self._at(), "set", (place, matter, "status", self.random.choice(few)))
        kind = self.random.choices(
            ("title", "status", "priority", "public", "internal", "file", "private"),
            # What is no reason for a new ticket is left out, and whatever is left out is excused from much.
            weights=(0, 5, 0, 6, 2, 3, 0) if self.profile.is_talk else (4, 5, 4, 5, 2, 2, 1),
        )[0]
        match kind:
            case "title":
                return Op(self._at(), "set", (place, matter, "title", f"t{self.texts}-long-title"))
            case "status" | "priority":
                return Op(self._at(), "set", (place, matter, kind, self.random.choice(words.values(kind))))
            case "public" | "internal":
                return Op(self._at(), "comment", (place, matter, kind == "public", f"c{self.texts}"))
            case "file":
                return Op(self._at(), "file", (place, matter, f"f{self.texts}.txt"))
            case _:
                return Op(self._at(), "private", (place, matter, f"p{self.texts}"))

    def _rule_edit(self, links: tuple[LinkSetup, ...]) -> list[Op]:
        """A new version is published, and sometimes the one after it mends it."""
        number = self.random.randrange(len(links))
        place = self.random.randrange(4)
        before = links[number].flags[place]
        outgoing = place in (0, 2)
        change = self.random.choice(("no title", "gap", "same") if outgoing else ("gap", "heading", "same"))
        flags = before if change == "same" else tuple(sorted({*before, change}))
        at = self._at()
        ops = [Op(at, "publish", (number, place, *flags))]
        if change == "gap":
            ops.append(
                Op(at + self.random.randint(10 * SECOND, 5 * MINUTE), "publish", (number, place, *before))
            )
        return ops

    def _undoing(self, systems: tuple[SystemSetup, ...], links: tuple[LinkSetup, ...]) -> list[Op]:
        """Somebody undoes something; sometimes the same ticket is edited at the moment at which that is written."""
        random = self.random
        ms = random.choice((0, random.randint(SECOND, 90 * SECOND)))
        if self._chance(0.7):
            at, place, matter = (
                self._at(),
                random.randrange(len(systems)),
                random.randrange(self.profile.matters),
            )
            ops = [Op(at, "undo write", (place, matter, random.randrange(20), ms))]
            if self._chance(0.5):
                edit = self._edit(systems, place)
                ops.append(replace(edit, at_ms=at + ms + random.randint(150, 900)))
            return ops
        place = random.randrange(4)
        return [
            Op(
                self._at(),
                "undo version",
                (random.randrange(len(links)), place, random.randrange(2), ms),
            )
        ]

    def _decision(self) -> Op:
        """Somebody decides what is asked then, at once or after having thought about it."""
        random = self.random
        ms = random.choice((0, 0, random.randint(SECOND, 40 * SECOND)))
        return Op(self._at(), "decide", (random.randrange(4), random.choice(("came", "own")), ms))

    def _pause(self, links: int) -> list[Op]:
        link, ms = self.random.randrange(links), self.random.randint(10 * SECOND, 5 * MINUTE)
        return [
            self.random.choice(
                (
                    Op(self._at(), "pause side", (link, self.random.randrange(2), ms)),
                    Op(self._at(), "pause connection", (link, ms)),
                    Op(self._at(), "hold", (link, 0, self.random.randrange(2), ms)),
                )
            )
        ]

    # Mishaps.

    def _faults(self, systems: int) -> list[Fault]:
        profile, random = self.profile, self.random
        draw: list[tuple[int, Callable[[], Fault]]] = [
            (profile.call_faults, lambda: self._call_fault(systems)),
            (profile.hint_faults, lambda: self._hint_fault(systems)),
            (profile.kills, lambda: Fault(self._at(), f"kill:{random.choice(POINTS)}")),
            (
                profile.freezes,
                self._freeze,
            ),
        ]
        # From none to the whole number of each, so that quiet worlds are visited too.
        faults = [one() for most, one in draw for _ in range(random.randint(0, most))]
        for place in range(systems):
            if self._chance(profile.outages):
                faults.append(Fault(self._at(), "outage", place, random.randint(*profile.outage_ms)))
        if self._chance(profile.database_outages):
            faults.append(Fault(self._at(), "database_down", ms=random.randint(SECOND, 30 * SECOND)))
        if self._chance(profile.refusals):
            kind = random.choice(("refused_400", "unauthorized", "forbidden"))
            faults.append(Fault(self._at(), kind, random.randrange(systems)))
        for _ in range(profile.refused):
            kind = random.choice(("refused_400", "refused_400", "forbidden"))
            faults.append(Fault(self._at(), kind, random.randrange(systems)))
        if profile.long_outage:
            faults.append(Fault(HOUR, "outage", random.randrange(1, systems), 24 * HOUR))
        if profile.name == "isolation":
            faults.append(Fault(5 * SECOND, "silence", systems - 1, profile.span_ms))
        for _ in range(profile.too_late):
            late_ms = random.randint(3 * MINUTE, 6 * MINUTE)
            # Tickets are made at the beginning.
            at, least = (random.randint(0, 3 * SECOND), 1) if self._chance(0.3) else (self._at(), 0)
            faults.append(Fault(at, "too_late", random.randrange(least, systems), late_ms))
        return faults

    def _freeze(self) -> Fault:
        random = self.random
        if self.profile.late_only:
            return Fault(
                self._at(),
                "freeze:after_commit",
                ms=random.randint(10, 40) * SECOND,
                nth=random.randint(0, 12),
            )
        return Fault(self._at(), f"freeze:{random.choice(POINTS)}", ms=random.randint(SECOND, 2 * MINUTE))

    def _call_fault(self, systems: int) -> Fault:
        random = self.random
        kind = random.choices(list(CALL_FAULTS), weights=list(CALL_FAULTS.values()))[0]
        if self.profile.late_only:
            return Fault(self._at(), "late", random.randrange(systems), random.randint(30, 59) * SECOND)
        ms = {"limited_429": random.randint(1, 20) * SECOND, "late": random.randint(1, 59_000)}.get(kind, 0)
        return Fault(self._at(), kind, random.randrange(systems), ms)

    def _hint_fault(self, systems: int) -> Fault:
        random = self.random
        kind = random.choices(list(HINT_FAULTS), weights=list(HINT_FAULTS.values()))[0]
        return Fault(self._at(), kind, random.randrange(systems), random.randint(SECOND, 90 * SECOND))
