"""How commands write and read what they print: `events`, `messages`, traces, and `quantities` such as `7d` and `64MiB`.

`trace_text` writes a trace as lines or JSON, `trace_mermaid` as a diagram, and `observation` writes what a log shows
about boundaries. Each is a pure function from a value to text or JSON, or back. May import everything below the command
line, `cli.options` and `cli.output`; not the commands. Start at `events`.
"""
