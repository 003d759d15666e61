"""Compares both sides of a link as their systems hold them now, and tells what the rules do not account for.  Pure.

Fields are judged in the receiver's terms, comments and files by what was delivered: nothing that a side made by itself
is ever called too much, and nothing here removes anything.  What rules or people meant to be different is an exception
and is named as such; the rest is drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from integrations.canonical import Attachment, Comment, Value
from integrations.engine.undoing import Standing
from integrations.engine.values import NO_STAMP, DeliveryState, Stamp, Winner
from integrations.mapping.agreement import Arrival, End, Settle, arrival, own_field
from integrations.mapping.plan import text_of
from integrations.mapping.rules import Transform, UpdateMode
from integrations.richtext import blocks


class Kind(StrEnum):
    """What of a ticket a finding speaks of."""

    FIELD = "field"
    COMMENT = "comment"
    FILE = "file"


class Reason(StrEnum):
    """Why something is drift.  The values are shown to people by their label and kept in the database."""

    # It was changed in its system and the system's history does not show it.
    UNRECORDED = "unrecorded"
    # The history shows it, our rules carry it, and the other side does not hold it.
    NOT_THERE = "not_there"
    # It had arrived and has been removed since.
    REMOVED = "removed"
    # It stands there for more people than it was released for.
    VISIBILITY = "visibility"
    # It stands there before one that is older.
    ORDER = "order"


class Exempt(StrEnum):
    """Why something may differ: the rules, or somebody's decision, say so."""

    ONE_WAY = "one_way"
    REDACTED = "redacted"
    ONLY_IF_NEW = "only_if_new"
    ONLY_IF_EMPTY = "only_if_empty"
    APPEND = "append"
    NO_RULE = "no_rule"
    NO_ROW = "no_row"
    INTERNAL = "internal"
    NOT_SHARED = "not_shared"
    BEFORE = "before"
    LEFT_OUT = "left_out"
    OVERTAKEN = "overtaken"
    EDITED = "edited"
    STAND_IN = "stand_in"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of one comment or file: the delivery that carried it over this link.

    `made` is what it is called at the receiver: a comment in the place of a file is a note about it.  `body` is the
    text that was to stand there and `is_public` for whom; `source` is the text as it was released.
    """

    state: DeliveryState
    made: str = ""
    body: Value = None
    source: Value = None
    is_public: bool = True
    # Of a file, as it was counted on its way; 0 where that is not known.
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """One side: `end` with what its system holds now, `known` what its history told until now.

    `ours` are comments and files there that came over this very link; `carried` tells what became of its own, by id;
    `recorded` are ids of comments and files that its history has shown, `withheld` of files that its rules kept back;
    `undone` its own fields in which an undoing still stands.
    """

    end: End
    known: Mapping[str, Value]
    winners: Mapping[str, Winner] = field(default_factory=dict)
    comments: Sequence[Comment] = ()
    files: Sequence[Attachment] = ()
    ours: frozenset[str] = frozenset()
    recorded: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    carried: Mapping[str, Carried] = field(default_factory=dict)
    undone: Mapping[str, Standing] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing in which the sides differ without a reason in the rules.

    `from_left` names the side whose value counts; `expected` and `found` are in the other one's own terms.  `key` is the
    field of the data dictionary, or the id of the comment or file at the side it comes from.
    """

    kind: Kind
    key: str
    from_left: bool
    reason: Reason
    expected: str
    found: str

    @property
    def can_be_repaired(self) -> bool:
        """Whether writing can mend it: a text that too many can read, or an order, cannot be taken back by us."""
        return self.reason not in (Reason.VISIBILITY, Reason.ORDER)

    @property
    def needs_a_person(self) -> bool:
        """Whether it is never repaired without being asked.

        Somebody there removed it, perhaps for a reason; or a file stands there that is not whole, and would stand there
        twice.
        """
        is_not_whole = self.kind is Kind.FILE and bool(self.found)
        return self.reason is Reason.REMOVED or is_not_whole or not self.can_be_repaired


@dataclass(frozen=True, slots=True)
class Exemption:
    """Something that may differ, and why.

    `from_left` names whose comment or file it is, or who sent the field that was undone; None for other fields.
    `at` and `by` tell when, as ISO text, and by whom it was undone.
    """

    kind: Kind
    key: str
    why: Exempt
    from_left: bool | None = None
    at: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """What comparing both sides found.  `fields` agree; `comments` and `files` stand on both sides as released."""

    fields: tuple[str, ...]
    comments: int
    files: int
    drifts: tuple[Drift, ...]
    exceptions: tuple[Exemption, ...]

    @property
    def agrees(self) -> bool:
        """Whether everything that the rules keep in step is."""
        return not self.drifts


