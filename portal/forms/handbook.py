"""Forms of the handbook: what the list is narrowed to, and an article's texts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.core.validators import validate_slug
from django.db import models
from django.utils.text import capfirst

from knowledgebase.models import Article
from knowledgebase.services import TEXT_FIELDS
from portal.access import may
from portal.forms.filters import FilterForm, words_field
from portal.models import User


class HandbookFilter(FilterForm):
    """Words, kind, and for editors the state."""

    q = words_field("Words, or a failure code")
    kind = forms.ChoiceField(choices=[("", "Any kind"), *Article.Kind.choices])
    state = forms.ChoiceField(choices=[("", "Any state"), *Article.State.choices])

    def offer(self, user: User | AnonymousUser | None) -> None:
        """Only editors see what is not published."""
        if user is None or not may(user, "write", "handbook"):
            del self.fields["state"]


class ArticleForm(forms.Form):
    """The texts of an article, which revision they began from, and what was changed."""

    title = forms.CharField(max_length=160)
    note = forms.CharField(
        label="What did you change?",
        max_length=200,
        required=False,
        help_text="Stands in the list of revisions.",
    )
    based_on = forms.IntegerField(widget=forms.HiddenInput, required=False)

    field_order = ["title", *TEXT_FIELDS[1:], "note", "based_on"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in TEXT_FIELDS[1:]:
            column = Article._meta.get_field(name)
            assert isinstance(column, models.Field)
            self.fields[name] = forms.CharField(
                label=capfirst(str(column.verbose_name)),
                help_text=column.help_text,
                required=not column.blank,
                widget=forms.Textarea(attrs={"rows": 4}),
            )
        self.order_fields(self.field_order)

    def texts(self) -> dict[str, str]:
        """The article's texts as they were typed."""
        return {name: self.cleaned_data[name] for name in TEXT_FIELDS}


class NewArticleForm(ArticleForm):
    """An article that does not exist yet: what it is about besides its texts."""

    kind = forms.ChoiceField(choices=Article.Kind.choices)
    code = forms.CharField(
        label="Failure code",
        max_length=60,
        required=False,
        validators=[validate_slug],
        help_text="The code of the failure that leads here. Leave it empty for an article that people look up.",
    )

    field_order = ["title", "kind", "code", *TEXT_FIELDS[1:], "note", "based_on"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["note"]
        del self.fields["based_on"]

    def clean_code(self) -> str:
        """One article a code."""
        code = self.cleaned_data["code"]
        if code and (other := Article.objects.filter(code=code).first()):
            raise forms.ValidationError(f"“{other}” explains this code already.")
        return str(code)
