"""A fold may not know its test section: with other counts there, nothing that is predicted changes by a bit.

Leaks of each kind are planted to see that this very check catches them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice, TrainConfig
from gr2st.evaluation import fold as fold_module
from gr2st.evaluation.fold import FoldJob, run_fold
from gr2st.evaluation.rows import rows_of
from gr2st.types import Fold

TRAINING = {"gr2st": TrainConfig(epochs=1, device="cpu", threads=1)}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> tuple[gr2st.Study, gr2st.Study]:
    """The sample study, and a copy in which each spot of B1 has the counts of another gene."""
    folder = tmp_path_factory.mktemp("other") / "sample"
    study = gr2st.read_study(gr2st.sample_study_path())
    shutil.copytree(study.entry("B1").path.parents[1], folder)
    path = folder / "ST-cnts" / "B1.tsv.gz"
    counts = pd.read_csv(path, sep="\t", index_col=0)
    order = np.random.default_rng(0).permutation(counts.shape[1])
    pd.DataFrame(counts.to_numpy()[:, order], counts.index, counts.columns).to_csv(path, sep="\t")
    return study, gr2st.read_study(folder)


TOLD_OF_COUNTS = {keys.MEASURED_SPOT, keys.MEASURED_GENE, keys.PCC_SPOT, keys.PCC_GENE}
"""What is laid beside a prediction when it is finished."""


def outcome(study: gr2st.Study, model: str, out: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Genes of B1, and all numbers that a model trained on A1 and A2 tells of it."""
    (row,) = rows_of([model], {}, TRAINING)
    job = FoldJob(Fold("B", ("A1", "A2"), ("B1",)), row, study.entries, GeneChoice(n_variable=30), out)
    run_fold(job)
    prediction = gr2st.read_prediction(job.folder / "B1.h5ad")
    return prediction.genes, told(prediction.table)


def told(table: Any) -> dict[str, Any]:
    """Values, graphs, references and measures of trust of a prediction, by place and name."""
    places = ("layers", "obs", "var", "obsm", "obsp")
    found = {(place, name): values for place in places for name, values in getattr(table, place).items()}
    arrays = {key: values.toarray() if key[0] == "obsp" else np.asarray(values) for key, values in found.items()}
    return {key: values for key, values in arrays.items() if key[1] not in TOLD_OF_COUNTS}


def leaks(studies: tuple[gr2st.Study, gr2st.Study], model: str, out: Path) -> bool:
    """Whether the counts of the test section have a say in its prediction."""
    (genes, one), (others, other) = (outcome(study, model, out / str(at)) for at, study in enumerate(studies))
    assert len(one) > 3 and one.keys() == other.keys()
    return genes != others or any(not np.array_equal(values, other[key]) for key, values in one.items())


@pytest.mark.parametrize("model", ["gr2st", "ridge", "knn", "mean"])
def test_nothing_of_the_test_section_reaches_its_prediction(
    studies: tuple[gr2st.Study, gr2st.Study], model: str, tmp_path: Path
) -> None:
    assert not leaks(studies, model, tmp_path)


def leaky_genes(study_of: Callable[..., Any]) -> Callable[..., Any]:
    """Variable genes chosen with the test section in view."""
    return lambda choice, training: study_of(choice, (*training, _test_entry(training)))


def leaky_training(sections_of: Callable[..., Any]) -> Callable[..., Any]:
    """Scales, bank and components filled from the test section too."""

    def sections(entries: Any, *arguments: Any, **keywords: Any) -> Any:
        found, recipe = yield from sections_of((*entries, _test_entry(entries)), *arguments, **keywords)
        return found, recipe

    return sections


def leaky_prediction(predict_section: Callable[..., Any]) -> Callable[..., Any]:
    """Each gene predicted on the scale that it has in the test section."""

    def predicted(trained: Any, section: Any) -> Any:
        prediction = yield from predict_section(trained, section)
        table = prediction.table.copy()
        table.layers[keys.PREDICTED] = table.layers[keys.PREDICTED] * table.layers[keys.MEASURED_SPOT].std(axis=0)
        return replace(prediction, table=table)

    return predicted


@pytest.mark.parametrize(
    ("name", "leak"),
    [("chosen_genes", leaky_genes), ("training_sections", leaky_training), ("predict_section", leaky_prediction)],
)
def test_a_planted_leak_is_caught(
    studies: tuple[gr2st.Study, gr2st.Study],
    name: str,
    leak: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fold_module, name, leak(getattr(fold_module, name)))
    assert leaks(studies, "ridge", tmp_path)


def _test_entry(training: Any) -> Any:
    """The entry of B1 in the study of these training sections."""
    folder = training[0].path.parents[1]
    return gr2st.read_study(folder).entry("B1")
