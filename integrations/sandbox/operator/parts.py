"""What the operator's pages share: the frame around them, and the controls of their forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from integrations.sandbox.operator.html import Markup, el, page
from integrations.sandbox.system import Choice, System

PERSON = "Ada Agent <ada@partner.example>"


@dataclass(frozen=True, slots=True)
class Said:
    """What came of the last form, shown once above the page."""

    words: str = ""
    is_bad: bool = False


def framed(system: System, title: str, said: Said, main: Sequence[Markup], side: Sequence[Markup]) -> bytes:
    """A page under the bar that says what this is."""
    bar = el(
        "header",
        el(
            "div", el("a", f"{system.label} sandbox", href="/"), el("span", "Sandbox: no partner is touched.")
        ),
        class_="bar",
    )
    note = None
    if said.words:
        note = el(
            "div", el("p", said.words, class_="bad" if said.is_bad else None, role="status"), class_="said"
        )
    body = el("main", el("div", main), el("div", side) if side else None)
    return page(title, bar, note, body, class_=system.kind)


def choice_field(one: Choice, value: object = "", *, keep: bool = False) -> Markup:
    """A select for a field with known values, else a line of text; `keep`: empty leaves it as it is."""
    shown = "" if value is None else str(value)
    if not one.values:
        return el("label", one.label, el("input", name=f"field.{one.name}", value=shown))
    first = el("option", "(unchanged)" if keep else "(default)", value="")
    options = [
        el("option", one.labels.get(each, each), value=each, selected=keep and each == shown)
        for each in one.values
    ]
    return el("label", one.label, el("select", first, options, name=f"field.{one.name}"))


def person_field() -> Markup:
    """Who acts."""
    return el("label", "As", el("input", name="as", value=PERSON))


def tick_field(name: str, label: str, is_on: bool) -> Markup:
    """A box to tick."""
    return el(
        "label", el("input", type="checkbox", name=name, value="1", checked=is_on), label, class_="tick"
    )


def shown_time(stamp: str) -> str:
    """A time for people, in UTC to the second."""
    return stamp[:19].replace("T", " ")
