"""Bars: a histogram drawn in the page itself, in the page's own colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.report.page.markup import Html, element, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT, _FLOOR = 520, 150, 26
_MAX_BARS = 40


def histogram(counts: Sequence[int], title: str) -> Html:
    """Return a histogram with its median in words.

    Args:
        counts: How many things have the size 0, 1, 2, …; the last entry stands for its size and everything above.
        title: What has which size.
    """
    total = sum(counts)
    if not total:
        return element("p", f"{title}: there are none.")
    width = -(-len(counts) // _MAX_BARS)
    bins = [sum(counts[start : start + width]) for start in range(0, len(counts), width)]
    step, tallest = _WIDTH / len(bins), max(bins)
    shapes = []
    for place, count in enumerate(bins):
        height = (_HEIGHT - _FLOOR - 4) * count / tallest
        sizes = f"{place * width}" if width == 1 else f"{place * width} to {place * width + width - 1}"
        shapes.append(
            element(
                "rect",
                element("title", f"{sizes}: {count:,}"),
                x=f"{place * step + 0.5:.1f}",
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
    """Return the smallest size that at least this share does not exceed."""
    needed, seen = share * sum(counts), 0
    for size, count in enumerate(counts):
        seen += count
        if seen >= needed:
            return size
    return len(counts) - 1
