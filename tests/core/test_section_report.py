"""The page of a section, and values of a prediction as a table."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import gr2st
from gr2st import Prediction, Section, keys
from gr2st.acts import ACTS
from gr2st.errors import DataError, UnknownName
from gr2st.evaluation.markup import DASH, MINUS, STYLE, code, number, said, table
from gr2st.evaluation.section_cautions import section_cautions
from gr2st.evaluation.section_report import Wanted, choose_genes, write_section_report
from gr2st.io.sidecar import sidecar_of
from gr2st.io.values import prediction_table
from gr2st.types import finish
from tests.builders import gene_names, her2st_folder
from tests.core.conftest import Command  # noqa: TC001
from tests.core.test_report import text_of

GENES = tuple(gene_names(8))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return her2st_folder(tmp_path_factory.mktemp("study"), names=("A1",))


@pytest.fixture(scope="module")
def section(study: Path) -> Section:
    return gr2st.read_section(gr2st.read_study(study).entry("A1"))


def predicted(section: Section, **provenance: object) -> Prediction:
    """Gene after gene further from what was measured."""
    table = AnnData(obs=section.table.obs[[]].copy(), var=pd.DataFrame(index=list(GENES)))
    measured = gr2st.gene_normalise(section.table[:, list(GENES)].X)
    noise = np.random.default_rng(1).normal(size=measured.shape)
    table.layers[keys.PREDICTED] = (measured + noise * np.linspace(0.1, 3, len(GENES))).astype(np.float32)
    table.obsm[keys.SPATIAL] = section.table.obsm[keys.SPATIAL]
    told = {"format": 1, "section": "A1", "model": "ridge", "space": "gene", "trained_on": ["B1"], **provenance}
    told["bank_spot"] = np.arange(500)
    table.uns[keys.PROVENANCE] = told
    return Prediction("A1", "ridge", table)


@pytest.fixture(scope="module")
def prediction(section: Section) -> Prediction:
    return predicted(section)


def test_the_page_is_whole_needs_nothing_and_tells_maps_scores_settings(
    section: Section, prediction: Prediction, tmp_path: Path
) -> None:
    wanted = Wanted.of(["GENE3", "GENE1", "NOPE"])
    page = finish(write_section_report(tmp_path / "A1.html", section, prediction, wanted=wanted)).read_text("utf-8")
    text = text_of(page)
    assert not re.findall(r'(?:src|href)="(?!data:)|<script|url\(|@import|http', page)
    assert page.count("data:image/jpeg;base64,") == 1 + 2
    assert "Asked for, and not there: NOPE." in text
    scored = gr2st.with_measured(prediction, section)
    for gene in GENES:
        assert gene in text
    at = GENES.index("GENE3")
    assert f"GENE3: r = {scored.table.var[keys.PCC_SPOT].iloc[at]:.3f} (S)" in text
    assert "trained_on" in text
    assert '["B1"]' in text
    assert "bank_spot" not in text


def test_without_a_prediction_the_page_shows_what_was_measured(section: Section, tmp_path: Path) -> None:
    page = finish(write_section_report(tmp_path / "A1.html", section, wanted=Wanted.of((), best=3)))
    text = text_of(page.read_text("utf-8"))
    assert "None: there is no prediction." in text
    assert page.read_text("utf-8").count("data:image/jpeg") == 1 + 3


def test_genes_are_those_asked_for_then_the_best_then_the_worst_each_once(section: Section) -> None:
    scores = pd.DataFrame({"gene": GENES, "pcc_spot": np.linspace(0.9, 0.1, len(GENES))})
    prediction = predicted(section)
    assert choose_genes(section, prediction, scores, Wanted(("GENE2",), 2, 2))[0] == [
        "GENE2", "GENE1", "GENE8", "GENE7",
    ]  # fmt: skip
    with pytest.raises(DataError, match="NOPE was asked for, and 8 genes are predicted by ridge"):
        choose_genes(section, prediction, scores, Wanted.of(["NOPE"]))


def test_what_is_not_said_is_none_beside_names_and_the_usual_number_without() -> None:
    assert Wanted.of(["A"]) == Wanted(("A",), 0, 0)
    assert Wanted.of([]) == Wanted((), 6, 3)
    assert Wanted.of(["A"], worst=2) == Wanted(("A",), 0, 2)


@pytest.mark.parametrize(
    ("provenance", "sentence"),
    [
        ({"trained_on": ["A1"]}, "was trained on A1 itself"),
        ({"training_patients": ["A", "B"]}, "Other sections of patient A were in training"),
    ],
)
def test_a_leak_is_told_first(section: Section, provenance: dict[str, list[str]], sentence: str) -> None:
    assert sentence in section_cautions(section, predicted(section, **provenance), None)[0]


def test_what_the_depth_alone_would_reach_is_told_where_it_is_more(section: Section) -> None:
    prediction = gr2st.with_measured(predicted(section), section)
    poor = pd.DataFrame({"pcc_spot": [-1.0] * len(GENES)})
    good = pd.DataFrame({"pcc_spot": [1.0] * len(GENES)})
    told = [" ".join(section_cautions(section, prediction, scores)) for scores in (poor, good)]
    assert ["The depth of the spots alone" in one for one in told] == [True, False]


def test_a_prediction_of_other_spots_is_refused(section: Section, prediction: Prediction, tmp_path: Path) -> None:
    moved = prediction.table.copy()
    moved.obsm[keys.SPATIAL] = moved.obsm[keys.SPATIAL] + 500
    with pytest.raises(DataError, match="give the section it was made for"):
        finish(write_section_report(tmp_path / "x.html", section, replace(prediction, table=moved)))
    assert not list(tmp_path.iterdir())


def test_a_table_of_values_has_a_line_per_spot_with_its_place(section: Section, prediction: Prediction) -> None:
    table = prediction_table(prediction, 2.0, genes=("GENE5", "GENE1"))
    assert list(table.columns) == ["x_px", "y_px", "x_um", "y_um", "GENE5", "GENE1"]
    assert list(table.index) == list(section.spot_names)
    np.testing.assert_allclose(table["x_um"], 2 * section.table.obsm[keys.SPATIAL][:, 0], atol=1e-3)
    np.testing.assert_array_equal(table["GENE1"], prediction.table.layers[keys.PREDICTED][:, 0])
    assert "x_um" not in prediction_table(prediction)
    with pytest.raises(DataError, match="No measured values lie beside this prediction"):
        prediction_table(prediction, what="measured")
    with pytest.raises(UnknownName, match="gene of this prediction"):
        prediction_table(prediction, genes=("NOPE",))


def test_the_commands_write_a_page_and_a_table_with_its_settings(
    command: Command, study: Path, section: Section, prediction: Prediction, tmp_path: Path
) -> None:
    stored = gr2st.save_prediction(gr2st.with_measured(prediction, section), tmp_path / "A1.h5ad")
    code, said = command(
        "report-section",
        study,
        "--section",
        "A1",
        "--prediction",
        stored,
        "--genes",
        "GENE1",
        "--out",
        tmp_path / "p.html",
    )
    assert (code, "Written" in said) == (0, True), said
    assert f'gr2st report-section "{study}"' in text_of((tmp_path / "p.html").read_text("utf-8"))
    out = tmp_path / "A1.csv"
    code, said = command("export", stored, "--out", out, "--study", study, "--values", "measured-gene")
    assert (code, "8 genes in" in said) == (0, True), said
    read = pd.read_csv(out, index_col=0)
    measured = gr2st.gene_normalise(section.table[:, list(GENES)].X)
    np.testing.assert_allclose(read[list(GENES)].to_numpy(), measured, atol=1e-5)
    told = json.loads(sidecar_of(out).read_text("utf-8"))
    assert told["values"] == "measured-gene"
    assert told["provenance"]["space"] == "gene"
    assert told["um_per_px"] == section.um_per_px


def test_the_worker_writes_the_page_of_a_section(
    study: Path, section: Section, prediction: Prediction, tmp_path: Path
) -> None:
    stored = gr2st.save_prediction(prediction, tmp_path / "A1.h5ad")
    asked = {"study": str(study), "section": "A1", "prediction": str(stored), "out": str(tmp_path / "p.html")}
    files = finish(ACTS["report_section"]({"do": "report_section", **asked, "genes": ["GENE2"]}))
    assert files == {"report": str(tmp_path / "p.html")}
    assert "GENE2: r =" in text_of((tmp_path / "p.html").read_text("utf-8"))


def test_a_number_that_rounds_to_nothing_has_no_sign() -> None:
    assert [number(value) for value in (-0.0001, -0.2, 0.0004, float("nan"))] == [
        "0.000",
        f"{MINUS}0.200",
        "0.000",
        DASH,
    ]


def test_words_of_a_warning_stay_words_and_commands_get_their_own_letters() -> None:
    assert "<p>a &lt;b&gt; by <code>gr2st evaluate</code>, twice</p>" in said(["a <b> by `gr2st evaluate`, twice"])
    assert not said([])


def test_a_table_is_scrolled_alone_where_the_page_is_too_narrow() -> None:
    assert table((), [["x"]]).startswith('<div class="table"><table>')
    assert ".table { overflow-x: auto; }" in STYLE


def test_a_list_of_many_genes_is_folded() -> None:
    genes = [f"GENE{number}" for number in range(785)]
    assert code(genes[:20]).startswith("<code>")
    assert code(genes).startswith("<details><summary>")
    assert "GENE784" in code(genes)
