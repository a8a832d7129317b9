"""Charts as SVG, with the standard library: lines over two logarithmic axes, and groups of bars over one.

A chart is a white sheet, so that it reads on light and dark pages; colours are told apart by the colour-blind too.
"""

import math
from xml.sax.saxutils import escape

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f", "#8b4513", "#6a3d9a", "#b2182b", "#1b7837")
DASHES = ("", "7 3", "2 3")
INK, GRID, WIDTH = "#222222", "#dddddd", 860
LEFT, TOP, LEGEND = 80, 56, 210


def number(value):
    """1536, 0.25, 12k: at most three digits that matter"""
    if value >= 10000:
        return f"{value / 1000:.3g}k"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


class Sheet:
    def __init__(self, title, height):
        self.height, self.parts = height, []
        self.text(WIDTH / 2 - LEGEND / 2, 26, title, size=16, anchor="middle", weight="bold")

    def text(self, x, y, content, size=12, anchor="start", weight="normal", turn=None, colour=INK):
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        style = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}"'
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {style}{turned}>{escape(content)}</text>')

    def line(self, x1, y1, x2, y2, colour=GRID, width=1.0, dash=""):
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"{dashed}/>')

    def path(self, points, colour, dash):
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"{dashed}/>')
        self.parts.extend(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)

    def bar(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" fill="{colour}"/>')

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" height="{self.height}" font-family="sans-serif">\n')
            file.write(f'<rect width="{WIDTH}" height="{self.height}" fill="#ffffff"/>\n')
            file.write("\n".join(self.parts))
            file.write("\n</svg>\n")


def ticks_of(low, high):
    """1, 2 and 5 times powers of ten, from the last up to low to the first from high on."""
    steps = [m * 10.0**e for e in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2) for m in (1, 2, 5)]
    first = max(i for i, step in enumerate(steps) if step <= low * 1.0001)
    last = min(i for i, step in enumerate(steps) if step >= high * 0.9999)
    return steps[first : last + 1]


def lines(path, title, x_title, y_title, series):
    """series: {name: [(x, y), ...]}, all above zero, drawn over logarithmic axes; x values are the ticks of their axis."""
    sheet = Sheet(title, 520)
    right, bottom = WIDTH - LEGEND - 10, 520 - 60
    xs = sorted({x for points in series.values() for x, _ in points})
    ys = [y for points in series.values() for _, y in points]
    ticks = ticks_of(min(ys), max(ys))

    def place(x, y):
        across = math.log(x / xs[0]) / math.log(xs[-1] / xs[0]) if len(xs) > 1 else 0.5
        up = math.log(y / ticks[0]) / math.log(ticks[-1] / ticks[0])
        return LEFT + 12 + across * (right - LEFT - 24), bottom - up * (bottom - TOP)

    for tick in ticks:
        y = place(xs[0], tick)[1]
        sheet.line(LEFT, y, right, y)
        sheet.text(LEFT - 8, y + 4, number(tick), anchor="end")
    for x in xs:
        at = place(x, ticks[0])[0]
        sheet.line(at, TOP, at, bottom)
        sheet.text(at, bottom + 18, number(x), anchor="middle")
    sheet.line(LEFT, bottom, right, bottom, INK)
    sheet.line(LEFT, TOP, LEFT, bottom, INK)
    sheet.text((LEFT + right) / 2, bottom + 42, x_title, anchor="middle", size=13)
    sheet.text(22, (TOP + bottom) / 2, y_title, anchor="middle", size=13, turn=-90)
    for i, (name, points) in enumerate(series.items()):
        colour, dash = COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]
        sheet.path([place(x, y) for x, y in sorted(points)], colour, dash)
        y = TOP + 8 + 19 * i
        sheet.line(right + 16, y, right + 40, y, colour, 3, dash)
        sheet.text(right + 46, y + 4, name)
    sheet.write(path)


def bars(path, title, x_title, groups, names):
    """groups: [(group, [(bar, value), ...]), ...]: horizontal, over a logarithmic axis, with their values; names: all bars', in the
    order of the legend."""
    step, gap = 17, 14
    height = TOP + sum(step * len(b) + gap for _, b in groups) + 60
    sheet = Sheet(title, max(height, TOP + 19 * len(names) + 40))
    left, right, bottom = 170, WIDTH - LEGEND - 60, height - 56
    values = [value for _, b in groups for _, value in b]
    ticks = ticks_of(min(values) / 1.5, max(values))

    def place(value):
        return left + math.log(value / ticks[0]) / math.log(ticks[-1] / ticks[0]) * (right - left)

    for tick in ticks:
        sheet.line(place(tick), TOP - 6, place(tick), bottom)
        sheet.text(place(tick), bottom + 18, number(tick), anchor="middle")
    y = TOP
    for group, bars_of_group in groups:
        sheet.text(left - 10, y + step * len(bars_of_group) / 2 + 4, group, anchor="end")
        for name, value in bars_of_group:
            sheet.bar(left, y + 2, place(value) - left, step - 4, COLOURS[names.index(name) % len(COLOURS)])
            sheet.text(place(value) + 5, y + step - 4, number(value), size=11)
            y += step
        y += gap
    sheet.line(left, TOP - 6, left, bottom, INK)
    sheet.text((left + right) / 2, bottom + 42, x_title, anchor="middle", size=13)
    for i, name in enumerate(names):
        at = TOP + 8 + 19 * i
        sheet.bar(right + 66, at - 6, 14, 12, COLOURS[i % len(COLOURS)])
        sheet.text(right + 86, at + 4, name)
    sheet.write(path)
