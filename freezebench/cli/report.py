"""``report``: the page of saved runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from freezebench.cli.arguments import parsed_argument
from freezebench.cli.output import write_lines
from freezebench.config.parsers import parse_folder
from freezebench.errors import FreezebenchError, RecordError, SettingsError

if TYPE_CHECKING:
    import argparse


def make_report(options: argparse.Namespace) -> int:
    """Write the page of saved runs, print where, and return 0.

    Raises:
        FreezebenchError: If a file is bad or nothing can be written.
    """
    from freezebench.records.files import prepare_folder
    from freezebench.records.saved_files import report_file
    from freezebench.report.publish import publish_saved

    # The parser of --freeze-report, so that both refuse the same paths.
    paths, output = [Path(parsed_argument(parse_folder, text, "DIR")) for text in options.paths], options.output
    if output is None and len(paths) > 1:
        raise SettingsError("several reports make one page: name its folder with --output=DIR.")
    folder = report_file(paths[0]).parent if output is None else Path(parsed_argument(parse_folder, output, "--output"))
    prepare_folder(folder, "--output")
    try:
        written = publish_saved(folder, paths)
    except FreezebenchError:
        raise
    except OSError as error:
        raise SettingsError(
            f"the page could not be written to {folder} ({error.strerror or error}). Name another folder with "
            "--output=DIR."
        ) from error
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        # Files are not validated value by value when they are read, so a wrong type is found only here.
        names = ", ".join(map(str, paths))
        raise RecordError(
            f"{names}: holds something that cannot be shown ({error!r}). Run its session again with --freeze-report."
        ) from error
    write_lines([f"wrote {written[0]}" + (f" and {len(written) - 1} pictures" if written[1:] else "")])
    return 0
