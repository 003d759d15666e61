"""The door to other companies' systems: addresses, limits, broken connections, and what is known afterwards."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from integrations.connectors import answers, errors, http, wire
from integrations.connectors.http import Exchange, Http, SizedBody
from tests.integrations.connectors.raw_server import Peer, RawServer, answer, raw_server

LOOPBACK = frozenset({"127.0.0.1"})


def always(data: bytes) -> Callable[[Peer], None]:
    """Answers every request on a connection with the same bytes."""

    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.send(data)

    return handle


@contextlib.contextmanager
def serving(handler: Callable[[Peer], None], **options: object) -> Iterator[tuple[RawServer, Http]]:
    """A server that this handler answers for, and the door to it."""
    with raw_server(handler) as server, door_to(server, **options) as door:
        yield server, door


@contextlib.contextmanager
def door_to(server: RawServer, **options: object) -> Iterator[Http]:
    door = Http(
        server.url,
        **{"allowed_private_hosts": LOOPBACK, "timeout_s": 5.0, **options},  # type: ignore[arg-type]
    )
    try:
        yield door
    finally:
        door.close()


# --- What is sent and what comes back ---


def test_a_request_carries_our_name_our_credentials_and_json() -> None:
    seen: list[bytes] = []

    def handle(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.send(answer(b'{"id": 1}', "201 Created"))

    with serving(handle) as (_server, door):
        door.sign_in_as("anna", "pässwörd→")
        got = door.request("POST", "/tickets", params={"a": "x y"}, json_body={"ü": "→"}, expect=(201,))
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    basic = base64.b64encode("anna:pässwörd→".encode()).decode()
    assert lines[0] == "POST /tickets?a=x+y HTTP/1.1"
    assert {"User-Agent: Concord", f"Authorization: Basic {basic}", "Content-Type: application/json"} <= set(
        lines
    )
    assert json.loads(body) == {"ü": "→"}
    assert (got.status, got.object(), got.wrote) == (201, {"id": 1}, True)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"\xef\xbb\xbf{}", {}),
        (b'{"a": "x\\u0000y"}', {"a": "xy"}),
        (b'{"a": ["\\ud83d", "\\ud83d\\ude00", "\\\\u0000"]}', {"a": ["", "\U0001f600", "\\u0000"]}),
        (b"[1, 2]", [1, 2]),
    ],
)
def test_json_is_read_so_that_every_database_can_hold_it(body: bytes, value: object) -> None:
    assert http.Answer(200, {}, body).json() == value


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><title>Sign in</title>", b"1", b'"x"', b"null", b"{", b"\xff\xfe{", b'{"a": NaN}', b'{"a": 1e999}',
     b"[" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000],
)  # fmt: skip
def test_what_is_no_json_is_garbled_and_after_a_write_nobody_knows(body: bytes) -> None:
    for wrote in (False, True):
        with pytest.raises(errors.Garbled) as caught:
            http.Answer(200, {"Content-Type": "text/html"}, body, wrote).json()
        assert caught.value.outcome_unknown is wrote


def test_a_list_where_an_object_was_expected_is_garbled() -> None:
    with pytest.raises(errors.Garbled):
        http.Answer(200, {}, b"[]").object()


def test_an_unreadable_answer_leaves_no_words_of_a_ticket_in_the_log() -> None:
    with pytest.raises(errors.Garbled) as caught:
        http.Answer(200, {"Content-Type": "application/json"}, b'{"subject": "top secret').json()
    assert caught.value.detail == "application/json, 23 bytes"
    with pytest.raises(errors.Garbled) as caught:
        http.Answer(200, {"Content-Type": "text/html"}, b"<html><title>Sign\n in</title>hello").json()
    assert caught.value.detail == "text/html, 34 bytes, page “Sign in”"


def test_a_compressed_answer_is_unpacked() -> None:
    packed = gzip.compress(b'{"a": 1}')
    with serving(always(answer(packed, Content_Encoding="gzip"))) as (_server, door):
        assert door.request("GET", "/").object() == {"a": 1}


def test_cookies_are_not_kept() -> None:
    seen: list[bytes] = []

    def handle(peer: Peer) -> None:
        while request := peer.read_request():
            seen.append(request)
            peer.send(answer(Set_Cookie="session=abc; Path=/"))

    with serving(handle) as (_server, door):
        door.request("GET", "/")
        door.request("GET", "/")
    assert len(seen) == 2
    assert not any(b"cookie" in request.lower() for request in seen)


def test_every_exchange_is_told_without_query_and_content() -> None:
    told: list[Exchange] = []
    with serving(always(answer(b'{"a":1}')), on_exchange=told.append) as (_server, door):
        door.request("GET", "/tickets", params={"secret": "x"})
        door.request("PUT", "/tickets/1", json_body={})
    with contextlib.suppress(errors.Unavailable):
        door.request("GET", "/gone")
    facts = [(one.method, one.path, one.status, one.sent_bytes, one.received_bytes) for one in told]
    assert facts == [
        ("GET", "/tickets", 200, 0, 7),
        ("PUT", "/tickets/1", 200, 2, 7),
        ("GET", "/gone", None, 0, 0),
    ]
    assert all(one.duration_ms >= 0 for one in told)


# --- What a status means ---


@pytest.mark.parametrize(
    ("status", "kind", "unknown"),
    [
        (203, errors.Unauthorized, False), (302, errors.Unauthorized, False), (400, errors.Invalid, False),
        (401, errors.Unauthorized, False), (403, errors.Forbidden, False), (404, errors.Gone, False),
        (408, errors.TimedOut, False), (409, errors.Stale, False), (410, errors.Gone, False),
        (412, errors.Stale, False), (413, errors.TooLarge, False), (422, errors.Invalid, False),
        (425, errors.TimedOut, False), (429, errors.RateLimited, False), (500, errors.Unavailable, True),
        (502, errors.Unavailable, True), (503, errors.Unavailable, False), (504, errors.Unavailable, True),
        (204, errors.Garbled, True),
    ],
)  # fmt: skip
def test_a_status_says_what_happens_next(
    status: int, kind: type[errors.ConnectorError], unknown: bool
) -> None:
    error = http.general_error(status, {}, b"words", writes=True)
    assert (type(error), error.status, error.outcome_unknown) == (kind, status, unknown)
    assert not http.general_error(status, {}, b"words", writes=False).outcome_unknown


def test_a_page_that_says_not_found_says_nothing_about_a_ticket() -> None:
    for status in (404, 410):
        error = http.general_error(
            status, {"Content-Type": "text/html"}, b" <html><title>Oops</title>", False
        )
        assert (type(error), error.detail) == (errors.Garbled, "text/html, 26 bytes, page “Oops”")


def test_a_busy_system_that_names_a_time_is_waited_for() -> None:
    error = http.general_error(503, {"Retry-After": "7"}, b"", writes=True)
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after_s == 7


@time_machine.travel(datetime(2026, 1, 1, 10, 0, tzinfo=UTC), tick=False)
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("12", 12.0), ("0.5", 0.5), ("-3", 0.0), ("", None), ("soon", None), ("nan", None), ("inf", None),
        ("1e400", None), ("Thu, 01 Jan 2026 10:01:30 GMT", 90.0), ("Thu, 01 Jan 2026 10:01:30 -0000", 90.0),
        ("Thu, 01 Jan 2026 09:00:00 GMT", 0.0), ("Thu, 01 Jan 99999 09:00:00 GMT", None),
    ],
)  # fmt: skip
def test_the_time_to_wait_comes_as_a_number_or_a_date(value: str, seconds: float | None) -> None:
    assert http.retry_after_s({"Retry-After": value}) == seconds
    assert http.retry_after_s({"retry-after": value}) == seconds


@pytest.mark.parametrize(
    ("date", "took_s", "asked_at"),
    [
        ("Thu, 01 Jan 2026 10:00:30 GMT", 2.5, datetime(2026, 1, 1, 10, 0, 26, 500_000, tzinfo=UTC)),
        ("Thu, 01 Jan 2026 12:00:30 +0200", 0.0, datetime(2026, 1, 1, 10, 0, 29, tzinfo=UTC)),
        ("Thu, 01 Jan 2026 10:00:30 -0000", 0.0, datetime(2026, 1, 1, 10, 0, 29, tzinfo=UTC)),
        ("Thu, 01 Jan 2026 10:00:30 GMT", None, None),
        ("", 2.5, None),
        ("2026-01-01T10:00:30Z", 2.5, None),
        ("Fri, 31 Dec 9999 23:59:59 -0100", 2.5, None),
    ],
)
def test_a_dated_answer_tells_when_it_was_asked_for_at_the_earliest(
    date: str, took_s: float | None, asked_at: datetime | None
) -> None:
    answered = http.Answer(200, {"Date": date} if date else {}, b"", took_s=took_s)
    assert answered.asked_at() == asked_at


def test_how_long_an_answer_took_is_measured_until_all_of_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([10.0, 12.5, 13.0])
    monkeypatch.setattr(http.time, "perf_counter", lambda: next(seconds))
    with serving(always(answer(b"{}"))) as (_, door):
        assert door.request("GET", "/").took_s == 2.5


def test_a_vendors_own_words_come_before_the_general_meaning() -> None:
    def read_error(status: int, headers: object, body: bytes) -> errors.ConnectorError | None:
        return errors.Gone(body.decode()) if status == 422 else None

    with (
        serving(always(answer(b"closed", "422 No")), read_error=read_error) as (_server, door),
        pytest.raises(errors.Gone, match="closed"),
    ):
        door.request("PUT", "/tickets/1", json_body={})


# --- What breaks, and what is known then ---


def handle_reset_after_reading(peer: Peer) -> None:
    peer.read_request()
    peer.reset()


def handle_close_without_answer(peer: Peer) -> None:
    peer.read_request()


def handle_garbage(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


def handle_half_a_head(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")


def handle_truncated(peer: Peer) -> None:
    peer.read_request()
    peer.send(answer(b'{"a": 1}')[:-3])


def handle_truncated_chunks(peer: Peer) -> None:
    peer.read_request()
    peer.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n')


def handle_broken_gzip(peer: Peer) -> None:
    peer.read_request()
    peer.send(answer(b"no gzip at all", Content_Encoding="gzip"))


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (handle_reset_after_reading, errors.Unavailable),
        (handle_close_without_answer, errors.Unavailable),
        (handle_garbage, errors.Unavailable),
        (handle_truncated, errors.Garbled),
        (handle_truncated_chunks, errors.Garbled),
        (handle_broken_gzip, errors.Garbled),
    ],
)
def test_a_broken_connection_leaves_a_write_unknown_and_a_read_repeatable(
    handler: Callable[[Peer], None], kind: type[errors.ConnectorError]
) -> None:
    for method, unknown in (("GET", False), ("PUT", True)):
        with serving(handler) as (server, door), pytest.raises(errors.Unavailable) as caught:
            door.request(method, "/tickets/1", json_body={})
        assert (type(caught.value), caught.value.outcome_unknown) == (kind, unknown)
        # A fresh connection that breaks is not tried again behind the caller's back.
        assert server.connections == 1


def test_a_connection_that_broke_while_the_guard_was_asked_is_unknown_too() -> None:
    """Whether the bytes left our machine cannot be told from the error, so the careful answer is given."""
    asked, has_reset = threading.Event(), threading.Event()

    def handle(peer: Peer) -> None:
        asked.wait(5)
        peer.reset()
        has_reset.set()

    def guard() -> bool:
        asked.set()
        return has_reset.wait(5)

    with serving(handle) as (_server, door), http.guarded(guard):
        with pytest.raises(errors.Unavailable) as caught:
            door.request("PUT", "/tickets/1", json_body={})
        assert (type(caught.value), caught.value.outcome_unknown) == (errors.Unavailable, True)


def test_half_a_head_is_an_answer_without_a_body() -> None:
    """Python's reader takes the end of the connection for the end of the head; the status had come in whole."""
    with serving(handle_half_a_head) as (_server, door), pytest.raises(errors.Garbled) as caught:
        door.request("PUT", "/", json_body={}).json()
    assert caught.value.outcome_unknown


