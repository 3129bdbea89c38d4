"""`python -m freezebench`."""

from __future__ import annotations

import io
import sys

if __name__ == "__main__":
    # Python puts the current folder first, where a json.py would be imported by the command.
    if not sys.flags.safe_path:
        del sys.path[0]
    try:
        from freezebench.cli import main
    except KeyboardInterrupt:  # the imports take long enough for Ctrl-C
        raise SystemExit(130) from None
    # A character that the encoding of a terminal or a pipe lacks is no reason to end in a traceback.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    raise SystemExit(main(sys.argv[1:]))
