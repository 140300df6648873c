"""figure: lines over logarithmic axes as SVG, for light and dark pages."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 50
COLOURS = ["#2a78c4", "#c4622a", "#3c9a5f"]


def spoken(value):
    """1200 is 1.2k: an axis has little room."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


class Axis:
    """Whole decades around the values, from `begin` to `end` in pixels."""

    def __init__(self, values, begin, end):
        self.low = math.floor(math.log10(min(values)))
        self.high = max(math.ceil(math.log10(max(values))), self.low + 1)
        self.begin, self.end = begin, end

    def __call__(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self.begin + share * (self.end - self.begin), 1)

    def decades(self):
        return [10.0**n for n in range(self.low, self.high + 1)]


def log_log(title, unit, lines):
    """`lines`: for each name its points (x, y), all above 0."""
    every = [point for line in lines.values() for point in line]
    if not every:
        raise ValueError(f"{title}: nothing to draw")
    x = Axis([point[0] for point in every], LEFT, WIDTH - RIGHT)
    y = Axis([point[1] for point in every], HEIGHT - BOTTOM, TOP)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
             "<style>text{fill:#333}.grid{stroke:#8884}@media(prefers-color-scheme:dark){text{fill:#ccc}}</style>",
             f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>']
    for value in x.decades():
        parts.append(f'<path class="grid" d="M{x(value)} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{x(value)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{spoken(value)}</text>')
    for value in y.decades():
        parts.append(f'<path class="grid" d="M{LEFT} {y(value)}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 4}" text-anchor="end">{spoken(value)}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(unit)}</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(f'<text x="{LEFT + 180 * number}" y="40" style="fill:{colour}">{escape(name)}</text>')
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(f"{x(a)},{y(b)}" for a, b in line)}"/>')
        for a, b in line:
            parts.append(f'<circle cx="{x(a)}" cy="{y(b)}" r="3" fill="{colour}"><title>{spoken(a)}: {b:.4g}</title></circle>')
            parts.append(f'<text x="{x(a)}" y="{y(b) - 8}" text-anchor="middle" font-size="10">{spoken(b)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
