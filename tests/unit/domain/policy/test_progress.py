"""The progress of a policy: it advances, stops at an event, and goes on once that event has been handled."""

from __future__ import annotations

from datetime import UTC, datetime

from odradek.testing import given
from odradek_domain.policy.progress import PolicyProgress, PolicySnapshot
from odradek_events.types import PolicyAdvanced, PolicyStopped, SentCommand

T = datetime(2024, 5, 1, tzinfo=UTC)
SENT = (SentCommand(4, "account/bob"),)


def test_a_policy_advances_with_the_commands_that_it_sent() -> None:
    given(PolicyProgress("p")).when(lambda policy: policy.advance(5, SENT, T)).then(PolicyAdvanced("p", 5, SENT, T))


def test_a_policy_does_not_advance_to_where_it_is() -> None:
    given(PolicyProgress("p"), PolicyAdvanced("p", 5, (), T)).when(
        lambda policy: [*policy.advance(5, SENT, T), *policy.advance(4, SENT, T)]
    ).then()


def test_a_policy_that_stops_twice_for_the_same_reason_records_it_once() -> None:
    stopped = PolicyStopped("p", 6, "no", T)
    given(PolicyProgress("p")).when(lambda policy: policy.stop_at(6, "no", T)).then(stopped)
    given(PolicyProgress("p"), stopped).when(lambda policy: policy.stop_at(6, "no", T)).then()
    given(PolicyProgress("p"), stopped).when(lambda policy: policy.stop_at(6, "never", T)).then(
        PolicyStopped("p", 6, "never", T)
    )


def test_a_policy_is_stopped_until_it_has_passed_the_event() -> None:
    policy = PolicyProgress("p")
    policy.apply_all([PolicyAdvanced("p", 2, (), T), PolicyStopped("p", 6, "no", T), PolicyAdvanced("p", 5, (), T)])
    assert policy.snapshot() == PolicySnapshot("p", 2, 5, 6, "no")
    policy.apply(PolicyAdvanced("p", 6, (), T))
    assert policy.snapshot() == PolicySnapshot("p", 3, 6)


def test_a_policy_is_restored_from_its_snapshot() -> None:
    snapshot = PolicySnapshot("p", 2, 5, 6, "no")
    assert PolicyProgress.restore(snapshot).snapshot() == snapshot
