"""Sweeps: what they find, how they continue, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pykka
import pytest

from odradek import ActorSystem
from odradek.errors import CheckpointUnusable, TargetNotFound
from odradek.simulation import World
from odradek_simulation.sweeping import SweepReport, sweep
from odradek_simulation.sweeping.checkpoint import Checkpoint, SweepPlan
from odradek_simulation.sweeping.outcome import SeedOutcome
from odradek_simulation.world.target import load_target, simulated

NAME = "support.worlds:sell_and_bill"


class Light(pykka.ThreadingActor):
    """Expects "on" before "off"."""

    def __init__(self) -> None:
        super().__init__()
        self.is_on = False

    def on_receive(self, message: Any) -> None:
        assert message == "on" or self.is_on, "off came first"
        self.is_on = True


def race(system: ActorSystem, world: World) -> None:
    """Have two clients switch a light on and off, in whatever order."""
    light = world.start(Light)
    world.sometimes("switched on", None)
    world.sometimes("broken")
    for what in ("on", "off"):
        world.spawn(light.tell, what, name=what)
    world.reach("switched on")


def outcomes_without_times(report: SweepReport) -> Any:
    """Return a report without what differs from run to run."""
    return [
        (failure.signature, failure.count, failure.seed, failure.token) for failure in report.failures
    ], report.goals


def test_a_sweep_reports_each_kind_of_failure_once_with_its_shortest_run() -> None:
    report = sweep(race, 60)
    assert report.runs == 60
    assert [failure.signature for failure in report.failures] == ["handler: Light (AssertionError)"]
    found = report.failures[0]
    assert 5 < found.count == report.failed < 55
    again = World.replay(found.token).run(race)
    assert again.failure is not None
    assert again.steps == found.steps


def test_a_sweep_reports_goals_that_no_run_reached() -> None:
    report = sweep(race, 10)
    assert report.goals == {"broken": 0, "switched on": 10}
    assert report.never_reached == ("broken",)


def test_a_sweep_counts_the_faults_that_struck() -> None:
    report = sweep(NAME, 12, faults="kill,pause")
    assert set(report.faults) == {"kill", "pause"}
    assert all(0 < count <= 12 for count in report.faults.values())


def test_the_options_of_a_target_are_those_of_its_worlds() -> None:
    settings = []

    def start(system: ActorSystem, world: World) -> None:
        settings.append(system.settings.default_partitions)

    sweep(simulated(start, {"default_partitions": 7}), 3)
    assert settings == [7, 7, 7]


@pytest.mark.slow
def test_processes_find_what_one_process_finds() -> None:
    alone, together = sweep(NAME, 30, faults="kill"), sweep(NAME, 30, faults="kill", jobs=2)
    assert outcomes_without_times(alone) == outcomes_without_times(together)
    assert alone.steps == together.steps


@pytest.mark.slow
def test_a_cluster_finds_what_one_process_finds() -> None:
    distributed: Any = pytest.importorskip("distributed")
    alone = sweep(NAME, 20)
    workers = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "protocol": "tcp://", "host": "127.0.0.1"}
    with distributed.LocalCluster(**workers, dashboard_address=None) as cluster:
        assert outcomes_without_times(sweep(NAME, 20, cluster=cluster.scheduler_address)) == outcomes_without_times(
            alone
        )


def test_an_interrupted_sweep_continues_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "sweep.jsonl"

    def interrupt(done: int, failed: int) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(race, 50, checkpoint=file, progress=interrupt)
    seen: list[int] = []
    report = sweep(race, 50, checkpoint=file, progress=lambda done, failed: seen.append(done))
    assert seen == [30, 40, 50]
    assert outcomes_without_times(report) == outcomes_without_times(sweep(race, 50))


def test_a_checkpoint_that_was_cut_off_loses_only_its_last_line(tmp_path: Path) -> None:
    file = tmp_path / "sweep.jsonl"
    whole = sweep(race, 30, checkpoint=file)
    file.write_bytes(file.read_bytes()[:-40])
    assert outcomes_without_times(sweep(race, 30, checkpoint=file)) == outcomes_without_times(whole)


def test_a_finished_sweep_runs_nothing_again(tmp_path: Path) -> None:
    sweep(race, 20, checkpoint=tmp_path / "done")
    sweep(race, 20, checkpoint=tmp_path / "done", progress=lambda done, failed: pytest.fail("it ran something"))


def test_a_checkpoint_of_another_sweep_is_refused(tmp_path: Path) -> None:
    sweep(race, 10, checkpoint=tmp_path / "sweep")
    with pytest.raises(CheckpointUnusable, match="another faults"):
        sweep(race, 10, checkpoint=tmp_path / "sweep", faults="pause")


@pytest.mark.parametrize("content", [b"\x00\xff\n", b"hello\n", b"{}\n[1]\n", b"no end"])
def test_a_file_that_is_no_checkpoint_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes").write_bytes(content)
    with pytest.raises(CheckpointUnusable, match="is not the checkpoint"):
        sweep(race, 10, checkpoint=tmp_path / "notes")
    assert (tmp_path / "notes").read_bytes() == content


def test_a_full_disk_stops_the_sweep_with_what_is_done() -> None:
    plan = SweepPlan(target="t", faults="", strategies=("fifo",), code="")
    outcome = SeedOutcome(seed=1, strategy="fifo", steps=1, choices=0, seconds=0.0)
    with pytest.raises(CheckpointUnusable, match="No space left on device"):
        Checkpoint(Path("/dev/full"), plan).add([outcome])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("support.worlds", "not of the form module:function"),
        ("no_such_module:start", "No module named 'no_such_module'"),
        ("support.worlds:nothing", "has no function 'nothing'"),
        ("support.worlds:__doc__", "has no function"),
    ],
)
def test_a_target_that_cannot_be_found_is_refused(name: str, words: str) -> None:
    with pytest.raises(TargetNotFound, match=words):
        load_target(name)


def test_a_target_that_fails_on_import_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_target.py").write_text("raise RuntimeError('no database')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetNotFound, match="RuntimeError: no database"):
        load_target("broken_target:start")
