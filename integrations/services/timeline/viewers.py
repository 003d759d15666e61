"""Whose eyes a story is looked at with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose eyes: the partners whose own matters the person may read, and whether it is all partners.

    `is_borrowed`: somebody else looks through these eyes, to whom the partner's internal notes stay closed.
    """

    partner_ids: frozenset[int] = frozenset()
    sees_all: bool = False
    is_borrowed: bool = False
