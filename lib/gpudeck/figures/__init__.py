"""Pictures: the style of charts, the diagram grammar, and one file of figures a section.

Templates live in files of their own: `architecture`, `flowchart`, `timeline`, `pseudocode`,
`formula`. All return text (SVG or HTML) whose ids carry the key that they were given.
"""

from gpudeck.figures.style import label_line_ends, name_axes, new_figure, svg_text, use_style

__all__ = ["label_line_ends", "name_axes", "new_figure", "svg_text", "use_style"]
