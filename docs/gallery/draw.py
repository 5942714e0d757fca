"""Draws each model beside it, and writes its token into the README: of its smallest failing run.

python docs/gallery/draw.py                     all of them
python docs/gallery/draw.py lost_update         one
"""

import re
import sys
from functools import partial
from pathlib import Path

from odradek.simulation import Result, Target, explain, load_target, shrink

GALLERY = Path(__file__).parent
MODELS = sorted(path.stem for path in GALLERY.glob("*.py") if path.stem != "draw")
README = GALLERY / "README.md"
_SEEDS = 100
_SHRUNK = 5  # failing runs, of which the smallest is drawn


def smallest_failure(target: Target) -> Result:
    """Shrink the first failing runs, and return the one with the fewest faults, deviations and steps."""
    runs = (target.world(seed, strategy="portfolio").run(target.start) for seed in range(_SEEDS))
    failed = [run for run in runs if not run.holds][:_SHRUNK]
    shrunk = [shrink(run, target.again).result for run in failed]
    return min(shrunk, key=lambda run: (len(run.faults), run.recording.deviations, run.steps))


def draw(model: str) -> None:
    """Write the picture of a model, and its token."""
    target = load_target(f"{model}:buggy")
    failure = smallest_failure(target)
    again = partial(target.again, trace=True)
    picture = explain(again(failure.recording), again).svg()
    (GALLERY / f"{model}.svg").write_text(picture, encoding="utf-8")
    page = README.read_text(encoding="utf-8")
    command = f"odradek explain {failure.token} -o {model}.html"
    README.write_text(re.sub(rf"odradek explain \S+ -o {model}\.html", command, page), encoding="utf-8")
    print(f"{model}: {failure.failure}")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or MODELS:
        draw(chosen)
