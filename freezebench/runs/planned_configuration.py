"""What is known of a test's runs before they are trained, in the form in which finished ones are saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezebench.records.saved import PROTOCOL_FIELDS, SPLITS, SavedConfiguration
from freezebench.scoring.metrics import metric_of

if TYPE_CHECKING:
    from freezebench.runs.data_cache import DataCache
    from freezebench.runs.environment import Machine
    from freezebench.specs.run import RunSpec


def planned_configuration(
    spec: RunSpec, node_id: str, data_cache: DataCache, *, machine: Machine, metric: str | None = None
) -> SavedConfiguration:
    """Return the configuration of a test, without runs.

    Args:
        spec: Any of its runs.
        node_id: The test.
        data_cache: The session's data, read now if they have not been.
        machine: Where it is going to train.
        metric: Name of the metric that will judge it; ``None``: the usual one of its task.

    Raises:
        FreezebenchError: If model or data cannot be read.
    """
    data, files = data_cache.data(spec), data_cache.file_hashes(spec)
    facts = data.facts
    return SavedConfiguration(
        freeze=spec.freeze,
        node_id=node_id,
        model=spec.model,
        model_sha256=None if files is None else files.weights_sha256,
        data=spec.data.source,
        data_sha256={split: getattr(data, split).sha256 for split in SPLITS},
        protocol={name: getattr(spec.protocol, name) for name in PROTOCOL_FIELDS},
        experiment_id=spec.experiment_id,
        device=machine.device,
        device_name=machine.device_name,
        precision=machine.precision,
        metric=metric_of(metric, facts.task, facts.label_names),
        task=facts.task,
        test_sets={item.name: item.test_sha256 for item in facts.test_sets},
    )
