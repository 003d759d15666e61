"""A sandbox with the requests session of somebody who may use it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import requests

from integrations.sandbox.clock import SetClock
from integrations.sandbox.process import Running, running
from tests.integrations.sandbox.openapi import Recorder

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BASES = {
    "zendesk": "/api/v2",
    "jira": "/rest/api/3",
    "servicenow": "/api/now",
    "azure_devops": "/partner/Support/_apis",
}


def basic(kind: str, sign_in: Mapping[str, str]) -> tuple[str, str]:
    """The user name and password with which our account signs in."""
    if kind == "servicenow":
        return sign_in["username"], sign_in["password"]
    return sign_in["email"] + ("/token" if kind == "zendesk" else ""), sign_in["token"]


class Vendor:
    """Speaks the vendor's API as our account; `sandbox` is the control API, `sandbox.state` the system itself."""

    def __init__(self, kind: str, sandbox: Running, clock: SetClock) -> None:
        self.kind = kind
        self.sandbox = sandbox
        self.clock = clock
        self.session = Recorder()
        self.sign_in = sandbox.state.sign_in()
        self.session.auth = basic(kind, self.sign_in)
        if kind == "azure_devops":
            self.session.params = {"api-version": "7.1"}

    def __call__(self, method: str, path: str, json: Any = None, **more: Any) -> requests.Response:
        """One request; `path` is below the API's base, or a whole address."""
        url = path if path.startswith("http") else self.sandbox.url + BASES[self.kind] + path
        return self.session.request(method, url, json=json, timeout=10, allow_redirects=False, **more)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET that must succeed."""
        response = self("GET", path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    def send(self, method: str, path: str, json: Any = None) -> Any:
        """The JSON of a write that must succeed; None when it has no body."""
        response = self(method, path, json)
        assert response.status_code < 300, response.text
        return response.json() if response.content else None


@contextlib.contextmanager
def vendor(kind: str, **settings: Any) -> Iterator[Vendor]:
    """A sandbox whose clock stands at noon until it is moved."""
    clock = SetClock(NOON)
    with running(kind, clock=clock, settings=settings) as sandbox:
        one = Vendor(kind, sandbox, clock)
        with contextlib.closing(one.session):
            yield one
