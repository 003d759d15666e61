"""Sandboxes for tests: in this process, on a free port, with a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integrations.sandbox.receiver import Receiver
from tests.integrations.sandbox.vendor import Vendor, vendor


@pytest.fixture
def zendesk() -> Iterator[Vendor]:
    """A Zendesk whose search does not lag."""
    with vendor("zendesk", search_lag_s=0) as one:
        yield one


@pytest.fixture
def jira() -> Iterator[Vendor]:
    """A Jira whose search does not lag."""
    with vendor("jira", search_lag_s=0) as one:
        yield one


@pytest.fixture
def servicenow() -> Iterator[Vendor]:
    """A ServiceNow as it is at first."""
    with vendor("servicenow") as one:
        yield one


@pytest.fixture
def azure_devops() -> Iterator[Vendor]:
    """An Azure DevOps with the Agile process."""
    with vendor("azure_devops") as one:
        yield one


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A place where web hooks arrive."""
    with Receiver() as one:
        yield one
