"""Lists that come in pages, and files that are sent as forms."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.connectors import errors
from integrations.connectors.http import Http
from integrations.connectors.jira import client
from integrations.connectors.jira.multipart import file_form
from tests.integrations.connectors.jira.conftest import Site

LOG = "/issue/1/changelog"


@pytest.fixture
def http(site: Site) -> Iterator[Http]:
    door = Http(site.url, allowed_private_hosts=frozenset({"127.0.0.1"}), timeout_s=5)
    yield door
    door.close()


@pytest.mark.parametrize(
    "pages",
    [
        [{"values": [{"id": 1}, {"id": 2}], "total": 3}, {"values": [{"id": 3}], "total": 3}],
        [{"values": [{"id": 1}, {"id": 2}], "isLast": False}, {"values": [{"id": 3}], "isLast": True}],
        [{"values": [{"id": 1}, {"id": 2}]}, {"values": [{"id": 3}]}, {"values": []}],
        [{"histories": [{"id": 1}, "odd", {"id": 2}]}, {"values": [{"id": 3}], "isLast": True}],
    ],
)
def test_a_list_is_read_to_its_end_however_that_is_told(http: Http, site: Site, pages: list[dict]) -> None:
    for page in pages:
        site.on("GET", LOG, page)
    assert client.changelog(http, "1") == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert len(site.asked) == len(pages)


@pytest.mark.parametrize("page", [{}, {"values": None}, {"values": {}}])
def test_a_list_that_is_missing_is_garbled(http: Http, site: Site, page: dict) -> None:
    site.on("GET", LOG, page)
    with pytest.raises(errors.Garbled):
        client.changelog(http, "1")


def test_a_list_without_an_end_is_given_up(http: Http, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_PAGES", 5)
    site.on("GET", LOG, {"values": [{"id": 1}]})
    site.on("POST", "/search/jql", {"issues": [{"id": "1"}], "nextPageToken": "again"})
    with pytest.raises(errors.Garbled):
        client.changelog(http, "1")
    with pytest.raises(errors.Garbled):
        list(client.search_all(http, "project = A", properties=()))
    assert len(site.asked) == 10


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("a.txt", "a.txt"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ('a".txt', "a%22.txt"),
        ("a\r\nX-Evil: 1.txt", "a X-Evil: 1.txt"),
        ("障害.pdf", "障害.pdf"),
        ("", "file"),
        ("dir/", "file"),
    ],
)
def test_a_file_name_stays_inside_its_quotes(name: str, sent: str) -> None:
    form = file_form(name, "text/plain\r\nX-Evil: 1", 1, iter([b"x"]))
    content = b"".join(form.body)
    head = content.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert head[1:] == [
        f'Content-Disposition: form-data; name="file"; filename="{sent}"',
        "Content-Type: text/plainX-Evil: 1",
    ]


def test_the_length_of_a_form_is_known_before_it_is_read() -> None:
    form = file_form("a", "", 3, iter([b"ab", b"c"]))
    assert len(form.body) == len(b"".join(form.body))


@pytest.mark.parametrize("chunks", [[b"ab"], [b"ab", b"cd"], []])
def test_a_file_of_another_length_than_announced_is_never_sent_whole(chunks: list[bytes]) -> None:
    form = file_form("a", "text/plain", 3, iter(chunks))
    with pytest.raises(errors.Garbled):
        b"".join(form.body)
