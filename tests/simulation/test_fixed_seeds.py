"""Fifty seeds of each strategy with all faults: what a sweep would run, in the small. `make sweep` runs thousands."""

from __future__ import annotations

import pytest
from support.worlds import sell_and_bill

from odradek.simulation import World
from odradek_simulation.choices.strategies import STRATEGIES, StrategyName
from odradek_simulation.sweeping import sweep


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_fifty_worlds_with_all_faults_hold(strategy: StrategyName) -> None:
    report = sweep("support.worlds:sell_and_bill", 50, faults="all", strategies=(strategy,))
    assert [f"{found.message} {found.token}" for found in report.failures] == []
    assert report.never_reached == ()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_recording_repeats_its_run_step_by_step(strategy: StrategyName) -> None:
    for seed in range(5):
        first = World(seed, faults="all", strategy=strategy, trace=True).run(sell_and_bill)
        again = World.of(first.recording, trace=True).run(sell_and_bill)
        assert first.trace is not None
        assert again.trace is not None
        assert again.trace.digest() == first.trace.digest()
