"""Commands with wrong input, and with an output that cannot be written: a sentence and a documented code each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from freezebench.cli import main
from saved_runs import benchmark_json, configuration, write

COMMAND = [sys.executable, "-m", "freezebench"]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with what is no saved run, and one that is."""
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("text").write_text("hello", encoding="utf-8")
    Path("binary").write_bytes(b"\xff\xfe\x00")
    Path("loop").symlink_to("loop")
    os.mkfifo("pipe")
    write(tmp_path / "good.json", benchmark_json(configuration("emb", num=5)))
    return tmp_path


WRONG = [
    "",
    "nothing",
    "empty",
    "text",
    "binary",
    "loop",
    "pipe",
    "/dev/zero",
    "x" * 300,
    "a/" * 3000,
    "~no-user/x",
]


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("path", WRONG, ids=range(len(WRONG)))
@pytest.mark.parametrize(
    "arguments", [["compare", "PATH", "good.json"], ["compare", "good.json", "PATH"], ["report", "PATH"]]
)
def test_what_is_no_saved_run_is_refused(arguments: list[str], path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Missing, a folder without a report, a file without JSON, a link to itself, a pipe, a device, a long name."""
    assert main([path if word == "PATH" else word for word in arguments]) == 4
    output, error = capsys.readouterr()
    assert output == ""
    assert error.startswith("error: ")
    assert "Traceback" not in error


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: the following arguments are required: COMMAND"),
        (["frobnicate"], "error: argument COMMAND: invalid choice: 'frobnicate'"),
        (["doctor", "x"], "error: unrecognized arguments: x"),
        (["fetch", "x"], "error: unrecognized arguments: x"),
        (["compare"], "error: the following arguments are required: OLD, NEW"),
        (["compare", "a"], "error: the following arguments are required: NEW"),
        (["compare", "a", "b", "c"], "error: unrecognized arguments: c"),
        (["compare", "--strict=1", "a", "b"], "error: argument --strict: ignored explicit argument '1'"),
        (["compare", "good.json", "good.json", "--margin="], "error: --margin=: "),
        (["report"], "error: the following arguments are required: DIR|JSON"),
        (["report", "good.json"], "is a pytest-benchmark file"),
        (["report", "a", "b"], "error: several reports make one page: name its folder with --output=DIR."),
        (["report", "good.json", "--output="], "error: --output=: the value is empty."),
        (["report", "good.json", "--output=text"], "error: --output=text: cannot write there (it is no folder)."),
        (["report", "good.json", "--output=loop"], "error: --output=loop: cannot write there"),
        (
            ["report", "good.json", "--output=~no-user/x"],
            "there is no home folder that '~no-user' could name.",
        ),
    ],
)
def test_a_wrong_command_line_exits_with_code_4(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said what is wrong, and nothing is made."""
    assert main(arguments) == 4
    assert message in " ".join(capsys.readouterr().err.split())
    assert not Path("~no-user").exists()


def test_a_folder_that_may_not_be_read_is_refused(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever the system says so: root, as which tests may run, can read everything."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(workplace / "good.json"))

    monkeypatch.setattr("freezebench.records.saved_files.read_saved_run", refuse)
    assert main(["compare", "good.json", "good.json"]) == 4
    error = " ".join(capsys.readouterr().err.split())
    assert error.startswith("error: ")
    assert "good.json: Permission denied. Give a path that can be read" in error


@pytest.mark.usefixtures("workplace")
def test_a_reader_that_stops_is_no_error_of_ours() -> None:
    """``| head -1`` may close the pipe before everything is written: 141, as of a program that the signal ends."""
    read, written = os.pipe()
    os.close(read)
    command = [*COMMAND, "compare", "good.json", "good.json"]
    result = subprocess.run(command, stdout=written, stderr=subprocess.PIPE, text=True, check=False)
    os.close(written)
    assert (result.returncode, result.stderr) == (141, "")


@pytest.mark.usefixtures("workplace")
def test_a_full_disk_and_no_output_at_all() -> None:
    """A sentence where the output cannot be written, and the usual code where nobody wants it."""
    command = [*COMMAND, "compare", "good.json", "good.json"]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 4
    assert result.stderr.startswith("error: standard output: No space left on device.")
    closed = subprocess.run(["/bin/sh", "-c", f"{' '.join(command)} >&- 2>&-"], check=False)
    assert closed.returncode == 0


def test_ctrl_c_ends_in_one_word(tmp_path: Path) -> None:
    """And in the code that a shell gives to a program that it ends."""
    (tmp_path / "sitecustomize.py").write_text(
        "import freezebench.cli as cli, signal, time\n"
        "cli._run = lambda _: (print('ready', flush=True), time.sleep(60))[1]\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    with subprocess.Popen(
        [*COMMAND, "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == "interrupted\n"
    assert process.returncode == 130


def test_files_of_the_current_folder_are_not_imported(workplace: Path) -> None:
    """Neither those with names of the standard library nor those with names of libraries."""
    for name in ("json", "random", "csv", "argparse", "statistics", "numpy", "tabulate"):
        (workplace / f"{name}.py").write_text("raise RuntimeError('executed')\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [*COMMAND, "compare", "good.json", "good.json"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
