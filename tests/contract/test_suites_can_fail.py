"""The conformance suites detect faults: each broken log fails the case for its fault."""

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
    (broken.ForgetsTheIndex, "test_a_read_selects_events_that_have_all_given_tags", {}),
    (broken.ForgetsTheIndex, "test_hundreds_of_commits_are_read_completely", {}),
    (broken.LeavesGaps, "test_refused_appends_leave_no_gaps_in_positions_and_versions", {}),
    (broken.LeavesGaps, "test_a_log_returns_and_stores_the_same_as_the_log_in_memory", {}),
    (broken.IgnoresConditions, "test_a_matching_event_refuses_the_append_with_its_position", {}),
    (broken.IgnoresConditions, "test_a_condition_that_cannot_fail_is_refused", {}),
    (broken.IgnoresConditions, "test_exactly_one_of_several_concurrent_appends_on_one_condition_succeeds", {}),
    (broken.IgnoresConditions, "test_concurrent_writers_with_conditions_lose_no_update", {}),
    (broken.IgnoresVersions, "test_the_expected_version_is_that_of_the_last_event", {}),
    (broken.IgnoresVersions, "test_exactly_one_of_several_concurrent_appends_at_one_expected_version_succeeds", {}),
    (broken.IgnoresVersions, "test_concurrent_writers_with_expected_versions_lose_no_update", {}),
    (broken.LosesOnReopening, "test_reopening_a_healthy_log_changes_nothing", {}),
    (broken.LosesOnReopening, "test_repeating_an_append_of_unknown_outcome_stores_it_once", {"written": True}),
    (broken.LosesOnReopening, "test_a_repeat_is_recognised_after_reopening", {}),
    (broken.ReordersVerdicts, "test_verdicts_come_in_the_order_of_their_requests", {}),
    (broken.RefusesTogether, "test_requests_of_one_call_see_each_other_in_order", {}),
    (
        broken.RefusesTogether,
        "test_an_event_that_cannot_be_stored_rejects_only_its_own_request",
        {"bad": "a negative offset"},
    ),
    (broken.JudgesBeforeItLocks, "test_exactly_one_of_several_concurrent_appends_at_one_expected_version_succeeds", {}),
    (broken.JudgesBeforeItLocks, "test_exactly_one_of_several_concurrent_appends_on_one_condition_succeeds", {}),
    (broken.RemembersConditions, "test_an_append_based_on_a_stale_read_is_refused", {"by": "condition"}),
    (broken.Interleaves, "test_two_concurrent_calls_of_a_thousand_events_do_not_interleave", {}),
    (broken.ShowsWhatIsComing, "test_the_verdict_says_where_the_events_are", {}),
    (broken.IgnoresBounds, "test_every_pair_of_bounds_selects_exactly_the_positions_between_them", {}),
    (broken.RepeatsTheLast, "test_a_tailing_reader_sees_every_position_once_and_in_order", {}),
    (broken.RepeatsTheLast, "test_a_subscriber_sees_every_event_once_while_others_append", {}),
    (broken.DropsARow, "test_a_subscriber_sees_every_event_once_while_others_append", {}),
    (broken.DropsARow, "test_a_subscription_starts_after_the_given_position", {}),
    (broken.DropsARow, "test_a_tailing_reader_sees_every_position_once_and_in_order", {}),
    (broken.SkipsTheNext, "test_a_rebuilt_view_equals_the_one_that_followed_the_log", {}),
    (broken.SkipsTheNext, "test_a_view_that_follows_a_growing_log_misses_nothing", {}),
    (broken.SkipsTheNext, "test_reading_in_pieces_returns_the_same_events", {}),
    (broken.KeepsWhatItIsGiven, "test_changing_what_was_appended_does_not_change_the_log", {}),
    (broken.KeepsWhatItIsGiven, "test_changing_what_was_read_does_not_change_the_log", {}),
    (broken.LetsTimeRunBackwards, "test_recorded_at_never_runs_backwards", {}),
    (broken.ForgetsCommitIds, "test_a_request_repeated_with_its_commit_id_returns_its_first_place", {}),
    (broken.ForgetsCommitIds, "test_after_many_lost_answers_every_event_is_stored_once", {}),
    (
        broken.BelievesCommitIds,
        "test_a_commit_id_reused_with_different_content_is_refused",
        {"change": {"actor": "somebody"}},
    ),
    (broken.MixesStreams, "test_streams_do_not_mix", {}),
    (broken.LocatesTheLatest, "test_an_offset_is_located_in_the_commit_that_contains_it", {}),
    (broken.CountsFromOne, "test_the_commit_at_a_position_contains_it", {}),
    (broken.BreaksTheChain, "test_the_digests_form_a_chain_that_ends_at_the_head", {}),
    (broken.BreaksTheChain, "test_verify_finds_no_damage", {}),
    (broken.SkipsUnknownTypes, "test_an_unknown_type_raises_an_error_with_its_type_and_position", {}),
    (broken.FollowsFromNowOn, "test_a_subscription_selects_by_type_tag_stream_and_query", {}),
    (broken.DoesNotWait, "test_waiting_for_a_position_times_out_and_says_where_the_log_ends", {"timeout": 0}),
    (broken.TakesAppendsWhenClosed, "test_a_closed_log_refuses_appends_and_may_be_closed_again", {}),
    (broken.AddsWhatIsNotThere, "test_an_append_at_a_version_that_is_taken_is_refused_as_a_whole", {}),
]


