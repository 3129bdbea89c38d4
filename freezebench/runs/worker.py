"""The worker's entry point: `python -m freezebench.runs.worker SPEC.json RECORD.json` runs one RunSpec, anywhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from freezebench.errors import FreezebenchError
from freezebench.records.files import write_whole
from freezebench.specs.run import RunSpec

_BAD_INPUT = 4
_NUM_ARGUMENTS = 2


def main(arguments: list[str]) -> int:
    """Run the spec in the first file and write its record to the second, which is complete or absent.

    Returns:
        0 once the record is written, whether the run was valid or not; 4 if what was asked cannot be.
    """
    if len(arguments) != _NUM_ARGUMENTS:
        sys.stderr.write("usage: python -m freezebench.runs.worker SPEC.json RECORD.json\n")
        return _BAD_INPUT
    spec_path, record_path = Path(arguments[0]), Path(arguments[1])
    try:
        spec = RunSpec.from_json(json.loads(spec_path.read_text(encoding="utf-8")))
        from freezebench.runs.experiment import run

        record = run(spec)
    except (FreezebenchError, OSError, json.JSONDecodeError) as error:
        sys.stderr.write(f"{error}\n")
        return _BAD_INPUT
    write_whole(record_path, json.dumps(record.to_json(), allow_nan=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
