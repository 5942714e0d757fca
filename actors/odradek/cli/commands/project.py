"""`odradek project`: build views of a log, as tables of an SQLite file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import odradek
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.opening import open_reader
from odradek.cli.options import ExistingLog, JsonOption, bad_value
from odradek.cli.output import bar, format_count, json_line, line, table

__all__ = ["project"]


def project(
    log: ExistingLog,
    views: Annotated[str, typer.Argument(metavar="VIEWS", help="The file of views, created if it does not exist.")],
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Only this projection; repeat it for several. By default all that Odradek has."
        ),
    ] = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild", help="Build from the start; readers see the old views until the new ones are complete."
        ),
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on as the log grows, until Ctrl-C, and print how far the views are.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Bring views of a log up to date.

    Another process may be writing the log. The views are tables for any SQLite client: topic_catalogue (topics and
    their partitions), consumer_lag (how far consumers were behind at each commit) and consumer_lag_now, messages_by_key
    (the latest message of each key).

    \b
    Example:
      odradek project orders.db views.db --only consumer_lag
      sqlite3 views.db 'SELECT * FROM consumer_lag_now'
    """
    projections = _chosen(only)
    with open_reader(log) as opened, odradek.ProjectionRunner(opened, views, projections) as runner:
        try:
            with bar("projected", (opened.head().position + 1) * len(projections)) as progress:
                reached = dict.fromkeys((item.name for item in projections), -1)

                def show(name: str, position: int) -> None:
                    reached[name] = position
                    progress(sum(reached.values()) + len(reached))

                count = runner.rebuild(show) if rebuild else runner.catch_up(show)
            _print(runner.lag(), count, json)
            if follow:
                _follow(runner, json)
        except KeyboardInterrupt:
            position = min(lag.position for lag in runner.lag().values())
            raise CommandError(f"interrupted; the views are at position {position}", ExitCode.INTERRUPTED) from None


def _chosen(only: list[str] | None) -> list[odradek.Projection]:
    from odradek_events.projections.shipped import shipped_projections

    known = {projection.name: projection for projection in shipped_projections()}
    for name in only or ():
        if name not in known:
            raise bad_value("--only", f"there is no projection {name[:80]!r}; use one of {', '.join(known)}")
    return [projection for name, projection in known.items() if not only or name in only]


def _print(lags: dict[str, odradek.ProjectionLag], count: int, json: bool) -> None:
    if json:
        json_line({"events": count, "projections": lags})
        return
    table(
        "Views",
        ["projection", "position", "events behind", "seconds behind"],
        [[name, lag.position, lag.events, lag.seconds] for name, lag in lags.items()],
    )
    line(f"{format_count(count, 'event')} applied")


def _follow(runner: odradek.ProjectionRunner, json: bool) -> None:
    def show(position: int) -> None:
        lags = runner.lag()
        if json:
            json_line({"projections": lags})
        else:
            line(f"at position {position}, {format_count(max(lag.events for lag in lags.values()), 'event')} behind")
        sys.stdout.flush()

    runner.run(show)
