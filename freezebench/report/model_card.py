"""The model card of a saved model: a README.md with the header that the Hugging Face Hub reads, and the figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.escaping import markdown_code, markdown_text, visible, yaml_text
from freezebench.report.adapter_usage import adapter_usage
from freezebench.report.card_metrics import hub_metrics, metric_definition, metric_figures
from freezebench.report.data_text import outputs_word, size_text, values_text
from freezebench.report.markdown import markdown_table
from freezebench.report.metric_text import value_of, value_text, with_article
from freezebench.report.rows import table_metric
from freezebench.report.strategy_text import frozen_text, strategies_text
from freezebench.report.task_usage import USAGE
from freezebench.units import percent_text

if TYPE_CHECKING:
    from freezebench.records.data_facts import DataFacts
    from freezebench.records.run_record import Evaluation, RunRecord
    from freezebench.report.card_metrics import Figures
    from freezebench.report.rows import Row
    from freezebench.report.saved_model import SavedModel
    from freezebench.specs.freeze import FreezeSpec
    from freezebench.specs.run import RunSpec

_VERSIONS = ("freezebench", "torch", "transformers", "tokenizers", "python")


def model_card(saved: SavedModel) -> str:
    """Return the content of the model card; it has names of data and classes, but no sentence of the data.

    Figures of the saved model itself are those of the run that was saved; all others are over the seeds of the
    experiment.
    """
    record, spec = saved.record, saved.record.spec
    test, data = record.test, record.data
    if test is None or data is None:
        raise TypeError("only a completed run has a model card")
    model, source = markdown_text(saved.model_name), _public_name(spec.data.source)
    parts = [
        _header(saved, test, source),
        f"# {model}, {_title(spec.freeze_spec)}, fine-tuned on {markdown_text(source)}",
        _introduction(saved, model),
        "## Figures",
        markdown_table(("", "value"), _figures(saved, test, data)),
        _reproduction(saved),
        "## How to use it",
        adapter_usage(saved) if saved.is_adapters else _usage(saved),
        "## Training",
        markdown_table(("", "value"), [*_data_facts(saved, data, source), *_protocol(saved)]),
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(saved.row, saved.record, data)),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction(saved: SavedModel, model: str) -> str:
    record, spec = saved.record, saved.record.spec
    what = "These are the adapters and the head" if saved.is_adapters else "This is the model"
    return (
        f"freezebench compared how much of {model} can be frozen in fine-tuning. It recommended `{spec.freeze}`: "
        f"{_trained_words(spec.freeze_spec)}. {what} "
        f"of seed {spec.seed}, with the weights of epoch {record.best_epoch} of {len(record.epochs)}, the one with the "
        "lowest validation loss."
    )


def _header(saved: SavedModel, test: Evaluation, source: str) -> str:
    """Return the header, from which the Hub makes its filters and its table of results."""
    record = saved.record
    # JSON is YAML: lists and objects on one line.
    library, relation = ("peft", "adapter") if saved.is_adapters else ("transformers", "finetune")
    usage, metrics = USAGE[saved.row.task], hub_metrics(saved, test)
    entries: dict[str, object] = {"library_name": library, "pipeline_tag": usage.pipeline}
    if saved.base_model is not None:
        entries |= {"base_model": saved.base_model, "base_model_relation": relation}
    entries["tags"] = ["freezebench", "layer-freezing", usage.pipeline]
    entries["metrics"] = list(dict.fromkeys(metric["type"] for metric in metrics))
    result = {
        "task": {"type": usage.pipeline, "name": usage.title},
        "dataset": {"type": source, "name": source, "split": "test"},
        "metrics": metrics,
    }
    entries["model-index"] = [{"name": f"{saved.model_name} {record.spec.freeze}", "results": [result]}]
    lines = [f"{key}: {yaml_text(value)}" for key, value in entries.items()]
    return "\n".join(["---", *lines, "---"])


def _figures(saved: SavedModel, test: Evaluation, data: DataFacts) -> Figures:
    """Return what was measured: of this model, of its configuration over the seeds, and of the comparison."""
    return [
        *metric_figures(saved, test, data),
        ("training speed against no freezing", _speedup(saved.row)),
        ("trained parameters", _trained_parameters(saved)),
    ]


def _trained_parameters(saved: SavedModel) -> str:
    """Return number and share of the trained parameters; the share counts from those that train without freezing."""
    unfrozen, num_params = saved.baseline.num_trainable_params or 0, saved.record.num_params or 0
    share = percent_text(saved.row.trainable_fraction)
    fixed = "" if unfrozen == num_params else f"; the pretrained model has {num_params - unfrozen:,} more fixed"
    return f"{saved.record.num_trainable_params:,} of {unfrozen:,} ({share}){fixed}"


def _speedup(row: Row) -> str:
    if row.speedup is None:
        return f"not measured: {row.speedup_reason or 'no time was recorded'}"
    if row.speedup_lower is None or row.speedup_upper is None:
        return f"{row.speedup:.2f}×, without an interval: one pair of runs"
    interval = f"{row.speedup:.2f}×, 90 % interval {row.speedup_lower:.2f} to {row.speedup_upper:.2f}"
    return interval if row.speedup_outcome != "unclear" else f"{interval}; not shown to differ from 1"


def _reproduction(saved: SavedModel) -> str:
    """Return what the figures of this model rest on."""
    if saved.is_reproduced:
        return (
            "The run of this seed was trained once more to save its model. Its predictions for the test sentences are "
            "those of the run in the comparison, without exception."
        )
    metric = table_metric([saved.row])
    was = value_text(value_of(saved.recorded, metric), metric)
    return (
        f"**This is not exactly the model of the comparison.** The run of this seed was trained once more to save its "
        f"model, and {_num_changed(saved)} of its predictions for the test sentences differ: another device or a "
        f"nondeterministic one. The figures of this model are its own; the run in the comparison had "
        f"{with_article(metric)} of {was}."
    )


def _num_changed(saved: SavedModel) -> str:
    """Return how many predictions differ; of numbers it is not counted, since any rounding makes them differ."""
    before, now = saved.recorded.test, saved.record.test
    if before is None or now is None or not before.predictions:
        return "some"
    pairs = zip(before.predictions, now.predictions, strict=True)
    return f"{sum(one != other for one, other in pairs):,}"


def _usage(saved: SavedModel) -> str:
    """Return how to load the model, and how to freeze the same layers in another fine-tuning."""
    spec, usage = saved.record.spec, USAGE[saved.row.task]
    loader = saved.class_name or usage.auto_class
    note, names = "", [usage.auto_class, "AutoTokenizer"]
    code = "\n".join(usage.code)
    if saved.class_name is not None:
        factory = markdown_code(spec.model)
        note = f"{markdown_code(loader)} is the class of the model that {factory} makes; import it from there.\n\n"
        names = ["AutoTokenizer"]
    return f"""{note}```python
from transformers import {", ".join(names)}

folder = "."  # the folder of this file
tokenizer = AutoTokenizer.from_pretrained(folder)
model = {visible(loader)}.from_pretrained(folder)
{usage.batch_code(spec.data.text_columns)}
{code}
```

