"""`gr2st …`: the library from a command line."""

from __future__ import annotations

from gr2st.cli.app import main

__all__ = ["main"]
