"""Signing in and out, the pause after failures, the account page, and pages that must be open or closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from portal import throttle
from portal.access import Role
from portal.models import AuditEntry, SignInFailures, User
from portal.throttle import ACCOUNT, ADDRESS, address_of, wait_after
from portal.views import health
from tests.factories import PASSWORD, make_user, mercuri

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SIGN_IN = "/account/sign-in/"


@pytest.fixture
def agent(db: None) -> User:
    """An agent of Mercuri's in Berlin."""
    return make_user("agent", role=Role.PARTNER_AGENT, partner=mercuri(), time_zone="Europe/Berlin")


def try_to_sign_in(client: Client, password: str, username: str = "agent") -> HttpResponse:
    return client.post(SIGN_IN, {"username": username, "password": password})


# --- In and out ---


@pytest.mark.usefixtures("agent")
def test_signing_in_leads_to_the_page_that_was_asked_for(client: Client) -> None:
    refused = client.get("/account/password/")
    assert (refused.status_code, refused.url) == (302, f"{SIGN_IN}?next=/account/password/")

    answer = client.post(
        refused.url, {"username": "agent", "password": PASSWORD, "next": "/account/password/"}
    )

    assert (answer.status_code, answer.url) == (302, "/account/password/")


@pytest.mark.usefixtures("agent")
def test_nobody_is_sent_to_another_site_after_signing_in(client: Client) -> None:
    answer = client.post(
        SIGN_IN, {"username": "agent", "password": PASSWORD, "next": "https://evil.example/"}
    )

    assert answer.url == django_settings.LOGIN_REDIRECT_URL


def test_signing_out_takes_a_form(client: Client, agent: User) -> None:
    client.force_login(agent)

    assert client.get(reverse("sign_out")).status_code == 405
    assert client.post(reverse("sign_out")).url == SIGN_IN
    assert client.get("/account/").status_code == 302


@pytest.mark.usefixtures("agent")
def test_a_form_without_its_token_is_refused_with_a_way_on() -> None:
    answer = Client(enforce_csrf_checks=True).post(SIGN_IN, {"username": "agent", "password": PASSWORD})

    assert answer.status_code == 403
    assert "Go back, reload the page and send it again." in answer.content.decode()


@pytest.mark.django_db
def test_an_account_that_was_closed_cannot_be_told_from_one_that_never_was(client: Client) -> None:
    make_user("closed", is_active=False)

    texts = []
    for username in ("closed", "never-was"):
        texts.append(try_to_sign_in(client, PASSWORD, username).context["form"].non_field_errors())

    assert (
        texts[0]
        == texts[1]
        == ["User name and password do not match. Both tell capital letters from small ones."]
    )


# --- The pause after failures ---


@pytest.mark.parametrize(
    ("count", "minutes"), [(1, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 15), (10, 15), (10_000, 15)]
)
def test_the_pause_doubles_up_to_a_quarter_of_an_hour(count: int, minutes: int) -> None:
    assert wait_after(count, ACCOUNT) == timedelta(minutes=minutes)


@pytest.mark.usefixtures("agent")
def test_after_five_failures_even_the_right_password_waits(client: Client) -> None:
    for _ in range(ACCOUNT.free):
        assert "do not match" in try_to_sign_in(client, "wrong").content.decode()

    answer = try_to_sign_in(client, PASSWORD)

    assert answer.context["form"].non_field_errors() == ["Too many failed attempts. Try again in 1 minute."]
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db
def test_the_pause_is_over_when_it_is_over() -> None:
    for _ in range(ACCOUNT.free):
        throttle.note_failure("agent", "192.0.2.1", now=NOW)

    def left(seconds: int, username: str = "agent") -> timedelta:
        return throttle.locked_for(username, "192.0.2.9", now=NOW + timedelta(seconds=seconds))

    assert (left(0), left(59), left(60)) == (timedelta(seconds=60), timedelta(seconds=1), timedelta())
    # However it is written; and nobody else waits.
    assert (left(0, " AGENT "), left(0, "other")) == (timedelta(seconds=60), timedelta())


@pytest.mark.django_db
def test_signing_in_forgives_the_account_and_not_the_address() -> None:
    for _ in range(3):
        throttle.note_failure("agent", "192.0.2.1", now=NOW)
    throttle.note_success("agent")

    assert list(SignInFailures.objects.values_list("count", flat=True)) == [3]


@pytest.mark.django_db
def test_one_address_cannot_try_one_password_on_everybody() -> None:
    for number in range(ADDRESS.free):
        throttle.note_failure(f"person-{number}", "192.0.2.1", now=NOW)

    assert throttle.locked_for("somebody-else", "192.0.2.1", now=NOW) == timedelta(minutes=1)
    assert throttle.locked_for("somebody-else", "192.0.2.2", now=NOW) == timedelta()


@pytest.mark.django_db
def test_failures_are_forgotten_after_an_hour() -> None:
    throttle.note_failure("agent", "192.0.2.1", now=NOW)
    throttle.note_failure("other", "192.0.2.2", now=NOW + throttle.MEMORY + timedelta(seconds=1))

    assert SignInFailures.objects.count() == 2
    assert set(SignInFailures.objects.values_list("count", flat=True)) == {1}


