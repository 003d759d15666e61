"""The vendors that have a sandbox, by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from integrations.sandbox.jira.system import JiraSystem
from integrations.sandbox.system import System
from integrations.sandbox.zendesk.system import ZendeskSystem

SYSTEMS: Mapping[str, Callable[[], System]] = {"jira": JiraSystem, "zendesk": ZendeskSystem}
DEFAULT_PORTS: Mapping[str, int] = {"zendesk": 8101, "jira": 8102}
