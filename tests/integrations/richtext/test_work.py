"""The counter that the other tests rely on sees a square when there is one."""

from __future__ import annotations

from collections.abc import Callable

from tests.integrations.richtext.work import calls_made, grows_with_size


def work(times: int) -> None:
    for _ in range(times):
        "".join(())


def test_calls_are_counted_the_same_every_time() -> None:
    assert calls_made(lambda: work(100)) == calls_made(lambda: work(100)) >= 100


def test_a_line_is_told_from_a_square() -> None:
    def line(size: int) -> Callable[[], object]:
        return lambda: work(size)

    def square(size: int) -> Callable[[], object]:
        return lambda: work(size * size // 100)

    assert grows_with_size(line, 100)
    assert not grows_with_size(square, 100)
