"""Figures, values, reports and sessions, from the dock and from files."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hands import choose_in_menu
from qtpy.QtWidgets import QApplication, QMenu, QTableView
from window_builders import make_evaluation, make_prediction, make_slide, make_slide_prediction, open_dock, settle, take

from gr2st import (
    NOT_DRAWN,
    NOT_MEASURED,
    DataError,
    RecipeMismatch,
    Region,
    SectionInvalid,
    UnknownName,
    cache_dir,
    keys,
    read_prediction,
    sample_study_path,
    save_prediction,
)
from gr2st_napari._classes import classes_of, offers, source_of
from gr2st_napari._colours import class_colours
from gr2st_napari._evaluation import Desk
from gr2st_napari._export import figure_of, file_stem, settings_of, why_not_export
from gr2st_napari._expression import Expression
from gr2st_napari._opening import open_path, opened_of
from gr2st_napari._resolve import resolve
from gr2st_napari._session import Session, read_session, session_json
from gr2st_napari._state import Problem, State, Wish

PATIENCE_MS = 60_000


@pytest.fixture
def shown(section, prediction):
    """What is in view, without a window: display, expression, opened."""
    opened, expression = opened_of(section, prediction), Expression(section, prediction)
    return resolve(Wish(gene="ERBB2", mode="side by side", space="gene"), expression), expression, opened


@pytest.fixture
def study(tmp_path):
    """A copy of the sample study that may be moved."""
    return Path(shutil.copytree(sample_study_path(), tmp_path / "work" / "study"))


@pytest.fixture
def session(study):
    """A session of its section B1 with a prediction beside the study."""
    opened = open_path(study)
    prediction = make_prediction(opened.section, genes=opened.section.genes[:3])
    stored = save_prediction(prediction, study.parent / "A1.h5ad")
    view = Wish(gene=prediction.genes[1], mode="difference", limits=(-2.0, 2.0), colormap="magma")
    window = (100.0, 200.0, 700.0, 600.0)
    return Session(study=opened.study.path, section=opened.name, prediction=stored, view=view, window=window)


def _write(session: Session, path: Path) -> Path:
    path.write_text(json.dumps(session_json(session, path.parent)), encoding="utf-8")
    return path


def test_a_figure_has_the_maps_of_the_screen_and_all_spots(shown):
    display, expression, opened = shown
    figure = figure_of(display, expression, opened)
    assert [one.title for one in figure.maps] == [panel.title for panel in display.panels]
    assert [one.limits for one in figure.maps] == [panel.limits for panel in display.panels]
    assert figure.window == (160.0, 60.0, 1040.0, 740.0)
    assert (figure.diameter_px, figure.um_per_px) == (60.0, 0.5)
    assert "Predicted by gr2st-v2, trained on C2, C3" in figure.caption


def test_what_lies_beside_the_slide_is_no_part_of_a_figure(shown):
    display, expression, opened = shown
    assert figure_of(display, expression, opened, (-500.0, 100.0, 300.0, 5000.0)).window == (-0.5, 100.0, 300.0, 899.5)
    away = figure_of(display, expression, opened, (5000.0, 5000.0, 6000.0, 6000.0))
    assert away.window == figure_of(display, expression, opened).window


def test_the_settings_of_a_figure_are_those_of_the_screen(shown):
    display, _, opened = shown
    told = settings_of(display, Wish(gene="ERBB2", clip=2.0), opened)
    assert (told["section"], told["model"], told["patient"]) == ("C4", "gr2st-v2", "C")
    assert told["view"]["clip"] == 2.0
    assert told["view"]["mode"] == "side by side"
    assert told["maps"][0]["limits"] == list(display.panels[0].limits)
    json.dumps(told)


def test_files_are_called_after_section_gene_and_mode(shown):
    display, _, opened = shown
    assert file_stem(display, opened) == "C4_ERBB2_side-by-side"
    assert file_stem(replace(display, gene="a/b (mean z)", mode="measured"), opened) == "C4_a-b--mean-z-"


def _of_classes(section, **wish):
    """What is in view of the labels of a section, without a window."""
    section.table.obs[keys.LABEL] = ["tumour"] * 20 + ["fat"] * 20 + [None] * 8
    opened, expression = opened_of(section, None), Expression(section, None)
    wanted = Wish(colour_by=keys.LABEL, **wish)
    return resolve(wanted, expression, classes_of(source_of(expression, wanted))), expression, opened, wanted


def test_spots_unlike_the_training_are_crossed_out_and_no_class(section, prediction):
    prediction.table.obs[keys.OUTSIDE] = np.arange(len(prediction.table)) % 2 == 0
    prediction.table.obs["niche"] = pd.Categorical(np.arange(len(prediction.table)) % 2)
    assert list(offers(Expression(section, prediction))) == ["niche", "clusters"]


def test_a_figure_of_classes_has_the_colours_and_the_legend_of_the_screen(section):
    display, expression, opened, wish = _of_classes(section)
    shown = figure_of(display, expression, opened).maps[0]
    assert [(one.name, one.n_spots) for one in shown.classes] == [("fat", 20), ("tumour", 20), ("no class", 8)]
    assert [one.colour for one in shown.classes] == [*((*rgb, 1.0) for rgb in class_colours(2)), NOT_MEASURED]
    assert shown.codes[[0, 20, 47]].tolist() == [1, 0, 2]
    json.dumps(settings_of(display, wish, opened))
    assert file_stem(display, opened) == "C4_Pathologist-label"


def test_hidden_classes_are_left_out_of_a_figure_and_named_below_it(section):
    display, expression, opened, _ = _of_classes(section, hidden=frozenset({"fat", ""}))
    figure = figure_of(display, expression, opened)
    assert figure.maps[0].codes[[0, 20, 47]].tolist() == [1, NOT_DRAWN, NOT_DRAWN]
    assert figure.caption == "In brackets: spots in the whole section · Not drawn: fat, no class"


def test_what_cannot_be_written_says_why(section, prediction):
    state = State()
    state.opened = opened_of(section, None)
    assert why_not_export(state, ())["values-all"] == "Needs a prediction."
    assert why_not_export(state, ())["report-favourites"] == "No gene is a favourite yet."
    assert why_not_export(state, ("ERBB2",))["report-list"] == ""
    state.opened = opened_of(None, prediction)
    assert why_not_export(state, ())["report-best"] == "Needs the section of the prediction."


def test_paths_below_a_session_are_relative_and_others_are_not(session, study):
    told = session_json(session, study.parent)
    assert (told["study"], told["prediction"]) == ("study/study.csv", "A1.h5ad")
    assert session_json(session, study)["prediction"] == str(study.parent / "A1.h5ad")


def test_a_session_comes_back_as_it_was_also_from_another_place(session, study, tmp_path):
    path = _write(session, study.parent / "a.gr2st")
    assert read_session(path) == session
    moved = study.parent.rename(tmp_path / "elsewhere")
    opened = open_path(moved / "a.gr2st")
    assert opened.section.name == session.section
    assert opened.prediction.genes == read_prediction(moved / "A1.h5ad").genes
    assert opened.restores.session.view == session.view
    assert opened.restores.missing == ()


def test_a_session_of_a_later_version_is_refused_in_a_sentence(session, study):
    path = _write(session, study.parent / "a.gr2st")
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 9, "holograms": True}))
    with pytest.raises(RecipeMismatch, match="a.gr2st has format 9; this version reads sessions up to 1. Update"):
        open_path(path)


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"format": 1}', '{"format": 1, "section": "A1", "view": {"mode": 3}}']
)
def test_what_is_no_session_is_told_so(content, tmp_path):
    path = tmp_path / "a.gr2st"
    path.write_text(content)
    with pytest.raises(DataError, match="a.gr2st is no session"):
        open_path(path)


def test_each_missing_file_of_a_session_is_told(session, study):
    lost = session.model_copy(update={"evaluation": study.parent / "evaluation"})
    path = _write(lost, study.parent / "a.gr2st")
    session.prediction.unlink()
    opened = open_path(path)
    assert opened.prediction is None
    assert [sentence.split(" is not there")[0] for sentence in opened.restores.missing] == [
        f"The prediction {session.prediction}",
        f"The evaluation {lost.evaluation}",
    ]
    shutil.rmtree(study)
    with pytest.raises(SectionInvalid, match="a.gr2st has 3 problems:\n  - The study .* Bring it back"):
        open_path(path)


@pytest.fixture
def filled(controller, section, prediction):
    take(controller, opened_of(section, prediction))
    return controller


@pytest.fixture
def target(monkeypatch, tmp_path):
    """Whatever is to be saved goes where this says."""
    chosen = SimpleNamespace(path="", offered="")

    def ask(_parent, _title, path, _kinds):
        chosen.offered = path
        return str(chosen.path)

    for module in ("export_button", "genes"):
        monkeypatch.setattr(f"gr2st_napari.views.{module}.ask_target", ask)
    return chosen


def _choose(qtbot, dock, part: str, words: str) -> None:
    """Open the Export menu by mouse, then a part of it, and click a line."""
    menu = dock.export.menu()
    menu.aboutToShow.emit()
    # PySide6 deletes a menu that an action was asked for.
    submenu = next(found for found in menu.findChildren(QMenu) if found.title().replace("&", "") == part)
    next(action for action in submenu.actions() if action.text().replace("&", "").startswith(words)).trigger()


@pytest.mark.window
def test_a_figure_of_the_view_is_drawn_and_its_place_is_told(dock, filled, target, tmp_path, qtbot):
    filled.wish(gene="FASN")
    target.path = tmp_path / "mine.svg"
    _choose(qtbot, dock, "Figure", "Of what is in view")
    assert target.offered == "C4_FASN_side-by-side.png"
    qtbot.waitUntil(lambda: filled.state.saved == target.path, timeout=PATIENCE_MS)
    assert "FASN · predicted" in target.path.read_text(encoding="utf-8")
    told = json.loads((tmp_path / "mine.svg.json").read_text())
    np.testing.assert_allclose(told["window_px"], figure_of(
        filled.state.shown, filled.state.expression, filled.state.opened, filled.canvas.view.window).window)  # fmt: skip
    assert dock.foot.line.text().startswith("Saved mine.svg · <a")
    assert dock.foot.line.toolTip() == str(target.path)


@pytest.mark.window
def test_classes_in_view_become_a_figure_with_a_legend_and_a_table(dock, filled, target, tmp_path, qtbot):
    filled.state.expression.section.table.obs[keys.LABEL] = ["tumour"] * 20 + ["fat"] * 20 + [None] * 8
    filled.state.expression.__dict__.pop("class_columns")
    filled.wish(colour_by=keys.LABEL)
    qtbot.waitUntil(lambda: filled.state.shown.classes is not None, timeout=PATIENCE_MS)
    target.path = tmp_path / "labels.svg"
    _choose(qtbot, dock, "Figure", "Of the whole section")
    assert target.offered == "C4_Pathologist-label.png"
    qtbot.waitUntil(lambda: filled.state.saved == target.path, timeout=PATIENCE_MS)
    assert "tumour (20)" in target.path.read_text(encoding="utf-8")
    target.path = tmp_path / "labels.csv"
    _choose(qtbot, dock, "Values", "Of what is in view")
    qtbot.waitUntil(lambda: filled.state.saved == target.path, timeout=PATIENCE_MS)
    assert pd.read_csv(target.path)["Pathologist label"].value_counts().to_dict() == {"tumour": 20, "fat": 20}


@pytest.mark.window
def test_values_in_view_and_all_predicted_values_are_tables(dock, filled, target, tmp_path, qtbot):
    target.path = tmp_path / "view.csv"
    _choose(qtbot, dock, "Values", "Of what is in view")
    qtbot.waitUntil(lambda: filled.state.saved == target.path, timeout=PATIENCE_MS)
    table = pd.read_csv(target.path, index_col=0)
    assert list(table.columns[:4]) == ["x_px", "y_px", "x_um", "y_um"]
    for panel in filled.state.shown.panels:
        np.testing.assert_allclose(table[panel.title], panel.values, rtol=1e-5)
    target.path = tmp_path / "all.csv"
    _choose(qtbot, dock, "Values", "Of all predicted")
    qtbot.waitUntil(lambda: filled.state.saved == target.path, timeout=PATIENCE_MS)
    assert list(pd.read_csv(target.path, index_col=0).columns[4:]) == list(filled.state.opened.prediction.genes)
    assert json.loads((tmp_path / "all.csv.json").read_text())["model"] == "gr2st-v2"


@pytest.mark.window
def test_the_report_of_a_section_is_written_while_the_worker_predicts(dock, controller, study, target, tmp_path, qtbot):
    take(controller, open_path(study))
    busy = controller.worker.predict(model=tmp_path / "m", study=study, section="waits", out=tmp_path / "never.h5ad")
    controller._errands.send(busy, "Predicting", lambda _files: None)
    target.path = tmp_path / "page.html"
    _choose(qtbot, dock, "Report", "Of the best")
    qtbot.waitUntil(lambda: controller.state.saved == target.path, timeout=PATIENCE_MS)
    assert "<h1" in target.path.read_text(encoding="utf-8")
    assert controller.state.job.label == "Encoding patches", "what came first is told of"
    controller.cancel()
    qtbot.waitUntil(lambda: not controller.state.job.is_running, timeout=PATIENCE_MS)


@pytest.mark.window
def test_a_place_that_cannot_be_written_is_told_on_the_card(dock, filled, target, tmp_path, qtbot):
    (tmp_path / "file").write_text("")
    target.path = tmp_path / "file" / "x.png"
    _choose(qtbot, dock, "Figure", "Of the whole section")
    qtbot.waitUntil(lambda: filled.state.problem is not None, timeout=PATIENCE_MS)
    assert "could not be written" in dock.card.sentence.text()
    assert not filled.state.job.is_running


@pytest.mark.window
def test_the_view_goes_to_a_window_of_the_slide_and_tells_it(viewer, filled):
    for mode in ("measured", "side by side"):
        filled.wish(mode=mode)
        settle(filled)
        filled.canvas.view.look_at((300.0, 200.0, 500.0, 400.0))
        left, top, right, bottom = filled.canvas.view.window
        assert (left + right, top + bottom) == pytest.approx((800, 600))
        assert min(right - left, bottom - top) == pytest.approx(200)
        assert viewer.scene.camera.center[-2:] == pytest.approx((150, 200)), "micrometres"


@pytest.mark.window
def test_a_session_is_saved_from_the_dock_and_shows_the_same_again(dock, controller, session, study, target, qtbot):
    controller.open(_write(session, study.parent / "first.gr2st"))
    qtbot.waitUntil(lambda: controller.state.shown is not None, timeout=PATIENCE_MS)
    settle(controller)
    corners = np.add(controller.state.expression.xy[:3], [[0, 0], [90, 0], [0, 90]])
    controller.regions.put((Region("core", "Tumor", ((corners,),)),))
    target.path = study.parent / "second"
    choose_in_menu(qtbot, dock.more, "Save session")
    saved = study.parent / "second.gr2st"
    qtbot.waitUntil(lambda: controller.state.saved == saved, timeout=PATIENCE_MS)
    controller.wish(mode="measured", colormap="viridis", limits=None)
    settle(controller)
    controller.canvas.view.look_at((0.0, 0.0, 100.0, 100.0))
    before = controller.state.opened
    controller.open(saved)
    qtbot.waitUntil(
        lambda: controller.state.opened is not before and controller.state.shown is not None, timeout=PATIENCE_MS
    )
    settle(controller)
    assert controller.state.wish == session.view
    assert controller.state.shown.mode == "difference"
    assert [region.name for region in controller.state.sheet.regions] == ["core"]
    settle(controller)
    left, top, right, bottom = controller.canvas.view.window
    assert (left + right, top + bottom) == pytest.approx((800, 800))
    assert controller.state.problem is None


@pytest.mark.window
def test_a_session_is_brought_back_once_and_what_it_lacks_is_told(dock, controller, session, study, qtbot):
    path = _write(session, study.parent / "a.gr2st")
    session.prediction.unlink()
    controller.open(path)
    qtbot.waitUntil(lambda: controller.state.problem is not None, timeout=PATIENCE_MS)
    assert dock.card.sentence.text().startswith(f"The prediction {session.prediction} is not there.")
    controller.wish(colormap="cividis")
    controller.state.opened = replace(controller.state.opened, notes=("changed",))
    assert controller.state.wish.colormap == "cividis"


@pytest.fixture
def slide_work(tmp_path):
    """A folder with a bare slide and, below the user's cache, what was predicted of it."""
    folder = tmp_path / "slides"
    folder.mkdir()
    return make_slide(folder / "S1.tif"), make_slide_prediction(cache_dir("predictions") / "S1.h5ad", folder / "S1.tif")


