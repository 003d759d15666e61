"""What staff do with partners: add one, change one."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from integrations.models import Partner
from integrations.services.refusals import NotPossible

SLUG_LENGTH = 60
FIELDS = ("name", "is_customer", "is_integrator", "is_provider", "contact", "note")


@dataclass(frozen=True, slots=True)
class PartnerData:
    """What people enter about a partner."""

    name: str
    is_customer: bool = False
    is_integrator: bool = False
    is_provider: bool = False
    contact: str = ""
    note: str = ""


def add_partner(data: PartnerData) -> Partner:
    """Add a company that takes part; NotPossible when it has no layer or its name is taken."""
    _check(data)
    partner = Partner(slug=_free_slug(data.name))
    _fill(partner, data)
    return _save(partner, None)


def change_partner(partner: Partner, data: PartnerData) -> Partner:
    """Change what was entered; the address of its pages stays.  NotPossible as for `add_partner`."""
    _check(data)
    _fill(partner, data)
    return _save(partner, FIELDS)


def _check(data: PartnerData) -> None:
    if not data.name.strip():
        raise NotPossible("A partner needs a name.", field="name")
    if not (data.is_customer or data.is_integrator or data.is_provider):
        raise NotPossible("Choose at least one: customer, service integrator or service provider.")


def _fill(partner: Partner, data: PartnerData) -> None:
    partner.name = data.name.strip()
    partner.is_customer, partner.is_integrator = data.is_customer, data.is_integrator
    partner.is_provider = data.is_provider
    partner.contact, partner.note = data.contact.strip(), data.note.strip()


def _save(partner: Partner, fields: tuple[str, ...] | None) -> Partner:
    try:
        with transaction.atomic():
            partner.save(update_fields=fields)
    except IntegrityError as error:
        raise NotPossible("A partner has this name already.", field="name") from error
    return partner


def _free_slug(name: str) -> str:
    base = slugify(name)[:SLUG_LENGTH] or "partner"
    taken = set(Partner.objects.filter(slug__startswith=base[:40]).values_list("slug", flat=True))
    candidates = (base, *(f"{base[: SLUG_LENGTH - 4]}-{number}" for number in range(2, 1000)))
    return next(slug for slug in candidates if slug not in taken)