def examine(names: Iterable[str], left: Place, right: Place, settled: Settle) -> Examined:
    """Compare both sides; `names` are the fields of the data dictionary.  May be repeated: it only computes."""
    found = _Finding(settled)
    for name in names:
        found.compare_field(name, left, right)
    for sender, receiver, from_left in ((left, right, True), (right, left, False)):
        found.compare_comments(sender, receiver, from_left)
        found.compare_files(sender, receiver, from_left)
    return Examined(
        tuple(found.fields), found.comments, found.files, tuple(found.drifts), tuple(found.exceptions)
    )


class _Finding:
    """What has been found so far."""

    def __init__(self, settled: Settle) -> None:
        self.settled = settled
        self.fields: list[str] = []
        self.comments = 0
        self.files = 0
        self.drifts: list[Drift] = []
        self.exceptions: list[Exemption] = []

    # Fields.

    def compare_field(self, name: str, left: Place, right: Place) -> None:
        forth = arrival(name, left.end, right.end, self.settled)
        back = arrival(name, right.end, left.end, self.settled)
        ways = [way for way in (forth, back) if way]
        if not ways:
            self._except(Kind.FIELD, name, _why_not_kept(name, left, right))
        elif any(way.out.transform is Transform.REDACT for way in ways if way.holds):
            self._except(Kind.FIELD, name, Exempt.REDACTED)
        elif any(way.holds for way in ways):
            self.fields.append(name)
        elif not any(way.is_told for way in ways):
            self._except(Kind.FIELD, name, Exempt.NO_ROW)
        else:
            self._differs(name, left, right, forth, back)

    def _differs(
        self, name: str, left: Place, right: Place, forth: Arrival | None, back: Arrival | None
    ) -> None:
        if undone := _undone(name, left, right, forth, back):
            self.exceptions.append(undone)
            return
        unrecorded = {True: _is_unrecorded(name, left), False: _is_unrecorded(name, right)}
        if forth is None or back is None:
            from_left = back is None
            receiver, way = (right, forth) if from_left else (left, back)
            assert way is not None
            if unrecorded[not from_left] or _is_its_own(way.into.target, receiver):
                self._except(Kind.FIELD, name, Exempt.ONE_WAY)
                return
        elif unrecorded[True] != unrecorded[False]:
            # The side that changed without telling is the one whose value the other has not got.
            from_left = unrecorded[True]
        else:
            from_left = _stamp(name, left) >= _stamp(name, right)
        sender_way, receiver = (forth, right) if from_left else (back, left)
        assert sender_way is not None
        if not sender_way.is_told:
            self._except(Kind.FIELD, name, Exempt.NO_ROW)
            return
        reason = Reason.UNRECORDED if unrecorded[from_left] else Reason.NOT_THERE
        held = receiver.end.actual.get(sender_way.into.target)
        self.drifts.append(
            Drift(Kind.FIELD, name, from_left, reason, text_of(sender_way.value), text_of(held))
        )

    # Comments.

    def compare_comments(self, sender: Place, receiver: Place, from_left: bool) -> None:
        there = {comment.id: place for place, comment in enumerate(receiver.comments)}
        last = -1
        for comment in sender.comments:
            if comment.id in sender.ours:
                continue
            one = sender.carried.get(comment.id)
            if one is None:
                self._not_carried(
                    Kind.COMMENT, comment.id, sender, from_left, _shared(comment, sender), comment
                )
                continue
            if not self._has_arrived(
                Kind.COMMENT, comment.id, one, from_left, one.made in there, _plain(comment.body)
            ):
                continue
            place = there[one.made]
            stands = receiver.comments[place]
            if stands.is_public and not one.is_public:
                self._drift(Kind.COMMENT, comment.id, from_left, Reason.VISIBILITY, "internal", "public")
                continue
            if place < last:
                expected = f"after “{_plain(receiver.comments[last].body)}”"
                self._drift(Kind.COMMENT, comment.id, from_left, Reason.ORDER, expected, _plain(stands.body))
                continue
            last = place
            if _plain(stands.body) != _plain(one.body) or _plain(comment.body) != _plain(one.source):
                self._except(Kind.COMMENT, comment.id, Exempt.EDITED, from_left)
            else:
                self.comments += 1

    def compare_files(self, sender: Place, receiver: Place, from_left: bool) -> None:
        hidden = {
            file.id: _shared(comment, sender) for comment in sender.comments for file in comment.attachments
        }
        files = {file.id: file for file in receiver.files}
        notes = {comment.id for comment in receiver.comments}
        for file in sender.files:
            if file.id in sender.ours:
                continue
            one = sender.carried.get(file.id)
            if one is None:
                why = hidden.get(file.id)
                if file.id in sender.withheld or (why is None and not sender.end.outgoing.shares_files):
                    why = Exempt.NOT_SHARED
                self._not_carried(Kind.FILE, file.id, sender, from_left, why, file)
                continue
            stands = files.get(one.made) or next((f for f in files.values() if f.name == file.name), None)
            is_there = stands is not None or one.made in notes
            if not self._has_arrived(Kind.FILE, file.id, one, from_left, is_there, file.name):
                continue
            if stands is None:
                self._except(Kind.FILE, file.id, Exempt.STAND_IN, from_left)
                continue
            # What was counted on its way is surer than what either system says.
            sizes = (one.size_bytes or file.size_bytes, stands.size_bytes)
            if all(sizes) and sizes[0] != sizes[1]:
                said = [f"{file.name}, {size} bytes" for size in sizes]
                self._drift(Kind.FILE, file.id, from_left, Reason.NOT_THERE, *said)
            else:
                self.files += 1

    # Both.

    def _not_carried(
        self,
        kind: Kind,
        key: str,
        sender: Place,
        from_left: bool,
        why: Exempt | None,
        one: Comment | Attachment,
    ) -> None:
        """Nothing was ever queued for it: by the rules, because it was there before, or because nobody told us."""
        if why is not None:
            self._except(kind, key, why, from_left)
        elif key in sender.recorded:
            self._except(kind, key, Exempt.BEFORE, from_left)
        else:
            said = _plain(one.body) if isinstance(one, Comment) else one.name
            self._drift(kind, key, from_left, Reason.UNRECORDED, said, "")

    def _has_arrived(
        self, kind: Kind, key: str, one: Carried, from_left: bool, is_there: bool, said: str
    ) -> bool:
        """Whether it stands at the receiver; otherwise the reason is noted."""
        if one.state is DeliveryState.SKIPPED:
            self._except(kind, key, Exempt.LEFT_OUT, from_left)
        elif one.state is DeliveryState.SUPERSEDED:
            self._except(kind, key, Exempt.OVERTAKEN, from_left)
        elif not is_there:
            self._drift(kind, key, from_left, Reason.REMOVED if one.made else Reason.NOT_THERE, said, "")
        else:
            return True
        return False

    def _drift(
        self, kind: Kind, key: str, from_left: bool, reason: Reason, expected: str, found: str
    ) -> None:
        self.drifts.append(Drift(kind, key, from_left, reason, expected, found))

    def _except(self, kind: Kind, key: str, why: Exempt, from_left: bool | None = None) -> None:
        self.exceptions.append(Exemption(kind, key, why, from_left))


