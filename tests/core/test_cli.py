"""The command line as a user meets it: its output, its exit code; in processes of its own where that can differ."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from anndata import read_h5ad

import gr2st
from gr2st import keys

if TYPE_CHECKING:
    from tests.core.conftest import Run

COMMANDS = (
    "fetch",
    "inspect",
    "train",
    "import-weights",
    "predict",
    "predict-slide",
    "evaluate",
    "cells",
    "view",
    "demo",
    "list",
    "encoders",
)


def run_process(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own: seconds of imports each time."""
    command = [sys.executable, "-m", "gr2st", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture(scope="module")
def sample() -> Path:
    return gr2st.sample_study_path()


@pytest.fixture(scope="module")
def genes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("genes") / "genes.txt"
    path.write_text("ERBB2\nCOL1A1\nGAPDH\n")
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_one_example(command: str, run_here: Run) -> None:
    shown = run_here(command, "--help")
    assert shown.returncode == 0
    assert shown.stdout.count("Example: gr2st") == 1


def test_the_version_is_printed() -> None:
    assert run_process("--version").stdout.strip() == f"gr2st {gr2st.__version__}"


def test_encoders_are_listed_with_what_is_ready_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GR2ST_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "uni").mkdir()
    (tmp_path / "uni" / "pytorch_model.bin").write_bytes(b"weights")
    fits = subprocess.run([sys.executable, "-c", "import timm"], capture_output=True, check=False).returncode == 0
    rows = {row["name"]: row for row in json.loads(run_process("encoders", "--json").stdout)["encoders"]}
    assert rows["handcrafted"]["ready"]
    assert rows["uni"]["missing"] == ([] if fits else ["timm"])
    assert rows["virchow2"]["missing"] == ["weights"]
    assert rows["virchow2"] | {"width": 2560, "input_px": 224, "um_per_px": 0.5, "gated": True} == rows["virchow2"]
    table = run_process("encoders")
    assert table.returncode == 0, table.stderr
    lines = {line.split()[0]: line.split() for line in table.stdout.splitlines() if line.strip()}
    ready = ["yes"] if fits else ["timm", "missing"]
    assert lines["uni"] == ["uni", "1024", "224", "0.5", "CC-BY-NC-ND-4.0", "yes", *ready]
    assert lines["phikon"][-3:] == ["no", "weights", "missing"]
    assert ("torchvision, which timm needs, does not fit" in table.stdout) is not fits


