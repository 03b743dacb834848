"""Whether there is room for what will be written."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from gr2st.io.preflight import Finding, size_in_words

if TYPE_CHECKING:
    from pathlib import Path


def disk_finding(needed: int, out: Path) -> Finding:
    """What there is to say of the disk that `out` lies on, or will lie on."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    sentence = f"Writes about {size_in_words(needed)}; {size_in_words(free)} are free where it is kept."
    if needed > free:
        return Finding("fault", "disk", f"{sentence} Make room, or choose another folder.")
    return Finding("good", "disk", sentence)
