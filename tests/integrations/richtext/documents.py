"""Documents for property tests: any text in the normal form that every codec starts from."""

from __future__ import annotations

from hypothesis import strategies as st

from integrations.richtext.blocks import (
    Block,
    BulletList,
    Cell,
    CodeBlock,
    Document,
    File,
    Heading,
    Inline,
    Item,
    LineBreak,
    OrderedList,
    Panel,
    Paragraph,
    Quote,
    Rule,
    Run,
    Table,
    join_runs,
)

# Everything that people type, and what breaks markup; no signs by which the HTML codec marks what HTML lacks.
LETTERS = st.sampled_from("abcÄß日本語e\u0301\U0001f525 \u3000<>&\"'{}%*_`#\\/-.:;,!?()[]=+|~^$@0123456789")
WORDS = st.text(LETTERS, min_size=1, max_size=12)
LINKS = st.sampled_from(
    ("https://example.com/", "https://example.com/?a=1&b=%20\"'", "mailto:ann@example.com")
)
MARKS = st.lists(
    st.sampled_from(("bold", "code", "italic", "strike", "sub", "sup", "underline")), max_size=3, unique=True
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Text with marks, perhaps a link."""
    marks, href = draw(MARKS), ""
    if draw(st.booleans()) and draw(st.booleans()):
        marks, href = [*marks, "link"], draw(LINKS)
    return Run(draw(WORDS), tuple(sorted(marks)), href)


INLINES: st.SearchStrategy[tuple[Inline, ...]] = (
    st.lists(runs() | st.just(LineBreak()), min_size=1, max_size=5).map(join_runs).filter(bool)
)
LINES = st.text(LETTERS | st.just("\n") | st.just("\t"), min_size=1, max_size=30)
LEAVES: st.SearchStrategy[Block] = st.one_of(
    INLINES.map(Paragraph),
    st.builds(Heading, st.integers(1, 6), INLINES),
    LINES.map(lambda text: text.rstrip("\n")).filter(bool).map(CodeBlock),
    st.just(Rule()),
    WORDS.map(str.strip).filter(bool).map(File),
)


def _containers(inner: st.SearchStrategy[Block]) -> st.SearchStrategy[Block]:
    some = st.lists(inner, min_size=1, max_size=3).map(tuple)
    maybe = st.lists(inner, max_size=3).map(tuple)
    items = st.lists(
        st.builds(Item, maybe, st.sampled_from((None, None, True, False))), min_size=1, max_size=3
    )
    cells = st.lists(st.builds(Cell, maybe, st.booleans()), min_size=1, max_size=3).map(tuple)
    titles = st.just("") | WORDS.map(lambda text: " ".join(text.split())).filter(bool)
    kinds = st.sampled_from(("info", "note", "warning", "success", "error"))
    return st.one_of(
        some.map(Quote),
        items.map(tuple).map(BulletList),
        st.builds(OrderedList, items.map(tuple), st.integers(0, 50)),
        st.builds(Panel, kinds, maybe, titles),
        st.lists(cells, min_size=1, max_size=3).map(tuple).map(Table),
    )


BLOCKS: st.SearchStrategy[Block] = st.recursive(LEAVES, _containers, max_leaves=8)
DOCUMENTS: st.SearchStrategy[Document] = st.lists(BLOCKS, max_size=4).map(tuple).map(Document)
