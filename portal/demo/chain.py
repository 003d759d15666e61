"""The chain: complaints go from Mercuri's Zendesk through Infinity's Jira to whoever can help, and the answer comes back.

A label in Jira routes them: a design question goes to Infinity's ServiceNow, a bug or a network issue to Global's Azure
DevOps.  Each system keeps its own ticket; Concord links one pair after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from integrations.mapping.agreement import Verdict
from integrations.models import Connection, LinkedTicket, System
from integrations.services.comparison import compare, settled_by
from integrations.services.connections import SideData
from portal.demo import seed
from portal.demo.seed import AZURE_DEVOPS, JIRA, SERVICENOW, ZENDESK
from portal.demo.stage import Content, Row, Stage, now, title_of
from portal.demo.story import Story
from portal.demo.verdict import Check

# Kind of sandbox, whose system it stands for, under which name.
SYSTEMS = (
    ("servicenow", seed.INFINITY, SERVICENOW),
    ("azure_devops", seed.GLOBAL, AZURE_DEVOPS),
)
# Where a Jira issue with one of these labels goes on to.
ROUTES: Mapping[str, tuple[str, ...]] = {
    SERVICENOW: ("design-question",),
    AZURE_DEVOPS: ("bug", "network-issue"),
}
FILE = {"name": "注文 4711 (1).txt", "text": "Order 4711, paid twice"}


@dataclass(frozen=True, slots=True)
class Matter:
    """One complaint and its way through three systems."""

    title: str
    label: str
    end: str
    analyst: str
    answer: str


MATTERS = (
    Matter(
        "The size table contradicts itself",
        "design-question",
        SERVICENOW,
        "Arno Weiss <arno@infinity.example>",
        "Both tables shall follow the European sizes.",
    ),
    Matter(
        "An order was paid twice",
        "bug",
        AZURE_DEVOPS,
        "Gita Rao <gita@global.example>",
        "The double booking is mended.",
    ),
    Matter(
        "The shop is slow in Spain",
        "network-issue",
        AZURE_DEVOPS,
        "Gita Rao <gita@global.example>",
        "The line to Madrid is replaced.",
    ),
)
AGENT = "Mara Lund <mara@mercuri.example>"
QUESTION = "When will it be mended?"
OWNER = "Jo Park <jo@infinity.example>"


@dataclass(slots=True)
class Chain:
    """Three complaints through the chain, one after the other."""

    stage: Stage
    story: Story

    def play(self) -> list[Check]:
        """Play them, let everything come to rest, and judge what is there."""
        for matter in MATTERS:
            self._play(matter)
        self.story.settle()
        return list(self._judge())

    def _play(self, matter: Matter) -> None:
        raised = self._act(
            ZENDESK,
            AGENT,
            f"raises “{matter.title}”",
            "create",
            fields={"subject": matter.title},
            comment={"text": "A customer called.", "public": True},
        )
        issue = self._arrives(JIRA, matter, raised)
        labelled = self._act(
            JIRA, OWNER, f"calls it “{matter.label}”", "update", issue, fields={"labels": [matter.label]}
        )
        end = self._arrives(matter.end, matter, labelled)
        added = self._act(ZENDESK, AGENT, "adds a file", "attach", raised.ticket, file=FILE)
        shows = _shows_note if matter.end == SERVICENOW else _shows_file
        self._arrives(matter.end, matter, added, shows)
        asked = self._act(ZENDESK, AGENT, "asks when", "comment", raised.ticket, comment=_public(QUESTION))
        self._arrives(matter.end, matter, asked, lambda there: QUESTION in _texts(there))
        answered = self._act(
            matter.end, matter.analyst, "answers", "comment", end, comment=_public(matter.answer)
        )
        self._arrives(ZENDESK, matter, answered, lambda there: matter.answer in _texts(there))

    def _act(self, where: str, who: str, what: str, do: str, ticket: str = "", **more: Any) -> _Acted:
        began = time.monotonic()
        action = {"do": do, "as": who, **({"ticket": ticket} if ticket else {}), **more}
        (done,) = self.stage.sandboxes[where].act(action)
        return _Acted(Row(now(), where, who.partition(" <")[0], what), began, str(done.get("ticket", "")))

    def _arrives(
        self, where: str, matter: Matter, acted: _Acted, shows: Callable[[Content], bool] = lambda there: True
    ) -> str:
        """Wait until the matter's ticket there shows it, and tell how long it took; the ticket's id."""

        def found() -> Content | None:
            there = self.stage.find(where, matter.title)
            return there if there is not None and shows(there) else None

        there = self.stage.until(f"what {acted.row.who} does ({acted.row.what}) is in {where}", found)
        assert there is not None
        after_s = time.monotonic() - acted.began
        self.stage.note(replace(acted.row, arrived=f"{where}: has it", after_s=after_s))
        return str(there["id"])

    def _judge(self) -> Iterator[Check]:
        for matter in MATTERS:
            question = f"“{matter.title}” went over Jira to {matter.end} alone, and its answer came back"
            yield Check(question, tuple(self._wrong(matter)))
        titles = [matter.title for matter in MATTERS]
        settled = settled_by(System.objects.all())
        unequal = [
            f"{one.title}, {row.label}: {row.left!r} and {row.right!r}."
            for one in LinkedTicket.objects.filter(title__in=titles)
            for row in compare(one, settled=settled).rows
            if row.verdict is Verdict.DIFFERS
        ]
        yield Check("All along the chain both sides of every link are equal", tuple(unequal))

    def _wrong(self, matter: Matter) -> Iterator[str]:
        for where in (ZENDESK, JIRA, SERVICENOW, AZURE_DEVOPS):
            there = [one for one in self.stage.sandboxes[where].tickets() if title_of(one) == matter.title]
            wanted = where in (ZENDESK, JIRA, matter.end)
            if len(there) != wanted:
                yield f"{where} has {len(there)} tickets of it and should have {int(wanted)}."
            for one in there:
                said = _texts(one)
                places = [said.find(text) for text in (QUESTION, matter.answer)]
                if -1 in places or places != sorted(places):
                    yield f"{where} does not have question and answer in this order: {said}"
                if not (_shows_note(one) if where == SERVICENOW else _shows_file(one)):
                    yield f"{where} does not show the file."


@dataclass(frozen=True, slots=True)
class _Acted:
    row: Row
    began: float
    ticket: str


def _public(text: str) -> dict[str, object]:
    return {"text": text, "public": True}


def _shows_file(ticket: Content) -> bool:
    return bool(ticket["attachments"])


def _shows_note(ticket: Content) -> bool:
    """A note in the place of the file: ServiceNow shows files to everybody who sees the ticket."""
    return FILE["name"] in _texts(ticket)


def _texts(ticket: Content) -> str:
    return " | ".join(str(one["text"]) for one in ticket["comments"])


@transaction.atomic
def connect(systems: Mapping[str, System]) -> list[Connection]:
    """Join Jira with both ends of the chain, by the rules that ship; a label starts the way."""
    jira = System.objects.get(name=JIRA)
    made = []
    for name, labels in ROUTES.items():
        starts = SideData(starts=True, trigger={"labels": labels})
        connection = seed.connection_between(jira, systems[name], f"Product team to {name}", starts)
        made.append(seed.run_connection(connection))
    return made


def meet(sign_in: Mapping[str, Mapping[str, str]]) -> dict[str, System]:
    """Get to know the systems at both ends, by name as the sandboxes' sign-in is."""
    return {name: seed.ready_system(company, kind, name, sign_in[name]) for kind, company, name in SYSTEMS}
