"""Fetches what happened to a work item: its updates page by page, and the comments that they tell of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from integrations.canonical import Comment
from integrations.connectors import errors
from integrations.connectors.azure_devops import client, comments, updates
from integrations.connectors.azure_devops.client import Project
from integrations.connectors.azure_devops.cursors import HistoryCursor
from integrations.connectors.azure_devops.identities import People
from integrations.connectors.azure_devops.updates import Page, Step
from integrations.connectors.recall import Recall

# Enough for any living work item in one go; the rest follows at the next call.
MAX_UPDATE_PAGES = 10
HOUR_S = 3600.0
REMEMBERED = 2_000


class Log:
    """What happened to the work items of one project.  Thread-safe."""

    def __init__(self, project: Project, people: People, clock: Callable[[], float]) -> None:
        self._project = project
        self._people = people
        # Comments of ours: (work item, revision) -> the comment's number.
        self._own_comments: Recall[tuple[str, int], str] = Recall(REMEMBERED, HOUR_S, clock)

    def wrote(self, remote_id: str, rev: int, comment_id: str) -> None:
        """Remember a comment that Azure DevOps just took from us."""
        self._own_comments.put((remote_id, rev), comment_id)

    def updates(self, remote_id: str, start: HistoryCursor) -> tuple[Page, bool, datetime | None]:
        """The updates after the cursor, whether there are more, and when the first page was asked for by Azure DevOps'
        clock; one call for a page of them.
        """
        records, asked_at = client.updates(self._project, remote_id, start.skip)
        is_full = len(records) >= client.PAGE_SIZE
        page = updates.read_page(records, start, self._people.met)
        if page is None:
            # The updates are not where they were; then all are read, and the cursor's number tells what is new.
            records, start, is_full = (
                self._all(remote_id),
                HistoryCursor(start.update, 0, start.rev, start.type),
                False,
            )
            page = updates.read_all(records, start, self._people.met)
        for _ in range(MAX_UPDATE_PAGES):
            if not is_full:
                return page, False, asked_at
            records, _ = client.updates(self._project, remote_id, page.cursor.skip)
            is_full = len(records) >= client.PAGE_SIZE
            onward = updates.read_page(records, page.cursor, self._people.met)
            if onward is None:
                break
            page = Page((*page.steps, *onward.steps), onward.cursor)
        return page, True, asked_at

    def _all(self, remote_id: str) -> list[dict]:
        records: list[dict] = []
        for _ in range(client.MAX_PAGES):
            found, _ = client.updates(self._project, remote_id, len(records))
            records += found
            if len(found) < client.PAGE_SIZE:
                return records
        raise errors.Garbled("Azure DevOps' list of updates did not end.")

    def comments(self, remote_id: str, page: Page) -> dict[int, Comment | None]:
        """The comments of these revisions, as `updates.changes` takes them; no call while they are all our own."""
        told: dict[int, Comment | None] = {}
        unknown: list[Step] = []
        for step in page.steps:
            if step.text and step.makes_revision:
                own = self._own_comments.get((remote_id, step.rev))
                if own:
                    told[step.rev] = comments.from_step(step, own)
                else:
                    unknown.append(step)
        if unknown:
            # Those after them too: comments may be younger than the page of updates.
            newest = 0 if len(unknown) > client.PAGE_SIZE // 2 else len(unknown) + 10
            records = client.comments(self._project, remote_id, newest=newest)
            if newest and len(records) >= newest and not comments.reach(records, unknown[0].at):
                records = client.comments(self._project, remote_id)
            told |= comments.join(unknown, records, self._people.met)
        return told
