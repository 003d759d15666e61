"""Forms about people: their account, their roles, their first password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from integrations.models import Partner
from portal.access import REACH, RESOURCES, partners_for
from portal.forms.base import StampedForm
from portal.forms.filters import FilterForm, words_field
from portal.models import Membership, User

LINK, TYPED = "link", "typed"


class MemberForm(StampedForm):
    """Who a person is."""

    username = forms.CharField(
        label="User name",
        max_length=150,
        validators=[User.username_validator],
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
        help_text="What the person signs in with: letters, digits and @ . + - _",
    )
    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)
    email = forms.EmailField(label="Mail address", required=False)
    partner = forms.ModelChoiceField(
        label="Works for",
        queryset=Partner.objects.none(),
        required=False,
        empty_label="nobody",
        help_text="It opens nothing by itself: roles do.",
    )

    def __init__(self, *args: Any, partners: QuerySet[Partner], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partner"].queryset = partners  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """What was entered, by the names of the model."""
        names = ("username", "first_name", "last_name", "email", "partner")
        return {name: self.cleaned_data[name] for name in names}


class NewMemberForm(MemberForm):
    """Who a person is, and how they get in for the first time."""

    way = forms.ChoiceField(
        label="First password",
        choices=[
            (LINK, "A one-time link, which you pass on: the person chooses the password"),
            (TYPED, "You type it, and tell the person"),
        ],
        initial=LINK,
        widget=forms.RadioSelect,
    )
    password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters, and not a common word. Only if you type it.",
    )

    def clean(self) -> dict[str, Any]:
        """A typed password has to be there and to be a good one."""
        password = self.cleaned_data.get("password") or ""
        if self.cleaned_data.get("way") == TYPED:
            if not password:
                self.add_error("password", "Type the password, or choose the one-time link.")
            else:
                self._check_password(password)
        return super().clean()

    def _check_password(self, password: str) -> None:
        person = User(
            username=self.cleaned_data.get("username") or "",
            first_name=self.cleaned_data.get("first_name") or "",
            last_name=self.cleaned_data.get("last_name") or "",
            email=self.cleaned_data.get("email") or "",
        )
        try:
            validate_password(password, person)
        except ValidationError as error:
            self.add_error("password", error)

    @property
    def typed_password(self) -> str | None:
        """The password; None when a link is to be made."""
        return self.cleaned_data["password"] if self.cleaned_data["way"] == TYPED else None


def shown_of(user: User) -> dict[str, Any]:
    """The person's values by the form's field names."""
    return {
        "username": user.username,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "partner": user.partner_id,
    }


class RoleForm(forms.Form):
    """A role, and where it holds."""

    role = forms.ChoiceField(choices=Membership.Role.choices)
    partner = forms.ModelChoiceField(
        label="At", queryset=Partner.objects.none(), required=False, empty_label="all partners"
    )

    def __init__(self, *args: Any, partners: QuerySet[Partner], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partner"].queryset = partners  # type: ignore[attr-defined]
        self.fields["role"].choices = [  # type: ignore[attr-defined]
            (
                "At one partner",
                [choice for choice in Membership.Role.choices if REACH[choice[0]].one_partner],
            ),
            (
                "At all partners",
                [choice for choice in Membership.Role.choices if not REACH[choice[0]].one_partner],
            ),
        ]


class MemberFilter(FilterForm):
    """What the list of people is narrowed to."""

    q = words_field("Name or mail address")
    partner = forms.ModelChoiceField(
        label="Works for", queryset=Partner.objects.none(), empty_label="All partners"
    )
    role = forms.ChoiceField(choices=[("", "All roles"), *Membership.Role.choices])
    account = forms.ChoiceField(choices=[("", "All accounts"), ("open", "Open"), ("closed", "Closed")])

    def offer(self, user: User | AnonymousUser | None) -> None:
        """The partners whose people the person may read."""
        if user is not None:
            self.fields["partner"].queryset = partners_for(user, "read", "members")  # type: ignore[attr-defined]

    def narrow(self, people: QuerySet[User]) -> QuerySet[User]:
        """The people who fit."""
        if words := self.chosen("q"):
            for word in words.split():
                people = people.filter(
                    Q(username__icontains=word)
                    | Q(first_name__icontains=word)
                    | Q(last_name__icontains=word)
                    | Q(email__icontains=word)
                )
        if partner := self.chosen("partner"):
            people = people.filter(partner=partner)
        if role := self.chosen("role"):
            people = people.filter(pk__in=Membership.objects.filter(role=role).values("user"))
        if account := self.chosen("account"):
            people = people.filter(is_active=account == "open")
        return people


class WhoMayForm(forms.Form):
    """The question "who may do this there?"."""

    action = forms.ChoiceField(
        label="Who may", choices=[("read", "read"), ("write", "write"), ("full", "fully control")]
    )
    resource = forms.ChoiceField(label="what", choices=list(RESOURCES.items()))
    partner = forms.ModelChoiceField(label="of", queryset=Partner.objects.none(), empty_label=None)

    def __init__(self, *args: Any, partners: QuerySet[Partner], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partner"].queryset = partners  # type: ignore[attr-defined]
