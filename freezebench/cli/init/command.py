"""``init``: a first freeze test, keys of pytest's configuration and a workflow, written into a project."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from freezebench.cli.arguments import parsed_argument
from freezebench.cli.init import freeze_test, workflow
from freezebench.cli.init.configuration import PytestConfiguration, find_configuration
from freezebench.cli.init.experiment import FALLBACK_MODEL, Experiment, Given, choose_experiment, path_name
from freezebench.cli.init.project import (
    WORKFLOWS,
    Repository,
    arguments_of_pytest,
    find_repository,
    folder_of_tests,
    freeze_tests,
    installed_source,
    is_ignored,
    is_tracked,
    names_of_test,
    needs_itself,
    workflows_with,
)
from freezebench.cli.output import write_lines
from freezebench.config.parsers import choice_parser, parse_columns
from freezebench.errors import SettingsError
from freezebench.escaping import shell_word
from freezebench.records.files import write_whole
from freezebench.specs.names import TASKS
from freezebench.units import listed

if TYPE_CHECKING:
    import argparse

    from freezebench.specs.names import TaskName

_MOST_NAMED = 3
_OPTION_PREFIX = "freeze_"
_REPORTS = "reports"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file to write, or why it is not written.

    Attributes:
        path: Its path.
        text: Its whole text; ``None``: it stays as it is, or is not written.
        what: What is done, as the end of its line.
        shown: The lines that are new.
    """

    path: Path
    text: str | None
    what: str
    shown: str = ""


def init_project(options: argparse.Namespace) -> int:
    """Write what a project lacks of test, keys and workflow, print what was found and written, and return 0.

    Raises:
        FreezebenchError: If there are several models or data sets, or something that was named or found is not usable.
        OSError: If a file cannot be written.
    """
    # Without the links in it, as git names its folders.
    folder = Path(os.path.realpath(options.folder))
    if not folder.is_dir():
        raise SettingsError(f"{options.folder}: there is no such folder. Give the folder of a project.")
    given = _given(options)
    repository = find_repository(folder)
    configuration = find_configuration(folder)
    if configuration is None:
        _refuse_configuration_above(folder, repository)
    tests, tests_source = folder_of_tests(folder, configuration)
    written = freeze_tests(tests)
    experiment = Experiment() if written else choose_experiment(folder, given)
    file_name, function = names_of_test(configuration)
    target = written[0] if len(written) == 1 else tests if written else tests / file_name
    arguments = arguments_of_pytest(folder, target, configuration)
    files = [
        _test_file(target, function, experiment, is_there=bool(written)),
        _configuration_file(folder, configuration),
        _workflow_file(
            folder,
            repository,
            arguments=arguments,
            package=_package(experiment),
            with_project=needs_itself(folder, tests),
        ),
    ]
    found = {
        "tests": f"{path_name(folder, tests)} ({tests_source})",
        "pytest's keys": _configuration_text(configuration),
        **experiment.found,
        "repository": _repository_text(repository),
        "Python": f"{_PYTHON}, this interpreter's",
        "device": _device_text(),
    }
    write_lines(["Found", *(f"  {name:<14}{text}" for name, text in found.items()), ""])
    if not options.dry_run:
        for file in files:
            if file.text is not None:
                _write(file.path, file.text)
    write_lines(_result_lines(folder, files, is_dry_run=options.dry_run))
    notes = [*experiment.notes, *_notes(folder, repository, files, experiment)]
    if written and given.options:
        notes.insert(0, _unused_text(given, folder, written))
    write_lines(["", "Notes", *(f"  - {note}" for note in notes)] if notes else [])
    write_lines(["", "Next", *(f"  {command}" for command in _next_commands(folder, arguments))])
    return 0


def _given(options: argparse.Namespace) -> Given:
    """Return what the command line says of the experiment.

    Raises:
        SettingsError: If a name of columns or the task cannot be parsed.
    """
    columns, task = options.text_column, options.task
    task = None if task is None else parsed_argument(choice_parser(*TASKS), task, "--task")
    return Given(
        model=options.model,
        data=options.data,
        text_columns=None if columns is None else parsed_argument(parse_columns, columns, "--text-column"),
        label_column=options.label_column,
        task=cast("TaskName | None", task),
    )


def _unused_text(given: Given, folder: Path, written: list[Path]) -> str:
    """Return the note on options that change nothing, since there are freeze tests already."""
    names = listed([path_name(folder, path) for path in written], _MOST_NAMED)
    return (
        f"{', '.join(given.options)} had no effect: {names} has freeze tests already, and they stay as they are. Write "
        "a further test there, or one in a new file, with these arguments in its marker."
    )


