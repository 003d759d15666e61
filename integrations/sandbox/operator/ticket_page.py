"""One ticket with everything about it, and the forms to act on it as the partner's people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integrations.sandbox.operator.html import Markup, el, text
from integrations.sandbox.operator.parts import (
    Said,
    choice_field,
    framed,
    person_field,
    shown_time,
    tick_field,
)
from integrations.sandbox.system import Choice, Page, System

TITLES = ("subject", "summary", "short_description", "System.Title")


def ticket(system: System, id_: str, said: Said) -> bytes | None:
    """One ticket; None when there is none."""
    told = system.contents(Page(ids=(id_,)))["tickets"]
    if not told:
        return None
    one = told[0]
    title = next((str(one["fields"][name]) for name in TITLES if one["fields"].get(name)), "")
    head = el(
        "section",
        el("p", el("a", "All tickets", href="/"), class_="soft"),
        el("h1", f"{one['key']} ", title),
        el(
            "p",
            el("span", one["status"], class_="tag"),
            f" updated {shown_time(one['updated_at'])}",
            class_="soft",
        ),
        _description(one),
        _fields(system, one),
        class_="card",
    )
    main = (head, _comments(one), _history(system, id_))
    side = (_comment_form(system, id_), _change_form(system, one), _file_form(id_), _delete_form(id_))
    return framed(system, f"{one['key']} {title}", said, main, side)


def _description(one: Mapping[str, Any]) -> Markup | None:
    """The description, unless the first comment is the description, as in Zendesk."""
    words = one["description"]
    if not words or (one["comments"] and one["comments"][0]["text"] == words):
        return None
    return el("p", words, class_="words")


def _fields(system: System, one: Mapping[str, Any]) -> Markup:
    choices = {choice.name: choice for choice in system.choices(one["id"])}
    hidden = (*TITLES, "description", "status", "state")
    # A vendor whose names nobody would read tells the words for those fields that are worth showing.
    words = one.get("labels")
    pairs = [
        (el("dt", _label(name, choices.get(name), words)), el("dd", _value(value, choices.get(name))))
        for name, value in one["fields"].items()
        if name not in hidden and value not in (None, "", []) and (words is None or name in words)
    ]
    files = [el("li", f"{file['name']} ({file['size']} bytes)") for file in one["attachments"]]
    return text(
        el("dl", pairs),
        el("h2", "Files") if files else None,
        el("ul", files) if files else None,
    )


def _label(name: str, choice: Choice | None, words: Mapping[str, str] | None) -> str:
    if words is not None:
        return words[name]
    return choice.label if choice is not None else name.replace("_", " ").capitalize()


def _value(value: object, choice: Choice | None) -> str:
    if choice is not None and str(value) in choice.labels:
        return choice.labels[str(value)]
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
                f" {shown_time(comment['created_at'])}",
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
            el("span", f" {shown_time(when)}", class_="soft"),
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


def _comment_form(system: System, id_: str) -> Markup:
    form = el(
        "form",
        el("input", type="hidden", name="ticket", value=id_),
        el("label", "Comment", el("textarea", name="comment", required=True)),
        tick_field("internal", "Internal: for the partner's own people", False)
        if system.has_internal_comments
        else None,
        person_field(),
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
        [choice_field(choice, values.get(choice.name), keep=True) for choice in system.choices(one["id"])],
        person_field(),
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
        person_field(),
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
        tick_field("sure", "I mean it", False),
        el("button", "Delete the ticket", class_="bad"),
        method="post",
        action="/_sandbox/do/delete",
    )
    return el("section", form, class_="card")
