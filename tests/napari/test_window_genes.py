"""The list of genes: search, order, speed."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from window_builders import make_section, settle, take

from gr2st.types import Progress
from gr2st_napari._expression import Expression
from gr2st_napari._gene_facts import WORK, FactsKeeper, GeneFacts
from gr2st_napari._opening import Opened
from gr2st_napari._resolve import resolve
from gr2st_napari._results import GeneScores, Ranking
from gr2st_napari._shelf_keeper import ShelfKeeper, columns_path, favourites_path
from gr2st_napari._state import State, Wish
from gr2st_napari.views.gene_columns import ColumnChooser
from gr2st_napari.views.gene_list import GeneList
from gr2st_napari.views.gene_model import (
    DETECTED,
    FORMATS,
    GENE,
    HIGH,
    LOW,
    MEAN,
    MORAN,
    PCC,
    STAR,
    VARIABILITY,
    GeneModel,
)


def _shown(model: GeneModel) -> list[str]:
    return [model.gene_at(row) for row in range(model.rowCount())]


def _model(*genes: str, scores=None) -> GeneModel:
    model = GeneModel()
    aliases = [f"ENSG{at:05d}" for at in range(len(genes))]
    model.set_genes(genes, aliases, np.arange(len(genes), dtype=np.float32))
    if scores is not None:
        model.set_column(PCC, scores)
        model.sort(PCC, Qt.SortOrder.DescendingOrder)
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
    view.show_genes(("ERBB3", "ACTB", "ERBB2"), ("", "", ""), np.zeros(3, np.float32))
    view.show_gene("ACTB")
    qtbot.keyClicks(view.line, "erbb2")
    assert picked == []
    assert view.count.text() == "1 of 3 genes"
    qtbot.keyClick(view.line, Qt.Key.Key_Return)
    assert picked == ["ERBB2"]
    view.line.setText("xyz")
    assert view.count.text() == 'No gene here has "xyz" in its name. Empty the line above to see the others.'


def test_the_shown_gene_stays_marked_while_typing(qtbot):
    view = GeneList()
    qtbot.addWidget(view)
    view.show_genes(("ERBB3", "ACTB", "ERBB2"), ("", "", ""), np.zeros(3, np.float32))
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


def _cell(model: GeneModel, gene: str, column: int) -> str:
    return model.data(model.index(model.row_of(gene), column))


def _columns(view: GeneList) -> set[int]:
    return {column for column in range(GENE + 1, HIGH + 1) if not view.table.isColumnHidden(column)}


@pytest.fixture
def sized(qtbot):
    """A list of three genes with every column, in a dock of a width."""
    view = GeneList()
    qtbot.addWidget(view)
    view.columns = ColumnChooser(view)
    view.show_genes(("A", "B", "C"), ("", "", ""), np.arange(3.0))
    for column in range(DETECTED, HIGH + 1):
        view.model.set_column(column, np.array([0.25, np.nan, 0.5]))

    def show(width: int) -> GeneList:
        view.resize(width, 400)
        view.show()
        view.columns.fit()
        return view

    return show


def test_numbers_are_told_as_shares_places_and_scores(qapp):
    model = GeneModel(formats=FORMATS)
    model.set_genes(("A", "B"), ("", ""), np.array([1234.5, 1.234]))
    model.set_column(DETECTED, np.array([0.734, np.nan]))
    model.set_column(VARIABILITY, np.array([1204.0, np.nan]))
    assert [_cell(model, "A", column) for column in (MEAN, DETECTED, VARIABILITY, MORAN)] == [
        "1,234",
        "73 %",
        "1,204",
        "",
    ]
    assert _cell(model, "B", DETECTED) == ""


def test_a_column_that_arrives_later_leaves_the_order_unless_the_list_is_sorted_by_it(qapp):
    model = _model("A", "B", "C")
    model.set_column(MORAN, np.array([0.3, 0.1, 0.2]))
    assert _shown(model) == ["C", "B", "A"]
    model.sort(MORAN, Qt.SortOrder.AscendingOrder)
    model.set_column(MORAN, np.array([0.2, np.nan, 0.1]))
    assert _shown(model) == ["C", "A", "B"]


def test_a_narrow_dock_shows_the_name_and_the_column_it_is_sorted_by(sized):
    view = sized(224)
    view.sort_by(MEAN)
    assert _columns(view) == {MEAN}
    view.sort_by(VARIABILITY)
    assert _columns(view) == {VARIABILITY}
    assert view.model.sorted_by[1] == Qt.SortOrder.AscendingOrder
    view.sort_by(GENE)
    assert _columns(view) == {PCC}


def test_the_title_of_every_column_has_room_beside_the_arrow_that_says_it_is_sorted_by(sized):
    view = sized(700)
    header = view.table.horizontalHeader()
    for column in sorted(_columns(view)):
        view.sort_by(column)
        assert header.sectionSizeHint(column) <= header.sectionSize(column), view.model.words_of(column)


def test_a_click_on_a_title_shows_the_highest_first_a_rank_from_1_and_the_top_of_the_list(qtbot):
    view = GeneList()
    qtbot.addWidget(view)
    genes = tuple(f"G{at:03}" for at in range(200))
    view.show_genes(genes, ("",) * 200, np.arange(200.0), None, np.arange(200.0, 0.0, -1))
    view.resize(500, 300)
    view.show()
    view.show_gene("G100")
    header = view.table.horizontalHeader()

    def click(column: int) -> str:
        place = QPoint(header.sectionViewportPosition(column) + 20, header.height() // 2)
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
        return view.model.gene_at(view.table.rowAt(5))

    assert [click(column) for column in (GENE, MEAN, VARIABILITY, MEAN, MEAN)] == [
        "G000",
        "G199",
        "G199",
        "G199",
        "G000",
    ]
    assert view.model.gene_at(view.table.currentIndex().row()) == "G100"


def test_a_wider_dock_shows_more_columns_and_the_widest_all(sized):
    view = sized(420)
    view.sort_by(MORAN)
    assert {MORAN, PCC, MEAN} <= _columns(view) < set(range(GENE + 1, HIGH + 1))
    assert _columns(sized(700)) == set(range(GENE + 1, HIGH + 1))


def test_the_menu_of_the_header_shows_and_hides_columns(sized):
    view = sized(280)
    menu = view.columns.menu()
    moran = next(action for action in menu.actions() if action.text().startswith("Moran"))
    moran.setChecked(False)
    view = sized(700)
    assert MORAN not in _columns(view)
    moran.setChecked(True)
    view = sized(224)
    assert _columns(view) == {MORAN}
    assert view.model.sorted_by == (MORAN, Qt.SortOrder.DescendingOrder)


def test_a_column_without_numbers_cannot_be_chosen(qtbot):
    view = GeneList()
    qtbot.addWidget(view)
    columns = ColumnChooser(view)
    view.show_genes(("A",), ("",), np.ones(1))
    columns.fit()
    assert [action.isEnabled() for action in columns.menu().actions()] == [True, *[False] * 6]
    assert _columns(view) == {MEAN}


def test_facts_come_one_after_the_other_for_the_section_in_view(qtbot, section):
    state, seen = State(), []
    keeper = FactsKeeper(state)
    state.events.facts.connect(lambda facts: seen.append(tuple(facts.known)))
    state.expression = Expression(section, None)
    qtbot.waitUntil(lambda: not keeper.is_busy)
    news = list(dict.fromkeys(seen))
    assert news == [(), ("detected",), ("detected", "variability"), ("detected", "variability", "pattern")]
    assert state.facts.of("detected", ["ACTB", "GHOST"])[0] == 1
    assert np.isnan(state.facts.of("pattern", ["GHOST"])[0])
    keeper.close()


def test_a_fact_that_takes_long_tells_how_far_it_is_and_ends_with_its_section(qtbot, section, monkeypatch):
    left = []

    def endless(section):
        try:
            while True:
                yield Progress("Looking", 40, 100)
                time.sleep(0.01)
        finally:
            left.append(section)

    monkeypatch.setitem(WORK, "pattern", endless)
    state, other = State(), make_section("other")
    keeper = FactsKeeper(state)
    for shown in (section, other):
        state.expression = Expression(shown, None)
        qtbot.waitUntil(lambda: (state.facts.under_way, state.facts.done) == ("pattern", 0.4))
    assert left == [section]
    keeper.close()
    assert left == [section, other], "a window that closes waits for nothing"


def test_a_column_that_is_worked_out_says_how_far_it_is(qtbot):
    view = GeneList()
    qtbot.addWidget(view)
    columns = ColumnChooser(view)
    columns.show_under_way({MORAN: 0.4})
    texts = [action.text() for action in columns.menu().actions()]
    assert [text for text in texts if "worked out" in text] == [f"{view.model.words_of(MORAN)} (being worked out: 40%)"]


def test_a_fact_that_is_not_there_yet_is_missing():
    assert GeneFacts(("A",)).of("pattern", ["A"]) is None


def test_the_dock_fills_its_columns_with_the_facts_of_the_section(dock, controller, section, qtbot):
    take(controller, Opened(section=section))
    qtbot.waitUntil(lambda: not controller.facts.is_busy)
    model = dock.genes.model
    assert _cell(model, "ACTB", DETECTED) == "100 %"
    assert _cell(model, "ACTB", VARIABILITY) == "1"
    assert float(_cell(model, "ACTB", MORAN)) > 0.5


def test_the_dock_shows_scores_of_an_evaluation_with_their_interval(dock, controller, section, prediction):
    take(controller, Opened(section=section, prediction=prediction))
    assert not dock.genes.model.knows(LOW)
    spaces = dict.fromkeys(("spot", "gene"))
    scores = GeneScores(("ERBB2",), *({space: np.array([value]) for space in spaces} for value in (0.41, 0.33, 0.52)))
    controller.state.ranking = Ranking("gr2st", frozenset({"C4"}), 2, scores)
    assert [_cell(dock.genes.model, "ERBB2", column) for column in (PCC, LOW, HIGH)] == ["0.41", "0.33", "0.52"]
    assert _cell(dock.genes.model, "ACTB", PCC) == ""
    assert dock.genes.model.gene_at(0) == "ERBB2"


def test_next_and_previous_follow_the_list_as_it_is_sorted_and_end_with_it(qtbot):
    view = GeneList()
    qtbot.addWidget(view)
    picked: list[str] = []
    view.picked.connect(picked.append)
    view.show_genes(("A", "B", "C"), ("", "", ""), np.array([1.0, 3.0, 2.0]))
    view.show_gene("B")
    for by in (1, 1, 1, -1):
        view.step(by)
    assert picked == ["C", "A", "C"]


def test_the_keys_of_the_viewer_go_through_the_list(dock, controller, section):
    take(controller, Opened(section=section))
    controller.wish(gene=dock.genes.model.gene_at(0))
    keys = {str(key): act for key, act in controller._viewer.keymap.items()}
    keys["Ctrl+Shift+Down"](controller._viewer)
    assert controller.state.shown.gene == dock.genes.model.gene_at(1)
    keys["Ctrl+Shift+Up"](controller._viewer)
    assert controller.state.shown.gene == dock.genes.model.gene_at(0)


def test_a_list_narrows_the_table_by_symbol_or_identifier(qapp):
    model = _model("ERBB2", "ACTB", "FASN")
    model.narrow(("actb", "ENSG00002", "GHOST"))
    assert _shown(model) == ["FASN", "ACTB"]
    model.search("act")
    assert _shown(model) == ["ACTB"]
    model.search("")
    model.narrow(None)
    assert model.rowCount() == 3


def test_a_star_is_set_by_the_key_f_and_kept_for_the_next_window(dock, controller, section, qtbot):
    take(controller, Opened(section=section))
    dock.genes.table.selectRow(dock.genes.model.row_of("FASN"))
    with qtbot.waitSignal(dock.genes.starred):
        dock.genes._star_current()
    assert favourites_path().read_text() == "FASN\n"
    assert _cell(dock.genes.model, "FASN", STAR) == "★"
    dock.lists.choose("Favourites")
    assert _shown(dock.genes.model) == ["FASN"]
    later = State()
    ShelfKeeper(later)
    assert later.shelf.favourites == ("FASN",)
    controller.shelf.star("FASN")
    assert not favourites_path().exists()
    assert _shown(dock.genes.model) == []


def test_the_columns_that_were_chosen_are_those_of_the_next_window(dock, controller, section):
    take(controller, Opened(section=section))
    dock.columns.menu().actions()[MEAN - 1].setChecked(False)
    dock.columns.menu().actions()[MORAN - 1].trigger()
    wanted = controller.state.shelf.columns
    assert "mean" not in wanted
    assert columns_path().read_text().split() == list(wanted)
    later = State()
    ShelfKeeper(later)
    assert later.shelf.columns == wanted
    columns_path().unlink()


def test_columns_of_a_later_version_are_passed_over(sized):
    view = sized(700)
    view.columns.show_wanted(("moran", "holograms"))
    assert _columns(view) == {MORAN}
    view.columns.show_wanted(())
    assert _columns(view) == set()


def test_a_click_on_the_star_stars_its_gene(qtbot):
    view = GeneList()
    qtbot.addWidget(view)
    view.show_genes(("A", "B"), ("", ""), np.array([1.0, 3.0]))
    starred: list[str] = []
    view.starred.connect(starred.append)
    view.table.clicked.emit(view.model.index(1, STAR))
    view.table.clicked.emit(view.model.index(1, GENE))
    assert starred == ["A"]


def test_recent_genes_are_those_shown_last(dock, controller, section):
    take(controller, Opened(section=section))
    first = controller.state.shown.gene
    others = [gene for gene in section.genes if gene != first][:2]
    for gene in others:
        controller.wish(gene=gene)
    assert controller.state.shelf.recent == (*reversed(others), first)
    dock.lists.choose("Recent")
    assert set(_shown(dock.genes.model)) == {first, *others}


def test_a_list_from_a_file_narrows_the_dock_and_what_is_shown_can_be_saved(dock, controller, section, tmp_path, qtbot):
    take(controller, Opened(section=section))
    (tmp_path / "mine.gmt").write_text("HER2\t\tERBB2\tERBB3\tGRB7\n")
    dock.lists.opened.emit(str(tmp_path / "mine.gmt"))
    qtbot.waitUntil(lambda: dock.lists.name == "HER2")
    assert not controller.state.job.is_running
    assert set(_shown(dock.genes.model)) == {"ERBB2", "ERBB3"}
    dock.lists.saved.emit(str(tmp_path / "shown.csv"))
    assert (tmp_path / "shown.csv").read_text().split() == ["gene", *_shown(dock.genes.model)]


def test_a_list_is_read_beside_the_window(dock, controller, section, tmp_path, monkeypatch, qtbot):
    take(controller, Opened(section=section))
    is_looked_at = threading.Event()

    def slowly(path):
        assert is_looked_at.wait(60)
        return {"long": ("ERBB2",)}

    monkeypatch.setattr("gr2st_napari._shelf_keeper.read_gene_lists", slowly)
    dock.lists.opened.emit(str(tmp_path / "long.gmt"))
    assert controller.state.job.label == "Reading long.gmt"
    is_looked_at.set()
    qtbot.waitUntil(lambda: dock.lists.name == "long")


def test_a_file_that_is_no_list_is_a_sentence_and_changes_nothing(dock, controller, section, tmp_path, qtbot):
    take(controller, Opened(section=section))
    (tmp_path / "mine.gmt").write_text("no tabs here\n")
    dock.lists.opened.emit(str(tmp_path / "mine.gmt"))
    qtbot.waitUntil(lambda: controller.state.problem is not None)
    assert "is no .gmt file" in controller.state.problem.sentence
    assert dock.lists.name == ""
    assert dock.genes.model.rowCount() == 5


def test_the_mean_of_a_list_is_a_map_like_a_gene(dock, controller, section, prediction, tmp_path, qtbot):
    take(controller, Opened(section=section, prediction=prediction))
    (tmp_path / "mine.gmt").write_text("HER2\t\tERBB2\tENSG00000000003\tGHOST\n")
    controller.shelf.open(tmp_path / "mine.gmt")
    qtbot.waitUntil(lambda: dock.lists.name == "HER2")
    controller.wish(space="gene")
    dock.lists.mean.click()
    shown, expression = controller.state.shown, controller.state.expression
    assert [panel.title for panel in shown.panels] == [
        "HER2 (mean z) · measured · gene-normalised",
        "HER2 (mean z) · predicted · gene-normalised",
    ]
    z = [(values - values.mean()) / values.std() for values in _measured(expression, "ERBB2", "FASN")]
    np.testing.assert_allclose(shown.panels[0].values, np.mean(z, axis=0), atol=1e-5)
    np.testing.assert_allclose(shown.panels[1].values, np.mean(z, axis=0), atol=1e-5)
    assert shown.panels[0].limits == shown.panels[1].limits
    assert controller.state.notes == ("2 of 3 listed genes are on this slide.",)
    assert "HER2 (mean z) measured" in controller.describe(3)
    assert "HER2 (mean z)" not in controller.state.shelf.recent
    controller.wish(mode="difference", space="spot")
    settle(controller)
    assert controller.state.shown.panels[0].title == "HER2 (mean z) · predicted minus measured · standard deviations"
    assert controller.state.notes == ("2 of 3 listed genes are on this slide.",)
    controller.wish(gene="ACTB", mode="measured")
    settle(controller)
    assert controller.state.shown.panels[0].title.startswith("ACTB · measured")


def test_a_list_that_names_no_gene_of_the_slide_shows_the_gene_it_would_show_else(section):
    shown = resolve(Wish(gene="X (mean z)", members=("GHOST",)), Expression(section, None))
    assert shown.gene in section.genes
    assert shown.members == ()


def _measured(expression: Expression, *genes: str):
    return [expression.values(gene, "measured", "gene").astype(float) for gene in genes]


def test_the_list_takes_the_height_that_is_left_whichever_dock_is_opened_first(dock):
    layout = dock.layout()
    assert layout.itemAt(layout.count() - 1).widget() is dock.foot
