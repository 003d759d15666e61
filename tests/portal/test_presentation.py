"""How things are put on the page: words for durations, local times, the navigation, log lines."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.urls import ResolverMatch, reverse
from django.utils import timezone

from portal.access import Role
from portal.logs import LineFormatter
from portal.presentation import TimelineEntry, ago_words, duration_words, tone_of
from portal.templatetags.portal_tags import NAVIGATION, navigation
from tests.factories import make_user, mercuri

MOMENT = datetime(2026, 11, 23, 9, 12, 30, tzinfo=UTC)


def render(text: str, **context: object) -> str:
    return Template(text).render(Context(context))


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (999, "999"), (12000, "12,000"), (1234567, "1,234,567"), ("some", "some"), (None, "None")],
)
def test_a_count_with_its_thousands_apart(value: object, words: str) -> None:
    assert render("{{ value|count }}", value=value) == words


def test_no_other_number_has_its_thousands_apart() -> None:
    assert render("{{ key }} {{ value }}", key=12000, value=1234.5) == "12000 1234.5"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (0, "0 s"),
        (45.9, "45 s"),
        (60, "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (3600, "1 h"),
        (timedelta(hours=1, minutes=46), "1 h 46 min"),
        (timedelta(days=1), "1 d"),
        (timedelta(days=3, hours=4, minutes=59), "3 d 4 h"),
        (timedelta(minutes=-5), "−5 min"),
    ],
)
def test_a_duration_in_its_two_largest_units(value: timedelta | float | None, words: str) -> None:
    assert duration_words(value) == words
    assert render("{{ value|duration }}", value=value) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "just now"), (-4, "just now"), (240, "4 min ago"), (-7200, "in 2 h")]
)
def test_how_far_from_now(seconds: int, words: str) -> None:
    assert ago_words(MOMENT, MOMENT + timedelta(seconds=seconds)) == words


def test_times_are_in_the_readers_zone_and_complete_in_their_title() -> None:
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert render("{% local_time at %}", at=MOMENT) == (
            '<time datetime="2026-11-23T09:12:30+00:00" title="23 Nov 2026, 10:12:30 CET">23 Nov 2026, 10:12</time>'
        )
    assert "–" in render("{% local_time at %}", at=None)


@pytest.mark.parametrize(
    ("hours", "words"), [(0, "23:12"), (-10, "13:12"), (1, "24 Nov 2026, 00:12"), (-24, "22 Nov 2026, 23:12")]
)
def test_an_hour_tells_its_day_unless_that_is_today_where_the_reader_is(
    monkeypatch: pytest.MonkeyPatch, hours: int, words: str
) -> None:
    now = datetime(2026, 11, 23, 22, 12, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    with timezone.override(ZoneInfo("Europe/Berlin")):
        shown = render("{% local_time at 'time' %}", at=now + timedelta(hours=hours))

    assert shown.endswith(f">{words}</time>")


@pytest.mark.parametrize(
    ("state", "tone"),
    [("active", "green"), ("At risk", "orange"), ("in-progress", "azure"), ("whatever", "secondary")],
)
def test_a_state_has_a_tone_and_always_its_word(state: str, tone: str) -> None:
    assert tone_of(state) == tone
    assert f"bg-{tone}-lt" in render_to_string("portal/_status.html", {"state": state})


@pytest.mark.parametrize(
    ("code", "words"), [("at_risk", "At risk"), ("what Concord does", "What Concord does"), ("", "")]
)
def test_a_code_becomes_words_and_names_keep_their_capitals(code: str, words: str) -> None:
    assert render("{{ code|words }}", code=code) == words


def test_an_icon_is_silent_unless_it_stands_alone() -> None:
    assert 'aria-hidden="true"' in render("{% icon 'ticket' %}")
    assert 'aria-label="Breached"' in render("{% icon 'x' 'Breached' %}")


def test_a_timeline_escapes_what_partners_wrote() -> None:
    entry = TimelineEntry(
        MOMENT, title="<b>Ada</b>", text="<script>alert(1)</script>\nSecond line", initials="AD"
    )

    page = render_to_string("portal/_timeline.html", {"entries": [entry]})

    assert "&lt;script&gt;alert(1)&lt;/script&gt;<br>Second line" in page
    assert "<script>" not in page
    assert "<b>" not in page


def test_pages_keep_the_filter_they_belong_to() -> None:
    request = RequestFactory().get("/", {"state": "parked", "page": "3"})
    page = Paginator(range(1000), 50).get_page(3)

    html = render_to_string("portal/_pagination.html", {"page": page}, request=request)

    assert 'href="?state=parked&amp;page=4"' in html
    assert "101–150 of 1,000" in html
    assert 'aria-current="page">3<' in html


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("page", "entry"),
    [
        ("home", "Overview"),
        ("ticket_detail", "Tickets"),
        ("agreement_list", "Service levels"),
        ("account", None),
    ],
)
def test_the_bar_shows_where_the_reader_is(page: str, entry: str | None) -> None:
    request = RequestFactory().get("/")
    request.user = make_user(role=Role.INTEGRATOR_STAFF)
    request.resolver_match = ResolverMatch(print, (), {}, url_name=page)

    assert [item.label for item in navigation({"request": request}) if item.is_active] == [entry] * bool(
        entry
    )


def test_every_entry_of_the_bar_has_a_page() -> None:
    assert all(reverse(name) for _label, name, _icon, _resource in NAVIGATION)


class Example(forms.Form):
    """One field of each kind."""

    name = forms.CharField(help_text="A word.")
    kind = forms.ChoiceField(choices=[("a", "Jira"), ("b", "Zendesk")])
    which = forms.ChoiceField(choices=[("l", "Left"), ("r", "Right")], widget=forms.RadioSelect)
    is_sure = forms.BooleanField()


def test_a_form_is_drawn_with_labels_hints_and_errors_tied_to_its_fields() -> None:
    html = str(Example({"kind": "a"}))

    assert '<label class="form-label required" for="id_name">Name</label>' in html
    assert 'class="form-control is-invalid"' in html
    assert 'class="form-select"' in html
    assert '<div class="form-hint" id="id_name_helptext">A word.</div>' in html
    assert html.count('type="radio"') == 2
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html


@pytest.mark.django_db
def test_the_navigation_shows_what_the_role_may_read() -> None:
    def labels(user) -> list[str]:
        request = RequestFactory().get("/")
        request.user, request.resolver_match = user, None
        return [item.label for item in navigation({"request": request})]

    everything = [label for label, *_ in NAVIGATION]
    closed_to_agents = {"Queue", "Systems", "Connections", "Mappings", "Service levels", "Members"}
    stranger, agent = make_user(), make_user(role=Role.PARTNER_AGENT, partner=mercuri())
    staff = make_user(role=Role.INTEGRATOR_STAFF)

    assert labels(stranger) == ["Overview"]
    assert labels(staff) == everything
    assert labels(agent) == [label for label in everything if label not in closed_to_agents]


def test_a_log_line_has_its_facts_and_no_secret_and_is_one_line() -> None:
    record = logging.makeLogRecord(
        {"name": "integrations.engine", "levelname": "WARNING", "msg": "attempt_failed", "created": 0.25}
    )
    record.lane_id, record.api_token, record.title = 3, "abc", "two\nlines"

    assert LineFormatter().format(record) == (
        "1970-01-01T00:00:00.250Z WARNING integrations.engine attempt_failed lane_id=3 api_token=••• title=two\\nlines"
    )


def test_a_fault_is_logged_with_its_traceback() -> None:
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        record = logging.makeLogRecord(
            {"name": "x", "levelname": "ERROR", "msg": "broke", "exc_info": sys.exc_info()}
        )

    assert LineFormatter().format(record).endswith("ZeroDivisionError: division by zero")
