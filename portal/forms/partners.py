"""Forms about partners."""

from __future__ import annotations

from typing import Any

from django import forms

from integrations.models import Partner
from integrations.services.partners import PartnerData
from portal.forms.base import StampedForm
from portal.forms.filters import FilterForm, words_field

LAYER_FIELDS = {
    Partner.Layer.CUSTOMER: "is_customer",
    Partner.Layer.INTEGRATOR: "is_integrator",
    Partner.Layer.PROVIDER: "is_provider",
}


class PartnerForm(StampedForm):
    """What is known of a company that takes part."""

    name = forms.CharField(max_length=120)
    layers = forms.MultipleChoiceField(
        choices=Partner.Layer.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="A company may hold several; they are kept apart.",
        error_messages={"required": "Choose at least one."},
    )
    contact = forms.CharField(
        max_length=200, required=False, help_text="Who to talk to, with telephone or mail address."
    )
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 4}))

    def data_for_service(self) -> PartnerData:
        """What was entered, as the service takes it."""
        entered = self.cleaned_data
        held = {field: layer in entered["layers"] for layer, field in LAYER_FIELDS.items()}
        return PartnerData(name=entered["name"], contact=entered["contact"], note=entered["note"], **held)


def shown_of(partner: Partner) -> dict[str, Any]:
    """The partner's values by the form's field names."""
    return {
        "name": partner.name,
        "layers": [layer.value for layer in partner.layers],
        "contact": partner.contact,
        "note": partner.note,
    }


class PartnerFilter(FilterForm):
    """What the list of partners is narrowed to."""

    q = words_field("Name or contact")
    layer = forms.ChoiceField(label="Layer", choices=[("", "All layers"), *Partner.Layer.choices])
