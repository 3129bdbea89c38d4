"""The page: the answer first, then the evidence, and nothing loaded from outside."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

import experiments
import made_up
import made_up_tasks
from experiments import broken_experiment, experiment, not_run_experiment, partly_fixed_experiment
from freezebench.records.reading import Reading
from freezebench.records.run_record import RunRecord
from freezebench.report.contention import MARK
from freezebench.report.experiment import Experiment
from freezebench.report.memory_split import _PARTS
from freezebench.report.page.answer import with_code
from freezebench.report.page.histogram import histogram
from freezebench.report.page.markup import Html, element, text
from freezebench.report.page.page import NO_MATPLOTLIB, page
from freezebench.report.page.sections import _MEMORY, _TIMES, _explained
from freezebench.report.picture import Missing, Picture
from freezebench.report.plots import draw
from freezebench.report.summary import summarize
from freezebench.units import NOT_MEASURED
from freezebench.verdicts.gate import Part
from freezebench.verdicts.judge import judge

if TYPE_CHECKING:
    from freezebench.specs.names import TaskName

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
PICTURE = Picture(name="drop", title="Drop", caption="how to read", alt="in words", svg="<svg/>", png=b"")


class _Outline(HTMLParser):
    """The tags of a page with their attributes, and its visible text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.read: list[str] = []
        self._open: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note that every element is closed in its turn."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what is read."""
        if self._open and self._open[-1] not in ("style", "script"):
            self.read.append(data)

    @property
    def text(self) -> str:
        """All text, white space folded."""
        return " ".join(" ".join(self.read).split())


def _made(shown: Experiment) -> _Outline:
    return _Outline(page([shown], [[PICTURE]]))


def test_the_first_lines_are_the_answer() -> None:
    """What to freeze, the drop of every configuration, what it saves, with which certainty, and how to use it."""
    content = _made(experiment()).text
    start = content.index("Freeze emb+L0: accuracy stays within 2 points of no freezing")
    answer = content[start : content.index("Figures")]
    parts = (
        "Drop how to read",
        "Time 3.00× as fast (90 % interval 3.00× to 3.00×): 10.0 s → 3.33 s",
        "Memory 50 % less peak memory: 4.00 GiB → 2.00 GiB",
        "energy (±",
        "Confidence 95 % that the drop is below",
        "3 seeds, 400 sentences",
        'freezebench.freeze(model, "emb+L0")',
        "--freeze-save=DIR",
    )
    assert [answer.index(part) for part in parts] == sorted(answer.index(part) for part in parts)
    assert content.index("Figures") < content.index("Pictures") < content.index("Footnotes")


def test_code_in_sentences_is_set_as_code() -> None:
    """Calls and options can be copied without the punctuation around them."""
    shown = with_code('Use freezebench.freeze(model, "emb"); --freeze-lr=0.0001, or --freeze-save=a.b. Not -x <b>.')
    assert re.findall("<code.*?>(.*?)</code>", shown) == [
        "freezebench.freeze(model, &quot;emb&quot;)",
        "--freeze-lr=0.0001",
        "--freeze-save=a.b",
    ]
    assert shown.endswith(". Not -x &lt;b&gt;.")
    more = (
        "Try --freeze-epochs=32: it helps. Rows were left out (--freeze-bad-rows=drop): 2. (--freeze-num-seeds=3,5,8), "
        "--freeze-grid=none,lora(r=4), --freeze-lr=1e-4,emb:2e-4; (--freeze-grid=lora(r=8))."
    )
    assert re.findall("<code.*?>(.*?)</code>", with_code(more)) == [
        "--freeze-epochs=32",
        "--freeze-bad-rows=drop",
        "--freeze-num-seeds=3,5,8",
        "--freeze-grid=none,lora(r=4)",
        "--freeze-lr=1e-4,emb:2e-4",
        "--freeze-grid=lora(r=8)",
    ]


