"""The pages about partners."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations.models import Partner
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

pytestmark = pytest.mark.django_db

LIST = reverse("partner_list")
ADD = reverse("partner_add")


@pytest.fixture
def staff(client: Client) -> User:
    """Signed in: service integrator staff."""
    user = make_user("sina", role=Role.INTEGRATOR_STAFF)
    client.force_login(user)
    return user


@pytest.fixture
def owner(client: Client) -> User:
    """Signed in: the owner of Mercuri's mappings."""
    user = make_user("mira", role=Role.MAPPING_OWNER, partner=mercuri())
    client.force_login(user)
    return user


def names(response: Any) -> list[str]:
    return [partner.name for partner in response.context["listing"].page]


def posted(**values: Any) -> dict[str, Any]:
    return {"name": "Borealis Health", "layers": ["customer"], "contact": "", "note": "", **values}


# --- The list ---


def test_staff_see_every_partner(client: Client, staff: User) -> None:
    mercuri(), globally(), stranger()

    assert names(client.get(LIST)) == ["Global Pvt Ltd", "Infinity Solutions", "Mercuri Inc", "Stranger Ltd"]


def test_people_of_a_partner_see_their_own(client: Client, owner: User) -> None:
    globally(), stranger()

    assert names(client.get(LIST)) == ["Mercuri Inc"]


def test_whoever_has_no_role_sees_nothing(client: Client) -> None:
    client.force_login(make_user())

    assert client.get(LIST).status_code == 403


def test_nobody_signed_in_is_sent_to_the_sign_in(client: Client) -> None:
    assert client.get(LIST).url == f"{reverse('sign_in')}?next={LIST}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "glob"}, ["Global Pvt Ltd"]),
        ({"q": "+49"}, ["Mercuri Inc"]),
        ({"layer": "customer"}, ["Infinity Solutions"]),
        ({"layer": "nonsense"}, ["Global Pvt Ltd", "Infinity Solutions", "Mercuri Inc"]),
        ({"q": "nobody"}, []),
        ({"sort": "-name"}, ["Mercuri Inc", "Infinity Solutions", "Global Pvt Ltd"]),
        ({"sort": "nonsense", "page": "99"}, ["Global Pvt Ltd", "Infinity Solutions", "Mercuri Inc"]),
        ({"sort": "-systems", "layer": "provider"}, ["Mercuri Inc", "Global Pvt Ltd"]),
    ],
)
def test_the_list_is_narrowed_and_sorted(
    client: Client, staff: User, query: dict[str, str], expected: list[str]
) -> None:
    Partner.objects.filter(pk=mercuri().pk).update(contact="Ann, +49 69 1234")
    globally()
    make_system(mercuri())

    assert names(client.get(LIST, query)) == expected


def test_systems_and_people_are_counted_apart(client: Client, staff: User) -> None:
    for _ in range(2):
        make_system(mercuri())
    for _ in range(3):
        make_user(partner=mercuri())

    (partner,) = (one for one in client.get(LIST).context["listing"].page if one.name == "Mercuri Inc")

    assert (partner.system_count, partner.people_count) == (2, 3)


def test_a_long_list_comes_in_pages(client: Client, staff: User) -> None:
    for number in range(60):
        make_partner(f"Partner {number:02}")

    first, second = client.get(LIST), client.get(LIST, {"page": 2, "sort": "name"})

    assert (len(names(first)), len(names(second))) == (50, 11)
    assert b"?page=2" in first.content
    assert b"page=1" in second.content
    assert b"sort=name" in second.content