def _saved(qtbot, controller, path: Path) -> Path:
    controller.sessions.save(path)
    qtbot.waitUntil(lambda: controller.state.saved == path, timeout=PATIENCE_MS)
    return path


def _opened_anew(qtbot, controller, path: Path) -> None:
    """Nothing, and then what a session names."""
    controller.state.opened = None
    controller.open(path)
    qtbot.waitUntil(
        lambda: controller.state.opened is not None and not controller.state.job.is_running, timeout=PATIENCE_MS
    )
    settle(controller)


@pytest.mark.window
def test_a_session_of_a_bare_slide_shows_it_again_where_it_was_looked_at(viewer, controller, slide_work, qtbot):
    slide, _ = slide_work
    controller.open(slide)
    qtbot.waitUntil(lambda: controller.state.opened is not None, timeout=PATIENCE_MS)
    corners = np.array([[200.0, 200.0], [600.0, 200.0], [600.0, 600.0]])
    controller.regions.put((Region("core", "Tumor", ((corners,),)),))
    controller.canvas.view.look_at((300.0, 200.0, 500.0, 400.0))
    path = _saved(qtbot, controller, slide.parent / "a.gr2st")
    assert json.loads(path.read_text())["slide"] == "S1.tif"
    _opened_anew(qtbot, controller, path)
    assert controller.state.opened.is_slide_alone
    assert "slide" in [layer.name for layer in viewer.layers]
    assert [region.name for region in controller.state.sheet.regions] == ["core"]
    settle(controller)
    left, top, right, bottom = controller.canvas.view.window
    assert (left + right, top + bottom) == pytest.approx((800, 600))
    assert controller.state.problem is None