To fine-tune it, or another model of this architecture, with the same part frozen:

```python
import freezebench

freezebench.freeze(model, "{spec.freeze}")
```"""


def _data_facts(saved: SavedModel, data: DataFacts, source: str) -> Figures:
    group_column = saved.record.spec.data.group_column
    classes = ", ".join(f"{number} = {name}" for number, name in enumerate(data.label_names))
    outputs = (outputs_word(data.task), classes)
    if data.task == "regression":
        outputs = (f"numbers of the test split ({', '.join(data.label_names)})", values_text(data.test_values or ()))
    num_test = size_text(data, group_column, "test")
    hashes = f"{data.train_sha256[:12]}, {data.validation_sha256[:12]}, {data.test_sha256[:12]}"
    return [
        ("data set", source),
        ("sentences", f"{data.num_train:,} training, {data.num_validation:,} validation, {num_test}"),
        ("SHA-256 of the splits", hashes),
        *((f"test set {item.name}", size_text(item, group_column, "sentences")) for item in data.test_sets),
        outputs,
        *metric_definition(saved, data),
        *(("note on the data", note) for note in data.notes),
    ]


def _protocol(saved: SavedModel) -> Figures:
    """Return how the model was trained, and by what."""
    record, spec, protocol = saved.record, saved.record.spec, saved.record.spec.protocol
    length = "what model and tokenizer allow" if protocol.max_length is None else f"{protocol.max_length} tokens"
    versions = [f"{name} {record.environment[name]}" for name in _VERSIONS if name in record.environment]
    source = record.environment.get("source_sha256")
    return [
        ("pretrained model", " at ".join(filter(None, [saved.model_name, spec.model_revision]))),
        ("SHA-256 of its weights", record.model_sha256 or "unknown"),
        ("freeze spec", spec.freeze),
        ("seed", str(spec.seed)),
        ("epochs, batch size", f"{protocol.num_epochs}, {protocol.batch_size}"),
        ("optimizer", f"AdamW, learning rate {protocol.learning_rate:g} with linear decay to 0"),
        ("weight decay, gradient norm", f"{protocol.weight_decay:g}, clipped to {protocol.max_grad_norm:g}"),
        ("longest input", length),
        ("dropout", _dropout(spec)),
        ("engine, precision", f"{spec.engine}, {record.precision}"),
        ("device", f"{record.device_name} ({record.device})"),
        ("versions", ", ".join([*versions, *([f"source {source[:12]}"] if source else [])])),
        ("trained at", record.started_at),
    ]


def _dropout(spec: RunSpec) -> str:
    if not spec.protocol.dropout:
        return "off"
    return "on" if spec.protocol.frozen_part_runs_in == "train" else "on, but off in the frozen part"


def _limits(row: Row, record: RunRecord, data: DataFacts) -> list[str]:
    """Return what the figures do not say."""
    figures = (
        f"The figures are of {data.num_test:,} test sentences of this data set. They do not hold for other texts; "
        "evaluate the model on your own."
    )
    verdict = (
        f"The verdict is about {row.freeze} over {row.num_seeds} seeds, not about this model alone: models of other "
        "seeds differ."
    )
    bf16 = (
        "The run computed in bf16, with weights in float32. Loaded in float32, the model may decide otherwise where "
        "two classes are close."
    )
    device = markdown_text(row.device_name or "the device above")
    speed = f"The training speed is that of {device}, and of this batch size and length of sentences."
    return [
        figures,
        verdict,
        *([bf16] if record.precision == "bf16" and data.task != "regression" else []),
        speed,
        "What the pretrained model and the data set get wrong, this model may get wrong as well.",
        "The licences of the pretrained model and of the data set apply.",
    ]


def _title(freeze: FreezeSpec) -> str:
    """Return the configuration as a part of a title."""
    return f"trained with {freeze}" if freeze.strategies else f"{freeze} frozen"


def _trained_words(freeze: FreezeSpec) -> str:
    """Return what was frozen and what was trained, in words."""
    kept = f"{frozen_text(freeze)} kept the pretrained weights" if frozen_text(freeze) else ""
    if not freeze.strategies:
        return f"{kept}, and the rest was trained"
    return "; ".join(filter(None, [kept, f"it {strategies_text(freeze)}"]))


def _public_name(source: str) -> str:
    """Return the name of a data set without the folders above it, which are nobody else's business."""
    is_path = source.startswith((".", "~", "/")) or source.count("/") > 1 or Path(source).exists()
    return Path(source).expanduser().resolve().name if is_path else source
