"""The course of a run: checkpoints that a token keeps, and whether a replay meets them."""

from __future__ import annotations

from odradek_simulation.choices.token import Checkpoint, Token, thinned
from odradek_simulation.errors import ReplayDiverged

__all__ = ["Course"]

_FIRST = 64  # steps until the first checkpoint; then an eighth of the steps so far


class Course:
    """Digests of the picks at some steps; `expected` is what a token says of them, None for a run that is not a replay.

    A lenient replay is not compared.
    """

    def __init__(self, expected: Token | None, *, is_lenient: bool) -> None:
        self.next_step = _FIRST
        self._checkpoints: list[Checkpoint] = []
        self._token = None if is_lenient else expected
        self._expected = {} if self._token is None else dict(self._token.checkpoints)

    def note(self, steps: int, digest: int) -> None:
        """Note the digest at a step; ReplayDiverged if the token has another one there."""
        self._checkpoints.append((steps, digest & 0xFFFF))
        self.next_step = steps + max(_FIRST, steps // 8)
        if self._expected.get(steps, digest & 0xFFFF) != digest & 0xFFFF:
            before = max((step for step in self._expected if step < steps), default=0)
            raise _diverged(f"it takes other steps from between step {before} and step {steps} on")

    def end(self, steps: int, digest: int) -> tuple[Checkpoint, ...]:
        """Return the checkpoints of a run that has ended; ReplayDiverged if it has not taken as many steps."""
        if self._token is not None and steps != self._token.steps:
            raise _diverged(f"it ends after step {steps}, and the recorded run after step {self._token.steps}")
        self.note(steps, digest)
        return thinned(self._checkpoints)


def _diverged(what: str) -> ReplayDiverged:
    return ReplayDiverged(what, "check out the code that made the token, or replay it leniently")