@pytest.mark.window
@pytest.mark.parametrize("is_laid_beside", [False, True])
def test_a_session_of_a_predicted_slide_has_its_slide_under_the_spots(
    is_laid_beside, viewer, controller, slide_work, monkeypatch, tmp_path, qtbot
):
    if is_laid_beside:
        monkeypatch.setattr("gr2st_napari._ground.POINTS_UP_TO", 10)
    slide, prediction = slide_work
    controller.open(prediction)
    qtbot.waitUntil(lambda: controller.state.shown is not None, timeout=PATIENCE_MS)
    controller.wish(gene="ERBB2", colormap="magma")
    controller.canvas.view.look_at((300.0, 200.0, 500.0, 400.0))
    path = _saved(qtbot, controller, slide.parent / "a.gr2st")
    prediction.unlink()
    controller.state.opened = None
    moved = slide.parent.rename(tmp_path / "elsewhere")
    controller.wish(gene="", colormap="viridis")
    _opened_anew(qtbot, controller, moved / path.name)
    qtbot.waitUntil(lambda: controller.state.shown is not None, timeout=PATIENCE_MS)
    opened = controller.state.opened
    assert (opened.slide.path, opened.prediction_path) == (moved / "S1.tif", moved / "a.prediction.h5ad")
    assert (controller.state.shown.gene, controller.state.wish.colormap) == ("ERBB2", "magma")
    settle(controller)
    assert [layer.name.split(" ")[0] for layer in viewer.layers] == ["slide", "ERBB2"]
    left, top, right, bottom = controller.canvas.view.window
    assert (left + right, top + bottom) == pytest.approx((800, 600))
    assert controller.state.problem is None


