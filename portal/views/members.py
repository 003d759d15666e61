"""Members: the people who sign in, their roles, and the identity access matrix that the roles stand for."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import SetPasswordForm
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.models import Partner
from integrations.services.refusals import NotPossible
from portal import access, audit, members
from portal.access import may, partners_for, requires
from portal.acting import act, signed_in, trail_of
from portal.exports import csv_response
from portal.forms.base import attempt, succeeds
from portal.forms.members import (
    MemberFilter,
    MemberForm,
    NewMemberForm,
    RoleForm,
    WhoMayForm,
    shown_of,
)
from portal.listing import WIDE, Column, in_order, listing
from portal.models import Membership, User

COLUMNS = (
    Column("User name", "username", "username"),
    Column("Name", "name", "last_name"),
    Column("Works for", "partner", "partner__name", WIDE),
    Column("Roles"),
    Column("Last signed in", "seen", "last_login", WIDE),
    Column("Account", "account", "is_active"),
)
EXPORTED = ("User name", "Name", "Mail address", "Works for", "Roles", "Last signed in", "Account")


# --- Lists ---


@require_safe
@requires("members")
def member_list(request: HttpRequest) -> HttpResponse:
    """People who can sign in, with their roles."""
    form = MemberFilter(request.GET, request.user)
    found = listing(request, _found(request, form), COLUMNS, default="username")
    return render(request, "portal/members/list.html", {"listing": found, "form": form})


@require_safe
@requires("members")
def member_export(request: HttpRequest) -> HttpResponseBase:
    """The same list as a file."""
    found = _found(request, MemberFilter(request.GET, request.user))
    rows, _ = in_order(request, found, COLUMNS, default="username")
    return csv_response(
        "members",
        EXPORTED,
        (
            (
                one.username,
                one.get_full_name(),
                one.email,
                one.partner.name if one.partner else "",
                "; ".join(
                    f"{each.get_role_display()} at {each.partner or 'all partners'}"
                    for each in one.memberships.all()
                ),
                one.last_login,
                "open" if one.is_active else "closed",
            )
            for one in rows
        ),
    )


def _found(request: HttpRequest, form: MemberFilter) -> QuerySet[User]:
    people = members.members_for(request.user).select_related("partner")
    return form.narrow(people.prefetch_related(members.memberships_for(request.user)))


# --- One person ---


@require_safe
@requires("members")
def member_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One person: who it is, which roles where, what was changed."""
    return _detail_page(request, _person(request, pk))


def _detail_page(
    request: HttpRequest, person: User, *, form: RoleForm | None = None, link: str = ""
) -> HttpResponse:
    is_self = person.pk == request.user.pk
    page = {
        "person": person,
        "memberships": members.memberships_seen(request.user)
        .filter(user=person)
        .select_related("partner", "granted_by")
        .order_by("role", "partner__name"),
        "is_self": is_self,
        "may_change": may(request.user, "full", "members") and not is_self,
        "form": form
        or RoleForm(
            partners=partners_for(request.user, "full", "members"), initial={"partner": person.partner_id}
        ),
        "link": link,
        "trail": trail_of(person, request.user),
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "portal/members/detail.html", page, status=status)


@require_http_methods(["GET", "POST"])
@requires("members", "full")
@never_cache
def member_add(request: HttpRequest) -> HttpResponse:
    """Add a person; roles come next."""
    partners = partners_for(request.user, "full", "members")
    form = NewMemberForm(
        request.POST or None, partners=partners, initial={"partner": request.GET.get("partner")}
    )
    if form.is_valid():
        members.require_place(request.user, form.cleaned_data["partner"])
        if person := attempt(form, lambda: _add(request, form)):
            if form.typed_password is not None:
                messages.success(request, f"{person} is added. Without a role there is nothing to see yet.")
                return redirect("member_detail", person.pk)
            # Shown with this answer and never again: a redirect would have to keep it somewhere.
            return _detail_page(request, person, link=members.one_time_link(person))
    page = {"form": form, "person": None}
    return render(request, "portal/members/edit.html", page, status=422 if form.errors else 200)


@transaction.atomic
def _add(request: HttpRequest, form: NewMemberForm) -> User:
    person = members.add_member(password=form.typed_password, **form.values())
    audit.record(request.user, "added", person, _as_changes({}, shown_of(person)))
    return person


