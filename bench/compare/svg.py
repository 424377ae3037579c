"""A drawing of lines, boxes and words as SVG; the same calls give the same bytes."""

from xml.sax.saxutils import escape

INK, FAINT, GRID = "#1f2937", "#64748b", "#e2e8f0"
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def coordinates(points):
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


class Drawing:
    def __init__(self):
        self.parts = []

    def box(self, x, y, width, height, color):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>')

    def line(self, points, color, width=1.0, dashed=False):
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        self.parts.append(f'<polyline points="{coordinates(points)}" fill="none" stroke="{color}" '
                          f'stroke-width="{width}" stroke-linejoin="round"{dash}/>')

    def dot(self, x, y, radius, color):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{color}"/>')

    def text(self, x, y, words, size=12, anchor="start", color=INK, bold=False):
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
                          f'fill="{color}"{weight}>{escape(words)}</text>')

    def document(self, width, height):
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
                f'height="{height:.0f}" font-family="{FONT}">')
        ground = f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>'
        return "\n".join([head, ground, *self.parts, "</svg>\n"])
