"""The identity access matrix: what follows from roles, where they can be given, and the rows that guardian gets."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import RequestFactory

from integrations.models import Partner, PartnerGroupObjectPermission
from portal import access
from portal.access import (
    MATRIX,
    REACH,
    RESOURCES,
    AccessError,
    Level,
    Role,
    combine,
    grant,
    may,
    read_table,
    revoke,
)
from portal.audit import verify_chain
from portal.models import AuditEntry, Membership, User
from tests.factories import globally, infinity, make_partner, make_user, mercuri, stranger

ALL_REACHING = [role for role, reach in REACH.items() if reach.all_partners]


def fresh(user: User) -> User:
    """The user as the next request loads it."""
    return User.objects.get(pk=user.pk)


# --- The matrix ---


def test_the_table_covers_every_role_and_every_resource() -> None:
    assert set(MATRIX) == set(Role.values) == set(REACH)
    assert all(set(row) == set(RESOURCES) for row in MATRIX.values())


def test_a_table_with_a_short_row_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        read_table("partners systems\nagent read")


def test_nobody_who_reaches_all_partners_writes_a_sides_rules() -> None:
    assert {
        role: MATRIX[role]["mappings"] for role in ALL_REACHING if MATRIX[role]["mappings"] > Level.READ
    } == {}
    assert [role for role in ALL_REACHING if "manage_partner" in REACH[role].permissions] == []


def test_rights_are_the_highest_level_of_any_role_at_each_place() -> None:
    rights = combine(
        [(Role.PARTNER_AGENT, 1), (Role.MAPPING_OWNER, 1), (Role.SERVICE_LEVEL_MANAGER, None)], MATRIX
    )

    assert rights.level("mappings", 1) is Level.FULL
    # From the role at all partners.
    assert rights.level("reports", 2) is Level.FULL
    assert rights.level("mappings", 2) is Level.NONE
    assert rights.level("mappings") is Level.FULL
    assert (rights.partner_ids("mappings", "write"), rights.partner_ids("reports", "read")) == ({1}, None)


def test_a_question_about_an_unknown_resource_is_a_mistake_not_a_no() -> None:
    with pytest.raises(KeyError, match="'ticket' is no resource"):
        combine([], MATRIX).level("ticket")
    with pytest.raises(KeyError, match="'ticket' is no resource"):
        access.requires("ticket")


# --- Nothing by default ---


@pytest.mark.django_db
def test_nobody_may_anything_without_a_role() -> None:
    strangers = [
        make_user(),
        make_user(partner=infinity()),
        make_user(is_superuser=True, is_staff=True),
    ]
    # Who cannot be signed in at all.
    people = [*strangers, AnonymousUser(), make_user(role=Role.ADMINISTRATOR, is_active=False)]

    allowed = [
        (person, resource) for person in people for resource in RESOURCES if may(person, "read", resource)
    ]
    assert allowed == []
    assert [person for person in strangers if Partner.objects.visible_to(person).exists()] == []


# --- Granting at one partner ---


@pytest.mark.django_db
def test_a_role_at_one_partner_opens_that_partner_only() -> None:
    agent = make_user(role=Role.PARTNER_AGENT, partner=mercuri())
    stranger()

    assert list(Partner.objects.visible_to(agent)) == [mercuri()]
    assert access.rows_of(agent) == {("view_tickets", mercuri().pk)}
    assert may(agent, "read", "tickets", mercuri())
    assert not may(agent, "read", "tickets", globally())
    assert not may(agent, "write", "tickets", mercuri())


@pytest.mark.django_db
def test_granting_twice_and_revoking_twice_is_the_same_as_once() -> None:
    user = make_user(partner=mercuri())

    assert grant(user, Role.MAPPING_OWNER, mercuri()) == grant(user, Role.MAPPING_OWNER, mercuri())
    assert access.rows_of(user) == {("view_tickets", mercuri().pk), ("manage_partner", mercuri().pk)}
    assert (revoke(user, Role.MAPPING_OWNER, mercuri()), revoke(user, Role.MAPPING_OWNER, mercuri())) == (
        True,
        False,
    )
    assert access.rows_of(user) == set()
    assert not user.memberships.exists()


@pytest.mark.django_db
def test_revoking_one_role_keeps_what_another_gives() -> None:
    user = make_user(partner=mercuri())
    grant(user, Role.MAPPING_OWNER, mercuri())
    grant(user, Role.PARTNER_AGENT, mercuri())
    grant(user, Role.MAPPING_STEWARD, globally())

    revoke(user, Role.MAPPING_OWNER, mercuri())

    assert access.rows_of(user) == {
        ("view_tickets", mercuri().pk),
        ("view_tickets", globally().pk),
        ("manage_partner", globally().pk),
    }


@pytest.mark.django_db
def test_a_right_that_was_taken_away_is_gone_with_the_next_request() -> None:
    user = make_user(role=Role.PARTNER_AGENT, partner=mercuri())
    in_a_session = fresh(user)
    assert may(in_a_session, "read", "tickets")

    revoke(user, Role.PARTNER_AGENT, mercuri())

    assert not may(user, "read", "tickets")
    assert not may(fresh(in_a_session), "read", "tickets")


# --- Granting at all partners ---


@pytest.mark.django_db
def test_integrator_staff_see_every_partner_through_rows_that_can_be_read() -> None:
    before = [mercuri(), globally()]
    staff = make_user(role=Role.INTEGRATOR_STAFF)
    added_later = make_partner("Newcomer AG")

    assert set(Partner.objects.visible_to(staff)) == {*before, infinity(), added_later}
    assert not Partner.objects.managed_by(staff).exists()
    rows = PartnerGroupObjectPermission.objects.filter(group__name="Service integrator staff")
    assert set(rows.values_list("permission__codename", "content_object__name")) == {
        ("view_tickets", name)
        for name in ("Mercuri Inc", "Global Pvt Ltd", "Infinity Solutions", "Newcomer AG")
    }
    assert access.rows_of(staff) == set()


@pytest.mark.django_db
def test_leaving_a_role_at_all_partners_closes_them() -> None:
    mercuri()
    staff = make_user(role=Role.INTEGRATOR_STAFF)

    revoke(staff, Role.INTEGRATOR_STAFF)

    assert not Partner.objects.visible_to(fresh(staff)).exists()
    assert not fresh(staff).groups.exists()


@pytest.mark.django_db
def test_a_role_at_one_partner_never_joins_the_group_that_sees_all() -> None:
    manager = make_user(partner=mercuri())
    grant(manager, Role.SERVICE_LEVEL_MANAGER, mercuri())
    globally()

    assert not manager.groups.exists()
    assert list(Partner.objects.visible_to(manager)) == [mercuri()]


@pytest.mark.django_db
def test_a_partner_that_is_saved_again_gets_no_rows_twice() -> None:
    partner = mercuri()
    before = PartnerGroupObjectPermission.objects.filter(content_object=partner).count()
    partner.save()
    access.open_partner(partner)

    assert (
        PartnerGroupObjectPermission.objects.filter(content_object=partner).count()
        == before
        == len(ALL_REACHING)
    )
    assert Group.objects.filter(name__in=[Role(role).label for role in ALL_REACHING]).count() == len(
        ALL_REACHING
    )


# --- Where a role cannot be given ---


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "at", "employer", "complaint"),
    [
        (Role.PARTNER_AGENT, None, mercuri, "Partner agent is a role at one partner; say at which."),
        (Role.SECURITY_OFFICER, mercuri, infinity, "it cannot be given at Mercuri Inc alone"),
        (Role.INTEGRATOR_STAFF, None, mercuri, "only the service integrator's own people can have it"),
        (
            Role.SERVICE_LEVEL_MANAGER,
            None,
            lambda: None,
            "only the service integrator's own people can have it",
        ),
        (Role.ADMINISTRATOR, None, mercuri, "only the service integrator's own people can have it"),
    ],
)
def test_a_role_cannot_be_given_where_it_does_not_belong(role, at, employer, complaint) -> None:
    user = make_user(partner=employer())

    with pytest.raises(AccessError, match=complaint):
        grant(user, role, at() if at else None)

    assert not Membership.objects.exists()


@pytest.mark.django_db
def test_the_first_administrator_works_for_nobody_yet() -> None:
    first = make_user()

    grant(first, Role.ADMINISTRATOR)

    assert may(first, "full", "members")


# --- Pages ---


@pytest.mark.django_db
def test_a_page_asks_for_its_level_and_refuses_with_the_reason() -> None:
    @access.requires("connections", "write")
    def page(request, number):
        """Pauses."""
        return HttpResponse(f"paused {number}")

    request = RequestFactory().post("/")
    request.user = make_user(role=Role.MAPPING_OWNER, partner=mercuri())
    assert page(request, 7).content == b"paused 7"
    assert (page.access, page.__doc__) == (("connections", "write"), "Pauses.")

    request.user = make_user(role=Role.PARTNER_AGENT, partner=mercuri())
    with pytest.raises(PermissionDenied, match="This needs “write” on: connections"):
        page(request, 7)


@pytest.mark.django_db
def test_a_partner_by_name_is_asked_for_where_something_of_it_is_changed() -> None:
    owner = make_user(role=Role.MAPPING_OWNER, partner=mercuri())

    access.require(owner, "full", "mappings", mercuri())
    with pytest.raises(PermissionDenied):
        access.require(owner, "full", "mappings", globally())
    assert list(access.partners_for(owner, "write", "mappings")) == [mercuri()]
    assert set(access.partners_for(make_user(role=Role.INTEGRATOR_STAFF), "read", "mappings")) == set(
        Partner.objects.all()
    )


@pytest.mark.django_db
def test_a_person_with_many_roles_is_asked_about_with_two_queries(django_assert_num_queries) -> None:
    user = make_user(partner=mercuri())
    grant(user, Role.MAPPING_OWNER, mercuri())
    grant(user, Role.PARTNER_AGENT, globally())
    user = fresh(user)

    # Memberships, and the levels that were changed.
    with django_assert_num_queries(2):
        answers = [may(user, "read", resource) for resource in RESOURCES]

    assert all(answers)


# --- The matrix changed ---


@pytest.fixture
def officer() -> User:
    return make_user("officer", role=Role.SECURITY_OFFICER)


@pytest.mark.django_db
def test_the_security_officer_changes_what_is_enforced(officer: User) -> None:
    agent = make_user(role=Role.PARTNER_AGENT, partner=mercuri())
    access.set_level(Role.PARTNER_AGENT, "reports", Level.READ, by=officer)

    assert may(fresh(agent), "read", "reports", mercuri())
    assert not may(fresh(agent), "read", "reports", globally())

    access.set_level(Role.PARTNER_AGENT, "reports", Level.NONE, by=officer)
    access.set_level(Role.PARTNER_AGENT, "reports", Level.NONE, by=officer)

    assert access.matrix() == MATRIX
    assert [entry.changes for entry in AuditEntry.objects.filter(action="changed the access matrix")] == [
        {"Partner agent: reports": ["none", "read"]},
        {"Partner agent: reports": ["read", "none"]},
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "resource", "level", "complaint"),
    [
        (Role.SECURITY_OFFICER, "members", Level.READ, "nobody could change rights any more"),
        (Role.ADMINISTRATOR, "members", Level.NONE, "nobody could change rights any more"),
        (Role.INTEGRATOR_STAFF, "mappings", Level.WRITE, "each side's rules are its own"),
        (Role.ADMINISTRATOR, "mappings", Level.FULL, "each side's rules are its own"),
        (Role.PARTNER_AGENT, "coffee", Level.READ, "There is no resource 'coffee'"),
    ],
)
def test_some_levels_cannot_be_changed(officer: User, role, resource, level, complaint) -> None:
    with pytest.raises(AccessError, match=complaint):
        access.set_level(role, resource, level, by=officer)

    assert access.matrix() == MATRIX


@pytest.mark.django_db
def test_who_may_see_this_lists_the_memberships_that_open_it(officer: User) -> None:
    make_user("agent", role=Role.PARTNER_AGENT, partner=mercuri())
    make_user("other", role=Role.PARTNER_AGENT, partner=globally())
    make_user("staff", role=Role.INTEGRATOR_STAFF)
    make_user("gone", role=Role.MAPPING_OWNER, partner=mercuri(), is_active=False)

    found = access.who_may("read", "tickets", mercuri())

    assert [(one.user.username, one.role) for one in found] == [
        ("agent", Role.PARTNER_AGENT),
        ("staff", Role.INTEGRATOR_STAFF),
    ]


# --- The trail ---


@pytest.mark.django_db
def test_granting_and_revoking_are_in_the_audit_trail(officer: User) -> None:
    user = make_user("agent", partner=mercuri())
    before = AuditEntry.objects.count()
    grant(user, Role.PARTNER_AGENT, mercuri(), by=officer)
    grant(user, Role.PARTNER_AGENT, mercuri(), by=officer)
    revoke(user, Role.PARTNER_AGENT, mercuri(), by=officer)

    entries = AuditEntry.objects.all()[before:]
    assert [
        (entry.actor, entry.action, entry.object_label, entry.partner, entry.changes) for entry in entries
    ] == [
        (officer, "granted", "agent", mercuri(), {"role": [None, "Partner agent"], "at": "Mercuri Inc"}),
        (officer, "revoked", "agent", mercuri(), {"role": ["Partner agent", None], "at": "Mercuri Inc"}),
    ]
    assert verify_chain().holds
