"""Agreements between partners with their calendars, matrices and targets; the facts of tickets; the clocks.

Agreements and what belongs to them are edited by people.  Timings are facts and only ever added.  Clocks are derived
from both and may be thrown away and computed again at any time (`services.recompute`).
"""

from __future__ import annotations

from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from integrations.models import Connection, LinkedTicket, Partner, Side, SyncEvent
from slas import clock, matrix
from slas.querysets import AgreementQuerySet, CalendarQuerySet, ClockQuerySet

DAY_MIN = 24 * 60


def validate_zone(name: str) -> None:
    """Accept the name of a time zone such as Europe/Berlin; ValidationError otherwise."""
    if name not in available_timezones():
        raise ValidationError("%(name)s is not a time zone.", params={"name": name})


def validate_rows(rows: object) -> None:
    """Accept four rows of four priorities; ValidationError names what is wrong."""
    try:
        matrix.matrix_from(rows)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def validate_statuses(statuses: object) -> None:
    """Accept a list of the data dictionary's statuses in which a clock may pause."""
    allowed = {one.value for one in clock.PAUSABLE}
    if not isinstance(statuses, list) or not set(map(str, statuses)) <= allowed:
        raise ValidationError(f"A clock can pause while a ticket is: {', '.join(sorted(allowed))}.")


def reference_rows() -> list[list[str]]:
    """The reference matrix: what a new one begins with."""
    return matrix.cells(matrix.REFERENCE)


def default_pauses() -> list[str]:
    """The statuses in which a new agreement's clocks pause."""
    return [clock.Status.PENDING.value, clock.Status.ON_HOLD.value]


class PriorityChoice(models.TextChoices):
    """`matrix.Priority` for forms."""

    CRITICAL = matrix.Priority.CRITICAL.value, "Critical"
    HIGH = matrix.Priority.HIGH.value, "High"
    MEDIUM = matrix.Priority.MEDIUM.value, "Medium"
    LOW = matrix.Priority.LOW.value, "Low"


class TypeChoice(models.TextChoices):
    """`clock.TicketType` for forms."""

    INCIDENT = clock.TicketType.INCIDENT.value, "Incident"
    SERVICE_REQUEST = clock.TicketType.SERVICE_REQUEST.value, "Service request"
    CHANGE = clock.TicketType.CHANGE.value, "Change"
    PROBLEM = clock.TicketType.PROBLEM.value, "Problem"


class KindChoice(models.TextChoices):
    """`clock.Kind` for forms."""

    RESPONSE = clock.Kind.RESPONSE.value, "Response"
    RESOLUTION = clock.Kind.RESOLUTION.value, "Resolution"


# --- Calendars ---


