"""Sweeps: many worlds of one target, on one or many processes, with an account of what was found.

Each seed runs under one strategy of the sweep, in turn. Runs are handed out in chunks, because starting a task costs as
much as a small world. joblib starts the processes; its Dask backend reaches other machines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from odradek_simulation.choices.strategies import StrategyName, resolved
from odradek_simulation.choices.token import code_of
from odradek_simulation.errors import MissingExtra
from odradek_simulation.faults.injector import SMALL_CONSTANTS, fault_names, shortened
from odradek_simulation.sweeping.checkpoint import Checkpoint, SweepPlan
from odradek_simulation.sweeping.outcome import SeedOutcome, SweepReport, outcome_of
from odradek_simulation.world.target import Target, load_target, target_of
from odradek_simulation.world.world import Start

__all__ = ["Progress", "run_chunk", "sweep"]

Progress = Callable[[int, int], object]
"""Is called with how many runs are done, and how many of them failed."""

_CHUNK = 10  # runs; the same on any number of processes, because a chunk learns how long its runs are
_PROBE_LENGTH = 1000  # of a run, until one is known


def sweep(
    target: str | Start,
    seeds: int | Iterable[int] = 1000,
    *,
    faults: str | Iterable[str] | None = None,
    strategies: Sequence[StrategyName] = ("portfolio",),
    jobs: int = 1,
    cluster: str = "",
    checkpoint: str | Path | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> SweepReport:
    """Run worlds of `target` for all seeds, and report the failures by signature.

    target      a function `start(system, world)`, or its name as "module:function"; processes find it by name
    seeds       how many, from 0 on, or which
    faults      as for World; by default those of the target
    strategies  each seed runs under one of them, in turn; by default under the portfolio
    jobs        processes; more than one needs joblib (odradek[sweep])
    cluster     address of a Dask scheduler that runs them instead (odradek[cluster])
    checkpoint  a file that notes what is done; the same sweep continues from it
    options     further options of World

    Raises TargetNotFound, CheckpointUnusable, MissingExtra, and KeyboardInterrupt after the chunks that are done have
    been noted.
    """
    found = load_target(target) if isinstance(target, str) else target_of(target)
    chosen = fault_names(found.options.get("faults", "none") if faults is None else faults)
    options["faults"] = chosen
    product, own = code_of(found.start)
    plan = SweepPlan(
        target=found.name, faults=shortened(chosen), strategies=tuple(strategies), code=(product + own).hex()
    )
    kept = Checkpoint(None if checkpoint is None else Path(checkpoint), plan)
    wanted = range(seeds) if isinstance(seeds, int) else seeds
    known = {outcome.seed for outcome in kept.done}
    work = [(seed, resolved(strategies[seed % len(strategies)], seed)) for seed in wanted if seed not in known]
    failed = sum(1 for outcome in kept.done if outcome.failure)
    for outcomes in _run_chunks(found, _chunks(work), options, jobs, cluster):
        kept.add(outcomes)
        failed += sum(1 for outcome in outcomes if outcome.failure)
        if progress is not None:
            progress(len(kept.done), failed)
    return SweepReport.of(found.name, kept.done, set(chosen) - {SMALL_CONSTANTS})  # which does not strike at a step


def run_chunk(
    target: str | Target, chunk: Sequence[tuple[int, StrategyName]], options: dict[str, Any]
) -> list[SeedOutcome]:
    """Run a world for each seed and strategy. PCT gets the length of the longest run of the chunk so far."""
    found = load_target(target) if isinstance(target, str) else target
    outcomes = []
    longest = 0
    for seed, strategy in chunk:
        began = time.process_time()
        length = longest or _PROBE_LENGTH
        result = found.world(seed, **{"length": length, **options, "strategy": strategy}).run(found.start)
        outcomes.append(outcome_of(result, seed, strategy, time.process_time() - began))
        longest = max(longest, result.choices)
    return outcomes


def _chunks(work: list[tuple[int, StrategyName]]) -> list[list[tuple[int, StrategyName]]]:
    return [work[first : first + _CHUNK] for first in range(0, len(work), _CHUNK)]


def _run_chunks(
    target: Target, chunks: list[list[tuple[int, StrategyName]]], options: dict[str, Any], jobs: int, cluster: str
) -> Iterator[list[SeedOutcome]]:
    if jobs <= 1 and not cluster:
        for chunk in chunks:
            yield run_chunk(target, chunk, options)
        return
    try:
        import joblib  # type: ignore[import-untyped]  # has no types
    except ImportError:
        raise MissingExtra("a sweep on several processes", "joblib", "sweep") from None
    with _backend(cluster):
        parallel = joblib.Parallel(n_jobs=-1 if cluster else jobs, return_as="generator_unordered", batch_size=1)
        yield from parallel(joblib.delayed(run_chunk)(target.name, chunk, options) for chunk in chunks)


@contextmanager
def _backend(cluster: str) -> Iterator[None]:
    if not cluster:
        yield
        return
    try:
        import distributed
        import joblib
    except ImportError:
        raise MissingExtra("a sweep on a cluster", "dask.distributed", "cluster") from None
    client: Any = distributed.Client  # untyped
    with client(cluster, set_as_default=True), joblib.parallel_config(backend="dask"):
        yield
