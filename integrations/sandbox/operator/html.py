"""HTML as nested calls.  Text is escaped unless it was made here, so that nothing from a ticket can be markup."""

from __future__ import annotations

import html
from collections.abc import Iterable

_VOID = frozenset(("br", "hr", "img", "input", "link", "meta"))


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def el(tag: str, /, *children: object, **attributes: str | float | bool | None) -> Markup:
    """An element.  `class_` and `for_` lose their underscore, others become dashes; False and None are left out."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{text(*children)}</{tag}>")


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    key = key.rstrip("_").replace("_", "-")
    return f" {key}" if value is True else f' {key}="{html.escape(str(value))}"'


def text(*children: object) -> Markup:
    """Children one after the other; lists are taken apart, None is nothing."""
    return Markup("".join(_written(one) for one in children))


def _written(child: object) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int | float):
        return html.escape(str(child))
    if isinstance(child, Iterable):
        return "".join(_written(one) for one in child)
    raise TypeError(f"{child!r} cannot be shown")


def page(title: str, *body: object, class_: str = "") -> bytes:
    """A whole page."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        el("link", rel="stylesheet", href="/_sandbox/style.css"),
        # Without it the browser asks for /favicon.ico, which would count as a request to the vendor.
        el("link", rel="icon", href="data:,"),
    )
    return (
        "<!doctype html>\n" + el("html", head, el("body", *body, class_=class_ or None), lang="en")
    ).encode()
