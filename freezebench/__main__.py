"""`python -m freezebench`."""

from __future__ import annotations

import io
import sys

from freezebench.cli import main

if __name__ == "__main__":
    # A character that the encoding of a terminal or a pipe lacks is no reason to end in a traceback.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    raise SystemExit(main(sys.argv[1:]))
