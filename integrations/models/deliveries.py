"""Changes and their way: events seen, lanes that keep their order, deliveries, attempts and effects."""

from __future__ import annotations

from django.db import models

from integrations.canonical import ChangeKind
from integrations.engine.values import DeliveryState, LaneState, Operation, Outcome
from integrations.models.connections import Connection, Side
from integrations.models.mappings import MappingSet
from integrations.models.systems import System
from integrations.models.tickets import LinkedTicket, Ticket
from integrations.querysets import DeliveryQuerySet, LaneQuerySet, SyncEventQuerySet


class SyncEvent(models.Model):
    """One change seen in a ticket's own history, never altered.  `position` is its place in that history."""

    class Kind(models.TextChoices):
        CREATED = ChangeKind.CREATED.value, "Created"
        UPDATED = ChangeKind.UPDATED.value, "Updated"
        DELETED = ChangeKind.DELETED.value, "Deleted"
        RESTORED = ChangeKind.RESTORED.value, "Restored"

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="events", db_index=False)
    change_id = models.CharField(max_length=120)
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    actor_id = models.CharField(max_length=200, blank=True)
    actor_name = models.CharField(max_length=200, blank=True)
    # The source system's own time, and ours.
    happened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    fields = models.JSONField(default=dict)
    before = models.JSONField(default=dict)
    comments = models.JSONField(default=list)
    attachments = models.JSONField(default=list)
    # Set when the change is one of ours coming back.
    caused_by = models.ForeignKey(
        "Delivery", null=True, blank=True, on_delete=models.SET_NULL, related_name="seen_as", db_index=False
    )
    # A comment or file that such a write had left before: carried out once more.
    is_double = models.BooleanField(default=False)

    objects = SyncEventQuerySet.as_manager()

    class Meta:
        ordering = ["ticket", "position"]
        constraints = [
            models.UniqueConstraint(fields=["ticket", "change_id"], name="change_seen_once"),
            models.UniqueConstraint(fields=["ticket", "position"], name="change_has_its_place"),
        ]
        # What the home page counts of a day.
        indexes = [
            models.Index(fields=["seen_at"], name="change_by_day"),
            models.Index(fields=["seen_at"], name="change_doubled", condition=models.Q(is_double=True)),
            models.Index(
                fields=["caused_by"], name="change_caused_by", condition=models.Q(caused_by__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.change_id} of ticket {self.ticket_id}"


class Lane(models.Model):
    """The unit of order: one linked ticket, one direction.  Deliveries leave it strictly by number."""

    class State(models.TextChoices):
        READY = LaneState.READY.value, "Ready"
        PARKED = LaneState.PARKED.value, "Waits for a person"
        HELD = LaneState.HELD.value, "Held"

    linked_ticket = models.ForeignKey(
        LinkedTicket, on_delete=models.CASCADE, related_name="lanes", db_index=False
    )
    target = models.ForeignKey(Side, on_delete=models.PROTECT, related_name="lanes", db_index=False)
    # Repeated here so that the claim reads one table.
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="lanes", db_index=False)
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="lanes", db_index=False)
    state = models.CharField(max_length=10, choices=State, default=State.READY)
    # The number of the next delivery, and of the last one; nothing waits when head is past tail.
    head = models.PositiveIntegerField(default=1)
    tail = models.PositiveIntegerField(default=0)
    waits = models.BooleanField(default=False)
    next_at = models.DateTimeField()
    # All that waits came from bulk readings: it goes after live work.
    is_bulk = models.BooleanField(default=False)
    # Since when the head waits: the age people see and the alarms watch.
    waits_since = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    owner = models.CharField(max_length=60, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    failure_code = models.CharField(max_length=40, blank=True)
    failure_message = models.CharField(max_length=500, blank=True)

    objects = LaneQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["linked_ticket", "target"], name="lane_once_a_direction")
        ]
        indexes = [
            # In the order of a claim.  Every connection's key is above 0, but PostgreSQL does not know it: only a question
            # that says so goes through this index.  The look at the head of one receiver's queue must not, and where
            # hardly any lane is believed to wait it would.
            models.Index(
                fields=["is_bulk", "next_at"],
                name="lane_due",
                condition=models.Q(waits=True, state=LaneState.READY.value, connection__gt=0),
            ),
            models.Index(
                fields=["state", "waits_since"], name="lane_waiting", condition=models.Q(waits=True)
            ),
            # Since when the longest waiting one of each receiver waits; and how many wait in each connection.
            models.Index(
                fields=["connection", "system", "state", "is_bulk", "next_at"],
                name="lane_waiting_in_system",
                condition=models.Q(waits=True),
            ),
        ]

    def __str__(self) -> str:
        return f"LT-{self.linked_ticket_id} to {self.target_id}"


