"""Endpoints of outgoing web hooks on the pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations.connectors import errors
from integrations.models import HookEndpoint, HookMessage
from integrations.services import endpoints, outgoing
from portal.models import AuditEntry, User
from tests import factories
from tests.factories import Role

pytestmark = pytest.mark.django_db

ADDRESS = "https://pager.example/hooks"


@pytest.fixture
def owner(client: Client) -> User:
    user = factories.make_user("max", role=Role.MAPPING_OWNER, partner=factories.mercuri())
    client.force_login(user)
    return user


@pytest.fixture
def endpoint(client: Client) -> HookEndpoint:
    made, _ = endpoints.add_endpoint(
        factories.mercuri(), "Pager", ADDRESS, ["alert.opened"], now=timezone.now()
    )
    return made


def text(client: Client, name: str, *args: Any, **query: Any) -> str:
    return client.get(reverse(name, args=args), query).content.decode()


def add(client: Client, **values: Any) -> Any:
    asked = {"name": "Pager", "url": ADDRESS, "events": ["alert.opened", "lane.parked"], **values}
    return client.post(reverse("endpoint_add"), asked)


def test_the_secret_is_shown_once(client: Client, owner: User) -> None:
    page = add(client, partner=factories.mercuri().pk).content.decode()

    made = HookEndpoint.objects.get()
    [secret] = re.findall(r"whsec_[A-Za-z0-9+/=]+", page)
    assert outgoing.secrets_of(made, timezone.now()) == [secret]
    assert secret not in text(client, "endpoint_detail", made.pk)
    assert (made.partner, made.events) == (factories.mercuri(), ["alert.opened", "lane.parked"])
    entry = AuditEntry.objects.about(made).get()
    assert (entry.action, entry.partner) == ("added", factories.mercuri())
    assert secret not in str(entry.changes)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"url": "http://pager.example"}, "Use https."),
        ({"events": []}, "This field is required."),
        # Whose matters it is told of cannot be left open by somebody who does not see all of them.
        ({"partner": ""}, "This field is required."),
        ({"partner": "infinity"}, "Select a valid choice."),
    ],
)
def test_what_must_not_be_is_refused(
    client: Client, owner: User, values: dict[str, Any], complaint: str
) -> None:
    if values.get("partner") == "infinity":
        values = {"partner": factories.infinity().pk}

    answer = add(client, **{"partner": factories.mercuri().pk, **values})

    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not HookEndpoint.objects.exists()


def test_staff_may_have_one_for_everything(client: Client) -> None:
    client.force_login(factories.make_user("ines", role=Role.INTEGRATOR_STAFF))

    add(client)

    assert HookEndpoint.objects.get().partner is None


def test_another_company_does_not_find_it(client: Client, endpoint: HookEndpoint) -> None:
    client.force_login(factories.make_user("ivan", role=Role.MAPPING_OWNER, partner=factories.infinity()))

    assert ADDRESS not in text(client, "endpoint_list")
    assert client.get(reverse("endpoint_detail", args=[endpoint.pk])).status_code == 404


def test_a_test_says_what_became_of_it(
    client: Client, owner: User, endpoint: HookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> int:
        raise errors.Unavailable("It is not available.", status=503)

    monkeypatch.setattr(outgoing, "_post", refuse)
    bad = client.post(reverse("endpoint_test", args=[endpoint.pk]), follow=True).content.decode()
    monkeypatch.setattr(outgoing, "_post", lambda *_: 202)
    [message] = HookMessage.objects.all()
    good = client.post(
        reverse("endpoint_resend", args=[endpoint.pk, message.pk]), follow=True
    ).content.decode()

    assert "It was not taken: It is not available. It is tried again by itself." in bad
    assert "503: It is not available." in bad
    assert "It was taken, with status 202." in good
    assert list(HookMessage.objects.values_list("state", "tries")) == [("delivered", 1)]


def test_it_is_paused_changed_resumed_and_discarded(
    client: Client, owner: User, endpoint: HookEndpoint
) -> None:
    client.post(reverse("endpoint_pause", args=[endpoint.pk]))
    paused = HookEndpoint.objects.get().state
    form = client.get(reverse("endpoint_edit", args=[endpoint.pk])).context["form"]
    client.post(
        reverse("endpoint_edit", args=[endpoint.pk]),
        {
            "name": "Pager 2",
            "url": ADDRESS,
            "events": ["lane.parked"],
            "stamp": form.initial["stamp"],
        },
    )
    client.post(reverse("endpoint_resume", args=[endpoint.pk]))
    changed = HookEndpoint.objects.get()
    client.post(reverse("endpoint_discard", args=[endpoint.pk]))

    assert paused == "paused"
    assert (changed.name, changed.events, changed.state) == ("Pager 2", ["lane.parked"], "active")
    assert not HookEndpoint.objects.exists()
    actions = AuditEntry.objects.order_by("number").values_list("action", flat=True)
    assert list(actions)[-4:] == ["paused", "changed", "resumed", "discarded"]


def test_a_new_secret_is_shown_and_the_former_one_can_be_ended(
    client: Client, owner: User, endpoint: HookEndpoint
) -> None:
    page = client.post(reverse("endpoint_rotate", args=[endpoint.pk])).content.decode()
    held = outgoing.secrets_of(endpoint, timezone.now())
    client.post(reverse("endpoint_end_former", args=[endpoint.pk]))

    assert held[0] in page
    assert held[1] not in page
    assert outgoing.secrets_of(endpoint, timezone.now()) == held[:1]