def test_a_session_of_a_slide_tells_what_is_missing(slide_work, tmp_path):
    slide, prediction = slide_work
    kept = Path(shutil.copy(prediction, slide.with_name("a.prediction.h5ad")))
    session = Session(slide=slide, section="S1", prediction=kept)
    path = _write(session, slide.with_name("a.gr2st"))
    kept.unlink()
    alone = open_path(path)
    assert alone.is_slide_alone
    assert alone.restores.missing[0].startswith(f"The prediction {kept} is not there")
    shutil.copy(prediction, kept)
    slide.unlink()
    assert open_path(path).slide is None
    assert open_path(path).restores.missing == (
        f"The slide {slide} is not there: the map is shown without it. Bring it back to that place.",
    )
    kept.unlink()
    with pytest.raises(SectionInvalid, match=r"a\.gr2st has 2 problems:\n  - The slide"):
        open_path(path)
    with pytest.raises(DataError, match="names no study, slide or prediction"):
        open_path(_write(Session(section="S1"), tmp_path / "empty.gr2st"))


@pytest.mark.window
def test_a_session_of_a_bare_slide_dropped_on_the_canvas_is_taken_over(viewer, controller, slide_work):
    slide, _ = slide_work
    viewer.open(str(_write(Session(slide=slide, section="S1"), slide.with_name("a.gr2st"))), plugin="gr2st-napari")
    QApplication.processEvents()
    settle(controller)
    assert controller.state.opened.is_slide_alone
    assert [layer.name for layer in viewer.layers] == ["slide"]


