"""Runs scripts of benchmarks/ in this process, to their end or until their arguments are parsed."""

from __future__ import annotations

import argparse
import runpy
import sys
from typing import NoReturn

import pytest

from snippets import ROOT


class ParsedError(Exception):
    """Ends a script once its arguments are parsed."""


def run_script(script: str, arguments: list[str]) -> None:
    """Run a script as Python does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str((ROOT / script).parent))
        patch.setattr(sys, "argv", [script, *arguments])
        runpy.run_path(str(ROOT / script), run_name="__main__")


def parse_script(script: str, arguments: list[str]) -> None:
    """Run a script up to the point where its arguments are parsed."""
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser: argparse.ArgumentParser, *args: object) -> NoReturn:
        parse(parser, *args)  # type: ignore[call-overload]  # whatever the script passes
        raise ParsedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
        with pytest.raises(ParsedError):
            run_script(script, arguments)
