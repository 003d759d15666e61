"""Which parts of one sequence are which parts of another.  Pure; costs n log n, but for short gaps."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

Pairs = list[tuple[int, int]]
# Beyond this many possible pairs, a gap is paired by position.
_MAX_GAP_WORK = 2_500
_SIMILAR = 0.3


def matches(left: Sequence[Hashable], right: Sequence[Hashable]) -> Pairs:
    """Equal parts as pairs of positions, both rising.

    What stands once on both sides and in the same order is surest; what repeats is matched beside those.
    """
    count_left, count_right = Counter(left), Counter(right)
    place = {key: at for at, key in enumerate(right) if count_right[key] == 1}
    unique = [(at, place[key]) for at, key in enumerate(left) if count_left[key] == 1 and key in place]
    found: Pairs = []
    start = (0, 0)
    # The end of both is an anchor too: from there backwards equal parts match.
    for anchor in [*_longest_rising(unique), (len(left), len(right))]:
        found += _around(left, right, start, anchor)
        if anchor[0] < len(left) and anchor[1] < len(right):
            found.append(anchor)
        start = (anchor[0] + 1, anchor[1] + 1)
    return found


def _around(
    left: Sequence[Hashable], right: Sequence[Hashable], start: tuple[int, int], end: tuple[int, int]
) -> Pairs:
    """Equal parts at the beginning and at the end of what lies between two anchors."""
    first: Pairs = []
    i, j = start
    while i < end[0] and j < end[1] and left[i] == right[j]:
        first.append((i, j))
        i, j = i + 1, j + 1
    last: Pairs = []
    k, m = end
    while k > i and m > j and left[k - 1] == right[m - 1]:
        k, m = k - 1, m - 1
        last.append((k, m))
    return first + last[::-1]


def _longest_rising(pairs: Pairs) -> Pairs:
    """The longest run of pairs in which both positions rise; the first ones rise already."""
    ends: list[int] = []
    tops: list[int] = []
    before: list[int] = []
    for at, (_, right) in enumerate(pairs):
        pile = bisect_left(ends, right)
        before.append(tops[pile - 1] if pile else -1)
        if pile == len(ends):
            ends.append(right)
            tops.append(at)
        else:
            ends[pile], tops[pile] = right, at
    found: Pairs = []
    at = tops[-1] if tops else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]


def paired(
    left: Sequence[Hashable],
    right: Sequence[Hashable],
    equal: Pairs,
    similarity: Callable[[int, int], float],
) -> Pairs:
    """All pairs: the `equal` ones, and between them those parts that became one another, both positions rising.

    Alone in a gap, two parts are one another.  In a larger gap the likeness decides, in a very large one the place.
    """
    found: Pairs = []
    i = j = 0
    for anchor in [*equal, (len(left), len(right))]:
        found += _gap(range(i, anchor[0]), range(j, anchor[1]), similarity)
        if anchor[0] < len(left):
            found.append(anchor)
        i, j = anchor[0] + 1, anchor[1] + 1
    return found


def _gap(left: range, right: range, similarity: Callable[[int, int], float]) -> Pairs:
    if len(left) == len(right) == 1 or len(left) * len(right) > _MAX_GAP_WORK:
        return list(zip(left, right, strict=False))
    # The best sum of likenesses over all ways to pair without crossing; ties go to the earlier part.
    best = [[0.0] * (len(right) + 1) for _ in range(len(left) + 1)]
    alike = [[similarity(i, j) for j in right] for i in left]
    for i in range(len(left) - 1, -1, -1):
        for j in range(len(right) - 1, -1, -1):
            together = alike[i][j] + best[i + 1][j + 1] if alike[i][j] >= _SIMILAR else 0.0
            best[i][j] = max(together, best[i + 1][j], best[i][j + 1])
    found: Pairs = []
    i = j = 0
    while i < len(left) and j < len(right):
        if alike[i][j] >= _SIMILAR and best[i][j] == alike[i][j] + best[i + 1][j + 1]:
            found.append((left[i], right[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found
