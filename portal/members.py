"""What is done with people: add, change, close and open accounts, give and take roles, one-time links.

Nobody does any of it to himself, and the last administrator stays one: otherwise nobody could mend it.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db import IntegrityError, transaction
from django.db.models import Prefetch, Q, QuerySet
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from integrations.models import Partner
from integrations.services.refusals import NotPossible
from portal import access
from portal.acting import require_everywhere
from portal.models import Membership, User

FIELDS = ("username", "first_name", "last_name", "email", "partner")


# --- Who may see and change whom ---


def members_for(user: access.Someone, action: str = "read") -> QuerySet[User]:
    """People whom the person may read (or write): of a partner, or with a role there."""
    places = access.rights_of(user).partner_ids("members", action)
    if places is None:
        return User.objects.all()
    with_role = Membership.objects.filter(partner__in=places).values("user")
    return User.objects.filter(Q(partner__in=places) | Q(pk__in=with_role))


def memberships_seen(user: access.Someone) -> QuerySet[Membership]:
    """Roles of which the person may know: those at partners whose people he may read, and those at all partners."""
    places = access.rights_of(user).partner_ids("members", "read")
    found = Membership.objects.all()
    return found if places is None else found.filter(Q(partner__in=places) | Q(partner=None))


def memberships_for(user: access.Someone) -> Prefetch:
    """For `prefetch_related`: people's roles as far as this person may know of them.  One query."""
    seen = memberships_seen(user).select_related("partner").order_by("role", "partner__name")
    return Prefetch("memberships", queryset=seen)


def require_over(actor: access.Someone, person: User, action: str) -> None:
    """Return when the actor may do this wherever the person has a say; PermissionDenied otherwise.

    Whoever keeps the people of one partner must not get at the account of somebody who has a role elsewhere too.
    """
    places = {person.partner_id, *person.memberships.values_list("partner_id", flat=True)}
    for place in places:
        if place is None:
            require_everywhere(actor, action, "members")
        else:
            access.require(actor, action, "members", place)


# --- Accounts ---


@transaction.atomic
def add_member(*, password: str | None = None, **values: Any) -> User:
    """Add a person without any role; without a password only a one-time link lets them in."""
    user = User(**values)
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(password)
    _save(user, None)
    return user


@transaction.atomic
def change_member(user: User, **values: Any) -> User:
    """Change what is known of a person; names as in FIELDS."""
    partner = values.get("partner")
    reaches_all = user.memberships.filter(partner=None).exists()
    if reaches_all and partner is not None and not partner.is_integrator:
        raise NotPossible(
            "This person has a role at all partners, which only the service integrator's people can have. Take it "
            "back first.",
            field="partner",
        )
    for name, value in values.items():
        setattr(user, name, value)
    _save(user, list(values))
    return user


def _save(user: User, fields: list[str] | None) -> None:
    try:
        with transaction.atomic():
            user.save(update_fields=fields)
    except IntegrityError as error:
        raise NotPossible("Somebody has this user name already.", field="username") from error


@transaction.atomic
def close_account(user: User, *, by: User) -> bool:
    """Let the person sign in no more, from the next click on; whether the account was open."""
    _refuse_self(user, by, "You cannot close your own account.")
    _refuse_last_administrator(user, f"{user} is the last administrator. Make somebody else one first.")
    return bool(User.objects.filter(pk=user.pk, is_active=True).update(is_active=False))


def open_account(user: User) -> bool:
    """Let the person sign in again; whether the account was closed."""
    return bool(User.objects.filter(pk=user.pk, is_active=False).update(is_active=True))


def one_time_link(user: User) -> str:
    """An address under which the person sets a password, once; it ends by itself after some days."""
    if not user.is_active:
        raise NotPossible(f"The account of {user} is closed. Open it first.")
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    return f"{settings.PORTAL_BASE_URL}{reverse('member_welcome', args=[uid, token])}"


# --- Roles ---


def give_role(user: User, role: str, partner: Partner | None, *, by: User) -> Membership:
    """Give somebody else a role.  NotPossible for oneself, or where the role cannot be given."""
    _refuse_self(user, by, "You cannot give yourself a role. Ask another administrator or security officer.")
    try:
        return access.grant(user, role, partner, by=by)
    except access.AccessError as error:
        raise NotPossible(str(error), field="partner") from error


@transaction.atomic
def take_role(membership: Membership, *, by: User) -> bool:
    """Take a role from somebody else; whether it was there.  The last administrator stays one."""
    user = membership.user
    _refuse_self(
        user, by, "You cannot take a role from yourself. Ask another administrator or security officer."
    )
    if membership.role == Membership.Role.ADMINISTRATOR:
        _refuse_last_administrator(user, f"{user} is the last administrator. Make somebody else one first.")
    return access.revoke(user, membership.role, membership.partner, by=by)


def require_place(actor: access.Someone, partner: Partner | None) -> None:
    """Return when the actor may give and take roles there; PermissionDenied otherwise."""
    if partner is None:
        require_everywhere(actor, "full", "members")
    else:
        access.require(actor, "full", "members", partner)


def _refuse_self(user: User, by: User, message: str) -> None:
    if user.pk == by.pk:
        raise NotPossible(message)


def _refuse_last_administrator(user: User, message: str) -> None:
    administrators = Membership.objects.filter(role=Membership.Role.ADMINISTRATOR, partner=None)
    # Locked, so that two administrators cannot remove each other at the same moment.
    active = list(administrators.select_for_update(of=("self",)).filter(user__is_active=True))
    if active and all(one.user_id == user.pk for one in active):
        raise NotPossible(message)
