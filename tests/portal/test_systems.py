"""The pages about systems."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.connectors import errors
from integrations.models import System
from integrations.services import systems as services
from integrations.services.systems import Checkup, hook_secrets
from portal import access
from portal.models import AuditEntry, User
from tests.factories import (
    Role,
    globally,
    infinity,
    make_connection,
    make_partner,
    make_system,
    make_user,
    mercuri,
    stranger,
)
from tests.integrations import scenes

pytestmark = pytest.mark.django_db

LIST = reverse("system_list")
TOKEN = "a-token-that-nobody-shall-see-1234"


@pytest.fixture
def owner(client: Client) -> User:
    """Signed in: the owner of Mercuri's mappings, who has full control of its systems."""
    user = make_user("mira", role=Role.MAPPING_OWNER, partner=mercuri())
    client.force_login(user)
    return user


@pytest.fixture
def zendesk() -> System:
    """Mercuri's Zendesk."""
    return make_system(mercuri(), name="Mercuri Zendesk", base_url="https://mercuri.zendesk.com")


def at(name: str, system: System) -> str:
    return reverse(name, args=[system.pk])


def names(response: Any) -> list[str]:
    return [system.name for system in response.context["listing"].page]


def entered(**values: Any) -> dict[str, Any]:
    given = {
        "name": "Mercuri Zendesk",
        "environment": "production",
        "base_url": "https://mercuri.zendesk.com",
        "email": "concord@mercuri.example",
        "api_token": TOKEN,
    }
    return {**given, **values}


def trail(system: System) -> list[tuple[str, dict[str, Any]]]:
    return [(one.action, one.changes) for one in AuditEntry.objects.about(system)]


# --- The list ---


def test_people_see_the_systems_they_may_read(client: Client, owner: User, zendesk: System) -> None:
    make_system(globally(), "jira", name="Global Jira")

    assert names(client.get(LIST)) == ["Mercuri Zendesk"]


def test_a_role_elsewhere_opens_no_systems(client: Client, zendesk: System) -> None:
    make_system(globally(), "jira", name="Global Jira")
    person = make_user(role=Role.MAPPING_OWNER, partner=mercuri())

    access.grant(person, Role.PARTNER_AGENT, globally())
    client.force_login(person)

    assert names(client.get(LIST)) == ["Mercuri Zendesk"]
    assert (
        client.get(reverse("system_detail", args=[System.objects.get(name="Global Jira").pk])).status_code
        == 403
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "jira"}, ["B Jira"]),
        ({"q": "a.example"}, ["A Zendesk"]),
        ({"kind": "jira"}, ["B Jira"]),
        ({"kind": "pigeon"}, ["A Zendesk", "B Jira", "C Zendesk"]),
        ({"state": "paused"}, ["C Zendesk"]),
        ({"state": "failing"}, ["B Jira"]),
        ({"state": "untested"}, ["C Zendesk"]),
        ({"sort": "-name"}, ["C Zendesk", "B Jira", "A Zendesk"]),
    ],
)
def test_the_list_is_narrowed_and_sorted(client: Client, query: dict[str, str], expected: list[str]) -> None:
    client.force_login(make_user(role=Role.INTEGRATOR_STAFF))
    company = make_partner()
    make_system(company, name="A Zendesk", base_url="https://a.example.com")
    make_system(company, "jira", name="B Jira", failure_code="timed_out")
    make_system(company, name="C Zendesk", state="paused", is_tested=False)

    assert names(client.get(LIST, {"sort": "name", **query})) == expected


def test_the_list_takes_one_query_however_many_systems(
    client: Client, owner: User, django_assert_num_queries: Any
) -> None:
    for _ in range(7):
        make_system(mercuri())
    # The first page of a process learns the content types.
    client.get(LIST)

    # Session, person, memberships, matrix; partners to choose from; counting and fetching the systems; the person's
    # own partner for the top bar.
    with django_assert_num_queries(9):
        client.get(LIST)


