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
        "reviews:products, reviews:tweets, reviews:editorials); several, with commas between them or by repeating the "
        "option, are an experiment each (default: the preset's)",
    ),
    Option(
        name="text_column",
        metavar="COLUMN",
        parser=parse_columns,
        help="column of the sentences; two columns, separated by a comma, for sentence pairs (default: text)",
    ),
    Option(
        name="label_column",
        metavar="COLUMN",
        parser=parse_text,
        help="column of the labels, or several columns of 0 and 1 with commas between, one for each label "
        "(default: label)",
    ),
    Option(
        name="bad_rows",
        metavar="HOW",
        parser=choice_parser(*BAD_ROWS),
        help="rows without a usable text or label: error refuses the data and lists them with file and line, drop "
        "leaves them out and counts them (default: error)",
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
        help="further test set, on which every run is evaluated and judged beside the data set's own: a name of your "
        "choice, and a source as --freeze-data takes it: tweets=reviews:tweets; several, with commas between them or "
        "by repeating the option (default: the data set's own test split alone)",
    ),
    Option(
        name="slice_column",
        metavar="COLUMN",
        parser=parse_text,
        help="column whose values divide the test set into slices; each slice is judged by itself (default: the test "
        "set as a whole)",
    ),
    Option(
        name="group_column",
        metavar="COLUMN",
        parser=parse_text,
        help="column that says which test examples belong together, such as those of one document or person; "
        "intervals take a group as one unit (default: each example is one)",
    ),
)
