"""Mail about alerts: who is told, what is put together, and what became of it.

News is noted in the transaction of the alert it speaks of, and sent afterwards by whoever walks the rounds; a mail
that cannot be sent is tried again for as long as the alert is worth telling.  Nobody is told of what they may not see
at the moment of sending.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse
from django.utils import timezone
from django.utils.dateformat import format as format_date

from integrations.events import AlertNews
from integrations.models import Alert
from integrations.watch.conditions import Condition, Severity, Standing, Subject
from integrations.watch.telling import due_at
from portal.alerts import partners_of, visible_alerts
from portal.models import AlertMail, AlertSubscription, User

logger = logging.getLogger(__name__)

# Sending takes seconds; whoever took a mail and died loses it to another after this long.
CLAIMED_FOR = timedelta(minutes=5)
# A mail server that answers slowly must not hold up the round; the next one goes on.
ROUND_S = 20.0
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
FAILING_AFTER = timedelta(minutes=15)
LINES_A_MAIL = 50


# --- Noting ---


def hear(sender: Any, alert: Alert, news: AlertNews, at: datetime, **kwargs: Any) -> None:
    """Note for everybody who wants to know of it.  Somebody who was not told that it began is not told that it ended."""
    if not settings.MAIL_IS_SET_UP:
        return
    told = set(alert.mails.values_list("user", flat=True))
    waiting = set(alert.mails.filter(sent_at=None).values_list("user", flat=True))
    mails = []
    if not partners_of(alert) and settings.ALERT_MAIL_TO and None not in waiting:
        mails.append(AlertMail(alert=alert, due_at=at, queued_at=at))
    for one in subscribers(alert):
        is_news = one.user_id in told if news is AlertNews.CLOSED else True
        due = due_at(one.wishes, Severity(alert.severity), at)
        if is_news and one.user_id not in waiting:
            mails.append(AlertMail(user=one.user, alert=alert, due_at=due, queued_at=at))
        elif one.user_id in waiting:
            # The mail tells how things stand when it is sent; what got worse may have to go out sooner.
            alert.mails.filter(user=one.user, sent_at=None, tries=0, due_at__gt=due).update(due_at=due)
    AlertMail.objects.bulk_create(mails)


def subscribers(alert: Alert) -> list[AlertSubscription]:
    """Those who want to know of an alert and may see it."""
    partners = {one.pk for one in partners_of(alert)}
    found = AlertSubscription.objects.filter(
        is_on=True, min_severity__lte=alert.severity, user__is_active=True
    ).exclude(user__email="")
    return [
        one
        for one in found.select_related("user").prefetch_related("partners", "systems")
        if _is_meant(one, alert, partners) and visible_alerts(one.user).filter(pk=alert.pk).exists()
    ]


def _is_meant(subscription: AlertSubscription, alert: Alert, partners: set[int]) -> bool:
    """Whether it is about one of the chosen partners or systems; everything is meant where none was chosen."""
    chosen_partners = {one.pk for one in subscription.partners.all()}
    chosen_systems = {one.pk for one in subscription.systems.all()}
    if not chosen_partners and not chosen_systems:
        return True
    return bool(chosen_partners & partners) or alert.system_id in chosen_systems


# --- Sending ---


def send_due(now: datetime) -> int:
    """Send what is due, one mail for each person; how many mails left.  Safe when several do it at once."""
    claim = secrets.token_hex(16)
    due = AlertMail.objects.filter(sent_at=None, due_at__lte=now)
    if not due.update(claim=claim, due_at=now + CLAIMED_FOR):
        return 0
    mine = AlertMail.objects.filter(claim=claim, sent_at=None).select_related(
        "user", "alert__system__partner", "alert__connection", "alert__acknowledged_by"
    )
    by_person: dict[User | None, list[AlertMail]] = {}
    for one in mine.order_by("-alert__severity", "alert__since", "pk"):
        by_person.setdefault(one.user, []).append(one)
    sent, ends_at = 0, time.monotonic() + ROUND_S
    for user, mails in by_person.items():
        if time.monotonic() > ends_at:
            AlertMail.objects.filter(claim=claim, sent_at=None).update(claim="", due_at=now)
            break
        sent += _send(user, mails, now)
    return sent


def _send(user: User | None, mails: Sequence[AlertMail], now: datetime) -> bool:
    """One mail to one person; whether one left."""
    keys = [one.pk for one in mails]
    alerts = list(dict.fromkeys(one.alert for one in mails))
    if user is not None:
        seen = set(
            visible_alerts(user).filter(pk__in=[one.pk for one in alerts]).values_list("pk", flat=True)
        )
        alerts = [one for one in alerts if one.pk in seen and user.is_active]
    to = settings.ALERT_MAIL_TO if user is None else [user.email]
    problem = ""
    if alerts and any(to):
        zone = user.time_zone if user else settings.TIME_ZONE
        problem = _post(subject_of(alerts), text_of(alerts, zone), to)
    if not problem:
        AlertMail.objects.filter(pk__in=keys).update(sent_at=now, problem="", claim="")
        return bool(alerts)
    for one in mails:
        pause = min(FIRST_PAUSE * 2**one.tries, LONGEST_PAUSE)
        AlertMail.objects.filter(pk=one.pk).update(
            tries=one.tries + 1, due_at=now + pause, problem=problem[:300], claim=""
        )
    return False


def _post(subject: str, text: str, to: Sequence[str]) -> str:
    """Hand a mail to the server; why that failed, empty when it did not."""
    try:
        send_mail(subject, text, None, list(to))
    except (SMTPException, OSError) as error:
        # The words of mail servers name addresses; those stay in the log of whoever runs this.
        logger.warning("mail_not_sent", extra={"reason": str(error)[:300]})
        return f"{type(error).__name__}: {error}"
    return ""


def send_test(user: User) -> str:
    """A mail to the person themselves; why it could not be sent, empty when it could."""
    text = f"This is a test. Mail about alerts reaches you.\n\n{settings.PORTAL_BASE_URL}\n"
    return _post("Concord: test", text, [user.email])


def tell_operators(message: str, detail: str, now: datetime) -> bool:
    """Tell the operators at once what cannot be stored; whether a mail left."""
    if not settings.MAIL_IS_SET_UP or not settings.ALERT_MAIL_TO:
        return False
    text = f"{message}\n\nSince {now:%Y-%m-%d %H:%M} UTC. {detail.strip()}\n\n{settings.PORTAL_BASE_URL}\n"
    return not _post(f"Concord: {message}", text, settings.ALERT_MAIL_TO)


def trouble(now: datetime) -> list[Standing]:
    """That mail cannot be sent, once it has been tried in vain for a while.  One query."""
    failing = AlertMail.objects.filter(sent_at=None, tries__gt=0, queued_at__lte=now - FAILING_AFTER)
    oldest = failing.order_by("queued_at").values_list("queued_at", flat=True).first()
    if oldest is None:
        return []
    message = "Mail about alerts cannot be sent."
    return [Standing(Condition.MAIL_FAILING, Subject(), oldest, Severity.WARNING, message)]


# --- Words ---


def subject_of(alerts: Sequence[Alert]) -> str:
    """The alert itself where there is one; their number and the worst where there are several.  One line."""
    if len(alerts) == 1:
        alert = alerts[0]
        word = "closed" if not alert.is_live else alert.get_severity_display().lower()
        return f"Concord: {word}: {alert.message}"[:200]
    live = [one for one in alerts if one.is_live]
    worst = max(live or alerts, key=lambda one: one.severity)
    closed = len(alerts) - len(live)
    ended = f", {closed} of them closed" if closed else ""
    return f"Concord: {len(alerts):,} alerts{ended}: {worst.message}"[:200]


def text_of(alerts: Sequence[Alert], zone: str) -> str:
    """The mail's text: one paragraph an alert, with the way to its page.  Times in the reader's zone."""
    with timezone.override(ZoneInfo(zone)):
        parts = [_paragraph(one) for one in alerts[:LINES_A_MAIL]]
    if len(alerts) > LINES_A_MAIL:
        parts.append(f"And {len(alerts) - LINES_A_MAIL} more.")
    here = settings.PORTAL_BASE_URL
    parts.append(
        f"All alerts: {here}{reverse('alert_list')}\nWhat you are told of: {here}{reverse('account_alerts')}\n"
    )
    return "\n\n".join(parts)


def _paragraph(alert: Alert) -> str:
    lines: list[str] = [f"{alert.get_severity_display()}: {alert.message}"]
    lines.append(f"Since {_moment(alert.since)}{_standing_of(alert)}")
    lines.append(f"{settings.PORTAL_BASE_URL}{reverse('alert_detail', args=[alert.pk])}")
    return "\n".join(lines)


def _standing_of(alert: Alert) -> str:
    if alert.closed_at:
        return f", closed {_moment(alert.closed_at)}."
    if alert.state == Alert.State.ACKNOWLEDGED:
        return f". {alert.acknowledged_by or 'Somebody'} has it in hand: {alert.acknowledged_reason}"
    return "."


def _moment(at: datetime) -> str:
    return format_date(timezone.localtime(at), "j M Y, H:i T")
