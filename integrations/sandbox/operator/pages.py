"""What the operator sees: the list of tickets with the panels beside it, and one ticket with everything about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from integrations.sandbox.calls import CallLog
from integrations.sandbox.operator.html import Markup, el, page, text
from integrations.sandbox.system import Choice, Page, System

PAGE = 25
CALLS_SHOWN = 15
PERSON = "Ada Agent <ada@partner.example>"


@dataclass(frozen=True, slots=True)
class Said:
    """What came of the last form, shown once above the page."""

    words: str = ""
    is_bad: bool = False


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
    side = (_sign_in(system), _new_ticket(system), _faults(system), _hooks(system))
    return _page(system, f"{system.label} sandbox", said, (found, _calls(calls)), side)


def ticket(system: System, calls: CallLog, id_: str, said: Said) -> bytes | None:
    """One ticket; None when there is none."""
    told = system.contents(Page(ids=(id_,)))["tickets"]
    if not told:
        return None
    one = told[0]
    title = str(one["fields"].get("subject") or one["fields"].get("summary") or "")
    head = el(
        "section",
        el("p", el("a", "All tickets", href="/"), class_="soft"),
        el("h1", f"{one['key']} ", title),
        el(
            "p",
            el("span", one["status"], class_="tag"),
            f" updated {_time(one['updated_at'])}",
            class_="soft",
        ),
        _description(one),
        _fields(system, one),
        class_="card",
    )
    main = (head, _comments(one), _history(system, id_))
    side = (_comment_form(id_), _change_form(system, one), _file_form(id_), _delete_form(id_))
    return _page(system, f"{one['key']} {title}", said, main, side)


def not_found(system: System, said: Said) -> bytes:
    """There is no such page or ticket."""
    words = el("section", el("h1", "Not here"), el("p", el("a", "All tickets", href="/")), class_="card")
    return _page(system, "Not here", said, (words,), ())


def _page(system: System, title: str, said: Said, main: Sequence[Markup], side: Sequence[Markup]) -> bytes:
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


# --- The list's panels ---


def _rows(rows: Sequence[Any]) -> Markup:
    head = el("tr", [el("th", one) for one in ("Ticket", "Title", "Status", "Priority", "Updated")])
    body = [
        el(
            "tr",
            el("td", el("a", one.key, href=f"/_sandbox/tickets/{one.id}"), class_="tight"),
            el("td", one.title, class_="title"),
            el("td", el("span", one.status, class_="tag"), class_="tight"),
            el("td", one.priority or "–"),
            el("td", _time(one.updated_at)[:16], class_="soft tight"),
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
        [_choice(one) for one in system.choices()],
        el("label", "Description", el("textarea", name="comment")),
        _person(),
        el("button", "Create", class_="main"),
        method="post",
        action="/_sandbox/do/create",
    )
    return el("section", el("details", el("summary", "Create a ticket as the partner"), form), class_="card")


def _choice(one: Choice, value: object = "", *, keep: bool = False) -> Markup:
    """A select for a field with known values, else a line of text."""
    shown = "" if value is None else str(value)
    if not one.values:
        return el("label", one.label, el("input", name=f"field.{one.name}", value=shown))
    first = el("option", "(unchanged)" if keep else "(default)", value="")
    options = [el("option", each, value=each, selected=keep and each == shown) for each in one.values]
    return el("label", one.label, el("select", first, options, name=f"field.{one.name}"))


def _person() -> Markup:
    return el("label", "As", el("input", name="as", value=PERSON))


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
        _tick("down", "Down: nobody answers", now.down),
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


def _tick(name: str, label: str, is_on: bool) -> Markup:
    return el(
        "label", el("input", type="checkbox", name=name, value="1", checked=is_on), label, class_="tick"
    )


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


# --- One ticket ---


def _description(one: Mapping[str, Any]) -> Markup | None:
    """The description, unless the first comment is the description, as in Zendesk."""
    words = one["description"]
    if not words or (one["comments"] and one["comments"][0]["text"] == words):
        return None
    return el("p", words, class_="words")


def _time(stamp: str) -> str:
    return stamp[:19].replace("T", " ")


def _fields(system: System, one: Mapping[str, Any]) -> Markup:
    labels = {choice.name: choice.label for choice in system.choices(one["id"])}
    hidden = ("subject", "summary", "description", "status")
    pairs = [
        (el("dt", labels.get(name, name.replace("_", " ").capitalize())), el("dd", _value(value)))
        for name, value in one["fields"].items()
        if name not in hidden and value not in (None, "", [])
    ]
    files = [el("li", f"{file['name']} ({file['size']} bytes)") for file in one["attachments"]]
    return text(
        el("dl", pairs),
        el("h2", "Files") if files else None,
        el("ul", files) if files else None,
    )


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "(formatted text)" if isinstance(value, dict) else str(value)


def _comments(one: Mapping[str, Any]) -> Markup:
    entries = [
        el(
            "div",
            el("strong", comment["author"]),
            el(
                "span",
                f" {_time(comment['created_at'])}",
                "" if comment["public"] else " · internal",
                class_="soft",
            ),
            el("p", comment["text"], class_="words"),
            class_="entry" if comment["public"] else "entry inner",
        )
        for comment in one["comments"]
    ]
    body = entries or el("p", "None yet.", class_="soft")
    return el("section", el("h2", f"Comments ({len(entries)})"), body, class_="card")


def _history(system: System, id_: str) -> Markup:
    entries = [
        el(
            "div",
            el("strong", who),
            el("span", f" {_time(when)}", class_="soft"),
            [
                el("p", f"{field}: ", _before(before), after or "(empty)", class_="words")
                for field, before, after in items
            ],
            class_="entry",
        )
        for when, who, items in system.history(id_)
    ]
    body = entries or el("p", "Nothing has changed since it was created.", class_="soft")
    return el("section", el("h2", f"History ({len(entries)})"), body, class_="card")


def _before(value: str) -> Markup | None:
    return el("span", f"{value} → ", class_="soft") if value else None


def _comment_form(id_: str) -> Markup:
    form = el(
        "form",
        el("input", type="hidden", name="ticket", value=id_),
        el("label", "Comment", el("textarea", name="comment", required=True)),
        _tick("internal", "Internal: for the partner's own people", False),
        _person(),
        el("button", "Comment", class_="main"),
        method="post",
        action="/_sandbox/do/comment",
    )
    return el("section", el("h2", "Comment as the partner"), form, class_="card")


def _change_form(system: System, one: Mapping[str, Any]) -> Markup:
    values = one["fields"]
    form = el(
        "form",
        el("input", type="hidden", name="ticket", value=one["id"]),
        [_choice(choice, values.get(choice.name), keep=True) for choice in system.choices(one["id"])],
        _person(),
        el("button", "Change", class_="main"),
        method="post",
        action="/_sandbox/do/update",
    )
    return el("section", el("h2", "Change as the partner"), form, class_="card")


def _file_form(id_: str) -> Markup:
    form = el(
        "form",
        el("input", type="hidden", name="ticket", value=id_),
        el("label", "File", el("input", type="file", name="file", required=True)),
        _person(),
        el("button", "Attach"),
        method="post",
        action="/_sandbox/do/attach",
        enctype="multipart/form-data",
    )
    return el("section", el("h2", "Attach a file as the partner"), form, class_="card")


def _delete_form(id_: str) -> Markup:
    form = el(
        "form",
        el("input", type="hidden", name="ticket", value=id_),
        _tick("sure", "I mean it", False),
        el("button", "Delete the ticket", class_="bad"),
        method="post",
        action="/_sandbox/do/delete",
    )
    return el("section", form, class_="card")
