"""What people do in the demo's story, step by step.  What should be left of it is in `ending.py`, written apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from portal.demo.seed import JIRA, ZENDESK
from portal.demo.stage import Content

MARA = "Mara Lund <mara@mercuri.example>"
JO = "Jo Park <jo@infinity.example>"
CLARA = {"name": "Clara Winter", "email": "clara@shopper.example"}
BEN = {"name": "Ben Arlt", "email": "ben@shopper.example"}

BASKET = "Basket is empty after signing in"
VOUCHER = "Voucher is refused for members"
PARCEL = "Parcel is tracked with the wrong carrier"
REFUND = "Refund is announced twice"

NOW = timedelta(0)
Arrived = Callable[[Content], object]


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody does something in one system.

    `arrived` tells from the other system's ticket whether it is there; without it nothing may come of the step, and
    `told` says why.  `mark` names the moment for the service levels.  `ago` sets it back in time.
    """

    where: str
    who: str
    title: str
    what: str
    action: Mapping[str, Any]
    told: str
    arrived: Arrived | None = None
    mark: str = ""
    ago: timedelta = NOW


def has_text(text: str) -> Arrived:
    """Whether a comment holds this text."""
    return lambda ticket: any(text in one["text"] for one in ticket["comments"])


def has_file(name: str) -> Arrived:
    """Whether a file of this name is attached."""
    return lambda ticket: any(one["name"] == name for one in ticket["attachments"])


def has_value(name: str, value: str) -> Arrived:
    """Whether a field has this value."""
    return lambda ticket: ticket["fields"][name] == value


def is_there(ticket: Content) -> object:
    """The ticket exists, which is all that was asked."""
    return True


class _Cast:
    """Short forms: who acts, in which ticket, and what to look for on the other side."""

    def __init__(self, where: str, who: str, title: str) -> None:
        self.where, self.who, self.title = where, who, title

    def raises(self, what: str, text: Mapping[str, str], *, ago: timedelta = NOW, **fields: Any) -> Step:
        action = {"do": "create", "fields": {"subject": self.title, **fields}, "comment": text}
        return self._step(what, action, "a new issue", is_there, "opened", ago)

    def says(self, what: str, text: str, told: str, *, mark: str = "") -> Step:
        action = {"do": "comment", "comment": {"text": text, "public": True}}
        return self._step(what, action, told, has_text(text), mark)

    def notes(self, what: str, text: str) -> Step:
        action = {"do": "comment", "comment": {"text": text, "public": False}}
        return self._step(what, action, "nowhere: internal notes stay", None)

    def attaches(self, what: str, words: str, **file: str) -> Step:
        action = {"do": "attach", "comment": {"text": words, "public": True}, "file": file}
        return self._step(what, action, "the file", has_file(file["name"]))

    def sets(
        self,
        what: str,
        told: str,
        arrived: Arrived | None,
        *,
        mark: str = "",
        ago: timedelta = NOW,
        **to: Any,
    ) -> Step:
        return self._step(what, {"do": "update", "fields": to}, told, arrived, mark, ago)

    def _step(
        self,
        what: str,
        action: Mapping[str, Any],
        told: str,
        arrived: Arrived | None,
        mark: str = "",
        ago: timedelta = NOW,
    ) -> Step:
        return Step(self.where, self.who, self.title, what, action, told, arrived, mark, ago)


def _cast(title: str) -> tuple[_Cast, _Cast]:
    return _Cast(ZENDESK, MARA, title), _Cast(JIRA, JO, title)


# --- A whole life ---