def test_a_machine_without_timm_and_weights_misses_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gr2st.cli import encoders
    from gr2st.registry import ENCODERS

    monkeypatch.setenv("GR2ST_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(encoders, "find_spec", lambda name: None)
    row = encoders._row(ENCODERS["h-optimus-0"])
    assert (row["ready"], row["missing"]) == (False, ["timm", "weights"])
    assert encoders._cells(row)[-1] == "timm and weights missing"


def test_a_chosen_encoder_brings_its_own_patch_size_and_resolution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gr2st.cli.learn import recipe_fields

    monkeypatch.setenv("GR2ST_WEIGHTS", str(tmp_path))
    (tmp_path / "uni").mkdir()
    (tmp_path / "uni" / "pytorch_model.bin").write_bytes(b"weights")
    fields = recipe_fields("uni", None)
    assert fields == {"encoder": "uni", "patch": {"size_px": 224, "um_per_px": 0.5}, "cell_types": "none"}
    assert recipe_fields("uni", 0.25)["patch"] == {"size_px": 224, "um_per_px": 0.25}


def test_inspect_prints_json_for_programs(sample: Path) -> None:
    shown = run_process("inspect", sample, "--json")
    assert shown.returncode == 0, shown.stderr
    sections = {row["name"]: row for row in json.loads(shown.stdout)["sections"]}
    assert set(sections) == {"A1", "A2", "B1", "B2"}
    assert sections["A1"]["patient"] == "A"
    assert sections["A1"]["n_genes"] == 200
    assert sections["A1"]["um_per_px"] == 1.9
    assert sections["A1"]["alignment"]["verdict"] == "good"


def test_train_then_predict_writes_a_prediction_with_the_spots_of_the_counts(
    sample: Path, genes: Path, tmp_path: Path, run_here: Run
) -> None:
    model, out = tmp_path / "model", tmp_path / "B1.h5ad"
    trained = run_here("train", sample, "--sections", "A1,A2", "--genes", genes, "--epochs", 2, "--out", model)
    assert trained.returncode == 0, trained.stderr
    predicted = run_process("predict", model, sample, "--section", "B1", "--out", out)
    assert predicted.returncode == 0, predicted.stderr
    table = read_h5ad(out)
    section = gr2st.read_section(gr2st.read_study(sample).entry("B1"))
    assert tuple(table.obs_names) == section.spot_names
    assert list(table.var_names) == ["ERBB2", "COL1A1", "GAPDH"]
    assert np.isfinite(table.layers["predicted"]).all()
    assert table.uns[keys.PROVENANCE]["model"] == "gr2st"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["B1.h5ad", "model"]


def test_a_slide_is_predicted_on_a_grid_of_its_own(sample: Path, genes: Path, tmp_path: Path, run_here: Run) -> None:
    model, out = tmp_path / "model", tmp_path / "slide.h5ad"
    run_here("train", sample, "--sections", "A1", "--model", "ridge", "--genes", genes, "--out", model)
    picture = gr2st.read_section(gr2st.read_study(sample).entry("B1")).slide.path
    refused = run_here("predict-slide", model, picture, "--out", out)
    assert refused.returncode == 2
    assert "State it (--um-per-px" in refused.stderr
    done = run_here("predict-slide", model, picture, "--pitch", 150, "--um-per-px", 1.9, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "was stated by the user" in done.stderr
    drawn = run_here("view", out, "--gene", "ERBB2", "--figure", tmp_path / "map.svg")
    assert drawn.returncode == 0, drawn.stderr
    assert "ERBB2" in (tmp_path / "map.svg").read_text()
    refused = run_here("view", out, "--section", "B1", "--figure", tmp_path / "b.svg")
    assert "is shown by itself: leave out --section, or" in refused.stderr
    assert list(read_h5ad(out).var_names) == ["ERBB2", "COL1A1", "GAPDH"]


def test_the_prediction_of_another_section_is_not_shown_as_this_ones(
    sample: Path, genes: Path, tmp_path: Path, run_here: Run
) -> None:
    model, out, picture = tmp_path / "model", tmp_path / "B1.h5ad", tmp_path / "A1.png"
    run_here("train", sample, "--sections", "A2", "--model", "ridge", "--genes", genes, "--out", model)
    run_here("predict", model, sample, "--section", "B1", "--out", out)
    done = run_here("view", sample, "--section", "A1", "--prediction", out, "--screenshot", picture)
    assert done.returncode == 2
    assert "predicts section B1" in done.stderr
    assert not picture.exists()


def test_a_reference_row_can_be_trained_too(sample: Path, genes: Path, tmp_path: Path, run_here: Run) -> None:
    done = run_here(
        "train", sample, "--sections", "A1", "--model", "depth-oracle", "--genes", genes, "--out", tmp_path / "m"
    )
    assert done.returncode == 0, done.stderr


BAD = {
    "no such study": (("inspect", "nowhere"), "nowhere"),
    "no such section": (("train", "{sample}", "--sections", "Z9", "--out", "m"), "No section is called 'Z9'"),
    "no such model": (("train", "{sample}", "--model", "gr3st", "--out", "m"), "Did you mean 'gr2st'"),
    "no such encoder": (("train", "{sample}", "--encoder", "uni3", "--out", "m"), "No encoder is called 'uni3'"),
    "weights missing": (
        ("train", "{sample}", "--encoder", "virchow2", "--out", "m"),
        "gr2st encoders --download virchow2",
    ),
    "weights missing for an evaluation": (("evaluate", "{sample}", "--encoder", "uni", "--out", "e"), "hf auth login"),
    "nothing to download": (("encoders", "--download", "handcrafted"), "is built without weights"),
    "nothing known to download": (("encoders", "--download", "uno"), "Did you mean 'uni'"),
    "no such gene list": (("train", "{sample}", "--genes", "none.txt", "--out", "m"), "none.txt"),
    "not a model": (("predict", "{sample}", "{sample}", "--section", "B1", "--out", "x.h5ad"), "no model folder"),
    "not an h5ad name": (("predict", "m", "{sample}", "--section", "B1", "--out", "x.csv"), "the ending .h5ad"),
    "not a png name": (("view", "{sample}", "--section", "B1", "--screenshot", "x.jpg"), "the ending .png"),
    "unknown protocol": (("evaluate", "{sample}", "--protocol", "spot", "--out", "e"), "'patient', 'section'"),
    "too many genes": (("train", "{sample}", "--variable-genes", "5000", "--out", "m"), "5000 genes were asked for"),
    "no such gene": (("view", "{sample}", "--section", "B1", "--gene", "ERBB9", "--screenshot", "x.png"), "'ERBB9'"),
    "a gene and classes": (
        ("view", "{sample}", "--gene", "ERBB2", "--classes", "label", "--figure", "x.svg"),
        "give --gene or --classes, not both",
    ),
    "a session and a gene": (("view", "my.gr2st", "--gene", "ERBB2", "--figure", "x.svg"), "leave out --gene, or"),
    "not a prediction": (
        ("view", "{sample}", "--prediction", "{sample}/study.csv", "--screenshot", "x.png"),
        "No prediction can be read",
    ),
    "no such device": (("train", "{sample}", "--device", "toaster", "--sections", "A1", "--out", "m"), "toaster"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_error_is_a_sentence_with_exit_code_two(
    case: str, sample: Path, tmp_path: Path, run_here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, sentence = BAD[case]
    monkeypatch.chdir(tmp_path)
    done = run_here(*(str(argument).format(sample=sample) for argument in arguments))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not any(tmp_path.iterdir()), "something half-written stayed behind"


def test_a_log_gets_a_line_for_every_tenth_and_for_news_but_not_for_every_loss(capsys) -> None:
    from gr2st.cli.common import show_progress
    from gr2st.types import Progress

    def steps():
        for done in range(1, 101):
            yield Progress("Training", done, 100, f"loss {done}", {"loss": float(done)})
        for done in range(1, 5):
            yield Progress("Encoding", done, 100, "on the CPU, about 3 h" if done > 2 else "")
        return "result"

    assert show_progress(steps()) == "result"
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if line.startswith("Training")]) == 11
    assert [line for line in lines if line.startswith("Encoding")] == [
        "Encoding 0 %",
        "Encoding 0 % on the CPU, about 3 h",
    ]


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    plain, debug = (run_process("inspect", "nowhere", *more, cwd=tmp_path) for more in ((), ("--debug",)))
    assert plain.returncode == debug.returncode == 2
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert debug.stderr.endswith(plain.stderr)


def test_estimated_cell_types_are_written_and_called_an_estimate(sample: Path, tmp_path: Path, run_here: Run) -> None:
    out = tmp_path / "summary_spot_types.tsv"
    shown = run_here("cells", sample, "--section", "A1", "--source", "estimate", "--out", out)
    assert shown.returncode == 0, shown.stderr
    assert "ESTIMATED from the picture" in shown.stdout
    rows = out.read_text().splitlines()
    assert rows[0].split("\t")[:3] == ["spot", "type", "nolabe"]
    assert len(rows) == 142
    assert all(row.endswith("\testimate") for row in rows[1:])


def test_cell_types_that_no_file_tells_end_with_a_sentence(
    sample: Path, genes: Path, tmp_path: Path, run_here: Run
) -> None:
    shown = run_here(
        "train", sample, "--sections", "A1,A2", "--genes", genes, "--cell-types", "files", "--out", tmp_path / "model"
    )
    assert shown.returncode == 2
    assert "Section A1 has no cell types, but the recipe takes them from files" in shown.stderr


def test_an_evaluation_with_estimated_cell_types_says_so(
    sample: Path, genes: Path, tmp_path: Path, run_here: Run
) -> None:
    shown = run_here(
        "evaluate", sample, "--sections", "A1,B1", "--models", "ridge", "--genes", genes,
        "--cell-types", "estimate", "--out", tmp_path / "evaluation",
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "cell types estimated from the picture" in " ".join(shown.stdout.split())
    assert json.loads((tmp_path / "evaluation" / "summary.json").read_text())["cell_types"] == "estimate"


INTERRUPTED_IMPORT = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv = ["gr2st", "list"]
from gr2st.cli import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
def test_a_training_stopped_by_ctrl_c_goes_on_with_the_same_command(
    sample: Path, genes: Path, tmp_path: Path, run_here: Run
) -> None:
    out = tmp_path / "model"
    arguments = ("train", sample, "--sections", "A1", "--genes", genes, "--out", out)
    long = [sys.executable, "-m", "gr2st", *map(str, arguments), "--epochs", "200"]
    with subprocess.Popen(long, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Training 10 %" in line:
                process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    kept = json.loads((tmp_path / "model.unfinished" / "whole" / "state.json").read_text())
    assert 20 <= kept["epoch"] < 200
    assert not out.exists()
    refused = run_here(*arguments, "--epochs", "2")
    assert refused.returncode == 2
    assert "unfinished training with other settings" in refused.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
@pytest.mark.parametrize("module", ["gr2st.cli.app", "typer", "pydantic", "gr2st.registry"])
def test_ctrl_c_during_the_imports_ends_in_one_line(module: str) -> None:
    code = INTERRUPTED_IMPORT.format(module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped.\n")


def test_the_entry_point_imports_next_to_nothing_before_it_hears_ctrl_c() -> None:
    code = "import gr2st.cli, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"typer", "rich", "pydantic", "numpy", "gr2st.errors", "gr2st.cli.app"} & set(done.stdout.split())


def test_the_commands_start_without_torch_and_tables() -> None:
    code = "import gr2st.cli.app, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "scanpy", "anndata", "pandas", "qtpy", "napari"} & set(done.stdout.split())
