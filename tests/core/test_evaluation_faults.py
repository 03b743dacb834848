"""Faults in the middle of an evaluation: the rest goes on, and the folder says why."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice
from gr2st.types import Progress, Study, finish
from tests.builders import gene_names, her2st_folder

PLAN = gr2st.Plan(models=("ridge", "mean"), genes=GeneChoice(listed=tuple(gene_names(12))))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return gr2st.read_study(her2st_folder(tmp_path / "study", names=("A1", "B1", "C1")))


def states(out: Path) -> list[str]:
    return [row.state for row in gr2st.read_evaluation(out).rows]


def evaluate(study: Study, out: Path, act: Callable[[Progress], Any]) -> tuple[gr2st.FoldRow, ...]:
    """The rows of an evaluation; `act` hears every step."""
    for progress in gr2st.evaluate(study, PLAN, out):
        act(progress)
    return gr2st.read_evaluation(out).rows


def test_a_disk_that_is_full_for_a_while_costs_only_the_folds_of_that_while(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, folds = Path.write_bytes, []

    def write(path: Path, content: bytes) -> int:
        if path.suffix == ".h5ad" and folds[-1] == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, content)

    def hear(progress: Progress) -> None:
        if progress.stage == "Evaluating":
            folds.append(progress.done)

    monkeypatch.setattr(Path, "write_bytes", write)
    rows = evaluate(study, tmp_path / "out", hear)
    assert [row.state for row in rows] == ["done", "failed", "done", "done", "done", "done"]
    assert "No space left on device" in rows[1].message
    finish(gr2st.evaluate(study, PLAN, tmp_path / "out"))
    assert states(tmp_path / "out") == ["done"] * 6


def test_a_disk_too_full_to_say_so_ends_nothing(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.write_text

    def write(path: Path, *rest: Any, **more: Any) -> int:
        if keys.FOLD_FAILURE.removesuffix(".json") in path.name or ".state." in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, *rest, **more)

    plan = gr2st.Plan(models=("mean",), genes=GeneChoice(listed=("NO_SUCH_GENE",)))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", write)
        steps = gr2st.evaluate(study, plan, tmp_path / "out")
        with pytest.raises(gr2st.StorageError, match=r"state\.json could not be written"):
            finish(steps)
    summary = gr2st.read_evaluation(tmp_path / "out").summary
    assert summary["folds"] == {"done": 0, "failed": 3, "planned": 3}
    assert any("3 of 3 folds failed" in sentence for sentence in summary["warnings"])


def test_a_section_deleted_between_folds_fails_the_others_that_need_it_and_is_named(
    study: Study, tmp_path: Path
) -> None:
    def delete(progress: Progress) -> None:
        if progress.stage == "Evaluating" and progress.done == 2:
            study.entry("A1").parts["counts"].unlink(missing_ok=True)

    rows = evaluate(study, tmp_path / "out", delete)
    assert [row.state for row in rows] == ["done", "done", "failed", "failed", "failed", "failed"]
    assert all("A1.tsv.gz" in row.message for row in rows[2:])
    summary = gr2st.read_evaluation(tmp_path / "out").summary
    assert set(summary["models"]["ridge"]["sections"]) == {"A1"}
    assert "Not complete" not in summary["warnings"][0]


def test_a_section_changed_between_folds_is_not_mixed_with_its_former_self(study: Study, tmp_path: Path) -> None:
    def change(progress: Progress) -> None:
        if progress.stage == "Evaluating" and progress.done == 2:
            path = next(iter((tmp_path / "study" / "ST-spotfiles").glob("A1*")))
            path.write_text(path.read_text() + "\n")

    rows = evaluate(study, tmp_path / "out", change)
    assert [row.state for row in rows] == ["done", "done", "failed", "failed", "failed", "failed"]
    assert "was changed while the evaluation ran" in rows[2].message
    finish(gr2st.evaluate(study, PLAN, tmp_path / "out"))
    assert states(tmp_path / "out") == ["done"] * 6


def test_a_damaged_fold_folder_is_made_anew_and_hides_no_other(study: Study, tmp_path: Path) -> None:
    finish(gr2st.evaluate(study, PLAN, tmp_path / "out"))
    folder = tmp_path / "out" / "folds" / "ridge" / "A"
    (folder / keys.FOLD_RESULT).write_bytes(b"\xff\xfe\x00")
    (folder / keys.FOLD_FAILURE).write_text("{")
    assert states(tmp_path / "out") == ["waiting", "done", "done", "done", "done", "done"]
    finish(gr2st.evaluate(study, PLAN, tmp_path / "out"))
    assert states(tmp_path / "out") == ["done"] * 6
