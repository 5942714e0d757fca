"""`odradek boundaries`: study where consistency boundaries should lie."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import odradek
from odradek.cli.exit_codes import CommandError, ExitCode
from odradek.cli.models import search_current_directory
from odradek.cli.opening import open_input, open_reader
from odradek.cli.options import ExistingLog, JsonOption, bad_value
from odradek.cli.output import bar, format_count, json_line, line, raw_output, table, tell, write_all

if TYPE_CHECKING:
    from odradek.boundaries import Boundary, Cell, Model, Observation, Story, Study

__all__ = ["boundaries"]

boundaries = typer.Typer(rich_markup_mode=None)

_PAGE, _REPORT, _WORKLOAD = "report.html", "report.json", "workload.toml"
ModuleArgument = Annotated[
    str,
    typer.Argument(metavar="[MODULE]", help="A model that is shipped, such as kafka, or a module of your own."),
]
WorkloadOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="A workload in TOML; its table [model] sets the model's parameters.")
]
BoundariesOption = Annotated[
    list[str] | None, typer.Option("--boundaries", metavar="NAME", help="Only this boundary; may be repeated.")
]


@boundaries.callback(invoke_without_command=True)
def help_(context: typer.Context) -> None:
    """Study where consistency boundaries should lie.

    A model declares what each decision reads. A boundary says what its append checks. The commands show which boundary
    keeps which decision, and what each costs under one workload, in virtual time.

    \b
    Example:
      odradek boundaries explain kafka
      odradek boundaries run courses --seeds 5
    """
    if context.invoked_subcommand is None:
        line(context.get_help())


@boundaries.command()
def explain(
    module: ModuleArgument = "kafka",
    workload: WorkloadOption = None,
    names: BoundariesOption = None,
    json: JsonOption = False,
) -> None:
    """Show which boundary keeps which decision, and the units it touches, without a run.

    \b
    Example:
      odradek boundaries explain kafka
    """
    model, chosen = _model(module, workload, names)
    found = model.lab.explain(chosen, model.workload)
    if json:
        json_line(found)
        return
    table(
        f"Decisions of {module}: does the append check all that was read?",
        ["decision", *found.boundaries],
        [[name, *map(_kept, cells)] for name, cells in found.rows.items()],
    )


@boundaries.command()
def run(
    module: ModuleArgument = "kafka",
    workload: WorkloadOption = None,
    from_log: Annotated[
        str | None, typer.Option(metavar="LOG", help="Run the commands that a log has recorded instead.")
    ] = None,
    names: BoundariesOption = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Run the workload with so many seeds.")] = 1,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes that share the work.", show_default="processors")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FOLDER", help="Write a report into this folder.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a workload under each boundary, and compare what it costs.

    A report is one page, report.html, with tables, plots and their reading, which takes some short runs more. Beside it
    are its pictures as SVG files, the numbers as report.json, and the workload. Plots need odradek[plots].

    \b
    Example:
      odradek boundaries run kafka --seeds 5 -o report
      odradek boundaries run shop --boundaries "the whole shop" --boundaries "a query per decision"
    """
    model, chosen = _model(module, workload, names)
    if from_log is not None:
        model = _from_log(model, from_log)
    folder = None
    if output is not None:
        odradek.boundaries.require_matplotlib()
        folder = _new_folder(output)
    processes = jobs or os.cpu_count() or 1
    with bar("parts", seeds * (len(chosen) + 1)) as done:
        study = model.lab.compare(chosen, model.workload, seeds, processes, lambda number, _: done(number))
    if folder is not None:
        _write(folder / _REPORT, study.to_json())
        _save_workload(folder / _WORKLOAD, workload, model)
        _write_report(folder, module, study, model, chosen, processes)
    if json:
        json_line(study.rows())
    else:
        _print(study, module)
    if folder is not None:
        tell(f"wrote {folder / _PAGE}")


@boundaries.command()
def check(
    module: ModuleArgument = "kafka",
    workload: WorkloadOption = None,
    histories: Annotated[int, typer.Option(min=1, max=100_000, help="Random histories to compare decisions on.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed draws the same histories.")] = 0,
    json: JsonOption = False,
) -> None:
    """Test the declared read-sets, and print the smallest counterexample.

    A decision on its read-set alone must be the decision on everything. If one is not, the exit code is 1.

    \b
    Example:
      odradek boundaries check kafka --histories 1000
    """
    model, _ = _model(module, workload, None)
    report = model.lab.check(model.workload, histories, seed)
    if json:
        json_line(report)
    else:
        table(
            f"Read-sets of {module}",
            ["decision", "compared", "differing", "holds"],
            [[each.command, each.compared, each.differing, each.holds] for each in report.decisions],
        )
        for each in report.decisions:
            if each.counterexample is not None:
                line(f"{each.counterexample}\n")
    wrong = [
        f"{each.command}: {each.problem or 'its read-set lacks facts'}" for each in report.decisions if not each.holds
    ]
    if wrong:
        raise CommandError("; ".join(wrong), ExitCode.BROKEN)


