"""Measure the boundary lab: attempts per CPU second, the default study, its report, and `explain`.

    python benchmarks/boundaries.py --seeds 5 --jobs 2

Attempts: Kafka's model under each of its six boundaries, one seed, in this process; every append is judged by a real
log. The study is the same with several seeds, in several processes. Quote figures of an idle machine.
"""

from __future__ import annotations

import argparse
import time

from rich.console import Console
from rich.table import Table

from odradek.boundaries import Boundary, Model, load_model, measure_curves, render_report, require_matplotlib
from odradek_boundaries.run import run
from odradek_boundaries.schedule import decide_serially, shape_of


def attempts(model: Model, boundary: Boundary) -> tuple[int, float]:
    """Return the attempts of a run, and its CPU seconds."""
    begin = time.process_time()
    counts = run(model.lab.rules, boundary, model.workload, seed=1)
    return counts.attempts, time.process_time() - begin


def schedules(model: Model) -> tuple[float, float]:
    """Return the CPU seconds of deciding the commands serially, and of turning that into all schedules."""
    plan = model.workload.plan(1)
    begin = time.process_time()
    steps = decide_serially(model.lab.rules, plan)
    decided = time.process_time()
    for boundary in model.boundaries:
        shape_of(model.lab.rules, boundary, model.workload, plan, steps)
    return decided - begin, time.process_time() - decided


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="kafka")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    model = load_model(chosen.model)
    console = Console()

    begin = time.process_time()
    model.lab.explain(model.boundaries, model.workload)
    console.print(f"explain: {time.process_time() - begin:.3f} CPU seconds")
    serial, shapes = schedules(model)
    console.print(f"serial decisions: {serial:.2f} CPU seconds; all schedules from them: {shapes:.2f}")
    table = Table("boundary", "attempts", "CPU seconds", "attempts per CPU second")
    for boundary in model.boundaries:
        count, seconds = attempts(model, boundary)
        table.add_row(boundary.name, f"{count:,}", f"{seconds:.2f}", f"{count / seconds:,.0f}")
    console.print(table)
    start = time.perf_counter()
    study = model.lab.compare(model.boundaries, model.workload, chosen.seeds, chosen.jobs)
    elapsed = time.perf_counter() - start
    console.print(f"study of {chosen.seeds} seeds in {chosen.jobs} processes: {elapsed:.1f} seconds")
    start = time.perf_counter()
    curves = measure_curves(model.lab.rules, model.boundaries, model.workload, chosen.jobs)
    console.print(f"runs by load and by clients: {time.perf_counter() - start:.1f} seconds")
    begin = time.process_time()
    require_matplotlib()
    imported = time.process_time()
    render_report(chosen.model, study, model.workload, curves)
    rendered = time.process_time() - imported
    console.print(f"report: {rendered:.2f} CPU seconds, after {imported - begin:.2f} for the import of matplotlib")


if __name__ == "__main__":
    main()
