"""Which files pass, by name, declared type and size."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.mapping.files import (
    ANY_FILE,
    MEGABYTE,
    PROGRAMS,
    FileCode,
    FilePolicy,
    FileRefusal,
    clashes,
    in_words,
    judge,
    narrowest,
    read_kinds,
    size_in_words,
    without_names,
)
from integrations.mapping.plan import release
from integrations.mapping.rules import NO_RULES, FieldRule, RuleSet
from integrations.richtext.blocks import BulletList, Document, File, Item, from_plain

NO_PROGRAMS = FilePolicy(never=PROGRAMS)


def taken(policy: FilePolicy, name: str, content_type: str = "", size_bytes: int = 1) -> bool:
    refusal = judge(policy, name=name, content_type=content_type, size_bytes=size_bytes, is_outgoing=False)
    return refusal is None


@pytest.mark.parametrize(
    "name",
    [
        "setup.exe",
        "SETUP.EXE",
        "invoice.pdf.exe",
        "setup.exe.",
        "setup.exe . .",
        "C:\\temp\\setup.exe",
        "../../setup.exe",
        "setup.exe:stream.txt",
        "setup．ｅｘｅ",
        "invoice\u202efdp.exe",
        "a\r\nb.exe",
        ".exe",
        "x" * 300 + ".exe",
        "障害 (1)&,.ps1",
        "run.JS",
    ],
)
def test_a_program_is_known_by_what_a_computer_makes_of_its_name(name: str) -> None:
    assert not taken(NO_PROGRAMS, name)


@pytest.mark.parametrize(
    "name",
    ["report.pdf", "no ending", "", "notes.exe.txt", "障害 (1)&,.txt", "a.json", "exe", "12:30.png", "v1.2"],
)
def test_what_is_no_program_passes(name: str) -> None:
    assert taken(NO_PROGRAMS, name)


@pytest.mark.parametrize(
    ("content_type", "passes"),
    [
        ("application/x-msdownload", False),
        ("Application/X-MSDownload; name=a", False),
        ("text/javascript;charset=utf-8", False),
        ("text/plain", True),
        ("application/octet-stream", True),
        ("", True),
        ("nonsense", True),
    ],
)
def test_a_declared_type_that_never_passes_is_refused_whatever_the_name_is(
    content_type: str, passes: bool
) -> None:
    assert taken(NO_PROGRAMS, "harmless.txt", content_type) is passes
    assert taken(NO_PROGRAMS, "harmless", content_type) is passes


@pytest.mark.parametrize(
    ("name", "content_type", "passes"),
    [
        ("a.pdf", "", True),
        ("a.PDF", "application/octet-stream", True),
        ("photo.png", "image/png", True),
        # The ending stands for a type that is listed.
        ("photo.jpeg", "application/octet-stream", True),
        ("photo.scr", "image/png", False),
        ("photo.txt", "image/png", False),
        # Without an ending the declared type is all there is.
        ("photo", "image/png", True),
        ("photo", "text/plain", False),
        ("photo", "", False),
    ],
)
def test_what_alone_passes_is_told_by_the_ending_and_by_the_type_only_where_there_is_none(
    name: str, content_type: str, passes: bool
) -> None:
    assert taken(FilePolicy(only=(".pdf", "image/*")), name, content_type) is passes


def test_what_never_passes_wins_over_what_alone_passes() -> None:
    assert not taken(FilePolicy(only=("image/*",), never=(".svg",)), "a.svg", "image/svg+xml")
    assert not taken(FilePolicy(only=(".svg",), never=("image/*",)), "a.svg")


def test_a_file_of_exactly_the_largest_size_passes() -> None:
    policy = FilePolicy(max_bytes=2 * MEGABYTE)

    assert taken(policy, "a.txt", size_bytes=2 * MEGABYTE)
    assert not taken(policy, "a.txt", size_bytes=2 * MEGABYTE + 1)


@pytest.mark.parametrize(
    ("policy", "name", "content_type", "size", "is_outgoing", "refusal"),
    [
        (NO_PROGRAMS, "a.exe", "", 1, False, (FileCode.TYPE_REFUSED, "Files ending in .exe are not taken.")),
        (NO_PROGRAMS, "a.exe", "", 1, True, (FileCode.TYPE_REFUSED, "Files ending in .exe do not leave.")),
        (
            NO_PROGRAMS,
            "a.txt",
            "application/x-sh",
            1,
            False,
            (FileCode.TYPE_REFUSED, "Files of the type application/x-sh are not taken."),
        ),
        (
            FilePolicy(only=(".pdf", ".png")),
            "a",
            "",
            1,
            False,
            (FileCode.TYPE_REFUSED, "Files without an ending are not taken; only .pdf, .png are taken."),
        ),
        (
            FilePolicy(only=(".pdf",)),
            "a.txt",
            "",
            1,
            True,
            (FileCode.TYPE_REFUSED, "Files ending in .txt do not leave; only .pdf leave."),
        ),
        (
            FilePolicy(max_bytes=MEGABYTE),
            "a.txt",
            "",
            2 * MEGABYTE,
            False,
            (FileCode.TOO_LARGE, "Files of more than 1 MB are not taken."),
        ),
        (ANY_FILE, "a.exe", "application/x-sh", 10**12, False, None),
    ],
)
def test_the_reason_is_a_sentence_without_the_files_name(
    policy: FilePolicy, name: str, content_type: str, size: int, is_outgoing: bool, refusal: tuple | None
) -> None:
    found = judge(policy, name=name, content_type=content_type, size_bytes=size, is_outgoing=is_outgoing)

    assert found == (FileRefusal(*refusal) if refusal else None)


@given(st.text(max_size=300), st.text(max_size=80), st.integers(0, 10**15))
def test_any_name_and_type_can_be_judged(name: str, content_type: str, size: int) -> None:
    policy = FilePolicy(10, (".pdf", "image/*"), PROGRAMS)

    found = judge(policy, name=name, content_type=content_type, size_bytes=size, is_outgoing=False)

    assert found is None or found.reason.endswith(".")


def test_the_narrowest_limit_is_the_smallest_that_there_is() -> None:
    assert [narrowest(0, 5, 3), narrowest(0, 5), narrowest(0, 0), narrowest()] == [3, 5, 0, 0]


# --- As people write it ---


@pytest.mark.parametrize(
    ("text", "kinds", "strange"),
    [
        ("", (), ()),
        ("pdf", (".pdf",), ()),
        (" .PDF,*.png;  image/* ,Application/PDF\n.pdf", (".pdf", ".png", "image/*", "application/pdf"), ()),
        ("tar.gz", (), ("tar.gz",)),
        ("a/b/c */* ../x .", (), ("a/b/c", "*/*", "../x", ".")),
        (".7z, .c++", (".7z", ".c++"), ()),
        ("." + "x" * 17, (), ("." + "x" * 17,)),
    ],
)
def test_endings_and_types_are_read_as_people_write_them(text: str, kinds: tuple, strange: tuple) -> None:
    assert read_kinds(text) == (kinds, strange)


def test_what_ships_is_read_as_it_is_written() -> None:
    assert read_kinds(in_words(PROGRAMS)) == (PROGRAMS, ())


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (2048, "2 kB"),
        (MEGABYTE * 3 // 2, "1.5 MB"),
        (20 * MEGABYTE, "20 MB"),
        (1024 * MEGABYTE, "1 GB"),
    ],
)
def test_sizes_are_told_as_people_say_them(size: int, words: str) -> None:
    assert size_in_words(size) == words


# --- Names in texts ---


def test_a_text_shows_a_file_that_stays_without_its_name() -> None:
    document = Document(
        (*from_plain("See this").blocks, File("plan.exe"), BulletList((Item((File("b.png"),)),)))
    )

    shown = without_names(document.as_value(), lambda name: name.endswith(".exe"))

    assert (
        shown
        == Document(
            (*from_plain("See this").blocks, File("file"), BulletList((Item((File("b.png"),)),)))
        ).as_value()
    )


@pytest.mark.parametrize(
    ("rules", "name"),
    [
        (RuleSet(1, 1, (), files=NO_PROGRAMS), "file"),
        (RuleSet(1, 1, (), shares_files=False), "file"),
        (RuleSet(1, 1, ()), "plan.exe"),
        (RuleSet(1, 1, (), files=FilePolicy(only=(".exe",))), "plan.exe"),
    ],
)
def test_a_released_description_does_not_tell_the_name_of_a_file_that_stays(
    rules: RuleSet, name: str
) -> None:
    rules = replace(rules, rules=(FieldRule("description", "description"),))

    released = release(rules, {"description": Document((File("plan.exe"),)).as_value()})

    assert released.fields == {"description": Document((File(name),)).as_value()}


# --- Checks ---


@pytest.mark.parametrize(
    ("policy", "takes", "is_outgoing", "found"),
    [
        (NO_PROGRAMS, FilePolicy(MEGABYTE), False, []),
        (ANY_FILE, ANY_FILE, True, []),
        (
            ANY_FILE,
            ANY_FILE,
            False,
            [
                (
                    False,
                    "Programs and scripts are let in: .bat, .cmd, .com, .cpl, .exe, .hta, .jar, .js and 14 more.",
                )
            ],
        ),
        (
            FilePolicy(max_bytes=100 * MEGABYTE, never=PROGRAMS),
            FilePolicy(20 * MEGABYTE),
            False,
            [
                (
                    False,
                    "Files up to 100 MB are let in, and the system takes 20 MB: a note goes in the place of a "
                    "larger one.",
                )
            ],
        ),
        (FilePolicy(max_bytes=100 * MEGABYTE), FilePolicy(20 * MEGABYTE), True, []),
        (
            FilePolicy(only=(".exe",), never=(".exe",)),
            ANY_FILE,
            True,
            [(True, "No file can pass: every kind that alone passes is also one that never does.")],
        ),
        (
            FilePolicy(only=(".exe", ".pdf"), never=(".exe",)),
            ANY_FILE,
            True,
            [(False, ".exe: listed as passing and as never passing. Such files do not pass.")],
        ),
        (
            FilePolicy(only=(".pdf", ".dwg")),
            FilePolicy(only=(".pdf",)),
            False,
            [(False, "The system itself does not take .dwg: a note goes in their place.")],
        ),
    ],
)
def test_clashes_are_named(policy: FilePolicy, takes: FilePolicy, is_outgoing: bool, found: list) -> None:
    assert list(clashes(policy, takes, is_outgoing=is_outgoing)) == found


def test_a_side_that_shares_no_files_withholds_each_of_them() -> None:
    assert RuleSet(1, 1, (), shares_files=False).withholds(name="a.txt") == FileRefusal(
        FileCode.TYPE_REFUSED, "Files do not leave."
    )
    assert NO_RULES.withholds(name="a.exe") is None