@require_http_methods(["GET", "POST"])
@requires("members", "write")
@transaction.atomic
def member_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a person's name, mail address and employer."""
    person = _person(request, pk, "write", lock=request.method == "POST")
    shown = shown_of(person)
    # Whoever keeps one partner's people neither takes them from elsewhere nor sends them there.
    form = MemberForm(
        request.POST or None, partners=partners_for(request.user, "write", "members"), shown=shown
    )
    if form.is_valid():
        if succeeds(form, lambda: members.change_member(person, **form.values())):
            if changes := _as_changes(shown, shown_of(person)):
                audit.record(request.user, "changed", person, changes)
            messages.success(request, "Saved.")
            return redirect("member_detail", pk)
        person.refresh_from_db()
    page = {"form": form, "person": person}
    return render(request, "portal/members/edit.html", page, status=422 if form.errors else 200)


def _as_changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """For the trail: the employer by name."""
    keys = {one["partner"] for one in (before, after) if one and one["partner"]}
    names = dict(Partner.objects.filter(pk__in=keys).values_list("pk", "name"))
    worded = [{**one, "partner": names.get(one["partner"])} if one else one for one in (before, after)]
    return audit.changed_fields(*worded)


# --- Roles and accounts ---


@require_POST
@requires("members", "full")
def member_grant(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a role."""
    person = _person(request, pk)
    form = RoleForm(request.POST, partners=partners_for(request.user, "full", "members"))
    if form.is_valid():
        role, partner = form.cleaned_data["role"], form.cleaned_data["partner"]
        members.require_place(request.user, partner)
        if succeeds(form, lambda: members.give_role(person, role, partner, by=signed_in(request))):
            label = Membership.Role(role).label
            messages.success(
                request, f"{person} is {label.lower()} at {partner or 'all partners'} from now on."
            )
            return redirect("member_detail", pk)
    return _detail_page(request, person, form=form)


@require_POST
@requires("members", "full")
def member_revoke(request: HttpRequest, pk: int, membership_pk: int) -> HttpResponse:
    """Take a role away; it is gone with the person's next click."""
    person = _person(request, pk)
    membership = get_object_or_404(person.memberships.select_related("user", "partner"), pk=membership_pk)
    members.require_place(request.user, membership.partner)
    try:
        members.take_role(membership, by=signed_in(request))
    except NotPossible as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"{person} is {membership.get_role_display().lower()} no longer.")
    return redirect("member_detail", pk)


@require_POST
@requires("members", "full")
def member_close(request: HttpRequest, pk: int) -> HttpResponse:
    """Close an account."""
    person = _person(request, pk, "full")
    act(
        request,
        lambda: members.close_account(person, by=signed_in(request)),
        obj=person,
        trail="closed the account of",
        done=f"{person} is signed out with the next click and cannot sign in any more.",
        idle="The account is closed already.",
    )
    return redirect("member_detail", pk)


@require_POST
@requires("members", "full")
def member_open(request: HttpRequest, pk: int) -> HttpResponse:
    """Open a closed account again, with the roles it had."""
    person = _person(request, pk, "full")
    act(
        request,
        lambda: members.open_account(person),
        obj=person,
        trail="opened the account of",
        done=f"{person} can sign in again, with the roles below.",
        idle="The account is open already.",
    )
    return redirect("member_detail", pk)