class Calendar(models.Model):
    """Service hours of a week in one time zone, with holidays and planned closures.

    A calendar without hours is never open; "24 × 7" has 00:00–24:00 on all seven days.
    """

    name = models.CharField(
        max_length=120, unique=True, error_messages={"unique": "A calendar has this name already."}
    )
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_zone])
    note = models.CharField(max_length=300, blank=True)

    objects = CalendarQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Hours(models.Model):
    """One stretch of service hours on one day of the week.

    Minutes after midnight; 1440 is 24:00.  An end before the beginning is a night shift that ends the next day.
    """

    class Weekday(models.IntegerChoices):
        MONDAY = 0, "Monday"
        TUESDAY = 1, "Tuesday"
        WEDNESDAY = 2, "Wednesday"
        THURSDAY = 3, "Thursday"
        FRIDAY = 4, "Friday"
        SATURDAY = 5, "Saturday"
        SUNDAY = 6, "Sunday"

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="hours")
    weekday = models.PositiveSmallIntegerField(choices=Weekday)
    from_min = models.PositiveSmallIntegerField("from")
    to_min = models.PositiveSmallIntegerField("to")

    class Meta:
        ordering = ["calendar", "weekday", "from_min"]
        verbose_name_plural = "hours"
        constraints = [
            models.UniqueConstraint(
                fields=["calendar", "weekday", "from_min"],
                name="hours_begin_once",
                violation_error_message="Two stretches of this day begin at the same time.",
            ),
            models.CheckConstraint(
                condition=Q(weekday__lte=6)
                & Q(from_min__lt=DAY_MIN)
                & Q(to_min__lte=DAY_MIN)
                & ~Q(to_min=F("from_min")),
                name="hours_within_a_day",
                violation_error_message="Times run from 00:00 to 24:00, and the end differs from the beginning.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.span}"

    @property
    def span(self) -> str:
        """As people write it: `22:00–06:00`."""
        return f"{clock_time(self.from_min)}–{clock_time(self.to_min)}"


def clock_time(minutes: int) -> str:
    """Minutes after midnight as `HH:MM`; 1440 is `24:00`."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


class Holiday(models.Model):
    """A date on which the service is not open at all, in the calendar's time zone."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="holidays")
    date = models.DateField()
    name = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["calendar", "date"]
        constraints = [
            models.UniqueConstraint(
                fields=["calendar", "date"],
                name="holiday_once",
                violation_error_message="This date is a holiday already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.date:%Y-%m-%d} {self.name}".strip()


class Closure(models.Model):
    """A planned closure (agreed downtime): no clock of this calendar runs between the two moments."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="closures")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["calendar", "starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="closure_ends_after_it_starts",
                violation_error_message="A closure ends after it starts.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} {self.reason}".strip()


# --- Agreements ---


class PriorityMatrix(models.Model):
    """A table of impact × urgency → priority: four rows of urgency 1 to 4, each for impact 1 to 4."""

    name = models.CharField(
        max_length=120, unique=True, error_messages={"unique": "A matrix has this name already."}
    )
    rows = models.JSONField(default=reference_rows, validators=[validate_rows])

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "priority matrices"

    def __str__(self) -> str:
        return self.name

    def as_value(self) -> matrix.Matrix:
        """The pure matrix; ValueError when somebody stored what is none."""
        return matrix.matrix_from(self.rows)


class Agreement(models.Model):
    """What one partner owes another: how soon to answer and to resolve.

    It covers tickets that the customer's side raised and the provider's side has to answer; with `covers_own` also
    those that the provider raised itself (for these only the resolution is measured).  Without connections it covers
    all connections between the two partners.  A ticket is judged by the agreement in force when its clock began.
    """

    class Kind(models.TextChoices):
        SLA = "sla", "Customer SLA"
        UNDERPINNING = "underpinning", "Underpinning contract"
        OLA = "ola", "Operational level agreement"

    class StartsFrom(models.TextChoices):
        OPENED = clock.Start.OPENED.value, "When the ticket was opened"
        HANDED_OVER = clock.Start.HANDED_OVER.value, "When it was handed over to this connection"

    name = models.CharField(
        max_length=160, unique=True, error_messages={"unique": "An agreement has this name already."}
    )
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.SLA)
    customer = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="agreements_as_customer")
    provider = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="agreements_as_provider")
    connections = models.ManyToManyField(Connection, blank=True, related_name="agreements")
    covers_own = models.BooleanField("also tickets that the provider raised itself", default=False)
    starts_from = models.CharField(max_length=12, choices=StartsFrom, default=StartsFrom.OPENED)
    calendar = models.ForeignKey(Calendar, on_delete=models.PROTECT, related_name="agreements")
    matrix = models.ForeignKey(PriorityMatrix, on_delete=models.PROTECT, related_name="agreements")
    pause_statuses = models.JSONField(default=default_pauses, blank=True, validators=[validate_statuses])
    # The share of tickets that have to meet their target, for the traffic lights of reports.
    goal_percent = models.DecimalField(max_digits=5, decimal_places=2, default=95)
    # Days in the calendar's time zone; the last day is not part of it.
    valid_from = models.DateField()
    valid_until = models.DateField(null=True, blank=True)
    note = models.TextField(blank=True)
    # Set when terms were changed: the linked ticket after which clocks are still to be computed again.
    recompute_from = models.PositiveBigIntegerField(null=True, blank=True, default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AgreementQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gt=F("valid_from")),
                name="agreement_ends_after_it_begins",
                violation_error_message="An agreement ends after it begins.",
            ),
            models.CheckConstraint(
                condition=Q(goal_percent__gte=0, goal_percent__lte=100),
                name="agreement_goal_is_a_share",
                violation_error_message="The goal is a share between 0 and 100 per cent.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Target(models.Model):
    """How long answering or resolving may take, in minutes of service time.  Without a type it holds for all types."""

    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="targets")
    kind = models.CharField(max_length=10, choices=KindChoice)
    priority = models.CharField(max_length=8, choices=PriorityChoice)
    type = models.CharField(max_length=16, choices=TypeChoice, blank=True)
    minutes = models.PositiveIntegerField()

    class Meta:
        ordering = ["agreement", "kind", "type", "minutes"]
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "kind", "priority", "type"],
                name="target_once",
                violation_error_message="This agreement has a target for that already.",
            ),
            models.CheckConstraint(
                condition=Q(minutes__gt=0),
                name="target_takes_time",
                violation_error_message="A target is at least one minute.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.priority}: {self.minutes} min"


class TermsVersion(models.Model):
    """One row whose token is new whenever an agreement, or anything that belongs to one, was changed.

    Processes keep agreements in memory and compare tokens, which they get with a query that they make anyway.
    """

    token = models.CharField(max_length=32)

    def __str__(self) -> str:
        return self.token


# --- Facts and clocks ---


class Timing(models.Model):
    """A fact that a clock may need, at the source system's own time.  Only ever added.

    `position` is the event's place in the ticket's own history and breaks ties; 0 is the link itself.
    """

    class What(models.TextChoices):
        OPENED = clock.What.OPENED.value, "Opened"
        HANDED_OVER = clock.What.HANDED_OVER.value, "Handed over"
        STATUS = clock.What.STATUS.value, "Status"
        PRIORITY = clock.What.PRIORITY.value, "Priority"
        IMPACT = clock.What.IMPACT.value, "Impact"
        URGENCY = clock.What.URGENCY.value, "Urgency"
        TYPE = clock.What.TYPE.value, "Type"
        COMMENT = clock.What.COMMENT.value, "Public comment"

    linked_ticket = models.ForeignKey(
        LinkedTicket, on_delete=models.CASCADE, related_name="timings", db_index=False
    )
    event = models.ForeignKey(
        SyncEvent, null=True, blank=True, on_delete=models.SET_NULL, related_name="timings"
    )
    side = models.ForeignKey(Side, on_delete=models.PROTECT, related_name="+", db_index=False)
    what = models.CharField(max_length=12, choices=What)
    value = models.CharField(max_length=100, blank=True)
    happened_at = models.DateTimeField()
    position = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["linked_ticket", "side", "position", "what"], name="timing_recorded_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_what_display()} {self.value}".strip()


class Clock(models.Model):
    """One clock of one linked ticket under one agreement, as its timings left it; written by services.py only.

    `elapsed_s` and `paused_s` count service time up to `state_since`: what has passed since then belongs to the state
    (`services.live` adds it up).  `wall_s` is everything from start to stop.  `stopped_at` with the state "ended" is
    a closing without an answer or a resolution; such a clock has no `wall_s` and is neither met nor, unless it had
    run out before, breached.
    """

    class State(models.TextChoices):
        RUNNING = clock.State.RUNNING.value, "Running"
        PAUSED = clock.State.PAUSED.value, "Paused"
        STOPPED = clock.State.STOPPED.value, "Stopped"
        ENDED = clock.State.ENDED.value, "Ended without"

    linked_ticket = models.ForeignKey(
        LinkedTicket, on_delete=models.CASCADE, related_name="clocks", db_index=False
    )
    agreement = models.ForeignKey(Agreement, on_delete=models.CASCADE, related_name="clocks", db_index=False)
    kind = models.CharField(max_length=10, choices=KindChoice)
    state = models.CharField(max_length=8, choices=State)
    # Empty while the source has told none.
    priority = models.CharField(max_length=8, choices=PriorityChoice, blank=True)
    type = models.CharField(max_length=16, choices=TypeChoice, blank=True)
    target_s = models.PositiveIntegerField(null=True, blank=True)
    # The first day of the month in which it began, in the calendar's time zone.
    month = models.DateField()
    started_at = models.DateTimeField()
    state_since = models.DateTimeField()
    # When the target is used up; unknown while paused and without a target.
    due_at = models.DateTimeField(null=True, blank=True)
    # The last moment still in time: later than due_at when service hours end in between.
    breaches_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    elapsed_s = models.BigIntegerField(default=0)
    paused_s = models.BigIntegerField(default=0)
    wall_s = models.BigIntegerField(null=True, blank=True)
    is_breached = models.BooleanField(default=False)

    objects = ClockQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["linked_ticket", "agreement", "kind"], name="clock_once"),
        ]
        indexes = [
            # The sweep.
            models.Index(
                fields=["breaches_at"],
                name="clock_breaches",
                condition=Q(state=clock.State.RUNNING.value, is_breached=False),
            ),
            models.Index(fields=["agreement", "month", "kind"], name="clock_report"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of LT-{self.linked_ticket_id}"

    @property
    def is_met(self) -> bool:
        """Whether it stopped in time.  A clock without a target cannot be missed, and is not met either."""
        return self.state == self.State.STOPPED and self.target_s is not None and not self.is_breached