def test_a_lost_event_is_reported_with_its_position(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"never saw positions \[2, 3\]"):
        run(
            broken.DropsARow(),
            "test_a_subscriber_sees_every_event_once_while_others_append",
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
def test_a_broken_log_fails_its_case_and_a_sound_log_passes_it(
    log: type[MemoryLog], case: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    run(MemoryLog(), case, arguments, tmp_path / "sound.db")
    with pytest.raises(
        (Exception, pytest.fail.Exception)
    ):  # a failed assertion, or an error that the broken log raises
        run(log(), case, arguments, tmp_path / "broken.db")


BROKEN_ON_DISK = [
    ("AnswersBeforeItWrites", "test_acknowledged_commits_survive_a_killed_process_and_no_commit_is_partial"),
    ("KeepsAHalf", "test_acknowledged_commits_survive_a_killed_process_and_no_commit_is_partial"),
    ("LetsEverybodyIn", "test_a_second_writer_is_refused_with_the_process_that_holds_the_log"),
    ("ForgetsAtClosing", "test_a_reopened_log_continues_where_it_ended"),
    ("VerifiesSomethingElse", "test_a_flipped_bit_is_detected_or_changes_nothing"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "case"), BROKEN_ON_DISK)
def test_a_broken_log_on_disk_fails_its_case(name: str, case: str, tmp_path: Path) -> None:
    suite = type(name, (DurableLogConformance,), {"opener": f"support.broken_logs:{name}"})()
    (tmp_path / "place").mkdir()
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(suite, case)(tmp_path / "place" / "log")


def test_a_log_that_loses_events_at_closing_differs_from_the_log_in_memory() -> None:
    suite = type("Suite", (DurableLogConformance,), {"opener": "support.broken_logs:ForgetsAtClosing"})()
    history = suite.test_any_history_with_closings_gives_the_same_log_as_in_memory
    with pytest.raises(AssertionError):
        history.hypothesis.inner_test(
            suite, history=[("append", [Append(stream="topic/a", events=[created()])]), ("close", [])]
        )


def test_a_suite_without_a_log_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match="LogConformance needs a fixture `log`"):
        next(LogConformance.log.__wrapped__(LogConformance()))  # type: ignore[attr-defined]  # pytest's fixture


def test_an_opener_name_that_does_not_exist_is_refused() -> None:
    suite = type("Suite", (DurableLogConformance,), {"opener": "odradek_events"})()
    with pytest.raises(ValueError, match=r"'odradek_events' is not an opener; use 'package\.module:function'"):
        suite.open(Path("nowhere"))


@pytest.mark.parametrize("missing", ["pytest", "hypothesis"])
def test_a_missing_test_dependency_is_named_and_the_log_still_works(missing: str) -> None:
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
        f"odradek_events.testing needs {missing}, which is not installed; run: pip install 'odradek[testing]'\n"
    )
