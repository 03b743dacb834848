"""Clusters of the expression against a pathologist's labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from gr2st import keys
from gr2st.evaluation.labels import AGREEMENTS, clusters, label_agreement
from gr2st.types import Prediction

REGIONS = ["cancer"] * 20 + ["stroma"] * 20 + ["fat"] * 20


def regions_of(rng: np.random.Generator, n_genes: int = 30, noise: float = 0.1) -> np.ndarray:
    """Expression (60, genes) with a level of its own for each of three regions."""
    levels = np.repeat(rng.normal(size=(3, n_genes)), 20, axis=0)
    return (levels + rng.normal(0, noise, levels.shape)).astype(np.float32)


def predicted(values: np.ndarray, measured: np.ndarray) -> Prediction:
    obs = pd.DataFrame(index=[f"spot{row}" for row in range(len(values))])
    table = AnnData(values, obs=obs)
    table.layers[keys.PREDICTED] = values
    table.layers[keys.MEASURED_SPOT] = measured
    return Prediction(section="S", model="m", table=table)


def labelled(labels: list[object]) -> AnnData:
    obs = pd.DataFrame({keys.LABEL: pd.Categorical(labels)}, index=[f"spot{row}" for row in range(len(labels))])
    return AnnData(np.ones((len(labels), 1), np.float32), obs=obs)


def test_expression_that_follows_the_regions_agrees_with_them_and_noise_does_not(rng: np.random.Generator) -> None:
    noise = rng.normal(size=(60, 30)).astype(np.float32)
    found = label_agreement(predicted(regions_of(rng), noise), labelled(REGIONS))
    assert found["ari_predicted"] == found["nmi_predicted"] == pytest.approx(1)
    assert found["ari_measured"] is not None
    assert abs(found["ari_measured"]) < 0.15
    assert found["nmi_measured"] is not None
    assert found["nmi_measured"] < 0.2


def test_clusters_do_not_depend_on_the_scale_of_a_gene(rng: np.random.Generator) -> None:
    values = regions_of(rng)
    louder = values.copy()
    louder[:, 0] = 1000 * rng.normal(size=60)
    found = label_agreement(predicted(louder, values), labelled(REGIONS))
    assert found["ari_predicted"] == pytest.approx(1)


def test_the_same_expression_gives_the_same_clusters(rng: np.random.Generator) -> None:
    values = rng.normal(size=(80, 40))
    np.testing.assert_array_equal(clusters(values, 4), clusters(values, 4))


@pytest.mark.parametrize("word", ["undetermined", "Undetermined ", "", None, np.nan])
def test_spots_without_a_region_are_left_out(rng: np.random.Generator, word: object) -> None:
    values = regions_of(rng)
    values[:10] = rng.normal(0, 50, (10, 30))
    labels: list[object] = [word] * 10 + list(REGIONS[10:])
    found = label_agreement(predicted(values, values), labelled(labels))
    assert found["ari_predicted"] == pytest.approx(1)


def test_labels_meet_their_spots_by_name_and_not_by_row(rng: np.random.Generator) -> None:
    values = regions_of(rng)
    mixed = labelled(REGIONS)[rng.permutation(60)].copy()
    assert label_agreement(predicted(values, values), mixed)["ari_predicted"] == pytest.approx(1)


@pytest.mark.parametrize("labels", [["cancer"] * 60, ["cancer"] * 30 + ["undetermined"] * 30, [None] * 60])
def test_fewer_than_two_labels_give_no_score(rng: np.random.Generator, labels: list[object]) -> None:
    values = regions_of(rng)
    assert label_agreement(predicted(values, values), labelled(labels)) == dict.fromkeys(AGREEMENTS)


def test_a_section_without_labels_gives_no_score(rng: np.random.Generator) -> None:
    values = regions_of(rng)
    bare = AnnData(np.ones((60, 1), np.float32), obs=pd.DataFrame(index=[f"spot{row}" for row in range(60)]))
    assert label_agreement(predicted(values, values), bare) == dict.fromkeys(AGREEMENTS)


def test_a_prediction_that_is_the_same_everywhere_has_no_clusters(rng: np.random.Generator) -> None:
    values = regions_of(rng)
    found = label_agreement(predicted(np.ones_like(values), values), labelled(REGIONS))
    assert (found["ari_predicted"], found["nmi_predicted"]) == (None, None)
    assert found["ari_measured"] == pytest.approx(1)


def test_genes_that_were_not_measured_have_no_say_on_either_side(rng: np.random.Generator) -> None:
    values = regions_of(rng)
    told, truth = values.copy(), values.copy()
    truth[:, :5] = np.nan
    told[:, :5] = rng.normal(0, 1, (60, 5))
    first = label_agreement(predicted(told, truth), labelled(REGIONS))
    told[:, :5] = 0
    assert label_agreement(predicted(told, truth), labelled(REGIONS)) == first
    assert first["ari_measured"] == pytest.approx(1)
