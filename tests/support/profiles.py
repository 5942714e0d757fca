"""How many examples a property needs, as a share of what the Hypothesis profile says."""

from __future__ import annotations

from hypothesis import settings


def fewer(divisor: int) -> settings:
    """Run a property whose examples are costly on the profile's number of examples divided by this."""
    return settings(max_examples=max(1, settings().max_examples // divisor))
