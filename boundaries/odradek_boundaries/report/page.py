"""A study as one HTML page, and its pictures as SVG files. The same study gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from odradek_boundaries.explain import Cell
from odradek_boundaries.metrics import METRICS
from odradek_boundaries.report import reading
from odradek_boundaries.report.curves import Curves
from odradek_boundaries.report.plots import draw_attempts, draw_clients, draw_conflicts, draw_folds, draw_loads
from odradek_boundaries.report.stories import to_swimlanes
from odradek_boundaries.run import Story
from odradek_boundaries.study import Study
from odradek_boundaries.workload import Workload
from odradek_pictures import page
from odradek_pictures.drawing import svg_file
from odradek_pictures.markup import Html, join
from odradek_pictures.page import Tone, code, details, facts, figure, paragraph, render_page, section
from odradek_pictures.stories import Swimlanes, run_figure

__all__ = ["Report", "render_report"]

_KEY_METRICS = ("conflict_share", "false_by_decision", "exposed", "stale", "broken", "late", "ceiling", "folded")


class Report(msgspec.Struct, frozen=True):
    """A report: the page, and its pictures as SVG files by name."""

    html: str
    pictures: dict[str, str]


def render_report(model: str, study: Study, workload: Workload, curves: Curves | None = None) -> Report:
    """Return the report of a study of a model; without curves it lacks the plots of loads and of clients."""
    pictures: dict[str, str] = {}
    sections: list[Html] = []
    for name, heading, finding, drawn in _plots(study, curves):
        pictures[name] = drawn
        sections.append(section(heading, figure(drawn), paragraph(finding.text)))
    for place, (heading, story, picture) in enumerate(_stories(study), 1):
        pictures[f"story-{place}"] = svg_file(picture.whole())
        sections.append(section(heading, run_figure(picture), facts(_in_full(story))))
    html = render_page(
        f"Where should a boundary lie? {model}, under {len(study.boundaries)} boundaries",
        *map(paragraph, reading.summary(study)),
        facts(_about(study, workload)),
        section("The costs", study.table(each for each in METRICS if each.name in _KEY_METRICS)),
        _matrix(study),
        *sections,
        section("All metrics", details("All figures", study.table()), details("Their definitions", _definitions())),
    )
    return Report(html, pictures)


def _plots(study: Study, curves: Curves | None) -> Iterator[tuple[str, str, reading.Finding, Html]]:
    """Yield the name, the heading, the finding and the drawing of each plot."""
    found = reading.read_conflicts(study)
    yield "conflicts", "Conflicts against errors", found, draw_conflicts(study, found.title)
    found = reading.read_attempts(study)
    yield "attempts", "What became of the attempts", found, draw_attempts(study, found.title)
    if curves is not None:
        found = reading.read_loads(curves)
        yield "loads", "Conflicts by load", found, draw_loads(curves, found.title)
        found = reading.read_clients(study, curves)
        yield "clients", "Throughput by clients", found, draw_clients(study, curves, found.title)
    found = reading.read_folds(study)
    yield "folds", "Events folded", found, draw_folds(study, found.title)


def _stories(study: Study) -> Iterator[tuple[str, Story, Swimlanes]]:
    """Yield the heading, the story and the swimlanes of each boundary under which something went wrong."""
    for name in study.boundaries:
        found = study.story(name)
        if found is not None:
            story, seed = found
            what = f"the first broken rule, {story.what}" if story.group else "the first stale decision"
            heading = f"“{name}”: {what}"
            yield heading, story, Swimlanes(to_swimlanes(story, f"{heading} (seed {seed})"))


def _in_full(story: Story) -> Iterator[tuple[str, Html]]:
    """Yield what the swimlanes have no room for."""
    yield "the command", code(story.command)
    for landed in story.between:
        yield f"A, in {landed.unit}", join(code(landed.fact), page.small(f"for {landed.command}"))
    yield "B", code(", ".join(story.appended))


def _about(study: Study, workload: Workload) -> Iterator[tuple[str, str]]:
    """Yield what was run."""
    count = len(workload.recorded) or workload.count
    yield "runs", f"{len(study.boundaries)} boundaries, {len(study.seeds)} seeds, {count:,} commands each"
    if workload.recorded:
        yield "commands", "from a recorded log"
    else:
        total = sum(workload.mix.values())
        names = ((getattr(draw, "__name__", "?"), 100 * weight / total) for draw, weight in workload.mix.items())
        yield "commands", ", ".join(f"{name} {reading.format_percent(share)}" for name, share in names)
        arrivals = (
            f"{workload.clients} clients" if workload.per_second is None else f"{workload.per_second:g} per second"
        )
        yield "arrivals", f"{arrivals}, in virtual time"
    yield "service", f"{workload.service_ms:g} ms from the read to the append, {workload.service}"
    yield "tries", f"up to {workload.tries} for each command"


def _matrix(study: Study) -> Html:
    explanation, finding = study.explanation, reading.read_matrix(study)
    rows: Iterator[list[page.Cell | str]] = ([name, *map(_kept, cells)] for name, cells in explanation.rows.items())
    return section(finding.title, page.table(("decision", *explanation.boundaries), rows), paragraph(finding.text))


def _kept(cell: Cell) -> page.Cell:
    units = ", ".join(cell.units)
    if cell.is_kept is None:
        return page.Cell(f"never written: {units}", Tone.MUTED, "the workload draws no command that writes this")
    mark, tone = ("✓ kept", Tone.GOOD) if cell.is_kept else ("✕ not kept", Tone.BAD)
    return page.Cell(join(mark, page.small(units)), tone, "the units that the decision reads or writes")


def _definitions() -> Html:
    rows = ((each.name, each.unit, each.formula, each.tells) for each in METRICS)
    return page.table(("metric", "unit", "formula", "it tells"), rows)