def test_the_figure_of_a_predicted_slide_has_the_slide_and_of_a_bare_one_there_is_none(slide_work, tmp_path):
    from gr2st_napari._show import show

    slide, prediction = slide_work
    path = _write(Session(slide=slide, section="S1", prediction=prediction), slide.with_name("a.gr2st"))
    show(None, file=path, figure=tmp_path / "f.svg")
    drawn = (tmp_path / "f.svg").read_text(encoding="utf-8")
    assert drawn.count("data:image/png;base64,") == 2, "slide, colour bar"
    assert ">Slide S1</text>" in drawn
    bare = _write(Session(slide=slide, section="S1"), slide.with_name("b.gr2st"))
    with pytest.raises(DataError, match="S1 has no spots, so there is no map to draw"):
        show(None, file=bare, figure=tmp_path / "g.svg")


@pytest.mark.window
def test_the_evaluation_that_was_open_comes_back_with_its_dock(viewer, controller, session, study, qtbot):
    evaluate = open_dock(viewer, "Evaluate")
    controller.open(_write(session, study.parent / "first.gr2st"))
    qtbot.waitUntil(lambda: controller.state.shown is not None, timeout=PATIENCE_MS)
    folder = make_evaluation(study.parent / "evaluation", genes=controller.state.expression.genes[:2])
    controller.evaluator.open(folder)
    qtbot.waitUntil(lambda: controller.state.desk.results is not None, timeout=PATIENCE_MS)
    controller.evaluator.choose("ridge")
    path = _saved(qtbot, controller, study.parent / "second.gr2st")
    told = json.loads(path.read_text())
    assert (told["evaluation"], told["model"]) == ("evaluation", "ridge")
    controller.state.desk, controller.state.ranking = Desk(), None
    _opened_anew(qtbot, controller, path)
    qtbot.waitUntil(lambda: controller.state.ranking is not None, timeout=PATIENCE_MS)
    assert controller.state.desk.evaluation.folder == folder
    assert controller.state.ranking.label == "ridge"
    assert evaluate.findChild(QTableView, "gr2st_models").model().rowCount() == 1


