"""Published weights: exactly the published names and sizes, no code, a bank of our own sections, and then as any model."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from gr2st import keys
from gr2st.config import Recipe
from gr2st.errors import DataError, UnknownName
from gr2st.io.prediction import read_prediction
from gr2st.io.sample import sample_study_path
from gr2st.models.gr2st import Gr2st
from gr2st.prediction import predict
from gr2st.registry import MODELS, V1, V2
from gr2st.training.batches import to_batch
from gr2st.training.checkpoint import TrainedModel, load_model, save_model
from gr2st.training.published import import_checkpoint, open_checkpoint
from gr2st.types import Prepared, finish
from tests.toys import GENES, N_FEATURES, toy_recipe, toy_section

ROWS = 64
CONFIGS = {"gr2st-v1": V1, "gr2st-v2": V2}
State = dict[str, Tensor]


def network(model: str, *, n_genes: int = len(GENES), n_features: int = N_FEATURES) -> Gr2st:
    torch.manual_seed(5)
    return Gr2st(CONFIGS[model], n_genes=n_genes, n_features=n_features, grid_size=ROWS).eval()


def written(folder: Path, content: object, name: str = "fold_0.pt") -> Path:
    torch.save(content, folder / name)
    return folder / name


@pytest.fixture(scope="module")
def state() -> State:
    return network("gr2st-v2").state_dict()


@pytest.fixture(scope="module")
def sections() -> list[Prepared]:
    return [toy_section("A1", seed=1), toy_section("A2", seed=2)]


@pytest.fixture(scope="module")
def held_out() -> Prepared:
    return toy_section("B1", seed=3, patient="B")


def imported(path: Path, sections: list[Prepared], model: str = "gr2st-v2") -> TrainedModel:
    return finish(import_checkpoint(path, model, sections, toy_recipe(), device="cpu"))


def opened(path: Path, model: str = "gr2st-v2", *, n_genes: int = len(GENES), n_features: int = N_FEATURES) -> Gr2st:
    return open_checkpoint(path, model, n_genes=n_genes, n_features=n_features)


def predicted(trained: TrainedModel, section: Prepared) -> np.ndarray:
    return np.asarray(finish(predict(trained, section)).table.layers[keys.PREDICTED])


# ------------------------------------------------------------------------------------------------------- what it gives


@pytest.mark.parametrize("model", CONFIGS)
def test_an_imported_model_predicts_what_its_weights_and_its_bank_say(model, sections, held_out, tmp_path):
    published = network(model)
    trained = imported(written(tmp_path, published.state_dict()), sections, model)
    cpu = torch.device("cpu")
    for section in sections:
        published.remember(to_batch(section, published.needs | published.learns_from, cpu))
    expected = published.predict(to_batch(held_out.blind(), published.needs, cpu)).expression.numpy()
    np.testing.assert_array_equal(predicted(trained, held_out), expected)
    assert set(trained.module.bank.section) == {"A1", "A2"}
    assert len(trained.module.bank.key) == sum(len(section.spots) for section in sections)


def test_an_imported_model_is_stored_and_predicts_as_any_other(state, sections, held_out, tmp_path):
    trained = imported(written(tmp_path, state), sections)
    again = load_model(save_model(trained, tmp_path / "model"))
    np.testing.assert_array_equal(predicted(again, held_out), predicted(trained, held_out))
    assert (again.name, again.sections, again.patients, again.n_features) == (
        "gr2st-v2",
        ("A1", "A2"),
        ("A",),
        N_FEATURES,
    )


def test_a_model_says_that_its_weights_came_from_a_file(state, sections, held_out, tmp_path):
    trained = imported(written(tmp_path, state), sections)
    assert trained.training.epochs == 0
    origin = finish(predict(trained, held_out)).table.uns[keys.PROVENANCE]["versions"]["weights"]
    assert origin.startswith("fold_0.pt ")
    other = {name: values + 1 if name == "x_embed.weight" else values for name, values in state.items()}
    assert imported(written(tmp_path, other), sections).versions["weights"] != origin


def test_position_tables_keep_their_rows(state, sections, tmp_path):
    trained = imported(written(tmp_path, state), sections)
    assert trained.grid_size == ROWS
    assert torch.equal(trained.module.state_dict()["y_embed.weight"], state["y_embed.weight"])


def wrapped(state: State, how: str) -> object:
    match how:
        case "below state_dict":
            return {"epoch": 200, "state_dict": state, "optimizer": {"lr": 1e-5}}
        case "below model_state_dict":
            return {"model_state_dict": state}
        case "of several GPUs":
            return {f"module.{name}": values for name, values in state.items()}
        case _:
            return state


@pytest.mark.parametrize("how", ["plain", "below state_dict", "below model_state_dict", "of several GPUs"])
def test_every_usual_form_of_a_file_is_read(state, tmp_path, how):
    found = opened(written(tmp_path, wrapped(state, how))).state_dict()
    assert list(found) == list(state)
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_safetensors_and_half_precision_are_read(state, tmp_path):
    save_file(state, tmp_path / "weights.safetensors")
    assert torch.equal(opened(tmp_path / "weights.safetensors").state_dict()["x_embed.weight"], state["x_embed.weight"])
    half = {name: values.half() for name, values in state.items()}
    found = opened(written(tmp_path, half)).state_dict()
    assert {values.dtype for values in found.values()} == {torch.float32}
    assert torch.equal(found["x_embed.weight"], half["x_embed.weight"].float())


@pytest.mark.parametrize(
    ("model", "n_genes", "n_parameters"),
    [
        ("gr2st-v1", 785, 105_854_315),
        ("gr2st-v1", 171, 24_607_686),
        ("gr2st-v2", 785, 107_493_207),
        ("gr2st-v2", 171, 25_299_790),
        ("gr2st-v2", 50, 9_146_560),
    ],
)
def test_files_of_the_published_sizes_fit(tmp_path, model, n_genes, n_parameters):
    with torch.device("meta"):
        published = Gr2st(CONFIGS[model], n_genes=n_genes, n_features=1024, grid_size=65_536)
    # One number seen as a whole table: full shapes in a file of a few kilobytes.
    state = {name: torch.full((), 0.01).expand(values.shape) for name, values in published.state_dict().items()}
    path = written(tmp_path, state)
    assert path.stat().st_size < 100_000
    found = opened(path, model, n_genes=n_genes, n_features=1024)
    assert sum(values.numel() for values in found.parameters()) == n_parameters
    assert found.x_embed.num_embeddings == 65_536


# ---------------------------------------------------------------------------------------------------- what is refused


def refused(path: Path, **sizes: object) -> str:
    with pytest.raises(DataError) as caught:
        opened(path, **sizes)
    return str(caught.value)


def test_a_list_of_another_length_is_told_with_both_numbers(state, tmp_path):
    path = written(tmp_path, state)
    assert "it holds 9 genes, the list has 171: give the list it was trained with" in refused(path, n_genes=171)
    assert "it reads 12 features per spot, the encoder gives 207: choose the encoder" in refused(path, n_features=207)
    told = refused(path, n_genes=8, n_features=7)
    assert "9 genes" in told
    assert "12 features" in told


@pytest.mark.parametrize(("of", "wanted"), [("gr2st-v1", "gr2st-v2"), ("gr2st-v2", "gr2st-v1")])
def test_weights_of_the_other_version_are_told_as_such(tmp_path, of, wanted):
    told = refused(written(tmp_path, network(of).state_dict()), model=wanted)
    fault = "missing" if wanted == "gr2st-v2" else "unexpected"
    assert f"28 {fault} (moe_head.experts.0.0.bias" in told
    assert f"Its names are those of {of}: say --model {of}." in told


def test_what_is_missing_too_much_or_of_another_shape_is_named(state, tmp_path):
    spoiled = {name: values for name, values in state.items() if name != "spatial_gat.bias"}
    spoiled |= {"decoder.weight": torch.ones(2), "dynamic_gat.bias": torch.ones(7)}
    told = refused(written(tmp_path, spoiled))
    assert "1 missing (spatial_gat.bias)" in told
    assert "1 unexpected (decoder.weight)" in told
    assert "1 of another shape (dynamic_gat.bias (7,) for (2048,))" in told
    assert "exactly the published names" in told


def test_a_file_of_something_else_is_refused(tmp_path):
    told = refused(written(tmp_path, {"conv1.weight": torch.ones(3, 3)}))
    assert "65 missing" in told
    assert "1 unexpected (conv1.weight)" in told
    assert "holds int, wanted tensors by name" in refused(written(tmp_path, 5))


def test_weights_that_are_no_numbers_are_refused(state, tmp_path):
    broken = state["spatial_gat.bias"].clone()
    broken[3] = torch.nan
    told = refused(written(tmp_path, state | {"spatial_gat.bias": broken}))
    assert "not finite numbers, in spatial_gat.bias" in told


class Trap:
    """Unpickled with code, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_a_whole_pickled_network_is_refused_and_its_code_does_not_run(state, tmp_path):
    assert "no code from a file is run" in refused(written(tmp_path, network("gr2st-v2")))
    assert "torch.save(model.state_dict()" in refused(written(tmp_path, {**state, "x": Trap(tmp_path / "sprung")}))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("model", [name for name, spec in MODELS.items() if not spec.is_published])
