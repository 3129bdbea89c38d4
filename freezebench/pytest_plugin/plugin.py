"""The pytest plugin: pytest finds hooks and fixtures as attributes of this module; each is defined with its concern."""

from freezebench.pytest_plugin.cases import pytest_generate_configurations, pytest_generate_tests
from freezebench.pytest_plugin.collection import pytest_collection, pytest_collection_modifyitems, pytest_itemcollected
from freezebench.pytest_plugin.fixtures import FreezeRun, freeze_run, freeze_spec
from freezebench.pytest_plugin.options import (
    pytest_addoption,
    pytest_configure,
    pytest_load_initial_conftests,
    pytest_testnodedown,
    pytest_unconfigure,
)
from freezebench.pytest_plugin.plan import pytest_report_collectionfinish
from freezebench.pytest_plugin.run_loop import pytest_runtestloop
from freezebench.pytest_plugin.summary import pytest_sessionfinish, pytest_terminal_summary

__all__ = [
    "FreezeRun",
    "freeze_run",
    "freeze_spec",
    "pytest_addoption",
    "pytest_collection",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_generate_configurations",
    "pytest_generate_tests",
    "pytest_itemcollected",
    "pytest_load_initial_conftests",
    "pytest_report_collectionfinish",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "pytest_unconfigure",
]
