"""Two companies' automations fight over a status, in two sandboxes over real HTTP: the linked ticket is stopped."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.engine.fights import MOST_RETURNS
from integrations.models import Lane, LinkedTicket
from integrations.services.fights import explain
from tests.scenarios.test_pairs import Place, opened

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _private_hosts(settings: Any) -> None:
    settings.SYNC_PRIVATE_HOSTS = ("127.0.0.1",)


def held(place: Place, ticket: str, field: str) -> object:
    return place.desk.connector.read(ticket).fields[field]


def test_fighting_automations_in_two_sandboxes_are_stopped_and_both_ends_are_named() -> None:
    with opened("zendesk", "servicenow") as places:
        places.join("zendesk", "servicenow")
        desk, board = places["zendesk"], places["servicenow"]
        raised = desk.act("create", fields={"subject": "No parcel", "description": "Since Monday."})
        places.settle()
        twin = places.there("zendesk", raised, "servicenow")
        title = board.desk.case.title

        rounds = 0
        while not Lane.objects.filter(state="parked").exists():
            rounds += 1
            assert rounds <= 2 * MOST_RETURNS, "Nobody stopped it."
            # Each company's rule sets its own wording whenever it finds another.
            if held(desk, raised, "subject") != "PARCEL":
                desk.act("update", raised, fields={"subject": "PARCEL"})
            places.worker.drain(for_s=30, linger_s=0)
            if held(board, twin, title) != "parcel":
                board.act("update", twin, fields={title: "parcel"})
            places.worker.drain(for_s=30, linger_s=0)

        found = explain(LinkedTicket.objects.get())
        assert found is not None
        assert found.times == MOST_RETURNS + 1
        ends = {(one.system.kind, one.values, one.version) for one in found.contenders}
        assert ends == {("zendesk", ("PARCEL",), 1), ("servicenow", ("parcel",), 1)}
        assert all(one.accounts for one in found.contenders)
