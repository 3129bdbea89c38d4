"""The cached engine: the same training as the standard one, with frozen prefixes computed once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from freezebench.models.layers import find_layers
from freezebench.runs import experiment
from freezebench.runs.data_cache import DataCache
from freezebench.runs.experiment import run
from freezebench.specs.freeze import FreezeSpec
from freezebench.specs.run import DataSpec, Protocol, RunSpec
from freezebench.strategies.freeze import freeze
from freezebench.training.batches.encoding import Encoded, encode
from freezebench.training.batches.loader import nearest_to_mean
from freezebench.training.batches.order import BucketedBatches
from freezebench.training.batches.packed import PackedSplit
from freezebench.training.cpu import embedding_rows as rows_module
from freezebench.training.engines import cached as assembly
from freezebench.training.engines import loop
from freezebench.training.engines.cached import make_feed
from freezebench.training.engines.job import Job
from freezebench.training.engines.log import TrainingResult
from freezebench.training.prefix import feed, verify
from freezebench.training.prefix.cache import PrefixCache
from freezebench.training.prefix.cls_only import ClsOnlyLayer
from freezebench.training.prefix.feed import Feed
from standard_order import in_standards_order
from tiny import packed_splits, sentences, write_tokenizer

PROTOCOL = Protocol(engine="cached", num_epochs=2, batch_size=8, learning_rate=1e-2, precision="float32", dropout=False)
# Recorded on an AMD EPYC, torch 2.13.0, one thread.
TRACE = [
    0.69355214,
    0.6959374,
    0.69237399,
    0.69315374,
    0.69315964,
    0.6926831,
    0.69195187,
    0.69533312,
    0.69306111,
    0.69316226,
    0.69417089,
    0.69316405,
]
SPECS = ["none", "emb", "emb+L0", "emb+L0-1"]


def _spec(model: Path, data: Path, **changes: Any) -> RunSpec:
    return RunSpec(model=str(model), data=DataSpec(source=str(data)), device="cpu", protocol=PROTOCOL, **changes)


def _tiny(architecture: str, folder: Path) -> Path:
    """Write a two-layer checkpoint of some architecture with the made-up words' tokenizer."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    size: dict[str, Any] = {"vocab_size": 64, "num_labels": 2, "pad_token_id": 0}
    common = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    extra: dict[str, dict[str, Any]] = {
        "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
        "deberta-v2": {
            **common,
            "relative_attention": True,
            "pos_att_type": ["c2p", "p2c"],
            "max_relative_positions": 8,
        },
        "modernbert": {**common, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
        "roberta": {**common, "max_position_embeddings": 80},
        "longformer": {**common, "attention_window": 4},
        "xlnet": {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24},
    }
    torch.manual_seed(1)
    config = AutoConfig.for_model(architecture, **size, **extra.get(architecture, common))
    make: Any = AutoModelForSequenceClassification.from_config
    model = make(config, attn_implementation="eager")
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder


@pytest.mark.parametrize(
    "architecture", ["distilbert", "bert", "roberta", "electra", "deberta-v2", "mpnet", "modernbert", "roformer"]
)
def test_cached_training_is_standard_training(
    architecture: str, tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout off, same batches: the losses of both engines agree, whatever the model's layers look like."""
    model = _tiny(architecture, tmp_path / "model")
    shuffled = in_standards_order(monkeypatch)
    for freeze_text in SPECS:
        cached = run(_spec(model, tiny_data, freeze=freeze_text))
        spec = replace(cached.spec, protocol=replace(PROTOCOL, engine="standard"))
        standard = run(spec)
        assert not cached.warnings
        assert cached.is_valid, cached.reason
        assert ("prefix_s" in cached.readings) is (freeze_text != "none")
        assert cached.step_losses == pytest.approx(standard.step_losses, rel=1e-4)
        assert cached.test
        assert standard.test
        assert cached.test.loss == pytest.approx(standard.test.loss, rel=1e-4)
    assert shuffled


_OTHER_OUTPUT = "its layers do not return hidden states of shape (batch, tokens, width)"


@pytest.mark.parametrize(
    ("architecture", "why"),
    [
        ("fnet", "the scores of a sentence change with how far it is padded"),  # Fourier's transform, over padding, too
        ("longformer", _OTHER_OUTPUT),  # as many tokens as its windows need
        ("xlnet", _OTHER_OUTPUT),  # (tokens, batch, width)
    ],
)
def test_what_cannot_be_cached_trains_whole_and_says_why(
    architecture: str, why: str, tmp_path: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The losses are those of the standard engine."""
    model = _tiny(architecture, tmp_path / "model")
    in_standards_order(monkeypatch)
    cached = run(_spec(model, tiny_data, freeze="emb+L0"))
    standard = run(replace(cached.spec, protocol=replace(PROTOCOL, engine="standard")))
    assert cached.warnings == (f"nothing is cached: {why}",)
    assert cached.step_losses
    assert cached.step_losses == pytest.approx(standard.step_losses, rel=1e-4)


def test_one_pass_serves_every_configuration_and_seed(tiny_model: Path, tiny_data: Path) -> None:
    """The frozen layers see the data once; the run that computed the prefix is charged, the others say shared."""
    data_cache = DataCache()
    data_cache.expect(SPECS)
    records = [
        run(_spec(tiny_model, tiny_data, freeze=freeze_text, seed=seed), data_cache=data_cache)
        for freeze_text in SPECS
        for seed in (42, 43)
    ]
    assert (data_cache.prefixes.num_passes, data_cache.prefixes.num_uses) == (1, 6)
    charged = [record.value("prefix_s") for record in records if "prefix_s" in record.readings]
    assert charged[0]
    assert charged[1:] == [None] * 5
    assert "shared" in str(records[-1].readings["prefix_s"].reason)
    assert all(record.is_valid for record in records)


def test_depths_that_were_not_expected_cost_a_pass_each(tiny_model: Path, tiny_data: Path) -> None:
    """Without a plan only what is asked for is kept."""
    data_cache = DataCache()
    for freeze_text in ("emb", "emb+L0", "emb"):
        run(_spec(tiny_model, tiny_data, freeze=freeze_text), data_cache=data_cache)
    assert (data_cache.prefixes.num_passes, data_cache.prefixes.num_uses) == (2, 3)


def test_spilling_to_disk_changes_nothing(tiny_model: Path, tiny_data: Path) -> None:
    """A limit of no bytes at all gives the same losses and predictions, in float32 and in bf16."""
    for precision in ("float32", "bf16"):
        protocol = replace(PROTOCOL, precision=precision)
        spec = replace(_spec(tiny_model, tiny_data, freeze="emb+L0"), protocol=protocol)
        kept, spilled = run(spec), run(spec, data_cache=DataCache(cache_bytes=0))
        assert kept.step_losses == spilled.step_losses
        assert kept.test == spilled.test
        assert kept.readings["prefix_bytes"].source == "memory"
        assert spilled.readings["prefix_bytes"].source == "memory-mapped file"


def _refusing(code: int) -> Callable[..., None]:
    """Return what fails with an error code of the operating system whenever room on a disk is asked for."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse


def test_a_full_disk_ends_no_run(tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frozen layers run in every step, by the same rules, and a warning says why; a write would end the process."""
    spec = _spec(tiny_model, tiny_data, freeze="emb+L0")
    expected = run(spec)
    monkeypatch.setattr(os, "posix_fallocate", _refusing(errno.ENOSPC))
    data_cache = DataCache(cache_bytes=0)
    record = run(spec, data_cache=data_cache)
    assert data_cache.prefixes.num_passes == 0
    (warning,) = (one for one in record.warnings if "nothing is cached" in one)
    assert "for emb+L0: " in warning
    assert "No space left on device" in warning
    assert "set TMPDIR to another folder, or raise --freeze-cache-memory" in warning
    assert record.step_losses == pytest.approx(expected.step_losses, abs=1e-4)


def test_what_has_room_is_cached(tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All depths together may find none where the head's vectors do; what a failed pass took is free again."""
    data_cache = DataCache()
    run(_spec(tiny_model, tiny_data, freeze="emb"), data_cache=data_cache)
    (tokenized,) = data_cache._tokenized.values()
    monkeypatch.setattr(os, "posix_fallocate", _refusing(errno.ENOSPC))
    data_cache = DataCache(cache_bytes=len(tokenized.packed["train"].fields["input_ids"]) * 16 * 4)
    data_cache.expect(["emb", "emb+L0-1"])
    head, emb = (
        run(_spec(tiny_model, tiny_data, freeze=freeze), data_cache=data_cache) for freeze in ("emb+L0-1", "emb")
    )
    assert head.readings["prefix_bytes"].source == "memory"
    assert not head.warnings
    assert any("nothing is cached for emb: " in one for one in emb.warnings)
    assert (data_cache.prefixes.num_passes, data_cache.prefixes.num_uses) == (1, 2)


def test_file_systems_without_reservations_are_used(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They cannot be asked whether there is room."""
    monkeypatch.setattr(os, "posix_fallocate", _refusing(errno.EOPNOTSUPP))
    record = run(_spec(tiny_model, tiny_data, freeze="emb+L0"), data_cache=DataCache(cache_bytes=0))
    assert record.readings["prefix_bytes"].source == "memory-mapped file"


def _loaded(folder: Path, freeze_text: str) -> tuple[Any, Any]:
    from freezebench.models.load import load_model

    torch.manual_seed(0)
    model, tokenizer = load_model(str(folder))
    freeze(model, freeze_text)
    return model, tokenizer


def test_other_contents_never_share_a_prefix(tiny_model: Path) -> None:
    """Weights, sentences, number format and plain attributes are part of the key; the head's weights are not."""
    model, tokenizer = _loaded(tiny_model, "emb+L0")
    cache = PrefixCache()
    spec = FreezeSpec.parse("emb+L0")
    splits = packed_splits(model, tokenizer)

    def passes(splits: dict[str, PackedSplit], precision: Any = "float32") -> int:
        make_feed(model, spec, splits, cache, precision=precision)
        return cache.num_passes

    assert passes(splits) == 1
    with torch.no_grad():
        model.get_parameter("classifier.weight").add_(1)
    assert passes(splits) == 1
    assert passes(packed_splits(model, tokenizer, 26)) == 2
    assert passes(splits, "bf16") == 3
    with torch.no_grad():
        model.get_parameter(find_layers(model).layers[0][0]).add_(0.5)
    assert passes(splits) == 4
    model.distilbert.transformer.layer[0].attention.scale = 3
    assert passes(splits) == 5
    model.name_or_path = model.config._name_or_path = "another/folder"
    assert passes(splits) == 5


def test_the_head_alone_needs_the_first_token_only(tiny_model: Path) -> None:
    """Batches are one token long where only the head is left, and whole where layers are."""
    for freeze_text, longest in (("emb+L0-1", 1), ("emb+L0", None)):
        model, tokenizer = _loaded(tiny_model, freeze_text)
        feed = make_feed(
            model, FreezeSpec.parse(freeze_text), packed_splits(model, tokenizer), PrefixCache(), precision="float32"
        )
        length = feed.batch("train", torch.arange(8))["input_ids"].shape[1]
        assert length == longest if longest else length > 1


class _Layer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(16, 16)
        self.scale = torch.nn.Parameter(torch.tensor(0.9))  # a parameter and a buffer without dimensions
        self.register_buffer("num_batches_tracked", torch.tensor(3))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = hidden + self.scale * torch.tanh(self.inner(hidden))
        return out


class _Mean(torch.nn.Module):
    """A classifier that pools all tokens; its head starts at zero, which hides any mistake in front of it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(64, 16)
        self.layers = torch.nn.ModuleList(_Layer() for _ in range(2))
        self.out = torch.nn.Linear(16, 2)
        torch.nn.init.zeros_(self.out.weight)
        torch.nn.init.zeros_(self.out.bias)
        self.peeks = False

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden = self.table(input_ids)
        first = hidden
        for layer in self.layers:
            hidden = layer(hidden)
        if self.peeks:
            hidden = hidden + self.layers[0](first)
        weights = attention_mask.unsqueeze(-1).float()
        logits: torch.Tensor = self.out((hidden * weights).sum(1) / weights.sum(1))
        return logits


def test_pooling_over_all_tokens_keeps_them_all(tiny_model: Path) -> None:
    """A mean is no first token, and a head of zeros does not make it look like one."""
    _, tokenizer = _loaded(tiny_model, "none")
    model = _Mean()
    freeze(model, "emb+L0-1")
    feed = make_feed(
        model, FreezeSpec.parse("emb+L0-1"), packed_splits(model, tokenizer), PrefixCache(), precision="float32"
    )
    assert feed.prefix is not None
    assert feed.batch("train", torch.arange(8))["input_ids"].shape[1] > 1
    assert not model.out.weight.any()


def test_what_cannot_be_cached_trains_whole_and_says_so(tiny_model: Path, tiny_data: Path) -> None:
    """A frozen part that is no prefix is trained in the same loop, with a warning."""
    record = run(_spec(tiny_model, tiny_data, freeze="L1"))
    assert record.is_valid
    assert record.warnings == ("nothing is cached for L1: what is frozen is no prefix",)
    assert "prefix_s" not in record.readings


def test_layers_that_cannot_be_left_out_run(tiny_model: Path) -> None:
    """A model that uses its first layer twice trains whole, with a warning."""
    _, tokenizer = _loaded(tiny_model, "none")
    model = _Mean()
    freeze(model, "emb+L0")
    model.peeks = True
    feed = make_feed(
        model, FreezeSpec.parse("emb+L0"), packed_splits(model, tokenizer), PrefixCache(), precision="float32"
    )
    assert feed.prefix is None
    assert "nothing is cached" in feed.warnings[0]


def test_a_wrong_cached_prefix_stops_the_run(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verified, not trusted: wrong hidden states are found on a sample, and nothing is trained on them."""
    real = PrefixCache.prefix

    def wrong(self: PrefixCache, *args: Any, **options: Any) -> Any:
        prefix = real(self, *args, **options)
        return replace(prefix, hidden={name: tensor * 1.05 for name, tensor in prefix.hidden.items()})

    monkeypatch.setattr(PrefixCache, "prefix", wrong)
    record = run(_spec(tiny_model, tiny_data, freeze="emb+L0"))
    assert (record.status, record.cause) == ("invalid", "prefix_mismatch")
    assert "is not what the model computes" in str(record.reason)


@pytest.mark.parametrize("freeze", ["none", "emb+L0"])
def test_batches_as_wide_as_a_gpu_likes_them_train_alike(
    freeze: str, tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More padding changes no outcome; no batch is longer than the longest sentence."""
    expected = run(_spec(tiny_model, tiny_data, freeze=freeze))
    monkeypatch.setattr(feed, "length_multiple", lambda _: 7)
    wide = run(_spec(tiny_model, tiny_data, freeze=freeze))
    assert wide.reason is None
    assert wide.step_losses == pytest.approx(expected.step_losses, rel=1e-4)
    model, tokenizer = _loaded(tiny_model, "none")
    splits = packed_splits(model, tokenizer)
    widths = {Feed(model, splits).width("train", torch.tensor([number])) for number in range(len(splits["train"]))}
    longest = int(splits["train"].lengths.max())
    assert widths == {7, longest}


def test_a_prefix_is_checked_once_a_session(tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other seeds have the same frozen layers; another depth is checked anew, and so is another session."""
    checked: list[int] = []
    real = verify._computed

    def counted(whole: Any, part: Any, split: str, depth: int) -> Any:
        checked.append(depth)
        return real(whole, part, split, depth)

    monkeypatch.setattr(verify, "_computed", counted)
    data_cache = DataCache()
    first = run(_spec(tiny_model, tiny_data, freeze="emb+L0"), data_cache=data_cache)
    assert checked == [1] * 3
    again = run(_spec(tiny_model, tiny_data, freeze="emb+L0"), data_cache=data_cache)
    run(_spec(tiny_model, tiny_data, freeze="emb+L0", seed=7), data_cache=data_cache)
    assert checked == [1] * 3
    assert again.step_losses == first.step_losses
    run(_spec(tiny_model, tiny_data, freeze="emb"), data_cache=data_cache)
    run(_spec(tiny_model, tiny_data, freeze="emb+L0"))
    assert checked == [1] * 3 + [0] * 3 + [1] * 3


def test_layers_come_back_whatever_happens(tiny_model: Path) -> None:
    """A spliced model is whole again after an error."""
    model, tokenizer = _loaded(tiny_model, "emb+L0")
    splits = packed_splits(model, tokenizer)
    feed = make_feed(model, FreezeSpec.parse("emb+L0"), splits, PrefixCache(), precision="float32")
    batch = Feed(model, splits).batch("train", torch.arange(4))
    batch.pop("labels")
    model.eval()
    before = model(**batch).logits
    with pytest.raises(RuntimeError, match="out of luck"), feed:
        raise RuntimeError("out of luck")
    assert torch.equal(model(**batch).logits, before)
    assert all("forward" not in vars(layer) for layer in model.modules())


def test_frozen_layers_do_not_run_in_training(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The point of it: what trains is computed in every step, a frozen layer never."""
    computed: list[int] = []

    def counted(job: Job, emit: Any) -> TrainingResult:
        layers: Any = job.model.get_submodule("distilbert.transformer.layer")
        for number, layer in enumerate(layers):
            layer.attention.q_lin.register_forward_hook(lambda *_, number=number: computed.append(number))
        return loop.train(job, emit)

    monkeypatch.setitem(experiment._ENGINES, "cached", counted)
    assert run(_spec(tiny_model, tiny_data, freeze="emb+L0")).is_valid
    assert set(computed) == {1}
    assert len(computed) > 12


def test_bucketed_batches_hold_every_sentence_once() -> None:
    """Epochs differ, seeds differ, the same seed and epoch agree, and little is padding."""
    lengths = torch.randint(3, 60, (1000,), generator=torch.Generator().manual_seed(0))
    order = BucketedBatches(lengths, 32, 7)
    first = order.epoch(0)
    assert sorted(torch.cat(list(first)).tolist()) == list(range(1000))
    assert len(first) == len(order) == 32
    assert [batch.tolist() for batch in order.epoch(0)] == [batch.tolist() for batch in first]
    assert [batch.tolist() for batch in order.epoch(1)] != [batch.tolist() for batch in first]
    assert [batch.tolist() for batch in BucketedBatches(lengths, 32, 8).epoch(0)] != [batch.tolist() for batch in first]
    assert _padded(lengths, first) < 1.2


def _padded(lengths: torch.Tensor, batches: Sequence[torch.Tensor]) -> float:
    """Return the positions of some batches, padding included, relative to their tokens."""
    return sum(int(lengths[batch].max()) * len(batch) for batch in batches) / int(lengths.sum())


def test_company_changes_and_padding_is_rare() -> None:
    """With many sentences of every length hardly anything is padding; a sentence of a rare one meets others, too."""
    generator = torch.Generator().manual_seed(0)
    many, few = (torch.randint(3, 60, (number,), generator=generator) for number in (8000, 500))
    assert _padded(many, BucketedBatches(many, 32, 7).epoch(0)) < 1.02
    for lengths in (many, few):
        order = BucketedBatches(lengths, 32, 7)
        mates = [{frozenset(batch.tolist()) for batch in order.epoch(epoch)} for epoch in range(2)]
        assert not mates[0] & mates[1]
    as_they_come = torch.split(torch.arange(500), 32)
    assert _padded(few, BucketedBatches(few, 32, 7).epoch(0)) < 1.5 < _padded(few, as_they_come)


def test_the_small_batch_is_of_any_length() -> None:
    """Its sentences weigh more in the mean loss: they are not the longest ones in every epoch."""
    lengths = torch.arange(3, 163).repeat(21)[: 32 * 100 + 5]
    order = BucketedBatches(lengths, 32, 0)
    small = [next(batch for batch in order.epoch(epoch) if len(batch) < 32) for epoch in range(8)]
    assert {len(batch) for batch in small} == {5}
    assert len({int(lengths[batch].max()) for batch in small}) > 4
    assert all(sorted(torch.cat([*order.epoch(epoch)]).tolist()) == list(range(len(lengths))) for epoch in range(2))
    assert {len(batch) for batch in BucketedBatches(lengths[:3200], 32, 0).epoch(0)} == {32}


def test_a_single_vector_per_sentence_meets_any_other(tiny_model: Path) -> None:
    """Where all sentences are one position long there is nothing to sort by: so it is behind a cached prefix of all."""
    order = BucketedBatches(torch.ones(1000, dtype=torch.int64), 32, 0)
    assert all(0 < int((batch < 500).sum()) < len(batch) for batch in order.epoch(0))
    model, tokenizer = _loaded(tiny_model, "emb+L0-1")
    splits = packed_splits(model, tokenizer)
    feed = make_feed(model, FreezeSpec.parse("emb+L0-1"), splits, PrefixCache(), precision="float32")
    lengths = torch.ones_like(splits["train"].lengths)
    assert feed.cls_only
    with feed:
        for batch, indices in zip(feed.epochs(8, 0), BucketedBatches(lengths, 8, 0).epoch(0), strict=True):
            assert torch.equal(batch["labels"], splits["train"].labels[indices])


def test_operations_are_counted_on_a_batch_of_average_length(tiny_model: Path) -> None:
    """The first one may be of the shortest sentences or of the longest."""
    assert nearest_to_mean([1, 9, 6, 4, 5]) == 4
    model, tokenizer = _loaded(tiny_model, "none")
    splits = packed_splits(model, tokenizer)
    batches = make_feed(model, FreezeSpec.parse("none"), splits, PrefixCache(), precision="float32").epochs(4, 0)
    sizes = [batch["input_ids"].numel() for batch in batches]
    assert batches.average_batch()["input_ids"].numel() == sizes[nearest_to_mean(sizes)] != sizes[0]


def test_flat_batches_are_the_collators(tiny_model: Path) -> None:
    """Index arithmetic pads as transformers does, on either side."""
    from transformers import AutoTokenizer

    from freezebench.data.splits import Split
    from freezebench.training.batches.encoding import collator

    model, _ = _loaded(tiny_model, "none")
    for side in ("right", "left"):
        tokenizer = AutoTokenizer.from_pretrained(tiny_model, padding_side=side)
        texts, labels = zip(*sentences(20, 2, 0), strict=True)
        split = Split(texts=tuple((text,) for text in texts), labels=labels)
        encoded = encode(split, tokenizer, model, 32)
        flat = PackedSplit(encoded, tokenizer)
        indices = torch.tensor([3, 0, 11])
        expected = collator(tokenizer)([encoded.examples[index] for index in indices.tolist()])
        batch = flat.batch(indices, *flat.token_indices(indices))
        assert set(batch) == set(expected)
        assert all(torch.equal(batch[name], expected[name]) for name in batch)


def test_fields_without_one_number_per_token_are_refused(tiny_model: Path) -> None:
    """Boxes, say, which document models have for every token, cannot be laid out flat."""
    _, tokenizer = _loaded(tiny_model, "none")
    ids = {"input_ids": [5, 6], "labels": 0}
    weights = PackedSplit(Encoded(examples=({**ids, "weight": [0.5, 1.0]},), labels=(0,)), tokenizer).fields["weight"]
    assert weights.tolist() == [0.5, 1.0]
    for odd in ([[0, 0, 1, 1], [0, 0, 1, 1]], [1, 2, 3]):
        with pytest.raises(ValueError, match="one number per token"):
            PackedSplit(Encoded(examples=({**ids, "bbox": odd},), labels=(0,)), tokenizer)


def test_the_loss_trace_is_pinned(tiny_model: Path, tiny_data: Path) -> None:
    """On one machine two runs agree bit for bit; a refactor keeps the float32 trace, dropout on."""
    spec = replace(_spec(tiny_model, tiny_data, freeze="emb+L0"), protocol=replace(PROTOCOL, dropout=True))
    first, second = run(spec), run(spec)
    assert first.step_losses == second.step_losses
    assert first.step_losses == pytest.approx(TRACE, rel=1e-5)


def test_quick_ways_are_compared_once_a_session(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Other seeds have the same layers; another freeze spec, another model or another session is compared anew."""
    asked: list[str] = []
    for name in ("check_embedding_rows", "check_cls_only"):
        own: Callable[..., bool] = getattr(assembly, name)

        def ask(*args: Any, name: str = name, own: Callable[..., bool] = own) -> bool:
            asked.append(name)
            return own(*args)

        monkeypatch.setattr(assembly, name, ask)
    monkeypatch.setattr(rows_module, "_MIN_ROWS", 1)
    other = _tiny("distilbert", tmp_path / "other")
    data_cache = DataCache()

    def compared(model: Path, freeze: str, data_cache: DataCache) -> list[str]:
        asked.clear()
        for seed in (1, 2):
            assert run(_spec(model, tiny_data, freeze=freeze, seed=seed), data_cache=data_cache).is_valid
        return list(asked)

    assert compared(tiny_model, "none", data_cache) == ["check_embedding_rows", "check_cls_only"]
    assert compared(tiny_model, "none", data_cache) == []
    assert compared(tiny_model, "emb", data_cache) == ["check_cls_only"]
    assert compared(other, "none", data_cache) == ["check_embedding_rows", "check_cls_only"]
    assert compared(tiny_model, "none", DataCache()) == ["check_embedding_rows", "check_cls_only"]


def test_a_quick_way_that_disagrees_is_not_taken_by_other_seeds(
    tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that failed is remembered: the last layer runs by its own code in every run."""
    monkeypatch.setattr(assembly, "check_cls_only", lambda *_: False)
    monkeypatch.setattr(ClsOnlyLayer, "__enter__", None)
    data_cache = DataCache()
    assert all(
        run(_spec(tiny_model, tiny_data, freeze="emb", seed=seed), data_cache=data_cache).is_valid for seed in (1, 2)
    )
