"""A histogram as SVG inside the page, in the page's colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.page.markup import Html, element, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT, _FLOOR = 520, 150, 26
_MAX_BARS = 40


def histogram(counts: Sequence[int], title: str) -> Html:
    """Return a histogram, with its quantiles in words.

    Args:
        counts: Number of items of size 0, 1, 2, …; the last entry counts all larger ones, too.
        title: Name of the size.
    """
    total = sum(counts)
    if not total:
        return element("p", f"{title}: there are none.")
    # Sizes per bar, rounded up.
    width = -(-len(counts) // _MAX_BARS)
    bins = [sum(counts[start : start + width]) for start in range(0, len(counts), width)]
    step, tallest = _WIDTH / len(bins), max(bins)
    shapes = []
    for index, count in enumerate(bins):
        height = (_HEIGHT - _FLOOR - 4) * count / tallest
        sizes = f"{index * width}" if width == 1 else f"{index * width} to {index * width + width - 1}"
        shapes.append(
            element(
                "rect",
                element("title", f"{sizes}: {count:,}"),
                x=f"{index * step + 0.5:.1f}",
                y=f"{_HEIGHT - _FLOOR - height:.1f}",
                width=f"{max(step - 1, 0.5):.1f}",
                height=f"{height:.1f}",
                fill="currentColor",
            )
        )
    last = len(counts) - 1
    for size, anchor in ((0, "start"), (last // 2, "middle"), (last, "end")):
        mark = element(
            "text", str(size), x=f"{_WIDTH * size / max(last, 1):.0f}", y=f"{_HEIGHT - 8}", text_anchor=anchor,
            font_size="13", fill="GrayText",
        )  # fmt: skip
        shapes.append(mark)
    words = (
        f"{title}: median {_quantile(counts, 0.5)}, 95 % have at most {_quantile(counts, 0.95)}, the longest {last}."
    )
    drawing = element(
        "svg", joined(shapes), viewBox=f"0 0 {_WIDTH} {_HEIGHT}", class_="bars", role="img", aria_label=words
    )
    return joined([drawing, element("p", words[0].upper() + words[1:], class_="more")])


def _quantile(counts: Sequence[int], share: float) -> int:
    """Return the smallest size that at least this share of the items does not exceed."""
    needed, cumulated = share * sum(counts), 0
    for size, count in enumerate(counts):
        cumulated += count
        if cumulated >= needed:
            return size
    return len(counts) - 1
