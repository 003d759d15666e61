"""Wake-ups: none too often, none too few, and somebody is called before a worker's time is over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from integrations.runtime.connectors import Connectors
from integrations.runtime.drain import Drain
from integrations.runtime.wakes import Waker
from integrations.store.django import DjangoStore


class Stage:
    """A clock that is set by hand, and everything that was sent or put off."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: list[float] = []
        self.waiting: list[tuple[float, Callable[[], None]]] = []
        self.waker = Waker(self.send, 0.1, clock=lambda: self.now, later=self.later)

    def send(self) -> None:
        self.sent.append(round(self.now, 3))

    def later(self, delay_s: float, do: Callable[[], None]) -> None:
        self.waiting.append((self.now + delay_s, do))

    def at(self, now: float) -> None:
        """Let time pass; what was put off until then is done."""
        for due, do in sorted(self.waiting):
            if due <= now:
                self.now = due
                do()
        self.waiting = [one for one in self.waiting if one[0] > now]
        self.now = now


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_first_of_several_is_sent_at_once_and_the_last_a_moment_later(stage: Stage) -> None:
    for now in (100.0, 100.01, 100.02, 100.09):
        stage.at(now)
        stage.waker.wake()
    assert stage.sent == [100.0]
    stage.at(101.0)
    assert stage.sent == [100.0, 100.1]


def test_however_many_there_are_one_is_sent_each_time(stage: Stage) -> None:
    for step in range(100):
        stage.at(100.0 + step / 100)
        stage.waker.wake()
    stage.at(110.0)
    assert stage.sent == [round(100 + step / 10, 3) for step in range(11)]


def test_one_by_itself_is_sent_at_once(stage: Stage) -> None:
    for now in (100.0, 100.2, 105.0):
        stage.at(now)
        stage.waker.wake()
    assert (stage.sent, stage.waiting) == ([100.0, 100.2, 105.0], [])


def test_one_that_was_put_off_and_lost_in_a_fork_does_not_silence_those_after_it(stage: Stage) -> None:
    stage.waker.wake()
    stage.waker.wake()
    stage.waiting.clear()
    stage.at(101.0)
    stage.waker.wake()
    assert stage.sent == [100.0, 101.0]


@pytest.mark.django_db
def test_whoever_runs_out_of_time_calls_the_next_one_first() -> None:
    called: list[str] = []
    drain = Drain(DjangoStore(), Connectors(lambda system: pytest.fail("Nothing is opened.")), "worker")

    drain.run(for_s=0.0, hand_over=lambda: called.append("next"))
    assert called == ["next"]

    drain.run(for_s=5.0, hand_over=lambda: called.append("again"))
    assert called == ["next"]
