"""What every test may ask for: the services it needs, and the reference data beside the project.

A test that needs a service or the data is skipped with the reason where it is not at hand. On the CI machine
every service is at hand, so there CONCORD_REQUIRE_SERVICES=1 turns such a skip into a failure.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared"
SERVICE_FIXTURES = {"postgres_url", "redis_url", "amqp_url"}
DATABASE_FIXTURES = {"db", "transactional_db", "live_server"} | SERVICE_FIXTURES


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """The address of a PostgreSQL server on which tests may create databases."""
    return _address("TEST_POSTGRES_URL")


@pytest.fixture(scope="session")
def redis_url() -> str:
    """The address of a Redis database that tests may empty."""
    return _address("REDIS_URL")


@pytest.fixture(scope="session")
def amqp_url() -> str:
    """The address of a RabbitMQ virtual host on which tests may create queues."""
    return _address("AMQP_URL")


def _address(variable: str) -> str:
    address = os.environ.get(variable)
    if not address:
        pytest.skip(f"{variable} is not set")
    return address


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recordings and contracts beside the project, which not every machine has."""
    if not SHARED_DATA.is_dir():
        pytest.skip("there is no folder of reference data beside the project")
    return SHARED_DATA


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a service's address, and what asks the database, before `-m` makes its choice."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if SERVICE_FIXTURES & fixtures:
            item.add_marker("services")
        if DATABASE_FIXTURES & fixtures or item.get_closest_marker("django_db"):
            item.add_marker("database")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a service test that was skipped fail where services are required."""
    report = yield
    required = os.environ.get("CONCORD_REQUIRE_SERVICES") == "1"
    if required and report.skipped and item.get_closest_marker("services"):
        report.outcome = "failed"
        report.longrepr = f"Skipped, although CONCORD_REQUIRE_SERVICES asks for it: {report.longrepr}"
    return report
