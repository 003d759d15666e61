"""Impact × urgency → priority, and the many ways in which sources write them."""

from __future__ import annotations

import pytest

from slas import matrix
from slas.matrix import Priority


def test_the_reference_matrix_is_the_agreed_one() -> None:
    derived = [
        [
            matrix.priority_of(matrix.REFERENCE, impact=impact, urgency=urgency).value
            for impact in (1, 2, 3, 4)
        ]
        for urgency in (1, 2, 3, 4)
    ]

    assert derived == [
        ["critical", "critical", "high", "high"],
        ["critical", "high", "high", "medium"],
        ["high", "medium", "medium", "medium"],
        ["low", "low", "low", "low"],
    ]


def test_an_agreement_may_have_its_own_matrix() -> None:
    own = matrix.matrix_from([["P1", 2, "3 - Moderate", "Low"]] * 4)

    assert [matrix.priority_of(own, impact=impact, urgency=4) for impact in (1, 2, 3, 4)] == list(Priority)


def test_a_matrix_reads_back_what_it_wrote() -> None:
    assert matrix.matrix_from(matrix.cells(matrix.REFERENCE)) == matrix.REFERENCE


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([["high"] * 4] * 3, "four rows of four"),
        ([["high"] * 5] * 4, "four rows of four"),
        ("critical", "four rows of four"),
        (None, "four rows of four"),
        (
            [["high"] * 4, ["high"] * 4, ["high", "soon", "high", "high"], ["high"] * 4],
            "“soon” at urgency 3, impact 2",
        ),
    ],
)
def test_a_table_that_is_no_matrix_is_refused(rows: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        matrix.matrix_from(rows)


@pytest.mark.parametrize(("impact", "urgency"), [(0, 1), (1, 5), (-1, 1)])
def test_levels_outside_one_to_four_have_no_priority(impact: int, urgency: int) -> None:
    with pytest.raises(ValueError, match="must be 1 to 4"):
        matrix.priority_of(matrix.REFERENCE, impact=impact, urgency=urgency)


@pytest.mark.parametrize(
    ("written", "level"),
    [
        (1, 1),
        (4.0, 4),
        ("2", 2),
        ("1 - High", 1),
        ("3 - Low", 3),
        ("high", 2),
        ("Critical", 1),
        ("Extensive / Widespread", 1),
        ("Significant / Large", 2),
        ("Moderate / Limited", 3),
        ("Minor / Localized", 4),
        (" Medium ", 3),
        ("Level 4", 4),
        (0, None),
        (5, None),
        (2.5, None),
        (True, None),
        ("", None),
        (None, None),
        ("10", None),
        ("1.5", None),
        ("between 2 and 3", None),
        ("somewhat", None),
        (["high"], None),
    ],
)
def test_impact_and_urgency_are_read_as_sources_write_them(written: object, level: int | None) -> None:
    assert matrix.parse_level(written) == level


@pytest.mark.parametrize(
    ("written", "priority"),
    [
        ("critical", "critical"),
        ("1 - Critical", "critical"),
        ("2 - High", "high"),
        ("3 - Moderate", "medium"),
        ("4 - Low", "low"),
        ("5 - Planning", "low"),
        ("2 - Critical", "critical"),
        ("P1", "critical"),
        ("p4", "low"),
        ("Sev 2", "high"),
        (3, "medium"),
        ("Highest", "critical"),
        ("Lowest", "low"),
        ("urgent", "critical"),
        ("normal", "medium"),
        ("high or low", None),
        ("P5", None),
        ("", None),
        (None, None),
    ],
)
def test_priorities_are_read_as_sources_write_them(written: object, priority: str | None) -> None:
    assert matrix.parse_priority(written) == priority


def test_ranks_follow_the_words() -> None:
    assert [priority.rank for priority in Priority] == [1, 2, 3, 4]
