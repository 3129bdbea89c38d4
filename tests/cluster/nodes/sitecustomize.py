"""Lets processes of a test cluster's node start the worker that a test gives, in place of freezebench's own."""

import os
import sys

if "NODE_WORKER" in os.environ:
    from freezebench import child_process

    def command(module: str, *arguments: str) -> list[str]:  # noqa: ARG001 - as in the package
        """Return the command line of that worker, whose last argument is the socket."""
        return [sys.executable, os.environ["NODE_WORKER"], arguments[-1]]

    child_process.command = command
