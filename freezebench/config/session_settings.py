"""Session settings: the options that hold for a whole session, resolved once from flags and ini keys."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freezebench.config.sources import Source, parse_sources
from freezebench.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezebench.config.sources import ParsedOptions
    from freezebench.specs.budget import BudgetLimit
    from freezebench.specs.names import Isolation

DEFAULT_ISOLATION: Isolation = "worker"
_NO = ("0", "false", "no", "off")


# Set by the services; several of them also set CI. The first four are not those of one service alone.
CI_VARIABLES = (
    "CI",
    "CONTINUOUS_INTEGRATION",
    "BUILD_NUMBER",
    "BUILD_ID",
    "APPVEYOR",
    "BITBUCKET_BUILD_NUMBER",
    "BUILDER_OUTPUT",  # Google Cloud Build
    "BUILDKITE",
    "CIRCLECI",
    "CODEBUILD_BUILD_ID",  # AWS CodeBuild
    "DRONE",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
    "TF_BUILD",  # Azure Pipelines
    "TRAVIS",
)


def in_ci() -> bool:
    """Return whether this runs under continuous integration, where what needs a person's attention is an error."""
    values = {name: os.environ.get(name, "").strip().lower() for name in CI_VARIABLES}
    # With CI=false, a person says that nothing is to be treated as continuous integration.
    return values["CI"] not in _NO and any(value not in ("", *_NO) for value in values.values())


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """Settings that all tests of a session share; no marker can change them.

    Attributes:
        cache_bytes: How much memory cached prefixes may take; ``None``: the cache's default.
        prefix_cache: Folder that keeps cached prefixes after the session; ``None``: they end with it.
        prefix_cache_bytes: How large that folder may become; ``None``: its default.
        plan: Whether the plan is shown and nothing runs.
        report: Folder of the report; ``None``: no report.
        trackers: Experiment trackers to which runs and verdicts are logged.
        save: Folder to which the recommended model is saved; ``None``: it is not saved.
        store: Folder of finished runs; ``None``: the default folder.
        resume: Whether finished runs of earlier sessions are reused.
        isolate: Where runs train.
        devices: Names of the devices that train at the same time, or ``all`` alone; empty: the one of each test.
        cluster: Address of the Ray cluster whose nodes train; ``None``: this machine trains.
        cluster_resource: A resource that its nodes must have to train; ``None``: all nodes train.
        budget: How many runs may be trained, or how long further ones may start; ``None``: without limit.
        timeout_s: How long one run may take, in seconds; ``None``: the default limit.
        anchor: A saved run that accuracy is compared with besides that of ``--benchmark-compare``; ``None``: none.
        compare_across: What may differ from a saved run.
        allow_unmatched: Freeze specs that may have no partner in a comparison; ``all`` alone admits every one.
    """

    cache_bytes: int | None = None
    prefix_cache: str | None = None
    prefix_cache_bytes: int | None = None
    plan: bool = False
    report: str | None = None
    trackers: tuple[str, ...] = ()
    save: str | None = None
    store: str | None = None
    resume: bool = True
    isolate: Isolation = DEFAULT_ISOLATION
    devices: tuple[str, ...] = ()
    cluster: str | None = None
    cluster_resource: str | None = None
    budget: BudgetLimit | None = None
    timeout_s: float | None = None
    anchor: str | None = None
    compare_across: tuple[str, ...] = ()
    allow_unmatched: tuple[str, ...] = ()


def resolve_session(sources: Sequence[Source], *, has_reference: bool = False) -> SessionSettings:
    """Return the settings of a session; the first source that sets an option wins.

    Args:
        sources: Flags and ini keys, in this order.
        has_reference: Whether results are going to be compared with a saved run.

    Raises:
        SettingsError: If a value cannot be parsed, or two options contradict each other.
    """
    options = parse_sources(sources, session_wide=True)
    # A limit that cannot be enforced must not seem to be in force.
    if options.get("isolate", "") == "none" and "timeout" in options:
        raise SettingsError(
            "--freeze-timeout ends the process that trains, and with --freeze-isolate=none that is pytest's own. "
            "Leave one of them out."
        )
    if options.get("isolate", "") == "none" and "devices" in options:
        raise SettingsError(
            "--freeze-devices gives each device a process, and with --freeze-isolate=none all runs train in pytest's "
            "own. Leave one of them out."
        )
    if "cluster" in options and "devices" in options:
        raise SettingsError(
            "--freeze-cluster trains on every device of a cluster, and --freeze-devices on some of this machine. Leave "
            "one of them out."
        )
    if "cluster" in options and options.get("isolate", "") == "none":
        raise SettingsError(
            "--freeze-cluster trains on the nodes of a cluster, and with --freeze-isolate=none all runs train in "
            "pytest's own process. Leave one of them out."
        )
    if "cluster_resource" in options and "cluster" not in options:
        raise SettingsError("--freeze-cluster-resource selects nodes of a cluster. Give --freeze-cluster as well.")
    _check_folders(options)
    return SessionSettings(
        cache_bytes=options.get("cache_memory", None),
        prefix_cache=options.get("prefix_cache", None),
        prefix_cache_bytes=options.get("prefix_cache_size", None),
        plan=options.get("plan", default=False),
        report=options.get("report", None),
        trackers=options.get("log", ()),
        save=options.get("save", None),
        store=options.get("store", None),
        # With a reference, reused times would be those of an earlier session, not of the code under test.
        resume=options.get("resume", not has_reference),
        isolate=options.get("isolate", DEFAULT_ISOLATION),
        devices=options.get("devices", ()),
        cluster=options.get("cluster", None),
        cluster_resource=options.get("cluster_resource", None),
        budget=options.get("budget", None),
        timeout_s=options.get("timeout", None),
        anchor=options.get("anchor", None),
        compare_across=options.get("compare_across", ()),
        allow_unmatched=options.get("allow_unmatched", ()),
    )


def _check_folders(options: ParsedOptions) -> None:
    """Check that a model is not saved to the folder of the report.

    Raises:
        SettingsError: If it is.
    """
    report: str | None = options.get("report", None)
    save: str | None = options.get("save", None)
    if report and save and os.path.realpath(report) == os.path.realpath(save):
        raise SettingsError(
            f"--freeze-save={save}: this is the folder of --freeze-report, and a model replaces the content of its "
            "folder. Name another folder for one of them."
        )
