"""From a matplotlib figure to SVG that follows the theme of all pictures: text stays text, light or dark, no date.

Each plot has a hash salt of its own, so that a page can show several, and the same plot gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

from odradek_boundaries.errors import MatplotlibMissing
from odradek_pictures.markup import Html, element
from odradek_pictures.theme import LIGHT, SANS, styles

__all__ = ["COLOURS", "WIDTH", "plot", "require_matplotlib"]

WIDTH = 860
"""The width of all plots in pixels."""
COLOURS = tuple(LIGHT[name] for name in ("a", "b", "c", "d", "e", "ink"))
"""Of boundaries, in turn. They stay apart for colour-blind readers, and labels name what they show in any case."""

# Without .o-plot before it, since selectors see no ancestors of a marker that is drawn by reference.
_STYLE = styles(
    {
        ".o-plot": "color-scheme:light dark;max-width:100%;height:auto",
        ".o-plot text": f"font-family:{SANS}",
        **{
            f'[style*="{use}: {colour}"]': f"{use}:${name}!important"
            for name, colour in LIGHT.items()
            for use in ("fill", "stroke")
        },
    }
)
_SETTINGS = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 12.0,
    "text.color": LIGHT["ink"],
    "axes.edgecolor": LIGHT["line"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.facecolor": "none",
    "axes.spines.left": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LIGHT["faint"],
    "figure.facecolor": LIGHT["ground"],
    "xtick.color": LIGHT["line"],
    "xtick.labelcolor": LIGHT["muted"],
    "ytick.color": LIGHT["faint"],
    "ytick.labelcolor": LIGHT["muted"],
    "ytick.major.size": 0.0,
    "xtick.minor.size": 0.0,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_UNUSED = re.compile(r' id="[a-z_.\d]*_\d+"| transform="rotate\(-0 [^"]*"|; font-family: [^;"]*')
_DECIMALS = re.compile(r"(\d\.\d\d)\d+")


def require_matplotlib() -> None:
    """Raise MatplotlibMissing if plots cannot be drawn."""
    try:
        import matplotlib.backends.backend_svg  # noqa: F401 (only whether it can be imported)
    except ImportError:
        raise MatplotlibMissing from None


def plot(name: str, title: str, draw: Callable[[Any], None], height: float) -> Html:
    """Return what a function draws on a matplotlib figure as an SVG element, which is also an SVG file."""
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        FigureCanvasSVG(figure)
        draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata=_NO_METADATA)
    _, _, drawn = written.getvalue().partition("</defs>")  # an element that holds the style of matplotlib
    content = re.sub(r"<[^>]*>\s*", lambda tag: _compact(tag.group()), drawn.rpartition("</svg>")[0])
    return Html(
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" class="o-plot" role="img" '
        f'width="{WIDTH}" height="{height:g}" viewBox="0 0 {WIDTH} {height:g}">{element("title", title)}'
        f"{element('style', Html(_STYLE))}{content}</svg>"
    )


def _compact(tag: str) -> str:
    """Return a tag without what nothing uses, with two decimals, on one line. Text outside of tags stays as it is."""
    return _DECIMALS.sub(r"\1", _UNUSED.sub("", " ".join(tag.split())))