class Delivery(models.Model):
    """One change on its way to the other side.

    `envelope` holds only what the sender's rules released, in the words of the data dictionary.  `wanted` is what the
    receiver's rules made of it (its own field names) when it was sent, or `stand_in`: why a note goes in the place of a
    file; `unseen` is the part of it that the receiver's
    history has not shown yet; `pre_image` is what it replaced.
    """

    class Op(models.TextChoices):
        CREATE = Operation.CREATE.value, "Create"
        UPDATE = Operation.UPDATE.value, "Update"
        COMMENT = Operation.COMMENT.value, "Comment"
        FILE = Operation.FILE.value, "File"
        REPAIR = Operation.REPAIR.value, "Repair"
        REVERT = Operation.REVERT.value, "Undo"

    # These speak of the receiver's own values and are sent by nobody.
    OF_RECEIVER = (Op.REPAIR, Op.REVERT)

    class State(models.TextChoices):
        NEW = DeliveryState.NEW.value, "Waiting"
        SENT = DeliveryState.SENT.value, "Being verified"
        DONE = DeliveryState.DONE.value, "Delivered"
        SUPERSEDED = DeliveryState.SUPERSEDED.value, "Overtaken"
        SKIPPED = DeliveryState.SKIPPED.value, "Skipped"

    lane = models.ForeignKey(Lane, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    number = models.PositiveIntegerField()
    event = models.ForeignKey(SyncEvent, null=True, on_delete=models.CASCADE, related_name="deliveries")
    operation = models.CharField(max_length=10, choices=Op)
    state = models.CharField(max_length=12, choices=State, default=State.NEW)
    marker = models.CharField(max_length=80, unique=True)
    # One source fact, however many hops it travels, and its stamp [ms, system id].
    origin = models.CharField(max_length=200)
    stamp = models.JSONField()
    hops = models.PositiveSmallIntegerField(default=1)
    envelope = models.JSONField(default=dict)
    # Set when the sender's own rules could not tell what to send; the lane stops here until they can.
    problem = models.JSONField(default=dict, blank=True)
    target = models.ForeignKey(
        Ticket, null=True, blank=True, on_delete=models.PROTECT, related_name="deliveries"
    )
    wanted = models.JSONField(default=dict, blank=True)
    unseen = models.JSONField(default=dict, blank=True)
    is_recognised = models.BooleanField(default=True)
    pre_image = models.JSONField(default=dict, blank=True)
    # The latest moment at which the guard lets the bytes of the last attempt leave.
    send_by = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveIntegerField(default=0)
    result = models.JSONField(default=dict, blank=True)
    outgoing = models.ForeignKey(
        MappingSet, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    incoming = models.ForeignKey(
        MappingSet, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    queued_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    skipped_reason = models.CharField(max_length=300, blank=True)
    # When the word was queued, for its sender's ticket, that it was not taken.
    told_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["lane", "number"]
        constraints = [models.UniqueConstraint(fields=["lane", "number"], name="delivery_has_its_number")]
        indexes = [
            models.Index(
                fields=["target"], name="delivery_unrecognised", condition=models.Q(is_recognised=False)
            ),
            # What the home page counts of a day.
            models.Index(
                fields=["done_at"], name="delivery_by_day", condition=models.Q(done_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number} of lane {self.lane_id}"


class Attempt(models.Model):
    """What happened when a delivery was sent.  Written before the bytes leave, completed after."""

    class Result(models.TextChoices):
        STARTED = Outcome.STARTED.value, "Started"
        DONE = Outcome.DONE.value, "Done"
        RETRY = Outcome.RETRY.value, "To be tried again"
        UNKNOWN = Outcome.UNKNOWN.value, "Outcome unknown"
        REFUSED = Outcome.REFUSED.value, "Refused"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    fence = models.PositiveBigIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Result, default=Result.STARTED)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    code = models.CharField(max_length=40, blank=True)
    message = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["delivery", "number"]
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_number_once")]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.delivery_id}"


class Withheld(models.Model):
    """A file that a side's rules did not let leave.  Nothing of it is in any lane: its name is the sender's own matter."""

    event = models.ForeignKey(SyncEvent, on_delete=models.CASCADE, related_name="withheld", db_index=False)
    linked_ticket = models.ForeignKey(LinkedTicket, on_delete=models.CASCADE, related_name="withheld")
    file_id = models.CharField(max_length=200)
    code = models.CharField(max_length=40)
    reason = models.CharField(max_length=500)
    # The version of the sender's rules that said so.
    outgoing = models.ForeignKey(
        MappingSet, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event", "linked_ticket", "file_id"], name="file_withheld_once_a_link"
            )
        ]

    def __str__(self) -> str:
        return f"file {self.file_id} of event {self.event_id}"


class Effect(models.Model):
    """At most one remote effect for each source fact on each ticket, whatever the topology."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="effects", db_index=False)
    origin = models.CharField(max_length=200)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="effects")
    # The comment's or file's own id on the receiving side.
    remote_ref = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ticket", "origin"], name="fact_takes_effect_once")]

    def __str__(self) -> str:
        return f"{self.origin} on ticket {self.ticket_id}"
