"""An edit from elsewhere written into an issue's own ADF."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given

from integrations.connectors.jira.adf import from_adf, settled, to_adf
from integrations.connectors.jira.adf_patch import patched
from integrations.richtext.blocks import Document, Paragraph, Run, from_value
from integrations.richtext.html import from_html, to_html
from integrations.richtext.merge import merge
from tests.integrations.connectors.bench import bench
from tests.integrations.richtext.documents import DOCUMENTS
from tests.integrations.richtext.work import grows_with_size


def text(words: str, *marks: dict) -> dict:
    return {"type": "text", "text": words, **({"marks": list(marks)} if marks else {})}


def p(*content: dict | str) -> dict:
    return {"type": "paragraph", "content": [text(one) if isinstance(one, str) else one for one in content]}


def doc(*content: dict) -> dict:
    return {"type": "doc", "version": 1, "content": list(content)}


MENTION = {"type": "mention", "attrs": {"id": "712020:ann", "text": "@Ann Lee", "accessLevel": ""}}
MEDIA = {
    "type": "mediaSingle",
    "attrs": {"layout": "center"},
    "content": [
        {"type": "media", "attrs": {"type": "file", "id": "6e7c7f2c", "collection": "", "alt": "fire.png"}}
    ],
}
PANEL = {
    "type": "panel",
    "attrs": {"panelType": "warning"},
    "content": [p("Do ", text("not", {"type": "textColor", "attrs": {"color": "#ff0000"}}), " touch.")],
}
TABLE = {
    "type": "table",
    "attrs": {"isNumberColumnEnabled": True, "layout": "wide"},
    "content": [
        {
            "type": "tableRow",
            "content": [{"type": "tableHeader", "attrs": {"background": "#eeeeee"}, "content": [p("Floor")]}],
        }
    ],
}
LAYOUT = {
    "type": "layoutSection",
    "content": [
        {"type": "layoutColumn", "attrs": {"width": 50}, "content": [p("left")]},
        {"type": "layoutColumn", "attrs": {"width": 50}, "content": [p("right")]},
    ],
}
OWN = doc(p("It burns."), PANEL, p(), p("Call ", MENTION, " first."), TABLE, MEDIA, LAYOUT, p("Thanks."))


def through_html(document: Document) -> Document:
    """The text as a partner holds it who keeps HTML."""
    return from_html(to_html(document))


def edited(document: Document, before: str, after: str) -> Document:
    blocks = tuple(
        Paragraph((Run(after),)) if block == Paragraph((Run(before),)) else block for block in document.blocks
    )
    assert blocks != document.blocks
    return Document(blocks)


def test_a_text_that_says_the_same_leaves_every_node_as_it_is() -> None:
    own = copy.deepcopy(OWN)
    assert patched(own, from_adf(OWN)) == OWN
    assert patched(own, through_html(from_adf(OWN))) == OWN
    assert own == OWN


@pytest.mark.parametrize(("before", "at"), [("It burns.", 0), ("Thanks.", 7)])
def test_one_edited_paragraph_changes_one_node(before: str, at: int) -> None:
    wanted = edited(through_html(from_adf(OWN)), before, "It only smokes.")
    expected = copy.deepcopy(OWN)
    expected["content"][at] = p("It only smokes.")
    assert patched(OWN, wanted) == expected


def test_what_is_added_and_taken_away_leaves_the_rest_alone() -> None:
    blocks = from_adf(OWN).blocks
    wanted = Document((*blocks[:2], Paragraph((Run("New."),)), *blocks[2:-1]))
    content = OWN["content"]
    assert patched(OWN, wanted) == doc(*content[:3], p("New."), *content[3:-1])


def test_an_edited_layout_is_written_anew_and_its_neighbours_are_not() -> None:
    wanted = edited(from_adf(OWN), "right", "wrong")
    content = OWN["content"]
    assert patched(OWN, wanted) == doc(*content[:6], p("left"), p("wrong"), content[7])


@pytest.mark.parametrize("own", [None, "text", 7, [], {}, {"content": None}, {"content": [None, 7, {}]}])
def test_where_there_is_no_text_yet_the_new_one_is_written(own: object) -> None:
    wanted = from_adf(doc(p("a"), p("b")))
    assert [node for node in patched(own, wanted)["content"] if node] == to_adf(wanted)["content"]


@given(DOCUMENTS, DOCUMENTS)
def test_what_is_written_always_says_what_is_wanted(own: Document, wanted: Document) -> None:
    written = patched(to_adf(own), wanted)
    assert settled(from_adf(written)) == settled(wanted)
    assert patched(written, wanted) == written


def test_real_descriptions_stay_as_they_are_but_for_the_one_paragraph_that_was_edited(
    shared_data: Path,
) -> None:
    """Through a partner's HTML and back: the merged text changes one node, every other one stays to the letter."""
    with gzip.open(shared_data / "data/wiki_to_adf.jsonl.gz", "rt") as lines:
        values = [json.loads(line)["adf"] for line in lines]
    edits = 0
    for value in values:
        own = from_adf(value)
        base = through_html(own)
        assert patched(value, merge(base, base, own).document) == value
        at = next((n for n, block in enumerate(base.blocks) if isinstance(block, Paragraph)), None)
        if at is None:
            continue
        line = Paragraph((Run("A sentence that nobody wrote before."),))
        incoming = Document((*base.blocks[:at], line, *base.blocks[at + 1 :]))
        merged = merge(base, incoming, own)
        nodes = patched(value, merged.document)["content"]
        assert merged.overruled == ()
        gone = [node for node in value["content"] if node not in nodes]
        assert len(gone) <= 1
        assert [node for node in nodes if node not in value["content"]] == [
            p("A sentence that nobody wrote before.")
        ]
        edits += 1
    assert (len(values), edits > 300) == (344, True)