def test_a_post_that_only_reads_is_never_unknown() -> None:
    with serving(handle_reset_after_reading) as (_server, door), pytest.raises(errors.Unavailable) as caught:
        door.request("POST", "/search", json_body={}, is_write=False)
    assert not caught.value.outcome_unknown


def test_a_refused_connection_did_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    door = Http(f"http://127.0.0.1:{port}", allowed_private_hosts=LOOPBACK)
    with pytest.raises(errors.Unavailable, match=r"could not be reached\.") as caught:
        door.request("POST", "/tickets", json_body={})
    assert not caught.value.outcome_unknown


def test_a_name_that_does_not_exist_did_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(errors.Unavailable, match=r"could not be reached\.") as caught:
        Http("https://nowhere.example").request("POST", "/tickets", json_body={})
    assert not caught.value.outcome_unknown


def test_a_host_that_does_not_pick_up_in_time_did_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # A full backlog: the system under the listener stops answering new connections.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(8):
            sock = socket.socket()
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(listener.getsockname())
            waiting.append(sock)
        door = Http(
            f"http://127.0.0.1:{listener.getsockname()[1]}", allowed_private_hosts=LOOPBACK, timeout_s=0.2
        )
        with pytest.raises(errors.TimedOut, match="reached in time") as caught:
            door.request("PUT", "/tickets/1", json_body={})
        for sock in waiting:
            sock.close()
    assert not caught.value.outcome_unknown


