"""The content security policy: strict, on every answer, and the same from both Django's and our middleware."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import django
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.utils.module_loading import import_string

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
OURS = "portal.middleware.ContentSecurityPolicyMiddleware"
DJANGOS = "django.middleware.csp.ContentSecurityPolicyMiddleware"

MIDDLEWARES = [
    OURS,
    pytest.param(
        DJANGOS,
        marks=pytest.mark.skipif(
            importlib.util.find_spec("django.middleware.csp") is None, reason="Django has it from 6.0 on"
        ),
    ),
]


def answer(middleware: str, response: HttpResponse | None = None) -> HttpResponse:
    return import_string(middleware)(lambda request: response or HttpResponse())(HttpRequest())


def test_the_settings_use_djangos_middleware_where_there_is_one() -> None:
    wanted = DJANGOS if django.VERSION >= (6, 0) else OURS

    assert [name for name in settings.MIDDLEWARE if "ContentSecurityPolicy" in name] == [wanted]


@pytest.mark.parametrize("middleware", MIDDLEWARES)
def test_both_middlewares_say_the_same(middleware: str) -> None:
    assert answer(middleware).headers["Content-Security-Policy"] == POLICY
    assert "Content-Security-Policy-Report-Only" not in answer(middleware).headers


@pytest.mark.parametrize("middleware", MIDDLEWARES)
def test_a_policy_can_be_tried_without_enforcing_it(middleware: str) -> None:
    with override_settings(
        SECURE_CSP={}, SECURE_CSP_REPORT_ONLY={"default-src": ["'none'"], "img-src": ["'self'"]}
    ):
        headers = answer(middleware).headers

    assert headers["Content-Security-Policy-Report-Only"] == "default-src 'none'; img-src 'self'"
    assert "Content-Security-Policy" not in headers


@pytest.mark.parametrize("middleware", MIDDLEWARES)
def test_a_view_may_be_stricter(middleware: str) -> None:
    own = HttpResponse(headers={"Content-Security-Policy": "sandbox"})

    assert answer(middleware, own).headers["Content-Security-Policy"] == "sandbox"


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/account/sign-in/", "/account/", "/healthz", "/nothing"])
def test_every_answer_carries_the_policy(client: Client, address: str) -> None:
    assert client.get(address).headers["Content-Security-Policy"] == POLICY


@pytest.mark.parametrize(
    "template", sorted(TEMPLATES.rglob("*.html")), ids=lambda file: str(file.relative_to(TEMPLATES))
)
def test_no_template_needs_what_the_policy_forbids(template: Path) -> None:
    text = template.read_text().lower()

    for forbidden in (
        "<style",
        " style=",
        "javascript:",
        " onclick=",
        " onchange=",
        " onsubmit=",
        "hx-on",
        "js:",
    ):
        assert forbidden not in text
    for part in text.split("<script")[1:]:
        assert " src=" in part.split(">", 1)[0]
