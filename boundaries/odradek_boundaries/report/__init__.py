"""The report of a study: one HTML page with a matrix, plots and stories, and the reading of each in words.

The modules in layers, each of which imports only those above it:

    curves  labels  stories  svg    runs at other loads; labels that do not overlap; what went wrong, for swimlanes;
                                    a matplotlib figure as SVG
    reading                         what a study shows, in titles and sentences made from its numbers
    plots                           the five plots
    page                            the page, and its pictures as files

Needs matplotlib, which is imported when the first plot is drawn. Start reading at `page`.
"""

from odradek_boundaries.report.curves import Curves, measure_curves
from odradek_boundaries.report.page import Report, render_report
from odradek_boundaries.report.svg import require_matplotlib

__all__ = ["Curves", "Report", "measure_curves", "render_report", "require_matplotlib"]
