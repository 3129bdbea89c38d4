"""What a metric is: a figure of all examples, and what each of them contributes to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from freezebench.scoring.examples import Examples
    from freezebench.specs.names import TaskName

    Values = NDArray[np.float64]

# Points are hundredths of a metric between 0 and 1, or -1 and 1. Other metrics have a unit of their own, in which
# margins and limits are stated: nats, or that of the labels.
Unit = Literal["points", "nats", "label units"]
Uses = Literal["predictions", "scores"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """A metric of a task.

    Attributes:
        name: As ``--freeze-metric`` takes it.
        label: As sentences and tables call it.
        tasks: The tasks that have it.
        unit: Unit of margins, limits and drops.
        uses: Whether it is computed from predictions or from scores.
        value: Returns the metric of all examples.
        leave_one_out: Returns, in closed form, its values without one example each, shape (examples,); ``None``: groups
            of examples are left out instead, and the metric is computed again.
        contributions: Of a mean over examples, the number of each, shape (examples,).
        too_few_labels: Returns why the examples are too few for an interval of this metric by their labels alone, and
            so before anything is trained, as a clause such as ``9 examples of class b``; ``None`` if they are not.
        too_few_outputs: Returns the same where it depends on what models returned for them, by the examples of several
            runs and the value of each.
        higher_is_better: Whether a higher value is better.
        is_share: Whether it lies between 0 and 1, and its variance between samples shrinks towards both.
        source: Where its definition is from.
        num_classes: Number of classes that it is defined for; ``None``: any.
    """

    name: str
    label: str
    tasks: tuple[TaskName, ...]
    value: Callable[[Examples], float]
    leave_one_out: Callable[[Examples], Values] | None = None
    contributions: Callable[[Examples], Values] | None = None
    too_few_labels: Callable[[Examples], str | None] = lambda _: None
    too_few_outputs: Callable[[Sequence[Examples], Iterable[float]], str | None] = lambda *_: None
    unit: Unit = "points"
    uses: Uses = "predictions"
    higher_is_better: bool = True
    is_share: bool = False
    source: str = ""
    num_classes: int | None = None

    def too_few(self, runs: Sequence[Examples], values: Iterable[float] | None = None) -> str | None:
        """Return why evaluated examples are too few for an interval, as a clause; ``None`` if they are not.

        Args:
            runs: The same examples, each time with what a run returned for them; of a comparison those of both arms.
            values: The metric of every run, which is not looked at where the labels decide; ``None``: it is computed.
        """
        values = map(self.value, runs) if values is None else values
        return self.too_few_labels(runs[0]) or self.too_few_outputs(runs, values)

    @property
    def scale(self) -> float:
        """What a difference of two values is multiplied by to be in the metric's unit: 100 for points."""
        return 100.0 if self.unit == "points" else 1.0

    @property
    def drop_unit(self) -> str:
        """What margins, limits and drops count, as sentences name it: ``points``, ``points of macro F1``, ``nats``."""
        if self.unit != "points":
            return "nats" if self.unit == "nats" else "units of the label"
        return "points" if self.name == "accuracy" else f"points of {self.label}"

    @property
    def is_mean(self) -> bool:
        """Whether the metric is a mean over examples, so that no jackknife is needed."""
        return self.contributions is not None
