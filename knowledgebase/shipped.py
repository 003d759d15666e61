"""Reads the articles that come with Concord, from `articles/*.md`.  Pure but for reading those files.

A file is a head of `name: value` lines between two lines of three dashes, then one section for each text:

    ---
    code: timed_out
    title: The other system did not answer in time
    ---
    ## Symptom
    ...
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "articles"

# Heading in the file -> field of the article.
SECTIONS: Mapping[str, str] = {
    "Symptom": "symptom",
    "Cause": "cause",
    "What Concord does by itself": "automatic",
    "Workaround": "workaround",
    "Solution": "solution",
    "Steps": "steps",
}
REQUIRED = ("symptom", "cause", "automatic", "solution", "steps")


class BrokenArticle(ValueError):
    """A shipped file that is not written as above; the message names file and fault."""


@dataclass(frozen=True, slots=True)
class ShippedArticle:
    """One file: what it is about, and its texts by field."""

    code: str
    title: str
    kind: str
    language: str
    texts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Changes when any text does."""
        content = "\n\n".join(
            [self.title, self.kind, self.language, *(self.texts[name] for name in sorted(self.texts))]
        )
        return hashlib.sha256(content.encode()).hexdigest()


def read_all(folder: Path = FOLDER) -> Iterator[ShippedArticle]:
    """Every shipped article, by file name; BrokenArticle for one that cannot be read."""
    for file in sorted(folder.glob("*.md")):
        yield parse(file.read_text(encoding="utf-8"), file.stem)


def parse(text: str, name: str) -> ShippedArticle:
    """The article in a file's text; `name` is the file's, which has to be the failure code."""
    _, head, body = _split_head(text, name)
    facts = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in head.splitlines())
        if key
    }
    texts = _sections(body, name)
    missing = [field for field in REQUIRED if not texts.get(field)]
    if missing:
        raise BrokenArticle(f"{name}.md has no text for: {', '.join(missing)}.")
    if facts.get("code") != name or not facts.get("title"):
        raise BrokenArticle(f"{name}.md has to say `code: {name}` and a title in its head.")
    return ShippedArticle(
        name, facts["title"], facts.get("kind", "incident"), facts.get("language", "en"), texts
    )


def _split_head(text: str, name: str) -> list[str]:
    parts = text.split("---\n", 2)
    if len(parts) != 3 or parts[0]:
        raise BrokenArticle(f"{name}.md has no head between two lines of three dashes.")
    return parts


def _sections(body: str, name: str) -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in body.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ").strip()
            if heading not in SECTIONS:
                raise BrokenArticle(f"{name}.md has a section {heading!r}; there are {', '.join(SECTIONS)}.")
            lines = texts.setdefault(SECTIONS[heading], [])
        else:
            lines.append(line)
    return {field: "\n".join(section).strip() for field, section in texts.items()}
