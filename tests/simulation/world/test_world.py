"""World: clients, checks, phases, crashes, and what a result says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pykka
import pytest
from support.accounts import AccountActor, Deposit
from support.domain import produced

from odradek import ActorSystem, MemoryLog, SqliteLog
from odradek.errors import SimulationFailed, StepLimitReached, TopicNotFound, WorldStalled
from odradek.simulation import Failure, Result, World
from odradek_domain.replay.system_state import SystemState
from odradek_events import Append
from odradek_simulation.checkers import Finding, Recorder
from odradek_simulation.world import watchdog


def shop(system: ActorSystem, count: int = 5) -> None:
    """Sell: produce orders, one after another."""
    with system.producer("shop") as producer:
        for number in range(count):
            producer.send("orders", f"order {number}".encode()).result()


def billing(system: ActorSystem, billed: list[bytes], count: int = 5) -> None:
    """Bill orders until there are `count`."""
    with system.consumer("billing", "billing") as consumer:
        consumer.subscribe(["orders"])
        while len(billed) < count:
            billed.extend(message.value or b"" for message in consumer.poll(timeout=0.5))
            consumer.commit()


def sell(system: ActorSystem, world: World) -> None:
    """Start a shop."""
    world.spawn(shop, system)


def orders_in(state: SystemState) -> int:
    """Count the orders in a state."""
    return sum(topic.message_count for topic in state.topics.values())


def test_clients_run_to_their_end_on_unchanged_handles() -> None:
    billed: list[bytes] = []

    def start(system: ActorSystem, world: World) -> None:
        world.spawn(shop, system)
        world.spawn(billing, system, billed)

    result = World(seed=7).run(start).check()
    assert billed == [f"order {number}".encode() for number in range(5)]
    assert result.holds
    assert result.failure is None
    assert result.steps > 100
    assert len(list(result.log.read(types=["MessageProduced"]))) == 5


def test_a_check_sees_the_state_after_each_commit() -> None:
    seen: list[int] = []
    world = World()
    world.always(lambda state: seen.append(orders_in(state)))
    world.run(sell).check()
    assert sorted(set(seen)) == [0, 1, 2, 3, 4, 5]
    assert seen == sorted(seen)


@pytest.mark.parametrize("way", ["False", "raises"])
def test_a_check_that_fails_ends_the_run(way: str) -> None:
    def at_most_two_orders(state: SystemState) -> bool:
        if way == "raises":
            assert orders_in(state) <= 2, "too many orders"
        return orders_in(state) <= 2

    world = World()
    world.always(at_most_two_orders)
    result = world.run(sell)
    assert result.failure is not None
    assert (result.failure.kind, result.failure.what) == ("always", "at_most_two_orders")
    assert len(list(result.log.read(types=["MessageProduced"]))) == 3
    with pytest.raises(SimulationFailed, match="at_most_two_orders") as caught:
        result.check()
    assert result.token in str(caught.value)


def test_what_must_become_true_is_awaited_in_virtual_time() -> None:
    world = World()
    world.eventually(lambda state: world.now() > 50)
    assert world.run(sell).check().seconds > 50


def test_what_never_becomes_true_fails_after_its_time() -> None:
    world = World()
    world.eventually(lambda state: False, within=10, name="pigs fly")
    failure = world.run(sell).failure
    assert failure is not None
    assert failure.signature == "eventually: pigs fly"
    assert "10 virtual seconds" in failure.message


def test_goals_are_reached_or_missed() -> None:
    world = World()
    world.sometimes("three orders", lambda state: orders_in(state) == 3)
    world.sometimes("nine orders", lambda state: orders_in(state) == 9)

    def start(system: ActorSystem, world: World) -> None:
        world.reach("begun")
        sell(system, world)

    result = world.run(start)
    assert (result.reached, result.missed) == (("begun", "three orders"), ("nine orders",))


def test_a_check_at_the_end_sees_the_final_state_once() -> None:
    seen: list[int] = []
    world = World()
    world.at_end(lambda state: seen.append(orders_in(state)))
    world.run(sell).check()
    assert seen == [5]


def test_a_check_at_the_end_fails_by_raising_by_returning_false_and_by_findings() -> None:
    def too_few(state: SystemState) -> bool:
        raise ValueError("too few")

    def failure_of(check: Any) -> str:
        world = World()
        world.at_end(check, "orders")
        failure = world.run(sell).failure
        assert failure is not None
        return failure.signature

    assert failure_of(too_few) == "end: orders (ValueError)"
    assert failure_of(lambda state: False) == "end: orders"
    assert failure_of(lambda state: [Finding("stock", "3 are missing")]) == "end: stock"


def test_a_log_that_breaks_an_invariant_fails_every_run() -> None:
    def forge(system: ActorSystem) -> None:
        stream = "topic/orders"
        system.log.append([Append(stream=stream, events=[produced(7, topic="orders")])], system.runtime.now())
        system.create_topic("payments")

    def start(system: ActorSystem, world: World) -> None:
        system.create_topic("orders")
        world.spawn(forge, system)

    failure = World().run(start).failure
    assert failure is not None
    assert failure.signature == "invariant: dense-offsets"


def test_what_clients_were_told_is_judged() -> None:
    def read(system: ActorSystem, recorder: Recorder, is_sent_by_it: bool) -> None:
        with system.producer("shop") as producer:
            if is_sent_by_it:
                send = recorder.send("orders", ["tea"])
                recorder.acknowledge(send, [producer.send("orders", "tea").result()])
            else:
                producer.send("orders", "tea").result()
        with system.consumer("c") as consumer:
            consumer.subscribe(["orders"], listener=recorder)
            recorder.polled(consumer.poll())

    def failure_of(is_sent_by_it: bool) -> Failure | None:
        world = World()
        history = world.history(read_to_end=["c"])
        client = partial(read, recorder=history.client("c"), is_sent_by_it=is_sent_by_it)
        return world.run(lambda system, world: world.spawn(client, system)).failure

    assert failure_of(True) is None
    failure = failure_of(False)
    assert failure is not None
    assert failure.signature == "history: never-sent"


def test_an_unanswered_operation_is_a_failure_unless_its_process_crashed() -> None:
    def failure_of(faults: str) -> Failure | None:
        world = World(1, faults=faults)
        history = world.history()

        def start(system: ActorSystem, world: World) -> None:
            if history.process == 0:
                history.client("p").send("orders", ["never answered"])
            world.spawn(shop, system, 30)

        result = world.run(start)
        assert history.process == result.crashes
        return result.failure

    assert failure_of("crash") is None
    failure = failure_of("none")
    assert failure is not None
    assert failure.signature == "history: unanswered"


def test_checks_see_the_aggregates_of_the_users_own_actors() -> None:
    def save(system: ActorSystem, account: str, amount: int) -> None:
        for _ in range(3):
            system.actor(f"account/{account}").ask(Deposit(amount)).result()

    def start(system: ActorSystem, world: World) -> None:
        world.spawn(save, system, "ann", 5, name="ann")
        world.spawn(save, system, "bob", 7, name="bob")

    def balances(state: SystemState) -> list[int]:
        return [account.balance for account in state.own_aggregates.values()]

    world = World(actors={"account": AccountActor})
    world.always(lambda state: sum(balances(state)) <= 36)
    world.sometimes("everything is saved", lambda state: sorted(balances(state)) == [15, 21])
    assert world.run(start).check().reached == ("everything is saved",)


def test_parameters_are_kept_by_the_token() -> None:
    def start(system: ActorSystem, world: World) -> None:
        world.spawn(shop, system, int(world.parameters["orders"]))

    first = World(parameters={"orders": 3, "shop": "tea"}).run(start)
    again = World.replay(first.token)
    assert again.parameters == {"orders": 3, "shop": "tea"}
    result = again.run(start)
    assert result.digest == first.digest
    assert len(list(result.log.read(types=["MessageProduced"]))) == 3


def test_a_world_notices_faults_and_restored_snapshots_itself() -> None:
    world = World(3, faults="kill", snapshot_interval=1)
    for goal in ("fault kill", "fault pause", "snapshot restored"):
        world.sometimes(goal)
    result = world.run(lambda system, world: world.spawn(shop, system, 40)).check()
    assert (result.reached, result.missed) == (("fault kill", "snapshot restored"), ("fault pause",))


def test_an_error_of_a_probe_is_not_explained_by_faults() -> None:
    def probe(system: ActorSystem) -> None:
        raise TopicNotFound("orders")

    def start(system: ActorSystem, world: World) -> None:
        world.spawn(shop, system, 20)
        world.when_quiet(probe, system, name="orders-probe")

    result = World(3, faults="pause").run(start)
    assert result.faults
    assert result.failure is not None
    assert result.failure.signature == "client: orders-probe (TopicNotFound)"


def test_a_failure_names_the_clients_that_faults_ended() -> None:
    def start(system: ActorSystem, world: World) -> None:
        world.spawn(shop, system, 20)
        world.spawn(give_up, world)

    def give_up(world: World) -> None:
        world.sleep(5)
        raise TopicNotFound("orders")

    world = World(3, faults="pause")
    world.at_end(lambda state: False, name="never")
    result = world.run(start)
    assert [name for name, _ in result.tolerated] == ["give_up"]
    assert "  client 'give_up' ended: TopicNotFound: " in result.describe()


def test_an_error_in_a_client_fails_the_run() -> None:
    def fail(system: ActorSystem) -> None:
        raise KeyError("stock")

    failure = World().run(lambda system, world: world.spawn(fail, system)).failure
    assert failure is not None
    assert failure.signature == "client: fail (KeyError)"


def test_a_client_that_never_ends_is_reported_by_its_name() -> None:
    def wait_for_ever(world: World) -> None:
        while True:
            world.sleep(1)

    result = World(faults="pause").run(lambda system, world: world.spawn(wait_for_ever, world))
    assert result.failure is not None
    assert result.failure.kind == "stuck"
    assert "wait_for_ever did not end" in result.failure.message


def test_a_world_that_never_ends_reaches_its_limit_of_steps() -> None:
    def work_for_ever(system: ActorSystem) -> None:
        while True:
            system.describe_topic("orders")

    def start(system: ActorSystem, world: World) -> None:
        system.create_topic("orders")
        world.spawn(work_for_ever, system)

    failure = World(step_limit=2000).run(start).failure
    assert failure is not None
    assert isinstance(failure.error, StepLimitReached)
    assert "2000 steps" in failure.message
    assert failure.step == 2000


def test_a_step_that_blocks_is_reported_with_its_task() -> None:
    lock = threading.Lock()

    def block() -> None:
        with lock:
            pass

    with lock, pytest.raises(WorldStalled, match="'block' has not ended"):
        World(stall_seconds=0.2).run(lambda system, world: world.spawn(block))


def test_probes_run_after_all_other_clients() -> None:
    order: list[str] = []

    def start(system: ActorSystem, world: World) -> None:
        world.when_quiet(lambda: order.append("probe" if world.is_quiet else "too early"))
        world.spawn(linger, world)

    def linger(world: World) -> None:
        world.sleep(5)
        order.append("client")

    World().run(start).check()
    assert order == ["client", "probe"]


def crash(seed: int, **options: Any) -> tuple[Result, list[str]]:
    """Run a world whose only faults are crashes of the process; return its result, and who started it."""
    starts: list[str] = []

    def start(system: ActorSystem, world: World) -> None:
        starts.append(f"{system.log.head().position >= 0}")
        world.spawn(shop, system, 30)

    return World(seed, faults="crash", **options).run(start), starts


def test_a_crash_starts_again_on_the_same_log() -> None:
    crashed = [crash(seed) for seed in range(10)]
    assert all(result.check().crashes >= len(starts) - 1 for result, starts in crashed)
    assert any(starts[1:] and starts[-1] == "True" for _, starts in crashed)


def test_a_crash_ends_clients_where_they_wait() -> None:
    ended: list[str] = []

    def linger(world: World) -> None:
        try:
            for _ in range(1000):
                world.sleep(0.01)
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    result = World(1, faults="crash").run(lambda system, world: world.spawn(linger, world)).check()
    assert 0 < len(ended) <= result.crashes
    assert set(ended) == {"ClientEnded"}


def test_a_lost_tail_loses_acknowledged_messages_and_all_other_faults_do_not() -> None:
    def lost(seed: int, faults: str) -> bool:
        acknowledged: list[bytes] = []

        def send(system: ActorSystem) -> None:
            with system.producer("shop") as producer:
                for _ in range(20):
                    order = b"%d" % len(acknowledged)
                    producer.send("orders", order).result()
                    acknowledged.append(order)

        result = World(seed, faults=faults).run(lambda system, world: world.spawn(send, system)).check()
        stored = {recorded.event.value for recorded in result.log.read(types=["MessageProduced"])}
        return not stored.issuperset(acknowledged)

    assert any(lost(seed, "lost-tail") for seed in range(10))
    assert not any(lost(seed, "all") for seed in range(10))


def test_choices_of_clients_depend_on_the_seed_and_the_client_only() -> None:
    def drawn(seed: int, strategy: Any) -> dict[str, list[int]]:
        numbers: dict[str, list[int]] = {}

        def draw(name: str, world: World) -> None:
            for _ in range(5):
                numbers.setdefault(name, []).append(world.draw(1000))
                world.sleep(0.001)

        def start(system: ActorSystem, world: World) -> None:
            for name in ("a", "b"):
                world.spawn(draw, name, world, name=name)

        World(seed, strategy=strategy).run(start).check()
        return numbers

    assert drawn(1, "random") == drawn(1, "pct3") != drawn(2, "random")
    assert drawn(1, "random")["a"] != drawn(1, "random")["b"]


def test_a_world_writes_an_ordinary_log(tmp_path: Any) -> None:
    with SqliteLog(tmp_path / "run.db") as log:
        assert World(log=log).run(sell).check().log is log
    with ActorSystem.open(tmp_path / "run.db") as system:
        assert system.check_replay().holds
        assert orders_in(system.state()) == 5


def test_a_crash_reopens_a_log_in_a_file(tmp_path: Any) -> None:
    with SqliteLog(tmp_path / "run.db", durability="off") as log:
        results = [World(seed, log=log, faults="crash").run(sell) for seed in range(3)]
    assert [result.check().holds for result in results] == [True] * 3


def test_a_world_runs_once() -> None:
    world = World()
    world.run(sell)
    with pytest.raises(RuntimeError, match="make a new World"):
        world.run(sell)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": "x"}, "seed"),
        ({"strategy": "luck"}, "strategy must be portfolio or one of fifo"),
        ({"faults": "gremlins"}, "'gremlins' is not a fault"),
        ({"step_ms": 0}, "step_ms"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        World(**arguments)


def test_a_target_that_is_not_a_function_is_refused() -> None:
    with pytest.raises(TypeError, match="start"):
        World().run("my_module:start")  # type: ignore[arg-type]  # the mistake


def test_a_world_that_does_not_run_says_so() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        World().sleep(1)


class _Interrupted:
    """A run that is interrupted at once and ends when it is asked to."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def run(self) -> int:
        assert self.asked.wait(10)
        return 3

    def interrupt(self) -> None:
        self.asked.set()

    def place(self) -> tuple[int, str]:
        return 0, "main"


