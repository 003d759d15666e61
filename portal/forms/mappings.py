"""Forms about mappings: a rule, the rows of a value map, what happens to comments and files, publishing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from integrations.mapping.checks import FieldFacts, template_names
from integrations.mapping.files import size_in_words
from integrations.mapping.rules import ConflictPolicy, Transform, UpdateMode
from integrations.mapping.rules import FieldRule as Rule
from integrations.models import FieldRule, MappingSet, Partner
from integrations.services.mappings import files_taken
from portal.access import partners_for
from portal.forms.base import StampedForm
from portal.forms.files import EXAMPLE, KindsField, SizeField
from portal.forms.filters import FilterForm, words_field
from portal.mappings import Facts
from portal.models import User

# Rows for values that nobody told us of.
SPARE_ROWS = 3
LONGEST_VALUE = 200

TRANSFORMS = [
    (Transform.COPY.value, "Copy: the value as it is"),
    (Transform.VALUE_MAP.value, "Value map: each value by its row in a table"),
    (Transform.TEMPLATE.value, "Template: a text with {fields} filled in"),
    (Transform.CONSTANT.value, "Constant: always the same value"),
    (Transform.REDACT.value, "Redact: only that there is something"),
]


class RuleForm(StampedForm):
    """One rule: where a value comes from, what is done to it, where it goes, and when."""

    transform = forms.ChoiceField(label="How", choices=TRANSFORMS, widget=forms.RadioSelect)
    argument = forms.CharField(
        label="Text",
        required=False,
        max_length=500,
        help_text="Of a template, with fields in braces, or the value of a constant.",
    )

    def __init__(self, *args: Any, facts: Facts, is_outgoing: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.facts, self.is_outgoing = facts, is_outgoing
        self.fields["source"] = _field_choice(
            "Reads", facts.sources, self.initial.get("source"), is_required=False
        )
        self.fields["target"] = _field_choice(
            "Writes", facts.targets, self.initial.get("target"), is_required=True
        )
        if names := list(facts.sources)[:2]:
            example = " – ".join(f"{{{name}}}" for name in names)
            self.fields[
                "argument"
            ].help_text = f"Of a template, such as “{example}”, or the value of a constant."
        if not is_outgoing:
            self.fields["mode"] = forms.ChoiceField(label="When", choices=FieldRule.ModeChoice.choices)
            self.fields["conflict"] = forms.ChoiceField(
                label="When both sides changed it",
                choices=FieldRule.ConflictChoice.choices,
                required=False,
                help_text="Whose value stands when neither had seen the other's change. "
                "In a formatted text only a paragraph that both changed counts.",
            )
        self.order_fields(["source", "transform", "argument", "target", "mode", "conflict"])

    def clean(self) -> dict[str, Any]:
        """Ask for what this kind of rule needs, at the place where it is missing."""
        entered = self.cleaned_data
        transform, source = entered.get("transform"), entered.get("source")
        argument = (entered.get("argument") or "").strip()
        needs_source = (Transform.COPY, Transform.VALUE_MAP, Transform.REDACT)
        if transform in needs_source and not source:
            self.add_error("source", "Choose the field that the value is read from.")
        if transform == Transform.CONSTANT and self.is_outgoing and not source:
            self.add_error("source", "Choose the field that the constant leaves together with.")
        if transform in (Transform.TEMPLATE, Transform.CONSTANT) and not argument:
            self.add_error("argument", "Enter the text.")
        if transform == Transform.TEMPLATE and argument:
            self._check_template(argument)
        return super().clean()

    def _check_template(self, template: str) -> None:
        names = template_names(template)
        if names is None:
            self.add_error(
                "argument", "A brace has no partner. A brace that is meant as such is written twice."
            )
            return
        unknown = [name for name in names if self.facts.sources and name not in self.facts.sources]
        if unknown:
            self.add_error(
                "argument", f"There is no field {', '.join(f'“{name}”' for name in unknown)} to fill in."
            )

    def rule(self, values: Mapping[str, str]) -> Rule:
        """What was entered, with the value map's rows that there are."""
        entered = self.cleaned_data
        transform = Transform(entered["transform"])
        takes_text = transform in (Transform.TEMPLATE, Transform.CONSTANT)
        return Rule(
            # A template names the fields it reads in its text.
            source="" if transform is Transform.TEMPLATE else entered["source"],
            target=entered["target"],
            transform=transform,
            mode=UpdateMode(entered.get("mode") or UpdateMode.OVERWRITE),
            conflict=ConflictPolicy(entered.get("conflict") or ConflictPolicy.NEWEST),
            argument=entered["argument"].strip() if takes_text else "",
            values=values if transform is Transform.VALUE_MAP else {},
        )


