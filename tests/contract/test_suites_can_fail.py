"""The suites find what they are there to find: each broken log fails the case that it should fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import support.broken_logs as broken

from odradek_events import Append, LogStore, MemoryLog
from odradek_events.testing import DurableLogConformance, LogConformance
from odradek_events.testing.samples import created

BROKEN: list[tuple[type[MemoryLog], str, dict[str, Any]]] = [
    (broken.ForgetsTheIndex, "test_tags_name_all_of", {}),
    (broken.ForgetsTheIndex, "test_many_commits_are_read_as_few_are", {}),
    (broken.LeavesGaps, "test_positions_and_versions_have_no_gaps_whatever_was_refused_between", {}),
    (broken.LeavesGaps, "test_the_log_in_memory_asked_the_same_answers_and_holds_the_same", {}),
    (broken.IgnoresConditions, "test_a_matching_event_refuses_the_append_and_its_position_is_told", {}),
    (broken.IgnoresConditions, "test_a_condition_that_nothing_could_break_is_refused", {}),
    (broken.IgnoresConditions, "test_of_racers_on_one_condition_exactly_one_wins", {}),
    (broken.IgnoresConditions, "test_nobody_overwrites_what_another_added_by_condition", {}),
    (broken.IgnoresVersions, "test_the_expected_version_is_that_of_the_last_event", {}),
    (broken.IgnoresVersions, "test_of_racers_on_one_expected_version_exactly_one_wins", {}),
    (broken.IgnoresVersions, "test_nobody_overwrites_what_another_added_by_version", {}),
    (broken.LosesOnReopening, "test_reopening_a_log_that_is_well_changes_nothing", {}),
    (broken.LosesOnReopening, "test_repeating_an_append_of_unknown_outcome_stores_it_once", {"written": True}),
    (broken.LosesOnReopening, "test_a_repeat_is_recognised_after_a_reopening", {}),
    (broken.ReordersVerdicts, "test_verdicts_come_in_the_order_of_their_requests", {}),
    (broken.RefusesTogether, "test_requests_of_one_call_see_each_other_in_order", {}),
    (
        broken.RefusesTogether,
        "test_an_event_that_cannot_be_stored_is_refused_and_nothing_else_is_lost",
        {"bad": "a negative offset"},
    ),
    (broken.JudgesBeforeItLocks, "test_of_racers_on_one_expected_version_exactly_one_wins", {}),
    (broken.JudgesBeforeItLocks, "test_of_racers_on_one_condition_exactly_one_wins", {}),
    (broken.RemembersConditions, "test_who_looked_before_another_appended_is_refused", {"by": "condition"}),
    (broken.Interleaves, "test_two_calls_of_a_thousand_events_lie_wholly_one_before_the_other", {}),
    (broken.ShowsWhatIsComing, "test_the_verdict_says_where_the_events_are", {}),
    (broken.IgnoresBounds, "test_every_pair_of_bounds_gives_exactly_the_positions_between", {}),
    (broken.RepeatsTheLast, "test_a_tailing_reader_sees_every_position_once_and_in_order", {}),
    (broken.RepeatsTheLast, "test_a_subscriber_loses_nothing_and_sees_nothing_twice_while_others_append", {}),
    (broken.DropsARow, "test_a_subscriber_loses_nothing_and_sees_nothing_twice_while_others_append", {}),
    (broken.DropsARow, "test_a_subscription_begins_after_the_position_given", {}),
    (broken.DropsARow, "test_a_tailing_reader_sees_every_position_once_and_in_order", {}),
    (broken.SkipsTheNext, "test_a_view_built_anew_is_the_one_that_grew_with_the_log", {}),
    (broken.SkipsTheNext, "test_a_view_that_follows_a_growing_log_misses_nothing", {}),
    (broken.SkipsTheNext, "test_reading_in_pieces_gives_the_same", {}),
    (broken.KeepsWhatItIsGiven, "test_changing_what_was_appended_does_not_change_the_log", {}),
    (broken.KeepsWhatItIsGiven, "test_changing_what_was_read_does_not_change_the_log", {}),
    (broken.LetsTimeRunBackwards, "test_recorded_at_never_runs_backwards", {}),
    (broken.ForgetsCommitIds, "test_a_request_repeated_by_its_commit_id_is_answered_with_its_first_place", {}),
    (broken.ForgetsCommitIds, "test_many_lost_answers_later_everything_is_there_once", {}),
    (
        broken.BelievesCommitIds,
        "test_a_commit_id_that_comes_with_other_content_is_refused",
        {"change": {"actor": "somebody"}},
    ),
    (broken.MixesStreams, "test_streams_do_not_mix", {}),
    (broken.LocatesTheLatest, "test_an_offset_is_located_in_the_commit_that_covers_it", {}),
    (broken.CountsFromOne, "test_the_commit_at_a_position_is_the_one_that_holds_it", {}),
    (broken.BreaksTheChain, "test_each_digest_continues_the_chain_and_the_last_is_the_heads", {}),
    (broken.BreaksTheChain, "test_verify_finds_nothing_wrong", {}),
    (broken.SkipsUnknownTypes, "test_an_unknown_type_is_an_error_that_names_type_and_position", {}),
    (broken.FollowsFromNowOn, "test_types_tags_streams_and_queries_select", {}),
    (broken.DoesNotWait, "test_waiting_for_a_position_times_out_and_says_where_the_log_ends", {"timeout": 0}),
    (broken.TakesAppendsWhenClosed, "test_a_closed_log_takes_no_append_and_may_be_closed_again", {}),
    (broken.AddsWhatIsNotThere, "test_events_at_a_version_that_is_taken_are_refused_with_those_behind_it", {}),
]


def test_a_lost_event_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"never saw positions \[2, 3\]"):
        run(
            broken.DropsARow(),
            "test_a_subscriber_loses_nothing_and_sees_nothing_twice_while_others_append",
            {},
            tmp_path,
        )


def run(log: LogStore, case: str, arguments: dict[str, Any], views: Path) -> None:
    """Run one test of the suite on a log."""
    test = getattr(LogConformance(), case)
    wanted = test.__code__.co_varnames[1 : test.__code__.co_argcount]
    given = {"log": log, "followed": log, "views": views, **arguments}
    test(**{name: given[name] for name in wanted})


@pytest.mark.parametrize(
    ("log", "case", "arguments"), BROKEN, ids=[f"{log.__name__}-{case[5:]}" for log, case, _ in BROKEN]
)
def test_a_broken_log_fails_its_case_and_a_sound_one_does_not(
    log: type[MemoryLog], case: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    run(MemoryLog(), case, arguments, tmp_path / "sound.db")
    with pytest.raises((Exception, pytest.fail.Exception)):  # a failed assertion, or what the broken log raises
        run(log(), case, arguments, tmp_path / "broken.db")


BROKEN_ON_DISK = [
    ("AnswersBeforeItWrites", "test_what_was_acknowledged_survives_a_killed_process_and_no_commit_is_there_in_part"),
    ("KeepsAHalf", "test_what_was_acknowledged_survives_a_killed_process_and_no_commit_is_there_in_part"),
    ("LetsEverybodyIn", "test_a_second_writer_is_refused_and_told_who_holds_the_log"),
    ("ForgetsAtClosing", "test_a_log_opened_again_goes_on_where_it_ended"),
    ("VerifiesSomethingElse", "test_a_flipped_bit_is_noticed_or_changes_nothing"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "case"), BROKEN_ON_DISK)
def test_a_broken_log_on_disk_fails_its_case(name: str, case: str, tmp_path: Path) -> None:
    suite = type(name, (DurableLogConformance,), {"opener": f"support.broken_logs:{name}"})()
    (tmp_path / "place").mkdir()
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(suite, case)(tmp_path / "place" / "log")


def test_a_log_that_forgets_at_closing_is_not_what_the_log_in_memory_is() -> None:
    suite = type("Suite", (DurableLogConformance,), {"opener": "support.broken_logs:ForgetsAtClosing"})()
    history = suite.test_any_history_with_closings_is_what_the_log_in_memory_makes_of_it
    with pytest.raises(AssertionError):
        history.hypothesis.inner_test(
            suite, history=[("append", [Append(stream="topic/a", events=[created()])]), ("close", [])]
        )


def test_a_suite_without_a_log_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="LogConformance needs a fixture `log`"):
        next(LogConformance.log.__wrapped__(LogConformance()))  # type: ignore[attr-defined]  # pytest's fixture


def test_a_name_that_opens_nothing_is_told() -> None:
    suite = type("Suite", (DurableLogConformance,), {"opener": "odradek_events"})()
    with pytest.raises(ValueError, match=r"'odradek_events' names no opener; use 'package\.module:function'"):
        suite.open(Path("nowhere"))


@pytest.mark.parametrize("missing", ["pytest", "hypothesis"])
def test_without_what_it_needs_the_package_says_so_and_the_log_works_on(missing: str) -> None:
    program = f"""
import sys
sys.modules[{missing!r}] = None
import odradek_events
try:
    import odradek_events.testing
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == (
        f"odradek_events.testing needs {missing}, which is not installed; pip install 'odradek[testing]'\n"
    )
