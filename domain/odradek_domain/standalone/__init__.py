"""The domain model without actors: repositories and services over a log."""
