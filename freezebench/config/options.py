"""The options table, from which the command line, the ini keys, the marker's arguments and the docs are made."""

from __future__ import annotations

from freezebench.config.clusters import parse_cluster, parse_resource
from freezebench.config.data_options import DATA_OPTIONS
from freezebench.config.limit_options import LIMIT_OPTIONS
from freezebench.config.option import Option
from freezebench.config.parsers import (
    choice_parser,
    int_parser,
    parse_bool,
    parse_budget,
    parse_device,
    parse_devices,
    parse_duration,
    parse_folder,
    parse_grid,
    parse_learning_rates,
    parse_looks,
    parse_seed,
    parse_size,
    parse_text,
)
from freezebench.config.tuning import USUAL_FACTORS, parse_tune_lr
from freezebench.specs.names import BATCH_ORDERS, ENGINES, ISOLATIONS, PRECISIONS, PREFIX_MODES, PRESET_NAMES, TRACKERS

# In the order of ``pytest --help``. A new option needs an entry here, and a field in Settings or SessionSettings that
# takes its value. The table of options in the docs is made from the help texts.
OPTIONS: tuple[Option, ...] = (
    # --- which experiment
    Option(
        name="grid",
        metavar="GRID",
        parser=parse_grid,
        help="configurations to compare: 'all' (no freezing, and every prefix of the model's layers), 'search' (finds "
        "the deepest safe prefix of 'all' and trains only the prefixes that this takes), 'strategies' (two prefixes, "
        "the head alone, bitfit, lora and lpft), one freeze spec, or a comma-separated list of specs; a spec is none, "
        "emb, L3, L0-3, head, top-2 (only the two top layers and the head train), a strategy such as lora(r=4), or "
        "several of these joined by '+' (default: the grid of the test's marker, else all)",
    ),
    Option(
        name="preset",
        metavar="NAME",
        parser=choice_parser(*PRESET_NAMES),
        help=f"complete experiment: {', '.join(PRESET_NAMES)} (default: distilbert-sst2 if there is a CUDA GPU and its "
        "Hub files can be reached or are cached, else embedded)",
    ),
    Option(
        name="model",
        metavar="MODEL",
        parser=parse_text,
        is_list=True,
        help="model to fine-tune: a Hub name, a checkpoint folder, 'embedded', or module:factory; several models make "
        "one experiment each: separate them by commas or repeat the option (default: the preset's)",
    ),
    *DATA_OPTIONS,
    Option(
        name="num_seeds",
        metavar="K",
        parser=parse_looks,
        help="number of seeds per configuration: one number, or 3,5,8 to judge after 3, 5 and 8 seeds and to stop as "
        "soon as the verdict is conclusive; one seed gives figures and no verdict (default: the preset's)",
    ),
    Option(
        name="seed",
        metavar="SEED",
        parser=parse_seed,
        help="the first seed; the others are SEED + 1, SEED + 2, … (default: 42)",
    ),
    # --- how runs train
    Option(
        name="epochs",
        metavar="N",
        parser=int_parser(1, 10_000, "the number of epochs"),
        help="passes over the training sentences (default: the preset's)",
    ),
    Option(
        name="batch_size",
        metavar="N",
        parser=int_parser(1, 1_000_000, "the batch size"),
        help="sentences per training step (default: the preset's)",
    ),
    Option(
        name="lr",
        metavar="RATE",
        parser=parse_learning_rates,
        help="learning rate: one number, or numbers per configuration: 5e-5,emb+L0-5:1e-3; a strategy that is not "
        "named has a multiple of the rate of none (default: the preset's)",
    ),
    Option(
        name="tune_lr",
        metavar="FACTORS",
        parser=parse_tune_lr,
        may_lack_value=True,
        help="choose the learning rate of each configuration, the baseline included, among these multiples of its "
        f"usual rate ({USUAL_FACTORS} if none are given): each rate is tried in one run, with a seed that no judged "
        "run uses, and the lowest validation loss wins (default: the usual rates)",
    ),
    Option(
        name="max_train",
        metavar="N",
        parser=int_parser(2, 1_000_000_000, "the number of training sentences"),
        help="train on at most N sentences, a stratified sample that all runs share (default: the preset's number "
        "with the preset's data, all sentences with other data)",
    ),
    Option(
        name="max_length",
        metavar="N",
        parser=int_parser(4, 1_000_000, "the longest input in tokens"),
        help="truncate inputs to N tokens (default: what model and tokenizer allow)",
    ),
    Option(
        name="dropout",
        metavar="YES",
        parser=parse_bool,
        help="yes trains with dropout, no without it, so that runs of a seed differ less between configurations "
        "(default: the preset's for its own model and data, else yes)",
    ),
    Option(
        name="engine",
        metavar="ENGINE",
        parser=choice_parser(*ENGINES),
        help="training loop: standard (freezebench's own), cached (the same, but a frozen prefix is computed once for "
        "all configurations and seeds) or trainer (the Transformers Trainer) (default: the preset's)",
    ),
    Option(
        name="prefix_mode",
        metavar="MODE",
        parser=choice_parser(*PREFIX_MODES),
        help="dropout in frozen embeddings and layers: eval turns it off, so that their output can be cached; train "
        "leaves it on, as the notebook does (default: eval with the engine cached, else train)",
    ),
    Option(
        name="batch_order",
        metavar="ORDER",
        parser=choice_parser(*BATCH_ORDERS),
        help="how sentences are put into training batches: bucketed groups sentences of similar length, which saves "
        "padding; shuffled draws them at random (default: bucketed with the engine cached, else shuffled)",
    ),
    Option(
        name="prefix_cache",
        metavar="DIR",
        parser=parse_folder,
        session_wide=True,
        help="store the outputs of frozen prefixes in this folder, and reuse those of earlier sessions after checking "
        "them (default: they are deleted with the session)",
    ),
    Option(
        name="prefix_cache_size",
        metavar="SIZE",
        parser=parse_size,
        session_wide=True,
        help="largest size of the folder of --freeze-prefix-cache; the least recently used outputs are deleted first "
        "(default: 10GiB)",
    ),
    Option(
        name="cache_memory",
        metavar="SIZE",
        parser=parse_size,
        session_wide=True,
        help="cache outputs of frozen prefixes in memory up to this size, such as 512MiB or 4GiB, and spill the rest "
        "to memory-mapped temporary files (default: 128MiB)",
    ),
    Option(
        name="device",
        metavar="DEVICE",
        parser=parse_device,
        help="auto, cpu, cuda or cuda:N (default: auto, a CUDA GPU if there is one)",
    ),
    Option(
        name="devices",
        metavar="DEVICES",
        parser=parse_devices,
        session_wide=True,
        help="train on several devices at the same time: all (every GPU that CUDA_VISIBLE_DEVICES leaves; the CPU if "
        "there is none), GPUs such as cuda:0,cuda:1, or the CPU several times, cpu,cpu, where times are not measured "
        "(default: one run at a time, on the device of --freeze-device)",
    ),
    Option(
        name="cluster",
        metavar="ADDRESS",
        parser=parse_cluster,
        session_wide=True,
        help="train on the nodes of a Ray cluster, one run per GPU, or per node where there is no GPU: auto (the "
        "cluster that this machine is part of) or HOST:PORT of its head; needs freezebench[ray] (default: this machine "
        "alone)",
    ),
    Option(
        name="cluster_resource",
        metavar="NAME",
        parser=parse_resource,
        session_wide=True,
        help="train only on nodes that have this Ray resource, such as accelerator_type:A100, so that one model of GPU "
        "trains all runs (default: every node)",
    ),
    Option(
        name="precision",
        metavar="FORMAT",
        parser=choice_parser(*PRECISIONS),
        help="auto (bf16 if the hardware supports it, else float32), float32 or bf16 (default: the preset's)",
    ),
    # --- margins and limits
    *LIMIT_OPTIONS,
    Option(
        name="claims",
        metavar="YES",
        parser=parse_bool,
        is_switch=True,
        help="judge the three claims of the notebook from which freezebench started (default: only with the preset "
        "notebook)",
    ),
    # --- the session
    Option(
        name="plan",
        metavar="YES",
        parser=parse_bool,
        session_wide=True,
        is_switch=True,
        help="show the planned runs with their seeds and steps, which of them earlier sessions finished, and how long "
        "the others will take; run no test",
    ),
    Option(
        name="report",
        metavar="DIR",
        parser=parse_folder,
        session_wide=True,
        help="write the report to DIR: index.html with its charts, report.md, report.csv, and report.json with the "
        "record of every run",
    ),
    Option(
        name="log",
        metavar="TRACKERS",
        parser=choice_parser(*TRACKERS),
        session_wide=True,
        is_list=True,
        help="after the last test, log all training runs and verdicts to experiment trackers: mlflow, wandb (Weights & "
        "Biases), tensorboard, or several, separated by commas; the environment variables of each library set address "
        "and project; needs the extra of the same name, such as freezebench[mlflow] (default: nothing is logged)",
    ),
    Option(
        name="save",
        metavar="DIR",
        parser=parse_folder,
        session_wide=True,
        help="after the last test, train the first seed of the recommended configuration once more, and save the model "
        "to DIR: weights, tokenizer and a model card with the figures; several experiments get a subfolder each; a "
        "model that was saved there earlier is replaced (default: no model is saved)",
    ),
    Option(
        name="store",
        metavar="DIR",
        parser=parse_folder,
        session_wide=True,
        help="save every finished run as a file in DIR, and reuse it in later sessions with the same model, data, "
        "options, versions and kind of device (default: the folder freezebench in pytest's cache folder)",
    ),
    Option(
        name="resume",
        metavar="YES",
        parser=parse_bool,
        session_wide=True,
        help="yes reuses the finished runs of earlier sessions, no trains all runs again (default: yes, but no with "
        "--benchmark-compare)",
    ),
    Option(
        name="isolate",
        metavar="HOW",
        parser=choice_parser(*ISOLATIONS),
        session_wide=True,
        help="where runs train: worker (one separate process, replaced after a fault), run (a new process for "
        "every run) or none (pytest's own process, for debugging) (default: worker)",
    ),
    Option(
        name="budget",
        metavar="LIMIT",
        parser=parse_budget,
        session_wide=True,
        help="stop after this many trained runs (40runs), or start no further run after this time (30min, 2h); the "
        "session reports the results that it has, and the same command continues from there; reused runs do not count "
        "(default: no limit)",
    ),
    Option(
        name="timeout",
        metavar="DURATION",
        parser=parse_duration,
        session_wide=True,
        help="stop a run that takes longer than this, such as 90s, 30min or 2h, and count it as invalid (default: 24h)",
    ),
)

BY_NAME = {option.name: option for option in OPTIONS}
