"""Which documents the sandboxed Jira takes, and how it tells them as text and HTML."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from integrations.sandbox.jira import adf


def doc(*content: Any) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(content)}


def paragraph(*inner: Any) -> dict[str, Any]:
    return {"type": "paragraph", "content": [words(one) if isinstance(one, str) else one for one in inner]}


def words(text: str, *marks: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"marks": list(marks)} if marks else {})}


def items(*blocks: Any) -> list[dict[str, Any]]:
    return [{"type": "listItem", "content": [one]} for one in blocks]


GOOD = [
    (doc(), "", ""),
    (doc(paragraph("One"), paragraph("two")), "One\n\ntwo", "<p>One</p>\n<p>two</p>"),
    (doc(paragraph("a", {"type": "hardBreak"}, "b")), "a\nb", "<p>a<br/>\nb</p>"),
    (doc(paragraph(words("<x>", {"type": "strong"}))), "<x>", "<p><b>&lt;x&gt;</b></p>"),
    (
        doc(paragraph(words("x", {"type": "link", "attrs": {"href": "https://a.example/?b&c"}}))),
        "x",
        '<p><a href="https://a.example/?b&amp;c">x</a></p>',
    ),
    (doc({"type": "heading", "attrs": {"level": 2}, "content": [words("H")]}), "H", "<h2>H</h2>"),
    (
        doc({"type": "bulletList", "content": items(paragraph("a"), paragraph("b"))}),
        "* a\n* b",
        "<ul><li><p>a</p></li><li><p>b</p></li></ul>",
    ),
    (
        doc({"type": "codeBlock", "content": [words("x = 1")]}, {"type": "rule"}),
        "x = 1\n\n----",
        "<pre>x = 1</pre>\n<hr />",
    ),
    (doc(paragraph({"type": "mention", "attrs": {"id": "1", "text": "@Rita"}})), "@Rita", "<p>@Rita</p>"),
    (
        doc({"type": "panel", "attrs": {"panelType": "info"}, "content": [paragraph("p")]}),
        "p",
        "<div><p>p</p></div>",
    ),
]


@pytest.mark.parametrize(("document", "text", "html"), GOOD)
def test_a_document_is_taken_and_told(document: dict[str, Any], text: str, html: str) -> None:
    assert (adf.is_valid(document), adf.text_of(document), adf.html_of(document)) == (True, text, html)


@pytest.mark.parametrize(
    "document",
    [
        None,
        "text",
        {},
        {"type": "doc", "content": []},
        {"type": "doc", "version": 2, "content": []},
        {"type": "doc", "version": 1},
        {"type": "doc", "version": 1, "content": [], "more": 1},
        doc(words("bare")),
        doc({"type": "unheardOf"}),
        doc(paragraph(words(""))),
        doc(paragraph({"type": "text"})),
        doc(paragraph(paragraph("nested"))),
        doc({"type": "bulletList", "content": [paragraph("no item")]}),
        doc({"type": "bulletList", "content": []}),
        doc({"type": "heading", "attrs": {"level": 7}, "content": []}),
        doc({"type": "heading", "content": []}),
        doc({"type": "panel", "content": [paragraph("x")]}),
        doc({"type": "codeBlock", "content": [{"type": "hardBreak"}]}),
        doc({"type": "blockquote", "content": [{"type": "heading", "attrs": {"level": 1}, "content": []}]}),
        doc(paragraph(words("x", {"type": "shiny"}))),
        doc(paragraph(words("x", {"type": "link"}))),
        doc(paragraph({"type": "mention", "attrs": {}})),
        doc({"type": "rule", "content": [paragraph("x")]}),
        doc({"type": "table", "content": [paragraph("x")]}),
    ],
)
def test_what_is_no_document_is_not_taken(document: Any) -> None:
    assert not adf.is_valid(document)


def test_a_document_nested_without_end_is_not_taken() -> None:
    inner = paragraph("x")
    for _ in range(200):
        inner = {"type": "bulletList", "content": items(inner)}

    assert not adf.is_valid(doc(inner))


def test_text_becomes_paragraphs_and_back() -> None:
    text = "One\ntwo\n\nthree"

    assert adf.text_of(adf.from_text(text)) == text
    assert adf.is_valid(adf.from_text("\n\n  \n\nx"))


def test_what_the_vendors_own_converter_makes_is_taken(shared_data: Path) -> None:
    with gzip.open(shared_data / "data" / "wiki_to_adf.jsonl.gz", "rt", encoding="utf-8") as lines:
        documents = [_document_of(json.loads(line)) for line in lines]

    assert [one for one in documents if not adf.is_valid(one)] == []


def _document_of(record: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in record.values() if isinstance(one, dict) and one.get("type") == "doc")


@pytest.mark.parametrize("document", [one for one, _, _ in GOOD])
def test_what_is_taken_fits_the_vendors_schema(shared_data: Path, document: dict[str, Any]) -> None:
    schema = json.loads((shared_data / "data" / "adf-schema-full.json").read_text())

    jsonschema.validate(document, schema)
