"""Rules of the house that no single room can hold: imports, names, errors, files."""

from __future__ import annotations

import importlib
import inspect
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import gr2st
from gr2st import errors
from gr2st.registry import ENCODERS, MODELS, load

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "torch_geometric", "timm", "torchvision", "scanpy")
WINDOWS = ("qtpy", "PyQt6", "PySide6", "napari")


def loaded_after(code: str) -> set[str]:
    """Top-level modules that are loaded once a fresh Python has run `code`."""
    report = "import sys; print('\\n'.join({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_the_library_loads_no_torch_no_window_and_no_tables() -> None:
    assert not loaded_after("import gr2st") & {*HEAVY, *WINDOWS, "anndata", "pandas"}


def test_the_command_line_starts_without_torch() -> None:
    assert not loaded_after("import gr2st.cli.app") & {*HEAVY, *WINDOWS}


def test_reading_functions_load_no_torch() -> None:
    code = "import gr2st; gr2st.read_study, gr2st.read_section, gr2st.read_prediction, gr2st.open_slide, gr2st.build_pyramid"
    assert not loaded_after(code) & set(HEAVY)


def test_comparing_regions_loads_no_torch() -> None:
    marks = "np.arange(20) < 9, np.arange(20) > 9"
    code = f"import gr2st, numpy as np; gr2st.compare_regions(np.eye(20), list(range(20)), {marks}); gr2st.read_regions"
    assert not loaded_after(code) & set(HEAVY)


def test_explaining_a_prediction_loads_no_torch() -> None:
    assert not loaded_after("import gr2st; gr2st.explain, gr2st.Explanation, gr2st.read_prediction") & set(HEAVY)


def test_drawing_figures_and_writing_values_load_no_torch() -> None:
    code = "import gr2st; gr2st.write_figure, gr2st.draw_maps, gr2st.read_window, gr2st.write_values, gr2st.prediction_table"
    assert not loaded_after(code) & set(HEAVY)


def test_clusters_and_cell_types_from_files_need_no_torch() -> None:
    code = "import gr2st, numpy as np; gr2st.clusters(np.eye(6), 2), gr2st.spot_cells_of, gr2st.PatchConfig()"
    assert not loaded_after(code) & {*HEAVY, *WINDOWS}


def test_what_is_known_of_genes_needs_no_torch() -> None:
    code = "import gr2st; gr2st.detected_shares, gr2st.variability_ranks, gr2st.spatial_patterns"
    assert not loaded_after(code) & set(HEAVY)


def test_asking_which_encoders_are_ready_loads_no_torch() -> None:
    elsewhere = "import os; os.environ |= {'GR2ST_WEIGHTS': '/nowhere', 'HF_HUB_CACHE': '/nowhere'}"
    code = f"{elsewhere}\nfrom gr2st.cli.encoders import encoders_command; encoders_command(as_json=True)"
    assert not loaded_after(code) & {*HEAVY, "transformers"}


def test_every_name_at_the_front_door_opens() -> None:
    for name in gr2st.__all__:
        assert getattr(gr2st, name) is not None


def test_the_front_door_gives_functions_whatever_was_imported_before() -> None:
    for module in ("gr2st.prediction", "gr2st.preparation", "gr2st.training.loop", "gr2st.evaluation.crossval"):
        importlib.import_module(module)
    for name in ("prepare", "train", "predict", "evaluate"):
        assert inspect.isgeneratorfunction(getattr(gr2st, name)), name


def test_no_module_hides_a_name_of_the_front_door() -> None:
    rooms = {path.stem for path in (ROOT / "core" / "gr2st").iterdir()}
    assert not rooms & (set(gr2st.__all__) - {"keys"})


def test_an_unknown_name_at_the_front_door_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'telepathy'"):
        gr2st.telepathy  # noqa: B018


ALL_ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.Gr2stError)]


@pytest.mark.parametrize("kind", ALL_ERRORS)
def test_errors_survive_the_way_between_processes(kind: type[errors.Gr2stError]) -> None:
    again = pickle.loads(pickle.dumps(kind("a sentence")))
    assert type(again) is kind
    assert str(again) == "a sentence"


@pytest.mark.parametrize("kind", ALL_ERRORS)
def test_no_error_is_a_runtime_error(kind: type[errors.Gr2stError]) -> None:
    assert not issubclass(kind, RuntimeError)


def test_an_unknown_name_offers_the_nearest_one() -> None:
    with pytest.raises(errors.UnknownName, match="No model is called 'rigde'. Did you mean 'ridge'?"):
        MODELS["rigde"]
    with pytest.raises(LookupError, match="No encoder"):
        ENCODERS["nothing like it"]


def test_all_findings_of_a_section_stand_in_one_error() -> None:
    assert str(errors.SectionInvalid.of("section A1", ["one", "two"])) == "section A1 has 2 problems:\n  - one\n  - two"


@pytest.mark.parametrize("spec", [*MODELS.values(), *ENCODERS.values()], ids=lambda spec: spec.name)
def test_every_registered_factory_can_be_imported(spec: object) -> None:
    assert callable(load(spec.factory))  # type: ignore[attr-defined]


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    import gr2st_napari

    assert project["version"] == gr2st.__version__ == gr2st_napari.__version__
    assert project["version"] in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_manifest_at_the_top_is_the_one_in_the_package() -> None:
    top, real = ROOT / "napari.yaml", ROOT / "gr2st_napari" / "napari.yaml"
    assert top.read_text(encoding="utf-8") == real.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / "core").rglob("*.py")) + sorted((ROOT / "gr2st_napari").rglob("*.py")))
def test_no_file_is_longer_than_five_hundred_lines(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") < 500
