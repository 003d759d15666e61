"""Forms about systems: the kind is chosen first, then its own connector says what has to be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.html import format_html

from integrations.canonical import FieldKind
from integrations.connectors import registry
from integrations.connectors.protocol import SettingSpec
from integrations.models import Partner, System, SystemSecret
from integrations.services.budgets import LEAST, MOST
from integrations.services.systems import ADDRESS, SystemData, settings_of
from portal.access import partners_for
from portal.forms.base import StampedForm
from portal.forms.filters import FilterForm, words_field
from portal.mappings import KIND_WORDS
from portal.models import User

LONGEST_SETTING = 4000


class KindForm(forms.Form):
    """The first question about a new system: whose, and which product."""

    partner = forms.ModelChoiceField(queryset=Partner.objects.none(), empty_label="Choose the partner")
    kind = forms.ChoiceField(label="Product", widget=forms.RadioSelect)

    def __init__(self, *args: Any, partners: QuerySet[Partner], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partner"].queryset = partners  # type: ignore[attr-defined]
        self.fields["kind"].choices = registry.labels()  # type: ignore[attr-defined]


class CeilingForm(forms.Form):
    """Our own limit on calls; empty for none."""

    ceiling = forms.IntegerField(
        label="Calls a minute at most", required=False, min_value=LEAST, max_value=MOST
    )


class SystemForm(StampedForm):
    """A system of one kind.  Its settings follow from the connector; a credential is asked for and never shown."""

    name = forms.CharField(max_length=120, help_text="How people call it, such as “Mercuri Zendesk”.")
    environment = forms.ChoiceField(choices=System.Environment.choices, widget=forms.RadioSelect)

    def __init__(
        self, *args: Any, kind: str, stored: Mapping[str, SystemSecret] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.specs = settings_of(kind)
        address = next(
            (spec for spec in registry.connector_class(kind).settings if spec.name == ADDRESS),
            SettingSpec(ADDRESS, "Address"),
        )
        self.fields[ADDRESS] = forms.CharField(
            label=address.label,
            help_text=address.help,
            max_length=300,
            widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
        )
        for spec in self.specs:
            self.fields[spec.name] = _field_for(spec, (stored or {}).get(spec.name))
        self.order_fields(["name", "environment", ADDRESS])

    def data_for_service(self) -> SystemData:
        """What was entered, as the service takes it."""
        entered = self.cleaned_data
        return SystemData(
            name=entered["name"],
            base_url=entered[ADDRESS],
            environment=entered["environment"],
            settings={spec.name: entered[spec.name] for spec in self.specs if not spec.is_secret},
            secrets={
                spec.name: entered[spec.name] for spec in self.specs if spec.is_secret and entered[spec.name]
            },
        )


def _field_for(spec: SettingSpec, stored: SystemSecret | None) -> forms.Field:
    if not spec.is_secret:
        return forms.CharField(
            label=spec.label,
            help_text=spec.help,
            required=spec.is_required and not spec.default,
            initial=spec.default,
            max_length=LONGEST_SETTING,
        )
    help_text = spec.help
    if stored is not None:
        help_text = format_html(
            "Stored{}, changed {}. Leave it empty to keep it. {}",
            f", ends in {stored.hint}" if stored.hint else "",
            format_date(timezone.localtime(stored.changed_at), "j M Y"),
            spec.help,
        )
    return forms.CharField(
        label=spec.label,
        help_text=help_text,
        required=spec.is_required and stored is None,
        max_length=LONGEST_SETTING,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


def shown_of(system: System) -> dict[str, Any]:
    """The system's values by the form's field names; no credential among them."""
    plain = {
        spec.name: system.settings.get(spec.name, "")
        for spec in settings_of(system.kind)
        if not spec.is_secret
    }
    return {
        "name": system.name,
        "environment": str(system.environment),
        ADDRESS: system.base_url,
        **plain,
    }


class SystemFilter(FilterForm):
    """What the list of systems is narrowed to."""

    q = words_field("Name or address")
    partner = forms.ModelChoiceField(queryset=Partner.objects.none(), empty_label="All partners")
    kind = forms.ChoiceField(label="Product")
    state = forms.ChoiceField(
        choices=[
            ("", "All states"),
            *System.State.choices,
            ("failing", "Failing"),
            ("untested", "Not tested"),
        ]
    )

    def offer(self, user: User | AnonymousUser | None) -> None:
        """All products there are, and the partners whose systems the person may read."""
        self.fields["kind"].choices = [("", "All products"), *registry.labels()]  # type: ignore[attr-defined]
        if user is not None:
            self.fields["partner"].queryset = partners_for(user, "read", "systems")  # type: ignore[attr-defined]

    def narrow(self, systems: QuerySet[System]) -> QuerySet[System]:
        """The systems that fit."""
        if words := self.chosen("q"):
            systems = systems.filter(Q(name__icontains=words) | Q(base_url__icontains=words))
        if partner := self.chosen("partner"):
            systems = systems.filter(partner=partner)
        if kind := self.chosen("kind"):
            systems = systems.filter(kind=kind)
        match self.chosen("state"):
            case None:
                return systems
            case "failing":
                return systems.exclude(failure_code="")
            case "untested":
                return systems.filter(account_id="")
            case state:
                return systems.filter(state=state)


class FieldFilter(FilterForm):
    """What the list of a system's fields is narrowed to."""

    q = words_field("Name or value")
    kind = forms.ChoiceField(
        choices=[("", "All kinds"), *((kind.value, KIND_WORDS[kind].capitalize()) for kind in FieldKind)]
    )
    which = forms.ChoiceField(
        label="Which",
        choices=[
            ("", "All fields"),
            ("required", "Required ones"),
            ("writable", "Those that can be written"),
            ("read_only", "Read-only ones"),
        ],
    )

    def narrow(self, fields: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The fields that fit, in the system's order."""
        return [one for one in fields if self._fits(one)]

    def _fits(self, one: Mapping[str, Any]) -> bool:
        words, kind = (self.chosen("q") or "").casefold(), self.chosen("kind")
        told = " ".join([one["name"], one.get("label", ""), *one.get("values", ())]).casefold()
        if words not in told or (kind and one.get("kind") != kind):
            return False
        match self.chosen("which"):
            case "required":
                return bool(one.get("is_required"))
            case "writable":
                return bool(one.get("is_writable", True))
            case "read_only":
                return not one.get("is_writable", True)
        return True


class HookSecretForm(forms.Form):
    """The signing secret that the system itself has made."""

    secret = forms.CharField(
        label="Signing secret",
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="As the system shows it. It is stored encrypted and never shown again.",
    )
