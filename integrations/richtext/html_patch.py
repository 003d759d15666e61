"""A new text written into a field's own HTML: elements that say the same already stay as they are.  Pure; never raises.

Linear in the length of both.  Where the own markup cannot be taken apart safely, the text is written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise

from integrations.richtext import patching
from integrations.richtext.blocks import Block, Document
from integrations.richtext.html_reader import from_html
from integrations.richtext.html_tangle import is_tangled
from integrations.richtext.html_writer import to_html

# Boxes around a whole text, as editors make them; looked into this deep.
_MOST_WRAPPERS = 8
_VOID = frozenset("br hr img input col area source wbr link meta".split())
_INLINE = frozenset(
    "a abbr b big br cite code del em font i img input ins kbd label mark q s samp small span strike strong sub sup "
    "tt u var wbr".split()
)


def patched(own: str, wanted: Document, read: Callable[[str], Document] = from_html) -> str:
    """The HTML that says `wanted`, made of the elements of `own` as far as they fit.

    `read` is how the system's texts are read.  Equal to `own` when there is nothing to change.
    """
    blocks = from_html(to_html(wanted)).blocks
    opening, parts, closing = _taken_apart(own)
    said = [_as_written(read(part)) for part in parts]
    written = [to_html(Document((block,))) for block in blocks]
    text = opening + "".join(patching.patched(parts, said, blocks, written)) + closing
    return text if _as_written(read(text)) == blocks else to_html(wanted)


def _as_written(document: Document) -> tuple[Block, ...]:
    """What a text says in the form in which one from elsewhere would say it."""
    return from_html(to_html(document)).blocks


def _taken_apart(source: str) -> tuple[str, list[str], str]:
    """The elements of a text side by side, and what opens and closes the boxes around all of them."""
    opening, closing = "", ""
    if is_tangled(source):
        return "", [source], ""
    for _ in range(_MOST_WRAPPERS):
        parts = list(_parts(source))
        box = _box(parts[0]) if len(parts) == 1 else None
        if box is None:
            return opening, parts, closing
        opening, source, closing = opening + box[0], box[1], box[2] + closing
    return opening, [source], closing


def _box(part: str) -> tuple[str, str, str] | None:
    """A `div` around everything: its opening, what is inside, its end."""
    lowered = part.lower()
    if not (lowered.startswith("<div") and lowered.endswith("</div>")):
        return None
    end = _end_of_tag(part)
    return (part[:end], part[end : -len("</div>")], part[-len("</div>") :]) if end else None


def _end_of_tag(part: str) -> int:
    parser = _Places()
    parser.feed(part)
    return len(parser.first_tag)


def _parts(source: str) -> Iterator[str]:
    """The top-level elements as they are written; words and inline elements side by side are one part."""
    parser = _Places()
    parser.feed(source)
    parser.close()
    if not parser.is_sound:
        yield source
        return
    # Blanks before the first part belong to it.
    starts = [0, *parser.starts[1:], len(source)]
    yield from (source[start:end] for start, end in pairwise(starts) if start < end)


class _Places(HTMLParser):
    """Notes where top-level parts begin.  `is_sound` is false where an element is not closed as it was opened."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.starts: list[int] = []
        self.is_sound = True
        self.first_tag = ""
        self._open: list[str] = []
        self._in_words = False
        self._lines = [0]

    def feed(self, data: str) -> None:
        at = -1
        while (at := data.find("\n", at + 1)) >= 0:
            self._lines.append(at + 1)
        super().feed(data)

    def close(self) -> None:
        super().close()
        self.is_sound = self.is_sound and not self._open

    def _here(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def _begin(self, *, is_inline: bool) -> None:
        if self._open or (is_inline and self._in_words):
            return
        self.starts.append(self._here())
        self._in_words = is_inline

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.first_tag = self.first_tag or (self.get_starttag_text() or "")
        self._begin(is_inline=tag in _INLINE)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self._begin(is_inline=tag in _INLINE)
        # A slash closes nothing but what is empty anyway.
        self.is_sound = self.is_sound and tag in _VOID

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self._open or self._open.pop() != tag:
            self.is_sound = False

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._begin(is_inline=True)

    def handle_entityref(self, name: str) -> None:
        self._begin(is_inline=True)

    def handle_charref(self, name: str) -> None:
        self._begin(is_inline=True)

    def handle_comment(self, data: str) -> None:
        self._begin(is_inline=True)
