"""`odradek simulate`: concurrent producers and consumers in this process, and whether the system kept its promises."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

import odradek
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.options import Durability, DurabilityOption, JsonOption, bad_value
from odradek.cli.output import line, stderr_console, table
from odradek_simulation.workload.mix import LIMITS, MAX_KEY_SKEW, Workload

__all__ = ["show", "simulate"]


def _number(name: str, help: str, **shown: Any) -> Any:
    """Return the option for a whole number of a Workload."""
    least, most = LIMITS[name]
    return typer.Option(min=least, max=most, help=help, **shown)


_DEFAULT = Workload()


def simulate(
    topics: Annotated[int, _number("topics", "Topics.")] = _DEFAULT.topics,
    partitions: Annotated[int, _number("partitions", "Partitions of each topic.")] = _DEFAULT.partitions,
    producers: Annotated[int, _number("producers", "Producers, each in its own thread.")] = _DEFAULT.producers,
    consumers: Annotated[
        int, _number("consumers", "Readers of all topics: the first are groups, the others consumers.")
    ] = _DEFAULT.consumers,
    groups: Annotated[
        int | None,
        _number(
            "groups",
            "How many of the readers are consumer groups.",
            show_default=f"{_DEFAULT.groups}, or fewer with fewer consumers",
        ),
    ] = None,
    members: Annotated[
        int, _number("members", "Members of each group, each in its own thread; they share partitions.")
    ] = _DEFAULT.members,
    churn: Annotated[
        int,
        _number("churn", "Members of each group that leave, stall and die in turn while it reads; others take over."),
    ] = _DEFAULT.churn,
    messages: Annotated[int, _number("messages", "Messages, all producers together.")] = _DEFAULT.messages,
    message_size: Annotated[int, _number("message_size", "Bytes of each value.")] = _DEFAULT.message_size,
    batch: Annotated[int, _number("batch", "Messages of one send.")] = _DEFAULT.batch,
    keys: Annotated[int, _number("keys", "Different keys.")] = _DEFAULT.keys,
    key_skew: Annotated[
        float,
        typer.Option(min=0, max=MAX_KEY_SKEW, help="Exponent of the keys' Zipf distribution; 0 is uniform."),
    ] = _DEFAULT.key_skew,
    seed: Annotated[int, typer.Option(help="The same seed gives each producer the same messages.")] = _DEFAULT.seed,
    log: Annotated[str, typer.Option(metavar="PATH|memory", help="Where the log is kept.")] = "memory",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the log if it is there.")] = False,
    durability: DurabilityOption = "full",
    json: JsonOption = False,
) -> None:
    """Run producers and consumers, then check what must hold.

    Every client runs on a thread of its own. At the end the log is replayed and compared with the live state, and
    every message is accounted for; if something does not hold, the exit code is 1.

    \b
    Example:
      odradek simulate --log run.db --overwrite --members 3 --churn 6
    """
    if groups is not None and groups > consumers:
        raise bad_value("--groups", f"{groups} groups are more than the {consumers} readers; raise --consumers")
    workload = Workload(
        topics=topics,
        partitions=partitions,
        producers=producers,
        consumers=consumers,
        groups=min(_DEFAULT.groups, consumers) if groups is None else groups,
        members=members,
        churn=churn,
        messages=messages,
        message_size=message_size,
        batch=batch,
        keys=keys,
        key_skew=key_skew,
        seed=seed,
    )
    with _open_log(log, overwrite, durability) as opened:
        report = _run(workload, opened)
    show(report, json=json)


def _open_log(path: str, overwrite: bool, durability: Durability) -> odradek.SqliteLog | odradek.MemoryLog:
    """Open a new log. A log that is open for writing is never replaced: opening it shows whether it is."""
    if path in ("memory", ":memory:"):
        return odradek.MemoryLog()
    if os.path.lexists(path):
        if not overwrite:
            raise bad_value("--log", f"{path} exists already; use --overwrite to replace it, or another name")
        with odradek.SqliteLog(path) as old:
            name = old.path
        for suffix in ("", "-wal", "-shm", ".snapshots", ".snapshots-wal", ".snapshots-shm"):
            try:
                with suppress(FileNotFoundError):
                    Path(f"{name}{suffix}").unlink()
            except OSError as error:
                raise odradek.errors.LogNotWritable(path, error.strerror or str(error)) from error
    return odradek.SqliteLog(path, durability=durability)


def _run(workload: Workload, log: odradek.SqliteLog | odradek.MemoryLog) -> odradek.simulation.WorkloadReport:
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
