"""What must be left when the story is over, written by hand: every ticket, field, comment and file, and the clocks.

Nothing here is worked out from rules, mappings or the story's steps: what was written apart must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.demo.seed import JIRA, ZENDESK

BASKET = "Basket is empty after signing in"
VOUCHER = "Voucher is refused for members"
PARCEL = "Parcel is tracked with the wrong carrier"
INTERNAL = "close to cancelling"
CONCORD = "concord@sandbox.example"


@dataclass(frozen=True, slots=True)
class Said:
    """A comment as people read it."""

    author: str
    text: str
    public: bool = True


@dataclass(frozen=True, slots=True)
class File:
    """A file by its name, size and digest."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Ending:
    """One ticket in one system.  `changes` is the length of its history: one more is a write too many."""

    fields: Mapping[str, Any]
    comments: tuple[Said, ...]
    files: tuple[File, ...] = ()
    changes: int = 0


@dataclass(frozen=True, slots=True)
class ClockEnding:
    """One clock of one ticket.  Moments are named as the story's steps mark them; `pause` is from one to another."""

    kind: str
    priority: str
    target_min: int
    stopped: str | None
    pause: tuple[str, str] | None = None
    is_breached: bool = False


def _mara(text: str) -> Said:
    """What Mara wrote in Zendesk, as Concord tells it in Jira."""
    return Said("Concord", f"Mara Lund (Mercuri Inc)\n\n{text}")


def _jo(text: str) -> Said:
    """What Jo wrote in Jira, as Concord tells it in Zendesk: to the agents, who decide what the shopper reads."""
    return Said("Concord", f"Jo Park (Infinity Solutions)\n\n{text}", public=False)


# --- Atlassian's document format ---


def _text(text: str, *marks: str) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"marks": [{"type": one} for one in marks]} if marks else {})}


def _paragraph(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(content)}


def _bullets(*lines: str) -> dict[str, Any]:
    items = [{"type": "listItem", "content": [_paragraph(_text(line))]} for line in lines]
    return {"type": "bulletList", "content": items}


def _document(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(blocks)}


# --- Fields that nobody touches ---

_ZENDESK_REST: Mapping[str, Any] = {
    "external_id": None,
    "tags": [],
    "due_at": None,
    "assignee": None,
    "360000000001": None,
    "360000000002": None,
    "360000000003": None,
}
_JIRA_REST: Mapping[str, Any] = {
    "issuetype": "Task",
    "resolution": None,
    "assignee": None,
    "reporter": CONCORD,
    "labels": [],
    "duedate": None,
    "customfield_10050": None,
    "customfield_10051": None,
    "customfield_10052": None,
    "customfield_10053": None,
}

# --- What they say ---

_BASKET_TEXT = (
    "After signing in at the checkout the basket is empty. Seen today:\n\n"
    "- with Firefox and with Safari\n- only when articles were added before signing in"
)
_VOUCHER_TEXT = "The code SUMMER is refused with “not for members”, although the letter says so."
_PARCEL_TEXT = "The link in the mail leads to a carrier that does not know the number."
_PICTURE = File("basket.png", 70, "6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0")
_LETTER = File("letter.txt", 49, "af77d2982f3a9c00b14a5dcbce46da0ae8be55822669dbaba8858e9a1123252e")
_CAUSE = "Found: the session is renewed at the sign-in and forgets the basket."
_MENDED = "The rule of SUMMER is mended and will be live in an hour."

# --- The ends ---

