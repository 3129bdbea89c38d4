"""Run specs: everything that determines a run, as plain data with a content hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self, get_args

from freezebench.errors import RecordError, SettingsError
from freezebench.specs.data import DataSpec
from freezebench.specs.fields import Fields, brief
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.names import LARGEST_SEED, is_device
from freezebench.specs.typed import typed_fields

if TYPE_CHECKING:
    from freezebench.specs.json_types import Json

# Specs without a strategy are written in schema 1, so that their ids, and the runs in stores, stay what they were.
RUN_SPEC_SCHEMA, SCHEMA_WITHOUT_STRATEGIES = 2, 1

Engine = Literal["standard", "cached", "trainer"]
Precision = Literal["auto", "float32", "bf16"]
PrefixMode = Literal["eval", "train"]
OrderOfBatches = Literal["bucketed", "shuffled"]

# Fields that versions after 0.1 added, with the value that holds without them. They are left out where they have it, so
# that ids, and names of files in stores, stay what they were.
_ADDED_DATA_FIELDS: dict[str, Json] = {
    "bad_rows": "error",
    "task": None,
    "slice_column": None,
    "group_column": None,
    "test_sets": [],
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a run trains; the defaults are those of the notebook from which freezebench started.

    They are not those of the command line, which takes what no option sets from a preset. Unlike ``Protocol()``,
    ``freezebench.preset("embedded").protocol`` has ``engine='cached', num_epochs=2, batch_size=16, dropout=False``, and
    that of ``distilbert-sst2`` has ``engine='cached', num_epochs=3``. A preset's method ``run_spec`` returns a run as
    the command line plans it, with the learning rate of its configuration.

    Attributes:
        engine: ``standard`` (freezebench's loop), ``cached`` (the same, but a frozen prefix is computed once, without
            dropout) or ``trainer`` (the Transformers Trainer).
        precision: ``auto`` (by device), ``float32``, or ``bf16`` (automatic mixed precision).
        num_epochs: Passes over the training sentences.
        batch_size: Sentences per training step.
        learning_rate: AdamW's rate at the first step, from which it decays linearly to 0.
        weight_decay: AdamW's weight decay.
        max_grad_norm: Norm to which gradients are clipped.
        max_length: Longest input in tokens; ``None``: what the model and its tokenizer allow.
        dropout: Whether dropout is on in training (by default also in frozen layers, as in the notebook).
        evaluate_before: Whether the test set is also evaluated before fine-tuning.
        prefix_mode: ``eval`` turns dropout off in frozen embeddings and layers; ``train`` leaves it on, so that their
            output cannot be cached; ``None``: ``eval`` for the engine ``cached``, else ``train``.
        batch_order: ``bucketed`` puts sentences of similar length into a batch, so that little is padding; ``shuffled``
            puts any sentences together; ``None``: ``bucketed`` for the engine ``cached``, else ``shuffled``.

    Raises:
        SettingsError: If a value is of another type or outside its range.
    """

    engine: Engine = "standard"
    precision: Precision = "auto"
    num_epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 5e-5
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    max_length: int | None = None
    dropout: bool = True
    evaluate_before: bool = False
    prefix_mode: PrefixMode | None = None
    batch_order: OrderOfBatches | None = None

    def __post_init__(self) -> None:
        fields = Fields(self)
        fields.choice("engine", get_args(Engine))
        fields.choice("precision", get_args(Precision))
        fields.whole("num_epochs", 1)
        fields.whole("batch_size", 1)
        # AdamW changes a weight by about the learning rate per step, so that with a rate above 1 nothing is learned.
        fields.number("learning_rate", 1.0)
        fields.number("weight_decay", 100.0, allow_zero=True)
        fields.number("max_grad_norm", 1e9)
        fields.whole("max_length", 4, or_none=True)
        fields.truth("dropout")
        fields.truth("evaluate_before")
        fields.choice("prefix_mode", get_args(PrefixMode), or_none=True)
        fields.choice("batch_order", get_args(OrderOfBatches), or_none=True)

    @property
    def frozen_part_runs_in(self) -> PrefixMode:
        """The mode that the frozen part runs in: the requested one, else the engine's default."""
        return self.prefix_mode or ("eval" if self.engine == "cached" else "train")

    @property
    def order_of_batches(self) -> OrderOfBatches:
        """The order of training batches: the requested one, else the engine's default."""
        return self.batch_order or ("bucketed" if self.engine == "cached" else "shuffled")


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One training run: a model and data set, a protocol, a freeze spec and a seed.

    Attributes:
        model: ``embedded``, a folder, a Hub name, or ``module:factory``.
        data: The data set.
        freeze: Id of the freeze spec, which becomes canonical.
        seed: Seed of the head's initial weights, the order of sentences, and dropout.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        protocol: How to train.
        model_revision: Hub revision (commit, tag or branch); ``None``: the default one.

    Raises:
        SettingsError: If a value is of another type or outside its range.
        SpecError: If ``freeze`` is no freeze spec.
    """

    model: str
    data: DataSpec
    freeze: str = "none"
    seed: int = 42
    device: str = "auto"
    protocol: Protocol = field(default_factory=Protocol)
    # Part of the hash although no option sets it: the public function ``run`` takes it.
    model_revision: str | None = None

    def __post_init__(self) -> None:
        fields = Fields(self)
        fields.text("model", "embedded")
        data, protocol, freeze = _untyped(self, "data"), _untyped(self, "protocol"), _untyped(self, "freeze")
        if not isinstance(data, DataSpec):
            source = data if isinstance(data, str) else "./my-reviews"
            raise SettingsError(
                f"RunSpec(data={brief(data)}): give a DataSpec, such as data=DataSpec(source={source!r})."
            )
        if not isinstance(protocol, Protocol):
            raise SettingsError(
                f"RunSpec(protocol={brief(protocol)}): give a Protocol, such as protocol=Protocol(num_epochs=3)."
            )
        if isinstance(freeze, FreezeSpec):
            raise SettingsError(f"RunSpec(freeze=…): give the id of the freeze spec, here freeze={str(freeze)!r}.")
        fields.text("freeze", "emb+L0-3")
        fields.whole("seed", 0, LARGEST_SEED)
        if not is_device(self.device):
            raise SettingsError(
                f"RunSpec(device={brief(self.device)}): choose from 'auto', 'cpu', 'cuda', 'cuda:0', 'cuda:1', …"
            )
        fields.text("model_revision", "main", or_none=True)
        # Equal runs must have equal hashes, however their freeze spec was written.
        object.__setattr__(self, "freeze", str(FreezeSpec.parse(self.freeze)))

    @property
    def freeze_spec(self) -> FreezeSpec:
        """The parsed freeze spec."""
        return FreezeSpec.parse(self.freeze)

    @property
    def engine(self) -> Engine:
        """The engine that trains this run: the protocol's, or the first one that can train its strategies."""
        engines: tuple[Engine, ...] = (self.protocol.engine, "cached", "standard", "trainer")
        able = self.freeze_spec.engines
        return next((engine for engine in engines if engine in able), self.protocol.engine)

    @cached_property
    def run_id(self) -> str:
        """Hash of the whole spec: 16 hexadecimal digits of SHA-256 over its canonical JSON."""
        return _hash(self.to_json())

    @cached_property
    def experiment_id(self) -> str:
        """Hash of what all runs of a comparison share: everything but freeze spec, seed and learning rate."""
        # The learning rate may differ between configurations of one comparison: fewer trainable layers need a higher
        # one.
        values = self.to_json()
        return _hash(
            {
                **values,
                "schema": SCHEMA_WITHOUT_STRATEGIES,
                "freeze": "none",
                "seed": 0,
                "protocol": {**asdict(self.protocol), "learning_rate": 0.0},
            }
        )

    def to_json(self) -> dict[str, Json]:
        """Return this spec in JSON types, with its schema version."""
        values = json.loads(json.dumps(asdict(self)))
        for name, usual in _ADDED_DATA_FIELDS.items():
            if values["data"][name] == usual:
                del values["data"][name]
        return {"schema": RUN_SPEC_SCHEMA if self.freeze_spec.strategies else SCHEMA_WITHOUT_STRATEGIES, **values}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Return the spec from its JSON form.

        Args:
            data: The object of the spec, as ``json.loads`` returns it.

        Raises:
            RecordError: If the schema is unknown, or fields are missing, unknown or unreadable.
        """
        if not isinstance(data, dict):
            raise RecordError(f"not a run spec: {type(data).__name__} instead of an object")
        fields = dict(data)
        schema = fields.pop("schema", None)
        if schema not in (RUN_SPEC_SCHEMA, SCHEMA_WITHOUT_STRATEGIES):
            raise RecordError(
                f"a run spec has schema {brief(schema)}, and this version of freezebench reads "
                f"{SCHEMA_WITHOUT_STRATEGIES} and {RUN_SPEC_SCHEMA}"
            )
        return typed_fields(cls, fields)


def _untyped(owner: object, name: str) -> object:
    """Return a field whose type is not known to be the declared one."""
    value: object = getattr(owner, name)
    return value


def _hash(values: dict[str, Json]) -> str:
    """Return 16 hexadecimal digits of SHA-256 over the canonical JSON of some values."""
    # Sorted keys and fixed separators give one text per value, whatever the Python version.
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
