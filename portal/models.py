"""People, their roles, the audit trail, and outage drills.  What a role may do is in access.py."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any, NoReturn, Self
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone

from integrations.models import Alert
from integrations.watch.conditions import Severity
from integrations.watch.telling import Manner, Wishes


def validate_time_zone(name: str) -> None:
    """Accept the name of a time zone such as Europe/Berlin; ValidationError otherwise."""
    if name not in available_timezones():
        raise ValidationError("%(name)s is not a time zone.", params={"name": name})


class User(AbstractUser):
    """A person.  Without a partner and without a membership somebody is a stranger, and sees nothing."""

    class Theme(models.TextChoices):
        SYSTEM = "system", "As the device"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    # The company the person works for.  It opens nothing by itself: memberships do.
    partner = models.ForeignKey(
        "integrations.Partner", null=True, blank=True, on_delete=models.PROTECT, related_name="people"
    )
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    theme = models.CharField(max_length=6, choices=Theme, default=Theme.SYSTEM)

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def initials(self) -> str:
        """Two letters for the round sign in the top bar."""
        words = str(self).replace(".", " ").replace("_", " ").split()
        return (
            "".join(word[0] for word in (words[0], words[-1]) if len(words) > 1).upper()
            or str(self)[:2].upper()
        )


class Membership(models.Model):
    """One role of one person: at one partner, or (partner empty) at all of them.  Written by access.py only."""

    class Role(models.TextChoices):
        INTEGRATOR_STAFF = "integrator_staff", "Service integrator staff"
        MAPPING_OWNER = "mapping_owner", "Mapping owner"
        MAPPING_STEWARD = "mapping_steward", "Mapping steward"
        PARTNER_AGENT = "partner_agent", "Partner agent"
        SERVICE_LEVEL_MANAGER = "service_level_manager", "Service level manager"
        SECURITY_OFFICER = "security_officer", "Security officer"
        ADMINISTRATOR = "administrator", "Administrator"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=24, choices=Role)
    partner = models.ForeignKey(
        "integrations.Partner", null=True, blank=True, on_delete=models.CASCADE, related_name="memberships"
    )
    granted_at = models.DateTimeField(default=timezone.now)
    granted_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "partner"],
                name="membership_once_a_partner",
                violation_error_message="The person has this role at this partner already.",
            ),
            # Two empty values are not equal to a database.
            models.UniqueConstraint(
                fields=["user", "role"],
                condition=Q(partner__isnull=True),
                name="membership_once_for_all_partners",
                violation_error_message="The person has this role at all partners already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()} at {self.partner or 'all partners'}"


class MatrixCell(models.Model):
    """One level of the identity access matrix that was changed; what nobody changed is in access.py."""

    role = models.CharField(max_length=24, choices=Membership.Role)
    resource = models.CharField(max_length=24)
    level = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["role", "resource"],
                name="matrix_cell_once",
                violation_error_message="This level has been changed already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()}, {self.resource}: {self.level}"


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete what is only ever added to."""


def _refuse() -> NoReturn:
    raise AppendOnlyError("The audit trail is only ever added to.")


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Questions about the audit trail, and no way to change it."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refused: AppendOnlyError."""
        _refuse()

    def delete(self) -> NoReturn:
        """Refused: AppendOnlyError."""
        _refuse()

    def about(self, obj: models.Model) -> Self:
        """What was done to one object, newest first."""
        found = self.filter(object_type=obj._meta.label_lower, object_id=str(obj.pk))
        return found.select_related("actor").order_by("-number")


