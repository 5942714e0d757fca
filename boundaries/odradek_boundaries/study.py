"""A study: the same workload under several boundaries, for several seeds, and what it shows.

Each seed draws one run, which every boundary gets. The serial decisions of a seed are made once and shared by all
boundaries. The parts are independent of each other, so `jobs` processes may share them; the digits are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.decisions import Rules
from odradek_boundaries.errors import InvalidModel, LabError, NotAReport
from odradek_boundaries.explain import Explanation, explain
from odradek_boundaries.metrics import METRICS, Metric, metrics_of
from odradek_boundaries.run import Counts, Story, run
from odradek_boundaries.schedule import Shape, decide_serially, shape_of
from odradek_boundaries.workload import Workload

if TYPE_CHECKING:
    from odradek_pictures.markup import Html

__all__ = ["FORMAT", "Result", "Spread", "Study", "compare", "format_number", "in_processes"]

T = TypeVar("T")
R = TypeVar("R")

FORMAT = 1
"""The version of reports that this code writes and reads."""
_NOTEBOOK_STYLE = (
    ".odradek-study :is(th,td){text-align:left;vertical-align:top}.odradek-study td{font-variant-numeric:tabular-nums}"
    ".odradek-study .good{color:#12876a;font-weight:600}.odradek-study .bad{color:#d1435b;font-weight:600}"
    ".odradek-study .small{opacity:.65;font-size:.85em;font-weight:400}"
)
"""The colours are readable on light and on dark notebooks, which say in different ways which of the two they are."""


class Result(msgspec.Struct, frozen=True):
    """One boundary, one seed: what happened in the run, and every metric."""

    boundary: str
    seed: int
    counts: Counts
    metrics: dict[str, float | int | None]


class Spread(msgspec.Struct, frozen=True):
    """A metric of a boundary over the seeds: mean, lowest and highest; None where it is not defined."""

    mean: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        """Return the mean, and the range if there is one, in four digits."""
        return " ".join(filter(None, (format_number(self.mean), self.range_text)))

    @property
    def range_text(self) -> str:
        """The lowest and the highest value as text; empty if they are the same."""
        return "" if self.low == self.high else f"({format_number(self.low)} to {format_number(self.high)})"


class Study(msgspec.Struct, frozen=True):
    """The results of a study, by boundary and seed, in the order in which they were asked for.

    `explanation` says which boundary keeps which decision.
    """

    boundaries: tuple[str, ...]
    seeds: tuple[int, ...]
    explanation: Explanation
    results: tuple[Result, ...]
    version: int = FORMAT

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per boundary and seed, with every metric by name."""
        return [{"boundary": each.boundary, "seed": each.seed, **each.metrics} for each in self.results]

    def frame(self) -> Any:
        """Return the rows as a data frame of pandas, or of polars if only that is installed."""
        for library in ("pandas", "polars"):
            try:
                return __import__(library).DataFrame(self.rows())
            except ModuleNotFoundError:
                continue
        raise LabError("a data frame needs pandas or polars; install one of them, or use rows()")

    def of(self, boundary: str) -> list[Result]:
        """Return the results of a boundary, by seed."""
        found = [each for each in self.results if each.boundary == boundary]
        if not found:
            raise LabError(f"the study has no boundary {boundary!r}; use one of {', '.join(self.boundaries)}")
        return found

    def spread(self, boundary: str, metric: str) -> Spread:
        """Return the mean of a metric over the seeds, and its range."""
        values = [value for each in self.of(boundary) if (value := each.metrics[metric]) is not None]
        if not values:
            return Spread(None, None, None)
        return Spread(sum(values) / len(values), min(values), max(values))

    def best(self, metric: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the boundaries with the best and with the worst mean; none if all are alike or neither is better."""
        better = next(each.better for each in METRICS if each.name == metric)
        means = {name: mean for name in self.boundaries if (mean := self.spread(name, metric).mean) is not None}
        low, high = (min(means.values()), max(means.values())) if means else (0.0, 0.0)
        if better is None or low == high:
            return (), ()
        lowest = tuple(name for name, mean in means.items() if mean == low)
        highest = tuple(name for name, mean in means.items() if mean == high)
        return (lowest, highest) if better == "low" else (highest, lowest)

    def story(self, boundary: str) -> tuple[Story, int] | None:
        """Return how a boundary first broke a rule, or else first made a stale decision, and the seed of that run."""
        told = [(each.counts.story, each.seed) for each in self.of(boundary) if each.counts.story is not None]
        return min(told, key=lambda each: not each[0].group, default=None)

    def to_json(self) -> bytes:
        """Return the study as a report in JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> Study:
        """Read a report; NotAReport if it is something else, or of another version."""
        try:
            version = msgspec.json.decode(data, type=_Version).version
        except msgspec.DecodeError as error:
            raise NotAReport("the file is not a report of the boundary lab; name one that it wrote") from error
        if version != FORMAT:
            raise NotAReport(
                f"the report has version {version}, and this Odradek reads version {FORMAT}; run the study again"
            )
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.DecodeError as error:
            raise NotAReport(f"the report is damaged ({error}); run the study again") from error

    def table(self, metrics: Iterable[Metric] = METRICS) -> Html:
        """Return a row for each metric and a column for each boundary: the mean, and the range of the seeds."""
        from odradek_pictures.markup import join
        from odradek_pictures.page import Cell, Tone, small, table

        def cell(metric: Metric, name: str) -> Cell:
            best, worst = self.best(metric.name)
            tone, mark = (Tone.GOOD, " *") if name in best else (Tone.BAD, " !") if name in worst else (Tone.PLAIN, "")
            spread = self.spread(name, metric.name)
            about = small(spread.range_text) if spread.range_text else ""
            return Cell(join(format_number(spread.mean), mark, about), tone, metric.tells)

        rows: Iterator[list[Cell | str]] = (
            [Cell(metric.name, note=metric.formula), metric.unit, *(cell(metric, name) for name in self.boundaries)]
            for metric in metrics
        )
        seeds = "the range of the seeds" if len(self.seeds) > 1 else "one seed"
        return table(("metric", "unit", *self.boundaries), rows, f"Mean, and {seeds}; * best, ! worst")

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        from odradek_pictures.markup import Html, element

        return element("div", element("style", Html(_NOTEBOOK_STYLE)), self.table(), class_="odradek-study")


class _Version(msgspec.Struct):
    version: int


def compare(
    rules: Rules,
    boundaries: Sequence[Boundary],
    workload: Workload,
    seeds: int | Sequence[int] = 1,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Study:
    """Run a workload under each boundary for each seed; `seeds` is a number of them, or the seeds themselves.

    With several `jobs`, forks that many processes. `progress` is called with how many parts are done, and of how many.
    """
    chosen = tuple(range(1, seeds + 1)) if isinstance(seeds, int) else tuple(seeds)
    names = [boundary.name for boundary in boundaries]
    if not names or not chosen:
        raise InvalidModel("a study needs at least one boundary and one seed; give some")
    if len(set(names)) < len(names):
        raise InvalidModel(f"two boundaries have the same name among {', '.join(names)}; rename one")
    explanation = explain(rules, boundaries, workload)
    parts = _Parts(rules, tuple(boundaries), workload)
    tasks = [(seed, number) for seed in chosen for number in range(-1, len(names))]
    done: dict[tuple[int, int], Any] = {}
    for task, result in in_processes(parts.result, tasks, jobs):
        done[task] = result
        if progress is not None:
            progress(len(done), len(tasks))
    results = []
    for number, name in enumerate(names):
        for seed in chosen:
            counts, shape = done[seed, number], done[seed, -1][number]
            results.append(Result(name, seed, counts, metrics_of(counts, shape)))
    return Study(tuple(names), chosen, explanation, tuple(results))


class _Parts:
    """The independent parts of a study: for each seed the shapes of all boundaries (number -1), and each run."""

    def __init__(self, rules: Rules, boundaries: tuple[Boundary, ...], workload: Workload) -> None:
        self._rules, self._boundaries, self._workload = rules, boundaries, workload

    def result(self, task: tuple[int, int]) -> Counts | list[Shape]:
        """Return what happened in a run, or the shapes of all boundaries."""
        seed, number = task
        if number >= 0:
            return run(self._rules, self._boundaries[number], self._workload, seed)
        plan = self._workload.plan(seed)
        steps = decide_serially(self._rules, plan)
        return [shape_of(self._rules, boundary, self._workload, plan, steps) for boundary in self._boundaries]


def in_processes(call: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Iterator[tuple[T, R]]:
    """Yield each task with what `call` returns for it, as they are done; with several jobs, from forked processes."""
    if jobs <= 1:
        for task in tasks:
            yield task, call(task)
        return
    # A model has lambdas, which cannot be sent to a process. A forked process gets its arguments as they are.
    with ProcessPoolExecutor(jobs, get_context("fork"), _adopt, (call,)) as pool:
        waiting = {pool.submit(_call, task): task for task in tasks}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


_adopted: Callable[[Any], Any]  # in a forked process


def _adopt(call: Callable[[Any], Any]) -> None:
    global _adopted
    _adopted = call


def _call(task: Any) -> Any:
    return _adopted(task)


def format_number(value: float | None) -> str:
    """Return a number in four digits, or all digits before the point; a dash for None."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
