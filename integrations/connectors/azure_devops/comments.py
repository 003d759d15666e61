"""Comments of work items: which revision brought which comment.  Pure.

A comment is also the System.History of a revision, but only its own record tells its number, whether it is Markdown,
and whether it was taken away since.  The two are joined by time; Azure DevOps gives both the same.
https://learn.microsoft.com/rest/api/azure/devops/wit/comments
"""

from __future__ import annotations

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
    waiting = sorted(records, key=_number)
    found: dict[int, Comment | None] = {}
    for step in steps:
        if not step.text or not step.makes_revision:
            continue
        record = _pick(step, waiting)
        if record is not None:
            waiting.remove(record)
            found[step.rev] = None if record.get("isDeleted") is True else read(record, meet)
        elif any(_is_edit(step, one) for one in records):
            found[step.rev] = None
        else:
            found[step.rev] = from_step(step, "")
    return found


def reach(records: Iterable[dict], at: datetime) -> bool:
    """Whether the newest comments go back before this time."""
    return any(
        (found := times.time_of(one.get("createdDate"))) is not None and found < at - NEAR for one in records
    )


def _pick(step: Step, records: Sequence[dict]) -> dict | None:
    """The record of the comment that a step brought: written at that time, with the same words if several were."""
    near = [one for one in records if _is_near(one.get("createdDate"), step.at)]
    words = texts.read(step.text).plain()
    same = [one for one in near if texts.of_comment(one).plain() == words]
    return next(iter(same or near), None)


def _is_edit(step: Step, record: dict) -> bool:
    version = record.get("version")
    return isinstance(version, int) and version > 1 and _is_near(record.get("modifiedDate"), step.at)


def _is_near(value: object, at: datetime) -> bool:
    found = times.time_of(value)
    return found is not None and abs(found - at) <= NEAR


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