def test_the_list_is_exported(client: Client, owner: User, zendesk: System) -> None:
    response = client.get(reverse("system_export"))

    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert text.split("\r\n")[1].startswith(
        "Mercuri Zendesk,Mercuri Inc,Zendesk,https://mercuri.zendesk.com,Sandbox,Active,,"
    )


# --- One system ---


def test_a_system_is_shown_without_its_credentials(client: Client, owner: User, zendesk: System) -> None:
    page = client.get(at("system_detail", zendesk)).content.decode()

    assert "ends in <code>abcd</code>" in page
    assert zendesk.secrets.get().sealed not in page


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"is_tested": False}, "Not tested yet"),
        ({"check_problems": ["The account may not delete."]}, "The account may not delete."),
        ({"state": "paused"}, "Changes are collected and delivered when it is resumed."),
        (
            {"state": "stopped", "failure_code": "unauthorized", "failure_message": "The token is refused."},
            "correct the credentials, then test it",
        ),
        (
            {"failure_code": "timed_out", "failure_message": "No answer in time."},
            "It is tried again by itself.",
        ),
    ],
)
def test_how_a_system_does_is_told_in_sentences(
    client: Client, owner: User, values: dict[str, Any], sentence: str
) -> None:
    system = make_system(mercuri(), **values)

    assert sentence in client.get(at("system_detail", system)).content.decode()


def test_a_system_in_trouble_leads_to_the_lanes_that_wait_for_it(client: Client, owner: User) -> None:
    left, right = scenes.mercuri_and_infinity()
    matter = scenes.matter(left, right, right_fields={})
    scenes.queued(matter.to_left, scenes.seen(matter.right_ticket))
    scenes.queued(matter.to_right, scenes.seen(matter.left_ticket))
    system, link = left.system, f"{reverse('delivery_list')}?system={left.system_id}"
    assert link not in client.get(at("system_detail", system)).content.decode()

    failing = {"failure_code": "unavailable", "failure_message": "It does not answer."}
    for trouble in (failing, {"failure_code": "", "state": "paused"}):
        System.objects.filter(pk=system.pk).update(**trouble)
        assert (
            f'href="{link}">1 lane waits for it</a>'
            in client.get(at("system_detail", system)).content.decode()
        )


def test_fields_are_shown_with_what_they_take(client: Client, owner: User, zendesk: System) -> None:
    page = client.get(at("system_fields", zendesk)).content.decode()

    assert "<code>custom_field_360000000003</code>" in page
    assert "low, normal, high, urgent" in page
    assert "New tickets only" in page


def test_the_workflow_is_shown_with_what_its_steps_demand(
    client: Client, owner: User, zendesk: System
) -> None:
    workflow = {
        "values": ["new", "open", "solved"],
        "steps": [
            {"from": "new", "to": "open", "requires": []},
            {"from": "open", "to": "solved", "requires": ["priority", "custom_field_9"]},
        ],
        "steps_known": ["new", "solved"],
    }
    told = [{**row, **(workflow if row["name"] == "status" else {})} for row in zendesk.metadata["fields"]]
    zendesk.metadata = {"fields": told}
    zendesk.save()

    page = client.get(at("system_fields", zendesk)).content.decode()

    table = page[page.index('id="workflow"') :]
    rows = re.findall(r"<tr>(.*?)</tr>", table[table.index("<tbody>") : table.index("</tbody>")], re.S)
    assert [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in rows] == [
        "new open",
        "open as far as is known solved demands Priority, custom_field_9",
        "solved Nowhere",
    ]


READS = ["system_detail", "system_fields"]
WRITES = ["system_edit", "system_hooks", "system_discard"]
POSTS = [
    "system_test",
    "system_pause",
    "system_resume",
    "system_hook_secret",
    "system_hook_take",
    "system_hook_drop",
    "system_hook_register",
    "system_hook_renew",
    "system_hook_remove",
    "system_hook_check",
]


@pytest.mark.parametrize("name", READS + WRITES)
def test_another_partners_system_is_not_there(client: Client, owner: User, name: str) -> None:
    system = make_system(stranger())

    assert client.get(at(name, system)).status_code == 404


