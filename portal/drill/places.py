"""The sandboxes behind a connection's systems.  A drill never touches anything else."""

from __future__ import annotations

from django.conf import settings

from integrations.models import System
from integrations.sandbox.client import Sandbox, SandboxError


class NoSandbox(Exception):
    """A system that is no sandbox, or one that does not answer; the message is the sentence to show."""


def sandbox_of(system: System, *, only_ours: bool = True) -> Sandbox:
    """The control client of the sandbox behind a system.

    With `only_ours` its address must be one that the operator names in SANDBOXES: whoever writes a system's address
    into the portal must not be able to send requests of ours anywhere.
    """
    if system.environment != System.Environment.SANDBOX:
        raise NoSandbox(f"“{system}” is not a sandbox: a drill never touches a real system.")
    address = system.base_url.rstrip("/")
    if only_ours and address not in {one.rstrip("/") for one in settings.SANDBOXES}:
        raise NoSandbox(f"“{system}” is not one of the sandboxes that this portal runs.")
    client = Sandbox(address)
    try:
        client.ready()
    except (OSError, ValueError, SandboxError) as error:
        client.close()
        raise NoSandbox(f"At {address} no sandbox answers. Start it, and try again.") from error
    return client
