"""Which kinds of system there are: the only module that names vendors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from integrations.connectors import errors
from integrations.connectors.azure_devops.connector import AzureDevOpsConnector
from integrations.connectors.gate import Gate
from integrations.connectors.http import Exchange, Http
from integrations.connectors.jira.connector import JiraConnector
from integrations.connectors.protocol import Connector
from integrations.connectors.servicenow.connector import ServiceNowConnector
from integrations.connectors.zendesk.connector import ZendeskConnector

CONNECTORS: Mapping[str, type[Connector]] = {
    one.kind: one for one in (AzureDevOpsConnector, JiraConnector, ServiceNowConnector, ZendeskConnector)
}


def labels() -> list[tuple[str, str]]:
    """Kind and product name of every vendor, for forms."""
    return sorted((kind, connector.label) for kind, connector in CONNECTORS.items())


def label(kind: str) -> str:
    """The product name of a kind; the kind itself when it is not known."""
    return CONNECTORS[kind].label if kind in CONNECTORS else kind


def connector_class(kind: str) -> type[Connector]:
    """The connector of a kind, with its capabilities and settings; Refused when there is none."""
    try:
        return CONNECTORS[kind]
    except KeyError:
        raise errors.Refused(f"There is no connector for “{kind}”.") from None


def open_connector(
    kind: str,
    settings: Mapping[str, str],
    *,
    timeout_s: float = 20.0,
    allowed_private_hosts: frozenset[str] = frozenset(),
    on_exchange: Callable[[Exchange], None] | None = None,
    pool_size: int = 32,
    gate: Gate | None = None,
) -> Connector:
    """Open a system with its partner's settings.  No call is made yet; `gate` is what its calls will pass.

    Refused when the kind is unknown or a required setting is empty.
    """
    connector = connector_class(kind)
    for spec in connector.settings:
        if spec.is_required and not settings.get(spec.name, spec.default).strip():
            raise errors.Refused(f"{connector.label}: “{spec.label}” is missing.")
    given = {spec.name: settings.get(spec.name, spec.default).strip() for spec in connector.settings}
    http = Http(
        given["base_url"],
        timeout_s=timeout_s,
        allowed_private_hosts=allowed_private_hosts,
        on_exchange=on_exchange,
        pool_size=pool_size,
        gate=gate,
    )
    return connector({**settings, **given}, http)
