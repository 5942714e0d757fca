"""`odradek simulate`: concurrent producers and consumers in this process, and whether the system kept its promises."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from odradek import ActorSystem, MemoryLog, SqliteLog
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.options import DurabilityOption, JsonOption, bad_value
from odradek.cli.output import json_line, line, stderr_console, table
from odradek_domain.errors import MAX_PARTITIONS
from odradek_events.errors import LogNotWritable
from odradek_events.sqlite.log import Durability
from odradek_simulation.workload.mix import MIN_MESSAGE_SIZE, Workload
from odradek_simulation.workload.report import Report, make_report
from odradek_simulation.workload.run import Simulation

__all__ = ["simulate"]


def simulate(
    topics: Annotated[int, typer.Option(min=1, max=1000, help="Topics.")] = 2,
    partitions: Annotated[int, typer.Option(min=1, max=MAX_PARTITIONS, help="Partitions of each topic.")] = 4,
    producers: Annotated[int, typer.Option(min=1, max=1000, help="Producers, each in its own thread.")] = 4,
    consumers: Annotated[
        int, typer.Option(min=0, max=1000, help="Readers of all topics: the first are groups, the others consumers.")
    ] = 3,
    groups: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="How many of the readers are consumer groups.",
            show_default="2, or fewer with fewer consumers",
        ),
    ] = None,
    members: Annotated[
        int, typer.Option(min=1, max=1000, help="Members of each group, each in its own thread; they share partitions.")
    ] = 2,
    churn: Annotated[
        int,
        typer.Option(
            min=0,
            max=1000,
            help="Members of each group that leave, stall and die in turn while it reads; others take over.",
        ),
    ] = 0,
    messages: Annotated[int, typer.Option(min=0, help="Messages, all producers together.")] = 200_000,
    message_size: Annotated[int, typer.Option(min=MIN_MESSAGE_SIZE, max=1 << 20, help="Bytes of each value.")] = 100,
    batch: Annotated[int, typer.Option(min=1, max=100_000, help="Messages of one send.")] = 100,
    keys: Annotated[int, typer.Option(min=1, max=1_000_000, help="Different keys.")] = 1000,
    key_skew: Annotated[
        float, typer.Option(min=0, max=10, help="Exponent of the keys' Zipf distribution; 0 is uniform.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives each producer the same messages.")] = 1,
    log: Annotated[str, typer.Option(metavar="PATH|memory", help="Where the log is kept.")] = "memory",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the log if it is there.")] = False,
    durability: DurabilityOption = "full",
    json: JsonOption = False,
) -> None:
    """Run producers and consumers, then check what must hold.

    Everybody runs on real threads. At the end the log is replayed and compared with the live state, and every message
    is accounted for; if anything is wrong the exit code is 1.

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
        groups=min(2, consumers) if groups is None else groups,
        members=members,
        churn=churn,
        messages=messages,
        message_size=message_size,
        batch=batch,
        keys=keys,
        key_skew=key_skew,
        seed=seed,
    )
    with _open_log(log, overwrite, durability) as opened, ActorSystem.open(opened) as system:
        simulation = Simulation(system, workload)
        _run(simulation)
        report = make_report(simulation, system)
    if json:
        json_line(report)
    else:
        _print(report)
    broken = [invariant for invariant in report.invariants if not invariant.holds]
    if broken:
        said = "; ".join(f"{invariant.name!r} does not hold ({invariant.problem})" for invariant in broken)
        raise CommandError(said, ExitCode.BROKEN)


def _open_log(path: str, overwrite: bool, durability: Durability) -> SqliteLog | MemoryLog:
    """Open a new log. Only a log that nobody is writing is ever replaced: opening it is how that is found out."""
    if path in ("memory", ":memory:"):
        return MemoryLog()
    if os.path.lexists(path):
        if not overwrite:
            raise bad_value("--log", f"{path} exists already; use --overwrite to replace it, or another name")
        with SqliteLog(path) as old:
            name = old.path
        for suffix in ("", "-wal", "-shm", ".snapshots", ".snapshots-wal", ".snapshots-shm"):
            try:
                with suppress(FileNotFoundError):
                    Path(f"{name}{suffix}").unlink()
            except OSError as error:
                raise LogNotWritable(path, error.strerror or str(error)) from error
    return SqliteLog(path, durability=durability)


def _run(simulation: Simulation) -> None:
    """Run, showing how far things are; Ctrl-C says what was done."""
    workload = simulation.workload
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = stderr_console()
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            produced = progress.add_task("produced", total=workload.messages)
            consumed = progress.add_task("consumed", total=workload.messages * workload.consumers)

            def update(running: Simulation) -> None:
                progress.update(produced, completed=running.acknowledged)
                progress.update(consumed, completed=running.received)

            simulation.run(update)
    except KeyboardInterrupt:
        done = f"{simulation.acknowledged} messages were produced and {simulation.received} consumed"
        raise CommandError(f"interrupted; {done}, and everything was closed in order", ExitCode.INTERRUPTED) from None


def _print(report: Report) -> None:
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
        [list(msgspec.structs.astuple(row)) for row in report.groups],
    )
    table("Events", ["type", "events"], report.events_by_type.items())
    table(
        "Verdict",
        ["invariant", "holds"],
        [[invariant.name, "yes" if invariant.holds else f"NO: {invariant.problem}"] for invariant in report.invariants],
    )