def test_the_list_takes_as_many_queries_however_long_it_is(
    client: Client, staff: User, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        make_system(make_partner(f"Partner {number}"))
    # The first page of a process learns the content types.
    client.get(LIST)

    # Session, person, memberships, matrix; counting, fetching; the person's own partner for the top bar.
    with django_assert_num_queries(8):
        client.get(LIST)


def test_the_list_is_exported_safely(client: Client, staff: User) -> None:
    make_partner("=HYPERLINK()", contact="+49 1, ext. 2")

    response = client.get(reverse("partner_export"), {"q": "hyper"})

    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert response["Content-Disposition"] == 'attachment; filename="partners.csv"'
    header, row, *rest = text.split("\r\n")
    assert header == "Name,Customer,Service integrator,Service provider,Contact,Systems,People,Since"
    assert row.startswith("'=HYPERLINK(),no,no,yes,\"'+49 1, ext. 2\",")
    assert rest == [""]


# --- One partner ---


def test_a_partner_is_shown_with_systems_connections_and_people(client: Client, staff: User) -> None:
    connection = make_connection()
    make_user("agent", role=Role.PARTNER_AGENT, partner=mercuri(), first_name="Ann", last_name="Lee")

    response = client.get(reverse("partner_detail", args=[mercuri().pk]))

    page = response.content.decode()
    assert [one.name for one in response.context["systems"]] == ["Mercuri Zendesk"]
    assert list(response.context["connections"]) == [connection]
    assert "Ann Lee" in page
    assert "Partner agent" in page


def test_what_the_reader_may_not_read_is_left_out(client: Client) -> None:
    make_connection()
    client.force_login(make_user(role=Role.PARTNER_AGENT, partner=mercuri()))

    response = client.get(reverse("partner_detail", args=[mercuri().pk]))

    assert response.status_code == 200
    assert not any(name in response.context for name in ("systems", "connections", "people"))
    assert "Mercuri Zendesk" not in response.content.decode()


@pytest.mark.parametrize("name", ["partner_detail", "partner_edit"])
def test_another_partner_is_not_there(client: Client, name: str) -> None:
    client.force_login(make_user(role=Role.MAPPING_OWNER, partner=mercuri()))

    status = client.get(reverse(name, args=[stranger().pk])).status_code

    # To change one's own takes more than this role has, so the question does not come up.
    assert status == (404 if name == "partner_detail" else 403)


def test_one_query_a_kind_of_thing_shown(client: Client, staff: User, django_assert_num_queries: Any) -> None:
    make_connection()
    for _ in range(5):
        make_user(role=Role.PARTNER_AGENT, partner=mercuri())
    address = reverse("partner_detail", args=[mercuri().pk])
    client.get(address)

    # Session, person, memberships, matrix; the partner; its trail; systems; connections with sides, systems and
    # partners; people with their roles; the person's own partner for the top bar.
    with django_assert_num_queries(15):
        client.get(address)


# --- Adding and changing ---


def test_staff_add_a_partner(client: Client, staff: User) -> None:
    response = client.post(ADD, posted(layers=["customer", "provider"], note="Since spring"), follow=True)

    partner = Partner.objects.get(name="Borealis Health")
    assert response.redirect_chain == [(reverse("partner_detail", args=[partner.pk]), 302)]
    assert (partner.is_customer, partner.is_integrator, partner.is_provider, partner.note) == (
        True,
        False,
        True,
        "Since spring",
    )
    entry = AuditEntry.objects.get(action="added")
    assert (entry.actor, entry.partner, entry.changes["layers"]) == (
        staff,
        partner,
        [None, ["Customer organisation", "Service provider"]],
    )


def test_the_new_partner_is_seen_at_once(client: Client, staff: User) -> None:
    client.post(ADD, posted())

    assert "Borealis Health" in names(client.get(LIST))


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"layers": []}, "layers", "Choose at least one."),
        ({"name": "Infinity Solutions"}, "name", "A partner has this name already."),
    ],
)
def test_bad_input_gets_a_sentence_and_keeps_what_was_typed(
    client: Client, staff: User, values: dict[str, Any], field: str, sentence: str
) -> None:
    response = client.post(ADD, posted(contact="Ann Lee", **values))

    assert response.status_code == 422
    assert response.context["form"].errors == {field: [sentence]}
    assert "Ann Lee" in response.content.decode()
    assert not Partner.objects.filter(contact="Ann Lee").exists()


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.ADMINISTRATOR, 200),
        (Role.INTEGRATOR_STAFF, 200),
        (Role.SECURITY_OFFICER, 403),
        (Role.MAPPING_OWNER, 403),
        (Role.PARTNER_AGENT, 403),
    ],
)
def test_who_may_add_a_partner(client: Client, role: str, status: int) -> None:
    client.force_login(make_user(role=role, partner=infinity()))

    assert client.get(ADD).status_code == status


def edit(client: Client, partner: Partner, stamp: str | None = None, **values: Any) -> Any:
    address = reverse("partner_edit", args=[partner.pk])
    stamp = stamp or client.get(address).context["form"]["stamp"].value()
    return client.post(address, posted(name=partner.name, layers=["provider"], stamp=stamp, **values))


def test_staff_change_a_partner(client: Client, staff: User) -> None:
    partner = mercuri()

    response = edit(client, partner, contact="Ann Lee")

    partner.refresh_from_db()
    assert (response.status_code, partner.contact) == (302, "Ann Lee")
    assert AuditEntry.objects.get(action="changed").changes == {"contact": ["", "Ann Lee"]}


def test_saving_without_a_change_leaves_no_trail(client: Client, staff: User) -> None:
    edit(client, mercuri())

    assert not AuditEntry.objects.filter(action="changed").exists()


def test_a_change_made_meanwhile_is_told_and_not_overwritten(client: Client, staff: User) -> None:
    partner = mercuri()
    stamp = client.get(reverse("partner_edit", args=[partner.pk])).context["form"]["stamp"].value()
    Partner.objects.filter(pk=partner.pk).update(contact="Ben")

    first = edit(client, partner, stamp, contact="Ann")

    partner.refresh_from_db()
    assert (first.status_code, partner.contact) == (422, "Ben")
    (sentence,) = first.context["form"].non_field_errors()
    assert "Contact is now “Ben”" in sentence
    assert first.context["form"]["contact"].value() == "Ann"

    again = edit(client, partner, first.context["form"]["stamp"].value(), contact="Ann")

    partner.refresh_from_db()
    assert (again.status_code, partner.contact) == (302, "Ann")


@pytest.mark.parametrize("stamp", ["", "forged"])
def test_a_form_without_its_stamp_saves_nothing(client: Client, staff: User, stamp: str) -> None:
    partner = mercuri()

    response = client.post(
        reverse("partner_edit", args=[partner.pk]), posted(name="Other", layers=["provider"], stamp=stamp)
    )

    partner.refresh_from_db()
    assert (response.status_code, partner.name) == (422, "Mercuri Inc")


def test_an_empty_portal_says_what_to_do(client: Client) -> None:
    user = make_user(role=Role.ADMINISTRATOR)
    client.force_login(user)

    page = client.get(LIST, {"q": "nothing of this name"}).content.decode()

    assert "No partner fits" in page