def test_a_run_that_makes_steps_is_not_stalled() -> None:
    class Slow(_Interrupted):
        steps = 0

        def place(self) -> tuple[int, str]:
            self.steps += 1
            if self.steps == 3:
                self.asked.set()
            return self.steps, "main"

    assert watchdog.run_watched(Slow, 0.02) == 3


def test_an_interrupt_is_not_lost_if_the_run_ends_at_that_moment() -> None:
    class Ending(_Interrupted):
        def place(self) -> tuple[int, str]:
            raise KeyboardInterrupt  # as a signal does, while the run is watched

    with pytest.raises(KeyboardInterrupt):
        watchdog.run_watched(Ending, 0.02)


def test_memory_logs_stay_open() -> None:
    log = MemoryLog()
    World(log=log).run(sell).check()
    assert not log.is_closed


class Frail(pykka.ThreadingActor):
    """Fails at every message."""

    def on_receive(self, message: Any) -> None:
        raise KeyError(message)


def test_what_was_sent_last_is_still_handled() -> None:
    failure = World().run(lambda system, world: world.start(Frail).tell("late")).failure
    assert failure is not None
    assert failure.signature == "handler: Frail (KeyError)"


def test_a_client_may_close_the_system() -> None:
    World().run(lambda system, world: world.spawn(system.close)).check()


def test_a_check_that_aborts_as_pytest_does_fails_the_run() -> None:
    world = World()
    world.always(lambda state: pytest.fail("sold out"))
    failure = world.run(sell).failure
    assert failure is not None
    assert failure.kind == "always"
    assert "sold out" in failure.message


async def coroutine() -> None:
    """Do nothing, as a coroutine."""


def generator() -> Iterator[int]:
    """Yield something, as a generator."""
    yield 1


@pytest.mark.parametrize("client", [coroutine, generator])
def test_a_client_whose_code_would_not_run_is_refused(client: Any) -> None:
    with pytest.raises(SimulationFailed, match="ordinary function"):
        World().run(lambda system, world: world.spawn(client)).check()


def test_an_option_that_no_system_has_is_refused() -> None:
    with pytest.raises(TypeError, match="no option 'sedes'"):
        World(sedes=3)


def test_a_name_in_the_place_of_a_log_is_refused() -> None:
    with pytest.raises(TypeError, match="log must be an open log"):
        World(log="run.db")  # type: ignore[arg-type]  # the mistake