@pytest.mark.window
def test_a_prediction_that_lies_nowhere_is_kept_beside_the_session(dock, controller, study, tmp_path, qtbot):
    opened = open_path(study)
    prediction = make_prediction(opened.section, genes=opened.section.genes[:2])
    take(controller, replace(opened, prediction=prediction))
    controller.sessions.save(tmp_path / "own.gr2st")
    qtbot.waitUntil(lambda: controller.state.saved is not None, timeout=PATIENCE_MS)
    again = open_path(tmp_path / "own.gr2st")
    assert again.prediction.genes == prediction.genes
    assert again.prediction_path == tmp_path / "own.prediction.h5ad"


@pytest.mark.window
def test_what_was_handed_over_without_files_has_no_session(controller, section, tmp_path):
    take(controller, opened_of(section, None))
    controller.sessions.save(tmp_path / "a.gr2st")
    assert controller.state.problem == Problem(
        "C4 was handed over without its folder: open it here to save a session of it."
    )


@pytest.mark.window
def test_a_session_dropped_on_the_canvas_is_taken_over(viewer, dock, controller, session, study, qtbot):
    viewer.open(str(_write(session, study.parent / "a.gr2st")), plugin="gr2st-napari")
    qtbot.waitUntil(lambda: controller.state.opened is not None)
    settle(controller)
    assert controller.state.wish == session.view
    assert controller.state.shown.mode == "difference"


