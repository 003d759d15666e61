"""What staff do with articles: draft, revise, publish, retire; and loading those that come with Concord."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from knowledgebase.models import Article, ArticleRevision
from knowledgebase.shipped import ShippedArticle, read_all

TEXT_FIELDS = ("title", "symptom", "cause", "automatic", "workaround", "solution", "steps")


class ArticleError(ValueError):
    """A step that the article's state does not allow, or a text that somebody else replaced meanwhile."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading the shipped articles did, by failure code."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    # Edited by staff: left as they are.
    kept: tuple[str, ...] = ()


@transaction.atomic
def draft_article(
    texts: Mapping[str, str],
    *,
    by: AbstractBaseUser | None,
    kind: str = Article.Kind.INCIDENT,
    code: str | None = None,
    language: str = "en",
) -> Article:
    """Begin an article that only editors see; returns it.  ArticleError without title and symptom.  Not repeatable."""
    if not texts.get("title") or not texts.get("symptom"):
        raise ArticleError("An article needs a title and a symptom at least.")
    article = Article(kind=kind, code=code or None, language=language, is_edited=True)
    _write(article, texts)
    _keep_revision(article, by=by, note="First draft")
    return article


@transaction.atomic
def revise_article(
    article: Article,
    texts: Mapping[str, str],
    *,
    by: AbstractBaseUser | None,
    note: str = "",
    based_on: int | None = None,
) -> ArticleRevision | None:
    """Give the article new texts; returns the revision, or None when nothing differs.

    `based_on` is the number of the revision that the editor had open: ArticleError when there is a newer one, so that
    nobody's work is overwritten unseen.  From now on new releases of Concord leave the article alone.
    """
    article = Article.objects.select_for_update().get(pk=article.pk)
    newest = article.revisions.first()
    if based_on is not None and newest and newest.number != based_on:
        raise ArticleError(f"Revision {newest.number} was saved while you were editing revision {based_on}.")
    texts = {name: _plain(text) for name, text in texts.items()}
    if all(getattr(article, name, None) == text for name, text in texts.items()):
        return None
    article.is_edited = True
    _write(article, texts)
    return _keep_revision(article, by=by, note=note)


def restore_revision(revision: ArticleRevision, *, by: AbstractBaseUser | None) -> ArticleRevision | None:
    """Say again what an older revision said, as a new revision; None when the article says that already."""
    return revise_article(revision.article, revision.text, by=by, note=f"As in revision {revision.number}")


def publish_article(article: Article) -> None:
    """Show a draft, or a retired article, to all readers.  ArticleError when it is published already."""
    _move(article, (Article.State.DRAFT, Article.State.RETIRED), Article.State.PUBLISHED)


def retire_article(article: Article) -> None:
    """Take a published article out of the handbook; its text and history stay.  ArticleError otherwise."""
    _move(article, (Article.State.PUBLISHED,), Article.State.RETIRED)


@transaction.atomic
def load_shipped(articles: Iterable[ShippedArticle] | None = None) -> Loaded:
    """Bring the articles that come with Concord up to date; returns what was done.  Repeatable.

    An article that staff edited is never touched, and a retired one stays retired.
    """
    present = {article.code: article for article in Article.objects.select_for_update().exclude(code=None)}
    added, updated, kept = [], [], []
    for shipped in read_all() if articles is None else articles:
        article = present.get(shipped.code)
        if article is None:
            _store_shipped(Article(code=shipped.code, state=Article.State.PUBLISHED), shipped)
            added.append(shipped.code)
        elif article.is_edited:
            kept.append(shipped.code)
        elif article.shipped_digest != shipped.digest:
            _store_shipped(article, shipped)
            updated.append(shipped.code)
    return Loaded(tuple(added), tuple(updated), tuple(kept))


def _store_shipped(article: Article, shipped: ShippedArticle) -> None:
    article.kind, article.language, article.shipped_digest = shipped.kind, shipped.language, shipped.digest
    # A section that a release leaves out has to go, not to stay as it was.
    _write(article, {**dict.fromkeys(TEXT_FIELDS, ""), **shipped.texts, "title": shipped.title})
    _keep_revision(article, by=None, note="Came with Concord")


def _plain(text: str) -> str:
    # Browsers send line ends as CRLF; a comparison must not take that for a change.
    return text.replace("\r\n", "\n").strip()


def _write(article: Article, texts: Mapping[str, str]) -> None:
    unknown = set(texts) - set(TEXT_FIELDS)
    if unknown:
        raise ArticleError(f"An article has no text called {', '.join(sorted(unknown))}.")
    for name, text in texts.items():
        setattr(article, name, _plain(text))
    article.search_text = "\n".join(
        [article.code or "", *(getattr(article, name) for name in TEXT_FIELDS)]
    ).casefold()
    article.updated_at = timezone.now()
    article.save()


def _keep_revision(article: Article, *, by: AbstractBaseUser | None, note: str) -> ArticleRevision:
    newest = article.revisions.first()
    text: dict[str, Any] = {name: getattr(article, name) for name in TEXT_FIELDS}
    return ArticleRevision.objects.create(
        article=article,
        number=newest.number + 1 if newest else 1,
        at=article.updated_at,
        author_id=by.pk if by else None,
        note=note[:200],
        text=text,
    )


def _move(article: Article, allowed: tuple[Article.State, ...], to: Article.State) -> None:
    # Looks and writes in one statement: two people may press the button.
    if not Article.objects.filter(pk=article.pk, state__in=allowed).update(
        state=to, updated_at=timezone.now()
    ):
        article.refresh_from_db()
        raise ArticleError(
            f"“{article}” is {article.get_state_display().lower()}, so it cannot become {to.label.lower()}."
        )
    article.state = to
