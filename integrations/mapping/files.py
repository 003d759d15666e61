"""Which files pass from one side to the other: by the ending of their name, their declared type and their size.  Pure.

A name is judged as an operating system would act on it, not as it looks: signs that turn the direction of writing,
wide letters, dots and blanks at the end and a folder in front of it deceive nobody.
"""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from integrations.canonical import Value
from integrations.file_names import safe_name

MEGABYTE = 1024 * 1024
# What runs when somebody opens it: refused on arrival unless a side says otherwise.
# https://support.microsoft.com/office/blocked-attachments-in-outlook-434752e1-02d3-4e90-9124-8b81e49a8519
PROGRAMS: tuple[str, ...] = (
    *(".bat", ".cmd", ".com", ".cpl", ".exe", ".hta", ".jar", ".js", ".jse", ".lnk", ".msi", ".msp", ".pif"),
    *(".ps1", ".reg", ".scr", ".sh", ".vb", ".vbe", ".vbs", ".wsf", ".wsh"),
    *("application/hta", "application/java-archive", "application/javascript", "application/x-bat"),
    *("application/x-dosexec", "application/x-ms-installer", "application/x-msdos-program"),
    *("application/x-msdownload", "application/x-msi", "application/x-sh", "application/x-shellscript"),
    *("application/vnd.microsoft.portable-executable", "text/javascript", "text/vbscript"),
)
# What a text says in the place of the name of a file that stays.
NAMELESS = "file"
# Longer things after a dot are words of the name.
_LONGEST_ENDING = 16
_ENDING = re.compile(r"\.[^\s./\\,;:*?\"<>|]{1,16}\Z")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/(?:\*|[a-z0-9][a-z0-9!#$&^_.+-]*)\Z")
# The table that comes with Python alone: what this machine's own files say must not decide who gets what.
_TYPES = mimetypes.MimeTypes()


class FileCode(StrEnum):
    """Why rules do not let a file pass; the handbook has an entry for each."""

    TYPE_REFUSED = "file_type_refused"
    TOO_LARGE = "file_too_large"


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """What a side says of files in one direction.

    `max_bytes` 0: of any size.  `only` names what alone passes (empty: anything), `never` what does not whatever else
    holds.  Both hold endings (".pdf") and types ("application/pdf", "image/*").
    """

    max_bytes: int = 0
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


ANY_FILE = FilePolicy()


@dataclass(frozen=True, slots=True)
class FileRefusal:
    """Why a file does not pass, in a sentence that holds neither its name nor anything of it."""

    code: FileCode
    reason: str


def judge(
    policy: FilePolicy, *, name: str, content_type: str, size_bytes: int, is_outgoing: bool
) -> FileRefusal | None:
    """Why the policy does not let this file pass; None when it does.

    What never passes is looked for in the name and in the declared type.  What alone passes is looked for in the name:
    a declared type counts only where the name has no ending, because whoever opens the file goes by that.
    """
    endings, declared = _endings(name), _plain_type(content_type)
    ending = endings[-1]
    verb = "do not leave" if is_outgoing else "are not taken"
    kind = f"ending in {ending}" if ending else f"of the type {declared}" if declared else "without an ending"
    if _is_listed(policy.never, *endings, declared, *map(type_of, endings)):
        listed = ending if _is_listed(policy.never, *endings, *map(type_of, endings)) else ""
        shown = kind if listed else f"of the type {declared}"
        return FileRefusal(FileCode.TYPE_REFUSED, f"Files {shown} {verb}.")
    if policy.only and not _is_listed(policy.only, ending, type_of(ending) if ending else declared):
        passing = "leave" if is_outgoing else "are taken"
        return FileRefusal(
            FileCode.TYPE_REFUSED, f"Files {kind} {verb}; only {in_words(policy.only, most=12)} {passing}."
        )
    if 0 < policy.max_bytes < size_bytes:
        return too_large(policy.max_bytes, is_outgoing=is_outgoing)
    return None


def file_refusal(rules: FilePolicy, system: FilePolicy, file: Mapping[str, Any]) -> FileRefusal | None:
    """Why a file on its way is not taken, by the receiving side's rules or by what its system says itself.

    `file` is the envelope's: `name`, `content_type` and `size_bytes`.
    """
    facts = {name: file[name] for name in ("name", "content_type", "size_bytes")}
    return judge(rules, **facts, is_outgoing=False) or judge(system, **facts, is_outgoing=False)


def too_large(limit_bytes: int, *, is_outgoing: bool = False) -> FileRefusal:
    """The refusal of a file over a limit."""
    verb = "do not leave" if is_outgoing else "are not taken"
    return FileRefusal(FileCode.TOO_LARGE, f"Files of more than {size_in_words(limit_bytes)} {verb}.")


def narrowest(*limits_bytes: int) -> int:
    """The smallest of several limits, of which 0 means none; 0 when there is none."""
    return min((limit for limit in limits_bytes if limit > 0), default=0)


def _endings(name: str) -> tuple[str, ...]:
    """The endings by which a name may be acted on, lower case with their dot, the last one shown last; "" for none.

    Windows drops dots and blanks at the end, and takes what stands before a colon for the file.
    """
    plain = unicodedata.normalize("NFKC", safe_name(name))
    before_colon = plain.partition(":")[0]
    return tuple(dict.fromkeys((_ending_of(before_colon), _ending_of(plain))))


def _ending_of(plain: str) -> str:
    _, dot, ending = plain.rstrip(". ").rpartition(".")
    ending = ending.strip().casefold()
    return f".{ending}" if dot and 0 < len(ending) <= _LONGEST_ENDING else ""


def _plain_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().casefold()


def type_of(ending: str) -> str:
    """The type that an ending stands for; "" where it stands for none."""
    return _TYPES.types_map[True].get(ending, "") if ending else ""


def _is_listed(kinds: Sequence[str], *found: str) -> bool:
    groups = tuple(kind[:-1] for kind in kinds if kind.endswith("/*"))
    return any(one and (one in kinds or ("/" in one and one.startswith(groups))) for one in found)


def without_names(document: Value, stays: Callable[[str], bool]) -> Value:
    """A rich text's JSON in which files that stay are shown without their names; everything else as it was."""
    if isinstance(document, dict):
        name = document.get("file")
        if isinstance(name, str) and len(document) == 1:
            return {"file": NAMELESS} if stays(name) else document
        return {key: without_names(value, stays) for key, value in document.items()}
    if isinstance(document, list):
        return [without_names(one, stays) for one in document]
    return document


# --- In words ---


def read_kinds(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Endings and types as people write them ("PDF, *.png image/*"): those understood, and the words that are none."""
    kinds: dict[str, None] = {}
    strange: list[str] = []
    for word in re.split(r"[\s,;]+", text.strip()):
        kind = word.casefold()
        if "/" not in kind:
            kind = "." + kind.removeprefix("*").removeprefix(".")
        if not word:
            continue
        if (_TYPE if "/" in kind else _ENDING).match(kind):
            kinds[kind] = None
        else:
            strange.append(word)
    return tuple(kinds), tuple(strange)


def in_words(kinds: Sequence[str], *, most: int = 1000) -> str:
    """Several kinds in one line; those over `most` only by their number."""
    shown = ", ".join(kinds[:most])
    return f"{shown} and {len(kinds) - most} more" if len(kinds) > most else shown


def size_in_words(size_bytes: int) -> str:
    """A size as people say it: 1.5 MB, 20 kB, 12 bytes.  A kilobyte has 1024 bytes, as vendors count them."""
    for unit, size in (("GB", 1024 * MEGABYTE), ("MB", MEGABYTE), ("kB", 1024)):
        if size_bytes >= size:
            return f"{round(size_bytes / size, 1):g} {unit}"
    return f"{size_bytes} byte{'' if size_bytes == 1 else 's'}"


# --- Checks ---


def clashes(policy: FilePolicy, takes: FilePolicy, *, is_outgoing: bool) -> Iterator[tuple[bool, str]]:
    """What is wrong with a policy, as (whether it blocks, sentence).  `takes`: what the side's own system takes."""
    if policy.only and all(_is_listed(policy.never, kind, type_of(kind)) for kind in policy.only):
        yield True, "No file can pass: every kind that alone passes is also one that never does."
    elif both := [kind for kind in policy.only if _is_listed(policy.never, kind, type_of(kind))]:
        yield False, f"{in_words(both)}: listed as passing and as never passing. Such files do not pass."
    if is_outgoing:
        return
    if takes.max_bytes and policy.max_bytes > takes.max_bytes:
        yield (
            False,
            f"Files up to {size_in_words(policy.max_bytes)} are let in, and the system takes "
            f"{size_in_words(takes.max_bytes)}: a note goes in the place of a larger one.",
        )
    if takes.only and (foreign := [kind for kind in policy.only if not _is_listed(takes.only, kind)]):
        yield False, f"The system itself does not take {in_words(foreign)}: a note goes in their place."
    open_to = [
        kind
        for kind in PROGRAMS
        if kind.startswith(".")
        and judge(policy, name=f"a{kind}", content_type="", size_bytes=0, is_outgoing=False) is None
    ]
    if open_to:
        yield False, f"Programs and scripts are let in: {in_words(open_to, most=8)}."
