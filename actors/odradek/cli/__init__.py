"""The `odradek` command, built on what `odradek` offers.

`main` puts it together; start there. `application` runs it, on the `standard_streams`, and turns every error into one
sentence and one of the `exit_codes`. `commands` has a module for each group of commands, imported when one of them runs
(`lazy_command`); `formats` writes what they print. `models` imports the modules of `--module`. `opening`, `options`,
`output` and `default_command` hold what commands share.

May import everything below; nothing but `odradek.__main__` imports this package. Commands ask the library and print:
what they print is worked out in the packages below.
"""

from odradek.cli.main import app

__all__ = ["app"]
