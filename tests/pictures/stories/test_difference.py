"""The first difference of two runs names the two things whose order matters."""

from __future__ import annotations

import msgspec
from support.stories import StoryBuilder, acknowledged_too_soon, stored_message, zombie_commit

from odradek_pictures import Comparison, Difference, Kind, Story, compare, describe_difference, find_difference


def race(*order: int, extra: tuple[str, ...] = (), details: tuple[str, str] = ("", "")) -> Story:
    """Return a run in which two clients send to a topic, which handles the messages in the order given."""
    run = StoryBuilder()
    sent = [run.send(f"client {name}", "topic/t", "Append", detail) for name, detail in zip("ab", details, strict=True)]
    for label in extra:
        run.add("topic/t", Kind.TIMER, label)
    for number in order:
        run.handle(sent[number])
    return run.story()


def found(failing: Story, passing: Story) -> Difference:
    difference = find_difference(failing, passing)
    assert difference is not None
    return difference


def test_two_messages_in_another_order_are_the_difference() -> None:
    difference = found(race(0, 1), race(1, 0))
    assert difference.lane == "topic/t"
    assert [step and step.number for step in (difference.a, difference.b)] == [2, 3]
    assert [step and step.number for step in (difference.passing_b, difference.passing_a)] == [2, 3]
    assert describe_difference(difference) == (
        "In topic/t, A came before B. In the nearest passing run, B came before A."
    )


def test_a_message_that_had_not_come_when_the_check_failed_is_the_second() -> None:
    difference = found(race(0), race(1, 0))
    assert difference.b is None
    assert describe_difference(difference) == (
        "In topic/t, A came, and B had not come when the check failed. In the nearest passing run, B came before A."
    )


def test_a_timer_that_only_the_failing_run_had_comes_before_a_message() -> None:
    difference = found(race(0, 1, extra=("time-out",)), race(0, 1))
    assert difference.a.label == "time-out"
    assert describe_difference(difference) == (
        "In topic/t, A came before B. In the nearest passing run, B came, and A never did."
    )


def test_a_fault_that_only_the_failing_run_had_is_the_difference() -> None:
    comparison = compare(acknowledged_too_soon(failing=True), acknowledged_too_soon(failing=False))
    assert comparison.difference
    assert comparison.letters() == [("A", "the fault crash  actors, mailboxes and timers are gone")]
    assert describe_difference(comparison.difference) == (
        "In the whole system, A happened; in the nearest passing run it did not."
    )


def test_payloads_count_only_if_nothing_else_differs() -> None:
    swapped = found(race(0, 1, details=("at 1", "at 2")), race(1, 0, details=("at 1", "at 3")))
    assert (swapped.a.detail, swapped.b and swapped.b.detail) == ("at 1", "at 2")
    payload = found(race(0, 1, details=("x", "y")), race(0, 1, details=("x", "z")))
    assert (payload.a.detail, payload.passing_b and payload.passing_b.detail) == ("y", "z")


def test_runs_that_only_send_in_another_order_do_not_differ() -> None:
    one, other = StoryBuilder(), StoryBuilder()
    for run, order in ((one, "ab"), (other, "ba")):
        sent = {name: run.send(f"client {name}", f"topic/{name}", "Append") for name in order}
        for name in "ab":
            run.handle(sent[name])
    assert find_difference(one.story(), other.story()) is None
    assert compare(one.story(), other.story()).difference is None


def test_a_failing_run_that_stops_early_does_not_differ_from_the_rest() -> None:
    assert find_difference(race(0), race(0, 1)) is None


def journal_first(*labels: str) -> Story:
    """Return a run in which a journal handles what two topics send, in the order given, and then answers a client."""
    run = StoryBuilder()
    sent = {label: run.send(f"topic/{label}", "journal", "Store") for label in sorted(labels)}
    for label in labels:
        run.handle(sent[label])
    answers = {label: run.send("journal", "client a", f"Stored {label}") for label in labels}
    for label in labels:
        run.handle(answers[label])
    return msgspec.structs.replace(run.story(), background=("journal",))


def test_the_background_counts_only_if_nothing_else_differs() -> None:
    one, other = stored_message(clients="ab"), stored_message(clients="ba")
    difference = found(one, other)
    assert (difference.lane, difference.a.detail, difference.passing_b and difference.passing_b.detail) == (
        "topic/t",
        "a",
        "b",
    )
    assert found(journal_first("a", "b"), journal_first("b", "a")).lane == "journal"


def test_that_a_client_continued_once_more_is_not_a_difference() -> None:
    one, other = StoryBuilder(), StoryBuilder()
    one.add("client a", Kind.RESUMED, "")
    assert find_difference(one.story(), other.story()) is None


def test_the_steps_of_both_runs_are_marked_with_those_that_sent_them() -> None:
    comparison = compare(zombie_commit(failing=True), zombie_commit(failing=False))
    assert comparison.passing
    assert [step.mark for step in comparison.story.steps] == ["", "", "", "A", "", "B", "A", "B", ""]
    assert [step.mark for step in comparison.passing.steps] == ["", "", "", "A", "", "B", "B", "A"]
    assert comparison.letters() == [
        ("A", "Join from client b  member b"),
        ("B", "Commit from client a  generation 1, offset 3"),
    ]


def test_a_run_alone_is_compared_with_nothing() -> None:
    story = race(0, 1)
    assert compare(story, None) == Comparison(story=story)
    assert compare(story, None).letters() == []
