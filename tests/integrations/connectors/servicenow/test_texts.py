"""Texts in ServiceNow's journal and long fields."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.connectors.servicenow import texts
from integrations.richtext import cutting
from integrations.richtext.blocks import (
    BulletList,
    Document,
    Item,
    LineBreak,
    Paragraph,
    Run,
    from_plain,
    from_value,
)
from tests.integrations.richtext.documents import DOCUMENTS


def p(text: str, *marks: str) -> Paragraph:
    return Paragraph((Run(text, marks),))


@pytest.mark.parametrize(
    ("document", "journal"),
    [
        (from_plain("It burns.\nBadly.\n\nPlease come."), "It burns.\nBadly.\n\nPlease come."),
        (
            Document((p("Ann (Mercuri):", "bold"), p("It burns."))),
            "[code]<p><strong>Ann (Mercuri):</strong></p>[/code]\n\nIt burns.",
        ),
        (Document((p("Use [code] for HTML"),)), "[code]<p>Use &#91;code] for HTML</p>[/code]"),
        (Document((p("a < b & c"),)), "a < b & c"),
        (Document(), "(no text)"),
    ],
)
def test_plain_text_is_sent_plain_and_only_the_rest_as_html(document: Document, journal: str) -> None:
    assert texts.to_journal(document) == journal


def test_an_entry_of_text_and_html_is_read_in_its_order() -> None:
    entry = "Before\r\n[CODE]<ul><li>one</li></ul><script>alert(1)</script>[/CODE]\nafter [/code] all"
    assert texts.from_journal(entry) == Document(
        (p("Before"), BulletList((Item((p("one"),)),)), p("after  all"))
    )


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS)
def test_what_is_settled_stays_settled_and_loses_no_word(document: Document) -> None:
    value = document.as_value()
    once = texts.settled_journal(value)
    assert texts.settled_journal(once) == once
    plain = texts.settled_plain(value, 0)
    assert texts.settled_plain(plain, 0) == plain
    # Addresses may stand between, but every letter comes in its order.
    letters = iter(from_value(plain).plain())
    assert all(letter in letters for letter in document.plain() if letter.isprintable() and letter.strip())


@given(st.text(st.sampled_from("[/]codeCODE \n<p>&"), max_size=40))
def test_no_text_of_ours_ends_or_begins_markup(text: str) -> None:
    words = from_plain(text)
    back = texts.from_journal(texts.to_journal(words))
    if words.blocks:
        assert "".join(back.plain().split()) == "".join(words.plain().split())


def test_a_description_shows_where_links_lead_and_where_it_was_cut() -> None:
    link = Run("the log", ("link",), "https://example.com/log")
    bare = Run("https://example.com/", ("link",), "https://example.com")
    document = Document((Paragraph((Run("See "), link, LineBreak(), bare)),))
    assert texts.to_plain(document) == "See the log (https://example.com/log)\nhttps://example.com/"
    cut = texts.to_plain(from_plain("word " * 100), 100)
    assert len(cut) <= 100
    assert cut.endswith(f"word{cutting.LINE_MARK}")
    cut = texts.to_plain(from_plain("word " * 100), 300)
    assert len(cut) <= 300
    assert cut.endswith("word\n\n" + cutting.MARK)


def test_a_title_is_one_line_and_shows_that_it_was_cut() -> None:
    assert texts.one_line("The printer\n is  on fire") == "The printer is on fire"
    assert texts.one_line("x" * 200, 160) == "x" * 153 + cutting.LINE_MARK
    assert texts.one_line(None) == ""
