"""`odradek simulate` on threads: it shows progress, and then what was measured and what holds."""

from __future__ import annotations

import odradek
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.output import line, stderr_console, table

__all__ = ["run_on_threads", "show"]


def run_on_threads(
    workload: odradek.simulation.Workload, log: odradek.SqliteLog | odradek.MemoryLog, *, json: bool
) -> None:
    """Run a workload and print its report."""
    show(_run(workload, log), json=json)


def _run(
    workload: odradek.simulation.Workload, log: odradek.SqliteLog | odradek.MemoryLog
) -> odradek.simulation.WorkloadReport:
    """Run with bars that show the progress; Ctrl-C reports what was done until then."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = stderr_console()
    latest = odradek.simulation.Progress(0, 0, 0.0)
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
            produced = bars.add_task("produced", total=workload.messages)
            consumed = bars.add_task("consumed", total=workload.messages * workload.consumers)

            def update(progress: odradek.simulation.Progress) -> None:
                nonlocal latest
                latest = progress
                bars.update(produced, completed=progress.produced)
                bars.update(consumed, completed=progress.consumed)

            return odradek.simulation.run_workload(workload, log, progress=update)
    except KeyboardInterrupt:
        done = f"{latest.produced} messages were produced and {latest.consumed} consumed"
        raise CommandError(f"interrupted; {done}, and everything was closed in order", ExitCode.INTERRUPTED) from None


def show(report: odradek.simulation.WorkloadReport, *, json: bool) -> None:
    """Print a report, and fail with its problems if something does not hold."""
    if json:
        line(report.to_json())
    else:
        _print(report)
    if not report.holds:
        raise CommandError("; ".join(report.problems), ExitCode.BROKEN)


def _print(report: odradek.simulation.WorkloadReport) -> None:
    line(f"Log: {report.log}, {report.events} events in {report.commits} commits, digest {report.digest}")
    line()
    table(
        "Throughput",
        ["", "messages", "seconds", "messages/s"],
        [
            ["produced", report.produced.messages, report.produced.seconds, report.produced.per_second],
            ["consumed, all consumers", report.consumed.messages, report.consumed.seconds, report.consumed.per_second],
        ],
    )
    table(
        "Latency (ms)",
        ["", "count", "p50", "p99", "max"],
        [
            [name, latency.count, latency.p50_ms, latency.p99_ms, latency.max_ms]
            for name, latency in (
                ("acknowledged sends", report.send_latency),
                ("polls with messages", report.poll_latency),
            )
            if latency.count
        ],
    )
    owners = sorted({owner for row in report.partitions for owner in row.lag})
    table(
        "Partitions, and how many messages each is behind",
        ["topic", "partition", "first offset", "next offset", *owners],
        [
            [row.topic, row.partition, row.log_start_offset, row.high_watermark, *(row.lag.get(o) for o in owners)]
            for row in report.partitions
        ],
    )
    table(
        "Groups",
        ["group", "generations", "joined", "left", "dismissed", "refused commits", "repeats"],
        [
            [row.group, row.generations, row.joined, row.left, row.dismissed, row.refused_commits, row.repeats]
            for row in report.groups
        ],
    )
    table("Events", ["type", "events"], report.events_by_type.items())
    table(
        "Verdict",
        ["invariant", "holds"],
        [[invariant.name, "yes" if invariant.holds else f"NO: {invariant.problem}"] for invariant in report.invariants],
    )
