"""A web hook goes straight to its view: without session, cookies or a page's headers, and with every check it needs."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import make_system

pytestmark = pytest.mark.django_db


@pytest.fixture
def address() -> str:
    return reverse("hook", args=[make_system().hook_token])


def test_an_unproven_web_hook_is_answered_as_before_and_leaves_no_session(
    client: Client, address: str
) -> None:
    answer = client.post(address, b"{}", content_type="application/json")

    assert (answer.status_code, answer.json(), answer.cookies.output()) == (
        401,
        {"error": "The web hook's signature does not prove where it comes from."},
        "",
    )
    assert "Content-Security-Policy" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_only_a_post_is_a_web_hook(client: Client, address: str) -> None:
    assert client.get(address).status_code == 405


def test_a_host_that_is_not_ours_is_refused(client: Client, address: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["concord.example"]

    assert client.post(address, b"{}", content_type="application/json").status_code == 400


def test_over_plain_http_it_is_sent_to_https_where_that_is_asked_for(
    client: Client, address: str, settings: Any
) -> None:
    settings.SECURE_SSL_REDIRECT = True

    answer = client.post(address, b"{}", content_type="application/json")

    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://testserver{address}")


def test_what_only_begins_like_a_web_hook_is_no_page(client: Client) -> None:
    assert [client.get(path).status_code for path in ("/hooks/", "/hooks/a/b/", "/hooks")] == [404, 404, 404]
