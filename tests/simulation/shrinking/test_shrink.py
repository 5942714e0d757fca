"""Shrinking: a failing run loses what its failure does not need."""

from __future__ import annotations

from typing import Any

import pytest
from support.lost_update import sell
from support.worlds import sell_and_bill

from odradek import ActorSystem
from odradek.simulation import Result, World
from odradek_simulation.choices.streams import Recipe, decoded, encoded
from odradek_simulation.shrinking import shrink


def first_failure(**options: Any) -> Result:
    """Return the first failing run of a few seeds."""
    return next(result for seed in range(100) if not (result := World(seed, **options).run(sell)).holds)


def rerun(recipe: Recipe) -> Result:
    """Run a recipe again."""
    return World.of(recipe).run(sell)


@pytest.mark.parametrize("faults", ["none", "pause,slow,swizzle,clock-jump"])
def test_a_lost_update_shrinks_to_two_customers_without_faults(faults: str) -> None:
    failed = first_failure(faults=faults)
    shrunk = shrink(failed, rerun)
    recording = shrunk.result.recording
    assert shrunk.is_minimal
    assert len({"customer-0", "customer-1", "customer-2"} - {*recording.without}) == 2
    assert recording.struck == ()
    assert recording.deviations <= 2
    assert shrunk.result.failure is not None
    assert failed.failure is not None
    assert shrunk.result.failure.signature == failed.failure.signature
    assert shrunk.steps[1] < shrunk.steps[0]


def test_the_shrunk_run_is_repeated_by_its_token() -> None:
    shrunk = shrink(first_failure(), rerun)
    again = World.replay(shrunk.result.token).run(sell)
    assert again.failure is not None
    assert again.digest == shrunk.result.digest


def test_a_limit_of_runs_is_kept_and_admitted() -> None:
    shrunk = shrink(first_failure(), rerun, max_runs=5)
    assert shrunk.runs == 5
    assert not shrunk.is_minimal
    assert "more may be possible" in shrunk.describe()


def test_a_run_that_did_not_fail_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="did not fail"):
        shrink(World().run(lambda system, world: None), rerun)


def test_a_failure_that_does_not_come_again_is_reported_as_that() -> None:
    with pytest.raises(ValueError, match="does not come again"):
        shrink(first_failure(), lambda recipe: World.of(recipe).run(lambda system, world: None))


def test_a_recording_repeats_its_run_exactly() -> None:
    first = World(5, faults="all", strategy="pct3").run(sell)
    again = World.of(first.recording).run(sell)
    assert (again.digest, again.faults) == (first.digest, first.faults)


def test_picks_survive_their_encoding_but_for_defaults_at_the_end() -> None:
    names = ["a", "a", "", "b", "", ""]
    assert encoded(names) == (("a", 2), ("", 1), ("b", 1))
    assert decoded(encoded(names)) == names[:4]


def bill(system: ActorSystem, world: World) -> None:
    """Sell and bill orders. The billing commits before it bills, so an error loses orders. A third client idles."""
    sold, billed = list[str](), list[str]()
    world.eventually(lambda state: billed >= sold, name="every order is billed")

    def shop() -> None:
        with system.producer("shop") as producer:
            for number in range(6):
                producer.send("orders", f"order {number}").result()
                sold.append(f"order {number}")

    def billing() -> None:
        with system.consumer("billing", "billing") as consumer:
            consumer.subscribe(["orders"])
            while orders := consumer.poll(max_messages=2, timeout=60):
                consumer.commit()
                billed.extend((order.value or b"").decode() for order in orders)

    for client in (shop, billing):
        world.spawn(client)
    world.spawn(world.sleep, 0.1, name="idle")


def first_loss(**options: Any) -> Result:
    """Return the first run in which an order is never billed."""
    runs = (World(seed, faults="kill,exception,pause,slow", **options).run(bill) for seed in range(100))
    return next(run for run in runs if run.failure is not None and run.failure.kind == "eventually")


@pytest.mark.slow
def test_a_client_without_which_nothing_could_hold_is_kept() -> None:
    shrunk = shrink(first_loss(), lambda recipe: World.of(recipe).run(bill))
    recording = shrunk.result.recording
    assert recording.without == ("idle",)
    assert len(shrunk.result.faults) == 1
    assert recording.deviations * 20 <= shrunk.deviations[0]
    assert shrunk.is_minimal


def test_no_candidate_takes_many_more_steps_than_the_failure() -> None:
    failed = first_failure(faults="all")
    taken: list[int] = []

    def rerun_and_note(recipe: Recipe) -> Result:
        taken.append(rerun(recipe).steps)
        return rerun(recipe)

    assert shrink(failed, rerun_and_note).result.recording.step_limit == failed.recording.step_limit
    assert max(taken) <= failed.steps + max(100, failed.steps // 4)


@pytest.mark.slow
def test_a_recording_of_a_run_that_failed_under_faults_repeats_it() -> None:
    for seed in range(40):
        failed = World(seed, faults="all", strategy="portfolio").run(sell_until_three)
        again = World.of(failed.recording).run(sell_until_three)
        assert (again.digest, again.faults) == (failed.digest, failed.faults)


def sell_until_three(system: ActorSystem, world: World) -> None:
    """Fail after three commits, while later faults are still to come."""
    world.always(lambda state: state.position < 3, name="three commits")
    sell_and_bill(system, world)