def test_captions_explain_the_columns_that_are_shown() -> None:
    """A column that no configuration fills is left out, and what it would mean."""
    headers, cells = ("frozen", "data", "evaluation", "warm", "cold", "paid back in"), ["emb", "1 %", "2 s", "2.00×"]
    assert "Warm is" in _explained(headers, [[*cells, "–", "epoch 2"]], _TIMES)
    assert "Cold is" not in _explained(headers, [[*cells, "–", "epoch 2"]], _TIMES)
    assert "last column" not in _explained(headers, [[*cells, "1.00×", "–"]], _TIMES)
    assert "Activations" not in _explained(("frozen", "weights", "activations, rest"), [["emb", "1 B", "–"]], _MEMORY)
    assert set(_TIMES) < set(experiment().summary.breakdown[0])
    assert set(_MEMORY) < set(_PARTS)


def test_what_was_not_measured_is_left_out_with_one_reason() -> None:
    """There are neither tiles, nor columns of dashes, nor boxes: every reason is given once."""
    shown = experiment(everything=False)
    missing = [Missing(name=name, title=f"Accuracy against {name}", reason="no meter.") for name in ("energy", "power")]
    outline = _Outline(page([shown], [[PICTURE, *missing]]))
    assert "Not drawn: Accuracy against energy, Accuracy against power (no meter)." in outline.text
    assert outline.text.count(made_up.NO_RAPL) == 1
    for tag, name in (("h3", "Energy"), ("button", "energy saved")):
        assert f"<{tag}>{name}" not in page([shown], [[PICTURE]])
    columns = _columns(page([shown], [[PICTURE]]))
    assert columns
    assert not [column for column in columns if set(column) == {NOT_MEASURED}]
    assert "not recorded by the version of freezebench that trained these runs" in outline.text


def _columns(content: str) -> list[tuple[str, ...]]:
    """Return the texts of the cells of every column of every table's body, row names left out."""
    columns: list[tuple[str, ...]] = []
    for body in re.findall("<tbody>(.*?)</tbody>", content, re.DOTALL):
        rows = [re.findall("<td.*?>(.*?)</td>", row) for row in body.split("</tr>") if row]
        columns += zip(*rows, strict=True)
    return columns


def test_an_answer_without_a_safe_prefix() -> None:
    """The headline is not mistaken for the baseline, whose name is "no freezing"; the drops are shown all the same."""
    requested = experiments.settings()
    judged = [experiments.judged("none", 0.9), experiments.judged("emb", 0.7)]
    content = _made(Experiment.of(requested, summarize(judged, requested))).text
    assert "No configuration is non-inferior at a margin of 2 points." in content
    assert content.index("No configuration is non-inferior") < content.index("how to read") < content.index("Figures")
    assert "Confidence" not in content


def test_failed_limits_come_first() -> None:
    """With drop, interval and limit, and those on costs and of saved runs; what passed or is undecided is not there."""
    requested = experiments.settings()
    part = Part(quantity="train time", standing="worse", sentence="train time: 2.000× the saved run's, at most 1.5×")
    undecided = Part(quantity="energy", standing="undecided", sentence="energy: unknown")
    slow = replace(experiments.judged("emb+L0", 0.9), parts=(part, undecided))
    judged = [experiments.judged("none", 0.9), experiments.judged("emb", 0.7), slow]
    content = _made(Experiment.of(requested, summarize(judged, requested))).text
    head, headline, _ = content.partition("No configuration")
    assert headline
    assert re.search(
        r"emb: INFERIOR: drop \+18\.9 \[\+1\d\.\d, \+2\d\.\d\], limit 5 points, 3 seeds\. "
        r"emb\+L0: EXCEEDED: train time: 2\.000× the saved run's, at most 1\.5×\.",
        head,
    )
    assert "energy" not in head
    free = [experiments.judged("none", 0.9), experiments.judged("emb", 0.7, limit=None)]
    assert "INFERIOR:" not in _made(Experiment.of(requested, summarize(free, requested))).text.partition("Figures")[0]


def test_an_invalid_baseline_is_a_failed_experiment() -> None:
    """The cause is given once, and there are no figures to compare."""
    content = _made(broken_experiment()).text
    assert "The experiment failed: the unfrozen baseline is invalid: seed 42: non-finite loss: at step 3." in content
    assert content.count("non-finite loss") == 1
    assert "nothing is known about it, since no run was finished" in content


