"""The page of an evaluation, and its figures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice
from gr2st.errors import DataError
from gr2st.evaluation.figures import COLOURS
from gr2st.types import Study, finish
from tests.builders import gene_names, her2st_folder
from tests.core.conftest import Command  # noqa: TC001

PLAN = gr2st.Plan(models=("ridge", "mean", "depth-oracle"), genes=GeneChoice(listed=tuple(gene_names(12))))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return gr2st.read_study(her2st_folder(tmp_path_factory.mktemp("a <tiny> study"), names=("A1", "A2", "B1")))


@pytest.fixture(scope="module")
def evaluation(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finish(gr2st.evaluate(study, PLAN, tmp_path_factory.mktemp("whole") / "evaluation")).out


@pytest.fixture(scope="module")
def page(evaluation: Path) -> str:
    return finish(gr2st.write_report(evaluation, evaluation / "page.html")).read_text(encoding="utf-8")


class Strict(HTMLParser):
    """Refuses what is opened and not closed."""

    VOID = ("meta", "img", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of(page: str) -> str:
    parser = Strict()
    parser.feed(page)
    assert parser.open == []
    return parser.text


def test_the_page_is_whole_and_needs_no_network_and_no_script(page: str) -> None:
    text_of(page)
    assert not re.findall(r'(?:src|href)="(?!data:)|<script|url\(|@import|http', page)
    assert page.count('src="data:image/png;base64,') == 5


def test_the_page_tells_models_warnings_protocol_genes_and_trainings(page: str, evaluation: Path) -> None:
    text = text_of(page)
    found = gr2st.read_evaluation(evaluation)
    ridge = found.summary["models"]["ridge"]
    assert f"{ridge['pcc_spot']:.3f}".replace("-", "\u2212") in text
    assert "one patient held out at a time" in text
    assert "Evaluation of a <tiny> study" in text
    for sentence in found.summary["warnings"]:
        assert sentence in text
    for gene in gr2st.gene_ranking(evaluation, "ridge").index:
        assert gene in text
    assert "depth-oracle (oracle: reads the test section)" in text
    assert found.summary["provenance"]["data"]["A1"]["table"] in text


def test_the_lines_that_do_it_again_do_it_again(page: str, evaluation: Path, tmp_path: Path) -> None:
    lines = re.search(r"import gr2st[^<]*", text_of(page))
    assert lines is not None
    code = lines[0].split("Settings")[0].replace('"a new folder"', repr(str(tmp_path / "again")))
    exec(compile(code, "page", "exec"), {})
    again, once = (gr2st.read_evaluation(folder) for folder in (tmp_path / "again", evaluation))
    assert [row.pcc_spot for row in again.rows] == [row.pcc_spot for row in once.rows]


def test_a_failed_training_is_told_with_its_reason(evaluation: Path, tmp_path: Path) -> None:
    card = json.loads((evaluation / keys.EVALUATION_CARD).read_text())
    first = evaluation / card["folds"][0]["folder"]
    told = {"digest": card["folds"][0]["result_digest"], "message": "the disk is <full>", "details": ""}
    kept = (first / keys.FOLD_RESULT).rename(first / "kept")
    (first / keys.FOLD_FAILURE).write_text(json.dumps(told))
    try:
        out = finish(gr2st.write_report(evaluation, tmp_path / "page.html"))
    finally:
        kept.rename(first / keys.FOLD_RESULT)
        (first / keys.FOLD_FAILURE).unlink()
    assert "failed: the disk is <full>" in text_of(out.read_text(encoding="utf-8"))


def test_an_evaluation_without_a_fold_that_is_done_has_no_report(study: Study, tmp_path: Path) -> None:
    steps = gr2st.evaluate(study, PLAN, tmp_path / "out")
    next(steps)
    steps.close()
    with pytest.raises(DataError, match="has nothing to report yet"):
        finish(gr2st.write_report(tmp_path / "out", tmp_path / "page.html"))
    assert not (tmp_path / "page.html").exists()


def test_the_command_writes_the_page_into_the_folder(command: Command, evaluation: Path) -> None:
    code, said = command("report", evaluation)
    assert (code, f"Written: {evaluation / 'report.html'}" in said) == (0, True)
    assert (evaluation / "report.html").is_file()
    code, said = command("report", evaluation, "--out", "page.pdf")
    assert (code, "would hold a .html file" in said) == (2, True)


def test_every_model_has_a_row_and_every_patient_a_mark_of_its_own() -> None:
    sections = [f"{patient}{number}" for patient in "ABCDEFGHIJ" for number in (1, 2)]
    table = pd.DataFrame({"model": "ridge", "seed": 0, "section": sections, "pcc_spot": range(20), "pcc_gene": 0.1})
    empty = pd.DataFrame({"model": "mean", "seed": 0, "section": sections, "pcc_spot": float("nan"), "pcc_gene": 0.1})
    figure = gr2st.section_dots(pd.concat([table, empty]), {name: name[0] for name in sections}, "pcc_spot")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ridge", "mean"]
    shown = figure.legends[0]
    assert [text.get_text() for text in shown.get_texts()] == list("ABCDEFGHIJ")
    marks = axes.collections[:10]
    looks = {(tuple(mark.get_facecolor()[0]), mark.get_paths()[0].vertices.tobytes()) for mark in marks}
    assert len(looks) == 10


def test_a_box_holds_the_means_of_the_genes() -> None:
    genes = pd.DataFrame({"model": "knn", "gene": [f"G{number}" for number in range(101)], "pcc_gene": range(101)})
    (axes,) = gr2st.box_plot(genes, "pcc_gene").axes
    (box,) = axes.patches
    assert (box.get_x(), box.get_width()) == (25, 50)
    assert box.get_facecolor()[:3] == tuple(int(COLOURS[0][at : at + 2], 16) / 255 for at in (1, 3, 5))


def test_figures_and_pages_are_made_without_torch_and_without_a_screen(evaluation: Path) -> None:
    code = (
        f"import sys, gr2st; gr2st.box_plot(gr2st.read_gene_scores({str(evaluation)!r}), 'pcc_spot'); "
        "import gr2st.evaluation.report, gr2st.evaluation.section_report; "
        "print({'torch', 'scanpy', 'timm', 'matplotlib.pyplot', 'qtpy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
