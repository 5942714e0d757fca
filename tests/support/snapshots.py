"""Sample snapshots for tests, as in the conformance suite."""

from odradek_events.testing.snapshots import at_version, versions

__all__ = ["at_version", "versions"]
