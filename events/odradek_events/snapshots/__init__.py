"""Snapshots of aggregates' states, kept beside a log."""
