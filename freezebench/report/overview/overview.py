"""The overview of several experiments, which terminal, Markdown, page and files render."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.records.files import plain
from freezebench.report.overview.front import front
from freezebench.report.overview.matrix import matrix
from freezebench.report.overview.rows import overview_rows
from freezebench.report.overview.sentence import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.report.experiment import Experiment
    from freezebench.report.overview.front import Front
    from freezebench.report.overview.matrix import Matrix
    from freezebench.report.overview.rows import OverviewRow
    from freezebench.specs.json_types import Json


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Several experiments at a glance.

    Attributes:
        sentence: At how many of them which share of the layers is safe to freeze.
        rows: One for each experiment.
        matrix: Their answers by model and data; ``None`` for a single model or a single data set.
        front: The joint Pareto front; ``None`` if no configuration has two valid seeds.
    """

    sentence: str
    rows: tuple[OverviewRow, ...]
    matrix: Matrix | None
    front: Front | None

    @property
    def title(self) -> str:
        """Its heading."""
        return f"{len(self.rows)} experiments"

    @property
    def device_sentence(self) -> str | None:
        """The device model that all costs are of; ``None`` if there are several, which a column shows."""
        devices = {row.device for row in self.rows if row.device is not None}
        return f"Costs are those of one device model: {devices.pop()}." if len(devices) == 1 else None

    @property
    def matrix_title(self) -> str:
        """What the matrix shows."""
        return "Deepest safe prefix, and the share of the layers that it freezes"

    @property
    def front_title(self) -> str:
        """What the front shows, and why times are left out where they are."""
        if self.front is None:
            return ""
        claim = "No other configuration has both a lower upper bound of the drop and"
        if self.front.why_no_times is None:
            return f"{claim} a shorter train time, as a share of that without freezing."
        return f"{claim} a smaller share of parameters that train. Times are not ranked: {self.front.why_no_times}."

    def to_json(self) -> dict[str, Json]:
        """Return sentence, rows and front in JSON types."""
        best = [] if self.front is None else self.front.best
        return {
            "sentence": self.sentence,
            "experiments": [plain(row.figures()) for row in self.rows],
            "front": None
            if self.front is None
            else {
                "cost": self.front.cost_name,
                "why_no_times": self.front.why_no_times,
                "configurations": [
                    {
                        "experiment": point.row.number,
                        "freeze": point.configuration.freeze,
                        "cost": point.cost,
                        "upper_pp": point.upper_pp,
                    }
                    for point in best
                ],
            },
        }


def overview(experiments: Sequence[Experiment]) -> Overview | None:
    """Return the overview of several experiments; ``None`` for fewer than two, whose tables show everything."""
    if len(experiments) < 2:  # noqa: PLR2004 - several
        return None
    rows = overview_rows(experiments)
    return Overview(sentence=sentence(rows), rows=tuple(rows), matrix=matrix(rows), front=front(rows))
