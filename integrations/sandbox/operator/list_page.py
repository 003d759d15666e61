"""The list of tickets, with panels for sign-in, new tickets, faults, web hooks and the last requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from integrations.sandbox.calls import CallLog
from integrations.sandbox.operator.html import Markup, el
from integrations.sandbox.operator.parts import (
    Said,
    choice_field,
    framed,
    person_field,
    shown_time,
    tick_field,
)
from integrations.sandbox.system import System

PAGE = 25
CALLS_SHOWN = 15


def ticket_list(system: System, calls: CallLog, words: str, number: int, said: Said) -> bytes:
    """The tickets, newest change first, and the panels."""
    rows, total = system.rows(words, (number - 1) * PAGE, PAGE)
    found = el(
        "section",
        el("h2", f"Tickets ({total})"),
        el(
            "form",
            el(
                "input",
                type="search",
                name="q",
                value=words,
                placeholder="Search",
                aria_label="Search tickets",
            ),
            el("button", "Search"),
            class_="find",
        ),
        _rows(rows) if rows else el("p", "Nothing found." if words else "No tickets yet.", class_="soft"),
        _pages(words, number, total),
        class_="card",
    )
    side = (_sign_in(system), _new_ticket(system), _faults(system), _hooks(system), _reset())
    return framed(system, f"{system.label} sandbox", said, (found, _calls(calls)), side)


def not_found(system: System, said: Said) -> bytes:
    """There is no such page or ticket."""
    words = el("section", el("h1", "Not here"), el("p", el("a", "All tickets", href="/")), class_="card")
    return framed(system, "Not here", said, (words,), ())


def _rows(rows: Sequence[Any]) -> Markup:
    head = el("tr", [el("th", one) for one in ("Ticket", "Title", "Status", "Priority", "Updated")])
    body = [
        el(
            "tr",
            el("td", el("a", one.key, href=f"/_sandbox/tickets/{one.id}"), class_="tight"),
            el("td", one.title, class_="title"),
            el("td", el("span", one.status, class_="tag"), class_="tight"),
            el("td", one.priority or "–"),
            el("td", shown_time(one.updated_at)[:16], class_="soft tight"),
        )
        for one in rows
    ]
    return el("table", el("thead", head), el("tbody", body), class_="rows")


def _pages(words: str, number: int, total: int) -> Markup | None:
    last = (total + PAGE - 1) // PAGE
    if last <= 1:
        return None

    def link(label: str, to: int) -> Markup:
        query = urlencode({"q": words, "page": to} if words else {"page": to})
        return el("a", label, href=f"/?{query}") if 1 <= to <= last else el("span", label, class_="soft")

    middle = el("span", f"Page {number} of {last}", class_="soft")
    return el("nav", link("Newer", number - 1), middle, link("Older", number + 1), class_="pages")


def _sign_in(system: System) -> Markup:
    pairs = [(el("dt", name), el("dd", el("code", value))) for name, value in system.sign_in().items()]
    return el("section", el("h2", "Sign-in for a connection"), el("dl", pairs), class_="card")


def _new_ticket(system: System) -> Markup:
    form = el(
        "form",
        [choice_field(one) for one in system.choices()],
        el("label", "Description", el("textarea", name="comment")),
        person_field(),
        el("button", "Create", class_="main"),
        method="post",
        action="/_sandbox/do/create",
    )
    return el("section", el("details", el("summary", "Create a ticket as the partner"), form), class_="card")


def _faults(system: System) -> Markup:
    now = system.faults.faults
    rates = (
        ("rate_429", "Too many requests (429)"),
        ("rate_5xx", "Errors (503)"),
        ("rate_answer_lost", "Answers lost"),
        ("rate_reset", "Connections cut"),
        ("hook_lost", "Web hooks lost"),
        ("hook_doubled", "Web hooks doubled"),
        ("hook_reordered", "Web hooks out of order"),
    )
    form = el(
        "form",
        tick_field("down", "Down: nobody answers", now.down),
        el("label", "Latency, ms", _number("latency_ms", now.latency_ms, 60_000, 1)),
        el(
            "div",
            [el("label", label, _number(name, getattr(now, name), 1, 0.01)) for name, label in rates],
            class_="pair",
        ),
        el("p", "Rates from 0 (never) to 1 (always).", class_="soft"),
        el("button", "Set", class_="main"),
        method="post",
        action="/_sandbox/do/faults",
    )
    heal = el("form", el("button", "No faults"), method="post", action="/_sandbox/do/heal")
    is_open = now.down or bool(now.latency_ms) or any(getattr(now, name) for name, _ in rates)
    body = el("details", el("summary", "Faults"), form, el("br"), heal, open=is_open)
    return el("section", body, class_="card")


def _number(name: str, value: float, most: float, step: float) -> Markup:
    return el("input", type="number", name=name, value=f"{value:g}", min=0, max=str(most), step=str(step))


def _hooks(system: System) -> Markup:
    told = system.hooks.as_value()
    last = [
        el(
            "tr",
            el("td", one.event.removeprefix("zen:event-type:")),
            el("td", _outcome(one.status), class_="tight"),
            el("td", f"{one.ms:.0f} ms", class_="soft tight"),
        )
        for one in list(system.hooks.last)[: -CALLS_SHOWN - 1 : -1]
    ]
    form = el(
        "form",
        el("label", "Address", el("input", type="url", name="url", value=system.hook_settings()["url"])),
        el("label", "Secret", el("input", name="secret", autocomplete="off")),
        el("button", "Send web hooks there", class_="main"),
        method="post",
        action="/_sandbox/do/hooks",
    )
    counts = ", ".join(f"{name} {count}" for name, count in told.items() if count) or "none yet"
    return el(
        "section",
        el("h2", "Web hooks"),
        el("p", f"Delivery: {counts}.", class_="soft"),
        form,
        el("details", el("summary", "Last deliveries"), el("table", last)) if last else None,
        class_="card",
    )


def _reset() -> Markup:
    form = el(
        "form",
        el("p", "All tickets, faults and web hooks go; it is as it was at its start.", class_="soft"),
        tick_field("sure", "I mean it", False),
        el("button", "Begin anew", class_="bad"),
        method="post",
        action="/_sandbox/do/reset",
    )
    return el("section", el("details", el("summary", "Begin anew"), form), class_="card")


def _outcome(status: int) -> str:
    return {0: "not reached", -1: "timed out"}.get(status, str(status))


def _calls(calls: CallLog) -> Markup:
    rows = [
        el(
            "tr",
            el("td", one.at[11:19], class_="soft tight"),
            el("td", el("code", f"{one.method} {one.path}"[:160])),
            el("td", one.fault.replace("_", " ") or one.status or "cut", class_="tight"),
            el("td", f"{one.ms:.1f} ms", class_="soft tight"),
        )
        for one in list(calls.last)[: -CALLS_SHOWN - 1 : -1]
    ]
    body = el("div", el("table", rows), class_="wide") if rows else el("p", "None yet.", class_="soft")
    return el("section", el("h2", "Last requests"), body, class_="card")
