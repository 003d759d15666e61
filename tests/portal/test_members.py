"""The pages about people, their roles, and the access matrix."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portal import access
from portal.access import Level, may
from portal.models import AuditEntry, Membership, User
from tests.factories import PASSWORD, Role, globally, infinity, make_user, mercuri, stranger

pytestmark = pytest.mark.django_db

LIST = reverse("member_list")
ADD = reverse("member_add")
MATRIX = reverse("member_matrix")


@pytest.fixture
def admin(client: Client) -> User:
    """Signed in: the administrator."""
    user = make_user("ada", role=Role.ADMINISTRATOR)
    client.force_login(user)
    return user


def at(name: str, user: User, *more: int) -> str:
    return reverse(name, args=[user.pk, *more])


def names(response: Any) -> list[str]:
    return [user.username for user in response.context["listing"].page]


def posted(**values: Any) -> dict[str, Any]:
    given = {
        "username": "ann",
        "first_name": "Ann",
        "last_name": "Lee",
        "email": "ann@mercuri.example",
        "partner": mercuri().pk,
        "way": "link",
        "password": "",
    }
    return {**given, **values}


def roles(user: User) -> set[tuple[str, Any]]:
    return set(Membership.objects.filter(user=user).values_list("role", "partner"))


def trail(user: User) -> list[str]:
    return [entry.action for entry in AuditEntry.objects.about(user)]


def message(response: Any) -> str:
    return " ".join(str(one) for one in response.context["messages"])


# --- The list ---


def test_everybody_is_listed_for_whoever_keeps_all_people(client: Client, admin: User) -> None:
    make_user("ann", role=Role.PARTNER_AGENT, partner=mercuri())
    make_user("zoe")

    assert names(client.get(LIST)) == ["ada", "ann", "zoe"]


def test_a_partners_people_are_listed_for_its_own(client: Client) -> None:
    owner = make_user("mira", role=Role.MAPPING_OWNER, partner=mercuri())
    make_user("ann", role=Role.PARTNER_AGENT, partner=mercuri())
    guest = make_user("guest", role=Role.PARTNER_AGENT, partner=globally())
    access.grant(guest, Role.PARTNER_AGENT, mercuri())
    make_user("raj", role=Role.MAPPING_OWNER, partner=globally())
    access.set_level(Role.MAPPING_OWNER, "members", Level.READ, by=owner)
    client.force_login(owner)

    response = client.get(LIST)

    assert names(response) == ["ann", "guest", "mira"]
    # What the guest is at Global is not Mercuri's to know.
    assert [str(one.partner) for one in response.context["listing"].page[1].memberships.all()] == [
        "Mercuri Inc"
    ]
    assert client.get(at("member_detail", User.objects.get(username="raj"))).status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"q": "lee ann"}, ["ann"]),
        ({"q": "@mercuri"}, ["ann"]),
        ({"role": Role.PARTNER_AGENT}, ["ann"]),
        ({"account": "closed"}, ["zoe"]),
        ({"account": "open"}, ["ada", "ann"]),
        ({"sort": "-username"}, ["zoe", "ann", "ada"]),
        ({"partner": "mercuri"}, ["ann"]),
    ],
)
def test_the_list_is_narrowed_and_sorted(
    client: Client, admin: User, query: dict[str, str], expected: list[str]
) -> None:
    make_user(
        "ann",
        role=Role.PARTNER_AGENT,
        partner=mercuri(),
        first_name="Ann",
        last_name="Lee",
        email="ann@mercuri.example",
    )
    make_user("zoe", is_active=False)
    if "partner" in query:
        query = {"partner": str(mercuri().pk)}

    assert names(client.get(LIST, query)) == expected


def test_the_list_takes_as_many_queries_however_long_it_is(
    client: Client, admin: User, django_assert_num_queries: Any
) -> None:
    for _ in range(6):
        make_user(role=Role.PARTNER_AGENT, partner=mercuri())
    client.get(LIST)

    # Session, person, memberships, matrix; partners to choose from; counting, fetching; roles with their partners;
    # the person's own partner for the top bar.
    with django_assert_num_queries(10):
        client.get(LIST)


def test_the_list_is_exported(client: Client, admin: User) -> None:
    make_user("ann", role=Role.PARTNER_AGENT, partner=mercuri(), first_name="=1+1")

    response = client.get(reverse("member_export"), {"q": "ann"})

    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert text.split("\r\n")[1] == "ann,'=1+1,,Mercuri Inc,Partner agent at Mercuri Inc,,open"


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.ADMINISTRATOR, 200),
        (Role.SECURITY_OFFICER, 200),
        (Role.INTEGRATOR_STAFF, 403),
        (Role.PARTNER_AGENT, 403),
    ],
)
def test_who_may_add_people(client: Client, role: str, status: int) -> None:
    client.force_login(make_user(role=role, partner=infinity()))

    assert client.get(ADD).status_code == status


# --- Adding ---


def test_a_person_is_added_with_a_one_time_link(client: Client, admin: User) -> None:
    response = client.post(ADD, posted())

    person = User.objects.get(username="ann")
    assert (str(person), person.partner, person.has_usable_password(), roles(person)) == (
        "Ann Lee",
        mercuri(),
        False,
        set(),
    )
    assert response.status_code == 200
    assert response.context["link"].startswith("http://localhost:8000/members/welcome/")
    assert "no-store" in response["Cache-Control"]
    assert trail(person) == ["added"]
    assert AuditEntry.objects.get(action="added").changes["partner"] == [None, "Mercuri Inc"]


def test_the_link_works_once(client: Client, admin: User) -> None:
    link = client.post(ADD, posted()).context["link"]
    path = link.removeprefix("http://localhost:8000")
    ann = Client()

    form = ann.get(path, follow=True)
    typed = {"new_password1": PASSWORD, "new_password2": PASSWORD}
    done = ann.post(form.redirect_chain[-1][0], typed)
    again = Client().get(path, follow=True)

    assert done.url == reverse("sign_in")  # type: ignore[attr-defined]
    assert Client().login(username="ann", password=PASSWORD)
    assert "This link is used up" in again.content.decode()
    assert trail(User.objects.get(username="ann")) == ["set a password by a one-time link for", "added"]


def test_a_weak_password_is_refused_at_the_link(client: Client, admin: User) -> None:
    link = client.post(ADD, posted()).context["link"].removeprefix("http://localhost:8000")
    ann = Client()
    address = ann.get(link, follow=True).redirect_chain[-1][0]

    response = ann.post(address, {"new_password1": "short", "new_password2": "short"})

    assert "at least 12 characters" in response.content.decode()
    assert not User.objects.get(username="ann").has_usable_password()


def test_a_closed_account_has_no_way_in(client: Client, admin: User) -> None:
    link = client.post(ADD, posted()).context["link"].removeprefix("http://localhost:8000")
    User.objects.filter(username="ann").update(is_active=False)

    assert "This link is used up" in Client().get(link, follow=True).content.decode()


def test_a_password_can_be_typed(client: Client, admin: User) -> None:
    response = client.post(ADD, posted(way="typed", password=PASSWORD))

    assert response.url == at("member_detail", User.objects.get(username="ann"))  # type: ignore[attr-defined]
    assert Client().login(username="ann", password=PASSWORD)
    assert PASSWORD not in str(list(AuditEntry.objects.values_list("changes", flat=True)))


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"username": ""}, "username", "This field is required."),
        ({"username": "a b"}, "username", "Enter a valid username"),
        ({"username": "ada"}, "username", "Somebody has this user name already."),
        ({"email": "nonsense"}, "email", "Enter a valid email address."),
        ({"partner": "999"}, "partner", "Select a valid choice"),
        ({"way": "typed"}, "password", "Type the password, or choose the one-time link."),
        ({"way": "typed", "password": "short"}, "password", "at least 12 characters"),
        ({"way": "typed", "password": "ann@mercuri.example"}, "password", "too similar to the"),
    ],
)
def test_bad_input_gets_a_sentence_at_its_place(
    client: Client, admin: User, values: dict[str, Any], field: str, sentence: str
) -> None:
    response = client.post(ADD, posted(**values))

    errors = response.context["form"].errors
    assert response.status_code == 422
    assert list(errors) == [field]
    assert sentence in str(errors)
    assert not User.objects.filter(username="ann").exists()


# --- Changing ---


def edit(client: Client, user: User, stamp: str = "", **values: Any) -> Any:
    address = at("member_edit", user)
    stamp = stamp or client.get(address).context["form"]["stamp"].value()
    return client.post(address, {**posted(**values), "stamp": stamp})


def test_a_person_is_changed(client: Client, admin: User) -> None:
    person = make_user("ann", partner=globally())

    response = edit(client, person, email="new@mercuri.example")

    person.refresh_from_db()
    assert (response.status_code, person.email, person.partner) == (302, "new@mercuri.example", mercuri())
    assert AuditEntry.objects.get(action="changed").changes["partner"] == ["Global Pvt Ltd", "Mercuri Inc"]


def test_a_person_changed_meanwhile_is_not_overwritten(client: Client, admin: User) -> None:
    person = make_user("ann", partner=mercuri())
    stamp = client.get(at("member_edit", person)).context["form"]["stamp"].value()
    User.objects.filter(pk=person.pk).update(email="other@mercuri.example")

    response = edit(client, person, stamp)

    person.refresh_from_db()
    assert (response.status_code, person.email) == (422, "other@mercuri.example")


def test_somebody_with_a_role_everywhere_works_for_the_integrator(client: Client, admin: User) -> None:
    person = make_user("ann", role=Role.INTEGRATOR_STAFF)

    response = edit(client, person)

    assert response.status_code == 422
    assert "Take it back first." in str(response.context["form"].errors["partner"])
    person.refresh_from_db()
    assert person.partner == infinity()


# --- Roles ---


def give(client: Client, user: User, role: str, partner: Any = "") -> Any:
    return client.post(
        at("member_grant", user), {"role": role, "partner": getattr(partner, "pk", partner)}, follow=True
    )


def test_a_role_is_given_and_taken_back(client: Client, admin: User) -> None:
    person = make_user("ann", partner=mercuri())

    given = give(client, person, Role.MAPPING_OWNER, mercuri())
    membership = Membership.objects.get(user=person)
    may_before = may(User.objects.get(pk=person.pk), "full", "mappings", mercuri())
    taken = client.post(at("member_revoke", person, membership.pk), follow=True)

    assert "ann is mapping owner at Mercuri Inc from now on." in message(given)
    assert (membership.granted_by, may_before) == (admin, True)
    assert "ann is mapping owner no longer." in message(taken)
    assert roles(person) == set()
    assert not may(User.objects.get(pk=person.pk), "read", "mappings", mercuri())
    assert trail(person) == ["revoked", "granted"]


@pytest.mark.parametrize(
    ("role", "partner", "sentence"),
    [
        (Role.MAPPING_OWNER, "", "Mapping owner is a role at one partner; say at which."),
        (Role.ADMINISTRATOR, "mercuri", "Administrator is a role at all partners"),
        (Role.INTEGRATOR_STAFF, "", "only the service integrator"),
    ],
)
def test_a_role_that_cannot_be_given_there_is_told(
    client: Client, admin: User, role: str, partner: str, sentence: str
) -> None:
    person = make_user("ann", partner=mercuri())

    response = give(client, person, role, mercuri() if partner else "")

    assert response.status_code == 422
    assert sentence in str(response.context["form"].errors["partner"]).replace("&#x27;", "'")
    assert roles(person) == set()


def test_nobody_raises_himself(client: Client) -> None:
    officer = make_user("sec", role=Role.SECURITY_OFFICER)
    client.force_login(officer)

    response = give(client, officer, Role.ADMINISTRATOR)

    assert response.status_code == 422
    assert "You cannot give yourself a role." in str(response.context["form"].non_field_errors())
    assert roles(officer) == {(Role.SECURITY_OFFICER, None)}
    assert (
        reverse("member_grant", args=[officer.pk])
        not in client.get(at("member_detail", officer)).content.decode()
    )


def test_nobody_takes_his_own_role(client: Client, admin: User) -> None:
    make_user("other", role=Role.ADMINISTRATOR)

    response = client.post(at("member_revoke", admin, admin.memberships.get().pk), follow=True)

    assert "You cannot take a role from yourself." in message(response)
    assert roles(admin) == {(Role.ADMINISTRATOR, None)}


@pytest.mark.parametrize("is_second_active", [True, False])
def test_the_last_administrator_stays_one(client: Client, admin: User, is_second_active: bool) -> None:
    make_user("second", role=Role.ADMINISTRATOR, is_active=is_second_active)
    client.force_login(make_user("sec", role=Role.SECURITY_OFFICER))

    closed = client.post(at("member_close", admin), follow=True)
    taken = client.post(at("member_revoke", admin, admin.memberships.get().pk), follow=True)

    admin.refresh_from_db()
    assert admin.is_active is not is_second_active
    assert bool(roles(admin)) is not is_second_active
    if not is_second_active:
        assert "is the last administrator" in message(closed)
        assert "is the last administrator" in message(taken)


def test_a_role_is_taken_from_whom_it_belongs_to(client: Client, admin: User) -> None:
    ann = make_user("ann", role=Role.PARTNER_AGENT, partner=mercuri())
    zoe = make_user("zoe")

    response = client.post(at("member_revoke", zoe, ann.memberships.get().pk))

    assert response.status_code == 404
    assert roles(ann) == {(Role.PARTNER_AGENT, mercuri().pk)}


# --- Accounts ---


def test_closing_an_account_ends_its_sessions(client: Client, admin: User) -> None:
    ann = make_user("ann", role=Role.PARTNER_AGENT, partner=mercuri())
    session = Client()
    session.force_login(ann)
    before = session.get(reverse("partner_list")).status_code

    client.post(at("member_close", ann))
    after = session.get(reverse("partner_list"))

    assert (before, after.status_code) == (200, 302)
    assert after.url.startswith(reverse("sign_in"))  # type: ignore[attr-defined]
    assert trail(ann)[0] == "closed the account of"


def test_a_closed_account_is_opened_with_the_roles_it_had(client: Client, admin: User) -> None:
    ann = make_user("ann", role=Role.PARTNER_AGENT, partner=mercuri(), is_active=False)

    first = client.post(at("member_link", ann), follow=True)
    client.post(at("member_open", ann))

    ann.refresh_from_db()
    assert "The account of ann is closed. Open it first." in message(first)
    assert (ann.is_active, roles(ann)) == (True, {(Role.PARTNER_AGENT, mercuri().pk)})


def test_nobody_closes_his_own_account(client: Client, admin: User) -> None:
    make_user("other", role=Role.ADMINISTRATOR)

    assert "You cannot close your own account." in message(
        client.post(at("member_close", admin), follow=True)
    )


def test_a_new_link_is_shown_once_and_in_the_trail(client: Client, admin: User) -> None:
    ann = make_user("ann", partner=mercuri())

    response = client.post(at("member_link", ann))

    link = response.context["link"]
    assert link in response.content.decode()
    assert link not in client.get(at("member_detail", ann)).content.decode()
    assert trail(ann) == ["made a one-time link for"]
    assert not re.search(link.split("/")[-2], str(AuditEntry.objects.last().changes))  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["member_close", "member_open", "member_link"])
def test_whoever_keeps_one_partners_people_does_not_reach_further(client: Client, name: str) -> None:
    owner = make_user("mira", role=Role.MAPPING_OWNER, partner=mercuri())
    # Works for Mercuri, and has a role at Global besides.
    ann = make_user("ann", role=Role.PARTNER_AGENT, partner=mercuri())
    access.set_level(Role.MAPPING_OWNER, "members", Level.FULL, by=ann)
    client.force_login(owner)

    alone = client.post(at(name, ann)).status_code
    access.grant(ann, Role.MAPPING_OWNER, globally())
    reaching = client.post(at(name, ann)).status_code

    assert alone in (200, 302)
    assert reaching == 403


def test_roles_are_given_where_the_giver_has_a_say(client: Client) -> None:
    owner = make_user("mira", role=Role.MAPPING_OWNER, partner=mercuri())
    access.set_level(Role.MAPPING_OWNER, "members", Level.FULL, by=owner)
    ann = make_user("ann", partner=mercuri())
    client.force_login(owner)

    mine = give(client, ann, Role.PARTNER_AGENT, mercuri())
    theirs = give(client, ann, Role.PARTNER_AGENT, globally())
    all_of_them = give(client, ann, Role.INTEGRATOR_STAFF)

    assert (mine.status_code, theirs.status_code, all_of_them.status_code) == (200, 422, 403)
    assert roles(ann) == {(Role.PARTNER_AGENT, mercuri().pk)}


@pytest.mark.parametrize("name", ["member_grant", "member_close", "member_open", "member_link"])
def test_reading_people_is_not_changing_them(client: Client, name: str) -> None:
    client.force_login(make_user(role=Role.INTEGRATOR_STAFF))
    ann = make_user("ann", partner=mercuri())

    assert client.get(at("member_detail", ann)).status_code == 200
    assert client.post(at(name, ann)).status_code == 403
    assert client.get(at(name, ann)).status_code == 405


# --- The matrix ---


def test_the_matrix_shows_what_is_enforced(client: Client, admin: User) -> None:
    changed = make_user("other", role=Role.SECURITY_OFFICER)
    access.set_level(Role.PARTNER_AGENT, "reports", Level.READ, by=changed)

    response = client.get(MATRIX)

    shown = {role: dict(levels) for role, _, levels in response.context["roles"]}
    assert shown == access.matrix()
    assert shown[Role.PARTNER_AGENT]["reports"] is Level.READ


def test_a_level_is_changed_for_everybody_with_the_role(client: Client, admin: User) -> None:
    agent = make_user(role=Role.PARTNER_AGENT, partner=mercuri())

    client.post(
        reverse("member_matrix_set"), {"role": Role.PARTNER_AGENT, "resource": "reports", "level": "read"}
    )

    assert may(User.objects.get(pk=agent.pk), "read", "reports", mercuri())
    assert AuditEntry.objects.get(action="changed the access matrix").actor == admin


@pytest.mark.parametrize(
    ("role", "resource", "level", "sentence"),
    [
        (Role.ADMINISTRATOR, "mappings", "read", "a role of your own"),
        (Role.SECURITY_OFFICER, "members", "none", "must keep full control of members"),
        (Role.INTEGRATOR_STAFF, "mappings", "full", "each side's rules are its own"),
        ("nobody", "mappings", "read", "Choose a role"),
        (Role.PARTNER_AGENT, "moon", "read", "Choose a role"),
        (Role.PARTNER_AGENT, "mappings", "everything", "Choose a role"),
    ],
)
def test_a_level_that_must_not_be_is_refused(
    client: Client, admin: User, role: str, resource: str, level: str, sentence: str
) -> None:
    before = access.matrix()

    response = client.post(
        reverse("member_matrix_set"), {"role": role, "resource": resource, "level": level}, follow=True
    )

    assert sentence in message(response)
    assert access.matrix() == before


def test_who_may_see_this_is_answered(client: Client, admin: User) -> None:
    make_user("mira", role=Role.MAPPING_OWNER, partner=mercuri())
    make_user("raj", role=Role.MAPPING_OWNER, partner=globally())
    stranger()

    response = client.get(MATRIX, {"action": "write", "resource": "mappings", "partner": mercuri().pk})
    nobody = client.get(MATRIX, {"action": "write", "resource": "mappings", "partner": stranger().pk})

    assert [one.user.username for one in response.context["found"]] == ["mira"]
    assert "Nobody may" in nobody.content.decode()


def test_the_matrix_is_exported(client: Client, admin: User) -> None:
    response = client.get(reverse("member_matrix_export"))

    rows = b"".join(response.streaming_content).decode("utf-8-sig").split("\r\n")  # type: ignore[attr-defined]
    assert rows[0].startswith("Role,Partners,Systems and credentials,Connections,")
    assert rows[4].startswith("Partner agent,read,none,none,none,read,")


def test_staff_read_the_matrix_and_do_not_change_it(client: Client) -> None:
    client.force_login(make_user(role=Role.INTEGRATOR_STAFF))

    assert reverse("member_matrix_set") not in client.get(MATRIX).content.decode()
    assert client.post(reverse("member_matrix_set")).status_code == 403


def test_a_link_for_nobody_is_used_up() -> None:
    address = reverse("member_welcome", args=["bm9ib2R5", "a-b"])

    assert "This link is used up" in Client().get(address, follow=True).content.decode()
