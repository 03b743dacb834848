"""Memory of a training step on a Visium section of 5,000 spots, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

SPOTS = 5_000


class LargeSection:
    """Peak of the whole process, torch included, and processor seconds of the step (`benchmarks.large_section`)."""

    params = ("gr2st", "gr2st-v2", "gr2st-v1")
    param_names = ("model",)
    timeout = 600

    def track_peak(self, model: str) -> float:
        return measured(model)["peak"]

    def track_cpu_seconds(self, model: str) -> float:
        return measured(model)["cpu_seconds"]

    track_peak.unit = "GB"
    track_cpu_seconds.unit = "s"


@cache
def measured(model: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.large_section", model, str(SPOTS)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout)
