"""HTTP as bytes: requests read in any pieces, answers in one."""

from __future__ import annotations

import pytest

from integrations.sandbox.routes import Match, Router
from integrations.sandbox.wire import BadRequest, NotJson, Reader, Request, Response, encode

DATE = "Mon, 02 Mar 2026 12:00:00 GMT"


def read(*pieces: bytes) -> list[Request]:
    reader = Reader("127.0.0.1")
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (request := reader.take()) is not None:
            found.append(request)
    return found


def told(request: Request) -> tuple[str, str, bytes]:
    return request.method, request.path, request.body


GET = b"GET /a%20b/c?x=1&y=%C3%A4&x=2&z HTTP/1.1\r\nHost: sandbox:81\r\nX-One:  two \r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"


def test_a_request_is_taken_apart() -> None:
    (request,) = read(GET)

    assert (request.method, request.segments, request.headers["x-one"], request.origin) == (
        "GET",
        ["a b", "c"],
        "two",
        "http://sandbox:81",
    )
    assert (request.query, request.one("x"), request.number("x", 0), request.number("y", 9)) == (
        {"x": ["1", "2"], "y": ["ä"], "z": [""]},
        "2",
        2,
        9,
    )


@pytest.mark.parametrize("raw", [GET, POST, CHUNKED])
def test_a_request_may_come_byte_by_byte(raw: bytes) -> None:
    assert [told(one) for one in read(*(raw[at : at + 1] for at in range(len(raw))))] == [
        told(one) for one in read(raw)
    ]


def test_requests_may_follow_one_another() -> None:
    assert [told(one) for one in read(POST + CHUNKED + b"\r\n" + GET)] == [
        ("POST", "/p", b"hello"),
        ("POST", "/c", b"hello"),
        ("GET", "/a%20b/c", b""),
    ]


def test_a_client_that_waits_is_told_to_go_on() -> None:
    reader = Reader()
    reader.feed(b"POST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")

    assert (reader.take(), reader.wants_continue) == (None, True)
    reader.feed(b"ok")
    request = reader.take()
    assert request is not None
    assert request.body == b"ok"


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1", True),
        (b"HTTP/1.1\r\nConnection: close", False),
        (b"HTTP/1.0", False),
        (b"HTTP/1.0\r\nConnection: keep-alive", True),
    ],
)
def test_a_connection_is_kept_as_the_client_asks(head: bytes, keeps: bool) -> None:
    (request,) = read(b"GET / " + head + b"\r\n\r\n")

    assert request.keep_alive is keeps


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET nowhere HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nName : x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n", 413),
        (b"GET /" + b"a" * 70_000, 431),
    ],
)
def test_what_is_no_request_is_refused(raw: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as refused:
        read(raw)

    assert refused.value.status == status


def test_a_body_that_is_no_json_says_so() -> None:
    with pytest.raises(NotJson):
        read(POST)[0].json()


def test_an_answer_is_one_piece() -> None:
    response = Response(201, b"{}", headers=(("Location", "/a"),))

    assert encode(response, date=DATE, keep_alive=True) == (
        b"HTTP/1.1 201 Created\r\nDate: Mon, 02 Mar 2026 12:00:00 GMT\r\n"
        b"Content-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\nLocation: /a\r\n\r\n{}"
    )


def test_an_answer_without_a_body_and_one_to_head() -> None:
    nothing = encode(Response(204, b"", ""), date=DATE, keep_alive=False)
    head = encode(Response(200, b"hello", "text/plain"), date=DATE, keep_alive=True, head_only=True)

    assert (b"Content-Length" in nothing, b"Connection: close" in nothing) == (False, True)
    assert (b"Content-Length: 5" in head, head.endswith(b"\r\n\r\n")) == (True, True)


def test_a_route_is_found_by_its_segments() -> None:
    router = Router()
    for method, pattern in (
        ("GET", "/t/{id}"),
        ("PUT", "/t/{id}"),
        ("GET", "/t/many"),
        ("GET", "/t/{id}/c/{one}"),
    ):
        router.add(method, pattern, str)

    def find(method: str, path: str) -> object:
        found = router.find(method, path.split("/"))
        return (found.pattern, found.values) if isinstance(found, Match) else found

    assert find("GET", "t/7") == ("/t/{id}", ("7",))
    assert find("GET", "t/many") == ("/t/many", ())
    assert find("GET", "t/many/c/2") == ("/t/{id}/c/{one}", ("many", "2"))
    assert find("DELETE", "t/7") == {"GET", "PUT"}
    assert [find("GET", path) for path in ("t", "t/7/c", "x", "t//c/2")] == [None] * 4
