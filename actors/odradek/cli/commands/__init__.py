"""The commands, a module for each group of them; `odradek.cli.main` lists them.

A command checks its arguments, asks the library and prints. Its module is also imported for its help and for Tab, so at
its top it imports only what its arguments need: `cli.options`, `cli.output`, and `odradek`, whose names are imported
when they are used. What else it takes from the packages below, it imports in the function that uses it. No command
imports another. Start at `state`, the shortest that replays a log.
"""
