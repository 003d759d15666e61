"""Azure DevOps' error answers read: which rule, which field, which meaning.  Pure, and safe on any body.

Bodies are a wrapped exception, `{"message", "typeKey", "errorCode", "customProperties"}`, or from below the work item
service `{"count": 1, "value": {"Message"}}`, or a page.  `typeKey` is stable; words are in the account's language, so the
meaning is taken from them only where nothing else tells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from integrations.connectors import errors
from integrations.connectors.answers import MAX_DETAIL_CHARS, retry_after_s
from integrations.connectors.azure_devops.fields import DESCRIPTION, NAMES
from integrations.connectors.azure_devops.process import REPRO_STEPS
from integrations.connectors.http import redacted

# 600122: somebody else wrote a revision at the same moment.
_STALE = frozenset(("WorkItemRevisionMismatchException", "TestPatchOperationFailedException"))
_STALE_CODE = 600122
_MISSING_PLACE = re.compile(
    r"Project\w*DoesNotExist\w*Exception|WorkItemTypeNotFoundException|^TF200016|^VS402323"
)
_TOO_LARGE = re.compile(
    r"AttachmentExceedsMaxSize|TF237082|TagLimitExceeded|LinksLimitExceeded|TF401350|TF237083|cannot be longer than"
)
_NO_FIELD = re.compile(r"FieldDefinitionNotFound|TF51535")
_FIELD_IN_WORDS = re.compile(r"(?:field|FieldReferenceName:?) '?\"?([A-Za-z]\w*(?:\.[\w-]+)+)")
_HIDDEN = re.compile(r"WorkItemUnauthorizedAccessException|TF401232")
_FILE_GONE = re.compile(r"AttachmentNotFound")


class NotSeen(errors.Forbidden):
    """A work item that does not exist or may not be seen: Azure DevOps does not tell which."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error body read.  `fields`: our names of fields -> the vendor's words; `flags` are about the first of them."""

    message: str = ""
    key: str = ""
    code: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """All that says what is wrong."""
        return " ".join((self.key, self.message, *self.fields.values()))


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> errors.ConnectorError | None:
    """The error for Azure DevOps' answer, or None where the status alone says it best."""
    if status == 401 and b"expired" in body[:500]:
        return errors.Unauthorized("The personal access token has expired.", status=status)
    problem = read_problem(body)
    if problem is None:
        return None
    detail = redacted(f"{problem.key}: {problem.message}")[:MAX_DETAIL_CHARS]
    if problem.key in _STALE or problem.code == _STALE_CODE:
        return errors.Stale("The work item was changed at the same moment.", status=status, detail=detail)
    if status == 404:
        return _missing(problem, detail)
    if status == 403:
        return errors.Forbidden(
            "Our Azure DevOps account lacks the right to do this.", status=status, detail=detail
        )
    if status == 429:
        return errors.RateLimited(
            "Azure DevOps asked us to slow down.",
            retry_after_s=retry_after_s(headers),
            status=status,
            detail=detail,
        )
    return _invalid(status, problem, detail) if status in (400, 409, 413, 415, 422) else None


def _missing(problem: Problem, detail: str) -> errors.ConnectorError:
    if _MISSING_PLACE.search(problem.key) or _MISSING_PLACE.search(problem.message):
        return errors.Forbidden(
            "The project or the type of work item does not exist, or our account may not see it.",
            status=404,
            detail=detail,
        )
    if _FILE_GONE.search(problem.words):
        return errors.Gone("The file is no longer in Azure DevOps.", status=404, detail=detail)
    if _HIDDEN.search(problem.words):
        return NotSeen(
            "The work item does not exist, or our account may no longer see it.", status=404, detail=detail
        )
    return errors.Refused("Azure DevOps does not have what we asked for.", status=404, detail=detail)


def _invalid(status: int, problem: Problem, detail: str) -> errors.ConnectorError:
    fields = dict(problem.fields)
    names = ", ".join(f"“{name}”" for name in fields)
    flags = " ".join(problem.flags.values())
    if _TOO_LARGE.search(problem.words) or "invalidTooLong" in flags:
        what = f"The text for {names}" if names else "The text, the file or the number of tags or links"
        return errors.TooLarge(
            f"{what} is over Azure DevOps' limit.", fields=fields, status=status, detail=detail
        )
    if fields and all("invalidEmpty" in problem.flags.get(name, "") for name in fields):
        return errors.RequiredField(
            f"Azure DevOps demands a value for {names}.", fields=fields, status=status, detail=detail
        )
    if set(fields) == {"status"}:
        return errors.NoTransition(
            "Azure DevOps does not let the work item go to that state from its present one.",
            fields=fields,
            status=status,
            detail=detail,
        )
    if _NO_FIELD.search(problem.words):
        which = names or "a field"
        return errors.Invalid(
            f"Work items of this type do not have {which}.", fields=fields, status=status, detail=detail
        )
    message = (
        f"Azure DevOps did not accept the value for {names}."
        if names
        else "Azure DevOps did not accept the request."
    )
    return errors.Invalid(message, fields=fields, status=status, detail=detail)


def read_problem(body: bytes) -> Problem | None:
    """What an error body says; None when it is none of Azure DevOps' own."""
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    inner = value.get("value")
    if isinstance(inner, dict) and "message" not in value:
        return Problem(_text(inner, "Message"))
    message, code = _text(value, "message"), value.get("errorCode")
    properties = value.get("customProperties")
    broken = properties.get("RuleValidationErrors") if isinstance(properties, dict) else None
    fields: dict[str, str] = {}
    flags: dict[str, str] = {}
    for one in broken if isinstance(broken, list) else ():
        if isinstance(one, dict) and (reference := _text(one, "fieldReferenceName")):
            name = our_name(reference)
            fields[name], flags[name] = _text(one, "errorMessage"), _text(one, "fieldStatusFlags")
    if not fields and (named := _FIELD_IN_WORDS.search(message)):
        fields[our_name(named[1])] = message
    return Problem(message, _text(value, "typeKey"), code if isinstance(code, int) else 0, fields, flags)


def our_name(reference: str) -> str:
    """Our name of a field in an error, whatever the type of the work item is."""
    return "description" if reference in (DESCRIPTION, REPRO_STEPS) else NAMES.get(reference, reference)


def _text(value: Mapping[str, object], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""
