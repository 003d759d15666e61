"""One world: systems in a chain, workers, people and a store, run from the first edit until everything is at rest."""

from __future__ import annotations

import random as random_module
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrations.canonical import Change, ChangeKind, Value
from integrations.connectors.errors import ConnectorError, HeldBack, RateLimited
from integrations.connectors.protocol import Capabilities
from integrations.engine import effects
from integrations.engine.ports import ClaimedLane, Context
from integrations.engine.values import ConnectionView
from integrations.simulation.clock import HOUR, MINUTE, SECOND, Agenda, VirtualClock, milliseconds
from integrations.simulation.journal import Happened, Hinted, Journal, Noted, Sent
from integrations.simulation.limits import CallLimit
from integrations.simulation.mishaps import Mishaps
from integrations.simulation.names import Names
from integrations.simulation.network import TIMEOUT_MS, Network
from integrations.simulation.people import People
from integrations.simulation.schedule import Fault, Schedule, SystemSetup
from integrations.simulation.stage import MemoryStage, Stage
from integrations.simulation.systems import OUR_ACCOUNT, Automation, SimulatedSystem, Traits
from integrations.simulation.vocabulary import WORDS, rules_of
from integrations.simulation.workers import LEASE_S, Fiber, Worker, claimed

OVERLAP_MS = MINUTE
# Between two looks at whether everything is at rest.
EVENTS_BETWEEN_LOOKS = 20
# A schedule takes some thousand; the longest outage some ten thousand.
MOST_EVENTS = 60_000
# A rule of a system's own acts so much after what it reacts to.
ROBOT = "Robot"
ROBOT_MS = 100
# What answers of this kind of system are of is not known: every hint leads to a reading.
UNDATED = "board"
# A hint that the portal could not take in is sent again after this.
HINT_AGAIN_MS = 30 * SECOND


@dataclass(frozen=True, slots=True)
class Options:
    """How a world is run: `trace` notes every step in words; `guards_early` asks the guard before the bytes leave."""

    trace: bool = False
    guards_early: bool = False


