"""The buttons for web hooks at the vendor, on the system's page and in the wizard."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.connectors.servicenow import webhooks
from integrations.models import ConnectionDraft, HookStanding, System, SystemFinding
from integrations.sandbox.server import Server
from integrations.sandbox.zendesk.system import ZendeskSystem
from integrations.services import sandboxes
from integrations.services.hook_registration import hook_address
from integrations.services.systems import test_system as check
from portal.models import AuditEntry
from tests.factories import Role, make_system, make_user, mercuri
from tests.integrations.scenes import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(client: Client) -> None:
    """Signed in: the owner of Mercuri's mappings."""
    client.force_login(make_user("mira", role=Role.MAPPING_OWNER, partner=mercuri()))


@pytest.fixture
def vendor(settings: Any) -> Iterator[ZendeskSystem]:
    """A Zendesk that runs here."""
    one = ZendeskSystem()
    server = Server(one)
    server.start()
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)
    settings.SANDBOXES = (server.url,)
    yield one
    server.stop()


@pytest.fixture
def zendesk(vendor: ZendeskSystem, settings: Any) -> System:
    """Mercuri's Zendesk there, tested."""
    system, _ = sandboxes.use_sandbox(mercuri(), settings.SANDBOXES[0])
    check(system, now=NOW)
    return system


def press(client: Client, what: str, system: System, query: str = "") -> Any:
    return client.post(reverse(f"system_hook_{what}", args=[system.pk]) + query, follow=True)


def there(vendor: ZendeskSystem) -> list[str]:
    return [one.endpoint for one in vendor.desk.webhooks.values()]


def trail() -> list[str]:
    return list(
        AuditEntry.objects.filter(action__contains="web hook").order_by("pk").values_list("action", flat=True)
    )


def test_register_renew_check_and_remove(
    client: Client, owner: None, vendor: ZendeskSystem, zendesk: System
) -> None:
    page = client.get(reverse("system_detail", args=[zendesk.pk])).content.decode()
    assert hook_address(zendesk) in page
    assert "Register at Zendesk" in page
    assert "Not looked yet" in page

    registered = press(client, "register", zendesk).content.decode()
    press(client, "register", zendesk)
    assert there(vendor) == [hook_address(zendesk)]
    assert "Registered, checked there" in registered
    assert "Register at Zendesk" not in registered

    press(client, "renew", zendesk)
    assert there(vendor) == [hook_address(zendesk)]
    assert "Zendesk says: registered." in press(client, "check", zendesk).content.decode()
    press(client, "remove", zendesk)

    assert there(vendor) == []
    assert trail() == [
        "registered the web hook of",
        "renewed the web hook of",
        "checked the web hook of",
        "removed the web hook of",
    ]


def test_what_vanished_is_a_finding_that_registering_closes(
    client: Client, owner: None, vendor: ZendeskSystem, zendesk: System
) -> None:
    press(client, "register", zendesk)
    vendor.desk.webhooks.clear()

    page = press(client, "check", zendesk).content.decode()

    finding = SystemFinding.objects.get()
    assert finding.message in page
    detail = client.get(reverse("finding_detail", args=[finding.pk])).content.decode()
    assert "Look after the web hook" in detail
    assert "Rules it touches" not in detail
    assert finding.message in client.get(reverse("finding_list")).content.decode()
    press(client, "register", zendesk)
    finding.refresh_from_db()
    assert finding.state == "closed"


def test_a_vendor_that_does_not_answer_is_told_of_in_a_sentence(
    client: Client, owner: None, vendor: ZendeskSystem, zendesk: System
) -> None:
    zendesk.base_url = "http://127.0.0.1:9"
    zendesk.save()

    for what in ("register", "renew", "check", "remove"):
        page = press(client, what, zendesk).content.decode()
        assert "did not do it" in page, what
        assert "The last try:" in page, what
    assert trail() == []


def test_where_there_is_no_interface_the_steps_are_offered(client: Client, owner: None) -> None:
    system = make_system(mercuri(), kind="servicenow")

    page = client.get(reverse("system_detail", args=[system.pk])).content.decode()

    assert "Steps to do by hand" in page
    assert "Register at" not in page
    assert "follows the steps by hand" in press(client, "register", system).content.decode()
    assert not HookStanding.objects.filter(is_expected=True).exists()


def test_a_script_to_be_pasted_keeps_its_lines(client: Client, owner: None) -> None:
    system = make_system(mercuri(), kind="servicenow")

    page = client.get(reverse("system_hooks", args=[system.pk])).content.decode()

    shown = [html.unescape(one) for one in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)]
    assert shown == [webhooks.SCRIPT, webhooks.FILE_SCRIPT]


def test_the_wizard_offers_it_after_the_check(client: Client, vendor: ZendeskSystem, zendesk: System) -> None:
    client.force_login(make_user("ada", role=Role.ADMINISTRATOR))
    draft = ConnectionDraft.objects.create(left=zendesk, begun_at=NOW, touched_at=NOW)
    check_page = reverse("wizard_check", args=[draft.pk, "left"])
    page = client.get(check_page).content.decode()
    assert "Register at Zendesk" in page
    assert "may be set up later" in page

    response = press(client, "register", zendesk, f"?next={check_page}")

    assert response.redirect_chain == [(check_page, 302)]
    assert "Registered, checked there" in response.content.decode()
    assert there(vendor) == [hook_address(zendesk)]


def test_nobody_is_led_to_another_site(client: Client, owner: None, zendesk: System) -> None:
    response = press(client, "check", zendesk, "?next=https://elsewhere.example/")

    assert response.redirect_chain == [(reverse("system_detail", args=[zendesk.pk]), 302)]


def test_a_reader_sees_the_state_but_neither_address_nor_buttons(client: Client, zendesk: System) -> None:
    client.force_login(make_user(role=Role.MAPPING_STEWARD, partner=mercuri()))

    page = client.get(reverse("system_detail", args=[zendesk.pk])).content.decode()

    assert "Not looked yet" in page
    assert hook_address(zendesk) not in page
    assert "Register at" not in page