@boundaries.command()
def why(
    report: Annotated[str, typer.Argument(metavar="REPORT", help="A report that run wrote: its folder or file.")],
    boundary: Annotated[str, typer.Option(metavar="NAME", help="The boundary to explain.")],
    json: JsonOption = False,
) -> None:
    """Tell how a boundary first broke a rule, or made a stale decision: the commands, and the facts between them.

    \b
    Example:
      odradek boundaries why report --boundary "topic, one per transaction"
    """
    path = Path(report)
    with open_input(str(path / _REPORT if path.is_dir() else path)) as opened:
        study = odradek.boundaries.Study.from_json(opened.read())
    found = study.story(boundary)
    if found is None:
        if json:
            json_line(None)
        else:
            line(f"Under {boundary!r} no rule was broken and no decision was stale.")
        return
    story, seed = found
    if json:
        json_line({"seed": seed, "story": story})
    else:
        _tell_story(story, boundary, seed)


@boundaries.command()
def observe(
    log: ExistingLog,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="Units are values of this tag, not streams; repeat it to try tags in turn."),
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--types", metavar="TYPE", help="Only events of this type; repeat it for several types."),
    ] = None,
    format_: Annotated[
        Literal["table", "mermaid", "ocel"],
        typer.Option("--format", help="Tables, a Mermaid graph of units, or an object-centric event log (OCEL 2.0)."),
    ] = "table",
    limit: Annotated[
        int, typer.Option(min=1, max=1000, help="Show at most this many units by name, and hops in the table.")
    ] = 20,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="With --format ocel: the file to write.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it is there.")] = False,
    json: JsonOption = False,
) -> None:
    """Show which units conversations touch in a log, and what that suggests.

    A conversation is everything that shares a correlation id. A window is the time between its first and its last
    decision, in milliseconds: an upper bound for how long its units disagreed. Merges and splits are guesses.

    \b
    Example:
      odradek boundaries observe orders.db
      odradek boundaries observe orders.db --by partition --format mermaid
      odradek --module my_models boundaries observe orders.db --format ocel -o orders.json
    """
    from odradek.cli.formats.observation import observation_graph, observation_json

    if format_ != "ocel" and (output is not None or overwrite):
        raise bad_value("--output" if output is not None else "--overwrite", "only with --format ocel")
    if format_ != "table" and json:
        raise bad_value("--json", f"it cannot be combined with --format {format_}")
    if format_ == "ocel" and by:
        raise bad_value("--by", "it cannot be combined with --format ocel, which has both streams and tags")
    with open_reader(log) as opened:
        for name in types or []:
            if next(opened.commits(types=[name], opaque=True), None) is None:
                tell(f"the log has no event of type {name!r}; 'odradek stats LOG' lists its types")
        with bar("observed", opened.head().position + 1) as progress:
            if format_ == "ocel":
                _write_ocel(opened, log, output, overwrite, types or [], progress)
                return
            found = odradek.boundaries.observe(opened, by=by or (), types=types or (), limit=limit, progress=progress)
    if json:
        json_line(observation_json(found))
    elif format_ == "mermaid":
        for text in observation_graph(found):
            line(text)
    else:
        _print_observation(found, limit)


def _model(module: str, workload: str | None, names: list[str] | None) -> tuple[Model, Sequence[Boundary]]:
    """Load a model with the workload of a file, and choose boundaries by name."""
    search_current_directory()
    text = ""
    if workload is not None:
        with open_input(workload) as opened:
            text = opened.read().decode("utf-8", "replace")
    model = odradek.boundaries.load_model(module, _parameters(text))
    if text:
        given = odradek.boundaries.Workload.from_toml(text, model.lab.rules.draws)
        model = odradek.boundaries.Model(model.lab, model.boundaries, given, model.commands_of)
    if not names:
        return model, model.boundaries
    known = {each.name: each for each in model.boundaries}
    for name in names:
        if name not in known:
            raise bad_value(
                "--boundaries", f"{module} has no boundary {name!r}; use one of {', '.join(map(repr, known))}"
            )
    return model, [known[name] for name in names]


def _parameters(text: str) -> dict[str, Any]:
    try:
        found = tomllib.loads(text).get("model", {})
    except tomllib.TOMLDecodeError:
        return {}  # from_toml says what is wrong
    return found if isinstance(found, dict) else {}


def _from_log(model: Model, path: str) -> Model:
    with open_reader(path) as log:
        found, recording = model.recorded(log)
    skipped = sum(recording.skipped.values())
    tell(
        f"read {format_count(len(recording.workload.recorded), 'command')} from {path}; those that were refused or "
        f"changed nothing left no trace, so they are missing; {format_count(skipped, 'event')} belong to no command of "
        "the model"
    )
    return found


