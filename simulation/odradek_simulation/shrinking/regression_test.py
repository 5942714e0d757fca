"""Writes a shrunk failure as a test of pytest."""

from __future__ import annotations

import re
import textwrap

from odradek_simulation.world.result import Result

__all__ = ["regression_test"]

_WIDTH = 100
_TEMPLATE = '''\
"""A failure that `odradek shrink` found: {signature}.

{failure}

The test repeats the run as closely as the code allows, and fails until the bug is fixed. To see the run:

    odradek explain TOKEN {target} -o failure.html
"""

from odradek.simulation import load_target

TOKEN = (
{token}
)


def test_{name}() -> None:
    load_target("{target}").repeat(TOKEN, lenient=True).check()
'''


def regression_test(result: Result, target: str) -> str:
    """Return the source of a test module that expects the run of a failed result to pass; `target` is its name."""
    if result.failure is None:
        raise ValueError("the run did not fail, so there is nothing to test")
    signature, token = result.failure.signature, result.token
    return _TEMPLATE.format(
        signature=_plain(signature),
        failure=textwrap.fill(_plain(str(result.failure)), 120),
        target=target,
        token="\n".join(f'    "{token[first : first + _WIDTH]}"' for first in range(0, len(token), _WIDTH)),
        name=re.sub(r"\W+", "_", signature).strip("_").lower(),
    )


def _plain(text: str) -> str:
    """Return text that a docstring can hold on one line."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(shown.split()).replace("\\", "/").replace('"', "'")
