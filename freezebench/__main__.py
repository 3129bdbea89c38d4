"""`python -m freezebench`."""

from __future__ import annotations

import sys

from freezebench.cli import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