_IN_ZENDESK = {
    BASKET: Ending(
        {
            **_ZENDESK_REST,
            "subject": BASKET,
            "description": _BASKET_TEXT,
            "status": "solved",
            "priority": "high",
            "type": "incident",
            "tags": ["checkout"],
            "requester": "clara@shopper.example",
            # Whoever solves an unassigned ticket in Zendesk becomes its assignee.
            "assignee": CONCORD,
        },
        (
            Said("Mara Lund", _BASKET_TEXT),
            Said("Mara Lund", "It began this morning, after the release."),
            Said("Mara Lund", "She is close to cancelling: be generous.", public=False),
            Said("Mara Lund", "This is what she sees."),
            _jo(_CAUSE),
        ),
        (_PICTURE,),
        # Raised; three comments of hers; priority, open, cause and solved from Jira.
        changes=8,
    ),
    VOUCHER: Ending(
        {
            **_ZENDESK_REST,
            "subject": VOUCHER,
            "description": _VOUCHER_TEXT,
            "status": "solved",
            "priority": "high",
            "type": "question",
            "requester": "ben@shopper.example",
            "assignee": CONCORD,
        },
        (
            Said("Mara Lund", _VOUCHER_TEXT),
            Said("Mara Lund", "First remark: three more shoppers ask."),
            Said("Mara Lund", "Second remark: the letter went to all members."),
            Said("Mara Lund", "The letter is attached."),
            _jo(_MENDED),
        ),
        (_LETTER,),
        # Raised; three comments and a priority of hers; the answer and solved from Jira.
        changes=7,
    ),
    PARCEL: Ending(
        {
            **_ZENDESK_REST,
            "subject": PARCEL,
            "description": _PARCEL_TEXT,
            "status": "open",
            "priority": "urgent",
            "type": "incident",
            "requester": "clara@shopper.example",
        },
        (
            Said("Mara Lund", _PARCEL_TEXT),
            _jo("Please send me one of the numbers."),
            Said("Mara Lund", "Here is one: 00340434161094042557"),
        ),
        # Raised, pending, open; the question from Jira; the answer.
        changes=5,
    ),
}
_IN_JIRA = {
    BASKET: Ending(
        {
            **_JIRA_REST,
            "summary": BASKET,
            "description": _document(
                _paragraph(
                    _text("After signing in at the checkout the basket is "),
                    _text("empty", "strong"),
                    _text(". Seen today:"),
                ),
                _bullets("with Firefox and with Safari", "only when articles were added before signing in"),
            ),
            "status": "Done",
            "priority": "High",
            "resolution": "Done",
            "assignee": "jo@infinity.example",
            "labels": ["checkout"],
        },
        (
            _mara("It began this morning, after the release."),
            _mara("This is what she sees."),
            Said("Jo Park", _CAUSE),
        ),
        (_PICTURE,),
        # Comments are no history in Jira: priority, the file, and three times the status.
        changes=5,
    ),
    VOUCHER: Ending(
        {
            **_JIRA_REST,
            "summary": VOUCHER,
            "description": _document(_paragraph(_text(_VOUCHER_TEXT))),
            "status": "Done",
            "priority": "High",
            "resolution": "Done",
        },
        (
            _mara("First remark: three more shoppers ask."),
            _mara("Second remark: the letter went to all members."),
            _mara("The letter is attached."),
            Said("Jo Park", _MENDED),
        ),
        (_LETTER,),
        # Priority, the file, done.
        changes=3,
    ),
    PARCEL: Ending(
        {
            **_JIRA_REST,
            "summary": PARCEL,
            "description": _document(_paragraph(_text(_PARCEL_TEXT))),
            "status": "In Progress",
            "priority": "Highest",
        },
        (
            Said("Jo Park", "Please send me one of the numbers."),
            _mara("Here is one: 00340434161094042557"),
        ),
        # The status.
        changes=1,
    ),
}
TICKETS: Mapping[str, Mapping[str, Ending]] = {ZENDESK: _IN_ZENDESK, JIRA: _IN_JIRA}

CLOCKS: Mapping[str, tuple[ClockEnding, ...]] = {
    BASKET: (
        ClockEnding("response", "high", 30, stopped="answered"),
        ClockEnding("resolution", "high", 8 * 60, stopped="resolved"),
    ),
    VOUCHER: (
        ClockEnding("response", "high", 30, stopped="answered"),
        ClockEnding("resolution", "high", 8 * 60, stopped="resolved"),
    ),
    PARCEL: (
        # 40 minutes, of which 10 were spent waiting for the shopper, where 15 are allowed.
        ClockEnding(
            "response", "critical", 15, stopped="answered", pause=("paused", "resumed"), is_breached=True
        ),
        ClockEnding("resolution", "critical", 2 * 60, stopped=None, pause=("paused", "resumed")),
    ),
}
