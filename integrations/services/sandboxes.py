"""Sandboxes that the operator runs: asked what they are and how to sign in, so that nobody has to copy it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from integrations.connectors import registry
from integrations.connectors.errors import ConnectorError
from integrations.connectors.http import Http
from integrations.models import Partner, System
from integrations.services.refusals import NotPossible
from integrations.services.systems import SystemData, add_system, settings_of

# They run beside us: one that does not answer at once is not there.
PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Offer:
    """A sandbox that answered.  `sign_in` holds an address and credentials that are worth nothing elsewhere."""

    kind: str
    url: str
    sign_in: Mapping[str, str]

    @property
    def label(self) -> str:
        """The product that it plays, and where."""
        return f"{registry.label(self.kind)} at {urlsplit(self.url).netloc}"


def offered() -> list[Offer]:
    """The sandboxes named in SANDBOXES that answer now.  Calls each of them."""
    found = [_asked(url.rstrip("/")) for url in settings.SANDBOXES]
    return [one for one in found if one is not None]


def use_sandbox(partner: Partner, url: str) -> tuple[System, bool]:
    """The partner's system for this sandbox, and whether it was added just now.

    NotPossible when the sandbox is not one of the operator's, or does not answer.
    """
    offer = next((one for one in offered() if one.url == url), None)
    if offer is None:
        raise NotPossible("This sandbox does not answer any more.")
    address = offer.sign_in.get("url", offer.url).rstrip("/")
    known = System.objects.filter(partner=partner, kind=offer.kind, base_url=address).first()
    if known is not None:
        return known, False
    given = {spec.name: _told(offer.sign_in, spec.name) for spec in settings_of(offer.kind)}
    data = SystemData(
        name=_free_name(partner, f"{registry.label(offer.kind)} sandbox"),
        base_url=address,
        environment=System.Environment.SANDBOX,
        settings={spec.name: given[spec.name] for spec in settings_of(offer.kind) if not spec.is_secret},
        secrets={
            spec.name: given[spec.name]
            for spec in settings_of(offer.kind)
            if spec.is_secret and given[spec.name]
        },
    )
    return add_system(partner, offer.kind, data), True


def _asked(url: str) -> Offer | None:
    http = Http(url, timeout_s=PATIENCE_S, allowed_private_hosts=frozenset(settings.SYNC_PRIVATE_HOSTS))
    try:
        told = http.request("GET", "/_sandbox/ready").json()
    except ConnectorError:
        return None
    finally:
        http.close()
    if not isinstance(told, dict) or told.get("kind") not in registry.CONNECTORS:
        return None
    sign_in = told.get("sign_in")
    if not isinstance(sign_in, dict):
        return None
    return Offer(told["kind"], url, {str(key): str(value) for key, value in sign_in.items()})


def _told(sign_in: Mapping[str, str], name: str) -> str:
    """What the sandbox told for a setting: under its own name, or under a word of it (`token` for `api_token`)."""
    if name in sign_in:
        return sign_in[name]
    return next((value for key, value in sign_in.items() if key in name.split("_")), "")


def _free_name(partner: Partner, name: str) -> str:
    taken = set(System.objects.filter(partner=partner).values_list("name", flat=True))
    candidates = (name, *(f"{name} {number}" for number in range(2, 1000)))
    return next(one for one in candidates if one not in taken)
