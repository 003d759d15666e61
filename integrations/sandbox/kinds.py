"""The vendors that have a sandbox, by kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from integrations.sandbox.azure_devops.system import AzureDevOpsSystem
from integrations.sandbox.jira.system import JiraSystem
from integrations.sandbox.servicenow.system import ServiceNowSystem
from integrations.sandbox.system import System
from integrations.sandbox.zendesk.system import ZendeskSystem

SYSTEMS: Mapping[str, Callable[[], System]] = {
    "azure_devops": AzureDevOpsSystem,
    "jira": JiraSystem,
    "servicenow": ServiceNowSystem,
    "zendesk": ZendeskSystem,
}
DEFAULT_PORTS: Mapping[str, int] = {"zendesk": 8101, "jira": 8102, "servicenow": 8103, "azure_devops": 8104}