class World:
    """One schedule, being lived through."""

    def __init__(
        self, schedule: Schedule, stage: Stage | None = None, options: Options | None = None
    ) -> None:
        self.schedule = schedule
        self.stage: Stage = stage or MemoryStage()
        self.options = options or Options()
        self.clock = VirtualClock()
        self.agenda = Agenda(self.clock)
        self.chance = random_module.Random(f"engine:{schedule.seed}")
        self.journal = Journal(trace=[] if self.options.trace else None)
        self.names = Names(enabled=self.options.trace)
        self.mishaps = Mishaps(schedule.faults)
        self.systems = [
            SimulatedSystem(_traits(setup, place), self.clock) for place, setup in enumerate(schedule.systems)
        ]
        self.network = Network(
            self.agenda,
            random_module.Random(f"network:{schedule.seed}"),
            self.systems,
            self.mishaps,
            self.journal,
            [CallLimit(setup.call_limit, is_told=setup.tells_limit) for setup in schedule.systems],
        )
        self.keys = [self.stage.add_system(OUR_ACCOUNT) for _ in self.systems]
        self.places = {key: place for place, key in enumerate(self.keys)}
        self.links: list[ConnectionView] = []
        self.matters: list[int] = []
        self.deleted: set[tuple[int, str]] = set()
        self.tickets: dict[tuple[int, str], list[str]] = {}
        self.database_down_until = 0
        self.people = People(self)
        self.context = Context(self.clock, self.chance, self, LEASE_S, TIMEOUT_MS / 1000)
        self.workers: list[Worker] = []
        self._held: dict[int, int] = {}
        self._changed: list[list[tuple[int, str]]] = [[] for _ in self.systems]
        self._workers_made = 0
        self._open_timed = 0
        self._begin()

    # Setting up.

    def _begin(self) -> None:
        schedule = self.schedule
        for place, link in enumerate(schedule.links):
            kinds = (schedule.systems[place].kind, schedule.systems[place + 1].kind)
            rules = tuple(
                rules_of(kinds[number // 2], ("outgoing", "incoming")[number % 2], flags, id=0, version=1)
                for number, flags in enumerate(link.flags)
            )
            view = self.stage.connect(
                self.keys[place], self.keys[place + 1], rules, right_starts=link.right_starts
            )
            self.links.append(view)
            for side in (view.left, view.right):
                self.journal.published.append((-1, side.id, "outgoing", side.outgoing))
                self.journal.published.append((-1, side.id, "incoming", side.incoming))
        for place, setup in enumerate(schedule.systems):
            if setup.ceiling:
                self.stage.set_ceiling(self.keys[place], setup.ceiling)
        for place, system in enumerate(self.systems):
            system.on_change = self._watch(place)
            self.agenda.at(schedule.poll_s * SECOND + place * 100, self._polling(place))
        for fault in self.mishaps.timed:
            self._open_timed += 1
            self.agenda.at(fault.at_ms, self._timed(fault))
        self.people.plan()
        for _ in range(schedule.workers):
            self._spawn()

    def _spawn(self) -> None:
        self._workers_made += 1
        worker = Worker(self, self._workers_made)
        self.workers.append(worker)
        worker.look_within(self.network.random.randint(1, 100))

    def replace(self, dead: Worker) -> None:
        """Another process starts in place of one that was killed."""
        self.workers.remove(dead)
        self.agenda.after(self.network.random.randint(10, 5_000), self._spawn)

    # Running.

    def run(self) -> Journal:
        """Live through the schedule until everything is at rest; the journal of it."""
        schedule = self.schedule
        longest = max(
            [fault.ms for fault in schedule.faults if fault.kind in ("outage", "silence")], default=0
        )
        limit_ms = schedule.span_ms + longest + 12 * HOUR
        count = 0
        while self.agenda.next():
            count += 1
            if count > MOST_EVENTS:
                self.journal.violated("I13", f"It is still busy after {count} events.")
                break
            if self.clock.ms < schedule.span_ms or count % EVENTS_BETWEEN_LOOKS:
                continue
            if self.is_at_rest():
                break
            if self.clock.ms > limit_ms:
                self.journal.violated("I13", "It never came to rest.")
                break
        self.journal.figures["events"] = count
        self.journal.figures["calls"] = len(self.journal.calls)
        return self.journal

    def is_at_rest(self) -> bool:
        """Whether nothing is left to happen: no edit, no call, nothing that waits, no history unread."""
        if self.people.open_ops or self._open_timed or self.network.under_way:
            return False
        if self.stage.stopped_systems() or not self.stage.is_at_rest():
            return False
        if any(worker.flying or worker.asking for worker in self.workers):
            return False
        return all(
            self.stage.cursor(self.keys[place], ticket.id) == str(len(ticket.history))
            for place, system in enumerate(self.systems)
            for ticket in system.tickets.values()
        )

    @property
    def has_limits(self) -> bool:
        """Whether workers have to share what some system takes."""
        return any(setup.call_limit or setup.ceiling for setup in self.schedule.systems)

    def is_database_down(self) -> bool:
        """Whether the database can be reached at this moment."""
        return self.clock.ms < self.database_down_until

    def ticket(self, place: int, matter: int) -> str | None:
        """The key of a matter's ticket in one system; None before it is there, and while it is closed."""
        found = self.tickets.get((place, f"M{matter}"), ())
        return next((one for one in found if not self.systems[place].tickets[one].is_closed), None)

    # What the engine asks about systems.

    def capabilities(self, system_id: int) -> Capabilities:
        """What a system can do."""
        return self.systems[self.places[system_id]].capabilities

    def follows_up(self, system_id: int) -> bool:
        """Whether a closed ticket can be followed up there."""
        return self.schedule.systems[self.places[system_id]].closes

    def settled(self, system_id: int, field: str, value: Value) -> Value:
        """What a system makes of a value."""
        return self.systems[self.places[system_id]].settled(field, value)

    # What workers report.

    def nudge(self) -> None:
        """Something was stored: workers look for work soon."""
        for worker in self.workers:
            worker.look_within(5)

    def asked(self, worker: Worker, fiber: Fiber, call: effects.Call) -> Sent:
        """A step asks for a call."""
        claim = fiber.claim
        lane = claim if isinstance(claim, ClaimedLane) else None
        marked = fiber.marked if call.send_by is not None else ()
        fiber.marked = ()
        sent = Sent(
            number=len(self.journal.calls),
            worker=worker.number,
            place=self.places[call.system_id],
            call=call,
            asked_ms=self.clock.ms,
            claimed_ms=fiber.claimed_ms,
            lane_id=lane.id if lane else None,
            fence=lane.fence if lane else None,
            deliveries=tuple(mark.delivery_id for mark in marked),
            marked_fences=tuple(mark.fence for mark in marked),
        )
        if self.options.guards_early and not self._is_in_time(sent):
            sent.outcome = "refused early"
        self.journal.traced(f"{self.clock.ms} worker {worker.number} asks {self.names.of(call)}")
        return sent

    def guard_lets_pass(self, sent: Sent) -> bool:
        """Asked when the connection stands, right before the bytes leave."""
        if self.options.guards_early:
            return sent.outcome != "refused early"
        return self._is_in_time(sent)

    def _is_in_time(self, sent: Sent) -> bool:
        return sent.call.send_by is None or self.clock.now() <= sent.call.send_by

    def answered(self, sent: Sent, result: Any) -> None:
        """An answer has landed."""
        self.journal.traced(f"{self.clock.ms} worker {sent.worker} hears {self.names.of(result)}")

    def committed(self, worker: Worker, requests: Sequence[effects.Request], results: Sequence[Any]) -> None:
        """A transaction is stored."""
        now = self.clock.ms
        self.journal.committed(now, worker.number, requests, results)
        self._note_health(requests)
        for request, result in zip(requests, results, strict=True):
            match request:
                case effects.Release() | effects.Park():
                    if result:
                        self._held.pop(request.lane_id, None)
                case effects.LoadHead():
                    if result is None and self.journal.fences.get(request.lane_id) == request.fence:
                        self._held.pop(request.lane_id, None)
                case effects.NoteSystemFailure(error=HeldBack()):
                    # Nobody there has asked for anything.
                    pass
                case effects.NoteSystemFailure(error=RateLimited(retry_after_s=wait_s)) if wait_s:
                    place = self.places[request.system_id]
                    until = now + int(wait_s * 1000)
                    self.journal.pauses.append((now, place, until, worker.number))
        if self.journal.trace is not None:
            for request, result in zip(requests, results, strict=True):
                self.journal.traced(
                    f"{now} worker {worker.number} stores {self.names.of(request)} -> {self.names.of(result)}"
                )

    def note_claims(self, worker: Worker, lanes: Sequence[ClaimedLane]) -> None:
        """Lanes were leased."""
        for lane in lanes:
            was_held = self._held.get(lane.id, 0) > self.clock.ms
            self.journal.claims.append(claimed(worker, lane, 0, was_held=was_held))
            self.journal.fences[lane.id] = lane.fence
            self._held[lane.id] = milliseconds(lane.leased_until)

    def _note_health(self, requests: Sequence[effects.Request]) -> None:
        told: dict[int, list[ConnectorError]] = {}
        for request in requests:
            if isinstance(request, effects.NoteSystemFailure):
                told.setdefault(request.system_id, []).append(request.error)
            elif isinstance(request, effects.NoteSystemAnswer):
                told.setdefault(request.system_id, [])
        for system_id, errors in told.items():
            until = self.stage.paused_until(system_id)
            until_ms = milliseconds(until) if until else None
            self.journal.health.append(Noted(self.clock.ms, self.places[system_id], tuple(errors), until_ms))

    def broke(self, fiber: Fiber, error: Exception) -> None:
        """A step raised what no step may raise."""
        where = traceback.extract_tb(error.__traceback__)[-1]
        self.journal.violated("I3", f"a step broke: {error!r} in {where.name}, line {where.lineno}")

    # What systems tell.

    def _watch(self, place: int) -> Callable[[str, Change], None]:
        return lambda remote_id, change: self._changed_in(place, remote_id, change)

    def _changed_in(self, place: int, remote_id: str, change: Change) -> None:
        journal = self.journal
        sent = None if self.systems[place].is_automating else self.network.acting
        journal.happened.append(
            Happened(self.clock.ms, place, remote_id, change, sent, len(journal.happened))
        )
        self._changed[place].append((self.clock.ms, remote_id))
        if change.kind is ChangeKind.CREATED:
            self.tickets.setdefault((place, str(change.fields.get("ref"))), []).append(remote_id)
        self._insist(place, remote_id, change)
        if change.actor.id != OUR_ACCOUNT:
            # What our own account did is not told; whoever wrote it reads it back.
            self._hint(place, remote_id, change.at)

    def _insist(self, place: int, remote_id: str, change: Change) -> None:
        """A rule of the system's own sets its status again; when people go home it is switched off."""
        setup = self.schedule.systems[place]
        status = WORDS[setup.kind].status.get(setup.insists)
        if status is None or change.fields.get("status", status) == status:
            return
        if self.clock.ms > self.schedule.span_ms or change.actor.id == f"person-{ROBOT}":
            return
        self._open_timed += 1
        self.agenda.after(ROBOT_MS, lambda: self._set_again(place, remote_id, status))

    def _set_again(self, place: int, remote_id: str, status: str) -> None:
        self._open_timed -= 1
        self.systems[place].person_sets(remote_id, ROBOT, status=status)

    def _hint(self, place: int, remote_id: str, happened_at: datetime) -> None:
        fault = self.mishaps.of_hint(place, self.clock.ms)
        kind = fault.kind if fault else ""
        if kind == "hint_lost":
            return
        delay_ms = self.network.random.randint(20, 1_500)
        if fault and kind == "hint_delayed":
            delay_ms += fault.ms
        told = len(self.systems[place].tickets[remote_id].history)
        take = self._taking_hint(place, remote_id, told, happened_at)
        for number in range(2 if kind == "hint_doubled" else 1):
            self.agenda.after(delay_ms + 700 * number, take)

    def _taking_hint(
        self, place: int, remote_id: str, told: int = 0, happened_at: datetime | None = None
    ) -> Callable[[], None]:
        return lambda: self._take_hint(place, remote_id, told, happened_at)

    def _take_hint(
        self, place: int, remote_id: str, told: int = 0, happened_at: datetime | None = None
    ) -> None:
        if self.is_database_down():
            # It was not answered with 2xx, so the vendor sends it again.
            self.agenda.after(HINT_AGAIN_MS, self._taking_hint(place, remote_id, told, happened_at))
            return
        now, key = self.clock.now(), self.keys[place]
        self.stage.note_hint(key, remote_id, now, happened_at)
        stored, is_due = int(self.stage.cursor(key, remote_id) or 0), self.stage.is_due(key, remote_id, now)
        self.journal.hints.append(Hinted(self.clock.ms, place, remote_id, told, stored, is_due))
        self.journal.traced(f"{self.clock.ms} hint {place} {remote_id}: {'read' if is_due else 'told'}")
        self.nudge()

    def _polling(self, place: int) -> Callable[[], None]:
        return lambda: self._poll(place)

    def _poll(self, place: int) -> None:
        """Ask a system what changed since the last time; overlaps a little."""
        self.agenda.after(self.schedule.poll_s * SECOND, self._polling(place))
        now = self.clock.ms
        if self.is_database_down() or self.network.down_until.get(place, 0) > now:
            return
        changed = self._changed[place]
        if changed:
            marks = {remote_id: self.systems[place].mark(remote_id) for _, remote_id in changed}
            self.stage.note_polled(self.keys[place], marks, self.clock.now())
            self.nudge()
        self._changed[place] = [one for one in changed if one[0] > now - OVERLAP_MS]

    def _timed(self, fault: Fault) -> Callable[[], None]:
        return lambda: self._strike(fault)

    def _strike(self, fault: Fault) -> None:
        now = self.clock.ms
        match fault.kind:
            case "outage" | "silence":
                if fault.kind == "silence":
                    self.network.silent.add(fault.system)
                until = max(self.network.down_until.get(fault.system, 0), now + fault.ms)
                self.network.down_until[fault.system] = until
                self.agenda.at(until, self._timed_over)
            case "database_down":
                self.database_down_until = max(self.database_down_until, now + fault.ms)
                self.agenda.at(self.database_down_until, self._timed_over)
            case _:
                # Somebody makes up a web hook: about a ticket that is there, or one that never was.
                real = list(self.systems[fault.system].tickets)
                self._take_hint(fault.system, real[0] if real and fault.ms % 2 else f"none-{fault.ms}")
                self._open_timed -= 1

    def _timed_over(self) -> None:
        self._open_timed -= 1
        self.nudge()


def _traits(setup: SystemSetup, place: int) -> Traits:
    words = WORDS[setup.kind]
    automations: tuple[Automation, ...] = ()
    if setup.automates:
        urgent = words.priority["1"]
        automations = (Automation("priority", urgent, {"status": words.status["open"]}),)
    return Traits(
        name=f"{setup.kind}{place}",
        gives_markers=setup.gives_markers,
        gives_change_ids=setup.gives_change_ids,
        guards_writes=setup.guards_writes,
        gives_marks=setup.gives_marks,
        dates_answers=setup.kind != UNDATED,
        search_lag_s=setup.search_lag_s,
        skew_s=setup.skew_s,
        page_size=setup.page_size,
        steps=words.steps if setup.has_steps else {},
        limits={words.title: setup.title_limit} if setup.title_limit else {},
        automations=automations,
    )
