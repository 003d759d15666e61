"""The identity access matrix: who may do what, as data, enforced here and nowhere else.

Two questions have to be answered with yes:

1. *What* may the person do?  Roles x resources -> none, read, write or full, in MATRIX below.  The security officer
   can change a level (MatrixCell); `matrix()` is what holds.
2. *Where*?  A membership gives a role at one partner, or at all of them.  Nothing by default, and nothing for being
   a superuser.

Ask like this:

    @requires("connections", "write")                    403 unless the person may, at one partner at least
    def connection_pause(request, pk):
        connection = get_object_or_404(Connection.objects.visible_to(request.user), pk=pk)     # not yours: 404
        require(request.user, "write", "connections", side.system.partner)                     # not there: 403

`read` sees, `write` changes and operates, `full` also creates, publishes and deletes.

How it reaches the rows.  `visible_to` in integrations asks guardian for `view_tickets` and `manage_partner` on
Partner, so memberships are written there too, by `grant` and `revoke`:

- a role at one partner: a row for the user on that partner;
- a role at all partners: the user joins the role's group, and the group has a row on *every* partner.  "All" is
  therefore a set of rows that anybody can read in the database.  A new partner gets its rows when it is saved
  (`open_partner`, connected in apps.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from guardian.shortcuts import assign_perm, remove_perm

from integrations.models import Partner, PartnerUserObjectPermission
from portal import audit
from portal.models import MatrixCell, Membership, User

Role = Membership.Role
Someone = User | AnonymousUser
View = Callable[..., HttpResponseBase]


class Level(IntEnum):
    """What a role may do with a resource; each level contains the one before."""

    NONE = 0
    READ = 1
    WRITE = 2
    FULL = 3

    @property
    def label(self) -> str:
        """The word on the page."""
        return self.name.lower()


# --- The matrix, as data ---

RESOURCES: dict[str, str] = {
    "partners": "Partners",
    "systems": "Systems and credentials",
    "connections": "Connections",
    "mappings": "Mappings and data dictionary",
    "tickets": "Linked tickets",
    "queue": "Queue: retry, skip, hold",
    "undo": "Undo what was written",
    "alerts": "Alerts and who is told of them",
    "agreements": "Agreements, calendars, targets",
    "reports": "Service level reports",
    "handbook": "Operations handbook",
    "members": "Members, roles and this matrix",
    "audit": "Audit trail",
}

# Nobody reads and writes the rules of all sides at once: each side owns its own, or the integrator could widen what a
# company releases.  Where the integrator keeps a partner's rules for it, somebody is made Mapping owner there, visibly.
TABLE = """
                       partners  systems  connections  mappings  tickets  queue  undo  alerts  agreements  reports  handbook  members  audit
integrator_staff       full      write    full         read      write    full   full  full    write       read     full      read     read
mapping_owner          read      full     write        full      read     write  full  full    read        read     read      read     read
mapping_steward        read      read     read         write     read     read   read  write   none        none     read      none     none
partner_agent          read      none     none         none      read     none   none  none    none        none     read      none     none
service_level_manager  read      read     read         none      read     read   none  read    full        full     read      none     read
security_officer       read      read     read         read      none     none   read  read    none        none     read      full     read
administrator          full      full     full         read      full     full   full  full    full        full     full      full     read
"""


def read_table(table: str) -> dict[str, dict[str, Level]]:
    """Role -> resource -> level, from a table as above; ValueError when a row is too short or too long.  Pure."""
    head, *rows = (line.split() for line in table.strip().splitlines())
    return {
        role: {resource: Level[word.upper()] for resource, word in zip(head, levels, strict=True)}
        for role, *levels in rows
    }


MATRIX = read_table(TABLE)


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a role can be given, and the guardian permissions on Partner that come with it."""

    one_partner: bool
    all_partners: bool
    permissions: tuple[str, ...]


SEE = ("view_tickets",)
MANAGE = ("view_tickets", "manage_partner")

REACH: dict[str, Reach] = {
    Role.INTEGRATOR_STAFF: Reach(one_partner=False, all_partners=True, permissions=SEE),
    Role.MAPPING_OWNER: Reach(one_partner=True, all_partners=False, permissions=MANAGE),
    Role.MAPPING_STEWARD: Reach(one_partner=True, all_partners=False, permissions=MANAGE),
    Role.PARTNER_AGENT: Reach(one_partner=True, all_partners=False, permissions=SEE),
    Role.SERVICE_LEVEL_MANAGER: Reach(one_partner=True, all_partners=True, permissions=SEE),
    Role.SECURITY_OFFICER: Reach(one_partner=False, all_partners=True, permissions=SEE),
    Role.ADMINISTRATOR: Reach(one_partner=False, all_partners=True, permissions=SEE),
}

