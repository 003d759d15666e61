"""What a text loses on its way is told in words."""

from __future__ import annotations

import pytest
from hypothesis import given

from integrations.richtext.blocks import (
    Block,
    BulletList,
    Cell,
    CodeBlock,
    Document,
    File,
    Heading,
    Item,
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
from integrations.richtext.words import words_of
from tests.integrations.richtext.documents import DOCUMENTS
from tests.integrations.richtext.work import grows_with_size

P = Paragraph((Run("words"),))


def marked(*marks: str, href: str = "") -> Paragraph:
    return Paragraph((Run("words", marks, href),))


@pytest.mark.parametrize(
    ("wanted", "held", "told"),
    [
        (P, P, ()),
        (P, marked("bold"), ()),
        (P, Paragraph((Run("other"),)), (WORDS,)),
        (Paragraph((Run("first second"),)), Paragraph((Run("second first"),)), (WORDS,)),
        (P, Paragraph((Run("more words than before"),)), ()),
        (Table(((Cell((P,), True), Cell((P,))),)), Paragraph((Run("words | words"),)),
         ("Paragraphs were joined.", "A table was taken apart.", "Cells of a table were joined or left out.",
          "The head of a table became ordinary cells.")),
        (Table(((Cell((P,), True),),)), Table(((Cell((P,)),),)), ("The head of a table became ordinary cells.",)),
        (Panel("warning", (P,)), Quote((P,)), ("A coloured box was opened.", "A coloured box has another colour.")),
        (Panel("warning", (P,)), Panel("info", (P,)), ("A coloured box has another colour.",)),
        (Panel("info", (P,), "More"), Panel("error", (Paragraph((Run("More"),)), P)),
         ("The title of a box became text.",)),
        (Quote((P,)), P, ("A quotation became ordinary text.",)),
        (Heading(2, P.inlines), marked("bold"),
         ("A heading became ordinary text.", "A heading has another rank.")),
        (Heading(6, P.inlines), Heading(3, P.inlines), ("A heading has another rank.",)),
        (BulletList((Item((P,)), Item((P,)))), Paragraph((Run("- words\n- words"),)),
         ("Paragraphs were joined.", "A list became ordinary text.", "Entries of a list were joined.")),
        (OrderedList((Item((P,)),), 3), OrderedList((Item((P,)),)),
         ("A numbered list begins with another number.",)),
        (OrderedList((Item((P,)),)), BulletList((Item((P,)),)), ("A numbered list lost its numbers.",)),
        (BulletList((Item((P,), True),)), BulletList((Item((P,), False),)),
         ("A task's box became a character or was left out.",)),
        (CodeBlock("words", "python"), CodeBlock("words"), ("The language of a block of code was left out.",)),
        (CodeBlock("words"), marked("code"), ("A block of code became ordinary text.",)),
        (Rule(), P, ("A dividing line was left out.",)),
        (File("words"), P, ("A file or picture inside the text became its name.",)),
        (Paragraph((Mention("Ann"),)), Paragraph((Run("@Ann"),)), ("People are named in plain text.",)),
        (marked("link", href="https://x.example/"), P, ("A link became words.",)),
        (marked("link", href="https://x.example/"), marked("link", href="https://y.example/"),
         ("A link became words.",)),
        (marked("bold", "italic", "strike", "underline"), P,
         ("Bold letters became ordinary ones.", "Slanted letters became ordinary ones.",
          "Underlined letters became ordinary ones.", "Struck out letters became ordinary ones.")),
        (Paragraph((Run("a\tb"),)), Paragraph((Run("a b"),)), ("Tabs became blanks.",)),
        (Paragraph((Run("a\x1eb"),)), Paragraph((Run("a b"),)),
         ("Characters that cannot be seen were left out.",)),
        (marked("sub"), marked("sup"), ("Lowered letters became ordinary ones.",)),
        (marked("sup"), P, ("Raised letters became ordinary ones.",)),
        (marked("code"), P, ("Words set as code became ordinary ones.",)),
    ],
)  # fmt: skip
def test_each_loss_has_a_sentence(wanted: Block, held: Block, told: tuple[str, ...]) -> None:
    assert lost(Document((wanted,)), Document((held,))) == told


def test_it_does_not_matter_how_a_text_is_cut_into_runs_and_lists() -> None:
    one = Document((marked("bold"), BulletList((Item((P,)), Item((P,))))))
    other = Document(
        (
            Paragraph((Run("wo", ("bold",)), Run("rds", ("bold", "italic")))),
            BulletList((Item((P,)),)),
            BulletList((Item((P,)),)),
        )
    )
    assert lost(one, other) == ()


@given(DOCUMENTS)
def test_what_arrived_as_it_was_lost_nothing(document: Document) -> None:
    assert lost(document, document) == ()


@given(DOCUMENTS)
def test_what_html_does_not_bring_back_is_told_and_no_word_is_missing(document: Document) -> None:
    held = from_html(to_html(document))
    told = lost(document, held)
    assert WORDS not in told
    assert bool(told) or held == document


@given(DOCUMENTS)
def test_whoever_keeps_the_words_alone_loses_the_rest_and_says_so(document: Document) -> None:
    held = from_plain(document.plain())
    assert WORDS not in lost(document, held)
    assert all(word in words_of(held.blocks) for word in words_of(document.blocks))


def test_telling_costs_no_more_than_the_length_of_the_text() -> None:
    def do(count: int):  # type: ignore[no-untyped-def]
        blocks = (P, BulletList((Item((P,)),)), Table(((Cell((P,)),),))) * count
        wanted, held = Document(blocks), from_plain("words\n\n" * 3 * count)
        return lambda: lost(wanted, held)

    assert grows_with_size(do, 100)


def test_a_text_of_any_depth_is_compared() -> None:
    block: Block = P
    for _ in range(20_000):
        block = Quote((block,))
    assert lost(Document((block,)), Document((P,))) == ("A quotation became ordinary text.",)
