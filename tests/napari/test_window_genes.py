"""The list of genes: search, order, speed."""

from __future__ import annotations

import time

import numpy as np
from qtpy.QtCore import Qt

from gr2st_napari.views.gene_list import GENE, MEAN, PCC, GeneList, GeneModel


def _shown(model: GeneModel) -> list[str]:
    return [model.gene_at(row) for row in range(model.rowCount())]


def _model(*genes: str, scores=None) -> GeneModel:
    model = GeneModel()
    aliases = [f"ENSG{at:05d}" for at in range(len(genes))]
    model.set_genes(genes, aliases, np.arange(len(genes), dtype=np.float32), scores)
    return model


def test_exact_matches_come_first_then_beginnings_then_the_rest(qapp):
    model = _model("XERB", "ERBB2", "ERB", "ERBB3", "ACTB")
    model.search("erb")
    assert _shown(model) == ["ERB", "ERBB3", "ERBB2", "XERB"]
    model.search("")
    assert model.rowCount() == 5


def test_an_identifier_finds_its_gene(qapp):
    model = _model("ERBB2", "ACTB")
    model.search("ensg00001")
    assert _shown(model) == ["ACTB"]


def test_genes_are_ranked_by_how_well_they_are_predicted_and_unknown_scores_come_last(qapp):
    model = _model("A", "B", "C", scores=np.array([0.1, np.nan, 0.5], np.float32))
    assert _shown(model) == ["C", "A", "B"]
    model.sort(PCC, Qt.SortOrder.AscendingOrder)
    assert _shown(model) == ["A", "C", "B"]
    model.sort(GENE, Qt.SortOrder.DescendingOrder)
    assert _shown(model) == ["C", "B", "A"]
    model.sort(MEAN, Qt.SortOrder.AscendingOrder)
    assert _shown(model) == ["A", "B", "C"]
    assert model.data(model.index(1, PCC)) == ""


def test_typing_picks_nothing_and_enter_takes_the_first(qtbot):
    view = GeneList()
    qtbot.addWidget(view)
    picked: list[str] = []
    view.picked.connect(picked.append)
    view.show_genes(("ERBB3", "ACTB", "ERBB2"), ("", "", ""), np.zeros(3, np.float32), None)
    view.show_gene("ACTB")
    qtbot.keyClicks(view.line, "erbb2")
    assert picked == []
    assert view.count.text() == "1 of 3 genes"
    qtbot.keyClick(view.line, Qt.Key.Key_Return)
    assert picked == ["ERBB2"]


def test_the_shown_gene_stays_marked_while_typing(qtbot):
    view = GeneList()
    qtbot.addWidget(view)
    view.show_genes(("ERBB3", "ACTB", "ERBB2"), ("", "", ""), np.zeros(3, np.float32), None)
    view.show_gene("ACTB")
    view.line.setText("erbb")
    view.line.clear()
    assert view.model.gene_at(view.table.currentIndex().row()) == "ACTB"


def test_twenty_thousand_genes_are_searched_within_fifty_milliseconds(qapp):
    random = np.random.default_rng(0)
    names = ["".join(letters) for letters in random.choice(list("ABCDEFGH0123456789"), (20_000, 8))]
    model = _model(*names, scores=random.random(20_000).astype(np.float32))
    spent = []
    for text in ("A", "AB", "AB1", "C0", "8"):
        start = time.process_time()
        model.search(text)
        spent.append(time.process_time() - start)
    assert sorted(spent)[2] < 0.05
