"""`python -m odradek` is the `odradek` command."""

from __future__ import annotations

import sys

from odradek.cli import app

__all__ = ["app"]

if __name__ == "__main__":
    sys.exit(app())
