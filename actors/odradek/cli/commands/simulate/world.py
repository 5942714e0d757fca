"""`odradek simulate --runtime seeded`: the same clients in a world, from a seed or a token, with faults."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

import odradek
from odradek.cli.commands.simulate.opened_log import is_in_memory
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.options import bad_value
from odradek.cli.output import line, table, tell
from odradek.simulation import World
from odradek_simulation.chaos.report import ChaosReport, run_chaos
from odradek_simulation.chaos.target import chaos
from odradek_simulation.choices.strategies import StrategyName
from odradek_simulation.choices.token import Token, code_of, name_of
from odradek_simulation.faults.injector import fault_names
from odradek_simulation.faults.process import LOST_TAIL
from odradek_simulation.workload.mix import SMALL, Workload

__all__ = ["repeated", "run_in_world", "seeded", "show"]

_MakeWorld = Callable[..., World]
"""Makes a world; takes its log."""


def seeded(seed: int, faults: str, strategy: StrategyName, workload: Workload, log: str) -> _MakeWorld:
    """Return what makes a world that runs a workload from a seed."""
    try:
        names = fault_names(faults)
    except ValueError as error:
        raise bad_value("--faults", str(error)) from error
    _check_log(names, log)
    usual = msgspec.structs.asdict(SMALL)
    parameters = {name: value for name, value in msgspec.structs.asdict(workload).items() if value != usual[name]}
    return partial(World, seed, faults=names, strategy=strategy, parameters=parameters)


def repeated(text: str, log: str, *, is_lenient: bool) -> _MakeWorld:
    """Return what makes the world of a token; on stderr, say so if other code made the token."""
    try:
        token = Token.parse(text)
    except odradek.errors.InvalidToken as error:
        raise bad_value("--replay", str(error)) from error
    if token.name != name_of(chaos):
        other = f"of {token.name}, not of this command" if token.name else "not of this command"
        raise bad_value("--replay", f"the token is {other}; repeat it with odradek explain, or with World.replay")
    _check_log(fault_names(token.recipe.faults), log)
    if (token.product, token.target) != code_of(chaos):
        tell("the token was made by other code, so the run may take another course")
    return partial(World.replay, text, lenient=is_lenient)


def _check_log(faults: tuple[str, ...], log: str) -> None:
    if LOST_TAIL in faults and not is_in_memory(log):
        raise bad_value("--log", f"the fault {LOST_TAIL} strikes only a log in memory, not {log}; leave out --log")


def run_in_world(make: _MakeWorld, log: odradek.SqliteLog | odradek.MemoryLog, *, json: bool) -> None:
    """Run a world on a log and print its report."""
    show(run_chaos(make(log=log)), json=json)


def show(report: ChaosReport, *, json: bool) -> None:
    """Print a report, and fail with its failure if there is one."""
    if json:
        line(report.to_json())
    else:
        _print(report)
    if not report.holds:
        raise CommandError(report.failure, ExitCode.BROKEN)


def _print(report: ChaosReport) -> None:
    done = report.operations
    line(f"Log: {report.log}, {report.position + 1} events")
    line(
        f"Run: seed {report.seed}, strategy {report.strategy}, {report.steps} steps in {report.seconds:.2f} s of "
        "virtual time"
    )
    line()
    table(
        "Faults",
        ["after step", "fault", "target"],
        [[fault.step, fault.kind, fault.target] for fault in report.faults],
    )
    table(
        "Messages and commits",
        ["acknowledged", "refused", "unknown", "polled", "commits", "refused commits"],
        [[done.acknowledged, done.refused, done.unknown, done.polled, done.commits, done.refused_commits]],
    )
    for title, goals in (("Reached", report.reached), ("Not reached", report.missed)):
        others = [goal for goal in goals if not goal.startswith("fault ")]
        if others:
            line(f"{title}: {'; '.join(others)}")
    line(f"Verdict: {report.failure or 'everything holds'}")
    line(f"To repeat it: odradek simulate --replay {report.token}")
