"""One paragraph edited in one company's system changes one paragraph in the other's, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.connectors.jira import client
from integrations.connectors.servicenow.texts import to_plain
from integrations.models import LinkedTicket, System
from integrations.richtext.blocks import Block, Document, Paragraph, Run, from_value
from integrations.richtext.html import to_html
from integrations.services.comparison import Verdict, compare, settled_by
from tests.scenarios.test_pairs import Place, opened

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


def paragraph(*content: Any) -> dict:
    nodes = [{"type": "text", "text": one} if isinstance(one, str) else one for one in content]
    return {"type": "paragraph", "content": nodes}


def cell(kind: str, text: str) -> dict:
    return {"type": kind, "attrs": {"background": "#e6fcff"}, "content": [paragraph(text)]}


MENTION = {"type": "mention", "attrs": {"id": "712020:ann", "text": "@Ann Lee", "accessLevel": "CONTAINER"}}
PANEL = {
    "type": "panel",
    "attrs": {"panelType": "custom", "panelColor": "#deebff"},
    "content": [paragraph("Do not touch.")],
}
TABLE = {
    "type": "table",
    "attrs": {"isNumberColumnEnabled": True, "layout": "wide"},
    "content": [
        {"type": "tableRow", "content": [cell("tableHeader", "Floor"), cell("tableHeader", "State")]},
        {"type": "tableRow", "content": [cell("tableCell", "2"), cell("tableCell", "hot")]},
    ],
}
OWN = [
    paragraph("The printer burns."),
    PANEL,
    paragraph("Call ", MENTION, " first."),
    TABLE,
    paragraph("Thanks."),
]


def adf_of(jira: Place, issue: str) -> list[dict]:
    """The description's own nodes, as Jira itself has them."""
    raw = client.texts(jira.desk.connector._http, issue, ["description"])  # type: ignore[attr-defined]
    return raw["fields"]["description"]["content"]


def blocks_of(place: Place, ticket: str) -> tuple[Block, ...]:
    return from_value(place.desk.connector.read(ticket).fields["description"]).blocks


def person_edits(place: Place, ticket: str, old: str, new: str) -> tuple[Block, ...]:
    """Somebody writes one paragraph anew in the system's own form; the text after it."""
    edited = tuple(plain(new) if block == plain(old) else block for block in blocks_of(place, ticket))
    assert edited != blocks_of(place, ticket)
    document = Document(edited)
    raw = to_html(document) if place.kind == "azure_devops" else to_plain(document)
    place.act("update", ticket, fields={"description": raw})
    assert blocks_of(place, ticket) == edited
    return edited


def plain(text: str) -> Paragraph:
    return Paragraph((Run(text),))


def differing() -> list[str]:
    """Fields that do not agree in each receiver's own terms."""
    linked = LinkedTicket.objects.get()
    found = compare(linked, settled=settled_by(System.objects.all()))
    return [row.name for row in found.rows if row.verdict is Verdict.DIFFERS]


@pytest.mark.parametrize("other", ["azure_devops", "servicenow"])
def test_a_paragraph_edited_elsewhere_changes_one_node_of_jiras_text_and_back(other: str) -> None:
    with opened("jira", other) as places:
        places.join("jira", other)
        jira, desk = places["jira"], places[other]
        text = {"type": "doc", "version": 1, "content": OWN}
        issue = jira.act("create", fields={"summary": "Fire", "description": text})
        places.settle()
        twin = places.there("jira", issue, other)

        theirs = person_edits(desk, twin, "Thanks.", "Thank you all.")
        places.settle()

        assert adf_of(jira, issue) == [*OWN[:-1], paragraph("Thank you all.")]
        assert blocks_of(desk, twin) == theirs
        assert differing() == []

        own = [paragraph("It smokes."), *OWN[1:-1], paragraph("Thank you all.")]
        jira.act("update", issue, fields={"description": {**text, "content": own}})
        places.settle()

        assert blocks_of(desk, twin) == (plain("It smokes."), *theirs[1:])
        assert adf_of(jira, issue) == own
        assert differing() == []
