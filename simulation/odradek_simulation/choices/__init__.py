"""The choices that determine a run, and the tokens that repeat it.

    strategies      which ready task takes the next step: first come first served, random walk, PCT, POS
    odometer        every schedule within a limit, one after another
    streams         the recipe of a run, and picks that are taken from a recording
    token           a recipe as one line of text, with a hash of the code and checkpoints

Pure: no clock, no thread, and no import of the runtime. Start reading at `strategies`.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_simulation.choices.odometer import Odometer, Pruned
    from odradek_simulation.choices.strategies import (
        STRATEGIES,
        Choose,
        StrategyName,
        fifo,
        random_walk,
        resolved,
        strategy,
    )
    from odradek_simulation.choices.streams import Draws, Parameter, Picks, Recipe, decoded, encoded
    from odradek_simulation.choices.token import Checkpoint, Token, code_of, name_of, thinned
else:
    __getattr__, __dir__ = lazy_names(__name__, "token", "strategies", "odometer", "streams")

__all__ = [
    "STRATEGIES",
    "Checkpoint",
    "Choose",
    "Draws",
    "Odometer",
    "Parameter",
    "Picks",
    "Pruned",
    "Recipe",
    "StrategyName",
    "Token",
    "code_of",
    "decoded",
    "encoded",
    "fifo",
    "name_of",
    "random_walk",
    "resolved",
    "strategy",
    "thinned",
]
