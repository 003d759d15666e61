"""The operations handbook: finding an article, reading it, writing it, and its revisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import models
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from integrations.models import System
from knowledgebase import services
from knowledgebase.models import Article, ArticleRevision
from knowledgebase.search import search
from knowledgebase.services import TEXT_FIELDS, ArticleError
from portal import audit
from portal.access import may, requires
from portal.forms.handbook import ArticleForm, HandbookFilter, NewArticleForm
from portal.listing import Column, listing
from portal.queue import reachable

COLUMNS = (
    Column("Article", "title", "title"),
    Column("Kind", "kind", "kind"),
    Column("State", "state", "state"),
    Column("Code", "code", "code"),
    Column("Changed", "changed", "updated_at"),
)


@require_safe
@requires("handbook")
def handbook_list(request: HttpRequest) -> HttpResponse:
    """Articles by words and kind; the most urgent above them: those whose code lanes wait for now."""
    form = HandbookFilter(request.GET, request.user)
    rows = search(form.chosen("q") or "", among=_readable(request))
    if kind := form.chosen("kind"):
        rows = rows.filter(kind=kind)
    if state := form.chosen("state"):
        rows = rows.filter(state=state)
    occurring = _occurrences(request)
    page = {
        "form": form,
        "listing": listing(request, rows, COLUMNS, default="title"),
        "occurring": occurring,
        "urgent": [
            (article, occurring[article.code or ""])
            for article in Article.objects.published().filter(code__in=occurring).order_by("title")
        ],
    }
    return render(request, "portal/handbook/list.html", page)


@require_safe
@requires("handbook")
def handbook_code(request: HttpRequest, code: str) -> HttpResponse:
    """The article that explains a failure code; editors are led to writing it where there is none."""
    article = _readable(request).filter(code=code).first()
    if article:
        return redirect("handbook_detail", article.pk)
    if may(request.user, "full", "handbook"):
        messages.info(request, "Nobody has explained this failure code yet.")
        return redirect(f"{reverse('handbook_add')}?code={code}")
    raise Http404("There is no article for this code.")


@require_safe
@requires("handbook")
def handbook_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One article, its history, and how often its failure occurs now."""
    article = get_object_or_404(_readable(request), pk=pk)
    page = {
        "article": article,
        "sections": _sections({name: getattr(article, name) for name in TEXT_FIELDS}),
        "revisions": article.revisions.select_related("author")[:20],
        "occurring": _occurrences(request).get(article.code or "", 0),
        "systems": _failing_systems(request, article),
    }
    return render(request, "portal/handbook/detail.html", page)


