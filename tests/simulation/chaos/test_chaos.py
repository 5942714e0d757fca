"""Chaos: our own system survives every fault, and what breaks a promise is found."""

from __future__ import annotations

import msgspec
import pytest

from odradek import ActorSystem, MemoryLog
from odradek.simulation import World
from odradek_simulation.chaos import chaos, chaos_of, run_chaos
from odradek_simulation.choices.strategies import STRATEGIES, StrategyName
from odradek_simulation.faults.injector import FAULTS, fault_names
from odradek_simulation.workload.mix import SMALL


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_without_faults_every_message_is_acknowledged_and_arrives(strategy: StrategyName) -> None:
    report = run_chaos(World(5, strategy=strategy))
    assert report.failure == ""
    done = report.operations
    probes = SMALL.producers
    assert (done.acknowledged, done.refused, done.unknown) == (SMALL.messages + probes, 0, 0)
    assert done.polled >= SMALL.consumers * (SMALL.messages + probes)
    assert "a member left its group" in report.reached


@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_the_system_keeps_its_promises_under_each_fault(fault: str) -> None:
    reports = [run_chaos(World(seed, faults=fault, strategy=STRATEGIES[seed])) for seed in range(5)]
    assert [report.failure for report in reports] == [""] * 5
    assert any(f"fault {fault}" in report.reached for report in reports)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_system_keeps_its_promises_under_all_faults_together(strategy: StrategyName) -> None:
    for seed in range(6):
        World(seed, faults="all", strategy=strategy).run(chaos).check()


@pytest.mark.slow
def test_many_seeds_hold_and_reach_every_goal() -> None:
    reached: set[str] = set()
    missed: set[str] = set()
    for seed in range(100, 160):
        result = World(seed, faults="all", strategy="portfolio").run(chaos).check()
        reached.update(result.reached)
        missed.update(result.missed)
        if seed >= 119 and missed <= reached:
            break
    assert missed - reached == set()


@pytest.mark.parametrize(
    ("seed", "strategy", "without"),
    [
        (29, "random", "exception"),  # a batch that was refused was repeated, and stored
        (11165, "fifo", "exception"),  # a consumer that closed during a recovery stayed open for ever
    ],
)
def test_seeds_that_found_bugs_hold(seed: int, strategy: StrategyName, without: str) -> None:
    faults = [name for name in fault_names("all") if name != without]
    World(seed, faults=faults, strategy=strategy).run(chaos).check()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_larger_workloads_hold_too(seed: int) -> None:
    parameters = {"topics": 3, "producers": 3, "consumers": 4, "groups": 2, "members": 3, "churn": 3, "messages": 100}
    World(seed, faults="all", parameters=parameters).run(chaos).check()


@pytest.mark.parametrize("parameters", [{"consumers": 0, "groups": 0}, {"messages": 0}, {"members": 1, "churn": 0}])
def test_smaller_workloads_hold_too(parameters: dict[str, int]) -> None:
    World(1, faults="all", parameters=parameters).run(chaos).check()


def test_a_log_that_loses_its_end_secretly_is_found() -> None:
    def signature(seed: int) -> str:
        log = MemoryLog()

        def start(system: ActorSystem, world: World) -> None:
            if world.remembered:
                log.lose_tail(10)
            chaos(system, world)

        failure = World(seed, faults="crash", log=log).run(start).failure
        return "" if failure is None else failure.signature

    assert "invariant: changed-prefix" in {signature(seed) for seed in range(3)}


def test_wrong_parameters_are_refused_with_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="topics must be 1 or more"):
        chaos_of(World(parameters={"topics": 0}))
    with pytest.raises(TypeError, match="shops"):
        chaos_of(World(parameters={"shops": 3}))


def test_a_token_repeats_a_run_with_its_workload() -> None:
    first = run_chaos(World(3, faults="all", parameters={"messages": 20}))
    again = run_chaos(World.replay(first.token))
    assert first.workload.messages == again.workload.messages == 20
    assert msgspec.structs.replace(again, token=first.token) == first


def test_a_report_is_json_with_the_facts_of_each_fault() -> None:
    report = run_chaos(World(2, faults="kill"))
    content = msgspec.json.decode(report.to_json())
    assert content["faults"][0]["kind"] == "kill"
    assert content["operations"]["acknowledged"] == report.operations.acknowledged
    assert content["workload"]["seed"] == 2
