"""The control API under /_sandbox/: state, faults, hooks, acts and counters, for tests, drills, replay and benchmark.

It is no part of the vendor's surface and answers only to this machine: whoever may use it may do everything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from integrations.sandbox.calls import CallLog
from integrations.sandbox.clock import RealClock, SetClock, parse_time
from integrations.sandbox.system import Page, Refusal, System
from integrations.sandbox.wire import NotJson, Request, Response, json_response

PREFIX = "/_sandbox/"
MAX_PAGE = 5000


def refuse_stranger(request: Request) -> Response | None:
    """Turn away whoever is not on this machine, and pages of other sites that a browser here was made to call."""
    if not _is_loopback(request.peer) or not _is_loopback(_host(request.headers.get("host", ""))):
        return json_response({"error": "The control API answers only on this machine."}, 403)
    origin = request.headers.get("origin")
    if origin and request.method != "GET" and urlsplit(origin).netloc != request.headers.get("host"):
        return json_response({"error": "Another site's page may not do this."}, 403)
    return None


def _host(value: str) -> str:
    return urlsplit("//" + value).hostname or ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_control(request: Request) -> bool:
    """Whether the control API answers this path; the operator's pages share its prefix."""
    return request.path in _PATHS


def answer(system: System, calls: CallLog, request: Request) -> Response:
    """Do what the control API was asked to do."""
    handlers = _PATHS[request.path]
    handler = handlers.get(request.method)
    if handler is None:
        return json_response({"error": "Allowed here: " + ", ".join(handlers)}, 405)
    try:
        return json_response(handler(system, calls, request))
    except Refusal as error:
        return json_response({"error": str(error)}, 422)
    except NotJson as error:
        return json_response({"error": f"The body is not JSON: {error}"}, 400)


def _ready(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    return {"ready": True, "kind": system.kind, "label": system.label, "sign_in": system.sign_in()}


def _reset(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    system.begin_anew()
    calls.reset()
    return {"ready": True}


def _state(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    ids = tuple(part for part in request.one("ids").split(",") if part)
    since = request.one("since")
    limit = max(1, min(request.number("limit", 1000), MAX_PAGE))
    try:
        since = parse_time(since).isoformat() if since else ""
    except ValueError as error:
        raise Refusal("since is not an ISO 8601 time.") from error
    return system.contents(Page(ids, since, request.one("after"), limit))


def _get_faults(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    return system.faults.as_value()


def _set_faults(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    try:
        system.faults.set(_object(request))
    except ValueError as error:
        raise Refusal(f"Not a fault: {error}.") from error
    return system.faults.as_value()


def _get_hooks(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    return {**system.hook_settings(), "delivery": system.hooks.as_value()}


def _set_hooks(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    values = _object(request)
    if isinstance(workers := values.pop("workers", None), int):
        system.hooks.workers = max(1, min(workers, 16))
    return system.set_hooks(values)


def _get_settings(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    return system.settings_value()


def _set_settings(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    system.change_settings(_object(request))
    return system.settings_value()


def _act(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    body = request.json()
    actions = body.get("actions") if isinstance(body, dict) else body
    if not isinstance(actions, list):
        raise Refusal("Send a list of actions.")
    done: list[dict[str, Any]] = []
    for index, action in enumerate(actions):
        try:
            done.append(system.act(_action(action)))
        except Refusal as error:
            raise Refusal(f"Action {index}: {error} The {index} actions before it were done.") from error
    return {"done": done}


def _action(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("fields") or {}, dict):
        raise Refusal("An action is a JSON object, and so are its fields.")
    return value


def _get_calls(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    return calls.as_value()


def _reset_calls(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    calls.reset()
    return {"ready": True}


def _get_clock(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    return {"now": system.clock.now().isoformat(), "real": isinstance(system.clock, RealClock)}


def _set_clock(system: System, calls: CallLog, request: Request) -> dict[str, Any]:
    values = _object(request)
    if values.get("real"):
        system.clock = RealClock()
    if "now" in values:
        try:
            system.clock = SetClock(parse_time(str(values["now"])))
        except ValueError as error:
            raise Refusal("now is not an ISO 8601 time.") from error
    if isinstance(step := values.get("advance_s"), int | float):
        clock = system.clock if isinstance(system.clock, SetClock) else SetClock(system.clock.now())
        clock.advance(step)
        system.clock = clock
    return _get_clock(system, calls, request)


def _object(request: Request) -> dict[str, Any]:
    value = request.json()
    if not isinstance(value, dict):
        raise Refusal("Send a JSON object.")
    return value


_Handler = Callable[[System, CallLog, Request], dict[str, Any]]
_PATHS: dict[str, dict[str, _Handler]] = {
    PREFIX + "ready": {"GET": _ready},
    PREFIX + "reset": {"POST": _reset},
    PREFIX + "state": {"GET": _state},
    PREFIX + "faults": {"GET": _get_faults, "POST": _set_faults},
    PREFIX + "hooks": {"GET": _get_hooks, "POST": _set_hooks},
    PREFIX + "settings": {"GET": _get_settings, "POST": _set_settings},
    PREFIX + "act": {"POST": _act},
    PREFIX + "calls": {"GET": _get_calls, "DELETE": _reset_calls, "POST": _reset_calls},
    PREFIX + "clock": {"GET": _get_clock, "POST": _set_clock},
}
