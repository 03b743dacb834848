"""What stands behind a prediction: filled for every model, kept in files, told for one spot, blind to the counts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import gr2st
from gr2st import keys
from gr2st.config import Gr2stConfig
from gr2st.errors import DataError, UnknownName
from gr2st.io.store import file_digest, write_h5ad, write_json
from gr2st.prediction import STORED_EARLIER, predict
from gr2st.registry import MODELS
from gr2st.training import facts as facts_module
from gr2st.training.checkpoint import TrainedModel, load_model, save_model
from gr2st.training.facts import NEAREST, Facts, Pictures, Places
from gr2st.training.loop import train
from gr2st.types import CELL_CLASSES, Prediction, Prepared, finish
from tests.toys import GENES, toy_recipe, toy_section

if TYPE_CHECKING:
    from anndata import AnnData

SMALL = {"projection": 16, "heads": 2, "retrieval_k": 10}
REFERRING = {"gr2st", "gr2st-v2", "gr2st-v1", "knn"}
NETWORKS = {"gr2st", "gr2st-v2", "gr2st-v1"}
LOOKING = {*NETWORKS, "knn", "ridge"}


def trained_on(sections: list[Prepared], model: str) -> TrainedModel:
    spec = MODELS[model]
    config = spec.config.model_copy(update=SMALL) if isinstance(spec.config, Gr2stConfig) else spec.config
    epochs = 2 if spec.training.epochs else 0
    training = spec.training.model_copy(update={"epochs": epochs, "device": "cpu", "threads": 1})
    return finish(train(model, sections, toy_recipe(), config=config, training=training))


@pytest.fixture(scope="module")
def sections() -> list[Prepared]:
    return [toy_section("A1", seed=1), toy_section("C1", seed=2, patient="C")]


@pytest.fixture(scope="module")
def held_out() -> Prepared:
    return toy_section("B1", seed=3, patient="B")


@pytest.fixture(scope="module", params=list(MODELS))
def trained(request: pytest.FixtureRequest, sections: list[Prepared]) -> TrainedModel:
    return trained_on(sections, request.param)


@pytest.fixture(scope="module")
def ours(sections: list[Prepared], held_out: Prepared) -> Prediction:
    return finish(predict(trained_on(sections, "gr2st"), held_out))


def new_values(table: AnnData) -> dict[str, np.ndarray]:
    """Everything in a prediction that tells of it, as arrays by place and name."""
    found = {f"obs/{name}": table.obs[name].to_numpy() for name in table.obs}
    found |= {f"var/{name}": table.var[name].to_numpy() for name in table.var}
    found |= {f"obsp/{name}": graph.toarray() for name, graph in table.obsp.items()}
    for kind in ("layers", "obsm"):
        found |= {f"{kind}/{name}": np.asarray(values) for name, values in getattr(table, kind).items()}
    for name in (keys.BANK_NAME, keys.BANK_XY, keys.SECTION_PATIENTS, keys.OUTSIDE_BEYOND):
        if name in table.uns[keys.PROVENANCE]:
            found[f"uns/{name}"] = np.asarray(table.uns[keys.PROVENANCE][name])
    return found


# ------------------------------------------------------------------------------------------------- what is filled


def test_each_model_tells_what_the_docs_say_it_has(trained: TrainedModel, held_out: Prepared) -> None:
    table = finish(predict(trained, held_out)).table
    name, references = trained.name, (keys.REFERENCE, keys.REFERENCE_WEIGHT, keys.REFERENCE_DISTANCE)
    assert all((key in table.obsm) == (name in REFERRING) for key in (*references, keys.REFERENCE_SIMILARITY))
    assert (keys.SPREAD in table.layers) == (name in REFERRING)
    assert all((share in table.var) == (name in REFERRING) for share in keys.SHARES.values())
    assert (keys.DISAGREEMENT in table.layers) == (name == "gr2st")
    assert (keys.EXPERTS in table.obsm) == (name in {"gr2st", "gr2st-v2"})
    assert (keys.SPATIAL_GRAPH in table.obsp) == (keys.FUNCTIONAL_GRAPH in table.obsp) == (name in NETWORKS)
    assert (keys.ATTENTION in table.uns[keys.PROVENANCE]) == (name in NETWORKS)
    assert (keys.DISTANCE in table.obs) == (keys.OUTSIDE in table.obs) == (name in LOOKING)
    assert (keys.USUAL_SPREAD in table.var) == (table.uns[keys.PROVENANCE]["space"] != "mixed")


def test_other_counts_of_the_held_out_section_change_nothing_that_is_told(
    trained: TrainedModel, held_out: Prepared
) -> None:
    if MODELS[trained.name].is_oracle:
        pytest.skip("the oracle reads the depth of the held-out section, and says so")
    other = replace(held_out, spot_expression=held_out.spot_expression[::-1] * 5, depth=held_out.depth[::-1].copy())
    one, two = (new_values(finish(predict(trained, section)).table) for section in (held_out, other))
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], err_msg=name)


def test_all_of_it_outlives_a_model_folder_and_a_prediction_file(
    trained: TrainedModel, held_out: Prepared, tmp_path: Path
) -> None:
    again = load_model(save_model(trained, tmp_path / "model"))
    path = gr2st.save_prediction(finish(predict(again, held_out)), tmp_path / "B1.h5ad")
    stored = new_values(gr2st.read_prediction(path).table)
    for name, values in new_values(finish(predict(trained, held_out)).table).items():
        np.testing.assert_array_equal(values, stored[name], err_msg=name)


def test_attention_of_a_row_and_of_the_spot_itself_sum_to_one(ours: Prediction) -> None:
    for key in (keys.SPATIAL_GRAPH, keys.FUNCTIONAL_GRAPH):
        graph = ours.table.obsp[key]
        assert graph.dtype == np.float32 and (graph.data > 0).all() and not graph.diagonal().any()
        assert (graph.sum(axis=1) < 1).all()
    told = gr2st.explain(ours, 7).spatial
    assert told is not None and told.itself is not None
    assert told.itself + sum(one.attention or 0 for one in told.neighbours) == pytest.approx(1, abs=1e-6)


def test_the_shares_of_the_parts_are_those_of_the_settings(ours: Prediction) -> None:
    shares = {part: float(ours.table.var[name].iloc[0]) for part, name in keys.SHARES.items()}
    assert shares["kernel"] in [pytest.approx(tenth / 10) for tenth in range(1, 10)]
    assert sum(shares.values()) == pytest.approx(1)


# -------------------------------------------------------------------------------------------------------- distance


def test_the_distance_is_in_units_of_the_median_of_training() -> None:
    features = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    pictures = Pictures.of(features)
    apart = torch.cdist(features.double(), features.double()).fill_diagonal_(torch.inf)
    own = apart.sort(dim=1).values[:, :NEAREST].mean(dim=1)
    assert pictures.usual == pytest.approx(float(own.median()), rel=1e-4)
    assert float((own / own.median() > pictures.beyond).double().mean()) == pytest.approx(0.01, abs=0.003)
    far = pictures.distance(features[:5] + 100)
    assert (far > pictures.beyond).all()
    nearest = torch.cdist(features[:5] + 100, features).sort(dim=1).values[:, :NEAREST].mean(dim=1)
    torch.testing.assert_close(far * pictures.usual, nearest)


def test_spots_that_are_all_alike_have_a_distance_too() -> None:
    pictures = Pictures.of(torch.zeros(5, 3))
    assert pictures.distance(torch.ones(1, 3)).tolist() == pytest.approx([3**0.5])


def test_of_many_training_spots_a_fixed_lot_is_kept(sections: list[Prepared], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_module, "MOST", 20)
    one, two = (trained_on(sections, "ridge") for _ in range(2))
    assert one.facts is not None and two.facts is not None
    assert one.facts.pictures is not None and two.facts.pictures is not None
    assert one.facts.pictures.features.shape == (20, 12)
    assert torch.equal(one.facts.pictures.features, two.facts.pictures.features)
    seen = one.module.looks_at(_batch(sections[0], one))
    assert seen is not None and any(torch.equal(one.facts.pictures.features[0], row) for row in seen)


def test_a_slide_unlike_those_of_training_is_outside(sections: list[Prepared], held_out: Prepared) -> None:
    trained = trained_on(sections, "ridge")
    far = replace(held_out, features=held_out.features + 30)
    assert finish(predict(trained, far)).table.obs[keys.OUTSIDE].all()
    assert not finish(predict(trained, sections[0])).table.obs[keys.OUTSIDE].all()


def test_one_training_spot_has_no_distance_to_others(sections: list[Prepared]) -> None:
    one = toy_section("A1", side=1)
    facts = Facts.of(trained_on(sections, "ridge").module, [one], torch.device("cpu"))
    assert facts.pictures is None


def _batch(section: Prepared, trained: TrainedModel) -> object:
    from gr2st.training.batches import to_batch

    return to_batch(section, trained.module.needs, torch.device("cpu"))


# --------------------------------------------------------------------------------------------------------- explain


def test_a_spot_is_explained_by_the_training_spots_of_its_file(ours: Prediction, sections: list[Prepared]) -> None:
    spot = ours.table.obs_names[9]
    told = gr2st.explain(ours, spot)
    assert (told.spot, told.row) == (spot, 9)
    assert [one.weight for one in told.references] == sorted((one.weight for one in told.references), reverse=True)
    assert sum(one.weight for one in told.references) == pytest.approx(1)
    by_name = {section.section: section for section in sections}
    table, uns = ours.table, ours.table.uns[keys.PROVENANCE]
    for one in told.references:
        section, at = by_name[one.section], int(uns[keys.BANK_SPOT][one.row])
        assert one.patient == section.patient
        assert one.spot == section.spots[at]
        assert one.xy == tuple(section.pixel[at])
        place = list(table.obsm[keys.REFERENCE][9]).index(one.row)
        assert one.distance == float(table.obsm[keys.REFERENCE_DISTANCE][9, place])
        assert one.similarity == float(table.obsm[keys.REFERENCE_SIMILARITY][9, place])
    assert told.distance == float(table.obs[keys.DISTANCE].iloc[9])
    assert told.is_outside is bool(table.obs[keys.OUTSIDE].iloc[9])
    assert told.compared_with == 72


def test_the_weights_follow_from_the_distances(ours: Prediction) -> None:
    distance, weight = (ours.table.obsm[name] for name in (keys.REFERENCE_DISTANCE, keys.REFERENCE_WEIGHT))
    raw = 1 / (distance.astype(float) ** 2 + 1e-8)
    np.testing.assert_allclose(weight, raw / raw.sum(axis=1, keepdims=True), rtol=1e-4)


def test_neighbours_come_by_attention_and_experts_by_class(ours: Prediction) -> None:
    told = gr2st.explain(ours, 3)
    assert told.functional is not None
    attention = [one.attention for one in told.functional.neighbours]
    assert attention == sorted(attention, reverse=True)
    graph = ours.table.obsp[keys.FUNCTIONAL_GRAPH].toarray()
    assert {one.row: one.attention for one in told.functional.neighbours} == {
        int(at): float(graph[3, at]) for at in graph[3].nonzero()[0]
    }
    assert tuple(told.experts) == CELL_CLASSES
    assert sum(told.experts.values()) == pytest.approx(1)
    assert not told.experts_are_taught


def test_a_gene_is_told_with_what_it_varies_by_in_training(ours: Prediction, sections: list[Prepared]) -> None:
    told = gr2st.explain(ours, 3, GENES[4]).gene
    assert told is not None
    assert told.value == float(ours.table.layers[keys.PREDICTED][3, 4])
    assert told.spread == float(ours.table.layers[keys.SPREAD][3, 4])
    assert told.disagreement == float(ours.table.layers[keys.DISAGREEMENT][3, 4])
    assert told.usual_spread == pytest.approx(np.mean([one.gene_expression[:, 4].std() for one in sections]))
    assert sum(told.shares.values()) == pytest.approx(1)
    assert gr2st.explain(ours, 3).gene is None


def test_names_and_rows_that_are_not_there_are_told(ours: Prediction) -> None:
    with pytest.raises(UnknownName, match="No spot is called '99x99'"):
        gr2st.explain(ours, "99x99")
    with pytest.raises(UnknownName, match="No gene is called 'GENE77'"):
        gr2st.explain(ours, 0, "GENE77")
    with pytest.raises(DataError, match="Row 36 was asked for; the prediction of B1 has rows 0 to 35"):
        gr2st.explain(ours, 36)


def test_a_model_without_references_and_graphs_is_explained_by_its_distance(
    sections: list[Prepared], held_out: Prepared
) -> None:
    told = gr2st.explain(finish(predict(trained_on(sections, "ridge"), held_out)), 0, GENES[0])
    assert (told.references, told.spatial, told.functional, told.experts) == ((), None, None, {})
    assert told.distance is not None and told.confidence is None
    assert told.gene is not None and told.gene.spread is None and told.gene.shares == {}


# -------------------------------------------------------------------------------------------------- earlier versions


def stored_earlier(trained: TrainedModel, folder: Path) -> Path:
    """A model folder as it was before features and places were kept in it."""
    from anndata import read_h5ad

    save_model(trained, folder)
    (folder / keys.MODEL_FACTS).unlink()
    bank = read_h5ad(folder / keys.MODEL_BANK)
    bank.obs = bank.obs[["section", "spot"]]
    write_h5ad(folder / keys.MODEL_BANK, bank)
    card = json.loads((folder / keys.MODEL_CARD).read_text())
    del card["files"][keys.MODEL_FACTS]
    card["files"][keys.MODEL_BANK] = file_digest(folder / keys.MODEL_BANK)
    write_json(folder / keys.MODEL_CARD, card)
    return folder


def test_a_model_of_an_earlier_version_predicts_and_says_what_is_missing(
    sections: list[Prepared], held_out: Prepared, ours: Prediction, tmp_path: Path
) -> None:
    old = load_model(stored_earlier(trained_on(sections, "gr2st"), tmp_path / "model"))
    assert old.places is None and old.facts is None
    prediction = finish(predict(old, held_out))
    assert prediction.notes == (STORED_EARLIER,)
    assert ours.notes == ()
    np.testing.assert_array_equal(prediction.table.layers[keys.PREDICTED], ours.table.layers[keys.PREDICTED])
    assert not {keys.DISTANCE, keys.OUTSIDE} & set(prediction.table.obs)
    told = gr2st.explain(prediction, 0)
    assert told.references[0].section in {"A1", "C1"}
    assert (told.references[0].patient, told.references[0].spot, told.references[0].xy) == ("", "", None)
    assert (told.distance, told.is_outside, told.compared_with) == (None, None, 0)


def test_a_prediction_of_an_earlier_version_has_neighbours_without_attention(ours: Prediction) -> None:
    table = ours.table.copy()
    for key in (keys.SPATIAL_GRAPH, keys.FUNCTIONAL_GRAPH):
        table.obsp[key] = (table.obsp[key] > 0).astype(np.float32)
    table.uns[keys.PROVENANCE] = {k: v for k, v in table.uns[keys.PROVENANCE].items() if k != keys.ATTENTION}
    for name in (keys.REFERENCE_DISTANCE, keys.REFERENCE_SIMILARITY, keys.EXPERTS):
        del table.obsm[name]
    told = gr2st.explain(replace(ours, table=table), 3)
    new = gr2st.explain(ours, 3)
    assert told.spatial is not None and new.spatial is not None
    assert {one.row for one in told.spatial.neighbours} == {one.row for one in new.spatial.neighbours}
    assert {one.attention for one in told.spatial.neighbours} == {None} and told.spatial.itself is None
    assert told.references[0].distance is None and told.references[0].weight == new.references[0].weight
    assert told.experts == {}


def test_the_places_are_those_of_the_bank(sections: list[Prepared]) -> None:
    trained, places = trained_on(sections, "knn"), Places.of(sections)
    assert trained.module.bank is not None and trained.places is not None
    assert len(places.name) == len(trained.module.bank.section) == 72
    assert places.xy[36].tolist() == sections[1].pixel[0].tolist()
    assert trained_on(sections, "ridge").places is None