def test_what_speaks_no_tls_did_nothing() -> None:
    with raw_server(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        door = Http(server.url.replace("http:", "https:"), allowed_private_hosts=LOOPBACK)
        with pytest.raises(errors.Unavailable, match="No secure connection") as caught:
            door.request("PUT", "/tickets/1", json_body={})
    assert not caught.value.outcome_unknown


def test_a_certificate_that_nobody_vouches_for_did_nothing(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    seen: list[bytes] = []

    def handle(peer: Peer) -> None:
        with context.wrap_socket(peer.sock, server_side=True) as secure:
            seen.append(secure.recv(100))

    with raw_server(handle) as server:
        door = Http(server.url.replace("http:", "https:"), allowed_private_hosts=LOOPBACK)
        with pytest.raises(errors.Unavailable, match="certificate") as caught:
            door.request("PUT", "/tickets/1", json_body={})
    assert (caught.value.outcome_unknown, seen) == (False, [])


def self_signed(folder: Path) -> Path:
    """A certificate for this machine that no authority signed, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    certificate = builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    file = folder / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    return file


def handle_silence(peer: Peer) -> None:
    peer.read_request()
    # Ends when the client hangs up.
    peer.read_request()


def handle_trickling_head(peer: Peer) -> None:
    peer.read_request()
    with contextlib.suppress(OSError):
        while True:
            peer.send(b"HTTP/1.1 200 OK\r\n"[:1])
            time.sleep(0.02)


def handle_trickling_headers(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\n")
    with contextlib.suppress(OSError):
        while True:
            peer.send(b"a")
            time.sleep(0.02)


def handle_trickling_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            peer.send(b" ")
            time.sleep(0.02)


@pytest.mark.parametrize(
    "handler", [handle_silence, handle_trickling_head, handle_trickling_headers, handle_trickling_body]
)
def test_an_answer_has_one_time_limit_however_it_trickles(handler: Callable[[Peer], None]) -> None:
    with serving(handler, timeout_s=0.2) as (_server, door):
        started = time.monotonic()
        with pytest.raises(errors.TimedOut, match="did not answer in time") as caught:
            door.request("PUT", "/tickets/1", json_body={})
        took_s = time.monotonic() - started
    assert caught.value.outcome_unknown
    assert took_s < 2


def test_an_answer_over_the_limit_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 1000)
    for body in (answer(b"x" * 2000), answer(gzip.compress(b"x" * 5_000_000), Content_Encoding="gzip")):
        with serving(always(body)) as (_server, door):
            with pytest.raises(errors.TooLarge) as caught:
                door.request("PUT", "/tickets/1", json_body={})
            assert caught.value.outcome_unknown


def test_any_number_of_odd_bytes_ends_in_an_error_of_ours() -> None:
    beginnings = [
        b"", b"\r\n\r\n", b"HTTP/1.1", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}", b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200,
        b"HTTP/1.1 200 OK\r\na: " + b"x" * 100_000, b"HTTP/1.1 302 Go\r\nLocation: http://[::1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: br\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50, b"HTTP/1.1 101 Switching\r\n\r\n", bytes(range(256)),
    ]  # fmt: skip
    for beginning in beginnings:

        def handle(peer: Peer, beginning: bytes = beginning) -> None:
            peer.read_request()
            peer.send(beginning)

        with (
            raw_server(handle) as server,
            door_to(server) as door,
            contextlib.suppress(errors.ConnectorError),
        ):
            door.request("GET", "/").json()


# --- Connections that are used again ---


def test_a_connection_is_used_again_and_threads_have_their_own() -> None:
    with serving(always(answer())) as (server, door), ThreadPoolExecutor(32) as pool:
        got = list(pool.map(lambda number: door.request("GET", f"/{number}").object(), range(640)))
    assert got == [{}] * 640
    assert server.connections <= 32


def test_closing_the_door_closes_its_connections_at_once() -> None:
    hung_up = threading.Event()

    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.send(answer())
        hung_up.set()

    with serving(handle) as (_server, door):
        door.request("GET", "/")
        # Somebody may still hold an error or an answer of this door.
        held = door._adapter.poolmanager.connection_from_url(door.base_url)
        door.close()
        assert hung_up.wait(2)
        assert held.pool is None
        door.request("GET", "/")


@pytest.fixture
def drop_after_first() -> Callable[[Peer], None]:
    """Keeps a connection alive for one request, then closes it the moment the second one has left."""

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer(b'{"n": %d}' % peer.number))
        if peer.number == 1:
            peer.read_request()
            return
        while peer.read_request():
            peer.send(answer(b'{"n": %d}' % peer.number))

    return handle


def test_a_read_is_sent_again_when_an_idle_connection_had_been_closed(
    drop_after_first: Callable[[Peer], None],
) -> None:
    with serving(drop_after_first) as (_server, door):
        got = [door.request("GET", "/").object() for _ in range(3)]
    assert got == [{"n": 1}, {"n": 2}, {"n": 2}]


def test_a_read_that_took_too_long_is_not_sent_again() -> None:
    seen: list[bytes] = []

    def handle(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.send(answer())
        seen.append(peer.read_request())
        # Ends when the client hangs up.
        peer.read_request()

    with serving(handle, timeout_s=0.2) as (server, door):
        door.request("GET", "/")
        with pytest.raises(errors.TimedOut):
            door.request("GET", "/")
        assert (len(seen), server.connections) == (2, 1)


def test_a_write_is_not_sent_again_but_said_to_be_unknown(drop_after_first: Callable[[Peer], None]) -> None:
    with serving(drop_after_first) as (server, door):
        door.request("GET", "/")
        with pytest.raises(errors.Unavailable) as caught:
            door.request("PUT", "/", json_body={})
    assert caught.value.outcome_unknown
    assert server.connections == 1


def test_a_write_takes_no_connection_that_was_idle_for_long(
    drop_after_first: Callable[[Peer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "WRITE_IDLE_S", -1.0)
    with serving(drop_after_first) as (_server, door):
        door.request("GET", "/")
        assert door.request("PUT", "/", json_body={}).object() == {"n": 2}


# --- The guard ---


def test_the_guard_is_asked_when_the_connection_stands_and_before_a_byte_leaves() -> None:
    seen: list[bytes] = []
    connected_when_asked: list[int] = []

    def handle(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.send(answer())

    with serving(handle) as (server, door):

        def guard() -> bool:
            # The listener has the connection; give its thread the moment to count it.
            until = time.monotonic() + 2
            while not server.connections and time.monotonic() < until:
                time.sleep(0.001)
            connected_when_asked.append(server.connections)
            return False

        with http.guarded(guard), pytest.raises(errors.NotSent) as caught:
            door.request("PUT", "/tickets/1", json_body={})
        assert (connected_when_asked, caught.value.outcome_unknown) == ([1], False)
        door.request("GET", "/after")
    assert [request.split(b" ")[:2] for request in seen if request] == [[b"GET", b"/after"]]


def test_the_guard_holds_for_connections_that_are_used_again_and_only_in_its_block() -> None:
    with serving(always(answer())) as (_server, door):
        door.request("PUT", "/", json_body={})
        with http.guarded(lambda: False), pytest.raises(errors.NotSent):
            door.request("PUT", "/", json_body={})
        with http.guarded(lambda: True):
            door.request("PUT", "/", json_body={})
        door.request("PUT", "/", json_body={})


def test_a_guard_in_one_thread_is_none_in_another() -> None:
    with (
        serving(always(answer())) as (_server, door),
        http.guarded(lambda: False),
        ThreadPoolExecutor(1) as pool,
    ):
        assert pool.submit(door.request, "PUT", "/", json_body={}).result().status == 200


# --- Addresses ---

# Spellings of this machine, its neighbours, and cloud metadata services.
PRIVATE_URLS = [
    "https://127.0.0.1", "https://127.1", "https://127.0.1", "https://2130706433", "https://0x7f000001",
    "https://0x7f.1", "https://0177.0.0.1", "https://017700000001", "https://0", "https://0.0.0.0",
    "https://127.255.255.254", "https://localhost", "https://localhost.", "https://LOCALHOST",
    "https://[::1]", "https://[0:0:0:0:0:0:0:1]", "https://[::]", "https://[::ffff:127.0.0.1]",
    "https://[::ffff:7f00:1]", "https://[::127.0.0.1]", "https://[64:ff9b::127.0.0.1]", "https://[64:ff9b:1::1]",
    "https://[2002:7f00:1::]", "https://[2001:0:0:0:0:0:80ff:fffe]", "https://10.0.0.1", "https://10.1",
    "https://172.16.0.1", "https://172.31.255.255", "https://192.168.0.1", "https://192.168.1",
    "https://169.254.169.254", "https://0xa9fea9fe", "https://2852039166", "https://[::ffff:a9fe:a9fe]",
    "https://100.64.0.1", "https://100.100.100.200", "https://192.0.0.192", "https://198.18.0.1",
    "https://224.0.0.1", "https://240.0.0.1", "https://255.255.255.255", "https://[fd00:ec2::254]",
    "https://[fe80::1]", "https://[fec0::1]", "https://[ff02::1]", "https://[100::1]", "https://[2001:db8::1]",
    "https://127.0.0.1%2f@example.com", "https://user:password@127.0.0.1", "https://127.0.0.1:8443",
    "https://ⓛocalhost", "https://①②⑦.⓪.⓪.①", "https://127。0。0。1",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_private_addresses_are_refused_in_every_spelling(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: socket.socket, address: object) -> None:
        pytest.fail(f"a connection to {address} was begun")

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(errors.ConnectorError) as caught:
        Http(url, allowed_private_hosts=frozenset({"sandbox.example"})).request("GET", "/")
    # Not found is as good as refused: what counts is that nothing was called.
    assert isinstance(caught.value, errors.Refused) or "could not be reached" in caught.value.message
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize(
    "url",
    ["http://example.com", "https://example.com:22", "https://example.com:6379", "ftp://example.com", "file:///etc",
     "gopher://example.com", "//example.com", "example.com", "", "https://", "https://:443", "https://[::1",
     "https://example.com:99999", "https://example.com:x", "https://a b.example", "https://" + "a" * 70 + ".example",
     "javascript:alert(1)", "https://exa\nmple.com:1"],
)  # fmt: skip
def test_only_https_on_usual_ports_leaves_for_public_hosts(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("a connection was begun"))
    with pytest.raises(errors.ConnectorError) as caught:
        Http(url).request("PUT", "/", json_body={})
    assert isinstance(caught.value, errors.Refused | errors.Unavailable)
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert http.is_public_address(address)


def resolving_to(*addresses: str) -> Callable[..., list]:
    return lambda host, port, *args, **kwargs: [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
    ]


def test_a_name_that_leads_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("a connection was begun"))
    for addresses in (("10.0.0.1",), ("93.184.216.34", "127.0.0.1")):
        monkeypatch.setattr(socket, "getaddrinfo", resolving_to(*addresses))
        with pytest.raises(errors.Refused, match="private network"):
            Http("https://partner.example").request("GET", "/")


def test_the_address_that_was_checked_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that gives a public address first and a private one afterwards gains nothing."""
    looked_up: list[str] = []
    called: list[tuple] = []

    def rebinding(host: str, port: int, *args: object, **kwargs: object) -> list:
        looked_up.append(host)
        address = "93.184.216.34" if len(looked_up) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(self: socket.socket, address: tuple) -> None:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(errors.Unavailable):
        Http("https://partner.example").request("GET", "/")
    assert (looked_up, called) == (["partner.example"], [("93.184.216.34", 443)])


@pytest.mark.parametrize("allowed", ["127.0.0.1", "127.0.0.1:PORT", "LOCALHOST"])
def test_the_operator_may_allow_a_private_host_by_name_or_by_name_and_port(allowed: str) -> None:
    with raw_server(always(answer())) as server:
        host = "localhost" if allowed == "LOCALHOST" else "127.0.0.1"
        hosts = frozenset({allowed.replace("PORT", str(server.port))})
        door = Http(f"http://{host}:{server.port}", allowed_private_hosts=hosts)
        assert door.request("GET", "/").status == 200
        door.close()


def test_an_allowed_port_allows_no_other() -> None:
    with raw_server(always(answer())) as server:
        door = Http(server.url, allowed_private_hosts=frozenset({"127.0.0.1:1"}))
        with pytest.raises(errors.Refused):
            door.request("GET", "/")


def test_proxies_and_netrc_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login stolen password stolen\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    seen: list[bytes] = []

    def handle(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.send(answer())

    with serving(handle) as (_server, door):
        door.request("GET", "/")
    assert b"authorization" not in seen[0].lower()


# --- Redirects and other hosts ---


def test_a_redirect_is_not_followed() -> None:
    seen: list[bytes] = []

    def handle(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.send(answer(b"", "302 Found", Location="http://169.254.169.254/latest/meta-data"))

    with (
        serving(handle, auth=("anna", "secret")) as (_server, door),
        pytest.raises(errors.Unauthorized, match="sign-in page"),
    ):
        door.request("GET", "/")
    assert len(seen) == 1


def test_an_address_on_another_host_gets_no_request() -> None:
    with serving(always(answer()), auth=("anna", "secret")) as (server, door):
        assert door.request("GET", server.url + "/next").status == 200
        for other in ("https://evil.example/next", f"http://localhost:{server.port}/", "http://127.0.0.1:1/"):
            with pytest.raises(errors.Refused):
                door.request("GET", other)


def handle_file(content: bytes) -> Callable[[Peer], None]:
    return always(answer(content, Content_Type="application/octet-stream"))


def test_a_file_comes_in_pieces_and_whole() -> None:
    content = bytes(range(256)) * 1000
    told: list[Exchange] = []
    with (
        serving(handle_file(content), on_exchange=told.append) as (_server, door),
        door.stream("/file", limit_bytes=len(content)) as chunks,
    ):
        pieces = list(chunks)
    assert b"".join(pieces) == content
    assert len(pieces) > 1
    assert [(one.path, one.status, one.received_bytes) for one in told] == [("/file", 200, len(content))]


def test_a_file_may_take_long_as_long_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    def handle(peer: Peer) -> None:
        while peer.read_request():
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            for _ in range(5):
                peer.send(b"x")
                threading.Event().wait(0.12)

    with serving(handle, timeout_s=0.3) as (_server, door):
        with door.stream("/file", limit_bytes=100) as chunks:
            assert b"".join(chunks) == b"xxxxx"
        monkeypatch.setattr(http, "FILE_TIMEOUT_S", 0.2)
        with pytest.raises(errors.TimedOut), door.stream("/file", limit_bytes=100) as chunks:
            list(chunks)


def test_a_file_over_the_limit_is_given_up() -> None:
    with (
        serving(handle_file(b"x" * 200_000)) as (_server, door),
        pytest.raises(errors.TooLarge),
        door.stream("/file", limit_bytes=100_000) as chunks,
    ):
        list(chunks)


def test_a_file_that_breaks_off_is_an_error() -> None:
    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer(b"x" * 1000)[:-10])

    with (
        serving(handle) as (_server, door),
        pytest.raises(errors.Garbled),
        door.stream("/file", limit_bytes=10_000) as chunks,
    ):
        list(chunks)


def test_a_file_on_another_host_is_fetched_without_credentials() -> None:
    seen: list[bytes] = []

    def media(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.send(answer(b"content"))

    with raw_server(media) as other:

        def pointing(peer: Peer) -> None:
            seen.append(peer.read_request())
            peer.send(answer(b"", "302 Found", Location=other.url + "/media?sig=1"))

        options = {"auth": ("anna", "secret"), "headers": {"X-Own": "1"}}
        with serving(pointing, **options) as (_server, door):
            with door.stream("/file", limit_bytes=100) as chunks:
                assert b"".join(chunks) == b"content"
            with door.stream(other.url + "/direct", limit_bytes=100) as chunks:
                assert b"".join(chunks) == b"content"
    shown = [
        (request.split(b" ")[1], b"authorization" in request.lower(), b"X-Own" in request) for request in seen
    ]
    assert shown == [(b"/file", True, True), (b"/media?sig=1", False, False), (b"/direct", False, False)]


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/", "http://example.com/", "ftp://example.com/", "http://[::1"]
)
def test_a_file_is_not_fetched_from_where_nobody_may_call(target: str) -> None:
    with (
        serving(always(answer(b"", "302 Found", Location=target))) as (_server, door),
        pytest.raises(errors.ConnectorError),
        door.stream("/file", limit_bytes=100) as chunks,
    ):
        list(chunks)


def test_a_second_redirect_of_a_file_is_a_sign_in_page() -> None:
    with (
        serving(always(answer(b"", "302 Found", Location="/again"))) as (server, door),
        pytest.raises(errors.Unauthorized),
        door.stream("/file", limit_bytes=100) as chunks,
    ):
        list(chunks)
    assert server.connections <= 2


def test_an_error_of_the_reader_of_a_file_stays_its_own() -> None:
    def read_and_fail(door: Http) -> None:
        with door.stream("/file", limit_bytes=1000) as chunks:
            next(chunks)
            raise FileNotFoundError

    with serving(handle_file(b"x" * 100)) as (_server, door), pytest.raises(FileNotFoundError):
        read_and_fail(door)


# --- Files that are sent ---


def test_a_file_is_sent_with_its_length_and_never_held() -> None:
    seen: list[bytes] = []

    def handle(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.send(answer(b"{}", "201 Created"))

    chunks = [b"a" * 70_000, b"", b"b" * 30_000]
    for parts in (chunks, []):
        size = sum(map(len, parts))
        with serving(handle) as (_server, door):
            door.request("POST", "/uploads", data=SizedBody(iter(parts), size), expect=(201,), is_write=False)
        head, _, body = seen.pop().partition(b"\r\n\r\n")
        assert f"content-length: {size}".encode() in head.lower()
        assert body == b"".join(parts)


@pytest.mark.parametrize("size", [99, 101])
def test_a_file_of_another_length_than_announced_is_not_sent_to_its_end(size: int) -> None:
    seen: list[bytes] = []

    def handle(peer: Peer) -> None:
        seen.append(peer.read_request())
        if len(seen[0].partition(b"\r\n\r\n")[2]) == size:
            peer.send(answer())

    with serving(handle) as (_server, door), pytest.raises(errors.Garbled) as caught:
        door.request("PUT", "/file", data=SizedBody(iter([b"x" * 50, b"x" * 50]), size))
    assert not caught.value.outcome_unknown


def test_a_source_that_fails_while_a_file_is_sent_tells_its_own_error() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x" * 50
        raise errors.RateLimited("wait", retry_after_s=3)

    with serving(handle_close_without_answer) as (_server, door), pytest.raises(errors.RateLimited):
        door.request("POST", "/uploads", data=SizedBody(chunks(), 100))


def test_one_systems_file_is_sent_to_another_while_it_is_read() -> None:
    seen: list[bytes] = []
    content = bytes(range(256)) * 2000

    def taking(peer: Peer) -> None:
        seen.append(peer.read_request())
        peer.send(answer())

    def chunks(source: Http) -> Iterator[bytes]:
        with source.stream("/file", limit_bytes=10_000_000) as pieces:
            yield from pieces

    with (
        raw_server(handle_file(content)) as left,
        raw_server(taking) as right,
        door_to(left) as source,
        door_to(right) as target,
    ):
        target.request("PUT", "/file", data=SizedBody(chunks(source), len(content)))
    assert seen[0].partition(b"\r\n\r\n")[2] == content


def test_the_time_limit_begins_when_a_slow_file_has_been_sent() -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(4):
            threading.Event().wait(0.15)
            yield b"x" * 10

    with serving(always(answer()), timeout_s=0.4) as (_server, door):
        assert door.request("PUT", "/file", data=SizedBody(chunks(), 40)).status == 200


# --- Secrets ---


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic c2VjcmV0", "authorization=Bearer c2VjcmV0LXRva2Vu", '"api_token": "c2VjcmV0"',
        '{\\"password\\": \\"c2VjcmV0 c2VjcmV0\\"}', "password='c2VjcmV0 c2VjcmV0'", "token=c2VjcmV0&a=b",
        "https://anna:c2VjcmV0@example.com/", "/attachments/token/c2VjcmV0/?name=x", "Cookie: c2VjcmV0; b=1",
        "X-Api-Key: c2VjcmV0", "client_secret=c2VjcmV0", 'Set-Cookie: sid="c2VjcmV0"', "Bearer c2VjcmV0LXRva2Vu",
        '"authenticity_token":"c2VjcmV0', "X-Zendesk-Webhook-Signature: c2VjcmV0=",
    ],
)  # fmt: skip
def test_whatever_looks_like_a_credential_is_taken_out(text: str) -> None:
    assert "c2VjcmV0" not in http.redacted(text)


def test_redaction_leaves_the_rest_and_is_quick() -> None:
    assert http.redacted("Status: closed prevents ticket update") == "Status: closed prevents ticket update"
    started = time.process_time()
    for odd in (
        "token=" * 10_000,
        '"token":"' * 5_000,
        "basic " * 10_000,
        "://" * 20_000,
        "secret-" * 10_000,
    ):
        http.redacted(odd)
    assert time.process_time() - started < 2


def test_our_own_secret_is_taken_out_wherever_a_system_repeats_it() -> None:
    def echo(peer: Peer) -> None:
        peer.send(answer(b"you sent " + peer.read_request(), "400 No"))

    with serving(echo, auth=("anna", "hunter22")) as (_server, door), pytest.raises(errors.Invalid) as caught:
        door.request("GET", "/", params={"note": "hunter22"})
    basic = base64.b64encode(b"anna:hunter22").decode()
    assert caught.value.detail.startswith("you sent GET")
    assert "hunter22" not in caught.value.detail + caught.value.message
    assert basic not in caught.value.detail
    assert len(caught.value.detail) <= answers.MAX_DETAIL_CHARS
