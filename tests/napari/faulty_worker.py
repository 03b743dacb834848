"""The real worker, on a machine where things go wrong.

The file named first holds the next fault as JSON: what to do ("kill", "full", "lose", "wait") when a file is opened,
to be read or written ("of"), whose path has `at` in it. Nothing of gr2st is replaced: the fault comes from the system.
A full disk takes nothing more "under" a folder until the file is emptied; all other faults come once.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

FAULT = Path(sys.argv[1])


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    """Look whether the file that is about to be opened, or the folder to be made, is where the fault is."""
    if event not in ("open", "os.mkdir") or not isinstance(arguments[0], str | os.PathLike):
        return
    path = str(arguments[0])
    if path == str(FAULT) or path.endswith((".py", ".pyc")):
        return
    fault = json.loads(FAULT.read_text() or "{}")
    is_write = event == "os.mkdir" or bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
    if fault and fault["at"] in path and is_write == (fault["of"] == "write"):
        happen(fault, path)


def happen(fault: dict[str, Any], path: str) -> None:
    if fault["do"] == "full":
        FAULT.write_text(json.dumps({**fault, "at": fault["under"]}))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    os.truncate(FAULT, 0)
    if fault["do"] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault["do"] == "lose":
        Path(fault["file"]).rename(fault["file"] + ".lost")
    else:
        time.sleep(60)


if __name__ == "__main__":
    sys.addaudithook(hook)
    from gr2st.worker import main

    main()
