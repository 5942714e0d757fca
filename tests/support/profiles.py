"""The number of examples of a property, relative to the Hypothesis profile."""

from __future__ import annotations

from hypothesis import settings


def fewer(divisor: int) -> settings:
    """Divide the profile's number of examples, for a property whose examples are expensive."""
    return settings(max_examples=max(1, settings().max_examples // divisor))
