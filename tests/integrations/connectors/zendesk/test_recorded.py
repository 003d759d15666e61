"""Every recorded answer of Zendesk put to everything that the connector asks: understood where it belongs, only there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from integrations.canonical import Attachment, CommentDraft, Draft
from integrations.connectors import errors
from integrations.connectors.protocol import Connector, FileDraft, FollowsUp, RegistersHooks
from integrations.richtext.blocks import from_plain
from tests.integrations.connectors.bench import outcome
from tests.integrations.connectors.raw_server import answer
from tests.integrations.connectors.zendesk.test_connector import answering

DRAFT = Draft({"subject": "x", "description": from_plain("words").as_value()}, "m-1")


def registers(connector: Connector) -> RegistersHooks:
    assert isinstance(connector, RegistersHooks)
    return connector


def follows(connector: Connector) -> FollowsUp:
    assert isinstance(connector, FollowsUp)
    return connector


ASKED: Mapping[str, Callable[[Connector], object]] = {
    "check": lambda c: c.check(),
    "fields": lambda c: c.fields(),
    "history": lambda c: c.history("1", ""),
    "read": lambda c: c.read("1"),
    "changed": lambda c: c.changed_since(""),
    "create": lambda c: c.create(DRAFT),
    "follow up": lambda c: follows(c).follow_up("1", DRAFT),
    "update": lambda c: c.update("1", {"subject": "x"}, current={}, marker="m"),
    "comment": lambda c: c.comment("1", CommentDraft(from_plain("words").as_value(), True, "m")),
    "attach": lambda c: c.attach("1", FileDraft("a.txt", "text/plain", 1, iter([b"x"]), True, "m")),
    "open": lambda c: list(c.open_attachment(Attachment("1", "a", "text/plain", 1, "/attachments/1"))),
    "find": lambda c: c.find("m-1"),
    "hooks": lambda c: registers(c).registered_hooks("https://x.example/"),
}
# By the beginning of a recording's name: what it is an answer to.  Whatever is not named here answers nothing of ours.
UNDERSTOOD: Mapping[str, tuple[str, ...]] = {
    "get_users_me": ("check",),
    "get_users_2": ("check",),
    "delete_users_2": ("check",),
    "put_users_2": ("check",),
    "get_incremental_tickets": ("changed", "find"),
    "get_tickets_2": ("changed", "find"),
    "get_tickets_show_many": ("changed", "find"),
    "get_views_tickets": ("changed", "find"),
    "post_tickets_2": ("create", "follow up"),
    "put_tickets_2": ("create", "follow up", "update", "comment"),
    "get_webhooks_2": ("hooks",),
}


def understood(connector: Connector) -> tuple[tuple[str, ...], set[str]]:
    """The questions to which the answer is one, and the kinds of errors of all others."""
    found = {name: outcome(lambda ask=ask: ask(connector)) for name, ask in ASKED.items() if name != "open"}  # type: ignore[misc]
    kinds = {type(error).__name__ for error in found.values() if error is not None}
    return tuple(name for name, error in found.items() if error is None), kinds


def test_every_recorded_answer_is_understood_where_it_belongs_and_an_error_elsewhere(
    shared_data: Path,
) -> None:
    folder = shared_data / "data/payloads/zendesk/recordings"
    told, expected = {}, {}
    for path in sorted(folder.glob("*.json")):
        name = path.name.removeprefix("zendesk__").removesuffix(".json")
        response = json.loads(path.read_text())["response"]
        body = response["body"]
        raw = b"" if isinstance(body, str) else json.dumps(body).encode()

        def respond(request: bytes, raw: bytes = raw, status: int = response["status"]) -> bytes:
            return answer(raw, f"{status} Recorded")

        with answering(respond) as (connector, _):
            told[name] = understood(connector)
        kinds = {"Gone"} if "_404_" in name else {"Invalid"} if "_400_" in name else {"Garbled"}
        belongs = next((to for start, to in UNDERSTOOD.items() if name.startswith(start)), ())
        expected[name] = (belongs, kinds)
    assert told == expected
    assert len(told) == 81
    assert all(any(name.startswith(start) for name in told) for start in UNDERSTOOD)


def test_recorded_answers_about_other_things_break_nothing(shared_data: Path) -> None:
    for path in sorted((shared_data / "data/payloads/zendesk/rest").glob("*.json")):
        raw = path.read_bytes()
        with answering(lambda request, raw=raw: answer(raw)) as (connector, _):  # type: ignore[misc]
            belongs, kinds = understood(connector)
        assert kinds <= {"Garbled", "Unauthorized"}
        assert set(belongs) <= {"check"}


def test_an_answer_without_a_body_where_a_file_was_asked_for_is_an_empty_file() -> None:
    with answering(lambda request: answer(b"")) as (connector, _):
        assert b"".join(ASKED["open"](connector)) == b""  # type: ignore[arg-type]
    with answering(lambda request: answer(b"", "404 Not Found")) as (connector, _):
        assert isinstance(outcome(lambda: ASKED["open"](connector)), errors.Gone)