@require_http_methods(["GET", "POST"])
@requires("handbook", "full")
def handbook_add(request: HttpRequest) -> HttpResponse:
    """Begin an article; it stays a draft until it is published."""
    form = NewArticleForm(request.POST or None, initial={"code": request.GET.get("code", "")})
    if request.method == "POST" and form.is_valid():
        kind, code = form.cleaned_data["kind"], form.cleaned_data["code"]
        article = services.draft_article(form.texts(), by=request.user, kind=kind, code=code)  # type: ignore[arg-type]
        audit.record(request.user, "drafted", article)
        messages.success(request, "Saved as a draft. Readers see it once it is published.")
        return redirect("handbook_detail", article.pk)
    return render(request, "portal/handbook/edit.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@requires("handbook", "write")
def handbook_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Give an article new texts, as a revision; refused when somebody saved another in between."""
    article = get_object_or_404(Article, pk=pk)
    newest = article.revisions.first()
    shown = {name: getattr(article, name) for name in TEXT_FIELDS}
    form = ArticleForm(request.POST or None, initial={**shown, "based_on": newest.number if newest else None})
    page = {"form": form, "article": article, "newest": newest}
    if request.method == "POST" and form.is_valid() and _revise(request, article, form):
        return redirect("handbook_detail", article.pk)
    return render(request, "portal/handbook/edit.html", page, status=422 if form.errors else 200)


def _revise(request: HttpRequest, article: Article, form: ArticleForm) -> bool:
    try:
        revision = services.revise_article(
            article,
            form.texts(),
            by=request.user,  # type: ignore[arg-type]
            note=form.cleaned_data["note"],
            based_on=form.cleaned_data["based_on"],
        )
    except ArticleError as error:
        form.add_error(
            None, f"{error} Your text is still here; compare it with the article before you save again."
        )
        # Saving again is then a decision, not an accident.
        newest = article.revisions.first()
        data: Any = form.data.copy()  # type: ignore[attr-defined]  # a QueryDict
        data["based_on"] = newest.number if newest else ""
        form.data = data
        return False
    if revision:
        audit.record(request.user, "revised", article, {"revision": revision.number, "note": revision.note})
        messages.success(request, f"Saved as revision {revision.number}.")
    else:
        messages.info(request, "Nothing differs from what the article says already.")
    return True


@require_POST
@requires("handbook", "full")
def handbook_publish(request: HttpRequest, pk: int) -> HttpResponse:
    """Show it to all readers."""
    return _move(request, get_object_or_404(Article, pk=pk), services.publish_article, "published")


@require_POST
@requires("handbook", "full")
def handbook_retire(request: HttpRequest, pk: int) -> HttpResponse:
    """Take it out of the handbook; text and history stay."""
    return _move(request, get_object_or_404(Article, pk=pk), services.retire_article, "retired")


def _move(
    request: HttpRequest, article: Article, action: Callable[[Article], None], past: str
) -> HttpResponse:
    try:
        action(article)
    except ArticleError as error:
        messages.warning(request, str(error))
    else:
        audit.record(request.user, past, article)
        messages.success(request, f"{past.capitalize()}.")
    return redirect("handbook_detail", article.pk)


@require_http_methods(["GET", "POST"])
@requires("handbook", "write")
def handbook_revision(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """One older text; posting says it again."""
    revision = get_object_or_404(
        ArticleRevision.objects.select_related("article", "author"), article=pk, number=number
    )
    article = revision.article
    if request.method == "POST":
        made = services.restore_revision(revision, by=request.user)  # type: ignore[arg-type]
        if made:
            audit.record(request.user, "restored", article, {"revision": revision.number})
            messages.success(
                request, f"Revision {made.number} says again what revision {revision.number} said."
            )
        else:
            messages.info(request, "The article says that already.")
        return redirect("handbook_detail", article.pk)
    differing = [name for name in TEXT_FIELDS if revision.text.get(name, "") != getattr(article, name)]
    page = {
        "article": article,
        "revision": revision,
        "sections": _sections(revision.text),
        "differing": [_label(name) for name in differing],
    }
    return render(request, "portal/handbook/revision.html", page)


def _readable(request: HttpRequest) -> QuerySet[Article]:
    """Published articles; for those who write them, drafts and retired ones too."""
    return Article.objects.all() if may(request.user, "write", "handbook") else Article.objects.published()


def _occurrences(request: HttpRequest) -> dict[str, int]:
    """Failure code -> lanes that wait for it now, as far as the person may see the queue.  One query."""
    if not may(request.user, "read", "queue"):
        return {}
    waiting = reachable(request.user).waiting().exclude(failure_code="")
    return dict(waiting.values_list("failure_code").annotate(count=Count("pk")))


def _failing_systems(request: HttpRequest, article: Article) -> QuerySet[System]:
    """Systems whose last call failed with this code."""
    if not article.code or not may(request.user, "read", "systems"):
        return System.objects.none()
    return System.objects.visible_to(request.user).filter(failure_code=article.code).select_related("partner")


def _sections(texts: dict[str, str]) -> list[tuple[str, str]]:
    return [(_label(name), texts[name]) for name in TEXT_FIELDS[1:] if texts.get(name)]


def _label(name: str) -> str:
    column = Article._meta.get_field(name)
    assert isinstance(column, models.Field)
    return capfirst(str(column.verbose_name))


urlpatterns = [
    path("", handbook_list, name="handbook_list"),
    path("add/", handbook_add, name="handbook_add"),
    path("code/<slug:code>/", handbook_code, name="handbook_code"),
    path("<int:pk>/", handbook_detail, name="handbook_detail"),
    path("<int:pk>/edit/", handbook_edit, name="handbook_edit"),
    path("<int:pk>/publish/", handbook_publish, name="handbook_publish"),
    path("<int:pk>/retire/", handbook_retire, name="handbook_retire"),
    path("<int:pk>/revisions/<int:number>/", handbook_revision, name="handbook_revision"),
]
