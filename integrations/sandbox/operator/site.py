"""Which page answers which address, and what each form does.  A form is followed by a redirect."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from integrations.sandbox.calls import CallLog
from integrations.sandbox.multipart import NotMultipart, parts
from integrations.sandbox.operator.list_page import not_found, ticket_list
from integrations.sandbox.operator.parts import PERSON, Said
from integrations.sandbox.operator.ticket_page import ticket
from integrations.sandbox.system import Refusal, System
from integrations.sandbox.wire import Request, Response, see_other

STYLE = (Path(__file__).parent / "style.css").read_bytes()
_GUARDS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    # Not no-referrer: with that, browsers send `Origin: null` with our own forms.
    ("Referrer-Policy", "same-origin"),
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
)

# A number, or a name such as ServiceNow's 32 hexadecimal digits.
_ID = re.compile(r"[0-9a-f]{1,32}")

Form = Mapping[str, Any]


def answer(system: System, calls: CallLog, request: Request) -> Response:
    """The page for this address, or what a form asked for."""
    if request.path.startswith("/_sandbox/do/"):
        return _do(system, calls, request) if request.method == "POST" else see_other("/")
    if request.method not in ("GET", "HEAD"):
        return _shown(not_found(system, Said()), 405)
    if request.path == "/_sandbox/style.css":
        return Response(200, STYLE, "text/css; charset=utf-8", _GUARDS)
    said = Said(request.one("said"), request.one("bad") == "1")
    if request.path == "/":
        number = max(1, request.number("page", 1))
        return _shown(ticket_list(system, calls, request.one("q"), number, said))
    id_ = _ticket_id(system, request)
    body = ticket(system, id_, said) if id_ is not None else None
    return _shown(body) if body is not None else _shown(not_found(system, said), 404)


def _shown(body: bytes, status: int = 200) -> Response:
    return Response(status, body, "text/html; charset=utf-8", _GUARDS)


def _ticket_id(system: System, request: Request) -> str | None:
    """Our own address, or the one that the vendor's people know: /browse/INC-1, /agent/tickets/35."""
    if request.path.startswith("/_sandbox/tickets/"):
        last = request.path.rpartition("/")[2]
        return last if _ID.fullmatch(last) else None
    return system.find_id(system.key_in(request)) if request.path.startswith(system.people_paths) else None


def _do(system: System, calls: CallLog, request: Request) -> Response:
    form = _form(request)
    what = request.path.rpartition("/")[2]
    back = f"/_sandbox/tickets/{form['ticket']}" if _ID.fullmatch(str(form.get("ticket", ""))) else "/"
    try:
        words, back = _perform(system, calls, what, form, back)
    except (Refusal, ValueError) as error:
        return see_other(f"{back}?{urlencode({'said': str(error), 'bad': '1'})}")
    return see_other(f"{back}?{urlencode({'said': words})}")


def _perform(system: System, calls: CallLog, what: str, form: Form, back: str) -> tuple[str, str]:
    """Do it; the words to show, and where."""
    match what:
        case "create" | "update" | "comment" | "attach":
            done = system.act(_action(what, form))
            said = {
                "create": "Created.",
                "update": "Changed.",
                "comment": "Commented.",
                "attach": "Attached.",
            }[what]
            return said, f"/_sandbox/tickets/{done['ticket']}"
        case "delete":
            if not form.get("sure"):
                raise Refusal("Tick “I mean it” to delete.")
            done = system.act({"do": "delete", "ticket": form.get("ticket"), "as": PERSON})
            return f"{done['key']} is deleted.", "/"
        case "faults":
            system.faults.set(_faults(form))
            return "The faults are set.", "/"
        case "heal":
            system.faults.clear()
            return "No faults any more.", "/"
        case "hooks":
            told = system.set_hooks({name: form[name] for name in ("url", "secret") if form.get(name)})
            return (
                f"Web hooks go there, signed with the secret {told['secret']}"
                if told["url"]
                else "No web hooks."
            ), "/"
        case "reset":
            if not form.get("sure"):
                raise Refusal("Tick “I mean it” to begin anew.")
            system.begin_anew()
            calls.reset()
            return "It is as it was at its start.", "/"
        case _:
            raise Refusal("There is no such form.")


def _action(what: str, form: Form) -> dict[str, Any]:
    fields = {name[6:]: value for name, value in form.items() if name.startswith("field.") and value}
    action: dict[str, Any] = {"do": what, "ticket": form.get("ticket"), "as": form.get("as") or PERSON}
    if fields:
        action["fields"] = fields
    if words := str(form.get("comment", "")).strip().replace("\r\n", "\n"):
        action["comment"] = {"text": words, "public": not form.get("internal")}
    if isinstance(file := form.get("file"), dict):
        action["file"] = file
    return action


def _faults(form: Form) -> dict[str, Any]:
    values: dict[str, Any] = {"down": bool(form.get("down")), "latency_ms": int(form.get("latency_ms") or 0)}
    for name, value in form.items():
        if name.startswith(("rate_", "hook_")):
            values[name] = float(value or 0)
    return values


def _form(request: Request) -> dict[str, Any]:
    try:
        found = parts(request.headers.get("content-type", ""), request.body)
    except NotMultipart:
        return dict(parse_qsl(request.body.decode("utf-8", "replace")))
    form: dict[str, Any] = {}
    for one in found:
        if one.filename:
            data = base64.b64encode(one.data).decode()
            form[one.name] = {"name": one.filename, "content_type": one.content_type, "base64": data}
        else:
            form[one.name] = one.data.decode("utf-8", "replace")
    return form
