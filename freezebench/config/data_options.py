"""The options that name data: what is learned, from which columns, and which test sets judge it."""

from __future__ import annotations

from freezebench.config.named_sources import parse_test_sets
from freezebench.config.option import Option
from freezebench.config.parsers import choice_parser, parse_columns, parse_text
from freezebench.specs.names import BAD_ROWS, TASKS

DATA_OPTIONS: tuple[Option, ...] = (
    Option(
        name="data",
        metavar="DATA",
        parser=parse_text,
        is_list=True,
        help="data set: a Hub name (or name:config), a folder with train, validation and test files (.jsonl, .json, "
        ".csv, .tsv, .parquet), one such file, or 'reviews' (movie reviews, downloaded once; others are "
        "reviews:products, reviews:tweets, reviews:editorials); several data sets make one experiment each: separate "
        "them by commas or repeat the option (default: the preset's)",
    ),
    Option(
        name="text_column",
        metavar="COLUMN",
        parser=parse_columns,
        help="column of the sentences; two columns, separated by a comma, for sentence pairs; double quotes keep the "
        "commas of a name (default: text)",
    ),
    Option(
        name="label_column",
        metavar="COLUMN",
        parser=parse_text,
        help="column of the labels; for multi-label data a column of lists, a column of names with a separator such as "
        "sad|long (with --freeze-task=multi-label), or several columns of 0 and 1, one for each label, separated by "
        "commas; double quotes keep the commas of a name (default: label)",
    ),
    Option(
        name="bad_rows",
        metavar="HOW",
        parser=choice_parser(*BAD_ROWS),
        help="what to do with rows that have no usable text or label: error refuses the data and lists these rows with "
        "file and line; drop leaves them out and counts them (default: error)",
    ),
    Option(
        name="task",
        metavar="TASK",
        parser=choice_parser(*TASKS),
        help=f"what is learned: {', '.join(TASKS)} (default: what the model's configuration and the labels say)",
    ),
    Option(
        name="test",
        metavar="NAME=SOURCE",
        parser=parse_test_sets,
        takes_pairs=True,
        help="further test set, on which every run is evaluated and judged as well: a name of your choice and a source "
        "as --freeze-data takes it, such as tweets=reviews:tweets; separate several by commas or repeat the option "
        "(default: only the test split of the data set)",
    ),
    Option(
        name="slice_column",
        metavar="COLUMN",
        parser=parse_text,
        help="column whose values divide the test set into slices, which are judged one by one (default: no slices)",
    ),
    Option(
        name="group_column",
        metavar="COLUMN",
        parser=parse_text,
        help="column that says which test examples belong together, such as those of one document or person; "
        "intervals count groups instead of examples (default: they count examples)",
    ),
)