class AuditEntry(models.Model):
    """One thing that somebody changed.  Chained: `digest` covers the entry and the digest before it."""

    # Counts without gaps from 1, so that a missing entry shows.
    number = models.PositiveBigIntegerField(unique=True)
    at = models.DateTimeField()
    # Empty for what the portal did by itself.  Who is in the trail cannot be deleted, only deactivated.
    actor = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    actor_label = models.CharField(max_length=200)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=100)
    object_id = models.CharField(max_length=64)
    object_label = models.CharField(max_length=200)
    changes = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    # Whose matter it is; empty for what concerns the whole portal.
    partner = models.ForeignKey(
        "integrations.Partner", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    prev_hash = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    objects = AuditQuerySet.as_manager()

    class Meta:
        # The order is what the chain is about.
        ordering = ["number"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["object_type", "object_id"], name="audit_object")]

    def __str__(self) -> str:
        return f"{self.number}: {self.actor_label} {self.action} {self.object_label}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the entry; AppendOnlyError when it is there already."""
        if not self._state.adding:
            _refuse()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: AppendOnlyError."""
        _refuse()


class AuditHead(models.Model):
    """The end of the audit chain, one row.  Locking it puts writers in a row; its count betrays a cut tail."""

    number = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"after entry {self.number}"


class SignInFailures(models.Model):
    """How often signing in failed lately, by account and by address.  In the database: all web processes share it."""

    # A digest: what people type into the wrong field is sometimes a password.
    key = models.CharField(max_length=64, unique=True)
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "sign-in failures"

    def __str__(self) -> str:
        return f"{self.count:,} failures"


class DrillQuerySet(models.QuerySet["Drill"]):
    """Questions about drills."""

    def running(self) -> Self:
        """Those that are not over."""
        return self.exclude(state__in=Drill.OVER)

    def due(self, now: datetime) -> Self:
        """Those whose next step is due, the longest waiting first."""
        return self.running().filter(next_at__lte=now).order_by("next_at", "pk")


class Drill(models.Model):
    """One outage drill of a connection between two sandboxes: what was asked for, how far it is, and its record."""

    class State(models.TextChoices):
        ASKED = "asked", "Asked for"
        OPENING = "opening", "Tickets are being linked"
        OUTAGE = "outage", "System is away"
        CATCHING_UP = "catching_up", "Catching up"
        DONE = "done", "Done"
        FAILED = "failed", "Could not be carried out"
        CANCELLED = "cancelled", "Cancelled"

    class How(models.TextChoices):
        # People there go on working; nothing gets through to us.
        CUT = "cut", "The connection is cut"
        # Nobody can work there.
        DOWN = "down", "The system is down"

    OVER = (State.DONE, State.FAILED, State.CANCELLED)

    connection = models.ForeignKey("integrations.Connection", on_delete=models.CASCADE, related_name="drills")
    stopped_system = models.ForeignKey("integrations.System", on_delete=models.CASCADE, related_name="+")
    how = models.CharField("what goes wrong", max_length=8, choices=How, default=How.CUT)
    outage_s = models.PositiveIntegerField("for how many seconds", default=120)
    tickets = models.PositiveSmallIntegerField("tickets", default=5)
    changes = models.PositiveIntegerField("changes while it is away", default=40)
    asked_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=12, choices=State, default=State.ASKED)
    next_at = models.DateTimeField(default=timezone.now)
    # Acts done so far, and the tickets by their own ids where they began.
    done = models.PositiveIntegerField(default=0)
    opened = models.JSONField(default=list, blank=True)
    linked_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    restored_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # Why it could not be carried out, in a sentence.
    problem = models.CharField(max_length=500, blank=True)
    # What happened and what arrived; signed, so that it can be handed over.
    record = models.JSONField(default=dict, blank=True)

    objects = DrillQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["connection", "-asked_at"], name="drill_latest")]

    def __str__(self) -> str:
        return f"Drill {self.pk}"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self.state in self.OVER

    @property
    def verdict(self) -> dict[str, Any]:
        """The counts of the record; empty until there is one."""
        return self.record.get("document", {}).get("verdict", {})


class AlertSubscription(models.Model):
    """What one person is told of by mail, and how.  Without a row: of nothing."""

    class MannerChoice(models.TextChoices):
        AT_ONCE = Manner.AT_ONCE.value, "At once"
        HOURLY = Manner.HOURLY.value, "Once an hour"
        DAILY = Manner.DAILY.value, "Once a day"

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="alert_subscription")
    is_on = models.BooleanField("Send me mail about alerts", default=True)
    min_severity = models.PositiveSmallIntegerField(
        "From which severity", choices=Alert.SeverityChoice, default=Severity.WARNING.value
    )
    # Empty: whatever the person may see.
    partners = models.ManyToManyField("integrations.Partner", blank=True, related_name="+")
    systems = models.ManyToManyField("integrations.System", blank=True, related_name="+")
    manner = models.CharField("When", max_length=10, choices=MannerChoice, default=Manner.AT_ONCE.value)
    digest_at = models.TimeField("Time of the daily mail", default=time(8))
    quiet_from = models.TimeField("Quiet from", null=True, blank=True)
    quiet_until = models.TimeField("Quiet until", null=True, blank=True)
    critical_at_once = models.BooleanField("Critical alerts at once, in quiet hours too", default=True)

    def __str__(self) -> str:
        return f"alerts to {self.user}"

    @property
    def wishes(self) -> Wishes:
        """The same as a plain value, in the person's zone."""
        return Wishes(
            Manner(self.manner),
            ZoneInfo(self.user.time_zone),
            self.digest_at,
            self.quiet_from,
            self.quiet_until,
            self.critical_at_once,
        )


