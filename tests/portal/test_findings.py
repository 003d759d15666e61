"""Findings on the pages: the overview, the system, the rule they touch, and what people decide."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Side, SystemFinding
from integrations.services import findings, metadata
from integrations.services.refusals import NotPossible
from knowledgebase.services import load_shipped
from portal.models import AuditEntry, User
from tests import factories
from tests.factories import Role
from tests.integrations import scenes
from tests.integrations.scenes import NOW

pytestmark = pytest.mark.django_db

GONE = "The field “Priority” is gone."


@pytest.fixture
def sides() -> tuple[Side, Side]:
    left = factories.make_system(factories.mercuri(), "zendesk", name="Mercuri Zendesk")
    right = factories.make_system(factories.infinity(), "jira", name="Infinity Jira")
    one, other = factories.make_connection(left, right).sides.order_by("position")
    return one, other


@pytest.fixture
def finding(sides: tuple[Side, Side]) -> SystemFinding:
    """Infinity's Jira has no priority any more."""
    left, right = sides
    scenes.matter(left, right, right_fields={"status": "To Do"}, title="Charged twice")
    fields = [row for row in factories.FIELDS["jira"] if row["name"] != "priority"]
    [found] = findings.take_metadata(right.system, {"fields": fields}, now=NOW)
    return found


@pytest.fixture
def staff(client: Client) -> User:
    user = factories.make_user("ines", role=Role.INTEGRATOR_STAFF)
    client.force_login(user)
    return user


def text(client: Client, name: str, *args: Any, **query: Any) -> str:
    return client.get(reverse(name, args=args), query).content.decode()


def test_staff_are_told_everywhere(
    client: Client, staff: User, sides: tuple[Side, Side], finding: SystemFinding
) -> None:
    version = sides[1].mapping_sets.get(direction="incoming")

    assert GONE in text(client, "home")
    assert GONE in text(client, "finding_list")
    assert GONE in text(client, "system_detail", finding.system_id)
    assert GONE in text(client, "system_fields", finding.system_id)
    assert GONE in text(client, "mapping_detail", version.pk)


def test_a_finding_names_its_rules_its_tickets_and_its_article(
    client: Client, staff: User, finding: SystemFinding
) -> None:
    load_shipped()

    page = text(client, "finding_detail", finding.pk)

    assert page.count("priority → priority") == 2
    assert "Charged twice" in page
    answer = client.get(reverse("handbook_code", args=[finding.code]), follow=True)
    assert "A field that rules use is gone" in answer.content.decode()


def test_it_stands_at_the_rule_and_not_at_the_others(
    client: Client, staff: User, sides: tuple[Side, Side], finding: SystemFinding
) -> None:
    version = sides[1].mapping_sets.get(direction="incoming")

    rows = client.get(reverse("mapping_detail", args=[version.pk])).context["sheet"].rows

    assert {row.stored.target: list(row.drift) for row in rows if row.drift} == {"priority": [finding]}


def test_an_acknowledged_finding_leaves_the_overview(
    client: Client, staff: User, finding: SystemFinding
) -> None:
    answer = client.post(
        reverse("finding_acknowledge", args=[finding.pk]), {"reason": "Comes back on Monday"}, follow=True
    )

    finding.refresh_from_db()
    entry = AuditEntry.objects.about(finding).get()
    assert (finding.state, finding.acknowledged_by) == ("acknowledged", staff)
    assert "Comes back on Monday" in answer.content.decode()
    assert (entry.action, entry.changes) == ("acknowledged", {"reason": "Comes back on Monday"})
    assert GONE not in text(client, "home")
    assert GONE not in text(client, "finding_list")
    assert GONE in text(client, "finding_list", state="acknowledged")


def test_without_a_reason_it_is_not_acknowledged(client: Client, staff: User, finding: SystemFinding) -> None:
    answer = client.post(reverse("finding_acknowledge", args=[finding.pk]), {"reason": " "})

    finding.refresh_from_db()
    assert (answer.status_code, finding.state) == (422, "open")
    assert "Say why" in answer.content.decode()


def test_the_other_company_does_not_see_it(client: Client, finding: SystemFinding) -> None:
    client.force_login(factories.make_user("max", role=Role.MAPPING_OWNER, partner=factories.mercuri()))

    assert client.get(reverse("finding_detail", args=[finding.pk])).status_code == 404
    assert GONE not in text(client, "finding_list")
    assert GONE not in text(client, "home")


def test_publishing_rules_without_the_field_closes_it(
    client: Client, sides: tuple[Side, Side], finding: SystemFinding
) -> None:
    client.force_login(factories.make_user("ivan", role=Role.MAPPING_OWNER, partner=factories.infinity()))
    for direction in ("incoming", "outgoing"):
        client.post(reverse("mapping_draft", args=[sides[1].pk, direction]))
        draft = sides[1].mapping_sets.get(direction=direction, state="draft")
        client.post(reverse("mapping_rule_delete", args=[draft.rules.get(target="priority").pk]))
        page = client.get(reverse("mapping_edit", args=[draft.pk])).context["publish"]
        client.post(reverse("mapping_publish", args=[draft.pk]), {"note": "", "stamp": page.initial["stamp"]})

    finding.refresh_from_db()
    assert (finding.state, finding.closed_because) == ("closed", findings.UNUSED)


# --- Reading the fields ---


def test_the_button_reads_the_fields_and_tells_of_findings(
    client: Client, staff: User, sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([[], [SystemFinding()]])
    monkeypatch.setattr(metadata, "refresh_metadata", lambda system, *, now: next(answers))
    address = reverse("system_refresh", args=[sides[1].system_id])

    quiet = client.post(address, follow=True).content.decode()
    loud = client.post(address, follow=True).content.decode()

    assert "7 fields read. Nothing that a rule uses has changed." in quiet
    assert "7 fields read. 1 finding is new." in loud


def test_a_reading_that_fails_is_told_in_a_sentence(
    client: Client, staff: User, sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(system: Any, *, now: Any) -> None:
        raise NotPossible("The fields could not be read: it did not answer.")

    monkeypatch.setattr(metadata, "refresh_metadata", refuses)

    page = client.post(reverse("system_refresh", args=[sides[1].system_id]), follow=True).content.decode()

    assert "The fields could not be read: it did not answer." in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "review"}, ["status"]),
        ({"kind": "choice"}, ["priority", "issuetype"]),
        ({"which": "required"}, ["summary"]),
        ({"q": "nothing of the kind"}, []),
    ],
)
def test_the_fields_are_narrowed(
    client: Client, staff: User, sides: tuple[Side, Side], query: dict[str, str], names: list[str]
) -> None:
    page = client.get(reverse("system_fields", args=[sides[1].system_id]), query)

    assert [field["name"] for field, _ in page.context["fields"]] == names
