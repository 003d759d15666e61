"""Mappings: the data dictionary two sides share, and each side's own versioned rules."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from integrations.canonical import FieldKind
from integrations.mapping.rules import ConflictPolicy, Transform, UpdateMode
from integrations.models.connections import Connection, Side
from integrations.querysets import MappingSetQuerySet


class DictionaryField(models.Model):
    """A field both sides agreed on: the only thing they share."""

    class Kind(models.TextChoices):
        TEXT = FieldKind.TEXT.value, "Text"
        RICH_TEXT = FieldKind.RICH_TEXT.value, "Formatted text"
        CHOICE = FieldKind.CHOICE.value, "Choice"
        STATUS = FieldKind.STATUS.value, "Status"
        LABELS = FieldKind.LABELS.value, "Labels"
        PERSON = FieldKind.PERSON.value, "Person"
        NUMBER = FieldKind.NUMBER.value, "Number"
        DATETIME = FieldKind.DATETIME.value, "Date and time"

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="dictionary")
    name = models.SlugField(max_length=60)
    label = models.CharField(max_length=120)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.TEXT)
    meaning = models.TextField(blank=True)
    # Allowed values in their order; empty means any.
    values = models.JSONField(default=list, blank=True)
    max_length = models.PositiveIntegerField(default=0)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["connection", "position", "name"]
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="dictionary_field_once")]

    def __str__(self) -> str:
        return self.label


class MappingSet(models.Model):
    """One version of a side's outgoing or incoming rules.  A published version is never altered."""

    class Direction(models.TextChoices):
        OUTGOING = "outgoing", "What this side sends"
        INCOMING = "incoming", "How this side treats what comes in"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        RETIRED = "retired", "Retired"

    side = models.ForeignKey(Side, on_delete=models.CASCADE, related_name="mapping_sets")
    direction = models.CharField(max_length=10, choices=Direction)
    version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    # Outgoing: which comments leave.  Internal notes leave only when a side says so here.
    shares_public_comments = models.BooleanField(default=True)
    shares_internal_comments = models.BooleanField(default=False)
    shares_files = models.BooleanField(default=True)
    # Which files leave, or are taken: the largest (0: any), the endings and types that alone pass, those that never do.
    file_max_bytes = models.PositiveBigIntegerField(default=0)
    files_only = models.JSONField(default=list, blank=True)
    files_never = models.JSONField(default=list, blank=True)
    # Incoming: the line above a comment from the other side; {author} and {partner} are filled in.
    comment_heading = models.CharField(max_length=200, blank=True, default="{author} ({partner})")
    # Incoming: whether comments from outside become public here.
    comments_become_public = models.BooleanField(default=True)
    # Outgoing: whether the other side hears for what kind of reason a change of theirs was not taken here.
    tells_reasons = models.BooleanField(default=False)
    # Incoming: whether an internal comment says what the other side has not taken.
    notes_refusals = models.BooleanField(default=False)
    note = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = MappingSetQuerySet.as_manager()

    class Meta:
        ordering = ["side", "direction", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["side", "direction", "version"], name="mapping_version_once"),
            models.UniqueConstraint(
                fields=["side", "direction"],
                condition=models.Q(state="published"),
                name="one_published_mapping_a_direction",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_direction_display()}, version {self.version}"


class ValueMap(models.Model):
    """A table of values used by rules of one mapping set."""

    mapping_set = models.ForeignKey(MappingSet, on_delete=models.CASCADE, related_name="value_maps")
    name = models.SlugField(max_length=60)

    class Meta:
        ordering = ["mapping_set", "name"]
        constraints = [models.UniqueConstraint(fields=["mapping_set", "name"], name="value_map_once")]

    def __str__(self) -> str:
        return self.name


class ValuePair(models.Model):
    """One row of a value map."""

    value_map = models.ForeignKey(ValueMap, on_delete=models.CASCADE, related_name="pairs")
    source = models.CharField(max_length=200)
    target = models.CharField(max_length=200)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["value_map", "position", "pk"]
        constraints = [models.UniqueConstraint(fields=["value_map", "source"], name="value_mapped_once")]

    def __str__(self) -> str:
        return f"{self.source} → {self.target}"


class FieldRule(models.Model):
    """One row of a mapping set: where a value comes from, what is done to it, where it goes."""

    class TransformChoice(models.TextChoices):
        COPY = Transform.COPY.value, "Copy"
        VALUE_MAP = Transform.VALUE_MAP.value, "Value map"
        TEMPLATE = Transform.TEMPLATE.value, "Template"
        CONSTANT = Transform.CONSTANT.value, "Constant"
        REDACT = Transform.REDACT.value, "Redact"

    class ModeChoice(models.TextChoices):
        OVERWRITE = UpdateMode.OVERWRITE.value, "Overwrite"
        ONLY_IF_EMPTY = UpdateMode.ONLY_IF_EMPTY.value, "Only if empty"
        ONLY_IF_NEW = UpdateMode.ONLY_IF_NEW.value, "Only on new tickets"
        APPEND = UpdateMode.APPEND.value, "Append to list"

    class ConflictChoice(models.TextChoices):
        NEWEST = ConflictPolicy.NEWEST.value, "The newest change stands"
        OWN = ConflictPolicy.OWN.value, "This side's own change stands"
        PERSON = ConflictPolicy.PERSON.value, "A person decides"

    mapping_set = models.ForeignKey(MappingSet, on_delete=models.CASCADE, related_name="rules")
    position = models.PositiveSmallIntegerField(default=0)
    source = models.CharField(max_length=120, blank=True)
    target = models.CharField(max_length=120)
    transform = models.CharField(max_length=20, choices=TransformChoice, default=TransformChoice.COPY)
    mode = models.CharField(max_length=20, choices=ModeChoice, default=ModeChoice.OVERWRITE)
    # Incoming: whose value stands when both sides changed the field without having seen the other's change.
    conflict = models.CharField(max_length=10, choices=ConflictChoice, default=ConflictChoice.NEWEST)
    # The template's text or the constant's value.
    argument = models.CharField(max_length=500, blank=True)
    value_map = models.ForeignKey(
        ValueMap, null=True, blank=True, on_delete=models.PROTECT, related_name="rules"
    )

    class Meta:
        ordering = ["mapping_set", "position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["mapping_set", "target"],
                name="field_written_by_one_rule",
                violation_error_message="Another rule writes this field already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source or '–'} → {self.target}"
