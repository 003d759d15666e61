"""The certificate of a link: what it says, when it holds, what each partner is told, and that it is signed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command

from integrations.models import Delivery, Drift, LinkedTicket, SyncEvent
from integrations.services import drift as drift_service
from integrations.services.certificates import Certificate, certificate_of, signer
from integrations.services.timeline.viewers import Viewer
from tests.integrations.test_reconciliation import Linked, undone

pytestmark = pytest.mark.django_db

INTEGRATOR = Viewer(frozenset(), sees_all=True)


def certified(both: Linked, viewer: Viewer = INTEGRATOR) -> Certificate:
    both.reconcile()
    found = certificate_of(LinkedTicket.objects.get(), viewer)
    assert found is not None
    return found


def viewer_at(both: Linked, position: str) -> Viewer:
    side = both.linked.sides.get(side__position=position).side
    return Viewer(frozenset({side.system.partner_id}))


def test_it_is_said_in_a_sentence_what_both_sides_agree_on() -> None:
    both = Linked()
    both.world.board.person_sets(both.there, status="In Progress")
    both.world.run()

    found = certified(both)

    assert found.agrees
    assert found.statement == (
        f"Both sides agree on 2 mapped fields, 1 comment, 1 file, as of {found.as_of:%Y-%m-%d %H:%M:%S} UTC. "
        "4 events were carried, none lost, none twice, in order."
    )


def test_there_is_none_before_the_sides_were_compared() -> None:
    both = Linked()

    assert certificate_of(both.linked, INTEGRATOR) is None


def test_it_does_not_hold_within_one_cycle_after_an_edit_behind_our_back() -> None:
    both = Linked()
    assert certified(both).agrees
    both.world.board.edited_silently(both.there, status="Done")

    found = certified(both)

    assert not found.agrees
    assert found.statement.startswith(
        "1 thing differs without a reason in the rules; both sides agree on 1 mapped field, 1 comment, 1 file, as of"
    )
    assert [dict(one) for one in found.drift] == [
        {"kind": "field", "what": "Status", "at": "Mercuri", "why": "Changed without any history"}
    ]
    drift_service.repair(Drift.objects.get(), now=both.world.clock.now())
    both.world.run()
    assert certified(both).agrees


def test_what_was_lost_doubled_or_reordered_in_the_journal_shows() -> None:
    both = Linked()
    both.world.desk.person_comments(both.here, "Again.")
    both.world.run()
    certified(both)
    comments = list(Delivery.objects.filter(operation="comment").order_by("number"))
    seen = [one.seen_as.get() for one in comments]
    # One comment's effect shows before the earlier one's, and one of them twice.
    SyncEvent.objects.filter(pk=seen[0].pk).update(caused_by=comments[1])
    SyncEvent.objects.filter(pk=seen[1].pk).update(caused_by=comments[0])
    SyncEvent.objects.filter(pk=seen[1].pk).update(comments=seen[1].comments * 2)
    Delivery.objects.filter(operation="file").delete()

    found = certificate_of(both.linked, INTEGRATOR)

    assert found is not None
    (to_board,) = (one for one in found.carriage if one.to == "Infinity")
    assert (to_board.lost, to_board.twice, to_board.out_of_order) == (1, 1, 1)
    assert not found.agrees
    assert found.statement.endswith("3 events were carried, 1 lost, 1 twice, 1 out of order.")


def test_a_change_that_a_person_left_out_is_an_exception_that_is_counted() -> None:
    both = Linked()
    both.world.board.person_comments(both.there, "Only for us.", is_public=False)
    both.world.run()

    found = certified(both)

    assert [(one["what"], one["why"], one["count"]) for one in found.exceptions] == [
        ("comments of Infinity", "internal, and stays inside", 1)
    ]


def test_a_partner_is_told_nothing_of_what_the_other_side_keeps_to_itself() -> None:
    both = Linked()
    both.world.board.person_comments(both.there, "Only for us.", is_public=False)
    both.world.run()
    both.reconcile()

    desk, board = (certificate_of(both.linked, viewer_at(both, one)) for one in ("left", "right"))

    assert desk is not None
    assert board is not None
    assert (len(desk.exceptions), len(board.exceptions)) == (0, 1)
    told = [set(one) for one in desk.sides]
    assert told == [{"partner", "system", "ticket", "name"}, {"partner", "system"}]


def test_it_is_signed_and_can_be_verified_and_shows_when_it_was_altered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signed = certified(Linked()).signed()
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(signed, indent=2))

    call_command("verify", file, key=signer().fingerprints[0])

    assert "Unaltered: certificate" in capsys.readouterr().out
    altered: dict[str, Any] = json.loads(file.read_text())
    altered["document"]["agrees"] = False
    file.write_text(json.dumps(altered))
    with pytest.raises(Exception, match="altered"):
        call_command("verify", file)


def test_what_was_undone_is_an_exception_with_when_where_and_for_its_own_company_by_whom() -> None:
    both = Linked()
    undone(both, by=get_user_model().objects.create_user("ravi"))
    at = Delivery.objects.get(operation="revert").done_at
    assert at is not None
    where = both.world.board_row.partner.name
    until = ": differs on purpose until the sender changes it again"
    told = f"undone on {at:%Y-%m-%d %H:%M} UTC at {where}"

    def why(viewer: Viewer) -> list[str]:
        found = certified(both, viewer)
        assert found.agrees
        return [one["why"] for one in found.exceptions if one["what"] == "Status"]

    assert why(INTEGRATOR) == [f"{told} by ravi{until}"]
    assert why(viewer_at(both, "right")) == [f"{told} by ravi{until}"]
    assert why(viewer_at(both, "left")) == [f"{told}{until}"]
