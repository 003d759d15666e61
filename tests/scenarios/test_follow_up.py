"""A Zendesk ticket that was closed for ever is followed up by a new one, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from integrations.models import LinkedTicket
from integrations.services.timeline.timelines import timeline
from integrations.services.timeline.viewers import Viewer
from tests.scenarios.test_pairs import opened

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


def test_the_matter_of_a_closed_zendesk_ticket_goes_on_in_its_follow_up() -> None:
    with opened("zendesk", "jira") as places:
        places.join("zendesk", "jira")
        zendesk, jira = places["zendesk"], places["jira"]
        raised = zendesk.act("create", fields={"subject": "No parcel", "description": "Since Monday."})
        places.settle()
        issue = places.there("zendesk", raised, "jira")
        for status in ("solved", "closed"):
            zendesk.move(raised, status)
            places.settle()

        jira.say(issue, "It happened again.")
        places.settle()
        after = places.there("jira", issue, "zendesk")
        zendesk.say(after, "We send another one.")
        places.settle()

        assert after != raised
        assert [text.split("\n")[-1] for text in zendesk.said(after)] == [
            "It happened again.",
            "We send another one.",
        ]
        was, goes_on = (zendesk.desk.connector.read(one).fields for one in (raised, after))
        for name in ("subject", "requester", "priority"):
            assert goes_on[name] == was[name]
        assert jira.said(issue)[-1].endswith("We send another one.")
        story = timeline(LinkedTicket.objects.get(), Viewer(sees_all=True), now=timezone.now())
        told = {(entry.ticket, entry.kind) for entry in story.entries if entry.system.startswith("zendesk")}
        assert {(raised, "created"), (after, "created")} <= {(key.strip("#"), kind) for key, kind in told}