_mara, _jo = _cast(BASKET)
A_WHOLE_LIFE = (
    _mara.raises(
        f"raises “{BASKET}” for Clara Winter",
        {
            "html": "<p>After signing in at the checkout the basket is <strong>empty</strong>. Seen today:</p><ul>"
            "<li>with Firefox and with Safari</li><li>only when articles were added before signing in</li></ul>"
        },
        requester=CLARA,
        type="incident",
        tags=["checkout"],
    ),
    _jo.sets("sets the priority to High", "priority high", has_value("priority", "high"), priority="High"),
    _mara.says("passes on what the shopper wrote", "It began this morning, after the release.", "a comment"),
    _mara.notes("notes something for her colleagues", "She is close to cancelling: be generous."),
    _mara.attaches(
        "attaches a picture of the screen",
        "This is what she sees.",
        name="basket.png",
        content_type="image/png",
        # The smallest picture there is.
        base64="iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    ),
    _jo.sets(
        "begins to work on it",
        "status open",
        has_value("status", "open"),
        mark="answered",
        status="In Progress",
        assignee=JO,
    ),
    _jo.says(
        "tells the cause",
        "Found: the session is renewed at the sign-in and forgets the basket.",
        "a note for Mercuri's agents",
    ),
    _jo.sets("sends it to review", "nothing to change: Zendesk calls both open", None, status="In Review"),
    _jo.sets(
        "closes it as done",
        "status solved",
        has_value("status", "solved"),
        mark="resolved",
        status="Done",
        resolution="Done",
    ),
)

# --- An outage in the middle ---

_mara, _jo = _cast(VOUCHER)
BEFORE_THE_OUTAGE = (
    _mara.raises(
        f"raises “{VOUCHER}” for Ben Arlt",
        {"text": "The code SUMMER is refused with “not for members”, although the letter says so."},
        requester=BEN,
        type="question",
        priority="normal",
    ),
)
DURING_THE_OUTAGE = (
    _mara.says("writes a first remark", "First remark: three more shoppers ask.", "the first comment"),
    _mara.sets("raises the priority", "priority High", has_value("priority", "High"), priority="high"),
    _mara.says(
        "writes a second remark", "Second remark: the letter went to all members.", "the second comment"
    ),
    _mara.attaches(
        "attaches the letter",
        "The letter is attached.",
        name="letter.txt",
        text="Dear members, with SUMMER you save ten per cent.\n",
    ),
)
AFTER_THE_OUTAGE = (
    _jo.says(
        "answers",
        "The rule of SUMMER is mended and will be live in an hour.",
        "a note for Mercuri's agents",
        mark="answered",
    ),
    _jo.sets(
        "closes it as done",
        "status solved",
        has_value("status", "solved"),
        mark="resolved",
        status="Done",
        resolution="Done",
    ),
)

# --- One that stays open: raised before the demo began, so that its clocks show something ---

_mara, _jo = _cast(PARCEL)
STAYS_OPEN = (
    _mara.raises(
        f"raised “{PARCEL}” 40 minutes ago",
        {"text": "The link in the mail leads to a carrier that does not know the number."},
        ago=timedelta(minutes=40),
        requester=CLARA,
        type="incident",
        priority="urgent",
    ),
    _mara.sets(
        "waited for the shopper, 30 minutes ago",
        "In Progress: Jira knows no waiting",
        has_value("status", "In Progress"),
        mark="paused",
        ago=timedelta(minutes=30),
        status="pending",
    ),
    _mara.sets(
        "had the shopper's answer, 20 minutes ago",
        "nothing to change: Jira calls both In Progress",
        None,
        mark="resumed",
        ago=timedelta(minutes=20),
        status="open",
    ),
    _jo.says(
        "asks for an example",
        "Please send me one of the numbers.",
        "a note for Mercuri's agents",
        mark="answered",
    ),
    _mara.says("sends one", "Here is one: 00340434161094042557", "a comment"),
)

# --- One that needs a person: told only while the demo stays up ---

_mara, _jo = _cast(REFUND)
BEFORE_IT_PARKS = (
    _mara.raises(
        f"raises “{REFUND}” for Ben Arlt",
        {"text": "He got two mails about one refund, and fears that he has to pay one back."},
        requester=BEN,
        type="question",
        priority="normal",
    ),
    _jo.sets(
        "begins to work on it",
        "status open",
        has_value("status", "open"),
        status="In Progress",
        assignee=JO,
    ),
)
NEW_STATUS = "Waiting for supplier"
WHAT_PARKS = _jo.sets(
    f"sets the new status “{NEW_STATUS}”",
    "nowhere yet: no rule says what it means, so it waits for a person",
    None,
    status=NEW_STATUS,
)

# --- Afterwards ---

WORTH_A_LOOK = {
    BASKET: "its whole life, seen from both sides",
    VOUCHER: "what Concord did while Jira was down",
    PARCEL: "still open, and answered too late",
}
