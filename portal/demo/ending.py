"""What must be left when the story is over, written by hand: every ticket, field, comment and file, and the clocks.

Nothing here is worked out from rules, mappings or the story's steps: what was written apart must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portal.demo.seed import JIRA, ZENDESK
from portal.demo.shapes import (
    ClockEnding,
    Ending,
    File,
    Said,
    bullets,
    document,
    from_jo,
    from_mara,
    html,
    html_bullets,
    html_paragraph,
    jo,
    mara,
    paragraph,
    text,
)

BASKET = "Basket is empty after signing in"
VOUCHER = "Voucher is refused for members"
PARCEL = "Parcel is tracked with the wrong carrier"
INTERNAL = "close to cancelling"
CONCORD = "concord@sandbox.example"

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
            Said(
                "Mara Lund",
                _BASKET_TEXT,
                html(
                    html_paragraph(
                        "After signing in at the checkout the basket is <strong>empty</strong>. Seen today:"
                    ),
                    html_bullets(
                        "with Firefox and with Safari",
                        "only when articles were added before signing in",
                    ),
                ),
            ),
            mara("It began this morning, after the release."),
            mara("She is close to cancelling: be generous.", public=False),
            mara("This is what she sees."),
            from_jo(_CAUSE),
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
            mara(_VOUCHER_TEXT),
            mara("First remark: three more shoppers ask."),
            mara("Second remark: the letter went to all members."),
            mara("The letter is attached."),
            from_jo(_MENDED),
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
            mara(_PARCEL_TEXT),
            from_jo("Please send me one of the numbers."),
            mara("Here is one: 00340434161094042557"),
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
            "description": document(
                paragraph(
                    text("After signing in at the checkout the basket is "),
                    text("empty", "strong"),
                    text(". Seen today:"),
                ),
                bullets("with Firefox and with Safari", "only when articles were added before signing in"),
            ),
            "status": "Done",
            "priority": "High",
            "resolution": "Done",
            "assignee": "jo@infinity.example",
            "labels": ["checkout"],
        },
        (
            from_mara("It began this morning, after the release."),
            from_mara("This is what she sees."),
            jo(_CAUSE),
        ),
        (_PICTURE,),
        # Comments are no history in Jira: priority, the file, and three times the status.
        changes=5,
        properties=("concord",),
    ),
    VOUCHER: Ending(
        {
            **_JIRA_REST,
            "summary": VOUCHER,
            "description": document(paragraph(text(_VOUCHER_TEXT))),
            "status": "Done",
            "priority": "High",
            "resolution": "Done",
        },
        (
            from_mara("First remark: three more shoppers ask."),
            from_mara("Second remark: the letter went to all members."),
            from_mara("The letter is attached."),
            jo(_MENDED),
        ),
        (_LETTER,),
        # Priority, the file, done.
        changes=3,
        properties=("concord",),
    ),
    PARCEL: Ending(
        {
            **_JIRA_REST,
            "summary": PARCEL,
            "description": document(paragraph(text(_PARCEL_TEXT))),
            "status": "In Progress",
            "priority": "Highest",
        },
        (
            jo("Please send me one of the numbers."),
            from_mara("Here is one: 00340434161094042557"),
        ),
        # The status.
        changes=1,
        properties=("concord",),
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
