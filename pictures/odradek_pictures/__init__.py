"""Pictures: from a model to SVG, to HTML that needs no script, and to text. Pure: no files, no clock, no threads.

In layers, each of which imports only those above it:

    text  theme    control characters made visible, and widths in cells; colours and fonts
    markup         elements, escaped by construction
    drawing        a drawing, as an SVG file or inline in a page
    page           the frame of all reports: sections, tables, figures
    stories        what happened, step by step, as swimlanes, as a page and as a table for terminals

Imports no other package of ours; may import event types and the domain's values. Start reading at `stories`. For a
story, and a passing run of the same program or None:

    svg_file(draw_swimlanes(story, passing))    an SVG file
    render_story(story, passing)                an HTML page
    format_steps(story, passing)                lines for a terminal
"""

from odradek_pictures.drawing import Drawing, inline_svg, svg_file
from odradek_pictures.markup import Html, element, join
from odradek_pictures.page import (
    Cell,
    Content,
    Tone,
    code,
    details,
    facts,
    figure,
    paragraph,
    render_page,
    section,
    small,
    table,
)
from odradek_pictures.stories import (
    Comparison,
    Difference,
    Kind,
    Step,
    Story,
    Swimlanes,
    compare,
    describe_difference,
    draw_swimlanes,
    find_difference,
    format_steps,
    render_story,
    run_figure,
)

__all__ = [
    "Cell",
    "Comparison",
    "Content",
    "Difference",
    "Drawing",
    "Html",
    "Kind",
    "Step",
    "Story",
    "Swimlanes",
    "Tone",
    "code",
    "compare",
    "describe_difference",
    "details",
    "draw_swimlanes",
    "element",
    "facts",
    "figure",
    "find_difference",
    "format_steps",
    "inline_svg",
    "join",
    "paragraph",
    "render_page",
    "render_story",
    "run_figure",
    "section",
    "small",
    "svg_file",
    "table",
]
