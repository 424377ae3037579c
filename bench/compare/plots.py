"""The pictures beside the page: bars for each group of works, and lines for the cost as work grows."""

import charts
import works
from peers import LIMITS
from svg import Drawing

COIR, LIMIT, OTHERS = "#c2410c", "#475569", "#b4c0cf"
WIDTH, GAP = 480, 36  # of a panel, and between panels
LATENCIES = {("p999_us", 100)}  # which of the latencies get bars


def color(peer):
    return COIR if peer == "coir" else LIMIT if peer in LIMITS else OTHERS


def bars_of(results, work, size, metric):
    """The best first."""
    up = work.higher_is_better and metric == work.metric
    bars = []
    for peer in results.peers_of(work.name, size):
        if values := results.values(work.name, size, peer, metric):
            bars.append(charts.Bar(results.title(peer, work), results.median(work.name, size, peer, metric),
                                   min(values), max(values), color(peer), peer == "coir"))
    return sorted((bar for bar in bars if bar.value > 0), key=lambda bar: bar.value, reverse=up)


def panels_of(results, group):
    """(bars, title, unit) of what gets bars in this group."""
    for work in (w for w in works.WORKS if w.group == group):
        for size in work.plot:
            what = work.describe(size)
            unit = f"{work.unit}, more is better" if work.higher_is_better else work.unit
            yield bars_of(results, work, size, work.metric), f"{work.name}: {what}", unit
            for metric, its_unit, title in work.more:
                if not metric.endswith("_us") or (metric, size) in LATENCIES and work.cores == "two":
                    yield bars_of(results, work, size, metric), f"{work.name}: {title.split(',')[0]}, {what}", its_unit


def in_columns(panels, height_of, draw):
    """Two columns, row by row; returns the SVG."""
    drawing, y = Drawing(), GAP / 2
    for at in range(0, len(panels), 2):
        row = panels[at:at + 2]
        for column, panel in enumerate(row):
            draw(drawing, GAP / 2 + column * (WIDTH + GAP), y, WIDTH, *panel)
        y += max(height_of(*panel) for panel in row) + 10
    columns = min(2, len(panels))
    return drawing.document(columns * (WIDTH + GAP), y + GAP / 4)


def points_of(results, work_name, peer):
    medians = ((size, results.median(work_name, size, peer)) for size in results.sizes_of(work_name))
    return tuple((size, cost) for size, cost in medians if cost)


def curves_of(results, work):
    curves = []
    if work.floor and len(floor := points_of(results, work.floor, "limit")) > 1:
        curves.append(charts.Curve(work.floor, floor, LIMIT, dashed=True))
    for peer in reversed(results.peers_of(work.name)):  # coir is drawn last but for the limit, above the others
        points = points_of(results, work.name, peer)
        if len(points) > 1:
            curves.append(charts.Curve(results.title(peer, work), points, color(peer),
                                       2.6 if peer == "coir" else 1.4, peer == "coir", peer in LIMITS))
    return curves


def growth(results):
    panels = [(curves, f"{work.name}, ns", work.size_name) for work in works.WORKS if work.growth
              for curves in [curves_of(results, work)] if curves]
    return in_columns(panels, lambda *panel: charts.CURVES_HEIGHT, charts.draw_curves) if panels else None


def draw(results, folder):
    """Writes the pictures and returns their names."""
    pictures = {}
    for group in works.GROUPS:
        if panels := [panel for panel in panels_of(results, group) if panel[0]]:
            pictures[group] = in_columns(panels, lambda bars, *_: charts.bars_height(bars), charts.draw_bars)
    pictures["growth"] = growth(results)
    pictures = {name: text for name, text in pictures.items() if text}
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, text in pictures.items():
        (folder / f"{name}.svg").write_text(text)
    return list(pictures)
