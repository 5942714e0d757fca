"""SeededRuntime: the product's actors and handles, and plain Pykka actors, on one thread in virtual time."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import pykka
import pytest
from support.accounts import AccountActor, Deposit
from support.litmus import Inbox, Sender

import odradek
from odradek.errors import ForbiddenInWorld, RequestTimedOut, WaitOnActorThread
from odradek.simulation import SeededRuntime
from odradek_simulation.choices.strategies import STRATEGIES, StrategyName
from odradek_simulation.runtime.switchers import GreenletSwitcher


def run_a_day(seed: int, **options: Any) -> SeededRuntime:
    """Run two producers and a group of two on a system; expect every message."""
    runtime = SeededRuntime(seed, **options)
    received: list[bytes] = []

    def produce(number: int) -> None:
        with system.producer(f"p-{number}") as producer:
            for count in range(10):
                producer.send("orders", f"{number}-{count}".encode(), key=str(count)).result()

    def consume(number: int) -> None:
        with system.consumer(f"c-{number}", "billing") as consumer:
            consumer.subscribe(["orders"])
            while len(received) < 20:
                received.extend(message.value or b"" for message in consumer.poll(timeout=0.5))
                consumer.commit()

    with odradek.ActorSystem.open(runtime=runtime) as system:
        system.create_topic("orders", 2)
        clients = [runtime.spawn(work, number) for number in (1, 2) for work in (produce, consume)]
        runtime.wait_for_all(clients)
        assert [client.result() for client in clients] == [None] * 4
        system.settle()
        assert system.check_replay().holds
    assert sorted(received) == sorted(f"{number}-{count}".encode() for number in (1, 2) for count in range(10))
    assert runtime.handler_errors == []
    return runtime


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_seed_determines_every_step(strategy: StrategyName) -> None:
    runs = [run_a_day(5, strategy=strategy, trace=True) for _ in range(2)]
    assert runs[0].trace is not None
    assert runs[1].trace is not None
    assert runs[0].trace.steps == runs[1].trace.steps


def test_a_client_reads_and_checks_the_state_of_own_actors() -> None:
    runtime = SeededRuntime(3)
    with odradek.ActorSystem.open(runtime=runtime, actors={"account": AccountActor}) as system:

        def deposit_and_look() -> tuple[int, bool]:
            system.actor("account/alice").ask(Deposit(5)).result()
            return system.state().aggregate("account/alice").balance, system.check_replay().holds

        client = runtime.spawn(deposit_and_look)
        runtime.wait_for_all([client])
        assert client.result() == (5, True)


def test_seeds_give_different_orders() -> None:
    assert len({run_a_day(seed).scheduler.digest for seed in range(5)}) == 5


def test_greenlets_and_threads_carry_clients_to_the_same_steps() -> None:
    carried = [run_a_day(3, trace=True), run_a_day(3, trace=True, switcher=GreenletSwitcher())]
    assert carried[0].trace is not None
    assert carried[1].trace is not None
    assert carried[0].trace.digest() == carried[1].trace.digest()


def test_virtual_time_passes_with_steps_and_jumps_over_waits() -> None:
    runtime = SeededRuntime(step_ms=1.0)
    with odradek.ActorSystem.open(runtime=runtime) as system:
        before = runtime.monotonic()
        system.create_topic("orders")
        assert 0 < runtime.monotonic() - before < 1
        runtime.sleep(3600)
        assert 3600 < runtime.monotonic() - before < 3602
        assert (runtime.now() - runtime.now().replace(hour=0, minute=0, second=0, microsecond=0)).seconds >= 3600


def test_ids_and_random_numbers_come_from_the_seed() -> None:
    first, second, other = SeededRuntime(1), SeededRuntime(1), SeededRuntime(2)
    assert [first.random(), first.new_id()] == [second.random(), second.new_id()]
    assert first.random() != other.random()
    assert len({first.new_id(), *first.new_ids(3), other.new_id()}) == 5


class Counter(pykka.ThreadingActor):
    """A plain Pykka actor: passes a number on to its next until it is 0."""

    def __init__(self, log: list[tuple[str, int]], name: str) -> None:
        super().__init__()
        self.log, self.name = log, name
        self.next: pykka.ActorRef[Counter] | None = None

    def on_receive(self, message: Any) -> Any:
        if message == "name?":
            return self.name
        if message == "wait":
            assert self.next is not None
            return self.next.ask("name?")
        if isinstance(message, pykka.ActorRef):
            self.next = message
            return None
        self.log.append((self.name, message))
        if message and self.next is not None:
            self.next.tell(message - 1)
        return None


def ring(runtime: SeededRuntime, log: list[tuple[str, int]]) -> list[pykka.ActorRef[Counter]]:
    """Start three actors, each of which knows the next one."""
    refs = [runtime.start(Counter, log, name) for name in "abc"]
    for ref, follower in zip(refs, [*refs[1:], refs[0]], strict=True):
        ref.tell(follower)
    return refs


def test_plain_pykka_actors_tell_one_another() -> None:
    runtime, log = SeededRuntime(), list[tuple[str, int]]()
    refs = ring(runtime, log)
    runtime.sleep(1)
    refs[0].tell(5)
    runtime.sleep(1)
    assert log == [("a", 5), ("b", 4), ("c", 3), ("a", 2), ("b", 1), ("c", 0)]


def test_a_client_asks_a_plain_pykka_actor_and_stops_it() -> None:
    runtime = SeededRuntime()
    refs = ring(runtime, [])
    assert refs[1].ask("name?", timeout=5) == "b"
    refs[1].stop(timeout=5)
    assert not refs[1].is_alive()
    with pytest.raises(pykka.ActorDeadError):
        refs[1].tell(1)
    with pytest.raises(pykka.ActorDeadError):
        refs[1].ask("name?")
    assert refs[1].stop() is False


def test_a_handler_that_waits_is_told_not_to() -> None:
    runtime = SeededRuntime()
    refs = ring(runtime, [])
    runtime.sleep(1)
    with pytest.raises(WaitOnActorThread, match="make it on another thread"):
        refs[0].ask("wait", timeout=5)


def test_a_wait_for_a_promise_that_nobody_settles_times_out_in_virtual_time() -> None:
    runtime = SeededRuntime()
    with pytest.raises(RequestTimedOut):
        runtime.promise().result(60)
    assert 60 <= runtime.monotonic() < 61


def test_waits_of_concurrent_futures_are_refused() -> None:
    runtime = SeededRuntime()
    with pytest.raises(ForbiddenInWorld, match="wait_for_all"):
        concurrent.futures.wait([runtime.promise()])


def test_an_error_in_a_client_is_what_its_promise_raises() -> None:
    runtime = SeededRuntime()

    def fail() -> None:
        raise KeyError("no such order")

    with pytest.raises(KeyError, match="no such order"):
        runtime.spawn(fail).result()


def test_a_callback_may_look_up_an_actor_while_its_step_runs() -> None:
    runtime = SeededRuntime()
    with odradek.ActorSystem.open(runtime=runtime) as system:
        producer = system.producer("p")
        receipts: list[int] = []
        first = producer.send("a", b"1")
        first.add_done_callback(
            lambda _: producer.send("b", b"2").add_done_callback(lambda sent: receipts.append(sent.result().offset))
        )
        first.result()
        runtime.sleep(1)
        assert receipts == [0]


LITMUS = {  # the outcomes that 3000 runs on real threads show
    "each sends C, D": ({"A": "CD", "B": "CD"}, {"AB AB", "AB BA", "BA AB", "BA BA"}),
    "A sends D, C; B sends C, D": ({"A": "DC", "B": "CD"}, {"AB AB", "BA BA", "BA AB"}),
}


@pytest.mark.parametrize("test", LITMUS)
def test_schedules_reach_the_outcomes_of_real_threads_and_no_others(test: str) -> None:
    sends, expected = LITMUS[test]
    outcomes = set()
    for seed in range(150):
        runtime = SeededRuntime(seed)
        logs: dict[str, list[str]] = {"C": [], "D": []}
        inboxes = {name: runtime.start(Inbox, log) for name, log in logs.items()}
        for name, order in sends.items():
            runtime.start(Sender, name, [inboxes[inbox] for inbox in order]).tell("go")
        runtime.sleep(1)
        outcomes.add(" ".join("".join(log) for log in logs.values()))
    assert outcomes == expected
