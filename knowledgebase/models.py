"""Articles of the operations handbook and every text they ever had."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone


class ArticleQuerySet(models.QuerySet["Article"]):
    """Questions about articles."""

    def published(self) -> Self:
        """What readers see."""
        return self.filter(state=Article.State.PUBLISHED)


class Article(models.Model):
    """One known error, request or change: how to recognise it and what to do.  Its texts are Markdown."""

    class Kind(models.TextChoices):
        INCIDENT = "incident", "Incident"
        SERVICE_REQUEST = "service_request", "Service request"
        CHANGE = "change", "Change"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        RETIRED = "retired", "Retired"

    # The failure code that leads here; empty for an article that no code leads to.
    code = models.SlugField(
        max_length=60,
        unique=True,
        null=True,
        blank=True,
        error_messages={"unique": "Another article explains this failure code."},
    )
    title = models.CharField(max_length=160)
    language = models.CharField(max_length=8, default="en")
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.INCIDENT)
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    symptom = models.TextField(help_text="What somebody sees or is told.")
    cause = models.TextField(blank=True, help_text="Why it happens, as far as it is known.")
    automatic = models.TextField(
        "what Concord does by itself", blank=True, help_text="So that nobody does it a second time."
    )
    workaround = models.TextField(blank=True, help_text="What keeps the work going until it is solved.")
    solution = models.TextField(blank=True, help_text="What makes it go away.")
    steps = models.TextField(blank=True, help_text="What to do, one numbered step after another.")
    # All texts in one, folded to small letters: finding is then the same on every database.
    search_text = models.TextField(blank=True, editable=False)
    # Digest of the shipped text as it was loaded; empty when the article is not a shipped one.
    shipped_digest = models.CharField(max_length=64, blank=True, editable=False)
    # From then on a new release leaves it alone.
    is_edited = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ArticleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(code=""),
                name="article_code_null_or_something",
                violation_error_message="An article without a failure code has none, not an empty one.",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class ArticleRevision(models.Model):
    """One text an article had, with who gave it that and when.  The newest is what the article says now."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    # Empty for what came with a release.
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    note = models.CharField(max_length=200, blank=True)
    # Field name -> text, for the fields in services.TEXT_FIELDS.
    text = models.JSONField()

    class Meta:
        # The order is what a history is about.
        ordering = ["article", "-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["article", "number"],
                name="revision_number_once",
                violation_error_message="Somebody else saved this article in between.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.article}, revision {self.number}"
