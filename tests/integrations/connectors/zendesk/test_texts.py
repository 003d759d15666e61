"""Comment texts in Zendesk's HTML."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.connectors.zendesk import texts
from integrations.richtext import cutting
from integrations.richtext.blocks import (
    CodeBlock,
    Document,
    Heading,
    Item,
    OrderedList,
    Paragraph,
    Quote,
    Run,
    from_plain,
    from_value,
)
from integrations.sandbox.zendesk import texts as sandbox_texts
from tests.integrations.richtext.documents import DOCUMENTS


def p(text: str) -> Paragraph:
    return Paragraph((Run(text),))


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS)
def test_what_is_settled_is_what_zendesk_holds(document: Document) -> None:
    """Through the sandbox's cleaner, which keeps and drops what Zendesk keeps and drops."""
    held = sandbox_texts.from_html(texts.to_html(document))
    assert texts.from_record({"html_body": held.html_body}).as_value() == texts.settled(document.as_value())


@given(st.text(st.sampled_from("{}%a \\"), max_size=20))
def test_no_text_of_ours_is_run_as_a_placeholder(text: str) -> None:
    document = from_plain(text)
    written = texts.to_html(document)
    held = sandbox_texts.from_html(written)
    assert held.placeholders == ()
    assert "{%" not in written


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("{{ticket.id}}", r"<p>\{{ticket.id}}</p>"),
        ("a {{{x}}} b {c}", r"<p>a \{{{x}}} b {c}</p>"),
        (r"\\{{x}}", r"<p>&#92;&#92;\{{x}}</p>"),
        ("{{open", "<p>{{open</p>"),
        ("{% if x %}", "<p>{&#37; if x %}</p>"),
        ("no braces", "<p>no braces</p>"),
    ],
)
def test_placeholders_are_written_so_that_they_stay_words(text: str, html: str) -> None:
    assert texts.to_html(from_plain(text)) == html


def test_lists_count_from_one_on_both_sides() -> None:
    listed = Document((Quote((OrderedList((Item((p("a"),)),), 7),)),))
    assert texts.to_html(listed) == "<blockquote><ol><li>a</li></ol></blockquote>"
    assert from_value(texts.settled(listed.as_value())).blocks == (Quote((OrderedList((Item((p("a"),)),)),)),)


LONG = [
    Document((p("ü<" * 60_000),)),
    Document(tuple(p("word " * 20) for _ in range(700))),
    Document((Heading(1, (Run("Title"),)), CodeBlock("x = '&'\n" * 8_000), p("after"))),
    Document((p("{{x}} " * 12_000),)),
    Document((Quote((p("a" * 70_000),)),)),
]


@pytest.mark.parametrize("document", LONG, ids=range(len(LONG)))
def test_a_text_over_the_limit_ends_with_a_note_and_uses_the_room(document: Document) -> None:
    html = texts.to_html(document)
    assert 60_000 < len(html.encode()) < 64 * 1024
    assert html.endswith(f"<p>{cutting.MARK}</p>")
    held = sandbox_texts.from_html(html)
    assert texts.from_record({"html_body": held.html_body}).as_value() == texts.settled(document.as_value())
    words = texts.fitted(document).plain().removesuffix(cutting.MARK).split()
    assert words
    assert " ".join(document.plain().split()).startswith(" ".join(words[:-1]))


def test_a_text_that_just_fits_is_not_cut() -> None:
    room = texts.MAX_BYTES - len("<p></p>")
    assert cutting.MARK not in texts.to_html(Document((p("x" * room),)))
    assert cutting.MARK in texts.to_html(Document((p("x" * (room + 1)),)))


@pytest.mark.parametrize(
    ("record", "plain"),
    [
        ({"html_body": "<p>a</p><p>b</p>", "body": "x"}, "a\nb"),
        ({"html_body": None, "plain_body": "a\n\nb", "body": "x"}, "a\nb"),
        ({"html_body": " ", "body": "a"}, "a"),
        ({"body": 5}, ""),
        ({}, ""),
    ],
)
def test_a_comment_without_html_is_read_from_its_words(record: dict, plain: str) -> None:
    assert texts.from_record(record).plain() == plain
