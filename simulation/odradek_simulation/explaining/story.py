"""The steps of a traced run as a story, which pictures draw."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from odradek_pictures import Kind, Step, Story
from odradek_simulation.runtime.trace import TracedStep
from odradek_simulation.world.result import Failure, Result

__all__ = ["story_of"]

_BACKGROUND = {"DirectoryActor", "JournalActor", "LogReaderActor", "SnapshotWriterActor", "main", "start"}
_TIMERS = "timers"
_FAILED = {
    "client": "an exception in a client",
    "handler": "an exception in a handler",
    "replay": "live state and replayed state differ",
    "step limit": "the world ends",
    "stuck": "everything ends after the last fault",
    "world": "the simulation works",
}


def story_of(result: Result) -> Story:
    """Return the story of a run; ValueError if its steps were not recorded.

    Numbers are places in the trace, names the numbers of steps, which faults and checks do not have.
    """
    if result.trace is None:
        raise ValueError("the run was not traced; pass trace=True to its World")
    lanes = {step.task for step in result.trace if step.kind not in ("fault", "check")}
    steps = _with_ends(tuple(_Converter(result, lanes).steps()))
    return Story(
        title="A run that passed" if result.failure is None else result.failure.signature,
        steps=steps,
        background=tuple(sorted(lane for lane in lanes if lane.partition("#")[0] in _BACKGROUND)),
    )


class _Converter:
    """Converts traced steps one after another."""

    def __init__(self, result: Result, lanes: set[str]) -> None:
        assert result.trace is not None, "story_of has checked it"
        self._trace = result.trace
        self._failure = result.failure
        self._faults = iter(result.faults)
        self._lanes = lanes
        self._places: dict[int, int] = {}  # in the trace, by the number of the step
        self._begun: set[str] = set()

    def steps(self) -> Iterator[Step]:
        for place, traced in enumerate(self._trace.steps, 1):
            if traced.kind == "fault":
                yield self._fault(place, traced)
            elif traced.kind == "check":
                yield self._check(place, traced)
            else:
                self._places[traced.number] = place
                if traced.task != _TIMERS:
                    yield self._step(place, traced)

    def _step(self, place: int, traced: TracedStep) -> Step:
        kind, label, detail, cause = Kind.SENT, traced.message, _without_type(traced), self._places.get(traced.sent_at)
        before = None if cause is None else self._trace.steps[cause - 1]
        if before is not None and before.task == _TIMERS:
            kind, cause = Kind.TIMER, None
        elif traced.kind == "received":
            kind = Kind.HANDLED
        elif traced.kind == "resumed":
            kind, label = Kind.RESUMED, self._reason(traced.task, before)
        if traced.text == "'on_start'":
            label, detail = "start", ""
        peer = traced.peer if kind is Kind.SENT else ""
        self._begun.add(traced.task)
        return _step(place, traced, traced.task, kind, label, detail, cause=cause, peer=peer, name=str(traced.number))

    def _reason(self, client: str, before: TracedStep | None) -> str:
        if client not in self._begun:
            return "at its start"
        return "after waiting" if before is None else f"with {before.message}"

    def _fault(self, place: int, traced: TracedStep) -> Step:
        fault = next(self._faults)
        lane = fault.target if fault.target in self._lanes else ""
        detail = " ".join(word for word in ("" if lane else fault.target, traced.text) if word)
        if fault.kind == "pause":
            detail = f"for {fault.value:.4g} s"
        return _step(place, traced, lane, Kind.FAULT, fault.kind, detail)

    def _check(self, place: int, traced: TracedStep) -> Step:
        lane = traced.task if traced.task in self._lanes else ""
        return _step(place, traced, lane, Kind.FAILED, _violated(self._failure, traced), traced.text)


def _violated(failure: Failure | None, traced: TracedStep) -> str:
    what = traced.task if failure is None else failure.what
    return _FAILED.get(traced.message, what)


def _step(
    place: int,
    traced: TracedStep,
    lane: str,
    kind: Kind,
    label: str,
    detail: str,
    *,
    cause: int | None = None,
    peer: str = "",
    name: str = "",
) -> Step:
    return Step(
        number=place,
        at=traced.time,
        lane=lane,
        kind=kind,
        label=label,
        detail=detail,
        cause=cause,
        peer=peer,
        name=name,
    )


def _without_type(traced: TracedStep) -> str:
    """Return the payload without the type before it, which the label has."""
    name, text = traced.text.partition("(")[0], traced.text
    if not name or name not in traced.message.split():
        return text
    return text[len(name) + 1 : -1] if text.endswith(")") else text[len(name) :]


def _with_ends(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Lead a pause to the next step of the task that was paused."""
    ends: dict[int, int] = {}
    paused: dict[str, int] = {}
    for step in steps:
        if step.kind is Kind.FAULT and step.label == "pause" and step.lane:
            paused[step.lane] = step.number
        elif step.lane in paused:
            ends[paused.pop(step.lane)] = step.number
    return tuple(
        msgspec.structs.replace(step, until=ends[step.number]) if step.number in ends else step for step in steps
    )