def _new_folder(name: str) -> Path:
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"{name} cannot be written ({error.strerror}); name another folder"
        raise CommandError(problem, ExitCode.UNWRITABLE) from error
    return folder


def _write_report(
    folder: Path, module: str, study: Study, model: Model, chosen: Sequence[Boundary], processes: int
) -> None:
    """Measure what the report shows beside the study, and write its page and its pictures."""
    runs = len(chosen) * odradek.boundaries.Curves.RUNS
    with bar("loads and clients", runs) as done:
        curves = odradek.boundaries.measure_curves(
            model.lab.rules, chosen, model.workload, processes, lambda number, _: done(number)
        )
    report = odradek.boundaries.render_report(module, study, model.workload, curves)
    for name, picture in report.pictures.items():
        _write(folder / f"{name}.svg", picture.encode())
    _write(folder / _PAGE, report.html.encode())


def _save_workload(path: Path, given: str | None, model: Model) -> None:
    """Save the workload beside the report, unless it comes from a log or its mix has functions without a name."""
    if given not in (None, "-"):
        with open_input(given) as opened:
            _write(path, opened.read())
        return
    with suppress(odradek.errors.InvalidWorkload):
        _write(path, model.workload.to_toml().encode())


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        problem = f"{path} cannot be written ({error.strerror}); name another folder"
        raise CommandError(problem, ExitCode.UNWRITABLE) from error


def _kept(cell: Cell) -> str:
    kept = {True: "kept", False: "NOT KEPT", None: "never written"}[cell.is_kept]
    return f"{kept}: {', '.join(cell.units)}"


def _print(study: Study, module: str) -> None:
    """Print a row for each metric and a column for each boundary: the mean, the range of the seeds, and marks."""
    rows = []
    for metric in odradek.boundaries.METRICS:
        best, worst = study.best(metric.name)
        cells = []
        for name in study.boundaries:
            mark = " *" if name in best else " !" if name in worst else ""
            cells.append(f"{study.spread(name, metric.name)}{mark}")
        rows.append([metric.name, metric.unit, *cells])
    table(
        f"{module}: mean of {format_count(len(study.seeds), 'seed')}, with the range; * best, ! worst",
        ["metric", "unit", *study.boundaries],
        rows,
    )
    for name in study.boundaries:
        rules = sorted({rule for each in study.of(name) for rule in each.counts.broken_by_rule})
        if rules:
            line(f"{name!r} broke {', '.join(rules)}; save the report with -o, and 'odradek boundaries why' tells how")


def _tell_story(story: Story, boundary: str, seed: int) -> None:
    what = f"{story.what} was broken for {story.group}" if story.group else "a decision was stale"
    line(f"Under {boundary!r} {what} (seed {seed}):")
    line()
    steps = [(story.read_at_ms, 0, f"{story.command} reads, and decides")]
    steps += [(each.at_ms, 1, f"{each.fact} is appended to {each.unit}, for {each.command}") for each in story.between]
    steps += [(story.appended_at_ms, 2, f"{', '.join(story.appended)} is appended, unaware of that")]
    for at_ms, _, text in sorted(steps):
        line(f"{at_ms:12.3f} ms  {text}")


def _write_ocel(
    opened: odradek.SqliteLog,
    log: str,
    output: str | None,
    overwrite: bool,
    types: Sequence[str],
    progress: Callable[[int], None],
) -> None:
    from odradek_events.exchange.jsonl import new_export

    if output is None:
        stdout = raw_output()
        size = odradek.boundaries.write_ocel(opened, partial(write_all, stdout), types=types, progress=progress)
        stdout.flush()
    else:
        if os.path.lexists(output):
            if not overwrite:
                raise bad_value("--output", f"{output} exists already; use --overwrite to replace it, or another name")
            if os.path.exists(output) and os.path.samefile(output, log):
                raise bad_value("--output", f"{output} is the log itself; name another file")
        with new_export(output, overwrite=overwrite) as file:
            size = odradek.boundaries.write_ocel(opened, file.write, types=types, progress=progress)
    events, objects = format_count(size.events, "event"), format_count(size.objects, "object")
    tell(f"wrote {events} and {objects} to {output or 'stdout'}")


def _print_observation(found: Observation, limit: int) -> None:
    from odradek.cli.formats.observation import CANNOT_TELL, observation_notes, observation_tables

    for text in observation_notes(found):
        line(text)
    if not found.events:
        return
    line()
    line("What the log shows:")
    for title, columns, rows in observation_tables(found, limit):
        table(title, columns, rows)
    line("Guesses, since a log has what decisions wrote, and not what they read:")
    guesses = [str(guess) for guess in (*found.merges, *found.splits)]
    for guess in guesses or ["nothing to merge or to split stands out"]:
        line(f"- {guess}")
    line(f"What a log cannot tell: {'; '.join(CANNOT_TELL)}.")
