"""Verify, back up, salvage and count what a log file holds."""
