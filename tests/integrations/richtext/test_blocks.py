"""The neutral text: its JSON form, its plain words, and its normal form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.richtext.blocks import (
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
    from_value,
    inline_text,
    is_document,
    join_runs,
    paragraph,
)
from tests.integrations.richtext.documents import DOCUMENTS


def p(*texts: str) -> Paragraph:
    return Paragraph(tuple(Run(text) for text in texts))


EVERYTHING = Document(
    (
        Heading(2, (Run("Title"),)),
        Paragraph(
            (Run("a "), Run("b", ("bold", "link"), "https://x.example"), LineBreak(), Mention("Ann", "7"))
        ),
        CodeBlock("x = 1\ny = 2", "python"),
        Rule(),
        Quote((p("said"),)),
        BulletList((Item((p("one"), p("more"))), Item((), True), Item((p("open"),), False))),
        OrderedList((Item((p("third"),)),), 3),
        Panel("warning", (p("hot"),), "Mind"),
        Table(((Cell((p("A"),), True), Cell(())), (Cell((p("1"), p("2"))), Cell((p("3"),))))),
        File("log.txt"),
    )
)


@given(DOCUMENTS)
def test_a_document_survives_being_stored(document: Document) -> None:
    assert from_value(json.loads(json.dumps(document.as_value()))) == document


def test_every_kind_of_block_survives_being_stored() -> None:
    assert from_value(EVERYTHING.as_value()) == EVERYTHING


def test_the_plain_words_keep_lines_bullets_and_numbers() -> None:
    assert EVERYTHING.plain().split("\n") == [
        "Title", "a b", "@Ann", "x = 1", "y = 2", "----", "> said", "- one", "  more", "- [x] ", "- [ ] open",
        "3. third", "Mind", "hot", "A | ", "1 2 | 3", "[log.txt]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", ()),
        (" \n\n \r\n", ()),
        ("a", (p("a"),)),
        ("a\r\n\r\nb\rc", (p("a"), Paragraph((Run("b"), LineBreak(), Run("c"))))),
        ("\n\na\n\n\n\nb\n", (p("a"), p("b"))),
    ],
)
def test_plain_text_becomes_paragraphs_and_breaks(text: str, blocks: tuple) -> None:
    assert from_plain(text).blocks == blocks


@given(st.text(max_size=60))
def test_plain_text_keeps_its_words(text: str) -> None:
    assert from_plain(text).plain().split() == text.split()


def test_runs_in_normal_form_are_joined_sorted_and_trimmed() -> None:
    found = join_runs(
        (LineBreak(), Run("  "), Run(" a", ("italic", "bold")), Run("b ", ("bold", "italic")), Run(""), Run(" c "),
         LineBreak(), Run(" "))
    )  # fmt: skip
    assert found == (Run("ab ", ("bold", "italic")), Run(" c"))
    assert paragraph((Run(" "), LineBreak())) is None
    assert inline_text((Run("a"), LineBreak(), Mention("Ann"))) == "a\n@Ann"


@pytest.mark.parametrize("value", [None, 5, [], {}, {"rich": 5}, {"other": []}, True])
def test_what_is_no_document_reads_as_an_empty_one(value: object) -> None:
    assert not is_document(value)
    assert from_value(value) == Document()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from("rich p h of code quote ul ol panel table file t m br".split()), inner
            )
        ),
        max_leaves=10,
    )
)
def test_reading_odd_json_never_raises(value: object) -> None:
    from_value({"rich": [value]})
