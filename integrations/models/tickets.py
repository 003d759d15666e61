"""Tickets as the systems have them, and linked tickets: the same matter on both sides of a connection."""

from __future__ import annotations

from django.db import models

from integrations.models.connections import Connection, Side
from integrations.models.partners import Partner
from integrations.models.systems import System
from integrations.querysets import LinkedTicketQuerySet, TicketQuerySet, TicketTitleQuerySet


class Ticket(models.Model):
    """One system's ticket: what its history told us so far.

    `actual` is the value last seen in the remote history; `winners` holds per field the value and stamp that should
    stand (`{"status": {"value": ..., "stamp": [ms, system_id]}}`).  The two differ exactly when a repair is due, so
    they are never mixed.  `version` goes up with every reading that is stored; a reading is stored only if the
    version is still the one it started from.
    """

    # Keys without an index of their own: another index begins with them, or nobody looks by them. Each one more is
    # written with every change of a ticket.
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="tickets", db_index=False)
    remote_id = models.CharField(max_length=100)
    key = models.CharField(max_length=100, blank=True)
    url = models.CharField(max_length=500, blank=True)
    title = models.CharField(max_length=300, blank=True)
    cursor = models.TextField(blank=True)
    # Which state of it was read last, where the system names states; polling names the same one.
    mark = models.CharField(max_length=80, blank=True)
    version = models.PositiveIntegerField(default=0)
    event_count = models.PositiveIntegerField(default=0)
    actual = models.JSONField(default=dict, blank=True)
    winners = models.JSONField(default=dict, blank=True)
    # The marker we planted when we created it; empty when a person did.
    marker = models.CharField(max_length=80, blank=True, db_index=True)
    is_gone = models.BooleanField(default=False)
    # Since when its system does not let us read it, and why, in its connector's words; empty while it does.
    refused_at = models.DateTimeField(null=True, blank=True)
    refused_because = models.CharField(max_length=300, blank=True)
    # The ticket that goes on from this one, which was closed for ever: whoever stood here stands there now.
    followed_by = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="follows", db_index=False
    )
    # The ticket that a create of ours has made as well, when its system carried an earlier request out after all.
    twin_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="twins", db_index=False
    )
    opened_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)
    # When the latest reason to read arose, and when to read; no due time means what we know is current.
    stale_since = models.DateTimeField(null=True, blank=True)
    # When a web hook or polling last named it; writes of our own do not count here.
    hinted_at = models.DateTimeField(null=True, blank=True)
    read_due_at = models.DateTimeField(null=True, blank=True)
    # Asked for by something that can wait, such as catching up after an outage: read after live work.
    read_is_bulk = models.BooleanField(default=False)
    read_at = models.DateTimeField(null=True, blank=True)
    # Until when its history was told by the last reading, by its system's own clock; nothing where that is not known.
    told_until = models.DateTimeField(null=True, blank=True)
    read_failures = models.PositiveIntegerField(default=0)

    objects = TicketQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "remote_id"], name="ticket_known_once")]
        indexes = [
            models.Index(
                fields=["read_is_bulk", "read_due_at"],
                name="ticket_read_due",
                condition=models.Q(read_due_at__isnull=False),
            ),
            # A claim names the systems. Without this one SQLite goes through all tickets of each of them.
            models.Index(
                fields=["system", "read_is_bulk", "read_due_at"],
                name="ticket_read_due_in_system",
                condition=models.Q(read_due_at__isnull=False),
            ),
            # What people search for.
            models.Index(fields=["key"], name="ticket_by_key"),
            # The watch counts those that are gone every few seconds, and hardly any is.
            models.Index(fields=["system"], name="ticket_gone", condition=models.Q(is_gone=True)),
            # The same of those that a late create made twice.
            models.Index(fields=["opened_at"], name="ticket_twin", condition=models.Q(twin_of__isnull=False)),
            models.Index(
                fields=["twin_of"], name="ticket_twin_of", condition=models.Q(twin_of__isnull=False)
            ),
            models.Index(
                fields=["followed_by"],
                name="ticket_followed_by",
                condition=models.Q(followed_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.key or self.remote_id


class TicketTitle(models.Model):
    """A ticket's title once more, to be searched: beside it, because a row that is written with every change of the
    ticket would have to enter its words into their index every time.

    Kept by triggers of the database; nobody writes it.  PostgreSQL has an index of groups of three letters on it,
    SQLite a table of them (migration 0025).
    """

    ticket = models.OneToOneField(
        Ticket, primary_key=True, on_delete=models.CASCADE, related_name="searched_title"
    )
    # Repeated here, so that what a reader may not see is left out at once.
    system = models.ForeignKey(
        System, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    title = models.CharField(max_length=300)

    objects = TicketTitleQuerySet.as_manager()

    def __str__(self) -> str:
        return self.title


class LinkedTicket(models.Model):
    """The same matter on both sides of a connection."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        ENDED = "ended", "Ended"

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="linked_tickets")
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    title = models.CharField(max_length=300, blank=True)
    # Who raised it: the side whose ticket was there first.
    origin = models.ForeignKey(Side, on_delete=models.PROTECT, related_name="+", db_index=False)
    opened_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField()

    objects = LinkedTicketQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-updated_at", "-id"], name="linked_ticket_latest"),
            models.Index(fields=["connection", "-updated_at"], name="linked_ticket_by_connection"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """How people name it."""
        return f"LT-{self.pk}"


class TicketSide(models.Model):
    """One side of a linked ticket; `ticket` is empty until it exists there."""

    linked_ticket = models.ForeignKey(
        LinkedTicket, on_delete=models.CASCADE, related_name="sides", db_index=False
    )
    side = models.ForeignKey(Side, on_delete=models.PROTECT, related_name="ticket_sides", db_index=False)
    ticket = models.ForeignKey(Ticket, null=True, blank=True, on_delete=models.PROTECT, related_name="sides")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["linked_ticket", "side"], name="linked_ticket_side_once"),
            # The link table is the only truth against doubles: a ticket stands in a connection once.
            models.UniqueConstraint(fields=["side", "ticket"], name="ticket_linked_once_per_connection"),
        ]

    def __str__(self) -> str:
        return f"{self.side_id} of {self.linked_ticket_id}"


class PartnerTicket(models.Model):
    """Which partner may see which linked ticket, newest first: the one table that pages of partners start from."""

    partner = models.ForeignKey(
        Partner, on_delete=models.CASCADE, related_name="partner_tickets", db_index=False
    )
    linked_ticket = models.ForeignKey(LinkedTicket, on_delete=models.CASCADE, related_name="partner_tickets")
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["partner", "linked_ticket"], name="partner_ticket_once")
        ]
        indexes = [
            models.Index(fields=["partner", "-updated_at", "linked_ticket"], name="partner_ticket_latest")
        ]

    def __str__(self) -> str:
        return f"{self.linked_ticket_id} for {self.partner_id}"