def test_models_without_published_weights_say_so(state, tmp_path, model):
    told = refused(written(tmp_path, state), model=model)
    assert told.startswith(f"{model} has no published weights, only gr2st-v2 and gr2st-v1 have")


def test_an_unknown_model_offers_the_nearest(state, tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'gr2st-v2'"):
        opened(written(tmp_path, state), "gr2st-v3")


def test_sections_of_another_recipe_and_no_sections_are_refused(state, sections, tmp_path):
    path = written(tmp_path, state)
    with pytest.raises(DataError, match="at least one section"):
        imported(path, [])
    other = Recipe(genes=tuple(reversed(GENES)))
    with pytest.raises(DataError, match="prepared with another recipe"):
        finish(import_checkpoint(path, "gr2st-v2", sections, other, device="cpu"))


# --------------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def genes(tmp_path) -> Path:
    path = tmp_path / "genes.txt"
    path.write_text("ERBB2\nCOL1A1\nGAPDH\n")
    return path


def test_the_command_makes_a_model_that_predicts(command, genes, tmp_path):
    sample = sample_study_path()
    path = written(tmp_path, network("gr2st-v2", n_genes=3, n_features=207).state_dict())
    model, out = tmp_path / "model", tmp_path / "B1.h5ad"
    options = ("--genes", genes, "--sections", "A1", "--encoder", "handcrafted", "--um-per-px", "4", "--out", model)
    code, told = command("import-weights", path, sample, *options)
    assert code == 0, told
    assert "gr2st-v2 with the weights of fold_0.pt for 3 genes" in told
    assert "does not say which sections its weights were trained on" in told
    assert f"Next: gr2st predict {model}" in told
    code, told = command("predict", model, sample, "--section", "B1", "--out", out)
    assert code == 0, told
    assert read_prediction(out).genes == ("ERBB2", "COL1A1", "GAPDH")


def test_the_command_refuses_before_it_reads_a_section(command, genes, weights, tmp_path):
    path = written(tmp_path, network("gr2st-v2", n_genes=3, n_features=1024).state_dict())
    options = ("--genes", genes, "--out", tmp_path / "model")
    code, told = command("import-weights", path, tmp_path / "no study", *options, "--encoder", "handcrafted")
    assert (code, "reads 1024 features per spot, the encoder gives 207" in told) == (2, True)
    code, told = command("import-weights", path, tmp_path / "no study", *options)
    assert (code, "The weights of the encoder 'phikon-v2' are not on this machine" in told) == (2, True)
    assert not (tmp_path / "model").exists()
