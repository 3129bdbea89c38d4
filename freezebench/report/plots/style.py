"""The style of pictures: one column wide, colours for colour-blind people, as SVG and PNG."""

from __future__ import annotations

import io
import itertools
import warnings
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from freezebench.report.picture import LIGHT, Picture
from freezebench.specs.freeze import FreezeSpec
from freezebench.verdicts.vocabulary import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

    from freezebench.verdicts.vocabulary import VerdictKey

INK, MUTED, GRID, PAPER, SAFE, BLUE, GREEN_TEXT = LIGHT
# Okabe & Ito (2008): colours that people with any common kind of colour blindness can distinguish.
SKY, GREEN, ORANGE, VERMILLION = "#56b4e9", "#009e73", "#e69f00", "#d55e00"
FAR = 1e6  # beyond the edge of any axis
# A verdict has a colour and a shape, since colour alone would not do.
VERDICT_MARKS: dict[VerdictKey, tuple[str, str]] = {
    "baseline": (MUTED, "s"),
    "non_inferior": (GREEN, "o"),
    "inconclusive": (ORANGE, "D"),
    "inferior": (VERMILLION, "X"),
    "invalid": (MUTED, "x"),
    "not_run": (MUTED, "_"),
}
_COLORS, _MARKERS = (BLUE, ORANGE, GREEN, VERMILLION, SKY, MUTED), "osD^vP"
NUM_COLORS = len(_COLORS)
# Wider than a journal's column of 3.4 inches, so that small print is legible after scaling down.
WIDTH = 4.4
_MARK_PIXELS = 4
_WAYS = (6, 14, 23, 32)  # how far above or below its point a label may be, in points
_SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    # A dollar in a model's name must not start a formula.
    "text.parse_math": False,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "path",
    # A fixed salt makes the bytes of the SVG reproducible.
    "svg.hashsalt": "freezebench",
}


def picture(
    name: str, title: str, *, caption: str, alt: str, height: float, paint: Callable[[Figure], None]
) -> Picture:
    """Return a picture of one column's width.

    Args:
        name: Stem of its files.
        title: Heading.
        caption: How to read the picture.
        alt: Its content in words.
        height: Height in inches.
        paint: Draws on the figure.
    """
    svg, png = io.StringIO(), io.BytesIO()
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the page has it as text, too.
        warnings.filterwarnings("ignore", "Glyph .* missing from|Matplotlib currently does not support")
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure)
        # The layout takes longer than drawing, and each savefig would compute it twice: it is computed once and kept.
        figure.draw_without_rendering()
        figure.set_layout_engine(None)
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Title": title, "Description": alt})
        figure.savefig(png, format="png", dpi=300, metadata={"Software": None})
    return Picture(name=name, title=title, caption=caption, alt=alt, svg=svg.getvalue(), png=png.getvalue())