# Without these nobody could ever change the matrix or a membership again.
FLOORS = {(Role.SECURITY_OFFICER, "members"): Level.FULL, (Role.ADMINISTRATOR, "members"): Level.FULL}
# A role at all partners never writes the rules of a side.
CEILINGS = {(role, "mappings"): Level.READ for role, reach in REACH.items() if reach.all_partners}


class AccessError(ValueError):
    """A grant or a level that cannot be; the message is for the person who asked."""


# --- Asking ---


@dataclass(frozen=True, slots=True)
class Rights:
    """All that one person may do: the level on each resource, by partner; None stands for all partners."""

    levels: Mapping[int | None, Mapping[str, Level]]

    def level(self, resource: str, partner_id: int | None = None) -> Level:
        """The highest level on a resource at one partner; anywhere, when no partner is named."""
        if resource not in RESOURCES:
            raise KeyError(f"{resource!r} is no resource of the access matrix.")
        places = self.levels if partner_id is None else {None, partner_id} & set(self.levels)
        return max((self.levels[place][resource] for place in places), default=Level.NONE)

    def partner_ids(self, resource: str, action: str) -> set[int] | None:
        """Where the person may do this; None when at all partners."""
        wanted = Level[action.upper()]
        places = {place for place, levels in self.levels.items() if levels[resource] >= wanted}
        return None if None in places else {place for place in places if place is not None}


NO_RIGHTS = Rights({})


def combine(
    memberships: Iterable[tuple[str, int | None]], table: Mapping[str, Mapping[str, Level]]
) -> Rights:
    """The rights that follow from (role, partner) pairs: at each place the highest level of any role.  Pure."""
    levels: dict[int | None, dict[str, Level]] = {}
    for role, partner_id in memberships:
        here = levels.setdefault(partner_id, dict.fromkeys(RESOURCES, Level.NONE))
        for resource, level in table[role].items():
            here[resource] = max(here[resource], level)
    return Rights(levels)


def matrix() -> dict[str, dict[str, Level]]:
    """The matrix that holds now: MATRIX with the levels that the security officer changed.  One query."""
    table = {role: dict(row) for role, row in MATRIX.items()}
    for role, resource, level in MatrixCell.objects.values_list("role", "resource", "level"):
        if role in table and resource in RESOURCES:
            table[role][resource] = Level(level)
    return table


def rights_of(user: Someone) -> Rights:
    """What the person may do.  Two queries at the first question, none afterwards for the same user object.

    A request loads its user anew, so a right that was taken away is gone with the next click.
    """
    if not isinstance(user, User) or not user.is_active:
        return NO_RIGHTS
    known = user.__dict__.get("_rights")
    if known is None:
        memberships = list(user.memberships.values_list("role", "partner_id"))
        known = combine(memberships, matrix()) if memberships else NO_RIGHTS
        user.__dict__["_rights"] = known
    return known


def signed_in(request: HttpRequest) -> User:
    """The person behind a request.  Every page is behind the sign-in unless it says otherwise (LoginRequiredMiddleware)."""
    assert isinstance(request.user, User)
    return request.user


def may(user: Someone, action: str, resource: str, partner: Partner | int | None = None) -> bool:
    """Whether the person may read, write or have full control; at `partner`, or anywhere when none is named."""
    partner_id = partner.pk if isinstance(partner, models.Model) else partner
    return rights_of(user).level(resource, partner_id) >= Level[action.upper()]


def require(user: Someone, action: str, resource: str, partner: Partner | int | None = None) -> None:
    """Return when the person may; PermissionDenied (403) otherwise."""
    if not may(user, action, resource, partner):
        raise PermissionDenied(f"This needs “{action}” on: {RESOURCES[resource].lower()}.")


def requires(resource: str, action: str = "read") -> Callable[[View], View]:
    """Decorate a page: 403 unless the person may do this at one partner at least.

    The view still has to fetch through `visible_to`, and to call `require` where it changes something of a partner.
    """
    if resource not in RESOURCES:
        raise KeyError(f"{resource!r} is no resource of the access matrix.")

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            require(request.user, action, resource)
            return view(request, *args, **kwargs)

        # Lets the page of the matrix, and a test, say what each address asks for.
        guarded.access = (resource, action)  # type: ignore[attr-defined]  # functions take attributes
        return guarded

    return decorate


def partners_for(user: Someone, action: str, resource: str) -> QuerySet[Partner]:
    """Partners at which the person may do this; for lists and choices in forms."""
    places = rights_of(user).partner_ids(resource, action)
    return Partner.objects.all() if places is None else Partner.objects.filter(pk__in=places)


def who_may(action: str, resource: str, partner: Partner) -> QuerySet[Membership]:
    """The memberships that let somebody do this at `partner`: the answer to "who may see this?"."""
    table = matrix()
    roles = [role for role, row in table.items() if row[resource] >= Level[action.upper()]]
    found = Membership.objects.filter(
        Q(partner=partner) | Q(partner=None), role__in=roles, user__is_active=True
    )
    return found.select_related("user", "user__partner", "partner").order_by("user__username", "role")


