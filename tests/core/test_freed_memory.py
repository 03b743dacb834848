"""Memory that one training step frees is there for the next."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PAGES_ASKED_FOR = """
import resource, torch
from gr2st.training.memory import reuse_freed_memory

def step():
    held = [torch.ones(5 << 20, dtype=torch.uint8) for _ in range(11)]

reuse_freed_memory()
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators keep memory by rules of their own")
def test_blocks_that_come_again_and_again_are_not_asked_of_the_system_each_time() -> None:
    command = [sys.executable, "-c", PAGES_ASKED_FOR]
    # dask sets one of glibc's own switches for the processes it starts, and leaves it there.
    left_alone = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    asked_for = int(subprocess.run(command, check=True, capture_output=True, text=True, env=left_alone).stdout)
    assert asked_for < 1000, "each step takes 14,000 pages"
