"""`odradek sweep`: run a target with many seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.options import JsonOption, bad_value
from odradek.cli.output import format_count, json_line, line, plain, red_line, table

if TYPE_CHECKING:
    from odradek_simulation.choices import StrategyName
    from odradek_simulation.sweeping import SweepReport

__all__ = ["sweep"]

_OWN = "odradek_simulation.chaos:chaos"


def sweep(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODULE:FUNCTION]",
            help="A function start(system, world), which starts clients; without it, Odradek itself under all faults.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0 on.")] = 10_000,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; more than one needs odradek[sweep].")] = 1,
    faults: Annotated[
        str | None,
        typer.Option(metavar="all|none|NAME,...", help="What goes wrong.", show_default="those of the target"),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(help="How the next step is picked: portfolio, which takes several in turn, or the name of one."),
    ] = "portfolio",
    checkpoint: Annotated[
        str | None, typer.Option(metavar="FILE", help="Note what is done, so that the same command continues.")
    ] = None,
    cluster: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Run on a Dask cluster; needs odradek[cluster].")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Run a world with many seeds, and report each kind of failure.

    Each kind is reported once, with the token of its shortest run. Goals and faults that no run reached are listed too.
    If a run fails, the exit code is 1.

    \b
    Example:
      odradek sweep my_models:start --seeds 10000 --jobs 2 --checkpoint sweep.jsonl
    """
    from odradek_simulation.choices import STRATEGIES
    from odradek_simulation.faults.injector import fault_names

    if faults is not None:
        try:
            fault_names(faults)
        except ValueError as error:
            raise bad_value("--faults", str(error)) from error
    chosen: tuple[StrategyName, ...] = ("portfolio", *STRATEGIES)
    strategies = tuple(name for name in chosen if name == strategy)
    if not strategies:
        raise bad_value("--strategy", f"{strategy!r} is not one of {', '.join(chosen)}")
    if target is None:
        target, faults = _OWN, faults or "all"
    report = _run(target, seeds, jobs, faults, strategies, checkpoint, cluster)
    if json:
        json_line(report)
    else:
        _print(report)
    if not report.holds:
        raise CommandError(_verdict(report), ExitCode.BROKEN)


def _run(
    target: str,
    seeds: int,
    jobs: int,
    faults: str | None,
    strategies: tuple[StrategyName, ...],
    checkpoint: str | None,
    cluster: str,
) -> SweepReport:
    """Run the sweep, and show its progress; Ctrl-C says how far it came."""
    from odradek.cli.commands.worlds.progress import run_bar
    from odradek_simulation.sweeping import sweep as run_sweep

    so_far = 0
    try:
        with run_bar(seeds) as show:

            def note(done: int, failed: int) -> None:
                nonlocal so_far
                so_far = done
                show(done, failed)

            return run_sweep(
                target,
                seeds,
                faults=faults,
                strategies=strategies,
                jobs=jobs,
                cluster=cluster,
                checkpoint=checkpoint,
                progress=note,
            )
    except KeyboardInterrupt:
        kept = "; the same command continues" if checkpoint else "; with --checkpoint they would be kept"
        sentence = f"interrupted; {so_far:,} of {seeds:,} runs are done{kept if so_far or checkpoint else ''}"
        raise CommandError(sentence, ExitCode.INTERRUPTED) from None


def _print(report: SweepReport) -> None:
    runs = f"{report.runs:,} runs{'' if report.faults else ' without faults'}"
    line(f"{report.target}: {runs}, {report.steps:,} steps, {report.seconds:.1f} s of CPU time")
    line()
    table(
        "Failures",
        ["runs", "failure", "shortest", "strategy", "steps"],
        [
            [found.count, found.signature, f"seed {found.seed}", found.strategy, found.steps]
            for found in report.failures
        ],
    )
    for found in report.failures:
        line(plain(found.message))
        line(f"  odradek explain {found.token} -o failure.html")
        line()
    table("Goals", ["goal", "runs"], report.goals.items())
    table("Faults", ["fault", "runs"], report.faults.items())
    for what, counts in (("goals", report.goals), ("faults", report.faults)):
        if missed := ", ".join(name for name, count in counts.items() if not count):
            red_line(f"{what.capitalize()} never reached: {missed}")


def _verdict(report: SweepReport) -> str:
    first = report.failures[0]
    if report.failed == report.runs > 1 and len(report.failures) == 1:
        return f"every run fails in the same way, so look at the target first: {first.message}"
    kinds = format_count(len(report.failures), "kind")
    return f"{format_count(report.failed, 'run')} of {report.runs:,} failed, with {kinds} of failure"
