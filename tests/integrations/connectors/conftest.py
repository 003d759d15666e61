"""Benches for the contract suite: one for every registered kind of system."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from integrations.connectors import registry
from tests.integrations.connectors.bench import Bench, bench


@pytest.fixture(params=sorted(registry.CONNECTORS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each registered kind in turn."""
    return str(request.param)


@pytest.fixture
def desk(kind: str) -> Iterator[Bench]:
    """A connector of each kind on its sandbox."""
    with bench(kind) as one:
        yield one