def _write(path: Path, text: str) -> None:
    """Write a file; one that is there keeps its mode, and a link stays a link."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = Path(os.path.realpath(path))
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    write_whole(target, text)
    if mode is not None:
        target.chmod(mode)


def _refuse_configuration_above(folder: Path, repository: Repository | None) -> None:
    """Refuse a folder whose pytest takes its configuration from a folder above: a file in it would hide that.

    Raises:
        SettingsError: If there is one within the repository.
    """
    for parent in folder.parents:
        if repository is None or not parent.is_relative_to(repository.top):
            return
        above = find_configuration(parent)
        if above is not None:
            raise SettingsError(
                f"pytest takes its configuration of {folder} from {above.path}, in a folder above. Run this command "
                f"for that folder: python -m freezebench init {shell_word(str(parent))}"
            )


def _test_file(target: Path, function: str, experiment: Experiment, *, is_there: bool) -> _File:
    if is_there:
        return _File(path=target, text=None, what="has freeze tests already: left as it is")
    if target.exists():
        raise SettingsError(
            f"{target} is there and holds no freeze test. Rename it, so that a freeze test can be written there."
        )
    text = freeze_test.source_of_test(function, experiment.arguments)
    return _File(path=target, text=text, what="a freeze test", shown=text)


def _configuration_file(folder: Path, found: PytestConfiguration | None) -> _File:
    configuration = found or PytestConfiguration(path=folder / "pytest.ini")
    own = [key for key in configuration.keys if key.startswith(_OPTION_PREFIX)]
    if own:
        what = f"has {listed(own, _MOST_NAMED)} already: left as it is"
        return _File(path=configuration.path, text=None, what=what)
    lines = configuration.lines(freeze_test.KEYS)
    text = configuration.with_keys(freeze_test.KEYS, freeze_test.KEYS_COMMENT)
    if text is None:
        what = f"left as it is: add {' and '.join(lines)} to its {configuration.section} yourself"
        return _File(path=configuration.path, text=None, what=what)
    what = f"{', '.join(freeze_test.KEYS)} in {configuration.section}"
    return _File(path=configuration.path, text=text, what=what, shown="".join(f"{line}\n" for line in lines))


def _package(experiment: Experiment) -> str:
    """Return what a runner installs, with the embedded model where it is trained, or where that is not known."""
    models = [argument.value for argument in experiment.arguments if argument.name == "model"]
    return "freezebench" if models and FALLBACK_MODEL not in models else workflow.REQUIREMENT


def _workflow_file(
    folder: Path, repository: Repository | None, *, arguments: str, package: str, with_project: bool
) -> _File:
    path = folder / WORKFLOWS / workflow.FILE_NAME
    if repository is None or not repository.has_github:
        what = "not written: there is no remote on GitHub and no folder .github. Make one, and run this command again"
        return _File(path=path, text=None, what=what)
    there = workflows_with(repository.top, "freezebench")
    if there or path.exists():
        return _File(path=there[0] if there else path, text=None, what="is there already: left as it is")
    if repository.top != folder:
        what = f"not written: workflows are in {repository.top / WORKFLOWS}. Run this command there"
        return _File(path=path, text=None, what=what)
    git_source, _ = installed_source()
    text = workflow.workflow(
        branch=repository.branch,
        python=_PYTHON,
        tests=arguments,
        requirement=package if git_source is None else f"{package} @ {git_source}",
        with_project=with_project,
    )
    return _File(path=path, text=text, what="a workflow of GitHub Actions", shown=text)


def _result_lines(folder: Path, files: list[_File], *, is_dry_run: bool) -> list[str]:
    """Return what was written, or what would be, with the new lines."""
    lines = ["Would write" if is_dry_run else "Wrote"]
    for file in files:
        if file.text is not None:
            lines.append(f"  {path_name(folder, file.path)}: {file.what}")
            lines += [f"    | {line}".rstrip() for line in file.shown.splitlines()] if is_dry_run else []
    if len(lines) == 1:
        lines.append("  nothing")
    left = [f"  {path_name(folder, file.path)} {file.what}" for file in files if file.text is None]
    return [*lines, *(["", "Not written", *left] if left else [])]


def _notes(folder: Path, repository: Repository | None, files: list[_File], experiment: Experiment) -> list[str]:
    """Return what a person should know before the files are committed."""
    notes = []
    has_workflow = any(file.text is not None and WORKFLOWS in str(file.path) for file in files)
    untracked = [path_name(folder, path) for path in experiment.paths if has_workflow and not is_tracked(path)]
    if untracked:
        notes.append(
            f"git does not have {listed(untracked, _MOST_NAMED)}, so that the workflow would not find it. Commit it; "
            "with Git LFS, add `with: {lfs: true}` below actions/checkout. Or name a model or data set of the Hub."
        )
    _, local_source = installed_source()
    if has_workflow and local_source is not None:
        notes.append(
            f"freezebench was installed from {local_source}, which a hosted runner does not have. Write an address "
            f"that it can reach into the workflow's line with pip, such as {_package(experiment)} @ git+https://…."
        )
    if repository is not None and not is_ignored(folder / _REPORTS):
        notes.append(f"git does not ignore {_REPORTS}/, where the last command below writes. Add it to .gitignore.")
    others = workflows_with(repository.top, "pytest") if repository else []
    own = {file.path for file in files}
    names = [path_name(folder, path) for path in others if path not in own]
    there = f" Change it in {listed(names, _MOST_NAMED)}, which would train, too." if names else ""
    notes.append(f'A session of all tests trains: `pytest -m "not freeze"` leaves freeze tests out.{there}')
    return notes


def _next_commands(folder: Path, arguments: str) -> list[str]:
    elsewhere = [f"cd {shell_word(str(folder))}"] if folder != Path(os.path.realpath(Path.cwd())) else []
    return [*elsewhere, f"pytest {arguments} --freeze-plan", f"pytest {arguments} --freeze-report={_REPORTS}"]


def _configuration_text(found: PytestConfiguration | None) -> str:
    return "none" if found is None else f"{found.section} of {found.path.name}"


def _repository_text(repository: Repository | None) -> str:
    if repository is None:
        return "none"
    host = "git, GitHub" if repository.has_github else "git, not on GitHub"
    return f"{host}; default branch {repository.branch} ({repository.branch_source})"


def _device_text() -> str:
    from freezebench.models.availability import cuda_visible

    return "a CUDA GPU; the workflow is for hosted CPUs" if cuda_visible() else "the CPU: no CUDA GPU was found"
