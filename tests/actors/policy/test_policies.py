"""Policies on real threads: they react to every event, once if nothing fails, and stop at one that always fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.actors import QUICK, World
from support.groups import until
from support.transfers import PAID_OUT, TRANSFERS, AccountActor, PaidIn, PaidOut, PayIn, PayOut, owed, pay_in

from odradek import (
    ActorSystem,
    Append,
    MemoryLog,
    Policy,
    Query,
    QueryItem,
    Reaction,
    Recorded,
    SqliteLog,
    SystemState,
    event,
)
from odradek_actors.errors import ActorFailed, ActorStopped
from odradek_domain.policy.progress import PolicySnapshot
from odradek_events.errors import LogUnavailable
from odradek_events.log.faulty import FaultyLog
from odradek_events.schema.codec import Codec
from odradek_events.schema.registry import Catalogue
from odradek_events.types import SentCommand

T = datetime(2024, 5, 1, tzinfo=UTC)
ACTORS = {"account": AccountActor}
React = Callable[[Recorded], Any]


class Reactions:
    """Pays in, as `pay_in` does, and keeps the positions of the events; raises `error` if it is set."""

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.error: BaseException | None = None
        self.failing: str = ""  # the cause of the event that it fails on; any, if empty

    def __call__(self, recorded: Recorded) -> Reaction:
        self.positions.append(recorded.position)
        if self.error is not None and self.failing in ("", recorded.event.cause):
            raise self.error
        return pay_in(recorded)


@pytest.fixture
def reactions() -> Reactions:
    return Reactions()


def policy(react: React, name: str = "transfers", **how: Any) -> Policy:
    return Policy(name, PAID_OUT, react, **how)


def pay(system: ActorSystem, cause: str, to: str = "bob") -> None:
    """Have ann pay, and wait until that is stored."""
    system.actor("account/ann").ask(PayOut(5, to), correlation_id=cause, causation_id=cause).result(10)


def is_paid(system: ActorSystem, cause: str) -> bool:
    """Have ann pay, and return whether that is stored."""
    return system.actor("account/ann").ask(PayOut(5, "bob"), causation_id=cause).exception(10) is None


def paid_in(world: World) -> list[PaidIn]:
    return [found.event for found in world.log.read(types=["test.PaidIn"])]


def stopped(system: ActorSystem, name: str = "transfers") -> bool:
    return system.policies()[name].stopped_at is not None


# -- reacting ---------------------------------------------------------------------------------------------------------


def test_a_policy_reacts_to_what_is_there_and_to_what_comes(world: World) -> None:
    with world.open(ACTORS) as system:
        pay(system, "rent")
    system = world.open(ACTORS, policies=[TRANSFERS])
    pay(system, "gas", to="cid")
    system.settle()
    first, second = world.log.read(types=["test.PaidOut"])
    paid = sorted(paid_in(world), key=lambda event: event.account)  # two accounts answer in whatever order
    assert paid == [PaidIn("bob", 5, first.metadata.event_id), PaidIn("cid", 5, second.metadata.event_id)]
    assert system.check_replay().holds


def test_a_command_of_a_policy_has_the_conversation_and_the_id_of_its_event(world: World) -> None:
    system = world.open(ACTORS, policies=[TRANSFERS])
    pay(system, "rent")
    system.settle()
    (out,), (into,) = world.log.read(types=["test.PaidOut"]), world.log.read(types=["test.PaidIn"])
    assert into.metadata.correlation_id == out.metadata.correlation_id == "rent"
    assert into.metadata.causation_id == into.event.cause == out.metadata.event_id


def test_an_event_without_a_conversation_begins_one(world: World) -> None:
    world.log.append([Append(stream="account/ann", events=[PaidOut("ann", 5, "bob", "")], commit_id="c-1")], T)
    system = world.open(ACTORS, policies=[TRANSFERS])
    system.settle()
    (into,) = world.log.read(types=["test.PaidIn"])
    assert into.metadata.correlation_id == into.metadata.causation_id == "c-1/0"


def test_an_event_may_lead_to_several_commands_or_none(world: World) -> None:
    def react(recorded: Recorded) -> Any:
        to = recorded.event.to
        several = [Reaction("account/bob", PayIn(2)), Reaction("account/cid", PayIn(3))]
        return None if to == "none" else () if to == "empty" else several

    system = world.open(ACTORS, policies=[policy(react)])
    for to in ("none", "several", "empty"):
        pay(system, to, to)
    system.settle()
    assert {(paid.account, paid.cents) for paid in paid_in(world)} == {("bob", 2), ("cid", 3)}


def test_two_policies_react_independently(world: World, reactions: Reactions) -> None:
    both = [policy(reactions), policy(lambda _: Reaction("account/tax", PayIn(1)), "taxes")]
    system = world.open(ACTORS, policies=both)
    pay(system, "rent")
    system.settle()
    assert sorted(paid.account for paid in paid_in(world)) == ["bob", "tax"]


def test_a_policy_that_reacts_to_all_events_does_not_react_to_its_own_progress(world: World) -> None:
    def react(recorded: Recorded) -> Reaction | None:
        return pay_in(recorded) if isinstance(recorded.event, PaidOut) else None

    with world.open(ACTORS, policies=[Policy("all", Query((QueryItem(),)), react)], progress_interval=0.0) as system:
        pay(system, "rent")
        system.settle()
        until(lambda: system.policies()["all"].position >= 0, what="the progress is recorded")
        system.settle()
    assert len(list(world.log.read(types=["PolicyAdvanced"]))) == 1


def test_with_one_event_in_flight_commands_arrive_in_the_order_of_the_log(world: World, reactions: Reactions) -> None:
    reactions.failing, reactions.error = "second", ValueError("not now")
    causes = enumerate(("first", "second", "third"), 1)  # stored before the policy can store anything between them
    events = [PaidOut("ann", number, "bob", cause) for number, cause in causes]
    world.log.append([Append(stream="account/ann", events=events)], T)
    world.open(ACTORS, policies=[policy(reactions, max_in_flight=1)])
    until(lambda: reactions.positions.count(1) > 1, what="it was retried")
    assert 2 not in reactions.positions
    reactions.error = None
    until(lambda: [paid.cents for paid in paid_in(world)] == [1, 2, 3], what="all are paid in")


def test_a_policy_reads_on_when_its_window_was_full(world: World) -> None:
    world.log.append([Append(stream="account/ann", events=[PaidOut("ann", 1, "bob", "") for _ in range(50)])], T)
    system = world.open(ACTORS, policies=[policy(pay_in, max_in_flight=4)])
    until(lambda: not owed(world.log), what="all are paid in")
    system.settle()
    assert len(paid_in(world)) == 50


# -- progress ---------------------------------------------------------------------------------------------------------


def test_progress_is_recorded_once_for_many_events(world: World) -> None:
    with world.open(ACTORS, policies=[TRANSFERS]) as system:
        for number in range(20):
            pay(system, f"rent {number}")
        system.settle()
    (advanced,) = world.log.read(types=["PolicyAdvanced"])
    (*_, last) = positions = [found.position for found in world.log.read(types=["test.PaidOut"])]
    assert advanced.event.commands == tuple(SentCommand(position, "account/bob") for position in positions)
    assert advanced.event.position >= last


@pytest.mark.slow
def test_progress_is_recorded_after_a_thousand_commands_at_once() -> None:
    with MemoryLog() as log:
        log.append([Append(stream="account/ann", events=[PaidOut("ann", 1, "bob", "") for _ in range(1500)])], T)
        with ActorSystem.open(log, actors=ACTORS, policies=[TRANSFERS], **QUICK) as system:
            until(lambda: not owed(log), what="all are paid in")
            system.settle()
            assert 999 <= system.policies()["transfers"].position < 1499
        assert SystemState.replay(log).policies["transfers"].position >= 1499


def test_a_policy_that_reacts_to_nothing_records_its_progress_now_and_then() -> None:
    with MemoryLog() as log:
        log.append([Append(stream="account/ann", events=[PaidOut("ann", 1, "bob", "") for _ in range(10_100)])], T)
        with ActorSystem.open(log, policies=[policy(lambda _: None)], **{**QUICK, "progress_interval": 0.0}) as system:
            until(lambda: system.policies()["transfers"].position >= 9_999, what="the progress is recorded")
        (advanced,) = log.read(types=["PolicyAdvanced"])
        assert advanced.event.commands == ()


def test_an_orderly_close_leaves_nothing_to_repeat(world: World, reactions: Reactions) -> None:
    with world.open(ACTORS, policies=[policy(reactions)]) as system:
        for number in range(20):
            pay(system, f"rent {number}")
    system = world.open(ACTORS, policies=[policy(reactions)])
    system.settle()
    assert len(reactions.positions) == len(set(reactions.positions)) == 20
    assert owed(world.log) == []


def test_what_a_killed_policy_has_not_recorded_it_does_again_and_the_account_refuses(
    world: World, reactions: Reactions
) -> None:
    system = world.open(ACTORS, policies=[policy(reactions)])
    pay(system, "rent")
    system.settle()
    world.runtime.kill("policy/transfers")
    until(lambda: reactions.positions == [0, 0], what="the policy has started again")
    system.settle()
    assert len(paid_in(world)) == 1


def test_after_a_crash_of_the_process_every_event_is_reacted_to(world: World) -> None:
    for number in range(3):
        system = world.open(ACTORS, policies=[TRANSFERS])
        pay(system, f"rent {number}")
        world.crash()
    system = world.open(ACTORS, policies=[TRANSFERS])
    system.settle()
    assert owed(world.log) == []
    assert len(paid_in(world)) == 3


def test_the_progress_is_part_of_the_state(world: World) -> None:
    with world.open(ACTORS, policies=[TRANSFERS]) as system:
        assert system.policies() == {"transfers": PolicySnapshot("transfers", -1, -1)}
        pay(system, "rent")
        system.settle()
    state = SystemState.replay(world.log)
    assert state.policies["transfers"].position == 1
    assert state.policies["transfers"].stopped_at is None


# -- failing ----------------------------------------------------------------------------------------------------------


def test_a_policy_that_fails_on_one_event_stops_there_and_the_rest_goes_on(world: World, reactions: Reactions) -> None:
    others = policy(lambda _: Reaction("account/tax", PayIn(1)), "taxes")
    reactions.failing, reactions.error = "bad", ValueError("who is bob?")
    with world.open(ACTORS, policies=[policy(reactions), others]) as system:
        pay(system, "good")
        system.settle()
        pay(system, "bad")
        until(lambda: stopped(system), what="the policy has stopped")
        pay(system, "later")
        system.settle()
        (bad,) = (found.position for found in world.log.read(types=["test.PaidOut"]) if found.event.cause == "bad")
        found = system.policies()["transfers"]
        assert (found.position, found.stopped_at, found.reason) == (bad - 1, bad, "ValueError: who is bob?")
        assert reactions.positions.count(bad) == 5
        assert [paid.account for paid in paid_in(world)].count("tax") == 3
        assert len(owed(world.log)) == 2
        assert system.check_replay().holds

    reactions.error = None  # the fix
    with world.open(ACTORS, policies=[policy(reactions), others]) as system:
        system.settle()
        assert owed(world.log) == []
    assert SystemState.replay(world.log).policies["transfers"].stopped_at is None


def test_a_policy_that_fails_again_in_the_next_run_stops_at_the_same_event(world: World, reactions: Reactions) -> None:
    reactions.error = ValueError("no")
    with world.open(ACTORS, policies=[policy(reactions)]) as system:
        pay(system, "rent")
        until(lambda: stopped(system), what="the policy has stopped")
    with world.open(ACTORS, policies=[policy(reactions)]) as system:
        until(lambda: len(reactions.positions) == 10, what="it has tried again")
        system.settle()
        assert stopped(system)
    assert len(list(world.log.read(types=["PolicyStopped"]))) == 1


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (Reaction("account/none", 7), "AttributeError: "),
        (Reaction("house/1", PayIn(1)), "LookupError: no actor class is registered for streams of type 'house'"),
        (PayIn(1), "TypeError: PayIn(cents=1) is not a Reaction; return a Reaction"),
        ([Reaction("account/bob", PayIn(1)), None], "TypeError: None is not a Reaction"),
    ],
    ids=["refused", "no such actor", "not a reaction", "not only reactions"],
)
def test_a_command_that_cannot_succeed_stops_the_policy(world: World, returned: Any, reason: str) -> None:
    system = world.open(ACTORS, policies=[policy(lambda _: returned)])
    pay(system, "rent")
    until(lambda: stopped(system), what="the policy has stopped")
    assert system.policies()["transfers"].reason.startswith(reason)


def test_an_abort_in_a_reaction_stops_only_its_policy(world: World, reactions: Reactions) -> None:
    reactions.error = SystemExit(3)
    system = world.open(ACTORS, policies=[policy(reactions)])
    pay(system, "rent")
    until(lambda: stopped(system), what="the policy has stopped")
    assert "SystemExit" in system.policies()["transfers"].reason
    pay(system, "gas")


@pytest.mark.parametrize("error", [ActorStopped("account/bob"), LogUnavailable("the log", "it is away")])
def test_an_error_of_the_system_that_may_pass_is_retried_until_it_does(
    world: World, reactions: Reactions, error: Exception
) -> None:
    reactions.error = error
    system = world.open(ACTORS, policies=[policy(reactions)], retry_backoff=0.0005)
    pay(system, "rent")
    until(lambda: len(reactions.positions) > 6, what="it was retried")
    reactions.error = None
    until(lambda: len(paid_in(world)) == 1, what="it has passed")
    assert not stopped(system)


def test_an_error_of_the_system_that_does_not_pass_stops_the_policy(world: World, reactions: Reactions) -> None:
    reactions.error = ActorFailed("account/bob", "its events cannot be applied")
    system = world.open(ACTORS, policies=[policy(reactions)])
    pay(system, "rent")
    until(lambda: stopped(system), what="the policy has stopped")


def test_a_policy_stops_at_an_event_that_is_not_registered(tmp_path: Path) -> None:
    elsewhere = Catalogue()

    @event("test.Foreign", catalogue=elsewhere)
    class Foreign(msgspec.Struct, frozen=True):
        number: int

    with SqliteLog(tmp_path / "log.db", codec=Codec(elsewhere)) as log:
        log.append([Append(stream="other/1", events=[Foreign(1)])], T)
    foreign = Policy("transfers", Query((QueryItem(("test.Foreign", "test.PaidOut")),)), pay_in)
    with ActorSystem.open(tmp_path / "log.db", actors=ACTORS, policies=[foreign], **QUICK) as system:
        until(lambda: stopped(system), what="the policy has stopped")
        found = system.policies()["transfers"]
        assert (found.stopped_at, found.reason[:18]) == (0, "UnknownEventType: ")
        pay(system, "rent")


@pytest.fixture
def faulty_system(faulty_world: World) -> ActorSystem:
    return faulty_world.open(ACTORS, policies=[TRANSFERS], retry_backoff=0.0005)


def test_a_policy_goes_on_when_the_log_can_be_read_again(
    faulty: FaultyLog, faulty_world: World, faulty_system: ActorSystem
) -> None:
    pay(faulty_system, "rent")
    faulty_system.settle()
    faulty.is_unreadable = True
    pay(faulty_system, "gas")
    faulty.is_unreadable = False
    until(lambda: len(paid_in(faulty_world)) == 2, what="both are paid in")


def test_progress_that_the_log_refuses_is_recorded_later(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open(ACTORS, policies=[TRANSFERS], progress_interval=0.002)
    system.settle()
    faulty.reject(stream="policy/")
    pay(system, "rent")
    until(lambda: system.policies()["transfers"].position >= 0, what="the progress is recorded")
    assert faulty.fired == ["rejected"]


def test_a_policy_survives_an_append_of_unknown_outcome(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open(ACTORS, policies=[TRANSFERS], progress_interval=0.002)
    system.settle()
    for stream, written in (("account/bob", True), ("account/bob", False), ("policy/", True)):
        faulty.lose_answer(stream=stream, written=written)
        until(partial(is_paid, system, f"{stream} {written}"), what="it is paid out")
    until(lambda: len(faulty.fired) == 3, what="all failures have happened")
    until(lambda: not owed(faulty) and system.policies()["transfers"].position >= 0, what="the progress is recorded")
    assert len(paid_in(faulty_world)) == 3


def test_closing_does_not_wait_for_an_event_that_fails(world: World, reactions: Reactions) -> None:
    reactions.error = LogUnavailable("the log", "it is away")
    system = world.open(ACTORS, policies=[policy(reactions)], retry_backoff=60.0)
    pay(system, "rent")
    until(lambda: bool(reactions.positions), what="it has reacted")
    system.close(10)


def test_a_policy_stops_while_the_log_refuses_its_progress(faulty: FaultyLog, faulty_world: World) -> None:
    system = faulty_world.open(ACTORS, policies=[TRANSFERS])
    pay(system, "rent")
    system.settle()
    faulty.reject(stream="policy/", times=1000)
    system.close(10)


# -- opening ----------------------------------------------------------------------------------------------------------


def test_two_policies_need_two_names() -> None:
    with pytest.raises(ValueError, match="two policies have the name 'transfers'"):
        ActorSystem.open(policies=[TRANSFERS, TRANSFERS])


@pytest.mark.parametrize("policies", [[pay_in], pay_in, "transfers", [None]])
def test_only_policies_can_be_opened(policies: Any) -> None:
    with pytest.raises(TypeError, match="polic"):
        ActorSystem.open(policies=policies)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"name": 5}, TypeError, "name must be a str"),
        ({"query": PAID_OUT.items[0]}, TypeError, "query must be a Query"),
        ({"query": Query(())}, ValueError, "matches no event"),
        ({"react": None}, TypeError, "react must be a function"),
        ({"react": "pay_in"}, TypeError, "react must be a function"),
        ({"max_in_flight": 0}, ValueError, "max_in_flight must be 1 or more"),
    ],
)
def test_a_policy_without_meaning_is_refused(how: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Policy(**{"name": "p", "query": PAID_OUT, "react": pay_in, **how})


@pytest.mark.parametrize(("stream", "error"), [("bob", ValueError), (5, TypeError)])
def test_a_reaction_needs_a_stream(stream: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="stream must be"):
        Reaction(stream, None)


def test_streams_of_policies_have_our_actor() -> None:
    with pytest.raises(ValueError, match="actors must not replace PolicyActor"):
        ActorSystem.open(actors={"policy": AccountActor})


def test_a_policy_that_the_system_was_not_opened_with_has_no_actor() -> None:
    with ActorSystem.open(**QUICK) as system:
        error = system.actor("policy/unknown").query("position").exception(10)
        assert isinstance(error, LookupError)
        assert "the system has no policy 'unknown'" in str(error)
