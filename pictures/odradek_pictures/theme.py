"""The colours and fonts of all pictures and pages, for light and dark.

Blue, orange and green (a, b, c) stay apart for colour-blind readers (after Okabe and Ito); plots also use purple and
brown (d, e). Nothing is told by colour alone: marked steps carry letters, lines and dots have labels, and faults and
failures have shapes of their own. Colours are written out for both variants, since many viewers of SVG files do not
support CSS variables.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DRAWING_STYLE", "LIGHT", "MONOSPACED", "SANS", "styles"]

MONOSPACED = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
SANS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans','Liberation Sans',Arial,sans-serif"

LIGHT = {
    "ground": "#ffffff",
    "panel": "#f6f7f9",
    "ink": "#1b2430",
    "muted": "#667085",
    "line": "#8d97a8",
    "faint": "#dfe3e9",
    "a": "#0b62c4",
    "b": "#c2570c",
    "c": "#0b7a5b",
    "d": "#8a4bb5",
    "e": "#8a6a00",
    "bad": "#b4233c",
    "bad_ground": "#fdeef0",
    "on_colour": "#ffffff",
}
"""The colours by name on a light ground."""
_DARK = {
    "ground": "#12161c",
    "panel": "#1a2028",
    "ink": "#e6e9ee",
    "muted": "#98a2b3",
    "line": "#717c8e",
    "faint": "#2c343f",
    "a": "#6cb0ff",
    "b": "#ff9d57",
    "c": "#4cc9a4",
    "d": "#cf9bee",
    "e": "#dcb94a",
    "bad": "#ff7a90",
    "bad_ground": "#371a21",
    "on_colour": "#12161c",
}


def styles(rules: Mapping[str, str]) -> str:
    """Return CSS from declarations by selector. `$ink` and the like stand for a colour, light or dark."""
    light = "".join(f"{selector}{{{_coloured(text, LIGHT)}}}" for selector, text in rules.items())
    dark = "".join(f"{selector}{{{_coloured(text, _DARK)}}}" for selector, text in rules.items() if "$" in text)
    return f"{light}@media (prefers-color-scheme:dark){{{dark}}}"


def _coloured(declarations: str, palette: Mapping[str, str]) -> str:
    for name in sorted(palette, key=len, reverse=True):
        declarations = declarations.replace(f"${name}", palette[name])
    return declarations


DRAWING_STYLE = styles(
    {
        ".o-svg": "display:block;color-scheme:light dark",
        ".o-svg text": f"font-family:{MONOSPACED};font-size:12px;fill:$ink;white-space:pre",
        ".o-svg .o-sans": f"font-family:{SANS}",
        ".o-svg .o-name": f"font-family:{SANS};font-size:13px;font-weight:600",
        ".o-svg .o-title": f"font-family:{SANS};font-size:17px;font-weight:600",
        ".o-svg .o-small": "font-size:11px",
        ".o-svg .o-strong": "font-weight:600",
        ".o-svg .o-muted": "fill:$muted",
        ".o-svg .o-a": "fill:$a",
        ".o-svg .o-b": "fill:$b",
        ".o-svg .o-c": "fill:$c",
        ".o-svg .o-bad": "fill:$bad",
        ".o-svg .o-on": f"font-family:{SANS};font-size:11px;font-weight:700;fill:$on_colour;text-anchor:middle",
        ".o-svg .o-end": "text-anchor:end",
        ".o-svg .o-middle": "text-anchor:middle",
        ".o-ground": "fill:$ground",
        ".o-under": "fill:$ground;fill-opacity:.8",
        ".o-hit": "fill:transparent;stroke:none",
        ".o-step:hover .o-hit": "fill:$faint;fill-opacity:.45",
        ".o-life": "stroke:$faint;stroke-width:2;fill:none",
        ".o-bar": "fill:$panel;stroke:$line",
        ".o-svg .o-arrow": "stroke:$line;stroke-width:1.3;fill:none",
        ".o-svg .o-arrow.o-a": "stroke:$a;stroke-width:2.6",
        ".o-svg .o-arrow.o-b": "stroke:$b;stroke-width:2.6",
        ".o-svg .o-arrow.o-c": "stroke:$c;stroke-width:2.6",
        ".o-wide": "stroke:transparent;stroke-width:12;fill:none",
        ".o-svg .o-message:hover .o-arrow": "stroke-width:3.4",
        ".o-dashed": "stroke-dasharray:5 4",
        ".o-remark": "stroke:$muted;stroke-width:1;stroke-dasharray:3 4",
        ".o-node": "fill:$line",
        ".o-head": "fill:$line",
        ".o-full": "fill:$ink",
        ".o-open": "fill:$ground;stroke:$line;stroke-width:1.5",
        ".o-open.o-a,.o-open.o-b,.o-open.o-c": "stroke:none",
        ".o-thin": "stroke:$line;stroke-width:1.3;fill:none",
        ".o-cross": "stroke:$bad;stroke-width:2.6;stroke-linecap:round;fill:none",
        ".o-covered": "stroke:$ground;stroke-width:3",
        ".o-down": "stroke:$bad;stroke-width:3;stroke-dasharray:2 5",
        ".o-fault": "stroke:$bad;stroke-width:1.5",
        ".o-failed": "fill:$bad_ground;stroke:$bad;stroke-width:1.5",
    }
)
"""The CSS of drawings: in a file of its own, or once in a page that shows several."""
