"""Named questions about rows.  Imports no model of ours: `get_objects_for_user` finds Partner by its permission."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connections, models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.expressions import RawSQL
from guardian.shortcuts import get_objects_for_user

if TYPE_CHECKING:
    from django.db.models import QuerySet

User = AbstractBaseUser | AnonymousUser


def partners_of(user: User, permission: str = "view_tickets") -> QuerySet[Any]:
    """Partners on which the user holds this permission, directly or through a group; none by default.

    `accept_global_perms=False`: a model-wide right would open every partner.  Superusers get nothing by being
    superusers: what they see is granted like everybody's.
    """
    return get_objects_for_user(
        user, f"integrations.{permission}", accept_global_perms=False, with_superuser=False
    )


def _rows(model: str) -> QuerySet[Any]:
    """The rows of one of our models, found by its name: this module stands below the models."""
    return apps.get_model("integrations", model)._default_manager.all()


class PartnerQuerySet(models.QuerySet[Any]):
    """Questions about partners."""

    def visible_to(self, user: User) -> Self:
        """Partners whose tickets the user may see."""
        return self.filter(pk__in=partners_of(user).values("pk"))

    def managed_by(self, user: User) -> Self:
        """Partners whose systems and rules the user may change."""
        return self.filter(pk__in=partners_of(user, "manage_partner").values("pk"))


class SystemQuerySet(models.QuerySet[Any]):
    """Questions about systems."""

    def visible_to(self, user: User) -> Self:
        """Systems of partners that the user may see."""
        return self.filter(partner__in=partners_of(user).values("pk"))

    def callable_at(self, now: datetime) -> Self:
        """Systems that may be called now: active, and the breaker closed."""
        return self.filter(Q(paused_until__isnull=True) | Q(paused_until__lte=now), state="active")

    def poll_due(self, now: datetime) -> Self:
        """Systems in use whose changes are to be asked for now."""
        return self.callable_at(now).filter(
            Q(poll_due_at__isnull=True) | Q(poll_due_at__lte=now), sides__isnull=False
        )

    def metadata_due(self, now: datetime) -> Self:
        """Systems that were tested and whose fields are to be read again now, the longest wait first."""
        due = Q(metadata_due_at__isnull=True) | Q(metadata_due_at__lte=now)
        found = self.callable_at(now).filter(due).exclude(account_id="")
        return found.order_by(F("metadata_due_at").asc(nulls_first=True), "pk")

    def hooks_due(self, now: datetime) -> Self:
        """Systems whose web hooks were set up and are to be looked at now, the longest wait first."""
        secret = _rows("SystemSecret").filter(system=OuterRef("pk"), name="hook_secret")
        due = Q(hook_standing__due_at__isnull=True) | Q(hook_standing__due_at__lte=now)
        is_set_up = Exists(secret) | Q(hook_standing__is_expected=True)
        found = self.callable_at(now).filter(due).filter(is_set_up).exclude(account_id="")
        return found.order_by(F("hook_standing__due_at").asc(nulls_first=True), "pk")


class SystemFindingQuerySet(models.QuerySet[Any]):
    """Questions about findings."""

    def visible_to(self, user: User) -> Self:
        """Findings in systems of partners that the user may see."""
        return self.filter(system__partner__in=partners_of(user).values("pk"))

    def live(self) -> Self:
        """Findings that still hold, acknowledged ones among them."""
        return self.exclude(state="closed")

    def about_fields(self) -> Self:
        """Findings about fields: those that rules can touch."""
        return self.exclude(field="")

    def waiting(self) -> Self:
        """Findings that nobody has looked after yet, what stops tickets first."""
        return self.filter(state="open").order_by("grade", "-found_at", "pk")


class AlertQuerySet(models.QuerySet[Any]):
    """Questions about alerts."""

    def live(self) -> Self:
        """Alerts whose condition holds, acknowledged ones among them."""
        return self.exclude(state="closed")

    def open(self) -> Self:
        """Alerts that nobody has taken in hand yet."""
        return self.filter(state="open")

    def of_partners(self, partners: Any) -> Self:
        """Alerts about systems and connections of these partners; those about the portal itself are nobody's."""
        ends = _rows("Side").filter(connection=OuterRef("connection"), system__partner__in=partners)
        alone = Q(connection=None, system__partner__in=partners) | Q(endpoint__partner__in=partners)
        return self.filter(alone | Q(Exists(ends)))


class EndpointQuerySet(models.QuerySet[Any]):
    """Questions about endpoints of outgoing web hooks."""

    def of_partners(self, partners: Any) -> Self:
        """Endpoints of these partners; the operator's own are nobody's."""
        return self.filter(partner__in=partners)


class ConnectionQuerySet(models.QuerySet[Any]):
    """Questions about connections."""

    def visible_to(self, user: User) -> Self:
        """Connections with a side of a partner that the user may see."""
        mine = _rows("Side").filter(
            connection=OuterRef("pk"), system__partner__in=partners_of(user).values("pk")
        )
        return self.filter(Exists(mine))


