"""Adding and changing partners."""

from __future__ import annotations

import pytest

from integrations.models import Partner
from integrations.services.partners import PartnerData, add_partner, change_partner
from integrations.services.refusals import NotPossible

pytestmark = pytest.mark.django_db


def test_a_partner_is_added_with_an_address_made_of_its_name() -> None:
    partner = add_partner(PartnerData(" Mercuri Inc ", is_provider=True, contact=" Ann ", note=" Zendesk "))

    assert Partner.objects.values("name", "slug", "is_provider", "is_customer", "contact", "note").get() == {
        "name": "Mercuri Inc",
        "slug": "mercuri-inc",
        "is_provider": True,
        "is_customer": False,
        "contact": "Ann",
        "note": "Zendesk",
    }
    assert partner.layers == [Partner.Layer.PROVIDER]


def test_names_that_make_the_same_address_get_a_number() -> None:
    names = ["Mercuri", "Mercuri!", "Mercuri?", "世界"]

    slugs = [add_partner(PartnerData(name, is_customer=True)).slug for name in names]

    assert slugs == ["mercuri", "mercuri-2", "mercuri-3", "partner"]


@pytest.mark.parametrize(
    ("data", "field", "sentence"),
    [
        (PartnerData(" ", is_customer=True), "name", "A partner needs a name."),
        (PartnerData("New"), "", "Choose at least one: customer, service integrator or service provider."),
        (PartnerData("Taken", is_customer=True), "name", "A partner has this name already."),
    ],
)
def test_a_partner_that_cannot_be_is_refused(data: PartnerData, field: str, sentence: str) -> None:
    add_partner(PartnerData("Taken", is_customer=True))

    with pytest.raises(NotPossible) as refusal:
        add_partner(data)

    assert (refusal.value.field, refusal.value.message) == (field, sentence)
    assert Partner.objects.count() == 1


def test_a_renamed_partner_keeps_its_address() -> None:
    partner = add_partner(PartnerData("Mercuri", is_provider=True))

    change_partner(partner, PartnerData("Mercuri Group", is_provider=True, is_customer=True))

    partner.refresh_from_db()
    assert (partner.name, partner.slug, partner.is_customer) == ("Mercuri Group", "mercuri", True)