@pytest.mark.django_db
def test_what_was_typed_as_a_user_name_is_not_kept() -> None:
    throttle.note_failure("my-password-by-mistake", "192.0.2.1", now=NOW)

    assert not any("password" in key for key in SignInFailures.objects.values_list("key", flat=True))


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "address"),
    [
        (False, "203.0.113.7", "10.0.0.1"),
        (True, "203.0.113.7", "203.0.113.7"),
        # What the client itself claims stands before what our proxy saw.
        (True, "1.2.3.4, 203.0.113.7", "203.0.113.7"),
        (True, "", "10.0.0.1"),
    ],
)
def test_an_address_is_believed_only_from_our_own_proxy(settings, behind_proxy, forwarded, address) -> None:
    settings.BEHIND_PROXY = behind_proxy
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}

    assert address_of(RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", headers=headers)) == address


# --- The account ---


def test_people_see_their_roles_and_set_their_zone_and_theme(client: Client, agent: User) -> None:
    client.force_login(agent)
    page = client.get("/account/").content.decode()
    assert "Partner agent" in page
    assert "Mercuri Inc" in page

    wanted = {"first_name": "Ada", "last_name": "Agent", "email": "a@m.example", "time_zone": "Asia/Kolkata"}
    client.post("/account/", {**wanted, "theme": "dark"})

    agent.refresh_from_db()
    assert {name: getattr(agent, name) for name in wanted} == wanted
    assert (
        '<html lang="en-GB" data-theme="dark" data-bs-theme="dark">'
        in client.get("/account/").content.decode()
    )


def test_nobody_gives_himself_more_through_the_account_form(client: Client, agent: User) -> None:
    client.force_login(agent)
    client.post(
        "/account/",
        {"time_zone": "UTC", "theme": "light", "is_superuser": "on", "partner": "", "username": "x"},
    )

    agent.refresh_from_db()
    assert (agent.is_superuser, agent.partner, agent.username, agent.theme) == (
        False,
        mercuri(),
        "agent",
        "light",
    )


def test_a_zone_that_does_not_exist_is_refused_and_nothing_saved(client: Client, agent: User) -> None:
    client.force_login(agent)
    answer = client.post("/account/", {"first_name": "Ada", "time_zone": "Mars/Olympus", "theme": "dark"})

    agent.refresh_from_db()
    assert (agent.first_name, agent.time_zone) == ("", "Europe/Berlin")
    assert "is not one of the available choices" in answer.content.decode()
    # The bar shows who is signed in as he is, not as the rejected form would have him.
    assert answer.context["request"].user.first_name == ""


@pytest.mark.parametrize(
    ("back", "lands"), [("/account/?a=1", "/account/?a=1"), ("https://evil.example", "/account/")]
)
def test_switching_the_theme_comes_back_to_the_page(
    client: Client, agent: User, back: str, lands: str
) -> None:
    client.force_login(agent)

    assert client.post(reverse("account_theme"), {"theme": "dark", "next": back}).url == lands
    agent.refresh_from_db()
    assert agent.theme == "dark"

    client.post(reverse("account_theme"), {"theme": "pink", "next": back})
    agent.refresh_from_db()
    assert agent.theme == "dark"


def test_a_new_password_ends_other_sessions_and_is_in_the_trail(client: Client, agent: User) -> None:
    elsewhere = Client()
    elsewhere.force_login(agent)
    client.force_login(agent)
    new = "correct horse battery staple"

    answer = client.post(
        reverse("password_change"),
        {"old_password": PASSWORD, "new_password1": new, "new_password2": new},
        follow=True,
    )

    assert "signed out everywhere else" in answer.content.decode()
    assert elsewhere.get("/account/").status_code == 302
    entry = AuditEntry.objects.last()
    assert (entry.actor, entry.action, entry.object_label, entry.changes) == (
        agent,
        "changed the password of",
        "agent",
        {},
    )


def test_a_short_password_is_refused(client: Client, agent: User) -> None:
    client.force_login(agent)
    answer = client.post(
        reverse("password_change"),
        {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"},
    )

    assert "at least 12 characters" in answer.content.decode()
    agent.refresh_from_db()
    assert agent.check_password(PASSWORD)


# --- Open and closed pages ---


@pytest.mark.django_db
def test_a_page_that_is_not_there_still_asks_strangers_to_say_nothing(client: Client, agent: User) -> None:
    client.force_login(agent)
    answer = client.get("/nothing-here/")

    assert answer.status_code == 404
    assert "There is nothing here for you" in answer.content.decode()


def test_probes_need_no_session_and_say_little(client: Client, db: None) -> None:
    assert client.get("/healthz").content == b"ok"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"database": True, "migrations": True})
    assert "no-store" in answer.headers["Cache-Control"]
    assert client.post("/readyz").status_code == 405


def test_a_missing_migration_means_not_ready(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        health.MigrationExecutor, "migration_plan", lambda self, targets: [("portal", "0003")]
    )

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"database": True, "migrations": False})


@pytest.mark.django_db
def test_an_unreachable_database_means_not_ready_and_still_alive(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OperationalError("no route to the database at 10.0.0.5")

    monkeypatch.setattr(connection.introspection, "get_table_list", refuse)
    monkeypatch.setattr(health, "MigrationExecutor", refuse)

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"database": False, "migrations": False})
    assert "10.0.0.5" not in answer.content.decode()
    assert client.get("/healthz").status_code == 200
