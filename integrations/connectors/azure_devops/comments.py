"""Comments of work items: which revision brought which comment.  Pure.

A comment is also the System.History of a revision, but only its own record tells its number, whether it is Markdown,
and whether it was taken away since.  The two are joined by time; Azure DevOps gives both the same.
https://learn.microsoft.com/rest/api/azure/devops/wit/comments
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from integrations.canonical import Comment, Person
from integrations.connectors import errors
from integrations.connectors.azure_devops import texts, times
from integrations.connectors.azure_devops.updates import Step

# How far the times of a comment and of its revision may lie apart.
NEAR = timedelta(seconds=2)


def join(
    steps: Iterable[Step], records: Sequence[dict], meet: Callable[[object], Person]
) -> dict[int, Comment | None]:
    """The comments of the revisions that have one; None for one that was taken away, or that only changed another.

    A comment without a record is told as its revision has it: nothing that was said gets lost.
    """
    waiting = _Waiting(records)
    edits = [at for one in records if _is_edited(one) and (at := times.time_of(one.get("modifiedDate")))]
    found: dict[int, Comment | None] = {}
    for step in steps:
        if not step.text or not step.makes_revision:
            continue
        record = waiting.take(step)
        if record is not None:
            found[step.rev] = None if record.get("isDeleted") is True else read(record, meet)
        elif any(abs(at - step.at) <= NEAR for at in edits):
            found[step.rev] = None
        else:
            found[step.rev] = from_step(step, "")
    return found


def reach(records: Iterable[dict], at: datetime) -> bool:
    """Whether the newest comments go back before this time."""
    return any(
        (found := times.time_of(one.get("createdDate"))) is not None and found < at - NEAR for one in records
    )


class _Waiting:
    """The records that no revision was found for yet, by number.  Linear, also where all are of the same moment."""

    def __init__(self, records: Iterable[dict]) -> None:
        self._left = {_number(one): one for one in sorted(records, key=_number)}
        self._at: dict[int, datetime] = {}
        self._seconds: dict[int, dict[int, None]] = defaultdict(dict)
        # Read only when a revision of about that time is looked at: by its words, the numbers of a second's records.
        self._words: dict[int, dict[str, dict[int, None]]] = {}
        self._said: dict[int, str] = {}
        for number, one in self._left.items():
            if (at := times.time_of(one.get("createdDate"))) is not None:
                self._at[number] = at
                self._seconds[_second(at)][number] = None

    def take(self, step: Step) -> dict | None:
        """The record of the comment that a step brought: written at that time, with the same words if several were."""
        reach = range(_second(step.at - NEAR), _second(step.at + NEAR) + 1)
        seconds = [one for one in reach if self._seconds.get(one)]
        words = texts.read(step.text).plain() if seconds else ""
        same = [self._first(self._by_words(one).get(words, {}), step.at) for one in seconds]
        near = [self._first(self._seconds[one], step.at) for one in seconds]
        number = min((one for one in same if one is not None), default=None)
        if number is None:
            number = min((one for one in near if one is not None), default=None)
        return None if number is None else self._taken(number)

    def _first(self, numbers: Iterable[int], at: datetime) -> int | None:
        return next((one for one in numbers if abs(self._at[one] - at) <= NEAR), None)

    def _by_words(self, second: int) -> dict[str, dict[int, None]]:
        if second not in self._words:
            found: dict[str, dict[int, None]] = defaultdict(dict)
            for number in self._seconds[second]:
                self._said[number] = texts.of_comment(self._left[number]).plain()
                found[self._said[number]][number] = None
            self._words[second] = found
        return self._words[second]

    def _taken(self, number: int) -> dict:
        second = _second(self._at[number])
        del self._seconds[second][number]
        del self._words[second][self._said[number]][number]
        return self._left.pop(number)


def _second(at: datetime) -> int:
    return int(at.timestamp())


def _is_edited(record: dict) -> bool:
    version = record.get("version")
    return isinstance(version, int) and version > 1


def from_step(step: Step, comment_id: str) -> Comment:
    """A comment as its revision tells it; without a number of its own it goes by the revision's."""
    return Comment(
        comment_id or f"rev:{step.rev}",
        texts.read(step.text).as_value(),
        step.by,
        # Azure DevOps knows no other kind: whoever sees the work item sees it.
        True,
        step.at,
    )


def read(record: dict, meet: Callable[[object], Person]) -> Comment:
    """A comment record as it stands now."""
    at = times.time_of(record.get("createdDate"))
    if at is None:
        raise errors.Garbled("A comment of Azure DevOps has no readable time.")
    return Comment(
        str(_number(record)),
        texts.of_comment(record).as_value(),
        meet(record.get("createdBy")),
        True,
        at,
    )


def standing(records: Iterable[dict], meet: Callable[[object], Person]) -> tuple[Comment, ...]:
    """The comments that were not taken away, in their order."""
    return tuple(read(one, meet) for one in sorted(records, key=_number) if one.get("isDeleted") is not True)


def _number(record: dict) -> int:
    found = record.get("id")
    if not isinstance(found, int) or isinstance(found, bool):
        raise errors.Garbled("A comment of Azure DevOps has no number.")
    return found
