"""Web hooks that are gone, off or silent become a finding, and it closes by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integrations.models import HookStanding, HookTrouble, System, SystemFinding, SystemSecret
from integrations.services import findings, hook_watch
from integrations.services.hook_health import HookHealth, hook_health
from integrations.services.hook_registration import note_looked, stored_standing
from integrations.services.refusals import NotPossible
from integrations.services.systems import make_hook_secret
from tests.integrations import scenes
from tests.integrations.scenes import NOW, Matter
from tests.integrations.test_hook_health import changed

pytestmark = pytest.mark.django_db

State = HookStanding.State


@pytest.fixture
def matter() -> Matter:
    """Mercuri's Zendesk, registered a day ago and last heard of an hour ago."""
    left, right = scenes.mercuri_and_infinity()
    made = scenes.matter(left, right, right_fields={})
    make_hook_secret(left.system)
    SystemSecret.objects.update(changed_at=NOW - timedelta(days=1))
    System.objects.filter(pk=left.system_id).update(hooked_at=NOW - timedelta(hours=1))
    HookStanding.objects.create(
        system=left.system,
        state=State.THERE,
        is_expected=True,
        registered_at=NOW - timedelta(days=1),
    )
    return made


def system_of(matter: Matter) -> System:
    return System.objects.select_related("hook_standing").get(pk=matter.left.system_id)


def live() -> list[str]:
    return list(SystemFinding.objects.live().values_list("code", flat=True))


def health(*, is_silent: bool = False) -> HookHealth:
    return HookHealth(True, None, None, 0, None, is_silent)


@pytest.mark.parametrize(
    ("state", "is_expected", "is_silent", "trouble"),
    [
        (State.THERE, True, False, None),
        (State.THERE, True, True, HookTrouble.SILENT),
        (State.MISSING, True, True, HookTrouble.MISSING),
        (State.PARTLY, True, False, HookTrouble.MISSING),
        (State.OFF, True, True, HookTrouble.OFF),
        (State.MISSING, False, False, None),
        # Set up by hand in a way that the vendor's list does not show.
        (State.MISSING, False, True, HookTrouble.SILENT),
        (State.UNKNOWN, False, True, HookTrouble.SILENT),
    ],
)
def test_the_cause_comes_before_its_effect(
    state: str, is_expected: bool, is_silent: bool, trouble: HookTrouble | None
) -> None:
    standing = HookStanding(state=state, is_expected=is_expected)

    assert hook_watch.trouble_of(standing, health(is_silent=is_silent)) == trouble


def test_changes_that_only_asking_found_are_one_finding_until_a_hook_comes(matter: Matter) -> None:
    changed(matter, minute=-30)

    first = hook_watch.judge_hooks(system_of(matter), now=NOW)
    again = hook_watch.judge_hooks(system_of(matter), now=NOW + timedelta(hours=1))

    assert first is not None
    assert (first, first.code, first.message) == (
        again,
        "hook_silent",
        "Changes were found by asking that no web hook told of",
    )
    System.objects.update(hooked_at=NOW + timedelta(hours=1))
    assert hook_watch.judge_hooks(system_of(matter), now=NOW + timedelta(hours=1)) is None
    assert live() == []
    assert SystemFinding.objects.get().closed_because == hook_watch.MENDED


def test_one_trouble_gives_way_to_the_next(matter: Matter) -> None:
    changed(matter, minute=-30)
    hook_watch.judge_hooks(system_of(matter), now=NOW)
    note_looked(stored_standing(system_of(matter)), State.OFF, NOW)

    hook_watch.judge_hooks(system_of(matter), now=NOW)

    assert live() == ["hook_off"]


def test_an_acknowledged_one_stays_acknowledged_and_a_reading_of_fields_leaves_it(matter: Matter) -> None:
    note_looked(stored_standing(system_of(matter)), State.MISSING, NOW)
    found = hook_watch.judge_hooks(system_of(matter), now=NOW)
    assert found is not None
    findings.acknowledge(found, "Known", by=None, now=NOW)
    system = system_of(matter)

    findings.take_metadata(system, system.metadata, now=NOW)
    hook_watch.judge_hooks(system_of(matter), now=NOW)

    assert list(SystemFinding.objects.values_list("code", "state")) == [("hook_missing", "acknowledged")]
    assert findings.touched_by(found) == []
    assert not findings.tickets_of(found).exists()


def test_what_was_taken_away_here_is_not_silent(matter: Matter) -> None:
    HookStanding.objects.update(
        is_expected=False, state=State.MISSING, removed_at=NOW - timedelta(minutes=50)
    )
    changed(matter, minute=-30)

    found = hook_health(system_of(matter), now=NOW)

    assert (found.is_set_up, found.missed, found.is_silent) == (False, 0, False)
    assert hook_watch.judge_hooks(system_of(matter), now=NOW) is None


def test_the_sweep_looks_at_one_system_an_hour(matter: Matter, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def look(system: System, *, now: object) -> None:
        looked.append(system.pk)
        note_looked(stored_standing(system), State.MISSING, NOW)

    monkeypatch.setattr(hook_watch, "look_at_hooks", look)

    answers = [hook_watch.watch_next_due(NOW + timedelta(minutes=minutes)) for minutes in (0, 1, 59, 60)]

    assert answers == [True, False, False, True]
    assert looked == [matter.left.system_id] * 2
    assert live() == ["hook_missing"]


def test_a_vendor_that_does_not_tell_leaves_what_was_known(
    matter: Matter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(system: System, *, now: object) -> None:
        raise NotPossible("It is down.")

    monkeypatch.setattr(hook_watch, "look_at_hooks", look)
    changed(matter, minute=-30)

    assert hook_watch.watch_next_due(NOW)

    assert live() == ["hook_silent"]
    assert HookStanding.objects.get(system=matter.left.system_id).state == State.THERE


def test_a_paused_system_and_one_without_web_hooks_are_left_alone(matter: Matter) -> None:
    System.objects.filter(pk=matter.left.system_id).update(state="paused")

    assert not hook_watch.watch_next_due(NOW)