def test_the_cost_grows_with_the_length_of_the_text() -> None:
    def do(count: int):  # type: ignore[no-untyped-def]
        own = doc(*(p(f"line {number}") for number in range(count)))
        wanted = edited(from_adf(own), f"line {count // 2}", "new")
        return lambda: patched(own, wanted)

    assert grows_with_size(do, 100)


# --- By the connector ---


def test_an_edited_description_leaves_people_boxes_and_tables_of_the_issue_alone() -> None:
    with bench("jira") as desk:
        ticket = desk.act("create", fields={"summary": "Printer", "description": OWN})["ticket"]
        held = desk.connector.read(ticket).fields["description"]
        wanted = edited(through_html(from_value(held)), "It burns.", "It only smokes.")
        update = {"description": wanted.as_value()}
        assert desk.calls(lambda: desk.connector.update(ticket, update, current={}, marker="m-1")) == 2
        [issue] = desk.sandbox.state.site.issues.values()  # type: ignore[attr-defined]
        assert issue.description == doc(p("It only smokes."), *OWN["content"][1:])
        assert desk.changes(ticket)[-1].marker == "m-1"


def test_a_formatted_field_of_the_sites_own_making_is_treated_alike() -> None:
    with bench("jira") as desk:
        fields = {"summary": "Printer", "customfield_10053": OWN, "description": OWN}
        ticket = desk.act("create", fields=fields)["ticket"]
        held = desk.connector.read(ticket).fields
        names = ("description", "customfield_10053")
        wanted = {name: edited(from_value(held[name]), "Thanks.", "Bye.").as_value() for name in names}
        desk.connector.fields()
        assert desk.calls(lambda: desk.connector.update(ticket, wanted, current={}, marker="m-1")) == 2
        [issue] = desk.sandbox.state.site.issues.values()  # type: ignore[attr-defined]
        assert issue.description == issue.custom["customfield_10053"] == doc(*OWN["content"][:-1], p("Bye."))


def test_a_description_that_says_the_same_already_is_not_written() -> None:
    with bench("jira") as desk:
        ticket = desk.act("create", fields={"summary": "Printer", "description": OWN})["ticket"]
        value = through_html(from_value(desk.connector.read(ticket).fields["description"])).as_value()
        before = desk.changes(ticket)
        desk.connector.update(ticket, {"description": value}, current={}, marker="m-1")
        assert desk.changes(ticket) == before


def test_a_description_is_emptied_and_begun_without_looking_at_the_old_one() -> None:
    with bench("jira") as desk:
        ticket = desk.ticket()
        for value, calls in (({"rich": []}, 1), (None, 1), (from_adf(doc(p("New."))).as_value(), 2)):
            update = {"description": value}
            assert (
                desk.calls(lambda u=update: desk.connector.update(ticket, u, current={}, marker="m")) == calls
            )
        assert desk.connector.read(ticket).fields["description"] == from_adf(doc(p("New."))).as_value()
