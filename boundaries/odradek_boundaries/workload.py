"""What happens in a run: which commands arrive when, and how long they take.

A workload is a mix of functions that draw commands, or the commands of a recorded log. Arrivals are open (a Poisson
process: clients do not wait for each other) or closed (each of N clients sends its next command after the last one was
answered). Everything is drawn before the run, from the seed alone, so all boundaries get the same commands.
"""

from __future__ import annotations

import json
import random
import tomllib
from bisect import bisect
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, Literal

import msgspec

from odradek_boundaries.errors import InvalidWorkload

__all__ = ["MAX_COMMANDS", "Draw", "Plan", "Workload"]

MAX_COMMANDS = 10_000_000


class Draw(random.Random):
    """Random numbers by which a mix draws commands; adds `zipf` to those of `random.Random`."""

    _weights: dict[tuple[int, float], list[float]] = {}  # a pure function of its key

    def zipf(self, n: int, s: float = 1.0) -> int:
        """Return a number below `n`: number k with a weight of 1 / (k + 1) ** s, so that 0 is the most frequent."""
        weights = self._weights.get((n, s))
        if weights is None:
            weights = self._weights[n, s] = list(accumulate((k + 1) ** -s for k in range(n)))
        return min(n - 1, bisect(weights, self.random() * weights[-1]))


class Plan(msgspec.Struct, frozen=True):
    """One run of a workload, drawn: the commands, when they arrive (empty if closed), and how long each takes."""

    commands: list[Any]
    arrivals_ms: list[float]
    services_ms: list[float]
    thinks_ms: list[float]


class Workload(msgspec.Struct, frozen=True):
    """A mix of commands with weights, their number, how they arrive, and what they take.

    Open arrivals: `per_second` on average. Closed: `clients` of them, which pause for `think_ms` on average between two
    commands (exponential). From the read to the append a command takes `service_ms`, fixed or exponential, and
    `fold_us` more for each event that it folds. A refused append is retried after `retry_ms` on average (uniform;
    default: `service_ms`), up to `tries` tries in all. Facts for further units follow `hop_ms` after one another.
    """

    mix: Mapping[Any, float] = {}
    count: int = 10_000
    per_second: float | None = None
    clients: int | None = None
    think_ms: float = 0.0
    service_ms: float = 1.0
    service: Literal["fixed", "exponential"] = "fixed"
    fold_us: float = 0.0
    retry_ms: float | None = None
    tries: int = 20
    hop_ms: float = 3.0
    recorded: tuple[tuple[float, Any], ...] = ()

    def __post_init__(self) -> None:
        """Raise InvalidWorkload for a workload that measures nothing, or contradicts itself."""
        if not self.recorded and not self.mix:
            raise InvalidWorkload("the mix of the workload is empty; give functions that draw commands, with weights")
        for name, kind, least in _NUMBERS:
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if isinstance(value, bool) or not isinstance(value, kind) or not least <= value < float("inf"):
                what = "a whole number" if kind is int else "a number"
                raise InvalidWorkload(f"{name} must be {what} of at least {least}, not {value!r}; change it")
        if self.count > MAX_COMMANDS:
            raise InvalidWorkload(f"count must be at most {MAX_COMMANDS} commands, not {self.count}; change it")
        if not self.recorded and (self.per_second is None) == (self.clients is None):
            raise InvalidWorkload("arrivals are either open or closed; give per_second or clients, and not both")
        if any(not weight >= 0 for weight in self.mix.values()) or (self.mix and not sum(self.mix.values()) > 0):
            raise InvalidWorkload("the weights of the mix must be 0 or more, and one of them above 0; change them")
        if self.service not in ("fixed", "exponential"):
            raise InvalidWorkload(f"service must be 'fixed' or 'exponential', not {self.service!r}; change it")

    @property
    def is_open(self) -> bool:
        """Whether commands arrive at times of their own, rather than when a client is free."""
        return self.clients is None

    @property
    def mean_retry_ms(self) -> float:
        """The mean time before a refused append is retried."""
        return self.service_ms if self.retry_ms is None else self.retry_ms

    def plan(self, seed: int) -> Plan:
        """Draw one run. The commands, arrivals, services and pauses are four independent streams of the seed."""
        draws = {name: Draw(f"{seed}/{name}") for name in ("commands", "arrivals", "services", "thinks")}
        if self.recorded:
            commands = [command for _, command in self.recorded]
            arrivals = [at for at, _ in self.recorded]
        else:
            draw = draws["commands"]
            kinds = draw.choices(list(self.mix), list(self.mix.values()), k=self.count)
            commands = [kind(draw) for kind in kinds]
            rate = (self.per_second or 0.0) / 1000
            arrivals = list(accumulate(draws["arrivals"].expovariate(rate) for _ in commands)) if rate else []
        services = [self.service_ms] * len(commands)
        if self.service == "exponential":
            services = [draws["services"].expovariate(1.0) * self.service_ms for _ in commands]
        thinks = [draws["thinks"].expovariate(1.0) * self.think_ms for _ in commands] if self.think_ms else []
        return Plan(commands, arrivals, services, thinks or [0.0] * len(commands))

    def to_toml(self) -> str:
        """Return the workload as TOML, with the names of the drawing functions."""
        if self.recorded:
            raise InvalidWorkload("a recorded workload cannot be saved as TOML; name its log again with --from-log")
        numbers = ((name, getattr(self, name)) for name in _NAMES)
        lines = [f"{name} = {json.dumps(value)}" for name, value in numbers if value is not None]
        mix = [f"{_name_of(draw)} = {json.dumps(weight)}" for draw, weight in self.mix.items()]
        return "\n".join([*lines, "", "[mix]", *mix, ""])

    @classmethod
    def from_toml(cls, text: str, draws: Mapping[str, Callable[[Any], Any]]) -> Workload:
        """Read what `to_toml` returns; `draws` are the model's drawing functions by name.

        A table `model`, the parameters of the model, is for `load_model`.
        """
        try:
            fields = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidWorkload(f"the workload is not TOML ({error}); fix it") from error
        fields.pop("model", None)
        weights = fields.pop("mix", {})
        if not isinstance(weights, dict) or not all(isinstance(weight, int | float) for weight in weights.values()):
            raise InvalidWorkload("mix of the workload must be a table of names and weights; write it as [mix]")
        for name, known in (*((name, _NAMES) for name in fields), *((name, tuple(draws)) for name in weights)):
            if name not in known:
                raise InvalidWorkload(f"the workload has an unknown name {name!r}; use one of {', '.join(known)}")
        return cls({draws[name]: weight for name, weight in weights.items()}, **fields)


_OPTIONAL = ("per_second", "clients", "retry_ms")
_NUMBERS: tuple[tuple[str, Any, float], ...] = (
    ("count", int, 1),
    ("per_second", int | float, 1e-9),
    ("clients", int, 1),
    ("think_ms", int | float, 0),
    ("service_ms", int | float, 1e-9),
    ("fold_us", int | float, 0),
    ("retry_ms", int | float, 0),
    ("tries", int, 1),
    ("hop_ms", int | float, 0),
)
_NAMES = tuple(name for name in Workload.__struct_fields__ if name not in ("mix", "recorded"))


def _name_of(draw: Callable[[Any], Any]) -> str:
    name = getattr(draw, "__name__", "")
    if not name.isidentifier():
        raise InvalidWorkload(f"{draw!r} has no name to save it under; declare a function with @lab.draw")
    return name
