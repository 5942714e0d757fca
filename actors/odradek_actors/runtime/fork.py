"""Counts forks: a child process has this process's objects, but none of its threads."""

from __future__ import annotations

import os

__all__ = ["forks"]


class _Forks:
    """How many forks lie between the process that imported this module and the current one."""

    count = 0

    def note(self) -> None:
        self.count += 1


forks = _Forks()
os.register_at_fork(after_in_child=forks.note)
