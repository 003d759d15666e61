"""One checker for each invariant: what a world promised, judged by what happened in it.  Each can fail, and a test says so.

I1  nothing is lost                         I10 the cursor never passes an unstored event
I2  nothing takes effect twice              I11 a system's pause and budget are kept
I3  lanes and comments keep their order     I12 a dead system delays nobody else
I4  nothing comes back, nothing multiplies  I13 the backlog drains by itself
I5  both sides agree, the newest value wins I14 rule versions are pinned and true
I6  what is private never leaves            I15 every effect can be explained
I7  one writer, no stale commit             I16 undo restores only what nobody touched since
I8  what was stored stays stored            I17 service levels see the sources' own times
I9  no write without a recorded attempt
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from integrations.simulation import unpromised
from integrations.simulation.checks import (
    amplification,
    budgets,
    content,
    decisions,
    follow_ups,
    keeping,
    order,
    outages,
    own_edits,
    pressure,
    records,
    refusals,
    rules,
    undoing,
    writers,
)
from integrations.simulation.evidence import Evidence
from integrations.simulation.journal import Violation
from integrations.simulation.world import World

Check = Callable[[Evidence], Iterator[str]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("I1", content.nothing_is_lost),
    ("I2", content.nothing_takes_effect_twice),
    ("I2", follow_ups.a_closed_ticket_has_one_follow_up),
    ("I2", follow_ups.all_go_over_to_it),
    ("I2", content.a_second_ticket_is_told),
    ("I2", content.a_second_effect_is_told),
    ("I2", refusals.a_word_stands_once_on_its_ticket),
    ("I3", order.lanes_keep_their_order),
    ("I3", order.comments_keep_their_order),
    ("I4", order.nothing_comes_back),
    ("I4", order.our_writes_are_recognised),
    ("I4", order.nothing_multiplies),
    ("I4", amplification.no_fight_goes_on),
    ("I4", amplification.a_fight_is_told),
    ("I5", content.both_sides_agree),
    ("I5", content.the_newest_value_stands),
    ("I5", writers.no_newer_value_is_covered_knowingly),
    ("I5", writers.what_was_found_there_counts),
    ("I5", own_edits.own_edits_stand),
    ("I5", own_edits.finer_words_stand),
    ("I5", decisions.what_was_decided_stands),
    ("I5", decisions.nobody_is_asked_twice),
    ("I6", content.what_is_private_stays),
    ("I6", refusals.why_is_told_by_rules_alone),
    ("I7", writers.one_writer_at_a_time),
    ("I7", writers.no_stale_commit),
    ("I8", keeping.what_was_stored_stays),
    ("I8", keeping.what_was_hinted_is_read),
    ("I9", writers.every_write_was_recorded_before),
    ("I10", keeping.the_cursor_passes_nothing),
    ("I11", pressure.pauses_are_kept),
    ("I11", budgets.ceilings_are_kept),
    ("I11", budgets.limits_are_respected),
    ("I12", pressure.nobody_waits_for_a_dead_system),
    ("I12", refusals.a_word_stops_no_lane),
    ("I13", pressure.nothing_is_left_waiting),
    ("I13", decisions.somebody_is_asked),
    ("I13", outages.pauses_grow_by_tries_alone),
    ("I13", outages.what_was_left_alone_is_called_again),
    ("I14", rules.versions_are_pinned),
    ("I14", rules.values_follow_their_version),
    ("I15", records.every_effect_is_explained),
    ("I15", refusals.who_sent_it_is_told),
    ("I16", records.undo_restores_only_our_own),
    ("I16", undoing.undo_compares_first),
    ("I16", undoing.undo_gives_way),
    ("I16", undoing.undo_tells_the_truth),
    ("I17", records.clocks_see_the_sources_times),
)


def judge(world: World) -> list[Violation]:
    """Every broken promise of a world that has come to rest."""
    found = list(world.journal.violations)
    evidence = Evidence(world)
    world.journal.figures += unpromised.figures(evidence.unpromised)
    for invariant, check in CHECKS:
        found += [Violation(invariant, what) for what in check(evidence)]
    return found