def in_lines(text: str, width: float) -> str:
    """Return a text in lines between words, as long as lines of a title or of an axis's label of this width may be.

    Args:
        text: The text.
        width: Width in points; a single word may be wider.
    """
    font = FontProperties(family=_SETTINGS["font.family"], size=_SETTINGS["axes.titlesize"])
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and TextPath((0, 0), longer, prop=font).get_extents().width <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def mark(index: int) -> tuple[str, str]:
    """Return colour and marker of one of several things, which differ from those of the 35 next ones."""
    return _COLORS[index % NUM_COLORS], _MARKERS[(index + index // NUM_COLORS) % len(_MARKERS)]


def verdict_handles(verdicts: Sequence[str], *, line_width: float = 0.0, marker: str | None = None) -> list[Line2D]:
    """Return the legend's entries for those verdicts that a figure shows, best first.

    Args:
        verdicts: The verdicts.
        line_width: Width of the line through the marks.
        marker: The shape of all marks, where shapes have another meaning; ``None``: each verdict has its own.
    """
    return [
        Line2D([], [], color=color, marker=marker or own, lw=line_width, ms=6, label=VERDICTS[key].word)
        for key, (color, own) in VERDICT_MARKS.items()
        if key in verdicts
    ]


def ramp(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for every configuration, from blue (nothing frozen) to vermillion (the most)."""
    # Interpolation between five distinguishable colours keeps neighbours similar and the order visible.
    stops = [mpl.colors.to_rgb(color) for color in (BLUE, SKY, GREEN, ORANGE, VERMILLION)]
    colors = {}
    for index, name in enumerate(names):
        position = index / max(len(names) - 1, 1) * (len(stops) - 1)
        low = min(int(position), len(stops) - 2)
        red, green, blue = (a + (b - a) * (position - low) for a, b in zip(stops[low], stops[low + 1], strict=True))
        colors[name] = mpl.colors.to_hex((red, green, blue))
    return colors


def prefixes(names: Sequence[str]) -> list[str]:
    """Return the configurations that are prefixes, the unfrozen one included, in their order."""
    return [name for name in names if FreezeSpec.parse(name).is_prefix]


def last_frozen(name: str) -> str:
    """Return the last frozen layer of a prefix as a tick label: ``–`` for none, ``e`` for the embeddings."""
    spec = FreezeSpec.parse(name)
    return str(spec.layers[-1]) if spec.layers else "–" if spec.is_none else "e"


def label_points(
    axes: Axes, points: Sequence[tuple[float, float, str]], obstacles: Sequence[tuple[float, float]]
) -> None:
    """Write a label next to each point so that labels cover as little as possible.

    Every label is tried at several offsets from its point. The cheapest one stays: it costs most to leave the frame,
    then to cover another label, then a point or an obstacle, then to be far from its point.

    Args:
        axes: The axes, with their final limits.
        points: x, y and text of every label.
        obstacles: Further positions to keep free.
    """
    # Positions in pixels exist only after drawing.
    axes.figure.canvas.draw()
    spots = axes.transData.transform([*((x, y) for x, y, _ in points), *obstacles])
    frame = axes.get_window_extent()
    taken: list[Bbox] = []

    def cost(label: Text, offset: tuple[int, int]) -> float:
        box = label.get_window_extent()
        outside = box.x0 < frame.x0 or box.x1 > frame.x1 + 2 or box.y1 > frame.y1 + 2 or box.y0 < frame.y0
        unreadable = sum(bool(box.overlaps(other)) for other in taken)
        # Marks around the points have a size of their own.
        around = box.padded(_MARK_PIXELS)
        covered = sum(bool(around.contains(x, y)) for x, y in spots)
        return 1000.0 * bool(outside) + 200 * unreadable + 10 * covered + abs(offset[0]) / 10 + abs(offset[1]) / 5

    for x, y, text in points:
        labels = [(cost(label, offset), label) for label, offset in _candidates(axes, text, (x, y))]
        best = min(labels, key=lambda candidate: candidate[0])[1]
        taken.append(best.get_window_extent())
        for _, label in labels:
            if label is not best:
                label.remove()


def _candidates(axes: Axes, text: str, point: tuple[float, float]) -> Iterator[tuple[Text, tuple[int, int]]]:
    """Write a label at every candidate position around its point, and return it with its offset."""
    for dx, ha in ((7, "left"), (-7, "right"), (0, "center")):
        for dy, va in (
            (0, "center"),
            *((sign * way, va) for way in _WAYS for sign, va in ((1, "bottom"), (-1, "top"))),
        ):
            if dx or dy:
                label = axes.annotate(
                    text, point, (dx, dy), textcoords="offset points", ha=ha, va=va, fontsize=7.5, color=INK
                )
                yield label, (dx, dy)


def between(points: Sequence[tuple[float, float]], num: int = 25) -> list[tuple[float, float]]:
    """Return positions along a line through points, which labels should not cover."""
    positions = []
    for (x, y), (next_x, next_y) in itertools.pairwise(points):
        shares = [step / num for step in range(1, num)]
        positions += [(x + (next_x - x) * share, y + (next_y - y) * share) for share in shares]
    return positions
