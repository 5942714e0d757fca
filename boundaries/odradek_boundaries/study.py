"""A study: the same workload under several boundaries, for several seeds, and what it shows.

Each seed draws one run, which every boundary gets. The serial decisions of a seed are made once and shared by all
boundaries. The parts are independent of each other, so `jobs` processes may share them; the digits are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from html import escape
from multiprocessing import get_context
from typing import Any

import msgspec

from odradek_boundaries.boundary import Boundary
from odradek_boundaries.decisions import Rules
from odradek_boundaries.errors import InvalidModel, LabError, NotAReport
from odradek_boundaries.explain import Explanation, explain
from odradek_boundaries.metrics import METRICS, metrics_of
from odradek_boundaries.run import Counts, run
from odradek_boundaries.schedule import Shape, decide_serially, shape_of
from odradek_boundaries.workload import Workload

__all__ = ["FORMAT", "Result", "Spread", "Study", "compare"]

FORMAT = 1
"""The version of reports that this code writes and reads."""


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
        if self.mean is None:
            return "-"
        if self.low == self.high:
            return f"{self.mean:.4g}"
        return f"{self.mean:.4g} ({self.low:.4g} to {self.high:.4g})"


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

    def _repr_html_(self) -> str:
        """Return the table of the study: a row for each metric, a column for each boundary, with the range of seeds."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.boundaries)
        lines = [f"<table><thead><tr><th>metric</th><th>unit</th>{head}</tr></thead><tbody>"]
        for metric in METRICS:
            best, worst = self.best(metric.name)
            cells = []
            for name in self.boundaries:
                text = self.spread(name, metric.name)
                mark = "b" if name in best else "i" if name in worst else "span"
                cells.append(f"<td><{mark}>{text}</{mark}></td>")
            lines.append(f"<tr><th>{metric.name}</th><td>{metric.unit}</td>{''.join(cells)}</tr>")
        return "\n".join([*lines, "</tbody></table>", "<p><b>best</b>, <i>worst</i></p>"])


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
    for task, result in parts.results(tasks, jobs):
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

    def results(self, tasks: Sequence[tuple[int, int]], jobs: int) -> Iterator[tuple[tuple[int, int], Any]]:
        """Yield each task with its result, as they are done."""
        if jobs <= 1:
            for task in tasks:
                yield task, self.result(task)
            return
        # A model has lambdas, which cannot be sent to a process. A forked process gets its arguments as they are.
        with ProcessPoolExecutor(jobs, get_context("fork"), _adopt, (self,)) as pool:
            waiting = {pool.submit(_result, task): task for task in tasks}
            for future in as_completed(waiting):
                yield waiting[future], future.result()

    def result(self, task: tuple[int, int]) -> Counts | list[Shape]:
        """Return what happened in a run, or the shapes of all boundaries."""
        seed, number = task
        if number >= 0:
            return run(self._rules, self._boundaries[number], self._workload, seed)
        plan = self._workload.plan(seed)
        steps = decide_serially(self._rules, plan)
        return [shape_of(self._rules, boundary, self._workload, plan, steps) for boundary in self._boundaries]


_adopted: _Parts  # in a forked process


def _adopt(parts: _Parts) -> None:
    global _adopted
    _adopted = parts


def _result(task: tuple[int, int]) -> Counts | list[Shape]:
    return _adopted.result(task)
