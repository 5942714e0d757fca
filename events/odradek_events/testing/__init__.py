"""For tests of your own: a log that fails on request, around any store."""

from odradek_events.testing.faulty import FaultyLog, Hold

__all__ = ["FaultyLog", "Hold"]
