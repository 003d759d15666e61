"""HTML to and from the rich-text model.  Pure; never raises; linear in the length of the text.

What goes out uses only elements without attributes (but `href` and `start`), because vendors strip the rest.  What
HTML has no element for is written so that people can read it and `from_html` recognises it again:

    panel, expand   a quote that opens with a bold line such as "⚠ Warning" or "ℹ Info: title"
    task            a list item that opens with "☐ " or "☑ "
    file, picture   a paragraph "📎 name"; no address of a picture is ever carried
    mention         the name, "@Ann Lee", as plain text
    code language   not carried

What comes in is cleaned and repaired by nh3, so that the reader meets well-formed elements of the list below only.
"""

from __future__ import annotations

from integrations.richtext.html_reader import (
    NO_EMBEDDING,
    NO_LINK,
    NO_MERGED_CELLS,
    NO_PICTURE,
    TOO_DEEP,
    TOO_TANGLED,
    from_html,
)
from integrations.richtext.html_writer import is_link, to_html

__all__ = [
    "NO_EMBEDDING",
    "NO_LINK",
    "NO_MERGED_CELLS",
    "NO_PICTURE",
    "TOO_DEEP",
    "TOO_TANGLED",
    "from_html",
    "is_link",
    "to_html",
]