class MappingSetQuerySet(models.QuerySet[Any]):
    """Questions about mapping sets."""

    def visible_to(self, user: User) -> Self:
        """Rules of sides whose partner the user may see.  The other side's rules stay its own."""
        return self.filter(side__system__partner__in=partners_of(user).values("pk"))


class SyncEventQuerySet(models.QuerySet[Any]):
    """Questions about changes seen."""

    def doubled(self, now: datetime) -> Self:
        """Comments and files of ours that a system took a second time, of the last week."""
        return self.filter(is_double=True, ticket__is_gone=False, seen_at__gt=now - timedelta(days=7))


class TicketQuerySet(models.QuerySet[Any]):
    """Questions about one system's tickets."""

    def visible_to(self, user: User) -> Self:
        """Tickets in systems of partners that the user may see."""
        return self.filter(system__partner__in=partners_of(user).values("pk"))

    def read_due(self, now: datetime) -> Self:
        """Tickets whose history is to be read now."""
        return self.filter(read_due_at__lte=now)

    def twins(self, now: datetime) -> Self:
        """Tickets that a create of ours made beside the linked one, for a month or until they are deleted there."""
        return self.filter(twin_of__isnull=False, is_gone=False, opened_at__gt=now - timedelta(days=30))


class TicketTitleQuerySet(models.QuerySet[Any]):
    """Questions about titles."""

    # Shorter words have no index: they stand in nearly every title.
    SHORTEST = 3

    def containing(self, words: str) -> Self:
        """Titles with these words in them, in one piece and whatever their case; none for less than three letters."""
        if len(words) < self.SHORTEST:
            return self.none()
        if not self._has_table_of_words():
            return self.filter(title__icontains=words)
        phrase = '"{}"'.format(words.replace('"', '""'))
        # https://www.sqlite.org/fts5.html#the_trigram_tokenizer
        found = "SELECT rowid FROM integrations_tickettitle_words WHERE title MATCH %s"
        return self.filter(pk__in=RawSQL(found, [phrase]))  # noqa: S611 - the words are a value

    def _has_table_of_words(self) -> bool:
        """Whether SQLite keeps one; PostgreSQL has an index instead, and some builds of SQLite know neither."""
        database = connections[self.db]
        if database.vendor != "sqlite":
            return False
        with database.cursor() as cursor:
            cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'integrations_tickettitle_words'")
            return cursor.fetchone() is not None


class LinkedTicketQuerySet(models.QuerySet[Any]):
    """Questions about linked tickets."""

    def visible_to(self, user: User) -> Self:
        """Linked tickets with a side belonging to a partner the user may see; none by default.

        Goes through PartnerTicket, whose index answers in a millisecond at a million tickets; the partners' keys are
        fetched first because the joined form is forty times slower there.
        """
        partners = list(partners_of(user).values_list("pk", flat=True))
        shared = _rows("PartnerTicket").filter(linked_ticket=OuterRef("pk"), partner__in=partners)
        return self.filter(Exists(shared))


class LaneQuerySet(models.QuerySet[Any]):
    """Questions about lanes."""

    def visible_to(self, user: User) -> Self:
        """Lanes of connections in which a partner of the user takes part."""
        partners = list(partners_of(user).values_list("pk", flat=True))
        shared = _rows("PartnerTicket").filter(
            linked_ticket=OuterRef("linked_ticket_id"), partner__in=partners
        )
        return self.filter(Exists(shared))

    def waiting(self) -> Self:
        """Lanes with something to deliver."""
        return self.filter(waits=True)

    def parked(self) -> Self:
        """Lanes that wait for a person."""
        return self.filter(waits=True, state="parked")


class DeliveryQuerySet(models.QuerySet[Any]):
    """Questions about deliveries."""

    def waiting(self) -> Self:
        """Deliveries that have not reached the other side yet, in their order."""
        return self.filter(number__gte=F("lane__head"), state__in=("new", "sent")).order_by("lane", "number")


class ConflictQuerySet(models.QuerySet[Any]):
    """Questions about conflicts."""

    def open(self) -> Self:
        """Conflicts whose delivery waits for a person's answer now."""
        return self.filter(
            decided_at__isnull=True,
            delivery__number=F("delivery__lane__head"),
            delivery__lane__state="parked",
            delivery__lane__failure_code="conflict",
        )


class DriftQuerySet(models.QuerySet[Any]):
    """Questions about drift."""

    def visible_to(self, user: User) -> Self:
        """Drift on linked tickets in which a partner of the user takes part."""
        partners = list(partners_of(user).values_list("pk", flat=True))
        shared = _rows("PartnerTicket").filter(
            linked_ticket=OuterRef("linked_ticket_id"), partner__in=partners
        )
        return self.filter(Exists(shared))

    def live(self) -> Self:
        """Drift that still holds, accepted and under repair among it."""
        return self.exclude(state="closed")

    def open(self) -> Self:
        """Drift that nobody has decided about."""
        return self.filter(state="open")


class UndoQuerySet(models.QuerySet[Any]):
    """Questions about what was undone."""

    def visible_to(self, user: User) -> Self:
        """Undoings at sides of partners that the user may see: the values are the receiver's own."""
        return self.filter(target__system__partner__in=partners_of(user).values("pk"))