class AlertMail(models.Model):
    """One piece of news of an alert for one person; what is due at the same time goes out in one mail."""

    # Empty: to the operators' addresses in the settings.
    user = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.CASCADE, related_name="alert_mails"
    )
    alert = models.ForeignKey("integrations.Alert", on_delete=models.CASCADE, related_name="mails")
    due_at = models.DateTimeField()
    # Whoever sends it at this moment; the due time says until when that is believed.
    claim = models.CharField(max_length=32, blank=True)
    tries = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True)
    queued_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="alert_mail_due", condition=Q(sent_at=None))]

    def __str__(self) -> str:
        return f"{self.alert} to {self.user or 'the operators'}"


class QueueAction(models.Model):
    """What somebody does to many lanes at once: what is meant was written down before, what came of it after.

    `narrowed` says in words what the list was narrowed to when the lanes were chosen.
    """

    class Act(models.TextChoices):
        RETRY = "retry", "Retry"
        HOLD = "hold", "Hold"
        RESUME = "resume", "Resume"
        SKIP = "skip", "Skip"
        NEWEST = "newest", "Take the newest value in"

    asked_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="queue_actions")
    asked_at = models.DateTimeField()
    act = models.CharField(max_length=8, choices=Act)
    narrowed = models.CharField(max_length=500, blank=True)
    # Of a skip: why, and that what may have arrived is meant too.
    reason = models.CharField(max_length=300, blank=True)
    even_if_unverified = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.asked_at:%Y-%m-%d %H:%M}"

    @property
    def name(self) -> str:
        """The act on its own, without what it is done to."""
        return "Take the newest value" if self.act == self.Act.NEWEST else self.get_act_display()


class QueueActionLane(models.Model):
    """One lane of an action, with the delivery that stood first in it when it was chosen, and what came of it."""

    class Outcome(models.TextChoices):
        TO_DO = "to_do", "To do"
        DONE = "done", "Done"
        LEFT = "left", "Left as it is"

    action = models.ForeignKey(QueueAction, on_delete=models.CASCADE, related_name="lanes")
    lane = models.ForeignKey("integrations.Lane", on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.TO_DO)
    message = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["action", "lane"], name="lane_once_an_action")]
        indexes = [models.Index(fields=["action", "outcome", "id"], name="queue_action_outcome")]

    def __str__(self) -> str:
        return f"lane {self.lane_id}: {self.outcome}"


class DriftAction(models.Model):
    """What somebody decides about many differences at once: what is meant was written down before, what came of it after.

    `narrowed` says in words what the list was narrowed to when they were chosen.
    """

    class Act(models.TextChoices):
        REPAIR = "repair", "Repair"
        ACCEPT = "accept", "Accept"
        REVOKE = "revoke", "Revoke"

    asked_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="drift_actions")
    asked_at = models.DateTimeField()
    act = models.CharField(max_length=8, choices=Act)
    narrowed = models.CharField(max_length=500, blank=True)
    # Of an exception: why.
    reason = models.CharField(max_length=300, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.get_act_display()} of {self.asked_at:%Y-%m-%d %H:%M}"


class DriftActionItem(models.Model):
    """One difference of an action, as it looked when it was chosen, and what came of it."""

    class Outcome(models.TextChoices):
        TO_DO = "to_do", "To do"
        DONE = "done", "Done"
        LEFT = "left", "Left as it is"

    action = models.ForeignKey(DriftAction, on_delete=models.CASCADE, related_name="items")
    drift = models.ForeignKey("integrations.Drift", on_delete=models.CASCADE, related_name="+")
    looked_like = models.CharField(max_length=64)
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.TO_DO)
    message = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["action", "drift"], name="drift_once_an_action")]
        indexes = [models.Index(fields=["action", "outcome", "id"], name="drift_action_outcome")]

    def __str__(self) -> str:
        return f"drift {self.drift_id}: {self.outcome}"