def test_the_figure_of_a_session_needs_no_window(session, study, tmp_path):
    from gr2st_napari._show import show

    show(None, file=_write(session, study.parent / "a.gr2st"), figure=tmp_path / "f.svg")
    told = json.loads((tmp_path / "f.svg.json").read_text())
    assert told["view"]["mode"] == "difference"
    assert told["window_px"] == list(session.window)
    assert told["prediction"] == str(session.prediction)


def test_the_figure_of_a_session_shows_the_classes_that_were_in_view(session, study, tmp_path):
    from gr2st_napari._show import show

    of_clusters = session.model_copy(update={"view": Wish(colour_by="clusters", n_clusters=3), "window": None})
    show(None, file=_write(of_clusters, study.parent / "a.gr2st"), figure=tmp_path / "f.svg")
    assert "Clusters of measured expression" in (tmp_path / "f.svg").read_text(encoding="utf-8")
    assert len(json.loads((tmp_path / "f.svg.json").read_text())["maps"][0]["classes"]) == 3


def test_a_figure_of_classes_is_asked_for_by_their_key_or_by_their_words(study, tmp_path):
    from gr2st_napari._show import show

    opened = open_path(study)
    for name in ("label", "Pathologist Label"):
        show(opened.section, classes=name, study=opened.study, figure=tmp_path / "f.svg")
        told = json.loads((tmp_path / "f.svg.json").read_text())
        assert (told["section"], told["view"]["colour_by"]) == ("A1", keys.LABEL)
    assert [one["name"] for one in told["maps"][0]["classes"]][-1] != ""
    with pytest.raises(UnknownName, match=r"'labels'\. Did you mean 'label'\? Known: clusters, label\."):
        show(opened.section, classes="labels", study=opened.study, figure=tmp_path / "g.svg")
    assert not (tmp_path / "g.svg").exists()


@pytest.mark.window
def test_a_table_is_copied_and_saved_as_sorted_with_all_its_digits(dock, filled, monkeypatch, tmp_path, qtbot):
    dock.genes.out.copy.trigger()
    lines = QApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[0] == "Gene"
    assert [line.split("\t")[0] for line in lines[1:]] == list(dock.genes.model.genes)
    monkeypatch.setattr("gr2st_napari.views.table_out.ask_saving_table", lambda *_: str(tmp_path / "genes"))
    dock.genes.out.save.trigger()
    saved = pd.read_csv(tmp_path / "genes.csv").set_index("Gene")
    scores = filled.state.expression.scores(filled.state.wish.space)
    np.testing.assert_allclose(saved.loc[list(filled.state.expression.genes), "PCC"], scores, rtol=1e-5)


@pytest.mark.window
def test_a_table_without_more_digits_is_copied_as_it_is_seen(viewer, qtbot):
    from qtpy.QtWidgets import QTableWidget, QTableWidgetItem

    from gr2st_napari.views.table_out import displayed

    table = QTableWidget(2, 3)
    qtbot.addWidget(table)
    table.setHorizontalHeaderLabels(["Run", "nothing", "PCC"])
    for row, (name, score) in enumerate((("b", "0.10"), ("a", ""))):
        table.setItem(row, 0, QTableWidgetItem(name))
        table.setItem(row, 2, QTableWidgetItem(score))
    table.sortItems(0)
    assert displayed(table).to_dict("list") == {"Run": ["a", "b"], "PCC": ["", "0.10"]}
