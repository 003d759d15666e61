"""What people do in a world: they edit tickets in every system, change rules, pause and hold, and mend what waits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from integrations.canonical import Value
from integrations.engine.conflicts import CODE
from integrations.richtext import blocks
from integrations.simulation.clock import MINUTE, SECOND
from integrations.simulation.schedule import Op
from integrations.simulation.stage import Subject
from integrations.simulation.vocabulary import PRIVATE, WORDS, rules_of

if TYPE_CHECKING:
    from integrations.simulation.world import World

# Somebody who wants to change a ticket that has not come there yet tries again after this, and gives up in the end.
PATIENCE_MS = 15 * SECOND
TRIES = 12
# How often somebody looks at what waits for a person, and how often a lane is tried before something is left out.
ROUND_MS = 3 * MINUTE
RETRIES = 3

# Which value a person may let stand.
CHOICES = ("came", "own")
DIRECTIONS = ("outgoing", "incoming")


class People:
    """Everybody outside the engine."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.open_ops = 0
        self._tried: dict[tuple[int, int], int] = {}
        self._versions: dict[tuple[int, int], int] = {}

    def plan(self) -> None:
        """Put all that people are going to do on the agenda."""
        for op in self.world.schedule.ops:
            self.open_ops += 1
            self.world.agenda.at(op.at_ms, self._doing(op, 0))
        self.world.agenda.at(ROUND_MS, self._look_after)

    def _doing(self, op: Op, tries: int) -> Callable[[], None]:
        return lambda: self._do(op, tries)

    def _do(self, op: Op, tries: int) -> None:
        world = self.world
        touches_store = op.kind in _ON_STORE
        if touches_store and world.is_database_down():
            world.agenda.after(SECOND, self._doing(op, tries))
            return
        done = (_ON_STORE if touches_store else _ON_TICKETS)[op.kind](self, *op.args)
        if not done and tries < TRIES:
            world.agenda.after(PATIENCE_MS, self._doing(op, tries + 1))
            return
        self.open_ops -= 1
        world.nudge()

    # In their own systems.

    def _raise(self, place: int, title: str) -> bool:
        world = self.world
        number = len(world.matters)
        world.matters.append(place)
        words = WORDS[world.schedule.systems[place].kind]
        fields: dict[str, Value] = {
            words.title: title,
            "status": words.status["new"],
            "priority": words.priority["3"],
            "ref": f"M{number}",
            PRIVATE: f"canary-private-{number}",
        }
        world.systems[place].person_creates(**fields)
        return True

    def _set(self, place: int, matter: int, field: str, value: Any) -> bool:
        remote_id = self.world.ticket(place, matter)
        if remote_id is None:
            return False
        words = WORDS[self.world.schedule.systems[place].kind]
        system = self.world.systems[place]
        name = words.name_of(field)
        system.person_sets(remote_id, **{name: system.settled(name, value)})
        return True

    def _set_private(self, place: int, matter: int, text: str) -> bool:
        remote_id = self.world.ticket(place, matter)
        if remote_id is None:
            return False
        self.world.systems[place].person_sets(remote_id, **{PRIVATE: f"canary-private-{text}"})
        return True

    def _comment(self, place: int, matter: int, is_public: bool, text: str) -> bool:
        remote_id = self.world.ticket(place, matter)
        if remote_id is None:
            return False
        kind = "comment" if is_public else "internal"
        body = blocks.from_plain(f"{kind}-{text}@{place}").as_value()
        self.world.systems[place].person_comments(remote_id, body, is_public=is_public)
        return True

    def _attach(self, place: int, matter: int, name: str) -> bool:
        remote_id = self.world.ticket(place, matter)
        if remote_id is None:
            return False
        self.world.systems[place].person_attaches(remote_id, f"{place}-{name}")
        return True

    def _delete(self, place: int, matter: int) -> bool:
        remote_id = self.world.ticket(place, matter)
        if remote_id is None:
            return False
        self.world.systems[place].person_deletes(remote_id)
        self.world.deleted.add((place, remote_id))
        return True

    def _restore(self, place: int, matter: int) -> bool:
        remote_id = self.world.ticket(place, matter)
        if remote_id is None or (place, remote_id) not in self.world.deleted:
            return False
        self.world.systems[place].person_restores(remote_id)
        return True

    def _close(self, place: int, matter: int) -> bool:
        remote_id = self.world.ticket(place, matter)
        if remote_id is None:
            return False
        self.world.systems[place].closes(remote_id)
        return True

    # In the portal.

    def _publish(self, link: int, place: int, *flags: str) -> bool:
        world = self.world
        view = world.links[link]
        is_left, direction = place < 2, DIRECTIONS[place % 2]
        side = view.left if is_left else view.right
        kind = world.schedule.systems[link if is_left else link + 1].kind
        version = self._versions.get((link, place), 1) + 1
        self._versions[link, place] = version
        rules = rules_of(kind, direction, flags, id=0, version=version)
        stored = world.stage.publish(side.id, direction, rules)
        world.journal.published.append((world.clock.ms, side.id, direction, stored))
        return True

    def _pause_side(self, link: int, side: int, ms: int) -> bool:
        stage, view = self.world.stage, self.world.links[link]
        side_id = (view.left, view.right)[side].id
        stage.set_side_paused(side_id, True)
        self._later(ms, lambda: stage.set_side_paused(side_id, False))
        return True

    def _pause_connection(self, link: int, ms: int) -> bool:
        stage, connection_id = self.world.stage, self.world.links[link].id
        stage.set_connection_paused(connection_id, True)
        self._later(ms, lambda: stage.set_connection_paused(connection_id, False))
        return True

    def _hold(self, link: int, matter: int, side: int, ms: int) -> bool:
        world = self.world
        view = world.links[link]
        remote_id = world.ticket(link, matter)
        target = (view.left, view.right)[side].id
        lanes = world.stage.lanes_of(world.keys[link], remote_id) if remote_id else []
        held = [lane.id for lane in lanes if lane.target_side_id == target]
        for lane_id in held:
            world.stage.set_held(lane_id, True, world.clock.now())
            self._later(ms, partial(self._let_go, lane_id))
        return bool(held)

    def _let_go(self, lane_id: int) -> None:
        self.world.stage.set_held(lane_id, False, self.world.clock.now())

    def _undo_write(self, place: int, matter: int, pick: int, ms: int) -> bool:
        """Somebody looks at what undoing one write would do, and confirms it a while later."""
        world = self.world
        remote_id = world.ticket(place, matter)
        written = world.stage.written_to(world.keys[place], remote_id) if remote_id else []
        return bool(written) and self._undo(("delivery", written[pick % len(written)]), ms)

    def _undo_version(self, link: int, place: int, back: int, ms: int) -> bool:
        """The same for all that a version of the rules wrote, so many versions before the one that holds."""
        view = self.world.links[link]
        side, direction = (view.left, view.right)[place // 2], DIRECTIONS[place % 2]
        versions = [
            one[3].id
            for one in self.world.journal.published
            if one[1:3] == (side.id, direction) and one[3].id
        ]
        return self._undo(("version", versions[max(0, len(versions) - 1 - back)]), ms)

    def _undo(self, subject: Subject, ms: int) -> bool:
        world = self.world
        number = world.stage.look_at_undoing(subject, world.clock.now())
        if number is not None:
            self._later(ms, lambda: self._confirm(number))
        return number is not None

    def _confirm(self, number: int) -> None:
        world = self.world
        confirmed = world.stage.confirm_undoing(number, world.clock.now())
        world.journal.figures["undone" if confirmed else "nothing to undo"] += 1

    def _decide(self, pick: int, choice: str, ms: int) -> bool:
        """Somebody looks at one of the conflicts that are open, and decides it a while later as it was shown."""
        stage = self.world.stage
        asked = stage.open_conflicts()
        if asked:
            one = asked[pick % len(asked)].id
            token = stage.token_of(one)
            self._later(ms, partial(self._answer, one, choice, token))
        return bool(asked)

    def _answer(self, conflict_id: int, choice: str, token: str = "") -> bool:
        world = self.world
        is_done = world.stage.decide(conflict_id, choice, world.clock.now(), token=token)
        world.journal.figures["decided" if is_done else "not decided"] += 1
        return is_done

    def _later(self, ms: int, act: Callable[[], object]) -> None:
        """Let somebody end what was begun, once the portal can be reached."""
        world = self.world
        self.open_ops += 1

        def end() -> None:
            if world.is_database_down():
                world.agenda.after(SECOND, end)
                return
            act()
            self.open_ops -= 1
            world.nudge()

        world.agenda.after(ms, end)

    # Looking after what waits.

    def _look_after(self) -> None:
        world = self.world
        world.agenda.after(ROUND_MS, self._look_after)
        if world.is_database_down():
            return
        for system_id in world.stage.stopped_systems():
            world.stage.start_system(system_id)
            world.journal.looked_after.append((world.clock.ms, world.places[system_id]))
            world.journal.figures["systems started"] += 1
        parked = world.stage.parked_lanes()
        asked = {one.lane_id for one in world.stage.open_conflicts()} if parked else set()
        for lane in parked:
            world.journal.parked.append((world.clock.ms, lane.id, lane.failure_code, lane.id in asked))
            tried = self._tried.get((lane.id, lane.head), 0)
            self._tried[lane.id, lane.head] = tried + 1
            if lane.failure_code == CODE and tried:
                self._decide_all(lane.id)
            elif tried < RETRIES:
                world.stage.retry(lane.id, world.clock.now())
            elif world.stage.skip(lane.id, "It cannot be mended.", world.clock.now()):
                world.journal.figures["skipped"] += 1
                world.journal.skipped.append((lane.id, lane.head))
                world.journal.fences[lane.id] = world.journal.fences.get(lane.id, 0) + 1
        world.nudge()

    def _decide_all(self, lane_id: int) -> None:
        """Whoever looks after the lane decides what it asks, the one way or the other."""
        for one in self.world.stage.open_conflicts():
            if one.lane_id == lane_id:
                first, other = CHOICES if one.id % 2 else reversed(CHOICES)
                # Where the rules have no word for the sender's value, the own one stands.
                _ = self._answer(one.id, first) or self._answer(one.id, other)


_ON_TICKETS: dict[str, Callable[..., bool]] = {
    "raise": People._raise,
    "set": People._set,
    "private": People._set_private,
    "comment": People._comment,
    "file": People._attach,
    "delete": People._delete,
    "restore": People._restore,
    "close": People._close,
}
_ON_STORE: dict[str, Callable[..., bool]] = {
    "publish": People._publish,
    "pause side": People._pause_side,
    "pause connection": People._pause_connection,
    "hold": People._hold,
    "undo write": People._undo_write,
    "undo version": People._undo_version,
    "decide": People._decide,
}
