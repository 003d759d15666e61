"""What many threads want to know at the same moment is asked once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from integrations.connectors.errors import ConnectorError, Unavailable
from integrations.connectors.recall import Asking

PATIENCE_S = 20.0


class CountedLock:
    """A lock that tells how often it was let go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted = threading.Condition()
        self._count = 0

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        with self._counted:
            self._count += 1
            self._counted.notify_all()

    def wait_for(self, count: int) -> None:
        with self._counted:
            assert self._counted.wait_for(lambda: self._count >= count, PATIENCE_S)


def ask_together(threads: int, answer: Callable[[int], str]) -> tuple[list[Any], Asking[str]]:
    """What several threads get that ask while the first of them waits for its answer; the asking itself."""
    lock, asked = CountedLock(), [0]

    def ask() -> str:
        asked[0] += 1
        if asked[0] == 1:
            lock.wait_for(threads)
        return answer(asked[0])

    asking = Asking(ask)
    asking._lock = lock  # type: ignore[assignment]

    def told() -> Any:
        try:
            return asking.answer()
        except ConnectorError as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        return [one.result() for one in [pool.submit(told) for _ in range(threads)]], asking


def test_who_asks_while_the_question_is_under_way_gets_its_answer_and_later_ones_ask_anew() -> None:
    told, asking = ask_together(5, lambda number: f"answer {number}")
    assert told == ["answer 1"] * 5
    assert asking.answer() == "answer 2"


def test_an_error_is_told_to_everybody_who_waited_and_kept_for_nobody() -> None:
    error = Unavailable("Busy.")

    def answer(number: int) -> str:
        if number == 1:
            raise error
        return "answered"

    told, asking = ask_together(3, answer)
    assert told == [error] * 3
    assert asking.answer() == "answered"


def test_the_one_who_asks_alone_gets_what_the_question_raises() -> None:
    def ask() -> str:
        raise Unavailable("Busy.")

    with pytest.raises(Unavailable, match="Busy"):
        Asking(ask).answer()