def test_the_table_can_be_sorted_by_keyboard() -> None:
    """Headings are buttons, and every cell has the figure to sort by, unless it was not measured."""
    outline = _made(experiment(everything=False))
    heads = [attributes for tag, attributes in outline.tags if tag == "th" and "aria-sort" in attributes]
    assert len(heads) > 10
    assert {head["aria-sort"] for head in heads} == {"none"}
    assert sum(tag == "button" and "class" not in attributes for tag, attributes in outline.tags) == len(heads)
    values = [attributes.get("data-value") for tag, attributes in outline.tags if tag == "td"]
    assert repr(5.0) in values
    assert None in values


def test_the_table_ends_with_the_majority_class() -> None:
    """Its line has the accuracy of always predicting the most frequent class, and is not sorted."""
    content = page([experiment()], [[PICTURE]])
    foot = re.findall("<tfoot>(.*?)</tfoot>", content)
    assert len(foot) == 1, "only the table with the accuracies has it"
    assert re.sub("<.*?>", " ", foot[0]).split() == ["majority", "class", "50.0"]
    head = re.findall("<thead>(.*?)</thead>", content)[0]
    accuracy = next(place for place, cell in enumerate(re.findall("<th.*?</th>", head)) if "test accuracy" in cell)
    assert re.findall("<t[hd].*?</t[hd]>", foot[0])[accuracy] == "<td>50.0</td>", "in the column of accuracies"


def test_times_of_contended_runs_are_marked() -> None:
    """The share of time is a column, no speed-up is shown, and a footnote says why."""
    requested = experiments.settings()
    arms = {freeze: made_up.seeds(freeze) for freeze in ("none", "emb")}
    busy = {freeze: [made_up.contended(run, 0.41) for run in runs] for freeze, runs in arms.items()}
    judged = [judge(freeze, runs, busy["none"], margin_pp=2.0, limit_pp=None) for freeze, runs in busy.items()]
    outline = _made(Experiment.of(requested, summarize(judged, requested)))
    assert "time waiting for a processor" in outline.text
    assert f"5.00 s {MARK}" in outline.text
    assert "Contended: " in outline.text
    assert "as fast (" not in outline.text
    together = _Outline(page([Experiment.of(requested, summarize(judged, requested))] * 2, NO_MATPLOTLIB)).text
    assert f"10.0 s {MARK}" in together[: together.index("1 → 2: what changed")]


def test_the_breakdown_of_time_is_shown_where_it_is_known() -> None:
    """Shares of a step per configuration; without recorded phases there is no table."""
    content = _made(experiment()).text
    assert "How the time is spent" in content
    assert "50 %" in content
    assert "How the time is spent" not in _made(experiment(everything=False)).text


def test_data_card_environment_protocol_footnotes_and_command_are_there() -> None:
    """They have the figures of this experiment."""
    shown = experiment()
    content = _made(shown).text
    for part in (
        "7 of 400 test sentences also occur in train",
        "2 of 50 validation sentences",
        "60 (60.0 %)",
        "words per training sentence: median 3",
        "torch 2.13.0",
        "batch size 16",
        "max length what model and tokenizer allow",
        "prefix mode eval (engine's default)",
        "seeds 42, 43, 44",
        "pytest benchmarks --freeze-preset=embedded",
    ):
        assert part in content.replace("Words per", "words per")
    for line in (*shown.summary.lines, *shown.summary.notes):
        # Code inside of a sentence is an element of its own.
        assert content.replace(" ", "").count(line.removeprefix("Data: ").replace(" ", "")) == 1


