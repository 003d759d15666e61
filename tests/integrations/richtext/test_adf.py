"""ADF read and written: real descriptions, every kind of node, every document our model can hold, and nonsense."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.jira.adf import from_adf, settled, to_adf
from integrations.richtext.blocks import (
    MAX_DEPTH,
    BulletList,
    Cell,
    CodeBlock,
    Document,
    File,
    Heading,
    Item,
    LineBreak,
    Mention,
    OrderedList,
    Panel,
    Paragraph,
    Quote,
    Rule,
    Run,
    Table,
    from_plain,
)
from integrations.richtext.html import from_html, to_html
from integrations.richtext.losses import WORDS, lost
from tests.integrations.richtext.work import grows_with_size


def doc(*content: dict) -> dict:
    return {"type": "doc", "version": 1, "content": list(content)}


def text(words: str, *marks: dict) -> dict:
    return {"type": "text", "text": words, **({"marks": list(marks)} if marks else {})}


def p(*content: dict | str) -> dict:
    return {"type": "paragraph", "content": [text(one) if isinstance(one, str) else one for one in content]}


def node(kind: str, *content: dict, **attrs: object) -> dict:
    return {"type": kind, "attrs": attrs, "content": list(content)}


def words(*runs: str) -> Paragraph:
    return Paragraph(tuple(Run(run) for run in runs))


# Reading


@pytest.mark.parametrize(
    ("inline", "expected"),
    [
        (text("a", {"type": "strong"}, {"type": "em"}), Run("a", ("bold", "italic"))),
        (text("a", {"type": "strike"}, {"type": "underline"}), Run("a", ("strike", "underline"))),
        (text("2", {"type": "subsup", "attrs": {"type": "sub"}}), Run("2", ("sub",))),
        (text("2", {"type": "subsup", "attrs": {"type": "sup"}}), Run("2", ("sup",))),
        (text("a", {"type": "code"}, {"type": "strong"}), Run("a", ("code",))),
        (
            text("a", {"type": "link", "attrs": {"href": "https://example.com/x"}}),
            Run("a", ("link",), "https://example.com/x"),
        ),
        (text("a", {"type": "link", "attrs": {"href": "javascript:alert(1)"}}), Run("a")),
        (text("a", {"type": "link", "attrs": {"href": "/browse/NET-1"}}), Run("a")),
        (text("a", {"type": "link"}), Run("a")),
        (node("mention", id="712020:1", text="@Ann Lee"), Mention("Ann Lee")),
        (node("mention", id="712020:1"), Mention("somebody")),
        (node("emoji", shortName=":smile:", text="😄"), Run("😄")),
        (node("emoji", shortName=":acme:"), Run(":acme:")),
        (node("date", timestamp="1767225600000"), Run("2026-01-01")),
        (node("date", timestamp="soon"), Run("soon")),
        (node("status", text="IN PROGRESS", color="blue"), Run("IN PROGRESS")),
        (node("placeholder", text="Type here"), Run("Type here")),
        (
            node("inlineCard", url="https://example.com"),
            Run("https://example.com", ("link",), "https://example.com"),
        ),
        (node("mediaInline", id="1", collection="c", alt="a.png"), Run("[a.png]")),
    ],
)
def test_inline_nodes_become_text_with_marks(inline: dict, expected: object) -> None:
    assert from_adf(doc(p(inline))) == Document((Paragraph((expected,)),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (p("a", {"type": "hardBreak"}, "b"), (Paragraph((Run("a"), LineBreak(), Run("b"))),)),
        (p(), ()),
        (node("heading", text("Title"), level=2), (Heading(2, (Run("Title"),)),)),
        (node("heading", text("Title"), level=9), (Heading(6, (Run("Title"),)),)),
        (node("codeBlock", text("a\n  b"), language="java"), (CodeBlock("a\n  b", "java"),)),
        (node("rule"), (Rule(),)),
        (node("blockquote", p("a")), (Quote((words("a"),)),)),
        (node("bulletList", node("listItem", p("a"))), (BulletList((Item((words("a"),)),)),)),
        (node("orderedList", node("listItem", p("a")), order=3), (OrderedList((Item((words("a"),)),), 3),)),
        (
            node(
                "taskList",
                node("taskItem", text("done"), localId="1", state="DONE"),
                node("taskList", node("taskItem", text("below"), localId="3", state="TODO"), localId="2"),
                localId="0",
            ),
            (BulletList((Item((words("done"), BulletList((Item((words("below"),), False),))), True),)),),
        ),
        (
            node("decisionList", node("decisionItem", text("Go"), localId="1", state="DECIDED"), localId="0"),
            (BulletList((Item((words("Go"),)),)),),
        ),
        (node("panel", p("a"), panelType="tip"), (Panel("success", (words("a"),)),)),
        (node("panel", p("a"), panelType="custom"), (Panel("info", (words("a"),)),)),
        (node("expand", p("a"), title="More"), (Panel("info", (words("a"),), "More"),)),
        (node("expand", p("a")), (words("a"),)),
        (
            node("table", node("tableRow", node("tableHeader", p("h")), node("tableCell", p("c")))),
            (Table(((Cell((words("h"),), is_header=True), Cell((words("c"),))),)),),
        ),
        (
            node("table", node("tableRow", node("tableCell", p("wide"), colspan=3))),
            (Table(((Cell((words("wide"),)), Cell(()), Cell(())),)),),
        ),
        (
            node("mediaSingle", node("media", type="file", id="1", collection="c", alt="a.png")),
            (File("a.png"),),
        ),
        (
            node("mediaSingle", node("media", type="external", url="https://example.com/a.png")),
            (Paragraph((Run("a.png", ("link",), "https://example.com/a.png"),)),),
        ),
        (node("mediaGroup", node("media", type="file", id="1", collection="c")), (File("file"),)),
        (
            node("blockCard", url="https://example.com"),
            (Paragraph((Run("https://example.com", ("link",), "https://example.com"),)),),
        ),
        (
            node("layoutSection", node("layoutColumn", p("left")), node("layoutColumn", p("right"))),
            (words("left"), words("right")),
        ),
        (node("bodiedExtension", p("inside"), extensionKey="x", extensionType="y"), (words("inside"),)),
        (node("extension", extensionKey="x", extensionType="y", text="shown"), (words("shown"),)),
        (node("novelty", p("kept"), text("this too")), (words("kept"), words("this too"))),
        (text("loose"), (words("loose"),)),
    ],
)
def test_blocks_become_our_blocks(block: dict, expected: tuple) -> None:
    assert from_adf(doc(block)) == Document(expected, from_adf(doc(block)).losses)


def test_what_is_not_carried_is_told_once() -> None:
    value = doc(
        p(text("red", {"type": "textColor", "attrs": {"color": "#ff0000"}})),
        p(text("blue", {"type": "textColor", "attrs": {"color": "#0000ff"}})),
        {**p("centred"), "marks": [{"type": "alignment", "attrs": {"align": "center"}}]},
        node("table", node("tableRow", node("tableCell", p("a"), rowspan=2))),
        node("extension", extensionKey="x", extensionType="y", text="shown"),
    )
    assert from_adf(value).losses == (
        "colours of text",
        "alignment of text",
        "cells joined over rows",
        "“extension” was reduced to its text",
    )


# Writing


def test_what_adf_cannot_nest_is_opened_and_keeps_its_words() -> None:
    table = Table(((Cell((words("a"),)), Cell((words("b"), words("c")))), (Cell((words("d"),)),)))
    document = Document(
        (
            Quote((Heading(1, (Run("Title"),)), Rule(), table)),
            BulletList((Item((Quote((words("said"),)), Panel("note", (words("boxed"),), "Why"), table)),)),
            Panel("warning", (Quote((words("quoted"),)), table)),
            Panel("info", (table, Panel("info", (table,), "Inner")), "Outer"),
        )
    )
    why = Paragraph((Run("Why", ("bold",)),))
    bold_title = Paragraph((Run("Title", ("bold",)),))
    rows = (
        words("a | b"),
        words("d"),
    )
    first_row = Paragraph((Run("a | b"), LineBreak(), Run("c")))
    assert settled(document) == Document(
        (
            Quote((bold_title, first_row, rows[1])),
            BulletList((Item((words("said"), why, words("boxed"), first_row, rows[1])),)),
            Panel("warning", (words("quoted"), first_row, rows[1])),
            Panel("info", (table, Panel("info", (first_row, rows[1]), "Inner")), "Outer"),
        )
    )


def test_tasks_and_ordinary_items_become_lists_of_their_own() -> None:
    mixed = BulletList(
        (
            Item((words("plain"),)),
            Item((words("open"),), False),
            Item((words("done"),), True),
            Item((words("end"),)),
        )
    )
    assert settled(Document((mixed,))).blocks == (
        BulletList((Item((words("plain"),)),)),
        BulletList((Item((words("open"),), False), Item((words("done"),), True))),
        BulletList((Item((words("end"),)),)),
    )


def test_a_task_in_a_quote_keeps_its_box_as_a_character() -> None:
    tasks = BulletList((Item((words("open"),), False), Item((Rule(), words("done")), True)))
    assert settled(Document((Quote((tasks,)),))).blocks == (
        Quote((BulletList((Item((words("☐ open"),)), Item((words("☑"), words("done"))))),)),
    )


def test_people_and_files_are_written_as_text_so_that_no_stranger_is_named() -> None:
    document = Document((Paragraph((Run("ask "), Mention("Ann Lee", id="712020:1"))), File("a.png")))
    assert to_adf(document) == doc(p("ask @Ann Lee"), p("[a.png]"))


def test_equal_documents_give_equal_adf() -> None:
    tasks = BulletList((Item((words("a"),), True), Item((words("b"),), False)))
    assert to_adf(Document((tasks, tasks))) == to_adf(Document((tasks, tasks)))


def test_characters_that_cannot_be_sent_are_dropped() -> None:
    document = Document((Paragraph((Run("a\x00b\ud800c\r\nd"),)), CodeBlock("x\x00\r\ny")))
    assert settled(document).blocks == (Paragraph((Run("abc"), LineBreak(), Run("d"))), CodeBlock("x\ny"))


# Everything our model can hold

RUN_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
HREF = st.sampled_from(["https://example.com/a", "mailto:a@example.com", "javascript:x", ""])
MARKS = st.lists(
    st.sampled_from(["bold", "code", "italic", "link", "strike", "sub", "sup", "underline"]),
    max_size=3,
    unique=True,
).map(lambda marks: tuple(sorted(marks)))
INLINES = st.lists(
    st.builds(Run, RUN_TEXT, MARKS, HREF) | st.just(LineBreak()) | st.builds(Mention, st.text(max_size=6)),
    max_size=4,
).map(tuple)
LEAVES = (
    st.builds(Paragraph, INLINES)
    | st.builds(Heading, st.integers(-1, 8), INLINES)
    | st.builds(CodeBlock, st.text(max_size=10), st.sampled_from(["", "python", " java "]))
    | st.just(Rule())
    | st.builds(File, st.text(max_size=6))
)


def _boxes(inner: st.SearchStrategy) -> st.SearchStrategy:
    held = st.lists(inner, max_size=3).map(tuple)
    items = st.lists(st.builds(Item, held, st.none() | st.booleans()), max_size=3).map(tuple)
    row = st.lists(st.builds(Cell, held, st.booleans()), max_size=3).map(tuple)
    return (
        st.builds(Quote, held)
        | st.builds(BulletList, items)
        | st.builds(OrderedList, items, st.integers(-2, 9))
        | st.builds(
            Panel, st.sampled_from(["info", "error", "odd"]), held, st.sampled_from(["", "More", " a\nb "])
        )
        | st.builds(Table, st.lists(row, max_size=3).map(tuple))
    )


DOCUMENTS = st.lists(st.recursive(LEAVES, _boxes, max_leaves=12), max_size=4).map(
    lambda blocks: Document(tuple(blocks))
)


@given(DOCUMENTS)
def test_what_jira_holds_is_read_and_written_unchanged(document: Document) -> None:
    held = settled(document)
    assert settled(held) == held
    assert from_adf(to_adf(held)) == held
    assert to_adf(held) == to_adf(document)


@given(DOCUMENTS)
def test_no_word_is_lost_whatever_has_to_be_opened(document: Document) -> None:
    def letters(one: Document) -> str:
        return "".join(c for block in one.blocks for c in _letters(block) if c.isalnum())

    assert letters(settled(document)) == letters(document)


@given(DOCUMENTS)
def test_everything_written_is_valid_adf(adf_schema: jsonschema.Draft4Validator, document: Document) -> None:
    adf_schema.validate(to_adf(document))


def _letters(block: object) -> str:
    """All words of a block in reading order; a person without a name is called somebody, a file without one file."""
    match block:
        case Paragraph(inlines=inlines) | Heading(inlines=inlines):
            names = (
                one.text
                if isinstance(one, Run)
                else (_name(one.name, "somebody") if isinstance(one, Mention) else "")
                for one in inlines
            )
            return "".join(names)
        case CodeBlock(text=code):
            return code
        case File(name=name):
            return _name(name, "file")
        case Quote(blocks=blocks):
            return "".join(map(_letters, blocks))
        case Panel(blocks=blocks, title=title):
            return title + "".join(map(_letters, blocks))
        case BulletList(items=items) | OrderedList(items=items):
            return "".join(_letters(inner) for item in items for inner in item.blocks)
        case Table(rows=rows):
            return "".join(_letters(inner) for row in rows for cell in row for inner in cell.blocks)
        case _:
            return ""


def _name(name: str, default: str) -> str:
    return name if name.replace("\x00", "").split() else default


@pytest.fixture(scope="module")
def adf_schema(shared_data: Path) -> jsonschema.Draft4Validator:
    """Atlassian's schema, asked only about the alternatives of a node's own type: all of them would take minutes."""
    schema = json.loads((shared_data / "data/adf-schema-full.json").read_text())
    definitions = schema["definitions"]
    plain = jsonschema.Draft4Validator

    def kinds(part: dict) -> set[str]:
        if "$ref" in part:
            return kinds(definitions[part["$ref"].removeprefix("#/definitions/")])
        if "type" in part.get("properties", {}):
            return set(part["properties"]["type"]["enum"])
        return set().union(*map(kinds, [*part.get("anyOf", []), *part.get("allOf", [])]))

    def any_of(validator: object, alternatives: list[dict], value: object, part: dict) -> Iterator:
        kind = value.get("type") if isinstance(value, dict) else None
        fitting = [one for one in alternatives if kind in kinds(one)] if kind else alternatives
        return plain.VALIDATORS["anyOf"](validator, fitting, value, part)

    return jsonschema.validators.extend(plain, {"anyOf": any_of})(schema)


# Real descriptions


def _descriptions(shared_data: Path) -> Iterator[tuple[str, dict]]:
    with gzip.open(shared_data / "data/wiki_to_adf.jsonl.gz", "rt") as lines:
        for line in lines:
            entry = json.loads(line)
            yield entry["issuekey"], entry["adf"]


def _spoken(value: dict) -> list[str]:
    """Every word of an ADF document as people see it, found without our reader."""
    parts: list[str] = []

    def collect(one: dict) -> None:
        attrs = one.get("attrs", {})
        match one["type"]:
            case "text":
                parts.append(one["text"])
            case "hardBreak":
                parts.append("\n")
            case "emoji":
                parts.append(attrs["text"])
            case "mention":
                parts.append("@" + (attrs["text"].lstrip("@") or "somebody"))
            case "media" if attrs["type"] == "external":
                parts.append(attrs["url"].rsplit("/", 1)[-1])
            case "media":
                parts.append("[file]")
        for inner in one.get("content", []):
            collect(inner)
        if one["type"] in ("paragraph", "heading", "codeBlock", "media"):
            parts.append("\n")

    collect(value)
    return "".join(parts).split()


def test_real_descriptions_keep_every_word_and_stay_valid(
    shared_data: Path, adf_schema: jsonschema.Draft4Validator
) -> None:
    changed, invalid, count = [], [], 0
    for key, value in _descriptions(shared_data):
        count += 1
        written = to_adf(from_adf(value))
        if _spoken(written) != _spoken(value):
            changed.append(key)
        if not adf_schema.is_valid(written):
            invalid.append(key)
        assert to_adf(from_adf(written)) == written
    assert (changed, invalid, count) == ([], [], 344)


def test_real_descriptions_lose_nothing_but_colours(shared_data: Path) -> None:
    losses = {loss for _, value in _descriptions(shared_data) for loss in from_adf(value).losses}
    assert losses == {"colours of text"}


def test_real_descriptions_come_back_from_html_as_they_were_or_the_loss_is_told(
    shared_data: Path, adf_schema: jsonschema.Draft4Validator
) -> None:
    """Every word, every time; where the ADF differs afterwards, a sentence says what became of it."""
    count, told = 0, Counter[str]()
    for key, value in _descriptions(shared_data):
        own = settled(from_adf(value))
        held = from_html(to_html(own))
        losses = (*held.losses, *lost(own, held))
        back = to_adf(held)
        adf_schema.validate(back)
        # One description holds backspaces, which nobody sees.
        seen = [kept for word in _spoken(to_adf(own)) if (kept := word.replace("\x08", ""))]
        assert _spoken(back) == seen, key
        assert bool(losses) or back == to_adf(own), key
        count += 1
        told.update(losses)
    # Of all that people wrote in these descriptions, HTML has no room for this.
    assert (count, dict(told)) == (
        344,
        {
            "The language of a block of code was left out.": 80,
            "Tabs became blanks.": 5,
            "Characters that cannot be seen were left out.": 2,
        },
    )


def test_real_descriptions_lose_in_plain_text_all_but_their_words(shared_data: Path) -> None:
    for key, value in _descriptions(shared_data):
        own = settled(from_adf(value))
        held = from_plain(own.plain())
        assert WORDS not in lost(own, held), key
        assert bool(lost(own, held)) or to_adf(held) == to_adf(own), key


# Nonsense

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "content", "text", "marks", "attrs", "level"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)
KINDS = st.sampled_from(
    ["doc", "paragraph", "text", "heading", "bulletList", "listItem", "taskList", "taskItem", "table", "tableRow",
     "tableCell", "panel", "expand", "media", "mediaSingle", "codeBlock", "mention", "date", "layoutSection", "novelty"]
)  # fmt: skip
NODES = st.recursive(
    st.fixed_dictionaries(
        {"type": KINDS, "text": st.text(max_size=5)}, optional={"attrs": JSON, "marks": JSON}
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": KINDS, "content": st.lists(inner, max_size=4)}, optional={"attrs": JSON, "marks": JSON}
    ),
    max_leaves=15,
)


@given(JSON | NODES)
def test_any_json_is_read_into_the_form_that_jira_would_hold(value: object) -> None:
    document = from_adf(value)
    without_people_and_files = settled(document)
    assert from_adf(to_adf(without_people_and_files)) == without_people_and_files


@pytest.mark.parametrize("kind", ["blockquote", "panel", "layoutSection", "novelty", "expand"])
def test_a_text_buried_deep_is_found_and_costs_no_recursion(kind: str) -> None:
    value = p("buried")
    for _ in range(5_000):
        value = node(kind, value, title="t")
    assert "buried" in from_adf(doc(value)).plain()


def test_lists_deeper_than_our_limit_are_opened() -> None:
    value = p("buried")
    for _ in range(MAX_DEPTH + 30):
        value = node("bulletList", node("listItem", value))
    document = from_adf(doc(value))
    assert document.losses == ("boxes nested too deeply were opened",)
    assert document.plain().endswith("buried")
    assert settled(document) == document


def test_a_document_deeper_than_our_limit_is_written_opened() -> None:
    block: Quote | BulletList = BulletList((Item((words("buried"),)),))
    for _ in range(MAX_DEPTH + 30):
        block = BulletList((Item((words("above"), block)),))
    written = to_adf(Document((block,)))
    depth, node_ = 0, written
    while node_.get("content"):
        depth, node_ = depth + 1, node_["content"][-1]
    assert depth == 2 * MAX_DEPTH + 2
    assert from_adf(written).plain().count("above") == MAX_DEPTH + 30
    assert node_ == text("buried")


def test_the_schema_check_sees_a_misplaced_node(adf_schema: jsonschema.Draft4Validator) -> None:
    table = node("table", node("tableRow", node("tableCell", p("a"))))
    assert adf_schema.is_valid(doc(table))
    assert not adf_schema.is_valid(doc(node("bulletList", node("listItem", table))))


def test_plain_text_in_place_of_adf_is_read_as_text() -> None:
    assert from_adf("one\n\ntwo") == from_plain("one\n\ntwo")


# What it costs

MANY: dict[str, Callable[[int], dict]] = {
    "paragraphs": lambda count: doc(*[p("a", "b")] * count),
    "words with marks": lambda count: doc(p(*[text("a", {"type": "strong"}), text("b")] * count)),
    "items": lambda count: doc(node("bulletList", *[node("listItem", p("a"))] * count)),
    "tasks": lambda count: doc(node("taskList", *[node("taskItem", text("a"), state="TODO")] * count)),
    "cells": lambda count: doc(node("table", *[node("tableRow", node("tableCell", p("a")))] * count)),
    "unknown nodes": lambda count: doc(*[node("novelty", p("a"))] * count),
    "boxes in one another": lambda count: doc(_nested("panel", count)),
    "unknown nodes in one another": lambda count: doc(_nested("novelty", count)),
    "expands in one another": lambda count: doc(_nested("expand", count)),
    "quotes in quotes of quotes": lambda count: doc(*[_nested("blockquote", 18)] * (count // 10)),
    "lists in lists of lists": lambda count: doc(*[_listed(15)] * (count // 10)),
}


def _nested(kind: str, depth: int) -> dict:
    value = p("buried")
    for _ in range(depth):
        value = node(kind, p("above"), value, title="t")
    return value


def _listed(depth: int) -> dict:
    value = p("buried")
    for _ in range(depth):
        value = node("bulletList", node("listItem", p("above"), value))
    return value


@pytest.mark.parametrize("name", MANY)
def test_the_cost_grows_with_the_length_of_the_text(name: str) -> None:
    def do(count: int) -> Callable[[], object]:
        value = MANY[name](count)
        return lambda: to_adf(from_adf(value))

    assert grows_with_size(do, 100)