_MODES = {
    UpdateMode.ONLY_IF_NEW: Exempt.ONLY_IF_NEW,
    UpdateMode.ONLY_IF_EMPTY: Exempt.ONLY_IF_EMPTY,
    UpdateMode.APPEND: Exempt.APPEND,
}


def _why_not_kept(name: str, left: Place, right: Place) -> Exempt:
    """Why no rule keeps a field in step: an incoming rule that only helps new or empty ones, or none at all."""
    for sender, receiver in ((left.end, right.end), (right.end, left.end)):
        if any(rule.target == name for rule in sender.outgoing.rules):
            for rule in receiver.incoming.rules:
                if rule.source == name and rule.mode in _MODES:
                    return _MODES[rule.mode]
    return Exempt.NO_RULE


def _undone(
    name: str, left: Place, right: Place, forth: Arrival | None, back: Arrival | None
) -> Exemption | None:
    """The undoing that still stands at one side; None when either side has changed the field since, recorded or not."""
    for sender, receiver, way, from_left in ((left, right, forth, True), (right, left, back, False)):
        one = receiver.undone.get(way.into.target) if way else None
        if way is None or one is None or not one.covers(name, [own_field(sender.end, name)]):
            continue
        holds, known = (text_of(at.get(way.into.target)) for at in (receiver.end.actual, receiver.known))
        if holds == known and not _is_unrecorded(name, sender):
            return Exemption(Kind.FIELD, name, Exempt.UNDONE, from_left, one.at.isoformat(), one.by)
    return None


def _is_unrecorded(name: str, place: Place) -> bool:
    """Whether the side's own field holds something that its history has not told."""
    own = own_field(place.end, name)
    return bool(own) and text_of(place.end.actual.get(own)) != text_of(place.known.get(own))


def _stamp(name: str, place: Place) -> Stamp:
    winner = place.winners.get(own_field(place.end, name))
    return winner.stamp if winner else NO_STAMP


def _is_its_own(target: str, place: Place) -> bool:
    """Whether the receiver of a one-way field has set it by itself since."""
    winner = place.winners.get(target)
    return winner is not None and winner.stamp.system_id == place.end.system_id


def _shared(comment: Comment, sender: Place) -> Exempt | None:
    rules = sender.end.outgoing
    if comment.is_public:
        return None if rules.shares_public_comments else Exempt.NOT_SHARED
    return None if rules.shares_internal_comments else Exempt.INTERNAL


def _plain(body: Value) -> str:
    return " ".join(blocks.from_value(body).plain().split())
