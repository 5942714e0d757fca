"""Faults: each kind strikes, and the system survives it."""

from __future__ import annotations

import pytest

from odradek import ActorSystem
from odradek.simulation import World
from odradek_simulation.faults.injector import FAULTS, SMALL_CONSTANTS, fault_names, shortened, small_constants


def start(system: ActorSystem, world: World) -> None:
    """Start a shop and a group of two that bills its orders."""

    def shop() -> None:
        with system.producer("shop") as producer:
            for number in range(10):
                producer.send("orders", f"{number}".encode()).result()

    def bill(number: int) -> None:
        with system.consumer(f"c-{number}", "billing") as consumer:
            consumer.subscribe(["orders"])
            for _ in range(6):
                consumer.poll(timeout=0.2)
                consumer.commit()

    world.spawn(shop)
    for number in (1, 2):
        world.spawn(bill, number, name=f"bill-{number}", may_hang=number == 2)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_strikes_and_the_system_survives_it(name: str) -> None:
    struck = 0
    for seed in range(6):
        result = World(seed, faults=name).run(start)
        result.check()
        struck += sum(fault.kind == name for fault in result.faults)
    assert struck


def test_seeds_mix_faults_differently() -> None:
    mixes = {tuple(fault.kind for fault in World(seed, faults="all").run(start).faults) for seed in range(8)}
    assert len(mixes) == 8


def test_small_constants_change_the_settings_and_nothing_else() -> None:
    chosen = small_constants(3)
    assert chosen
    assert chosen == small_constants(3) != small_constants(4)
    result = World(3, faults=SMALL_CONSTANTS).run(start).check()
    assert result.faults == ()


def test_settings_of_the_user_win_over_small_constants() -> None:
    for seed in range(5):
        World(seed, faults="small-constants", snapshot_interval=77).run(
            lambda system, world: check_interval(system)
        ).check()


def check_interval(system: ActorSystem) -> None:
    """Expect the interval that the user chose."""
    assert system.settings.snapshot_interval == 77


@pytest.mark.parametrize(
    ("chosen", "names"),
    [("none", ()), ("", ()), ("kill, pause", ("kill", "pause")), (["pause", "kill"], ("kill", "pause"))],
)
def test_faults_are_chosen_by_name(chosen: str | list[str], names: tuple[str, ...]) -> None:
    assert fault_names(chosen) == names


def test_all_leaves_out_the_fault_that_loses_acknowledged_messages() -> None:
    assert "lost-tail" not in fault_names("all")
    assert set(fault_names("all,lost-tail")) == {*FAULTS, SMALL_CONSTANTS}


@pytest.mark.parametrize("chosen", ["all", "all,lost-tail", "kill,pause", "none"])
def test_names_are_shortened_without_loss(chosen: str) -> None:
    assert fault_names(shortened(fault_names(chosen))) == fault_names(chosen)
