"""Names of files on their way into another system."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.file_names import MAX_BYTES, safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.txt", "report.txt"),
        ("障害 レポート (1)&,;='.pdf", "障害 レポート (1)&,;='.pdf"),
        ("no extension", "no extension"),
        (".env", ".env"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("a\r\nX-Evil: 1.txt", "a X-Evil: 1.txt"),
        ("  a \t b.txt ", "a b.txt"),
        ("a\x00b\x1b.txt", "a b .txt"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("half\ud83d.txt", "half?.txt"),
        ("", "file"),
        ("dir/", "file"),
        ("..", "file"),
        ("\u202e", "file"),
        ("x" * 300 + ".gz", "x" * 252 + ".gz"),
        ("x" * 300, "x" * 255),
        ("語" * 100 + ".pdf", "語" * 83 + ".pdf"),
        ("a." + "x" * 300, "a." + "x" * 253),
    ],
)
def test_a_name_keeps_its_letters_and_loses_what_could_harm(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@given(st.text(st.characters(), max_size=400))
def test_any_name_becomes_one_that_can_be_sent_and_stays_as_it_is_then(name: str) -> None:
    safe = safe_name(name)
    assert safe_name(safe) == safe
    assert 0 < len(safe.encode()) <= MAX_BYTES
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in safe)
    assert "/" not in safe
    assert "\\" not in safe