@pytest.mark.parametrize("name", POSTS)
def test_nothing_is_done_to_another_partners_system(client: Client, owner: User, name: str) -> None:
    system = make_system(stranger())

    assert client.post(at(name, system)).status_code == 404
    assert client.get(at(name, system)).status_code == 405


@pytest.mark.parametrize("name", WRITES)
def test_reading_is_not_changing(client: Client, zendesk: System, name: str) -> None:
    client.force_login(make_user(role=Role.MAPPING_STEWARD, partner=mercuri()))

    assert client.get(at("system_detail", zendesk)).status_code == 200
    assert client.get(at(name, zendesk)).status_code == 403


@pytest.mark.parametrize("name", POSTS)
def test_reading_is_not_operating(client: Client, zendesk: System, name: str) -> None:
    client.force_login(make_user(role=Role.SECURITY_OFFICER))

    assert client.post(at(name, zendesk)).status_code == 403


# --- Adding ---


def add(client: Client, kind: str = "zendesk", partner: Any = None, **values: Any) -> Any:
    address = f"{reverse('system_add_kind', args=[kind])}?partner={(partner or mercuri()).pk}"
    return client.post(address, entered(**values))


def test_the_kind_is_chosen_first(client: Client, owner: User) -> None:
    mine = mercuri()

    first = client.get(reverse("system_add"))
    chosen = client.get(reverse("system_add"), {"partner": mine.pk, "kind": "jira"})
    wrong = client.get(reverse("system_add"), {"partner": stranger().pk, "kind": "jira"})

    assert list(first.context["form"].fields["partner"].queryset) == [mine]
    assert chosen.url == f"/systems/add/jira/?partner={mine.pk}"  # type: ignore[attr-defined]
    assert list(wrong.context["form"].errors) == ["partner"]


def test_the_form_asks_what_the_product_needs(client: Client, owner: User) -> None:
    response = client.get(f"{reverse('system_add_kind', args=['jira'])}?partner={mercuri().pk}")

    form = response.context["form"]
    assert [name for name in form.fields if name != "stamp"] == [
        "name",
        "environment",
        "base_url",
        "email",
        "api_token",
        "project_key",
        "issue_type",
    ]
    assert form["issue_type"].value() == "Task"
    assert 'type="password"' in str(form["api_token"])


def test_a_system_is_added(client: Client, owner: User) -> None:
    response = add(client)

    system = System.objects.get()
    assert response.url == at("system_detail", system)
    assert (system.partner, system.kind, system.environment, system.settings) == (
        mercuri(),
        "zendesk",
        "production",
        {"email": "concord@mercuri.example"},
    )
    ((action, changes),) = trail(system)
    assert (action, changes["base_url"]) == ("added", [None, "https://mercuri.zendesk.com"])
    assert TOKEN not in str(changes)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"base_url": "mercuri"}, "base_url"),
        ({"base_url": "http://mercuri.zendesk.com"}, "base_url"),
        ({"email": ""}, "email"),
        ({"api_token": ""}, "api_token"),
        ({"name": "Taken"}, "name"),
        ({"environment": "moon"}, "environment"),
    ],
)
def test_bad_input_gets_a_sentence_at_its_place(
    client: Client, owner: User, values: dict[str, Any], field: str
) -> None:
    make_system(mercuri(), name="Taken")

    response = add(client, **values)

    assert response.status_code == 422
    assert list(response.context["form"].errors) == [field]
    assert TOKEN not in response.content.decode()
    assert System.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "query", "status"),
    [
        ("pigeon", "mine", 404),
        ("jira", "", 404),
        ("jira", "?partner=abc", 404),
        ("jira", "?partner=99999999999999999999999", 404),
        ("jira", "other", 404),
        ("jira", "mine", 200),
    ],
)
def test_where_a_system_can_be_added(client: Client, owner: User, kind: str, query: str, status: int) -> None:
    places = {"mine": f"?partner={mercuri().pk}", "other": f"?partner={stranger().pk}"}

    assert (
        client.get(reverse("system_add_kind", args=[kind]) + places.get(query, query)).status_code == status
    )


