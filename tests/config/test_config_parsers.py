"""Parsers of option values: what they refuse."""

from __future__ import annotations

import pytest

from freezebench.config.options import BY_NAME, OPTIONS
from freezebench.errors import SettingsError

# Option, text, part of the message.
BAD = [
    ("grid", "emb,,", "empty entry"),
    ("grid", "emb+L3-1", "runs backwards"),
    ("preset", "sst3", "choose from distilbert-sst2, embedded, notebook"),
    ("model", "", "empty"),
    ("data", "", "empty"),
    ("text_column", "a,b,c", "two different ones"),
    ("label_column", "", "empty"),
    ("bad_rows", "skip", "choose from error, drop"),
    ("num_seeds", "0", "give the number of seeds, from 1 to"),
    ("num_seeds", "three", "give the number of seeds, from 1 to"),
    ("num_seeds", "5,3", "increasing"),
    ("num_seeds", "3,x", "increasing numbers"),
    ("pool_seeds", "maybe", "choose yes or no"),
    ("claims", "maybe", "choose yes or no"),
    ("plan", "maybe", "choose yes or no"),
    ("min_speedup", "0.5", "from 1.01"),
    ("min_memory_saving", "100", "to 99.9"),
    ("cache_memory", "64", "with its unit"),
    ("prefix_mode", "off", "choose from eval, train"),
    ("batch_order", "sorted", "choose from bucketed, shuffled"),
    ("prefix_cache", "", "empty"),
    ("prefix_cache_size", "10", "with its unit"),
    ("inconclusive", "skip,emb:maybe", "choose from skip, pass, fail"),
    ("inconclusive", "skip,fail", "two policies"),
    ("min_energy_saving", "0", "from 0.1"),
    ("max_time", "0.05", "1.05 for at most 5 % more"),
    ("max_time", "10min", "each run is --freeze-timeout, and of the session --freeze-budget"),
    ("max_energy", "x", "cannot read"),
    ("max_memory", "nan", "not a finite number"),
    ("max_drop", "none:3", "none is the baseline"),
    ("min_speedup", "none:3", "none is the baseline"),
    ("seed", "-1", "whole number from 0 to"),
    ("epochs", "1.5", "whole number from 1 to"),
    ("batch_size", "0", "whole number from 1 to"),
    ("lr", "0", "above 0"),
    ("lr", "nan", "not a finite number"),
    ("lr", "5", "at most 1"),
    ("tune_lr", "1", "give 2 to 9 different factors"),
    ("max_train", "1", "from 2 to"),
    ("max_length", "2", "from 4 to"),
    ("engine", "cached2", "choose from standard, cached, trainer"),
    ("dropout", "0.1", "choose yes or no"),
    ("save", "", "empty"),
    ("device", "tpu", "choose from auto, cpu, cuda"),
    ("devices", "cuda", "give all, or devices separated by commas"),
    ("devices", "cuda:0,auto", "give all, or devices separated by commas"),
    ("devices", "cuda:0,all", "give all, or devices separated by commas"),
    ("devices", "cuda:0,", "give all, or devices separated by commas"),
    ("devices", "tpu:0", "give all, or devices separated by commas"),
    ("devices", "cpu,cuda:0", "Choose GPUs, or the CPU"),
    ("devices", "cuda:1,cuda:01", "Name each GPU once"),
    ("cluster", "", "give auto, "),
    ("cluster", "10.0.0.1", "give auto, "),
    ("cluster", "10.0.0.1:0", "give auto, "),
    ("cluster", "10.0.0.1:65536", "give auto, "),
    ("cluster", "http://head:6379", "give auto, "),
    ("cluster", "ray://head:10001", "ray job submit --working-dir . -- pytest … --freeze-cluster=auto"),
    ("cluster_resource", "a100 h100", "give the name of one resource"),
    ("cluster_resource", "GPU", "give the name of one resource"),
    ("precision", "fp8", "choose from auto, float32, bf16"),
    ("metric", "macro_f1", "there is no metric 'macro_f1'"),
    ("metric", "my metrics:f", "Write it as module:function"),
    ("metric", "metrics:", "Write it as module:function"),
    ("metric", "", "there is no metric"),
    ("task", "ner", "choose from sequence-classification, regression, multi-label, token-classification"),
    ("test", "reviews:tweets", "give NAME=SOURCE"),
    ("test", "tweets=", "give NAME=SOURCE"),
    ("test", "=reviews:tweets", "give NAME=SOURCE"),
    ("test", "my tweets=x", "give NAME=SOURCE"),
    ("test", "a=x,a=y", "two test sets have the name 'a'"),
    ("slice_column", "", "empty"),
    ("group_column", "", "empty"),
    ("max_slice_drop", "0", "give a number above 0"),
    ("max_test_drop", "emb:1", "give a number above 0"),
    ("margin", "0", "give a number above 0"),
    ("margin", "-1", "percentage points"),
    ("max_drop", "emb:-1", "give a number above 0"),
    ("max_drop", "emb=2", "cannot read"),
    ("inconclusive", "warn", "choose from skip, pass, fail"),
    ("max_regression", "none:0", "give a number above 0"),
    ("anchor", "", "empty"),
    (
        "compare_across",
        "model,colour",
        "a comparison across 'colour' is not known. Choose from model, data, .*lr",
    ),
    ("compare_across", "", "Choose from model"),
    ("compare_across", "test", "Choose from model"),
    ("allow_unmatched", "emb,", "empty entry"),
    ("allow_unmatched", "emb,top-2", "names other configurations in other models"),
    ("allow_unmatched", "strategies", "names other configurations in other models"),
    ("report", "", "empty"),
    ("log", "excel", "choose from mlflow, wandb, tensorboard"),
    ("save", "", "empty"),
    ("store", "", "empty"),
    ("resume", "perhaps", "choose yes or no"),
    ("isolate", "fork", "choose from worker, run, none"),
    ("budget", "90", "give a number of runs such as 40runs, or a duration"),
    ("budget", "0runs", "give a whole number of runs from 1 on"),
    ("timeout", "90", "with its unit"),
    ("timeout", "0s", "above 0"),
]


@pytest.mark.parametrize(("name", "text", "part"), BAD)
def test_bad_values_name_option_value_and_remedy(name: str, text: str, part: str) -> None:
    """The message begins with the flag and its value."""
    flag = BY_NAME[name].flag
    with pytest.raises(SettingsError, match=part) as caught:
        BY_NAME[name].parse(text, flag)
    assert str(caught.value).startswith(f"{flag}={text}: ")


def test_every_option_has_a_bad_value_tested() -> None:
    """Every option has at least one text that it refuses."""
    assert {name for name, _, _ in BAD} == {option.name for option in OPTIONS}