def test_a_loss_is_not_marked_as_a_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where freezing needs more memory, the tile of memory shows a loss in words and by its class."""
    assert 'class="tile loss"' not in page([experiment()], [[PICTURE]])
    real = experiments.on_gpu

    def with_larger_peak(record: RunRecord, **changes: Any) -> RunRecord:
        peak = Reading(value=(1 if record.spec.freeze == "none" else 2) * 2.0**30, unit="B", source="torch")
        measured = real(record, **changes)
        return replace(measured, readings={**measured.readings, "peak_allocated_bytes": peak})

    monkeypatch.setattr(experiments, "on_gpu", with_larger_peak)
    shown = page([experiment()], [[PICTURE]])
    assert shown.count('class="tile loss"') == 1
    assert '<div class="tile loss"><h3>Memory</h3><strong>100 % more</strong>' in shown


def test_hostile_names_labels_and_notes_are_text() -> None:
    """Every text of the experiment is shown unchanged and never becomes a tag."""
    harmless = _made(experiment())
    facts = made_up.record().data
    assert facts is not None
    facts = replace(facts, label_names=(HOSTILE, "b"), notes=(HOSTILE,))
    shown = experiment(flags={"model": HOSTILE, "data": HOSTILE}, data=facts, environment={HOSTILE: HOSTILE})
    missing = Missing(name="x", title=HOSTILE, reason=HOSTILE)
    content = page([replace(shown, source=HOSTILE)], [[missing, replace(PICTURE, title=HOSTILE, alt=HOSTILE)]])
    assert HOSTILE not in content
    assert html.escape(HOSTILE) in content
    outline = _Outline(content)
    assert HOSTILE in outline.text
    allowed = {tag for tag, _ in harmless.tags}
    assert {tag for tag, _ in outline.tags} <= allowed
    assert sum(tag == "script" for tag, _ in outline.tags) == 1
    assert not [name for _, attributes in outline.tags for name in attributes if name.startswith("on")]


def test_the_policy_allows_this_style_and_script_and_nothing_else() -> None:
    """The hashes fit the page's style and script; nothing is loaded from outside."""
    content = page([experiment()], [draw(experiment())])
    outline = _Outline(content)
    policy = next(
        str(attributes["content"]) for tag, attributes in outline.tags if attributes.get("http-equiv") and tag == "meta"
    )
    assert "default-src 'none'" in policy
    for kind in ("style", "script"):
        inner = re.findall(rf"<{kind}>(.*?)</{kind}>", content, re.DOTALL)
        assert len(inner) == 1
        digest = base64.b64encode(hashlib.sha256(inner[0].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    addresses = [
        str(value) for _, attributes in outline.tags for name, value in attributes.items() if name in ("src", "href")
    ]
    assert addresses
    assert all(address.startswith(("data:image/svg+xml;base64,", "#")) for address in addresses)
    # The policy would refuse them.
    assert not [attributes for _, attributes in outline.tags if "style" in attributes]


def test_without_matplotlib_the_page_says_how_to_get_the_pictures() -> None:
    """The other sections are unchanged."""
    content = _Outline(page([experiment()], NO_MATPLOTLIB)).text
    assert NO_MATPLOTLIB in content
    assert "Freeze emb+L0: " in content


def test_several_experiments_are_shown_side_by_side() -> None:
    """The later one is compared with the first where that is possible."""
    first, second = replace(experiment(), source="before"), replace(experiment(num=2), source="after")
    content = _Outline(page([first, second], [[PICTURE], [PICTURE]], [PICTURE])).text
    assert content.startswith("freezebench report: tiny freezebench report · 2 experiments")
    assert content.index("1: tiny on made-up (before)") < content.index("2: tiny on made-up (after)")
    assert "1 → 2: what changed" in content
    assert "(1.000×)" in content
    stranger = experiment(flags={"model": "other"}, spec=replace(made_up.record().spec, model="other"))
    strangers = _Outline(page([first, stranger, stranger], NO_MATPLOTLIB)).text
    assert strangers.count("Not compared line by line: 1 with 2, 3: ") == 1


def test_a_reproduction_is_compared_with_the_notebook() -> None:
    """Every figure has its difference, for the notebook's preset only."""
    content = _made(experiment(flags={"preset": "notebook"})).text
    assert "Comparison with the notebook's published figures" in content
    assert re.search(r"88\.9 → 8\d\.\d \([+-]\d\.\d\)", content)
    assert "Comparison with the notebook" not in _made(experiment()).text


def test_the_tests_that_ran_are_named() -> None:
    """The command runs them again; a report of version 0.1, which does not name them, says so."""
    tests = ("tests/test_film.py::test_it", "tests/test_my film.py::test_it[emb]")
    content = _made(replace(experiment(), tests=tests)).text
    assert "pytest tests/test_film.py::test_it 'tests/test_my film.py::test_it[emb]' --freeze-preset" in content
    assert "replace benchmarks by your test file" not in content
    assert "replace benchmarks by your test file" in _made(experiment()).text


def test_elements_escape_text_and_attributes() -> None:
    """Elements inside elements are not escaped again; ``None`` is left out."""
    assert (
        element("p", "<b>", element("b", "x"), None, class_='"', id=None) == '<p class="&quot;">&lt;b&gt;<b>x</b></p>'
    )
    assert element("img", alt="a & b") == '<img alt="a &amp; b">'
    assert text(Html("<i>")) == "<i>"
    assert text(None) == ""


def test_a_histogram_holds_every_sentence() -> None:
    """Sizes are grouped into at most forty bars; without sentences there is no drawing."""
    drawing = histogram([0, 3, *([1] * 120)], "words")
    assert drawing.count("<rect") <= 40
    counts = [int(count) for count in re.findall(r"<title>[^:]*: (\d+)</title>", drawing)]
    assert sum(counts) == 123
    assert "median" in drawing
    assert histogram([], "words") == "<p>words: there are none.</p>"


def test_the_page_is_made_without_matplotlib_and_torch() -> None:
    """Making the page imports neither."""
    script = (
        "import sys, experiments; from freezebench.report.page.page import page\n"
        "page([experiments.experiment()], 'none')\n"
        "assert not {'matplotlib', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd="tests")


def test_what_was_not_run_is_in_the_table_with_its_reason() -> None:
    """Alone, and next to other experiments; the page is made even if nothing was run."""
    content = page([partly_fixed_experiment()], [[]])
    assert re.findall('<td[^>]*class="word faint">– (same as none|left out)</td>', content) == [
        "same as none",
        "left out",
    ]
    assert "Left out: emb+L0-1, since nothing of tiny would be left to train." in content
    assert "Nothing to compare: emb, emb+L0 train the same parameters as none." in page([not_run_experiment()], [[]])
    several = page([experiment(), partly_fixed_experiment(), not_run_experiment()], "no pictures")
    assert "Only in the saved run: emb (tiny on made-up)." in several
    assert "they have no configuration in common" in several


def test_strategies_are_explained_with_their_source() -> None:
    """A name such as bitfit says little; names have an explanation, and so have strategies in print."""
    baseline = made_up.seeds("none")
    results = [
        judge(name, made_up.seeds(name), baseline, margin_pp=2.0, limit_pp=None) for name in ("none", "emb+bitfit")
    ]
    content = page([Experiment.of(experiments.settings(), summarize(results, experiments.settings()))], [[]])
    assert "bitfit: biases and the head (Ben Zaken, Goldberg and Ravfogel 2022)." in content
    assert 'title="freezes the embeddings; trains biases and the head (Ben Zaken' in content
    # A tooltip needs a pointer; the same is in a list that opens on request.
    assert "<dd>freezes the embeddings; trains biases and the head (Ben Zaken" in content
    assert "<dd>mean over the seeds, lower is better</dd>" in content


@pytest.mark.parametrize(
    ("task", "metric", "margin", "shown"),
    [
        ("regression", "rmse", 0.1, "root_mean_squared_error); drops are in units of the label"),
        ("multi-label", None, 2.0, "<dd>2 points of macro F1</dd>"),
        ("token-classification", None, 2.0, "<dd>token-classification</dd>"),
    ],
)
def test_the_protocol_names_task_and_metric(task: TaskName, metric: str | None, margin: float, shown: str) -> None:
    """With its definition; of a classifier's accuracy, which is usual, only the margin."""
    shown_page = page([made_up_tasks.experiment(task, metric, margin=margin)], "no pictures")
    assert shown in shown_page
    usual = page([experiment()], "no pictures")
    assert "<dt>task</dt>" not in usual
    assert "<dt>metric</dt>" not in usual


def test_experiments_are_compared_by_their_metric() -> None:
    """The table of what changed has the metric's own column."""
    shown = [made_up_tasks.experiment("multi-label") for _ in range(2)]
    text = page(shown, "no pictures")
    assert "1 → 2: what changed" in text
    assert ">macro F1 %</th>" in text
