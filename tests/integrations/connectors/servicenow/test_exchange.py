"""ServiceNow joined to the other vendors by the rules that ship: real engine, real connectors, sandboxes."""

from __future__ import annotations

import pytest

from integrations.richtext.blocks import from_value
from tests.integrations.connectors.exchange import joined, waiting

pytestmark = pytest.mark.django_db


def test_a_zendesk_ticket_lives_on_as_a_servicenow_incident() -> None:
    with joined("zendesk", "servicenow") as (exchange, desk, snow):
        ticket = desk.act(
            "create", fields={"subject": "No network", "description": "Since nine.", "priority": "urgent"}
        )
        remote_id = str(ticket["ticket"])
        exchange.carry(0, remote_id)
        assert waiting() == []
        incident = exchange.twin(remote_id)
        held = snow.connector.read(incident)
        assert {name: held.fields[name] for name in ("short_description", "state", "priority", "impact")} == {
            "short_description": "No network",
            "state": "New",
            "priority": "1 - Critical",
            "impact": "1 - High",
        }
        # People work on it there; a comment, a file and the end of it come back.
        snow.act(
            "update", incident, fields={"state": "In Progress"}, comment={"text": "We look.", "public": True}
        )
        snow.act("update", incident, comment={"text": "Among ourselves", "public": False})
        snow.act("attach", incident, file={"name": "trace.txt", "text": "lost"})
        snow.act(
            "update",
            incident,
            fields={"state": "Resolved", "close_code": "Solution provided", "close_notes": "A cable."},
        )
        exchange.carry(1, incident)
        assert waiting() == []
        back = desk.connector.read(remote_id)
        assert back.fields["status"] == "solved"
        texts = [from_value(one.body).plain() for one in back.comments]
        assert any("We look." in text for text in texts)
        assert not any("Among ourselves" in text for text in texts)
        assert [file.name for one in back.comments for file in one.attachments] == ["trace.txt"]
        # The customer answers: what is resolved is open again, and a lower priority is another urgency and impact.
        desk.act("update", remote_id, fields={"status": "open", "priority": "low"})
        desk.act("comment", remote_id, comment={"text": "Not yet.", "public": True})
        exchange.carry(0, remote_id)
        assert waiting() == []
        held = snow.connector.read(incident)
        assert (held.fields["state"], held.fields["priority"]) == ("In Progress", "4 - Low")
        assert any("Not yet." in from_value(one.body).plain() for one in held.comments)
        # Nothing is told back and forth: another look costs one question a side and changes nothing.
        before = (
            len(snow.connector.history(incident, "").changes),
            len(desk.connector.history(remote_id, "").changes),
        )
        exchange.carry(1, incident)
        exchange.carry(0, remote_id)
        after = (
            len(snow.connector.history(incident, "").changes),
            len(desk.connector.history(remote_id, "").changes),
        )
        assert before == after


def test_a_servicenow_incident_lives_on_as_a_jira_issue() -> None:
    with joined("servicenow", "jira") as (exchange, snow, board):
        incident = str(
            snow.act(
                "create", fields={"short_description": "Design question", "impact": "1", "urgency": "2"}
            )["ticket"]
        )
        exchange.carry(0, incident)
        assert waiting() == []
        issue = exchange.twin(incident)
        assert board.connector.read(issue).fields["priority"] == "High"
        board.act("update", issue, fields={"status": "Done"})
        board.act("comment", issue, comment={"text": "Take the blue one.", "public": True})
        exchange.carry(1, issue)
        assert waiting() == []
        held = snow.connector.read(incident)
        assert (held.fields["state"], held.fields["close_code"]) == ("Resolved", "Solution provided")
        assert any("blue one" in from_value(one.body).plain() for one in held.comments)


def test_a_change_of_a_linked_ticket_costs_at_most_three_calls_on_servicenows_side() -> None:
    with joined("zendesk", "servicenow") as (exchange, desk, snow):
        remote_id = str(desk.act("create", fields={"subject": "No network"})["ticket"])
        exchange.carry(0, remote_id)
        incident = exchange.twin(remote_id)
        exchange.carry(1, incident)

        def comment() -> None:
            desk.act("comment", remote_id, comment={"text": "More", "public": True})
            exchange.carry(0, remote_id)
            exchange.carry(1, incident)

        def status() -> None:
            desk.act("update", remote_id, fields={"status": "pending"})
            exchange.carry(0, remote_id)
            exchange.carry(1, incident)

        comment()
        assert snow.calls(comment) <= 3
        assert snow.calls(status) <= 3
        assert snow.connector.read(incident).fields["state"] == "On Hold"
