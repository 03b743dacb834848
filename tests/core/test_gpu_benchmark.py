"""The benchmark of a GPU: its code runs on a CPU in a tiny size, and without a GPU it measures nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from benchmarks import gpu

if TYPE_CHECKING:
    import pytest


def test_the_code_that_is_measured_on_a_gpu_runs_on_a_cpu(capsys: pytest.CaptureFixture[str], timm: object) -> None:
    gpu.main(["--try"])
    shown = capsys.readouterr().out
    assert "on the CPU" in shown
    assert shown.count("networks at") == 4
    assert "patches/s" in shown
    assert "not measured" not in shown
    assert "failed" not in shown


def test_without_a_gpu_the_table_says_that_nothing_was_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main([])
    shown = capsys.readouterr().out
    assert shown.count("not measured") == 7
    assert " s (" not in shown


def test_the_sizes_are_those_of_the_published_sections() -> None:
    assert len(gpu.SPOTS) == len(gpu.PATIENTS) == 32
    assert (min(gpu.SPOTS), max(gpu.SPOTS), sum(gpu.SPOTS)) == (176, 712, 11548)