@require_POST
@requires("members", "full")
@never_cache
def member_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a one-time link with which the person sets a new password, and show it, this once."""
    person = _person(request, pk, "full")
    try:
        link = members.one_time_link(person)
    except NotPossible as refusal:
        messages.error(request, refusal.message)
        return redirect("member_detail", pk)
    audit.record(request.user, "made a one-time link for", person)
    return _detail_page(request, person, link=link)


@method_decorator(login_not_required, name="dispatch")
class Welcome(auth_views.PasswordResetConfirmView):
    """Where a one-time link leads.  Open to everybody: the link is the proof.  Django keeps it out of the address."""

    template_name = "portal/members/welcome.html"
    success_url = reverse_lazy("sign_in")
    reset_url_token = "set"  # noqa: S105  # what stands in the address instead of the token

    def get_user(self, uidb64: str) -> User | None:
        """Nobody for a closed account: its link is as good as used."""
        user = super().get_user(uidb64)
        return user if user is not None and user.is_active else None

    def form_valid(self, form: SetPasswordForm[User]) -> HttpResponse:
        """Keep in the trail that the person has come."""
        response = super().form_valid(form)
        audit.record(form.user, "set a password by a one-time link for", form.user)
        messages.success(self.request, "Your password is set. Sign in with it.")
        return response


# --- The matrix ---


@require_safe
@requires("members")
def member_matrix(request: HttpRequest) -> HttpResponse:
    """The identity access matrix as it is enforced, and the answer to "who may see this?"."""
    partners = partners_for(request.user, "read", "members")
    asked = request.GET if "resource" in request.GET else None
    form = WhoMayForm(asked, partners=partners)
    found = None
    if form.is_valid():
        question = form.cleaned_data
        found = access.who_may(question["action"], question["resource"], question["partner"])
    page = {
        "form": form,
        "found": found,
        "roles": [
            (role, Membership.Role(role).label, list(levels.items()))
            for role, levels in access.matrix().items()
        ],
        "resources": access.RESOURCES,
        "levels_offered": list(access.Level),
        "may_set": access.rights_of(request.user).partner_ids("members", "full") is None,
        "sees_everybody": access.rights_of(request.user).partner_ids("members", "read") is None,
    }
    return render(request, "portal/members/matrix.html", page)


@require_safe
@requires("members")
def member_matrix_export(request: HttpRequest) -> HttpResponseBase:
    """The matrix as a file."""
    return csv_response(
        "identity-access-matrix",
        ("Role", *access.RESOURCES.values()),
        (
            (Membership.Role(role).label, *(level.label for level in levels.values()))
            for role, levels in access.matrix().items()
        ),
    )


@require_POST
@requires("members", "full")
def member_matrix_set(request: HttpRequest) -> HttpResponse:
    """Change one level for everybody who has the role."""
    members.require_place(request.user, None)
    role, resource, level = (request.POST.get(name, "") for name in ("role", "resource", "level"))
    is_known = (
        role in Membership.Role.values
        and resource in access.RESOURCES
        and level.upper() in access.Level.__members__
    )
    if not is_known:
        messages.error(request, "Choose a role, a resource and a level.")
        return redirect("member_matrix")
    if signed_in(request).memberships.filter(role=role).exists():
        messages.error(request, "This is a role of your own: somebody else has to change what it may do.")
        return redirect("member_matrix")
    try:
        access.set_level(role, resource, access.Level[level.upper()], by=signed_in(request))
    except access.AccessError as refusal:
        messages.error(request, str(refusal))
    else:
        label = Membership.Role(role).label
        messages.success(request, f"{label}: {access.RESOURCES[resource].lower()} is “{level}” from now on.")
    return redirect("member_matrix")


# --- Fetching ---


def _person(request: HttpRequest, pk: int, action: str = "read", *, lock: bool = False) -> User:
    """The person; 404 when outside of what the reader may see, 403 when the reader's roles do not reach so far."""
    people = members.members_for(request.user)
    person = get_object_or_404(
        people.select_for_update() if lock else people.select_related("partner"), pk=pk
    )
    if action != "read":
        members.require_over(request.user, person, action)
    return person


urlpatterns = [
    path("", member_list, name="member_list"),
    path("export.csv", member_export, name="member_export"),
    path("add/", member_add, name="member_add"),
    path("matrix/", member_matrix, name="member_matrix"),
    path("matrix/export.csv", member_matrix_export, name="member_matrix_export"),
    path("matrix/set/", member_matrix_set, name="member_matrix_set"),
    path("<int:pk>/", member_detail, name="member_detail"),
    path("<int:pk>/edit/", member_edit, name="member_edit"),
    path("<int:pk>/roles/", member_grant, name="member_grant"),
    path("<int:pk>/roles/<int:membership_pk>/take/", member_revoke, name="member_revoke"),
    path("<int:pk>/close/", member_close, name="member_close"),
    path("<int:pk>/open/", member_open, name="member_open"),
    path("<int:pk>/link/", member_link, name="member_link"),
    path("welcome/<uidb64>/<token>/", Welcome.as_view(), name="member_welcome"),
]
