"""Agreements, their targets, matrices and calendars, and who may change them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client

from portal.forms.agreements import shown_agreement, shown_calendar, shown_matrix, shown_targets
from portal.forms.base import stamp_of
from portal.models import AuditEntry, User
from slas import services as slas
from slas.models import Agreement, Calendar, Clock, PriorityMatrix, Timing
from tests import factories
from tests.factories import Role
from tests.integrations import scenes

pytestmark = pytest.mark.django_db


@pytest.fixture
def agreement() -> Agreement:
    """What Infinity owes Mercuri, by the reference."""
    return slas.load_reference(factories.mercuri(), factories.infinity())


@pytest.fixture
def manager() -> User:
    """The service level manager of the integrator."""
    return factories.make_user("sam", role=Role.SERVICE_LEVEL_MANAGER)


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def terms(agreement: Agreement, **changed: Any) -> dict[str, Any]:
    """The form as a browser sends it."""
    shown = shown_agreement(agreement)
    sent = {name: value for name, value in shown.items() if value not in (False, "")}
    return {**sent, "stamp": stamp_of(shown), **changed}


def test_agreements_of_the_own_partner_are_listed(client: Client, agreement: Agreement) -> None:
    other = slas.load_reference(factories.infinity(), factories.stranger())

    def listed(partner: Any) -> list[Agreement]:
        client.force_login(factories.make_user(role=Role.SERVICE_LEVEL_MANAGER, partner=partner))
        return list(client.get("/agreements/").context["listing"].page)

    assert listed(factories.mercuri()) == [agreement]
    assert listed(factories.stranger()) == [other]
    assert listed(None) == [agreement, other]
    assert list(client.get("/agreements/", {"q": "mercuri"}).context["listing"].page) == [agreement]
    assert list(client.get("/agreements/", {"kind": "ola"}).context["listing"].page) == []


def test_an_agreement_shows_its_targets_matrix_and_hours(
    client: Client, agreement: Agreement, manager: User
) -> None:
    client.force_login(manager)

    response = client.get(f"/agreements/{agreement.pk}/")
    text = response.content.decode()

    (table,) = response.context["tables"]
    assert table.rows[0] == ("Critical", 15, 120)
    for words in (
        "15 min",
        "00:00–24:00",
        "Urgency 4",
        "pending, on hold",
        "all between the two",
        "95 % in time",
    ):
        assert words in text


def test_an_agreement_of_others_does_not_exist(client: Client, agreement: Agreement) -> None:
    client.force_login(factories.make_user(role=Role.SERVICE_LEVEL_MANAGER, partner=factories.stranger()))

    for address in ("", "edit/", "targets/", "matrix/"):
        assert client.get(f"/agreements/{agreement.pk}/{address}").status_code == 404
    assert client.get(f"/agreements/calendars/{agreement.calendar_id}/").status_code == 404


def test_who_only_reads_changes_nothing(client: Client, agreement: Agreement) -> None:
    client.force_login(factories.make_user(role=Role.MAPPING_OWNER, partner=factories.mercuri()))

    assert client.get(f"/agreements/{agreement.pk}/").status_code == 200
    for address in ("edit/", "targets/", "matrix/"):
        assert client.get(f"/agreements/{agreement.pk}/{address}").status_code == 403


def test_an_agreement_comes_from_the_reference_once(client: Client, manager: User) -> None:
    client.force_login(manager)
    parties = {"customer": factories.mercuri().pk, "provider": factories.infinity().pk, "kind": "ola"}

    first = client.post("/agreements/reference/", parties, follow=True)
    second = client.post("/agreements/reference/", parties, follow=True)

    made = Agreement.objects.get()
    assert (said(first), said(second)) == (
        ["Added from the reference."],
        ["There was one already: this is it."],
    )
    assert (made.kind, made.targets.count()) == ("ola", 8)
    assert AuditEntry.objects.about(made).count() == 1


def test_an_agreement_is_between_two_of_whom_one_is_ones_own(client: Client, agreement: Agreement) -> None:
    factories.make_connection(
        factories.make_system(factories.mercuri(), "zendesk"),
        factories.make_system(factories.infinity(), "jira"),
    )
    factories.make_connection(
        factories.make_system(factories.mercuri(), "zendesk"),
        factories.make_system(factories.globally(), "jira"),
    )
    client.force_login(factories.make_user(role=Role.SERVICE_LEVEL_MANAGER, partner=factories.mercuri()))

    def errors(customer: Any, provider: Any) -> dict[str, list[str]]:
        data = {"customer": customer.pk, "provider": provider.pk, "kind": "sla"}
        response = client.post("/agreements/reference/", data)
        return dict(response.context["form"].errors) if response.status_code == 422 else {}

    infinity, mercuri, other = factories.infinity(), factories.mercuri(), factories.globally()
    assert errors(mercuri, mercuri) == {"provider": ["Customer and provider are two different partners."]}
    assert errors(infinity, other) == {"__all__": ["Your roles allow agreements only of your own partner."]}
    # A partner that one has nothing to do with is no choice at all.
    assert list(errors(factories.stranger(), mercuri)) == ["customer"]
    assert errors(mercuri, other) == {}


def test_a_new_agreement_begins_with_the_reference_targets(
    client: Client, agreement: Agreement, manager: User
) -> None:
    client.force_login(manager)
    data = terms(
        agreement, name="Development", customer=factories.infinity().pk, provider=factories.globally().pk
    )

    response = client.post("/agreements/add/", data, follow=True)

    made = Agreement.objects.get(name="Development")
    assert response.redirect_chain[-1][0] == f"/agreements/{made.pk}/targets/"
    assert made.targets.count() == 8
    assert AuditEntry.objects.about(made).get().changes["provider"] == "Global Pvt Ltd"


def test_without_a_calendar_the_reference_is_where_to_begin(client: Client, manager: User) -> None:
    client.force_login(manager)

    assert client.get("/agreements/add/")["Location"] == "/agreements/reference/"


def test_changed_terms_are_kept_with_names_and_start_a_recomputation(
    client: Client, agreement: Agreement, manager: User
) -> None:
    Agreement.objects.update(recompute_from=None)
    office = Calendar.objects.create(name="Office")
    client.force_login(manager)
    data = terms(agreement, calendar=office.pk, goal_percent="97.5", pause_statuses=["pending"])

    response = client.post(f"/agreements/{agreement.pk}/edit/", data, follow=True)

    agreement.refresh_from_db()
    assert (agreement.calendar, agreement.pause_statuses, agreement.recompute_from) == (
        office,
        ["pending"],
        0,
    )
    assert "Clocks are computed again" in said(response)[0]
    assert AuditEntry.objects.about(agreement).get().changes == {
        "calendar": "Office",
        "goal_percent": ["95.00", "97.50"],
        "pause_statuses": [["pending", "on hold"], ["pending"]],
    }


def test_two_people_do_not_save_over_each_other(client: Client, agreement: Agreement, manager: User) -> None:
    client.force_login(manager)
    mine = terms(agreement, note="Mine")
    Agreement.objects.update(goal_percent=80)

    response = client.post(f"/agreements/{agreement.pk}/edit/", mine)

    assert response.status_code == 422
    assert "Somebody changed this while you had it open: Goal in per cent." in response.content.decode()
    agreement.refresh_from_db()
    assert agreement.note == ""


@pytest.mark.parametrize(
    ("changed", "field", "sentence"),
    [
        ({"valid_until": "1999-12-31"}, "valid_until", "An agreement ends after it begins."),
        ({"goal_percent": "101"}, "goal_percent", "Ensure this value is less than or equal to 100."),
        ({"name": "Other"}, "name", "An agreement has this name already."),
        ({"valid_from": "soon"}, "valid_from", "Enter a valid date."),
        (
            {"connections": ["{connection}"]},
            "connections",
            "Elsewhere does not join these two partners.",
        ),
    ],
)
def test_what_cannot_be_is_said_at_its_field(
    client: Client, agreement: Agreement, manager: User, changed: dict[str, Any], field: str, sentence: str
) -> None:
    Agreement.objects.create(
        name="Other",
        customer=factories.infinity(),
        provider=factories.globally(),
        calendar=agreement.calendar,
        matrix=agreement.matrix,
        valid_from=date(2026, 1, 1),
    )
    elsewhere = factories.make_connection(name="Elsewhere")
    if "connections" in changed:
        changed = {"connections": [elsewhere.pk]}
    client.force_login(manager)

    response = client.post(f"/agreements/{agreement.pk}/edit/", terms(agreement, **changed))

    assert response.status_code == 422
    assert response.context["form"].errors == {field: [sentence]}


def test_targets_are_written_as_durations(client: Client, agreement: Agreement, manager: User) -> None:
    client.force_login(manager)
    shown = shown_targets(agreement)
    data = {**shown, "stamp": stamp_of(shown)}
    data |= {"t_response_critical": "10 min", "t_resolution_low": "", "t_resolution_high_change": "3 d"}

    client.post(f"/agreements/{agreement.pk}/targets/", data)

    assert AuditEntry.objects.about(agreement).get().changes == {
        "resolution high change": [None, 4320],
        "resolution low": [4320, None],
        "response critical": [15, 10],
    }
    assert agreement.targets.get(kind="response", priority="critical", type="").minutes == 10


def test_a_target_that_makes_no_sense_is_refused_in_its_cell(
    client: Client, agreement: Agreement, manager: User
) -> None:
    client.force_login(manager)
    shown = shown_targets(agreement)
    data = {**shown, "stamp": stamp_of(shown), "t_response_critical": "3 h", "t_resolution_high": "soon"}

    response = client.post(f"/agreements/{agreement.pk}/targets/", data)

    assert response.context["form"].errors == {
        "t_resolution_high": ["“soon” is no duration. Write it like 15 min, 2 h 30 min or 3 d."],
        "t_response_critical": ["Answering may not take longer than resolving."],
    }
    assert agreement.targets.get(kind="response", priority="critical").minutes == 15


def matrix_data(matrix: PriorityMatrix, **changed: str) -> dict[str, Any]:
    shown = shown_matrix(matrix.rows)
    return {**shown, "stamp": stamp_of(shown), **changed}


def test_a_matrix_of_ones_own_is_changed_in_place(
    client: Client, agreement: Agreement, manager: User
) -> None:
    client.force_login(manager)

    client.post(f"/agreements/{agreement.pk}/matrix/", matrix_data(agreement.matrix, p44="medium"))

    agreement.matrix.refresh_from_db()
    assert agreement.matrix.rows[3] == ["low", "low", "low", "medium"]
    assert "matrix" in AuditEntry.objects.about(agreement).get().changes


def test_a_shared_matrix_is_changed_for_one_or_for_all(
    client: Client, agreement: Agreement, manager: User
) -> None:
    other = slas.load_reference(factories.infinity(), factories.globally())
    shared = agreement.matrix
    client.force_login(manager)
    address = f"/agreements/{agreement.pk}/matrix/"

    client.post(address, matrix_data(shared, p44="high", scope="own"))
    agreement.refresh_from_db()
    shared.refresh_from_db()
    assert (agreement.matrix.name, agreement.matrix.rows[3][3]) == (f"Matrix of {agreement}", "high")
    assert shared.rows[3][3] == "low"

    Agreement.objects.update(matrix=shared)
    client.post(address, matrix_data(shared, p44="medium", scope="all"))
    other.matrix.refresh_from_db()
    assert other.matrix.rows[3][3] == "medium"


def test_one_partners_manager_does_not_change_the_terms_of_others(
    client: Client, agreement: Agreement
) -> None:
    slas.load_reference(factories.infinity(), factories.globally())
    client.force_login(factories.make_user(role=Role.SERVICE_LEVEL_MANAGER, partner=factories.mercuri()))
    shared = agreement.matrix

    for_all = client.post(f"/agreements/{agreement.pk}/matrix/", matrix_data(shared, p44="high", scope="all"))
    for_one = client.post(f"/agreements/{agreement.pk}/matrix/", matrix_data(shared, p44="high", scope="own"))

    assert (for_all.status_code, for_one.status_code) == (403, 302)
    assert client.get(f"/agreements/calendars/{agreement.calendar_id}/").status_code == 403
    assert client.get("/agreements/calendars/add/").status_code == 403
    shared.refresh_from_db()
    assert shared.rows[3][3] == "low"


def calendar_data(calendar: Calendar, **changed: str) -> dict[str, Any]:
    shown = shown_calendar(calendar)
    return {**shown, "stamp": stamp_of(shown), **changed}


def test_a_calendars_hours_holidays_and_closures_are_changed(
    client: Client, agreement: Agreement, manager: User
) -> None:
    calendar = agreement.calendar
    Agreement.objects.update(recompute_from=None)
    client.force_login(manager)
    data = calendar_data(
        calendar,
        time_zone="Europe/Berlin",
        day0="08:00–12:00, 13:00–17:00",
        day6="",
        holidays="2026-12-25 Christmas Day",
        closures="2026-12-01 22:00 – 2026-12-02 04:00 New servers",
    )

    client.post(f"/agreements/calendars/{calendar.pk}/", data)

    calendar.refresh_from_db()
    shown = shown_calendar(calendar)
    assert {name: shown[name] for name in data if name != "stamp"} == {
        name: value for name, value in data.items() if name != "stamp"
    }
    agreement.refresh_from_db()
    assert agreement.recompute_from == 0
    assert AuditEntry.objects.about(calendar).get().changes == {
        "time_zone": ["UTC", "Europe/Berlin"],
        "Monday": ["00:00–24:00", "08:00–12:00, 13:00–17:00"],
        "Sunday": ["00:00–24:00", ""],
        "2026-12-25": [None, "Christmas Day"],
        "closures": [0, 1],
    }


def test_hours_that_cannot_be_read_are_refused_at_their_day(
    client: Client, agreement: Agreement, manager: User
) -> None:
    client.force_login(manager)
    data = calendar_data(agreement.calendar, day0="nine to five", holidays="Christmas")

    response = client.post(f"/agreements/calendars/{agreement.calendar_id}/", data)

    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["day0", "holidays"]


def test_a_calendar_is_added(client: Client, manager: User) -> None:
    client.force_login(manager)

    empty = client.get("/agreements/calendars/add/")
    response = client.post(
        "/agreements/calendars/add/",
        {"name": "Office", "time_zone": "Europe/Berlin", "day0": "08:00–17:00"},
        follow=True,
    )

    assert empty.context["form"]["day0"].value() == "08:00–18:00"
    assert said(response) == ["Calendar Office added."]
    assert shown_calendar(Calendar.objects.get(name="Office"))["day0"] == "08:00–17:00"


def test_an_agreement_that_measured_something_is_not_removed(
    client: Client, agreement: Agreement, manager: User
) -> None:
    left, right = scenes.mercuri_and_infinity()
    linked = scenes.matter(left, right, left_fields={}).linked
    Timing.objects.create(linked_ticket=linked, side=left, what="opened", happened_at=scenes.NOW, position=1)
    slas.recompute(linked, scenes.NOW)
    client.force_login(manager)
    address = f"/agreements/{agreement.pk}/remove/"

    kept = client.post(address, follow=True)
    Clock.objects.all().delete()
    removed = client.post(address, follow=True)

    assert said(kept) == [
        "It has measured tickets. Give it a last day instead, so that reports stay what they were."
    ]
    assert said(removed) == ["Removed."]
    assert not Agreement.objects.exists()


def test_the_list_costs_the_same_whatever_its_length(
    client: Client, agreement: Agreement, manager: User, django_assert_num_queries: Any
) -> None:
    for partner in (factories.globally(), factories.stranger()):
        slas.load_reference(factories.infinity(), partner)
    client.force_login(manager)
    client.get("/agreements/")

    # Session, user and whose; memberships, matrix; partners seen; agreements counted, listed; calendars, matrices.
    with django_assert_num_queries(11):
        client.get("/agreements/")
