"""``init``: what it writes and prints, what it leaves as it is, and that pytest takes what it wrote."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import copytree

import datasets  # noqa: F401 - pytester forgets what its sessions import, and these cannot be imported twice
import pytest
import torch  # noqa: F401

from freezebench.cli import main


@pytest.fixture
def project(tmp_path: Path, tiny_model: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a project with a checkpoint, data and a configuration of pytest, with git and GitHub."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:cacheprovider")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "project"
    copytree(tiny_model, folder / "my-checkpoint")
    copytree(tiny_data, folder / "my-reviews")
    monkeypatch.chdir(folder)
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = "-ra"\n', encoding="utf-8")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)  # noqa: S607
    (folder / ".github").mkdir()
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a project, those of git and pytest aside."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    texts = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    return {
        name: text for name, text in texts.items() if not name.startswith((".git/", ".pytest_cache", ".benchmarks"))
    }


def test_what_it_writes_can_be_planned_at_once(
    pytester: pytest.Pytester, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the very command that it prints; in continuous integration, too."""
    assert main(["init"]) == 0
    output = capsys.readouterr().out
    assert "  tests/test_freezing.py: a freeze test" in output.replace("./tests", "tests")
    assert "./pyproject.toml: freeze_preset, freeze_num_seeds in [tool.pytest.ini_options]" in output
    assert "./.github/workflows/freezing.yml: a workflow of GitHub Actions" in output
    assert "\n  task          sequence-classification (the model's head was fine-tuned for it; if the numbers" in output
    # The embedded model is not trained.
    text = (project / ".github/workflows/freezing.yml").read_text(encoding="utf-8")
    assert "https://download.pytorch.org/whl/cpu freezebench\n" in text
    assert "git does not have ./my-checkpoint, ./my-reviews, so that the workflow would not find it." in output
    assert "git does not ignore reports/, where the last command below writes. Add it to .gitignore." in output
    (project / ".gitignore").write_text("reports/\n", encoding="utf-8")
    assert main(["init", "--dry-run"]) == 0
    assert "git does not ignore" not in capsys.readouterr().out
    commands = output.partition("Next\n")[2].split("\n")
    assert commands[:2] == [
        "  pytest tests/test_freezing.py --freeze-plan",
        "  pytest tests/test_freezing.py --freeze-report=reports",
    ]
    result = pytester.runpytest_inprocess(*commands[0].split()[1:])
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*5 seeds*", "*smallest margin*"])
    assert (project / "pyproject.toml").read_text(encoding="utf-8").startswith("[tool.pytest.ini_options]\naddopts = ")


def test_a_file_keeps_its_mode_and_a_link_stays_a_link(project: Path) -> None:
    """The configuration may be shared, or not be for everyone."""
    target = project.parent / "shared.toml"
    (project / "pyproject.toml").rename(target)
    target.chmod(0o640)
    (project / "pyproject.toml").symlink_to(target)
    assert main(["init"]) == 0
    assert (project / "pyproject.toml").is_symlink()
    assert "freeze_preset" in target.read_text(encoding="utf-8")
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_second_call_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says what is there already."""
    assert main(["init"]) == 0
    before = files_of(project)
    capsys.readouterr()
    assert main(["init"]) == 0
    output = capsys.readouterr().out
    assert files_of(project) == before
    assert "Wrote\n  nothing\n" in output
    assert "./tests/test_freezing.py has freeze tests already: left as it is" in output
    assert "./pyproject.toml has freeze_preset, freeze_num_seeds already: left as it is" in output
    assert "./.github/workflows/freezing.yml is there already: left as it is" in output


def test_options_that_have_no_effect_are_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there are freeze tests already; with what to do."""
    (project / "tests").mkdir()
    (project / "tests" / "test_topics.py").write_text("def test_it(freeze_run): ...\n", encoding="utf-8")
    assert main(["init", "--data=./my-reviews", "--text-column=text"]) == 0
    output = capsys.readouterr().out
    assert "Notes\n  - --data, --text-column had no effect: ./tests/test_topics.py has freeze tests already" in output
    assert "Write a further test there, or one in a new file, with these arguments in its marker." in output
    assert main(["init"]) == 0
    assert "no effect" not in capsys.readouterr().out


def test_a_dry_run_writes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the lines of every file."""
    before = files_of(project)
    assert main(["init", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert files_of(project) == before
    assert "Would write\n" in output
    for line in ('    |     model="./my-checkpoint",', '    | freeze_preset = "embedded"', "    | name: freezing"):
        assert line in output.splitlines()


def test_other_files_are_left_as_they_are(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A freeze test of another name, keys of another session, a workflow that runs freezebench."""
    (project / "checks").mkdir()
    (project / "checks" / "test_mine.py").write_text("def test_it(freeze_run): ...\n", encoding="utf-8")
    (project / "pytest.ini").write_text("[pytest]\ntestpaths = checks\nfreeze_lr = 1e-3\n", encoding="utf-8")
    (project / ".github" / "workflows").mkdir()
    (project / ".github" / "workflows" / "mine.yml").write_text("# freezebench\n", encoding="utf-8")
    before = files_of(project)
    assert main(["init"]) == 0
    assert files_of(project) == before
    assert "pytest checks/test_mine.py --freeze-plan" in capsys.readouterr().out


def test_without_github_there_is_no_workflow(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is said; a configuration that lines cannot change is left, with the lines to add."""
    (project / ".github").rmdir()
    (project / "pyproject.toml").write_text('[tool.pytest]\nini_options = { addopts = "-ra" }\n', encoding="utf-8")
    assert main(["init"]) == 0
    output = capsys.readouterr().out
    assert not (project / ".github").exists()
    assert "not written: there is no remote on GitHub and no folder .github" in output
    assert 'add freeze_preset = "embedded" and freeze_num_seeds = "5" to its [tool.pytest.ini_options]' in output


def test_another_workflow_with_pytest_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would train, too."""
    (project / ".github" / "workflows").mkdir()
    (project / ".github" / "workflows" / "ci.yml").write_text("run: pytest\n", encoding="utf-8")
    assert main(["init"]) == 0
    output = capsys.readouterr().out
    assert '`pytest -m "not freeze"` leaves freeze tests out. Change it in ./.github/workflows/ci.yml, which' in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "missing: there is no such folder. Give the folder of a project."),
        (["my-reviews"], "in a folder above. Run this command for that folder: python -m freezebench init "),
        (["--text-column=a,b,c"], "--text-column=a,b,c: give one column"),
        (["--task=stars"], "--task=stars: choose from sequence-classification, regression, multi-label, token-"),
        (["--model=./nothing"], "there is no such folder"),
        (["--data=./my-checkpoint"], "has no train file"),
    ],
)
def test_bad_input_writes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Exit code 4, and a sentence that says what to do."""
    before = files_of(project)
    assert main(["init", *arguments]) == 4
    assert message in capsys.readouterr().err
    assert files_of(project) == before


def test_a_test_module_of_that_name_is_not_overwritten(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be anything."""
    (project / "tests").mkdir()
    (project / "tests" / "test_freezing.py").write_text("def test_water(): ...\n", encoding="utf-8")
    assert main(["init"]) == 4
    assert "test_freezing.py is there and holds no freeze test. Rename it" in capsys.readouterr().err


def test_another_folder_can_be_named(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands begin with the way there."""
    monkeypatch.chdir(project.parent)
    assert main(["init", str(project), "--dry-run"]) == 0
    assert f"Next\n  cd {project.resolve()}\n  pytest tests/test_freezing.py --freeze-plan\n" in capsys.readouterr().out
