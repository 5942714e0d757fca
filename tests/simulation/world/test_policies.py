"""A policy between accounts neither loses nor doubles money on the seeded runtime, wherever it is killed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.transfers import ACCOUNTS, TRANSFERS, WAGE, Account, AccountActor, owed, transfer, until_done

from odradek import ActorSystem, MemoryLog, SystemState
from odradek.simulation import World
from odradek_simulation.choices.streams import Recipe
from odradek_simulation.world.result import Result

SYSTEM: dict[str, Any] = {"actors": {"account": AccountActor}, "policies": [TRANSFERS]}
PROGRESS = 0.005
SMALL = Recipe(seed=1, strategy="fifo", faults="kill,crash", step_us=100, step_limit=50_000)


def owing(state: SystemState) -> int:
    """Return what the accounts have less than they were given as wages: it is under way."""
    accounts: list[Account] = list(state.own_aggregates.values())
    wages = sum(WAGE for account in accounts for cause in account.causes if cause.endswith(f" {WAGE}"))
    return wages - sum(account.cents for account in accounts)


def watch(world: World) -> None:
    """Expect that no money is doubled, and that in the end none is under way."""
    world.always(lambda state: owing(state) >= 0, "no money is doubled")
    world.eventually(lambda state: not owing(state), name="no money is lost")


def start(system: ActorSystem, world: World) -> None:
    """Let every account pay the others."""
    watch(world)
    for name in ACCOUNTS:
        world.spawn(transfer, system, name, 3, name=name)


def pay_once(system: ActorSystem, world: World) -> None:
    """Let one account pay another one, and look until that is paid in and the policy's progress is recorded."""

    def ann() -> None:
        transfer(system, "ann", 1)
        while not until_done(lambda: system.actor("account/cid").query("cents").result(120)):
            world.sleep(0.002)
        world.sleep(4 * PROGRESS)

    watch(world)
    world.spawn(ann)


def paid(result: Result, log: MemoryLog) -> int:
    """Expect that each payment arrived once, and return how many there were."""
    result.check()
    assert owed(log) == []
    return len(list(log.read(types=["test.PaidOut"])))


@pytest.mark.parametrize("seed", range(24))
def test_no_money_is_lost_or_doubled_when_actors_and_the_process_are_killed(seed: int) -> None:
    with MemoryLog() as log:
        result = World(seed, faults="kill,crash,recover", strategy="portfolio", log=log, **SYSTEM).run(start)
        assert paid(result, log) == 9


@pytest.mark.parametrize("seed", range(24))
def test_no_money_is_lost_or_doubled_whatever_fails(seed: int) -> None:
    with MemoryLog() as log:
        paid(World(seed, faults="all", strategy="portfolio", log=log, **SYSTEM).run(start), log)


def run_small(*struck: tuple[int, str, str, float]) -> Result:
    """Let one account pay another one, with these faults."""
    with MemoryLog() as log:
        recipe = msgspec.structs.replace(SMALL, struck=struck)
        result = World.of(recipe, log=log, progress_interval=PROGRESS, **SYSTEM).run(pay_once)
        assert paid(result, log) == 1
        return result


@pytest.mark.slow
@pytest.mark.parametrize("fault", [("crash", ""), ("kill", "policy/transfers"), ("kill", "account/cid")], ids=str)
def test_no_money_is_lost_or_doubled_when_something_dies_at_any_step(fault: tuple[str, str]) -> None:
    steps = run_small().steps
    struck = [run_small((step, *fault, 0.0)).faults for step in range(1, steps)]
    assert sum(map(len, struck)) > 100
