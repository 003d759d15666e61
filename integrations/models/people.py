"""Who is whom on the two sides of a connection."""

from __future__ import annotations

from django.db import models

from integrations.canonical import Person
from integrations.mapping.people import Acquaintance
from integrations.models.connections import Connection, Side


class PersonPair(models.Model):
    """The same person as both systems of a connection know them: id, name and e-mail address as they were met."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="people")
    left_id = models.CharField(max_length=200)
    left_name = models.CharField(max_length=200, blank=True)
    left_email = models.CharField(max_length=254, blank=True)
    right_id = models.CharField(max_length=200)
    right_name = models.CharField(max_length=200, blank=True)
    right_email = models.CharField(max_length=254, blank=True)
    paired_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["connection", "left_name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "left_id"], name="left_person_paired_once"),
            models.UniqueConstraint(fields=["connection", "right_id"], name="right_person_paired_once"),
        ]

    def __str__(self) -> str:
        return f"{self.left_name or self.left_id} – {self.right_name or self.right_id}"

    def acquaintance(self, position: str) -> Acquaintance:
        """The pair as the side at this position sees it."""
        other = Side.Position.RIGHT if position == Side.Position.LEFT else Side.Position.LEFT
        return Acquaintance(there=self.person(other), here=self.person(position))

    def person(self, position: str) -> Person:
        """The person as the side at this position knows them."""
        return Person(*(getattr(self, f"{position}_{part}") for part in ("id", "name", "email")))
