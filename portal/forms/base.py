"""What several forms need: noticing that a row changed while its form was open, and placing a service's refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError

from integrations.services.refusals import NotPossible

SALT = "portal.forms.shown"

Done = TypeVar("Done")


class StampedForm(forms.Form):
    """A form that carries what it showed at first, and does not save over what somebody else has changed since.

    `shown` holds the values of the row as they are now, by the form's field names; None for a new row.  The person
    is told once, with everything typed still there, and may then save again.
    """

    stamp = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(
        self,
        data: Any = None,
        *,
        shown: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
        prefix: str | None = None,
    ) -> None:
        self.shown = None if shown is None else dict(shown)
        first = {**(shown or {}), **(initial or {})}
        if self.shown is not None:
            first["stamp"] = stamp_of(self.shown)
        super().__init__(data, initial=first, prefix=prefix)

    def clean(self) -> dict[str, Any]:
        """Refuse once when the row is no longer as it was shown."""
        cleaned = super().clean() or self.cleaned_data
        if self.shown is None:
            return cleaned
        seen = read_stamp(cleaned.get("stamp", ""))
        changed = [name for name in self.shown if seen is not None and seen.get(name) != self.shown[name]]
        if seen is None or changed:
            self._show_the_present()
            raise ValidationError(self._sentence(changed))
        return cleaned

    def _sentence(self, changed: list[str]) -> str:
        now = {name: self.shown[name] for name in changed if name in self.fields} if self.shown else {}
        told = "; ".join(
            f"{self._label(name)} is now “{_words(self.fields[name].prepare_value(value))}”"
            for name, value in now.items()
        )
        told = f" {told}." if told else ""
        return (
            f"Somebody changed this while you had it open.{told} Nothing is saved yet and what you typed is still here: "
            "look again, then save."
        )

    def _label(self, name: str) -> str:
        return str(self.fields[name].label or name.replace("_", " ").capitalize())

    def _show_the_present(self) -> None:
        """Stamp the form anew, so that saving again is a decision and not an accident."""
        data: Any = self.data.copy()  # type: ignore[attr-defined]  # a QueryDict, or a dict in a test
        data[self.add_prefix("stamp")] = stamp_of(self.shown or {})
        self.data = data


def stamp_of(shown: Mapping[str, Any]) -> str:
    """What was shown, signed, for a hidden field.  Never put a secret into it: it can be read."""
    return signing.dumps(dict(shown), salt=SALT, compress=True)


def read_stamp(stamp: str) -> dict[str, Any] | None:
    """What was shown; None when the stamp is missing or not ours."""
    try:
        found = signing.loads(stamp, salt=SALT)
    except signing.BadSignature:
        return None
    return found if isinstance(found, dict) else None


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def succeeds(form: forms.Form, action: Callable[[], object]) -> bool:
    """Do it; where the service refuses, put its sentence at the field it names and return False."""
    try:
        action()
    except NotPossible as refusal:
        _place(form, refusal)
        return False
    return True


def attempt(form: forms.Form, action: Callable[[], Done]) -> Done | None:
    """The same for an action whose result is wanted; None when it was refused."""
    try:
        return action()
    except NotPossible as refusal:
        _place(form, refusal)
        return None


def _place(form: forms.Form, refusal: NotPossible) -> None:
    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
