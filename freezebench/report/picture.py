"""Pictures as bytes, independent of the library that draws them."""

from __future__ import annotations

import base64
from dataclasses import dataclass

# Ink, muted ink, grid, paper, ground of the safe range, blue, and green of text differ between light and dark; other
# colours do not.
LIGHT = ("#1f2329", "#5b6570", "#d9dee3", "#ffffff", "#e3f4ee", "#0072b2", "#00664b")
DARK = ("#e7ebef", "#a3adb8", "#39424c", "#171b20", "#16352c", "#3f93d6", "#3ecfa4")


# Every picture that ``freezebench.report.plots`` draws. They are listed here, where no drawing library is needed, so
# that those of an earlier report can be told from other files in its folder.
PICTURE_NAMES = (
    "drop",
    "tradeoff_time",
    "tradeoff_memory",
    "tradeoff_energy",
    "parameters",
    "metrics",
    "loss",
    "power_over_time",
    "memory_over_time",
    "published",
    "together_front",
    "together_drop",
    "together_speedup",
)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture.

    Attributes:
        name: Stem of its files.
        title: Heading.
        caption: How to read the picture.
        alt: Its content in words, for people who cannot see it.
        svg: The drawing on white.
        png: The same as pixels, 300 per inch.
    """

    name: str
    title: str
    caption: str
    alt: str
    svg: str
    png: bytes

    def data_uri(self, *, dark: bool = False) -> str:
        """Return the drawing as the address of an image; browsers never run scripts inside an image."""
        svg = self.svg
        for light, other in zip(LIGHT, DARK, strict=True):
            svg = svg.replace(light, other) if dark else svg
        return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A picture that cannot be drawn.

    Attributes:
        name: Stem that its files would have.
        title: Heading.
        reason: Why it cannot be drawn, and what to do.
    """

    name: str
    title: str
    reason: str
