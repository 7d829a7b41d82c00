"""How is a figure drawn? Inline SVG that keeps its letters readable at any width: places are percentages,
letters are pixels. Which figures stand on the page, and where, ``sync.report.sections`` says.

Every chart is an image with a title for those who hear the page; texts are escaped here, so that a name out
of a CRM stays a name. Colours are classes (``c0`` to ``c11``: the colour-blind-safe palette of Okabe and Ito, then
four of Tol's) whose values the style sheet holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap

from markupsafe import Markup

COLOURS = 12
_LETTER = 0.95  # percent of the width of a sheet of paper that one small letter takes
LETTERS = 30  # of a label that a narrow screen has room for beside a figure


@dataclass(frozen=True)
class Bar:
    """One row: shares from 0 to 1 are drawn under each other, ``text`` stands at the right end of the label's
    line.

    ``colour``: of all its shares, the later ones paler; None: each share has a colour of its own.
    """

    label: str
    shares: tuple[float, ...]
    text: str
    colour: int | None = None


@dataclass(frozen=True)
class Part:
    """A part of a whole: its share from 0 to 1, and the colour of what it stands for."""

    label: str
    share: float
    colour: int


@dataclass(frozen=True)
class Range:
    """One row: a value and the ends of what it may be, from 0 to 1; ``text`` stands at the right end of the
    label's line.
    """

    label: str
    low: float
    value: float
    high: float
    text: str


@dataclass(frozen=True)
class Cell:
    """One place of a heat map.

    ``heat`` runs from 0 to 1; ``text`` is its figure, ``note`` what a wide screen shows beneath.
    """

    heat: float
    text: str
    note: str = ""


@dataclass(frozen=True)
class Ribbon:
    """So many records went from one segment to another."""

    source: str
    target: str
    records: int


def short(text: str, letters: int = LETTERS) -> str:
    """A text that fits; what is cut off shows as an ellipsis."""
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"


def bars(title: str, rows: Sequence[Bar], track: bool = False) -> Markup:
    """Horizontal bars, label and figure above each, so that a phone shows whole words.

    ``track`` shows what a whole would be.
    """
    thickness = 9
    height = 28 + thickness * max((len(row.shares) for row in rows), default=1)
    drawn = []
    for number, row in enumerate(rows):
        top = number * height
        drawn.append(
            _text("0", top + 14, row.label, "label") + _text("100%", top + 14, row.text, "figure end")
        )
        for position, share in enumerate(row.shares):
            y, width = top + 20 + position * thickness, 100 * min(max(share, 0.0), 1.0)
            if track:
                drawn.append(
                    Markup('<rect class="track" x="0" y="{}" width="100%" height="{}"/>').format(
                        y, thickness - 2
                    )
                )
            box = Markup('<rect class="c{}{}" x="0" y="{}" width="{:.2f}%" height="{}"/>')
            colour = position if row.colour is None else row.colour
            pale = " pale" if row.colour is not None and position else ""
            drawn.append(box.format(colour % COLOURS, pale, y, width, thickness - 2))
    return _image(title, height * len(rows), drawn)


def wholes(title: str, rows: Sequence[tuple[str, Sequence[Part]]]) -> Markup:
    """One bar for each whole, cut into its parts; a part that is wide enough has its name and share beneath."""
    height, drawn = 62, []
    for number, (label, parts) in enumerate(rows):
        top, x = number * height, 0.0
        drawn.append(_text("0", top + 13, label, "label"))
        for part in parts:
            width, words = 100 * min(max(part.share, 0.0), 1.0), f"{part.label} {part.share:.0%}"
            box = Markup(
                '<rect class="c{}" x="{:.2f}%" y="{}" width="{:.2f}%" height="18"><title>{}</title></rect>'
            )
            drawn.append(box.format(part.colour % COLOURS, x, top + 19, max(width - 0.2, 0.0), words))
            if width >= _LETTER * (len(words) + 1):
                drawn.append(_text(f"{x:.2f}%", top + 51, words, "under"))
            x += width
    return _image(title, height * len(rows), drawn)


def stacks(title: str, rows: Sequence[Bar]) -> Markup:
    """Horizontal bars whose shares stand one after another and add up to at most 1."""
    height = 42
    drawn = []
    for number, row in enumerate(rows):
        top, x = number * height, 0.0
        drawn.append(
            _text("0", top + 14, row.label, "label") + _text("100%", top + 14, row.text, "figure end")
        )
        for position, share in enumerate(row.shares):
            width = 100 * min(max(share, 0.0), 1.0)
            box = Markup('<rect class="c{}" x="{:.2f}%" y="{}" width="{:.2f}%" height="14"/>')
            drawn.append(box.format(position % COLOURS, x, top + 20, max(width - 0.25, 0.0)))
            x += width
    return _image(title, height * len(rows), drawn)


def ranges(title: str, rows: Sequence[Range]) -> Markup:
    """A pale bar from the low to the high end of what each value may be, and a mark at the value."""
    height = 40
    drawn = []
    for number, row in enumerate(rows):
        top = number * height
        low, value, high = (100 * min(max(share, 0.0), 1.0) for share in (row.low, row.value, row.high))
        drawn.append(
            _text("0", top + 14, row.label, "label") + _text("100%", top + 14, row.text, "figure end")
        )
        drawn.append(Markup('<rect class="track" x="0" y="{}" width="100%" height="11"/>').format(top + 20))
        span = Markup('<rect class="span-of" x="{:.2f}%" y="{}" width="{:.2f}%" height="11"/>')
        drawn.append(span.format(low, top + 20, max(high - low, 0.3)))
        drawn.append(
            Markup('<rect class="c0" x="{:.2f}%" y="{}" width="3" height="11"/>').format(
                min(value, 99.2), top + 20
            )
        )
    return _image(title, height * len(rows), drawn)


def heat(
    title: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]], across: str, down: str
) -> Markup:
    """A grid; the first row is drawn at the top, ``across`` and ``down`` name the axes."""
    left, side, height = 12.0, 44, 56
    width = (100 - left) / max(len(columns), 1)
    drawn = [_text("0", 14, f"{down} ↓", "axis"), _text("100%", 14, f"{across} →", "axis end")]
    for position, name in enumerate(columns):
        drawn.append(_text(f"{left + width * (position + 0.5):.2f}%", 36, name, "axis middle"))
    for line, (name, cells) in enumerate(rows):
        top = side + line * height
        drawn.append(_text(f"{left / 2:.2f}%", top + 32, name, "axis middle"))
        for position, cell in enumerate(cells):
            x, middle = left + width * position, f"{left + width * (position + 0.5):.2f}%"
            box = Markup(
                '<rect class="heat" x="{:.2f}%" y="{}" width="{:.2f}%" height="{}" fill-opacity="{:.3f}"/>'
            )
            drawn.append(
                box.format(x, top, width - 0.6, height - 4, 0.06 + 0.54 * min(max(cell.heat, 0.0), 1.0))
            )
            drawn.append(_text(middle, top + 20, cell.text, "figure middle"))
            drawn += [
                _text(middle, top + 33 + 12 * part, short(words, 14), "note middle")
                for part, words in enumerate(wrap(cell.note, 13)[:2])
            ]
    return _image(title, side + height * len(rows), drawn)


def flow(
    title: str, ribbons: Sequence[Ribbon], order: Mapping[str, int], colours: Mapping[str, int]
) -> Markup:
    """A Sankey diagram from left to right. ``order`` gives each segment its place; what has no colour is grey."""
    total = sum(ribbon.records for ribbon in ribbons)
    if not total:
        return Markup("")
    sources, targets = (_sums(ribbons, side) for side in ("source", "target"))
    classes = {name: f"c{colours[name] % COLOURS}" if name in colours else "plain" for name in order}
    gap, least = 8, 18
    room = min(34.0 * max(len(sources), len(targets)) + 20, 420.0)
    scale = room / total
    ends = [_stacked(side, order, scale, gap, least) for side in (sources, targets)]
    height = max(top + tall for end in ends for top, tall in end.values())
    curve = "M0 {:.1f}C50 {:.1f} 50 {:.1f} 100 {:.1f}V{:.1f}C50 {:.1f} 50 {:.1f} 0 {:.1f}Z"
    path = Markup(f'<path class="ribbon {{}}" d="{curve}"><title>{{}}</title></path>')
    used = [dict.fromkeys(end, 0.0) for end in ends]
    drawn = []
    for ribbon in sorted(ribbons, key=lambda entry: (order[entry.source], order[entry.target])):
        thick = max(ribbon.records * scale, 0.8)
        a = ends[0][ribbon.source][0] + used[0][ribbon.source]
        b = ends[1][ribbon.target][0] + used[1][ribbon.target]
        used[0][ribbon.source] += ribbon.records * scale
        used[1][ribbon.target] += ribbon.records * scale
        words = f"{ribbon.source} → {ribbon.target}: {ribbon.records:,}"
        drawn.append(
            path.format(classes[ribbon.source], a, a, b, b, b + thick, b + thick, a + thick, a + thick, words)
        )
    stretched = Markup(
        '<svg x="1.5%" y="0" width="97%" height="{0:.0f}" viewBox="0 0 100 {0:.0f}" preserveAspectRatio="none">{1}</svg>'
    )
    shapes = [stretched.format(height, Markup("").join(drawn))]
    for end, sums, x, words in ((ends[0], sources, "0", "start"), (ends[1], targets, "98.5%", "end")):
        for name, (top, _tall) in end.items():
            node = Markup('<rect class="{}" x="{}" y="{:.1f}" width="1.5%" height="{:.1f}"/>')
            shapes.append(node.format(classes[name], x, top, max(sums[name] * scale, 1.5)))
            middle = top + max(sums[name] * scale, least) / 2 + 4
            anchor = "3%" if words == "start" else "97%"
            shapes.append(_text(anchor, middle, f"{short(name, 20)} {sums[name]:,}", f"halo {words}"))
    return _image(title, height + 2, shapes)


def lines(
    title: str,
    days: Sequence[int],
    series: Sequence[Sequence[float]],
    height: int = 64,
    top: float | None = None,
    dots: bool = True,
    colour: int = 0,
) -> Markup:
    """Lines over days (ordinals, to scale) that begin at zero.

    ``top``: the value at the upper edge, the greatest by default. ``colour``: of the first line.
    """
    if top is None:
        top = max((value for line in series for value in line), default=0)
    first, span = (days[0], (days[-1] - days[0]) or 1) if days else (0, 1)
    drawn = [Markup('<line class="base" x1="0" y1="{0}" x2="100" y2="{0}"/>').format(height - 3)]
    for number, values in enumerate(series):
        points = [
            (
                100 * (day - first) / span if len(days) > 1 else 50,
                height - 3 - (height - 8) * value / (top or 1),
            )
            for day, value in zip(days, values, strict=True)
        ]
        steps = "".join(f"M{a[0]:.2f} {a[1]:.2f}L{b[0]:.2f} {b[1]:.2f}" for a, b in pairwise(points))
        marks = (
            "".join(f"M{x:.2f} {y:.2f}h0" for x, y in (points if len(points) <= 30 else points[-1:]))
            if dots
            else ""
        )
        drawn.append(
            Markup('<path class="line s{0}{3}" d="{1}"/><path class="dots s{0}" d="{2}"/>').format(
                (colour + number) % COLOURS, steps, marks, " dashed" if number else ""
            )
        )
    frame = '<svg role="img" class="chart" width="100%" height="{0}" viewBox="0 0 100 {0}" preserveAspectRatio="none">'
    return Markup(frame + "<title>{1}</title>{2}</svg>").format(height, title, Markup("").join(drawn))


def _image(title: str, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg role="img" class="chart" width="100%" height="{:.0f}"><title>{}</title>{}</svg>'
    ).format(height, title, Markup("").join(parts))


def _text(x: str, y: float, words: str, kind: str) -> Markup:
    """Words at a place; the whole of what is cut off shows when it is pointed at."""
    shown = short(words, LETTERS + 4)
    whole = Markup("<title>{}</title>").format(words) if shown != words else Markup("")
    return Markup('<text x="{}" y="{:.1f}" class="{}">{}{}</text>').format(x, y, kind, shown, whole)


def _sums(ribbons: Sequence[Ribbon], side: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for ribbon in ribbons:
        name = getattr(ribbon, side)
        sums[name] = sums.get(name, 0) + ribbon.records
    return sums


def _stacked(
    sums: Mapping[str, int], order: Mapping[str, int], scale: float, gap: float, least: float
) -> dict[str, tuple[float, float]]:
    """Top and height of each name, one under the other, each with room for a line of text."""
    places, top = {}, 0.0
    for name in sorted(sums, key=lambda segment: order[segment]):
        tall = max(sums[name] * scale, least)
        places[name] = (top, tall)
        top += tall + gap
    return places
