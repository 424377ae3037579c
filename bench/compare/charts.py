"""Two kinds of chart: bars, one for each peer, and lines over the size of the work."""

import math
from dataclasses import dataclass

from svg import FAINT, GRID

LOG_FROM = 15  # times between the shortest and the longest bar
ROW, LABEL, TITLE, AXIS = 19, 158, 26, 30  # heights and the width of names, in pixels
PLOT_HEIGHT = 230


def brief(value):
    """For an axis or the end of a bar."""
    if value >= 999_500:
        return f"{value / 1e6:.3g} M"
    if value >= 9_995:
        return f"{value / 1e3:.0f} k"
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def tick_text(value):
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k" if value >= 1e4 else f"{value:,g}"


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` lie between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    def __call__(self, value):
        part = (math.log(value / self.low) / math.log(self.high / self.low) if self.log
                else (value - self.low) / (self.high - self.low))
        return self.start + part * (self.end - self.start)

    def ticks(self):
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        step = 10 ** math.floor(math.log10(self.high - self.low))
        step = next(step * part for part in (0.2, 0.5, 1, 2, 5) if (self.high - self.low) / (step * part) <= 5)
        return [step * i for i in range(math.ceil(self.low / step), math.floor(self.high / step) + 1)]


@dataclass(frozen=True)
class Bar:
    name: str
    value: float
    least: float
    most: float
    color: str
    bold: bool = False


def bars_height(bars):
    return TITLE + ROW * len(bars) + AXIS


def draw_bars(drawing, x, y, width, bars, title, unit):
    low, high = min(bar.value for bar in bars), max(bar.most for bar in bars)
    log = max(bar.value for bar in bars) > LOG_FROM * low
    start = x + LABEL
    end = x + width - 52  # room for the figure at the longest bar
    scale = Scale(low / 3, high, start, end, True) if log else Scale(0, high, start, end, False)
    bottom = y + TITLE + ROW * len(bars)
    drawing.text(x, y + 14, title, 13, bold=True)
    for tick in scale.ticks():
        drawing.line([(scale(tick), y + TITLE), (scale(tick), bottom)], GRID)
        drawing.text(scale(tick), bottom + 12, tick_text(tick), 9.5, "middle", FAINT)
    drawing.text(x + LABEL - 8, bottom + 12, f"{unit}, logarithmic" if log else unit, 9.5, "end", FAINT)
    for row, bar in enumerate(bars):
        top = y + TITLE + row * ROW
        drawing.text(start - 8, top + 13, bar.name, 11.5, "end", bold=bar.bold)
        drawing.box(start, top + 2.5, scale(bar.value) - start, ROW - 5, bar.color)
        least = max(bar.least, scale.low)
        drawing.line([(scale(least), top + ROW / 2), (scale(bar.most), top + ROW / 2)], "#334155")
        drawing.text(scale(bar.most) + 5, top + 13, brief(bar.value), 10.5, bold=bar.bold)


@dataclass(frozen=True)
class Curve:
    name: str
    points: tuple  # (size, cost)
    color: str
    width: float = 1.2
    bold: bool = False
    dashed: bool = False


def apart(heights, gap):
    """Moves labels so far down that none covers another, keeping their order."""
    moved, last = {}, -math.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        moved[name] = last = max(height, last + gap)
    return moved


def draw_curves(drawing, x, y, width, curves, title, axis):
    sizes = [size for curve in curves for size, _ in curve.points]
    costs = [cost for curve in curves for _, cost in curve.points]
    across = Scale(min(sizes), max(sizes), x + 44, x + width - 150, True)
    up = Scale(10 ** math.floor(math.log10(min(costs))), 10 ** math.ceil(math.log10(max(costs) * 1.01)),
               y + TITLE + PLOT_HEIGHT, y + TITLE + 4, True)
    drawing.text(x, y + 14, title, 13, bold=True)
    for tick in across.ticks():
        drawing.line([(across(tick), up.start), (across(tick), up.end)], GRID)
        drawing.text(across(tick), up.start + 14, tick_text(tick), 10, "middle", FAINT)
    for tick in up.ticks():
        drawing.line([(across.start, up(tick)), (across.end, up(tick))], GRID)
        drawing.text(across.start - 6, up(tick) + 3.5, tick_text(tick), 10, "end", FAINT)
    drawing.text((across.start + across.end) / 2, up.start + 28, axis, 10.5, "middle", FAINT)
    for curve in curves:
        points = [(across(size), up(cost)) for size, cost in curve.points]
        drawing.line(points, curve.color, curve.width, curve.dashed)
        for point in points:
            drawing.dot(*point, 1.2 + curve.width / 2, curve.color)
    ends = apart({curve.name: up(curve.points[-1][1]) for curve in curves}, 12)
    for curve in curves:
        size, cost = curve.points[-1]
        label = across.end + 14
        drawing.line([(across(size) + 3, up(cost)), (label - 3, ends[curve.name])], GRID)
        drawing.text(label, ends[curve.name] + 3.5, curve.name, 10.5, bold=curve.bold)


CURVES_HEIGHT = TITLE + PLOT_HEIGHT + 44
