"""How things are written as text: `events`, `messages`, `quantities`, and traces.

`trace_text` writes a trace as lines or JSON, `trace_mermaid` as a diagram. Imports `options` and `output`.
"""
