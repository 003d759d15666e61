"""The server: connections, faults on them, and what is counted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from integrations.sandbox.faults import Blow, FaultBox
from integrations.sandbox.server import PortTaken, Server
from integrations.sandbox.wire import Request, Response
from integrations.sandbox.zendesk.system import ZendeskSystem
from tests.integrations.sandbox.vendor import Vendor

TICKET = {"ticket": {"subject": "VPN is down", "comment": {"body": "x"}}}


def count(zendesk: Vendor) -> int:
    return len(list(zendesk.sandbox.tickets()))


@pytest.fixture
def line(zendesk: Vendor) -> Iterator[socket.socket]:
    """A bare connection to the sandbox."""
    parts = urlsplit(zendesk.sandbox.url)
    with closing(socket.create_connection((parts.hostname, parts.port), timeout=5)) as one:
        yield one


def answer(line: socket.socket, until: bytes) -> bytes:
    data = b""
    while until not in data:
        piece = line.recv(4096)
        if not piece:
            break
        data += piece
    return data


# --- Connections ---


def test_an_answer_is_dated_by_the_systems_own_clock(zendesk: Vendor) -> None:
    dates = [zendesk("GET", "/users/me").headers["Date"]]
    zendesk.clock.advance(90.5)
    dates.append(zendesk("GET", "/users/me").headers["Date"])

    assert dates == ["Mon, 02 Mar 2026 12:00:00 GMT", "Mon, 02 Mar 2026 12:01:30 GMT"]


def test_a_connection_is_kept_and_requests_may_be_sent_ahead(line: socket.socket) -> None:
    line.sendall(
        b"GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )

    assert answer(line, b"never").count(b"HTTP/1.1 404 Not Found") == 2


def test_a_client_may_wait_for_the_go_ahead_and_send_in_chunks(line: socket.socket) -> None:
    head = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    line.sendall(head)
    assert answer(line, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

    line.sendall(b"2\r\n{}\r\n0\r\n\r\n")

    assert answer(line, b"}").startswith(b"HTTP/1.1 404")


def test_head_is_answered_without_a_body(zendesk: Vendor) -> None:
    told = zendesk("HEAD", "/users/me")

    assert (told.status_code, int(told.headers["Content-Length"]) > 100, told.content) == (200, True, b"")


def test_nonsense_is_answered_and_the_connection_closed(line: socket.socket) -> None:
    line.sendall(b"nonsense\r\n\r\n")

    assert answer(line, b"never").startswith(b"HTTP/1.1 400 Bad Request")


def test_a_port_that_is_taken_is_said(zendesk: Vendor) -> None:
    other = Server(ZendeskSystem(), port=urlsplit(zendesk.sandbox.url).port or 0)

    with pytest.raises(PortTaken, match="is taken"):
        other.start()


def test_many_clients_at_once_make_no_ticket_twice(zendesk: Vendor) -> None:
    def work() -> None:
        with requests.Session() as session:
            session.auth = zendesk.session.auth
            for _ in range(10):
                session.post(
                    zendesk.sandbox.url + "/api/v2/tickets", json=TICKET, timeout=10
                ).raise_for_status()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert [one["id"] for one in zendesk.sandbox.tickets()] == [str(number) for number in range(1, 81)]


class Broken(ZendeskSystem):
    """A system with a bug."""

    def answer(self, request: Request) -> tuple[Response, str]:
        raise ZeroDivisionError


def test_a_bug_of_the_sandbox_is_a_500_and_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(Broken())
    server.start()
    try:
        told = [requests.get(server.url + "/api/v2/x", timeout=5).status_code for _ in range(2)]
    finally:
        server.stop()

    assert (told, caplog.messages) == ([500, 500], ["sandbox_failed"] * 2)


# --- Faults ---


def test_down_does_nothing_and_answers_nothing(zendesk: Vendor) -> None:
    zendesk.sandbox.faults(down=True)

    with pytest.raises(requests.ConnectionError):
        zendesk("POST", "/tickets", TICKET)

    assert count(zendesk) == 0
    zendesk.sandbox.faults(down=False)
    assert zendesk("POST", "/tickets", TICKET).status_code == 201


def test_down_may_also_be_an_error(zendesk: Vendor) -> None:
    zendesk.sandbox.faults(down=True, down_as="502")

    assert (zendesk("POST", "/tickets", TICKET).status_code, count(zendesk)) == (502, 0)


@pytest.mark.parametrize(
    ("do", "outcome", "made"),
    [
        ("answer_lost", "cut", 1),
        ("reset", "cut", 0),
        ("truncated", "cut", 1),
        ("429", "429", 0),
        ("500", "500", 0),
        ("503", "503", 0),
    ],
)
def test_a_fault_strikes_once_where_it_is_aimed(zendesk: Vendor, do: str, outcome: str, made: int) -> None:
    zendesk.sandbox.faults(next=[{"match": "POST /api/v2/tickets", "do": do}])
    zendesk.get("/users/me")

    def create() -> str:
        try:
            return str(zendesk("POST", "/tickets", TICKET).status_code)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return "cut"

    told = (create(), count(zendesk), create())

    assert told == (outcome, made, "201")


def test_a_refusal_says_when_to_come_back(zendesk: Vendor, jira: Vendor) -> None:
    told = []
    for one in (zendesk, jira):
        one.sandbox.faults(
            retry_after_s=7, next=[{"match": "GET ", "do": "429"}, {"match": "GET ", "do": "503"}]
        )
        told += [
            (answer.status_code, answer.headers["Retry-After"])
            for answer in (one("GET", "/a"), one("GET", "/a"))
        ]

    assert told == [(429, "7"), (503, "7")] * 2


def test_a_slow_answer_holds_up_nobody_else(zendesk: Vendor, line: socket.socket) -> None:
    zendesk.sandbox.faults(next=[{"match": "GET /slow", "do": "slow", "ms": 60_000}])
    line.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")

    assert zendesk.get("/users/me")["user"]["name"] == "Concord"


def test_latency_delays_every_answer(zendesk: Vendor) -> None:
    zendesk.sandbox.faults(latency_ms=30)

    assert zendesk("GET", "/users/me").elapsed.total_seconds() >= 0.03


def test_rates_are_drawn_from_a_seed() -> None:
    def fates(seed: int) -> list[Blow]:
        box = FaultBox()
        box.set({"seed": seed, "rate_429": 0.2, "rate_answer_lost": 0.2, "rate_reset": 0.1})
        return [box.fate("GET", "/a").blow for _ in range(1000)]

    first = fates(1)

    assert (first == fates(1), first == fates(2)) == (True, False)
    assert [150 < first.count(Blow.ERROR) < 250, 50 < first.count(Blow.RESET) < 150] == [True, True]


@pytest.mark.parametrize(
    "values",
    [
        {"unheard_of": 1},
        {"next": [{"match": "GET", "do": "explode"}]},
        {"next": [{"do": "429"}]},
        {"down_as": "200"},
    ],
)
def test_what_is_no_fault_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        FaultBox().set(values)


# --- What is counted ---


def test_requests_are_counted_by_route(zendesk: Vendor) -> None:
    id_ = zendesk.send("POST", "/tickets", TICKET)["ticket"]["id"]
    for _ in range(2):
        zendesk.get(f"/tickets/{id_}.json")
    zendesk("GET", "/tickets/99")
    zendesk.sandbox.faults(next=[{"match": "GET", "do": "reset"}])
    with pytest.raises(requests.ConnectionError):
        zendesk("GET", "/tickets")

    calls = zendesk.sandbox.calls()

    assert (calls["total"], calls["calls"]) == (
        5,
        {
            "GET (fault)": {"0": 1},
            "GET /tickets/{id}": {"200": 2, "404": 1},
            "POST /tickets": {"201": 1},
        },
    )
    newest = calls["last"][0]
    assert (newest["method"], newest["path"], newest["status"], newest["fault"]) == (
        "GET",
        "/api/v2/tickets",
        0,
        "reset",
    )
    zendesk.sandbox.reset_calls()
    assert zendesk.sandbox.calls()["total"] == 0
