"""A connection between two partners, with and without an agreement; processes that remember nothing."""

from __future__ import annotations

import pytest

from integrations.services import outgoing
from slas import receivers, terms
from slas.models import Agreement
from tests.slas import scenes


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process keeps in memory belongs to one test."""
    monkeypatch.setattr(terms, "_book", None)
    monkeypatch.setattr(receivers, "answered", receivers.Answered(limit=20_000))
    # Who listens to events is looked up now and then: never in the middle of counting what a clock costs.
    monkeypatch.setattr(outgoing, "LISTENERS_FOR_S", float("inf"))
    monkeypatch.setattr(outgoing, "_listeners_at", 0.0)
    monkeypatch.setattr(outgoing, "_listeners", {})


@pytest.fixture
def scene(db: None) -> scenes.Scene:
    """Mercuri raises tickets in Zendesk, Global answers in Jira."""
    return scenes.make_scene()


@pytest.fixture
def agreement(scene: scenes.Scene) -> Agreement:
    """Global answers Mercuri's tickets in the reference times, round the clock."""
    return scenes.agree(scene)
