"""HTML to and from the neutral text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.richtext import html
from integrations.richtext.blocks import (
    MAX_DEPTH,
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
)
from integrations.richtext.html import from_html, to_html
from tests.integrations.richtext.documents import DOCUMENTS
from tests.integrations.richtext.work import calls_made, grows_with_size


def p(*texts: str) -> Paragraph:
    return Paragraph(tuple(Run(text) for text in texts))


# --- There and back ---


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS)
def test_a_document_comes_back_from_html_as_it_was(document: Document) -> None:
    back = from_html(to_html(document))
    assert (back, back.losses) == (document, ())


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS)
def test_only_elements_that_vendors_keep_are_written(document: Document) -> None:
    written = to_html(document)
    # Neither attributes nor anything that runs: what a text says is never markup.
    assert set(re.findall(r"<(\w+)", written)) <= set(
        "p br hr h1 h2 h3 h4 h5 h6 pre code blockquote ul ol li table tbody tr th td strong em u s sub sup a".split()
    )
    assert set(re.findall(r" (\w+)=\"", written)) <= {"href", "start"}


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("<>/=\"'&;!-ab pliuotdrhtmlbrimg \n\t\xa0日\x00\ud800"), max_size=120))
def test_any_text_is_read_once_and_for_all(source: str) -> None:
    """What was read is in normal form: writing and reading it again changes nothing more."""
    first = from_html(source)
    again = from_html(to_html(first))
    assert again == first
    assert Document(again.blocks).as_value() == first.as_value()


@pytest.mark.parametrize("value", [None, 5, b"<p>a</p>", ["<p>a</p>"], ""])
def test_what_is_no_text_is_an_empty_document(value: object) -> None:
    assert from_html(value) == Document()


# --- What HTML has ---


def link(text: str, href: str) -> Run:
    return Run(text, ("link",), href)


READ: list[tuple[str, tuple[Block, ...]]] = [
    ("words alone", (p("words alone"),)),
    ("<p>a</p>\n\n<p>b</p>", (p("a"), p("b"))),
    ("a<p>b</p>c", (p("a"), p("b"), p("c"))),
    ("<div>a<div>b</div>c</div>", (p("a"), p("b"), p("c"))),
    ("<p> a \n  b </p>", (p("a b"),)),
    ("<p>a&nbsp; b</p>", (p("a  b"),)),
    ("<p>&nbsp;</p><p></p>", ()),
    ("<p>a<br>\n b<br/></p>", (Paragraph((Run("a"), LineBreak(), Run("b"))),)),
    ("<p>a<b> b </b>c</p>", (Paragraph((Run("a"), Run(" b ", ("bold",)), Run("c"))),)),
    ("<p>a <b> b</b></p>", (Paragraph((Run("a "), Run("b", ("bold",)))),)),
    ("<b>a<i>b</b>c</i>", (Paragraph((Run("a", ("bold",)), Run("b", ("bold", "italic")), Run("c", ("italic",)))),)),
    ("<b>a<p>b</p></b>", (Paragraph((Run("a", ("bold",)),)), Paragraph((Run("b", ("bold",)),)))),
    ("<del>a</del><ins>b</ins><kbd>c</kbd>", (
        Paragraph((Run("a", ("strike",)), Run("b", ("underline",)), Run("c", ("code",)))),)),
    ("<h2>a<br>b</h2>", (Heading(2, (Run("a"), LineBreak(), Run("b"))),)),
    ("<h1></h1>", ()),
    ("<pre>a\n  b\n</pre>", (CodeBlock("a\n  b"),)),
    ("<pre>\na<br>b<b>c</b> <a href='https://x'>d</a></pre>", (CodeBlock("a\nbc d"),)),
    ("<hr>", (Rule(),)),
    ("<blockquote>a<blockquote>b</blockquote></blockquote>", (Quote((p("a"), Quote((p("b"),)))),)),
    ("<blockquote></blockquote><ul></ul><table></table>", ()),
    ("<ul><li>a<li>b</ul>", (BulletList((Item((p("a"),)), Item((p("b"),)))),)),
    ("<ol start=3><li>a</li></ol>", (OrderedList((Item((p("a"),)),), 3),)),
    ("<ol start=x><li></li></ol>", (OrderedList((Item(()),)),)),
    ("<ul><li>a</li><ul><li>b</li></ul></ul>", (
        BulletList((Item((p("a"), BulletList((Item((p("b"),)),)))),)),)),
    ("<ul>a<li>b</li></ul>", (BulletList((Item((p("a"),)), Item((p("b"),)))),)),
    ("<li>a</li>", (p("a"),)),
    ("<ul><li><input type=checkbox checked> a</li><li><input type=checkbox>b</li></ul>", (
        BulletList((Item((p("a"),), True), Item((p("b"),), False))),)),
    ("<table><caption>c</caption><tr><th>A<td>1<tr><td>2</table>", (
        p("c"), Table(((Cell((p("A"),), True), Cell((p("1"),))), (Cell((p("2"),)),))))),
    ("<table><tr><td>a<p>b</p></td></tr></table>", (Table(((Cell((p("a"), p("b"))),),)),)),
    ("<tr><td>a</td></tr>", (p("a"),)),
    ("<a href='https://x.example/?a=1&amp;b=2'>x</a>", (
        Paragraph((link("x", "https://x.example/?a=1&b=2"),)),)),
    ("<details><summary>s</summary>d</details>", (p("s"), p("d"))),
    ("a<!-- hidden -->b<style>c{}</style><script>d</script><title>e</title>", (p("ab"),)),
    ("&lt;b&gt; &amp;amp; &#x65E5; &bogus;", (p("<b> &amp; 日 &bogus;"),)),
    ("<p>a</p", (p("a"),)),
    ("a < b && c > d", (p("a < b && c > d"),)),
]  # fmt: skip


@pytest.mark.parametrize(("source", "blocks"), READ, ids=[source for source, _ in READ])
def test_html_is_read_the_way_people_see_it(source: str, blocks: tuple[Block, ...]) -> None:
    assert from_html(source) == Document(blocks)
    assert from_html(source).losses == ()


# --- What HTML lacks ---


def test_boxes_tasks_files_and_people_are_written_so_that_people_can_read_them() -> None:
    document = Document(
        (
            Panel("warning", (p("hot"),)),
            Panel("info", (p("more"),), "Details"),
            BulletList((Item((p("done"),), True), Item((p("open"),), False))),
            File("log.txt"),
            Paragraph((Run("thanks "), Mention("Ann Lee", "7"))),
            CodeBlock("x", "python"),
        )
    )
    assert to_html(document) == (
        "<blockquote><p><strong>⚠ Warning</strong></p><p>hot</p></blockquote>"
        "<blockquote><p><strong>ℹ Info: Details</strong></p><p>more</p></blockquote>"
        "<ul><li>☑ done</li><li>☐ open</li></ul>"
        "<p>📎 log.txt</p><p>thanks @Ann Lee</p><pre><code>x</code></pre>"
    )
    back = from_html(to_html(document))
    assert back.blocks[:4] == document.blocks[:4]
    assert back.blocks[4:] == (p("thanks @Ann Lee"), CodeBlock("x"))


@pytest.mark.parametrize(
    ("source", "blocks"),
    [
        (
            "<blockquote><p><b>⚠ Info</b></p></blockquote>",
            (Quote((Paragraph((Run("⚠ Info", ("bold",)),)),)),),
        ),
        ("<blockquote><p>⚠ Warning</p></blockquote>", (Quote((p("⚠ Warning"),)),)),
        ("<p>see 📎 x</p>", (p("see 📎 x"),)),
        ("<ul><li>☑done</li></ul>", (BulletList((Item((p("☑done"),)),)),)),
    ],
)
def test_a_sign_in_another_place_is_only_a_sign(source: str, blocks: tuple[Block, ...]) -> None:
    assert from_html(source) == Document(blocks)


# --- What is lost is told ---


@pytest.mark.parametrize(
    ("source", "text", "loss"),
    [
        ("<iframe src='https://x'>inner</iframe>a", None, html.NO_EMBEDDING),
        ("<svg><text>a</text></svg>", None, html.NO_EMBEDDING),
        ("<a href='javascript:alert(1)'>a</a>", "a", None),
        ("<a href='/relative'>a</a>", "a", html.NO_LINK),
        (
            "<p>a<img src='https://x.example/p/cat%20one.png?x=1' width=1>b</p>",
            "a\n[cat one.png]\nb",
            html.NO_PICTURE,
        ),
        ("<img alt=' a  cat '>", "[a cat]", html.NO_PICTURE),
        ("<img src='https://x.example/token/abc/?name=%E6%97%A5.png'>", "[日.png]", html.NO_PICTURE),
        ("<img src='data:image/png;base64,AAAA'>", "[picture]", html.NO_PICTURE),
        ("<img src='http://[::1'>", "[picture]", html.NO_PICTURE),
        ("<img>", "[picture]", html.NO_PICTURE),
        ("<table><tr><td colspan=3>a</td><td>b</td></tr></table>", "a |  |  | b", html.NO_MERGED_CELLS),
        ("<blockquote>" * 30 + "a", "> " * MAX_DEPTH + "a", html.TOO_DEEP),
        ("<div>" * 50_000 + "a <b>b</b>", "a\nb", html.TOO_TANGLED),
    ],
)
def test_what_cannot_be_carried_is_told_and_its_words_stay(
    source: str, text: str | None, loss: str | None
) -> None:
    document = from_html(source)
    if text is not None:
        assert re.sub(r"\n+", "\n", document.plain()).replace(" \n", "\n") == text
    assert document.losses == ((loss,) if loss else ())


def test_no_address_of_a_picture_and_no_dangerous_link_comes_through() -> None:
    sources = [
        "<img src=https://spy.example/pixel.gif>", "<a href=' javascript:alert(1)'>a</a>", "<a href='JaVaScRiPt:x'>a</a>",
        "<a href='data:text/html,x'>a</a>", "<a href='java&#10;script:x'>a</a>", "<a href='vbscript:x'>a</a>",
        "<svg><a xlink:href='javascript:x'>a</a></svg>", "<math><mtext><img src=x onerror=alert(1)></mtext></math>",
        "<iframe srcdoc='<script>x</script>'></iframe>", "<form action='https://spy.example'><button>go</button></form>",
        "<p style='background:url(https://spy.example)' onclick=x>a</p>", "<noscript><p title='</noscript><img src=x>'>",
        "<table background=https://spy.example><tr><td>a</table>", "<base href=https://spy.example>",
    ]  # fmt: skip
    for source in sources:
        written = to_html(from_html(source))
        assert not re.search(r"spy|javascript|script:|data:|onerror|onclick|style|<img|<a ", written), (
            source,
            written,
        )


def test_a_link_of_a_document_is_written_only_when_it_is_harmless() -> None:
    def written(href: str) -> str:
        return to_html(Document((Paragraph((link("x", href),)),)))

    assert written("https://x.example/\"'<") == '<p><a href="https://x.example/&quot;&#x27;&lt;">x</a></p>'
    for href in ("javascript:alert(1)", "/path", "https:", "", "https://x y", "https://x\n", "ſcript:x"):
        assert written(href) == "<p>x</p>"


@pytest.mark.parametrize("control", ["\x0b", "\x1c", "\x1d", "\x1e", "\x1f"])
def test_a_character_that_cannot_be_seen_and_parts_words_goes_on_parting_them(control: str) -> None:
    for block in (Paragraph((Run(f"one{control}two"),)), CodeBlock(f"one{control}two")):
        assert from_html(to_html(Document((block,)))).plain() == "one two"


# --- What it costs ---

HEAVY = {
    "boxes hidden by ends that close nothing": "<div></x>" * 30_000 + "x",
    "formatting hidden by ends that close nothing": "".join(f"<i class={n}></u><p>x" for n in range(3_000)),
    "formatting closed and opened": "".join(f"<i class={n}><p></i>x" for n in range(3_000)),
    "nested boxes": "<div>" * 5_000 + "x",
    "very many nested boxes": "<div>" * 50_000 + "x",
    "unclosed paragraphs": "<p>x" * 50_000,
    "unclosed bold": "<b><p>x" * 20_000,
    "all marks unclosed": "<b><i><u><s><em><strong><code><tt><p>x" * 4_000,
    "formatting that multiplies": "".join(f"<i class={n}><p>x" for n in range(4_000)),
    "fonts that multiply": "".join(f"<font size={n}><p>x" for n in range(500)),
    "nested quotes": "<blockquote>" * 20_000 + "x",
    "nested lists": "<ul><li>" * 20_000 + "x",
    "nested tables": "<table><tr><td>" * 5_000 + "x",
    "angle brackets": "<" * 200_000,
    "half tags": "<a " * 70_000,
    "half attributes": "<a x=\"" * 40_000,
    "comments": "<!--" * 50_000,
    "ampersands": "&" * 200_000,
    "spaces": " " * 200_000 + "x",
    "short words": "x " * 100_000,
    "breaks": "<br>" * 50_000 + "x",
    "marks in turn": "<b>x</b><i>y</i>" * 12_000,
    "links in turn": "<a href='https://x.example'>x</a> " * 5_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HEAVY)
def test_no_markup_costs_more_than_its_length(name: str) -> None:
    """Counted in calls; what nh3 does inside one call is bounded by what is let through to it, see below."""
    source = HEAVY[name]
    written: list[str] = []

    def do() -> None:
        document = from_html(source)
        written.append(to_html(document))
        document.as_value()
        document.plain()

    assert calls_made(do) <= 40 * len(source) + 1_000
    assert len(written[0]) < 30 * len(source) + 1_000


def test_what_would_be_dear_to_repair_never_reaches_the_repairer(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTML 5 looks through all open elements at every tag: their product is the cost, and it stays bounded."""
    repaired: list[str] = []
    clean = nh3.clean

    def note(source: str, **options: Any) -> str:
        repaired.append(source)
        return clean(source, **options)

    monkeypatch.setattr("nh3.clean", note)
    for source in HEAVY.values():
        from_html(source)
    opened = [len(re.findall("<[a-z]", source)) for source in repaired]
    assert len(HEAVY) - len(repaired) >= 8
    assert max(deepest(source) * count for source, count in zip(repaired, opened, strict=True)) <= 60_000_000


def deepest(source: str) -> int:
    """How many elements are open at once, counted without those that close themselves."""
    depth = most = 0
    for closing, name in re.findall(r"<(/?)([a-z]+)", source):
        if name not in ("p", "li", "br", "tr", "td", "a"):
            depth += -1 if closing else 1
            most = max(most, depth)
    return most


def test_a_long_letter_with_many_links_and_fonts_is_read_whole() -> None:
    line = "<p><font color=red><b style='x'>bold</b></font> <a href='https://x.example'>link</a><br>words</p>"
    document = from_html("<div><span>" + line * 1_500 + "</span></div>")
    assert (len(document.blocks), document.losses) == (1_500, ())


def test_the_cost_grows_with_the_length_of_the_text() -> None:
    line = "<p>some <b>bold</b> words<br>and <a href='https://x.example'>links</a></p><ul><li>x</ul>"

    def do(count: int) -> Callable[[], object]:
        source = line * count
        return lambda: to_html(from_html(source))

    assert grows_with_size(do, 100)
