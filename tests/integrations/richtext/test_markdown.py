"""Markdown to and from the neutral text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.richtext.blocks import (
    Block,
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
from integrations.richtext.html import NO_PICTURE, TOO_TANGLED
from integrations.richtext.losses import WORDS, lost
from integrations.richtext.markdown import from_markdown, to_markdown
from tests.integrations.richtext.documents import DOCUMENTS
from tests.integrations.richtext.work import grows_with_size


def p(*runs: str | Run | LineBreak) -> Paragraph:
    return Paragraph(tuple(Run(one) if isinstance(one, str) else one for one in runs))


BOLD, SLANTED, STRUCK = Run("b", ("bold",)), Run("i", ("italic",)), Run("s", ("strike",))


# --- There and back ---


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS)
def test_what_markdown_does_not_bring_back_is_told_and_no_word_is_missing(document: Document) -> None:
    held = from_markdown(to_markdown(document))
    told = lost(document, held)
    assert WORDS not in told
    assert bool(told) or held == document


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS)
def test_what_came_back_once_comes_back_as_it_is(document: Document) -> None:
    held = from_markdown(to_markdown(document))
    assert lost(held, from_markdown(to_markdown(held))) == ()


WRITTEN = [
    (p("words"), "words"),
    (p("a ", BOLD, " ", SLANTED, " ", STRUCK), "a **b** *i* ~~s~~"),
    (p(Run("a "), Run("both", ("bold", "italic")), Run(" b", ("bold",))), "a ***both* b**"),
    (p("one", LineBreak(), "two"), "one\\\ntwo"),
    (p(Run("x", ("code",))), "`x`"),
    (p(Run("a`b", ("code",))), "``a`b``"),
    (p(Run("here", ("link",), "https://x.example/a(b)")), "[here](<https://x.example/a(b)>)"),
    (p("*a* _b_ [c](d) <e> ~~f~~ `g` | &amp; \\"), "\\*a\\* \\_b\\_ \\[c\\](d) \\<e\\> \\~\\~f\\~\\~ \\`g\\` \\| &amp;amp; \\\\"),
    (p("# no heading", LineBreak(), "1. no list", LineBreak(), "- no list", LineBreak(), "=== no line"),
     "\\# no heading\\\n1\\. no list\\\n\\- no list\\\n\\=== no line"),
    (p("2026"), "2026"),
    (Heading(3, (Run("Plan #"),)), "### Plan \\#"),
    (CodeBlock("a\n  b", "py"), "```py\na\n  b\n```"),
    (CodeBlock("```"), "````\n```\n````"),
    (Rule(), "---"),
    (Quote((p("a"), p("b"))), "> a\n>\n> b"),
    (Panel("warning", (p("hot"),)), "> **⚠ Warning**\n>\n> hot"),
    (BulletList((Item((p("a"),)), Item((p("b"),), True), Item((p("c"),), False))), "- a\n- [x] b\n- [ ] c"),
    (OrderedList((Item((p("a"), BulletList((Item((p("b"),)),)))),), 7), "7. a\n\n   - b"),
    (Table(((Cell((p("a"),), True), Cell((p("b"),), True)), (Cell((p("1|2"),)), Cell(())))),
     "| a | b |\n| --- | --- |\n| 1\\|2 |  |"),
    (Table(((Cell((p("a"),)),), (Cell((p("b"),)),))), "|  |\n| --- |\n| a |\n| b |"),
    (File("a_b.png"), "📎 a\\_b.png"),
]  # fmt: skip


@pytest.mark.parametrize(("block", "written"), WRITTEN)
def test_everything_is_written_as_people_would_and_read_back(block: Block, written: str) -> None:
    document = Document((block,))
    assert to_markdown(document) == written
    assert from_markdown(written) == document


def test_lists_one_after_the_other_stay_several() -> None:
    document = Document((BulletList((Item((p("a"),)),)),) * 3 + (OrderedList((Item((p("b"),)),)),) * 3)
    assert from_markdown(to_markdown(document)) == document


def test_people_are_named_and_nobody_is_called() -> None:
    written = to_markdown(Document((Paragraph((Mention("Ann <1234>", "id"),)),)))
    assert (written, "id" in written) == ("@Ann \\<1234\\>", False)


# --- As people write it ---


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        ("one\ntwo\n\nthree", (p("one", LineBreak(), "two"), p("three"))),
        ("Title\n=====", (Heading(1, (Run("Title"),)),)),
        ("* a\n* b\n    1. c", (BulletList((Item((p("a"),)), Item((p("b"), OrderedList((Item((p("c"),)),)))))),)),
        ("- [X] done", (BulletList((Item((p("done"),), True),)),)),
        ("~~~sql\nselect 1\n~~~", (CodeBlock("select 1", "sql"),)),
        ("    code", (CodeBlock("code"),)),
        ("<b>x</b> <!-- y -->", (p("<b>x</b> <!-- y -->"),)),
        ("[a]: https://x.example", (p("[a]: https://x.example"),)),
        ("<https://x.example/>", (p(Run("https://x.example/", ("link",), "https://x.example/")),)),
        ("[x](javascript:alert(1))", (p("[x](javascript:alert(1))"),)),
        ("&copy; &nbsp;x", (p("©  x"),)),
        ("> a\nb", (Quote((p("a", LineBreak(), "b"),)),)),
        ("***", (Rule(),)),
        ("**open", (p("**open"),)),
        ("@<6f6dc1b6-5b0f-4d2b-9f3e-6c8a0d0f4e11> look", (p("@<6f6dc1b6-5b0f-4d2b-9f3e-6c8a0d0f4e11> look"),)),
        ("", ()), ("  \n\n ", ()), (None, ()), (7, ()), ({"a": 1}, ()),
    ],
)  # fmt: skip
def test_markdown_is_read_the_way_people_see_it(source: object, blocks: tuple[Block, ...]) -> None:
    found = from_markdown(source)
    assert (found.blocks, found.losses) == (blocks, ())


def test_a_picture_is_told_by_its_name() -> None:
    found = from_markdown("before ![fire.png](https://x.example/1.png) after")
    assert (found.blocks, found.losses) == ((p("before"), File("fire.png"), p("after")), (NO_PICTURE,))


# --- Nothing lost, nothing raised ---


@pytest.mark.parametrize(
    "source",
    [
        "| a |\n| --- |\n| 1 | beyond the width |",
        ">" * 200 + " deep",
        "- " * 200 + "deep",
        "\n".join("  " * depth + "- deep" for depth in range(200)),
    ],
)
def test_what_the_parser_would_pass_over_is_kept_as_plain_text_and_told(source: str) -> None:
    found = from_markdown(source)
    assert (found.blocks, found.losses) == (from_plain(source).blocks, (TOO_TANGLED,))


SIGNS = st.text(st.sampled_from("ab1 \n\t*_`~[]()<>#+-=|\\!&;:.>x\"'/{}^$@日é\x00\x1e\u2028"), max_size=60)


@settings(max_examples=150, deadline=None)
@given(SIGNS)
def test_any_text_is_read_with_every_letter(source: str) -> None:
    found = from_markdown(source)
    said = found.plain().casefold() + "".join(to_markdown(found)) + "".join(_addresses(found))
    for char in set(source.casefold()):
        assert not char.isalnum() or char in said


def _addresses(document: Document) -> list[str]:
    return [run.href for block in document.blocks if isinstance(block, Paragraph) for run in block.inlines
            if isinstance(run, Run)]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(SIGNS)
def test_any_words_are_written_so_that_they_stay_words(text: str) -> None:
    document = from_plain(text.replace("\x00", "").replace("\x1e", " ").replace("\u2028", " "))
    held = from_markdown(to_markdown(document))
    assert "".join(held.plain().split()) == "".join(document.plain().split())


HEAVY = {
    "emphasis": "*a **b _c ", "brackets": "[", "links": "[a](", "images": "![", "ticks": "`a ``b ", "breaks": "a\n",
    "paragraphs": "a\n\n", "items": "- a\n", "quotes": "> a\n", "rows": "| a | b |\n", "angle brackets": "<",
    "backslashes": "\\", "entities": "&", "headings": "# a\n", "fences": "```\n", "strikes": "~~a~", "closers": "a**]",
    "autolinks": "<https://x.example> ",
}  # fmt: skip


@pytest.mark.parametrize("name", HEAVY)
def test_no_markup_costs_more_than_its_length(name: str) -> None:
    def do(count: int):  # type: ignore[no-untyped-def]
        source = HEAVY[name] * count
        return lambda: from_markdown(source)

    assert grows_with_size(do, 150)


def test_writing_costs_no_more_than_the_length_of_the_text() -> None:
    def do(count: int):  # type: ignore[no-untyped-def]
        document = Document(tuple(block for block, _ in WRITTEN) * count)
        return lambda: to_markdown(document)

    assert grows_with_size(do, 2)