def test_staff_operate_systems_and_do_not_add_them(client: Client, zendesk: System) -> None:
    client.force_login(make_user(role=Role.INTEGRATOR_STAFF))

    assert client.get(reverse("system_add")).status_code == 403
    assert client.get(at("system_edit", zendesk)).status_code == 200
    assert "Add system" not in client.get(LIST).content.decode()


# --- Changing ---


def edit(client: Client, system: System, **values: Any) -> Any:
    address = at("system_edit", system)
    stamp = client.get(address).context["form"]["stamp"].value()
    return client.post(address, entered(stamp=stamp, **{"api_token": "", "environment": "sandbox", **values}))


def test_an_empty_credential_is_kept(client: Client, owner: User, zendesk: System) -> None:
    sealed = zendesk.secrets.get().sealed

    response = edit(client, zendesk, name="Renamed")

    zendesk.refresh_from_db()
    assert (response.status_code, zendesk.name, zendesk.secrets.get().sealed) == (302, "Renamed", sealed)
    assert trail(zendesk)[0] == ("changed", {"name": ["Mercuri Zendesk", "Renamed"]})


def test_a_new_credential_is_stored_and_not_told(client: Client, owner: User, zendesk: System) -> None:
    edit(client, zendesk, api_token=TOKEN)

    assert zendesk.secrets.get().hint == "1234"
    action, changes = trail(zendesk)[0]
    assert (action, list(changes)) == ("changed", ["api_token"])
    assert TOKEN not in str(changes)


def test_a_new_host_takes_the_credential_again(client: Client, owner: User, zendesk: System) -> None:
    response = edit(client, zendesk, base_url="https://evil.example")

    assert response.status_code == 422
    assert response.context["form"].errors == {
        "api_token": ["The address leads to another host: enter the API token again."]
    }
    zendesk.refresh_from_db()
    assert zendesk.base_url == "https://mercuri.zendesk.com"


def test_a_system_changed_meanwhile_is_not_overwritten(client: Client, owner: User, zendesk: System) -> None:
    address = at("system_edit", zendesk)
    stamp = client.get(address).context["form"]["stamp"].value()
    System.objects.filter(pk=zendesk.pk).update(settings={"email": "other@mercuri.example"})

    response = client.post(address, entered(stamp=stamp, api_token=""))

    assert response.status_code == 422
    assert "is now “other@mercuri.example”" in str(response.context["form"].non_field_errors())
    zendesk.refresh_from_db()
    assert zendesk.settings == {"email": "other@mercuri.example"}


def test_a_worker_s_news_do_not_count_as_a_change(client: Client, owner: User, zendesk: System) -> None:
    address = at("system_edit", zendesk)
    stamp = client.get(address).context["form"]["stamp"].value()
    System.objects.filter(pk=zendesk.pk).update(fail_streak=3, poll_cursor="later")

    client.post(address, entered(stamp=stamp, api_token="", name="Renamed"))

    zendesk.refresh_from_db()
    assert (zendesk.name, zendesk.fail_streak, zendesk.poll_cursor) == ("Renamed", 3, "later")


# --- Running ---


@pytest.mark.parametrize(
    ("tested", "sentence"),
    [
        (Checkup(True, "Mercuri Zendesk answers, signed in as Concord."), "answers, signed in as Concord."),
        (Checkup(True, "It answers.", problems=("Look.",)), "There is something to look at below."),
        (
            Checkup(False, "The token is refused.", "unauthorized"),
            "did not pass the test: The token is refused.",
        ),
    ],
)
def test_the_test_is_told(
    client: Client,
    owner: User,
    zendesk: System,
    monkeypatch: pytest.MonkeyPatch,
    tested: Checkup,
    sentence: str,
) -> None:
    monkeypatch.setattr(services, "test_system", lambda system, *, now: tested)

    page = client.post(at("system_test", zendesk), follow=True).content.decode()

    assert sentence in page
    assert trail(zendesk)[0] == ("tested", {"outcome": tested.code or "answered"})


