"""Which comments are ours: their markers, asked for only where they are not remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from integrations.canonical import Person
from integrations.connectors.http import Http
from integrations.connectors.jira import client, history
from integrations.connectors.jira.fields import person
from integrations.connectors.recall import Recall

REMEMBERED = 2_000
HOUR_S = 3600.0
# Comments per question for their properties; Jira allows 1,000.
COMMENTS_AT_ONCE = 500


class OwnComments:
    """The markers of the comments that our account wrote.  Thread-safe."""

    def __init__(self, http: Http, email: str, clock: Callable[[], float]) -> None:
        self._http = http
        self._email = email
        self._markers: Recall[str, str] = Recall(REMEMBERED, HOUR_S, clock)
        self.account_id = ""

    def wrote(self, comment_id: str, marker: str, author: Person) -> None:
        """Remember a comment that Jira just took from us, and as whom."""
        self._markers.put(comment_id, marker)
        self.account_id = author.id or self.account_id

    def markers(self, comments: Sequence[dict]) -> dict[str, str]:
        """The markers of those of these comments that may be ours; no call while we know what we wrote.

        Jira does not give a comment's properties along with an issue.  They are asked for only when another process
        of ours wrote the comment, or our own did and never heard back.
        """
        markers: dict[str, str] = {}
        unknown: list[str] = []
        for raw in comments:
            comment_id = history.id_of(raw)
            if (marker := self._markers.get(comment_id)) is not None:
                markers[comment_id] = marker
            elif not history.comment_marker(raw) and self._is_ours(person(raw.get("author"))):
                unknown.append(comment_id)
        for start in range(0, len(unknown), COMMENTS_AT_ONCE):
            for raw in client.comments_with_properties(self._http, unknown[start : start + COMMENTS_AT_ONCE]):
                comment_id = history.id_of(raw)
                markers[comment_id] = history.comment_marker(raw)
                self._markers.put(comment_id, markers[comment_id])
        return markers

    def _is_ours(self, author: Person) -> bool:
        if not self.account_id:
            if author.email:
                return author.email.casefold() == self._email.casefold()
            self.account_id = str(client.myself(self._http).get("accountId") or "")
        return author.id == self.account_id
