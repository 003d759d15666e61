"""Tags and filters that every template has without `{% load %}`.

{% icon "ticket" %}                               an icon beside a word; {% icon "x" "Failed" %} where it stands alone
{% local_time event.at %}                         23 Nov 2026, 10:12 in the reader's zone; also "date", "time", "long"
{{ clock.left|duration }}, {{ event.at|ago }}     "1 h 46 min", "4 min ago"
{% may "write" "connections" partner as may_edit %}
{{ lanes|count }}                                 "12,000"; never for keys, years, values of a form, addresses
{{ lane.state|tone }}                             the colour of a state; see portal/_status.html
{% querystring page=2 %}                          Django's own: this page's query with one thing changed
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import template
from django.core.paginator import Paginator
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integrations.watch import conditions
from portal import access
from portal.background import Background, background
from portal.presentation import ago_words, duration_words, tone_of

register = template.Library()

# Label, name of the URL, icon, resource that has to be readable; None is open to everybody who signed in.
NAVIGATION: list[tuple[str, str, str, str | None]] = [
    ("Overview", "home", "layout-dashboard", None),
    ("Tickets", "ticket_list", "ticket", "tickets"),
    ("Queue", "delivery_list", "stack-2", "queue"),
    ("Partners", "partner_list", "building-skyscraper", "partners"),
    ("Systems", "system_list", "server-2", "systems"),
    ("Connections", "connection_list", "plug-connected", "connections"),
    ("Mappings", "mapping_list", "arrows-exchange", "mappings"),
    ("Service levels", "report_list", "clock", "reports"),
    ("Handbook", "handbook_list", "notebook", "handbook"),
    ("Members", "member_list", "users", "members"),
]

# Nouns whose pages stand under another noun's entry.
UNDER = {
    "agreement": "report_list",
    "calendar": "report_list",
    "drift": "delivery_list",
    "undo": "delivery_list",
    "finding": "system_list",
    # Behind the bell.
    "alert": "",
    "endpoint": "",
    "wizard": "connection_list",
    "person": "connection_list",
    "drill": "connection_list",
}

TIME_FORMATS = {
    "minute": "j M Y, H:i",
    "date": "j M Y",
    "time": "H:i",
    "seconds": "H:i:s",
    "long": "j M Y, H:i:s e",
}


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """One entry of the top bar, as its template needs it."""

    label: str
    url: str
    icon: str
    is_active: bool


@register.simple_tag(takes_context=True)
def navigation(context: template.Context) -> list[NavigationItem]:
    """The entries that the reader's roles may read."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if request is None or user is None or not user.is_authenticated:
        return []
    here = (request.resolver_match.url_name if request.resolver_match else "") or ""
    entry = UNDER.get(here.split("_")[0], here)
    items = []
    for label, name, icon_name, resource in NAVIGATION:
        if resource is not None and not access.may(user, "read", resource):
            continue
        try:
            url = reverse(name)
        except NoReverseMatch:
            # An installation may leave a page out; its entry goes with it.
            continue
        noun = name.removesuffix("_list")
        is_active = entry == name or entry.startswith(f"{noun}_")
        items.append(NavigationItem(label, url, icon_name, is_active))
    return items


@register.simple_tag(takes_context=True)
def may(context: template.Context, action: str, resource: str, partner: Any = None) -> bool:
    """Whether the reader may do this, at `partner` or anywhere; templates hide what would be refused."""
    request = context.get("request")
    return request is not None and access.may(request.user, action, resource, partner)


@register.simple_tag(takes_context=True)
def background_work(context: template.Context) -> Background | None:
    """Whether the worker runs and how many alerts are open, for those who may read the queue or alerts."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not any(access.may(user, "read", resource) for resource in ("queue", "alerts")):
        return None
    return background(user, timezone.now())


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """An icon of the sprite; silent to screen readers unless it has a label."""
    source = f"{static('portal/vendor/tabler-icons/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon {}" role="img" aria-label="{}"><use href="{}"></use></svg>', css, label, source
        )
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}"></use></svg>', css, source)


@register.simple_tag
def local_time(value: datetime | None, style: str = "minute") -> SafeString:
    """A moment in the reader's zone, as a <time> whose title is complete; a dash for None.

    "time" is the hour alone, and says the day where that is not today.
    """
    if value is None:
        return SafeString('<span class="text-secondary">–</span>')
    here = timezone.localtime(value)
    if style == "time" and here.date() != timezone.localdate():
        style = "minute"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.astimezone(UTC).isoformat(timespec="seconds"),
        format_date(here, TIME_FORMATS["long"]),
        format_date(here, TIME_FORMATS[style]),
    )


@register.filter
def count(number: object) -> object:
    """How many there are, as people read it: 12,000.  What is no whole number stays as it is.

    Not Django's setting for all numbers: that would put commas into keys and addresses as well.
    """
    return f"{number:,}" if isinstance(number, int) else number


@register.filter
def duration(value: timedelta | float | None) -> str:
    """A duration, or a number of seconds, in words."""
    return duration_words(value)


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """How long ago, as a <time> whose title is the moment itself."""
    if value is None:
        return "–"
    here = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.astimezone(UTC).isoformat(timespec="seconds"),
        format_date(here, TIME_FORMATS["long"]),
        ago_words(value, timezone.now()),
    )


@register.filter
def day(value: date | None) -> str:
    """A date without a time: 23 Nov 2026."""
    return format_date(value, "j M Y") if value else "–"


@register.filter
def days_left(value: date) -> int:
    """How many days until a day, in UTC like the reminders; negative when it is past."""
    return conditions.days_left(value, datetime.now(UTC).date())


@register.filter
def tone(state: str) -> str:
    """The colour of a state's badge."""
    return tone_of(state)


@register.filter
def words(value: object) -> str:
    """A code as words: "at_risk" -> "At risk"."""
    text = str(value).replace("_", " ").strip()
    # Not capitalize(), which would make Concord small.
    return text[:1].upper() + text[1:]


@register.filter
def control(field: BoundField) -> SafeString:
    """A form field's widget with Tabler's class for its kind."""
    widget = field.field.widget
    if isinstance(widget, CheckboxInput):
        css = "form-check-input"
    elif isinstance(widget, Select):
        css = "form-select"
    else:
        css = "form-control"
    given = widget.attrs.get("class", "")
    wrong = "is-invalid" if field.errors else ""
    return field.as_widget(attrs={"class": " ".join(part for part in (css, given, wrong) if part)})


@register.filter
def widget_kind(field: BoundField) -> str:
    """How _field.html lays the field out: "check" (box before its label), "choices" (a list) or "control"."""
    widget = field.field.widget
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        return "choices"
    return "check" if isinstance(widget, CheckboxInput) else "control"


@register.filter
def page_numbers(paginator: Paginator, number: int) -> list[int | None]:
    """The pages to offer around `number`: first, last and the near ones; None for a gap."""
    return [
        page if isinstance(page, int) else None
        for page in paginator.get_elided_page_range(number, on_each_side=1, on_ends=1)
    ]
