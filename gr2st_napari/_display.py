"""A screen to draw on where the machine has none: a virtual X server for as long as this process lives."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import subprocess
import sys

from gr2st import DataError

SCREEN = "1920x1200x24"
_SERVERS: list[subprocess.Popen[bytes]] = []
"""Held, so that Python does not wait for or warn about a server that is meant to run on."""


def ensure_display() -> None:
    """Start Xvfb and set ``DISPLAY`` where Linux offers no screen; does nothing elsewhere.

    Raises
    ------
    DataError
        There is no screen and Xvfb is not installed, or it does not start.
    """
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        # These draw no OpenGL, hence no layer.
        del os.environ["QT_QPA_PLATFORM"]
    program = shutil.which("Xvfb")
    if program is None:
        raise DataError("There is no screen to draw on and no virtual one: install it with `apt-get install xvfb`.")
    os.environ["DISPLAY"] = f":{_start(program)}"
    logging.getLogger("vispy").addFilter(_is_no_dpi_warning)


def _start(program: str) -> int:
    """Start the server and return the number of the display it found free."""
    reading, writing = os.pipe()
    command = [program, "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp", "-noreset"]
    # Qt still talks to the server while Python takes it down: the server should end with the process, not before.
    guard = shutil.which("setpriv")
    server = subprocess.Popen(
        [guard, "--pdeathsig", "TERM", *command] if guard else command,
        pass_fds=(writing,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _SERVERS.append(server)
    os.close(writing)
    if guard is None:
        atexit.register(_stop, server)
    else:
        atexit.register(setattr, server, "returncode", 0)  # Python need not warn that the server outlives it
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    if not number.isdigit():
        raise DataError("The virtual screen Xvfb did not start: run `Xvfb :99` to see why.")
    return int(number)


def _is_no_dpi_warning(record: logging.LogRecord) -> bool:
    """A virtual screen has no dots per inch to find."""
    return "DPI" not in record.getMessage()


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(timeout=5)
    except subprocess.TimeoutExpired:
        server.kill()
