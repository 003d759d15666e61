"""Open connectors follow their systems' settings, and one that cannot be opened stops nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integrations.connectors.errors import Unauthorized
from integrations.connectors.gate import Gate
from integrations.models import System
from integrations.runtime.connectors import Connectors
from tests.factories import make_system

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_system_that_cannot_be_opened_is_told_once_and_leaves_the_others_open() -> None:
    good, bad = make_system(kind="jira"), make_system()
    opened = []

    def opener(system: System, gate: Gate) -> Any:
        if system.pk == bad.pk:
            raise Unauthorized("A stored credential cannot be opened.")
        opened.append(system.pk)
        return object()

    connectors = Connectors(opener)
    first = connectors.refresh(NOW)
    later = connectors.refresh(NOW + timedelta(minutes=1))
    assert (list(first), list(later), list(connectors.refused)) == ([bad.pk], [], [bad.pk])
    assert opened == [good.pk]
    assert connectors.get(good.pk) is not None


def test_a_changed_setting_opens_the_connector_anew() -> None:
    system = make_system(kind="jira")
    connectors = Connectors(lambda row, gate: row.base_url)  # type: ignore[arg-type,return-value]
    connectors.refresh(NOW)
    System.objects.filter(pk=system.pk).update(base_url="https://moved.example")
    connectors.refresh(NOW + timedelta(minutes=1))
    assert connectors.get(system.pk) == "https://moved.example"  # type: ignore[comparison-overlap]
