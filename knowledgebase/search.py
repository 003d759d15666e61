"""Finds articles: for a failure code, or for a few words.  The same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.db.models.functions import Lower

from knowledgebase.models import Article

# More words narrow nothing down any more, and each costs a comparison with every text.
MOST_WORDS = 8


def article_for(code: str) -> Article | None:
    """The published article that explains a failure code, or None."""
    return Article.objects.published().filter(code=code).first() if code else None


def articles_for(codes: Iterable[str]) -> dict[str, Article]:
    """Failure code -> published article, for a list of failures at once.  One query; codes without one are left out."""
    found = Article.objects.published().filter(code__in={code for code in codes if code})
    return {article.code: article for article in found if article.code}


def search(words: str, *, among: QuerySet[Article] | None = None) -> QuerySet[Article]:
    """Articles that contain every one of the words, those with the first of them in the title first.

    Parts of words count, and so do capitals written small.  `among` narrows or widens what is looked through;
    published articles unless given.  All of these for no words.
    """
    found = Article.objects.published() if among is None else among
    wanted = words.casefold().split()[:MOST_WORDS]
    for word in wanted:
        found = found.filter(search_text__contains=word)
    if not wanted:
        return found.order_by("title")
    in_title = Case(
        When(title_small__contains=wanted[0], then=Value(0)), default=Value(1), output_field=IntegerField()
    )
    return found.annotate(title_small=Lower("title")).order_by(in_title, "title")