def test_a_system_is_paused_and_resumed(client: Client, owner: User, zendesk: System) -> None:
    states = []
    for name in ("system_pause", "system_pause", "system_resume"):
        client.post(at(name, zendesk))
        zendesk.refresh_from_db()
        states.append(zendesk.state)

    assert states == ["paused", "paused", "active"]
    # The second pause changed nothing, and is not in the trail.
    assert [action for action, _ in trail(zendesk)] == ["resumed", "paused"]


def test_a_stopped_system_is_not_simply_resumed(client: Client, owner: User) -> None:
    system = make_system(mercuri(), state="stopped")

    page = client.post(at("system_resume", system), follow=True).content.decode()

    assert "Test it; it then runs again." in page


def test_a_system_added_by_mistake_is_discarded_after_asking(
    client: Client, owner: User, zendesk: System
) -> None:
    asked = client.get(at("system_discard", zendesk)).content.decode()
    client.post(at("system_discard", zendesk))

    assert "credentials and web hook address are deleted" in asked
    assert not System.objects.exists()
    assert AuditEntry.objects.get(action="discarded").object_label == "Mercuri Zendesk"


def test_a_system_in_use_stays(client: Client, owner: User, zendesk: System) -> None:
    make_connection(zendesk, make_system(globally(), "jira"))

    page = client.post(at("system_discard", zendesk), follow=True).content.decode()

    assert "Pause it instead." in page
    assert System.objects.filter(pk=zendesk.pk).exists()
    assert not AuditEntry.objects.filter(action="discarded").exists()


# --- Web hooks ---


def test_the_steps_name_the_address(client: Client, owner: User, zendesk: System) -> None:
    response = client.get(at("system_hooks", zendesk))

    address = f"http://localhost:8000/hooks/{zendesk.hook_token}/"
    assert response.context["address"] == address
    assert any(address in words for words, _ in response.context["steps"])
    assert "no-store" in response["Cache-Control"]


def test_a_made_secret_is_shown_once(client: Client, owner: User, zendesk: System) -> None:
    made = client.post(at("system_hook_secret", zendesk))

    (secret,) = hook_secrets(zendesk)
    assert secret in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    assert secret not in client.get(at("system_hooks", zendesk)).content.decode()
    assert secret not in str(trail(zendesk))


def test_secrets_are_rotated(client: Client, owner: User, zendesk: System) -> None:
    client.post(at("system_hook_secret", zendesk))
    client.post(at("system_hook_take", zendesk), {"secret": "as-zendesk-shows-it"})
    both = hook_secrets(zendesk)
    client.post(at("system_hook_drop", zendesk))

    assert (len(both), both[0]) == (2, "as-zendesk-shows-it")
    assert hook_secrets(zendesk) == ["as-zendesk-shows-it"]


def test_an_empty_secret_is_not_taken(client: Client, owner: User, zendesk: System) -> None:
    response = client.post(at("system_hook_take", zendesk), {"secret": " "})

    assert response.status_code == 422
    assert hook_secrets(zendesk) == []


def test_steps_that_cannot_be_told_say_why(
    client: Client, owner: User, zendesk: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(system: System) -> None:
        raise errors.Unauthorized("A stored credential cannot be opened. Enter it again.")

    monkeypatch.setattr(services, "open_connector_for", broken)

    assert "A stored credential cannot be opened." in client.get(at("system_hooks", zendesk)).content.decode()


def test_a_page_takes_few_queries(client: Client, django_assert_num_queries: Any) -> None:
    client.force_login(make_user(role=Role.ADMINISTRATOR, partner=infinity()))
    system = make_connection().sides.all()[0].system

    client.get(at("system_detail", system))

    # Session, person, memberships, matrix; the system; its budget and trail, credentials, sides and findings; the secret and
    # the receipts of web hooks; the person's own partner for the top bar.
    with django_assert_num_queries(14):
        client.get(at("system_detail", system))
