"""`gr2st …`: the library from a command line. This file imports next to nothing, so that Ctrl-C is heard early."""

from __future__ import annotations

import os
import signal

__all__ = ["main"]

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended: 128 and the number of the signal."""


def main() -> None:
    """Run the command line."""
    # Python's own handler shows a traceback, and an error of ours may be swallowed by a package that is being imported.
    signal.signal(signal.SIGINT, _end_at_once)
    from gr2st.cli.app import main as run

    run()


def _end_at_once(*_: object) -> None:
    """End without a word from Python; nothing was read or written yet."""
    os.write(2, b"Stopped.\n")
    os._exit(INTERRUPTED)