def _field_choice(
    label: str, facts: Mapping[str, FieldFacts], chosen: Any, *, is_required: bool
) -> forms.Field:
    """A choice of known fields, or free text while the system was never asked for its fields."""
    if not facts:
        return forms.CharField(label=label, required=is_required, max_length=120)
    choices = [(name, f"{one.label} ({name})" if one.label != name else name) for name, one in facts.items()]
    if chosen and chosen not in facts:
        choices.append((str(chosen), f"{chosen} (not there any more)"))
    return forms.ChoiceField(label=label, required=is_required, choices=[("", "Choose a field"), *choices])


def shown_of_rule(rule: Rule) -> dict[str, Any]:
    """The rule's values by the form's field names."""
    return {
        "source": rule.source,
        "transform": rule.transform.value,
        "argument": rule.argument,
        "target": rule.target,
        "mode": rule.mode.value,
        "conflict": rule.conflict.value,
    }


class ValuesForm(StampedForm):
    """The rows of a value map: one for each value there is, and a few for others."""

    def __init__(
        self,
        *args: Any,
        values: Mapping[str, str],
        source: FieldFacts | None,
        target: FieldFacts | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        known = list(source.values) if source else []
        targets = list(target.values) if target else []
        self.known = list(dict.fromkeys([*known, "", *values]))
        self.rows: list[tuple[str, str | None, str]] = []
        for number, value in enumerate(self.known):
            label = f"“{value}”" if value else "Nothing (the field is empty)"
            without = "waits for a person" if value else "stays empty"
            self._add_row(number, label, values.get(value, ""), targets, without)
        for spare in range(SPARE_ROWS):
            number = len(self.known) + spare
            self.fields[f"from_{number}"] = forms.CharField(
                label=f"Another value {spare + 1}",
                required=False,
                max_length=LONGEST_VALUE,
                widget=forms.TextInput(attrs={"placeholder": "another value"}),
            )
            self._add_row(number, f"Another value {spare + 1} becomes", "", targets, "–")

    def _add_row(self, number: int, label: str, chosen: str, targets: list[str], without: str) -> None:
        name = f"to_{number}"
        if targets:
            offered = targets if not chosen or chosen in targets else [*targets, chosen]
            choices = [("", without), *((one, one) for one in offered)]
            self.fields[name] = forms.ChoiceField(
                label=label, required=False, choices=choices, initial=chosen
            )
        else:
            self.fields[name] = forms.CharField(
                label=label,
                required=False,
                max_length=LONGEST_VALUE,
                initial=chosen,
                widget=forms.TextInput(attrs={"placeholder": without}),
            )

    @property
    def table(self) -> Iterable[tuple[str, forms.BoundField | None, forms.BoundField]]:
        """The rows for the template: the value, or the field in which one is entered, and what it becomes."""
        for number in range(len(self.known) + SPARE_ROWS):
            source = self[f"from_{number}"] if f"from_{number}" in self.fields else None
            label = "" if source else self.known[number]
            yield label, source, self[f"to_{number}"]

    def clean(self) -> dict[str, Any]:
        """Refuse a value that has two rows, and half a row."""
        seen = set(self.known)
        for number in range(len(self.known), len(self.known) + SPARE_ROWS):
            value = (self.cleaned_data.get(f"from_{number}") or "").strip()
            becomes = self.cleaned_data.get(f"to_{number}") or ""
            if value and value in seen:
                self.add_error(f"from_{number}", f"“{value}” has a row already.")
            elif value and not becomes:
                self.add_error(f"to_{number}", "Say what it becomes.")
            elif becomes and not value:
                self.add_error(f"from_{number}", "Enter the value that becomes this.")
            seen.add(value)
        return super().clean()

    def values(self) -> dict[str, str]:
        """The map as it was entered, in the order of the rows; rows without a target are left out."""
        entered = self.cleaned_data
        found = {}
        for number in range(len(self.known) + SPARE_ROWS):
            is_known = number < len(self.known)
            value = self.known[number] if is_known else (entered.get(f"from_{number}") or "").strip()
            becomes = (entered.get(f"to_{number}") or "").strip()
            if becomes and (value or is_known):
                found[value] = becomes
        return found


class OptionsForm(StampedForm):
    """What both directions say of files besides."""

    def clean(self) -> dict[str, Any]:
        """Refuse a kind that is on both lists, where it is meant to pass."""
        never = self.cleaned_data.get("files_never", ())
        if both := [kind for kind in self.cleaned_data.get("files_only", ()) if kind in never]:
            names = ", ".join(f"“{kind}”" for kind in both)
            self.add_error("files_only", f"{names} is on the list of files that never pass as well.")
        return super().clean()


class OutgoingOptionsForm(OptionsForm):
    """What leaves besides fields."""

    shares_public_comments = forms.BooleanField(label="Public comments leave", required=False)
    shares_internal_comments = forms.BooleanField(
        label="Internal comments leave",
        required=False,
        help_text="What your colleagues write among themselves. It stays internal on the other side.",
    )
    shares_files = forms.BooleanField(
        label="Files leave",
        required=False,
        help_text="Of a file that stays, the other side learns nothing, not even its name.",
    )
    tells_reasons = forms.BooleanField(
        label="The other side is told why a change is not taken here",
        required=False,
        help_text="The kind of reason only, such as a required field that is empty. What your system said stays here.",
    )
    file_max_bytes = SizeField(label="Largest file that leaves, in MB", help_text="Empty: of any size.")
    files_only = KindsField(label="Only these files leave", help_text=f"{EXAMPLE} Empty: all.")
    files_never = KindsField(label="These files never leave", help_text=EXAMPLE)


class IncomingOptionsForm(OptionsForm):
    """What becomes of comments that come in."""

    comments_become_public = forms.BooleanField(
        label="Comments from the other side are public here",
        required=False,
        help_text="Otherwise they arrive as internal notes, and your agents decide what the customer is told.",
    )
    comment_heading = forms.CharField(
        label="Line above a comment",
        required=False,
        max_length=200,
        help_text="{author} and {partner} are filled in; empty for no such line.",
    )
    notes_refusals = forms.BooleanField(
        label="A note says what the other side has not taken",
        required=False,
        help_text="On your ticket, when a change of yours waits for a person, and another when that is over. It is internal where your system has internal comments.",
    )
    file_max_bytes = SizeField(label="Largest file taken, in MB")
    files_only = KindsField(label="Only these files are taken", help_text=f"{EXAMPLE} Empty: all.")
    files_never = KindsField(
        label="These files are never taken",
        help_text=f"{EXAMPLE} A note with the reason goes in the place of a file that is not taken.",
    )

    def clean_comment_heading(self) -> str:
        """Only the two names that are known there."""
        heading = self.cleaned_data["comment_heading"].strip()
        names = template_names(heading)
        if names is None or set(names) - {"author", "partner"}:
            raise ValidationError("Only {author} and {partner} can be filled in.")
        return heading


def options_form(mapping_set: MappingSet, data: Any = None) -> OutgoingOptionsForm | IncomingOptionsForm:
    """The form for a version's options, showing what it says now."""
    is_outgoing = mapping_set.direction == MappingSet.Direction.OUTGOING
    chosen = OutgoingOptionsForm if is_outgoing else IncomingOptionsForm
    shown = {name: getattr(mapping_set, name) for name in chosen.base_fields if name != "stamp"}
    form = chosen(data, shown=shown)
    if not is_outgoing:
        system = mapping_set.side.system
        largest = size_in_words(files_taken(system).max_bytes)
        form.fields["file_max_bytes"].help_text = f"Empty: what {system} takes, {largest}."
    return form


class PublishForm(StampedForm):
    """Why a version is published; the stamp makes sure that what is published is what was looked at."""

    note = forms.CharField(
        label="What changes, and why",
        max_length=300,
        required=False,
        help_text="Kept with the version.",
    )


class MappingFilter(FilterForm):
    """What the list of mappings is narrowed to."""

    q = words_field("Connection or system")
    partner = forms.ModelChoiceField(queryset=Partner.objects.none(), empty_label="All partners")
    direction = forms.ChoiceField(choices=[("", "Both directions"), *MappingSet.Direction.choices])

    def offer(self, user: User | AnonymousUser | None) -> None:
        """The partners whose rules the person may read."""
        if user is not None:
            self.fields["partner"].queryset = partners_for(user, "read", "mappings")  # type: ignore[attr-defined]

    def narrow(self, sets: QuerySet[MappingSet]) -> QuerySet[MappingSet]:
        """The versions that fit."""
        if words := self.chosen("q"):
            sets = sets.filter(
                Q(side__connection__name__icontains=words) | Q(side__system__name__icontains=words)
            )
        if partner := self.chosen("partner"):
            sets = sets.filter(side__system__partner=partner)
        if direction := self.chosen("direction"):
            sets = sets.filter(direction=direction)
        return sets