# --- Changing ---


@transaction.atomic
def grant(user: User, role: str, partner: Partner | None = None, *, by: User | None = None) -> Membership:
    """Give a role at `partner`, or at all partners with None; returns the membership.  Repeatable.

    AccessError when the role cannot be given there, or when a role at all partners would go to somebody who does not
    work for the service integrator (the first administrator excepted: then there is no partner yet).
    """
    role = Role(role)
    _check_reach(user, role, partner)
    membership, is_new = Membership.objects.get_or_create(
        user=user, role=role, partner=partner, defaults={"granted_by": by}
    )
    if is_new:
        _write_rows(user, role, partner)
        _forget_rights(user)
        audit.record(
            by, "granted", user, {"role": [None, role.label], "at": _place(partner)}, partner=partner
        )
    return membership


@transaction.atomic
def revoke(user: User, role: str, partner: Partner | None = None, *, by: User | None = None) -> bool:
    """Take a role away; whether the person had it.  Repeatable.  Rights that another role gives stay."""
    role = Role(role)
    taken, _rows = Membership.objects.filter(user=user, role=role, partner=partner).delete()
    if taken:
        _remove_rows(user, role, partner)
        _forget_rights(user)
        audit.record(
            by, "revoked", user, {"role": [role.label, None], "at": _place(partner)}, partner=partner
        )
    return bool(taken)


@transaction.atomic
def set_level(role: str, resource: str, level: Level, *, by: User) -> None:
    """Change one cell of the matrix for everybody who has the role.  Repeatable.

    AccessError below a floor that keeps the matrix changeable, and above a ceiling that keeps each side's rules its own.
    """
    role = Role(role)
    if resource not in RESOURCES:
        raise AccessError(f"There is no resource {resource!r}.")
    if level < FLOORS.get((role, resource), Level.NONE):
        raise AccessError(
            f"{role.label} must keep full control of members, or nobody could change rights any more."
        )
    if level > CEILINGS.get((role, resource), Level.FULL):
        raise AccessError(
            f"{role.label} reaches all partners, and each side's rules are its own: read is the most."
        )
    before = matrix()[role][resource]
    if before == level:
        return
    if MATRIX[role][resource] == level:
        MatrixCell.objects.filter(role=role, resource=resource).delete()
        cell = MatrixCell(role=role, resource=resource, level=level)
    else:
        cell, _is_new = MatrixCell.objects.update_or_create(
            role=role, resource=resource, defaults={"level": level}
        )
    audit.record(
        by, "changed the access matrix", cell, {f"{role.label}: {resource}": [before.label, level.label]}
    )


def open_partner(partner: Partner) -> None:
    """Give the groups of the roles at all partners their rows on one partner.  Repeatable."""
    for role, reach in REACH.items():
        if reach.all_partners:
            group = _group(Role(role))
            for permission in reach.permissions:
                assign_perm(permission, group, partner)


def _check_reach(user: User, role: Membership.Role, partner: Partner | None) -> None:
    reach = REACH[role]
    if partner is None and not reach.all_partners:
        raise AccessError(f"{role.label} is a role at one partner; say at which.")
    if partner is not None and not reach.one_partner:
        raise AccessError(f"{role.label} is a role at all partners; it cannot be given at {partner} alone.")
    if partner is None:
        works_for_integrator = user.partner is not None and user.partner.is_integrator
        is_first = role is Role.ADMINISTRATOR and user.partner is None
        if not (works_for_integrator or is_first):
            raise AccessError(
                f"{role.label} sees all partners, so only the service integrator's own people can have it."
            )


def _group(role: Membership.Role) -> Group:
    return Group.objects.get_or_create(name=role.label)[0]


def _write_rows(user: User, role: Membership.Role, partner: Partner | None) -> None:
    if partner is None:
        user.groups.add(_group(role))
        return
    for permission in REACH[role].permissions:
        assign_perm(permission, user, partner)


def _remove_rows(user: User, role: Membership.Role, partner: Partner | None) -> None:
    if partner is None:
        user.groups.remove(_group(role))
        return
    left = Membership.objects.filter(user=user, partner=partner).values_list("role", flat=True)
    kept = {permission for other in left for permission in REACH[other].permissions}
    for permission in set(REACH[role].permissions) - kept:
        remove_perm(permission, user, partner)


def rows_of(user: User) -> set[tuple[str, int]]:
    """(permission, partner id) that guardian holds for the user directly; for checks and tests."""
    found = PartnerUserObjectPermission.objects.filter(user=user)
    return set(found.values_list("permission__codename", "content_object_id"))


def _forget_rights(user: User) -> None:
    user.__dict__.pop("_rights", None)


def _place(partner: Partner | None) -> str:
    return partner.name if partner else "all partners"
