"""Whole graphs of very many edges: the picture of what a view shows of them, and how it comes and goes in the window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from window_builders import explained, make_prediction, make_section, settle, take

from gr2st import keys
from gr2st_napari import _layers
from gr2st_napari._attention import VEIL, WEAK_ALPHA, edge_colours, graph_colours, whole_graph
from gr2st_napari._drawn_graph import HEAVY
from gr2st_napari._expression import Expression
from gr2st_napari._graph_picture import GraphLook, clipped, draw_graph
from gr2st_napari._layers import Placement
from gr2st_napari._opening import opened_of
from gr2st_napari._trust_words import graph_sentence

WEAK, STRONG = (0.0, 0.0, 1.0, 0.2), (1.0, 0.0, 0.0, 1.0)
ALL = (0.0, 0.0, 100.0, 100.0)
PATIENCE_MS = 30_000


def _look(*lines, colours=(WEAK, STRONG)):
    return GraphLook(np.array(lines, float), np.array(colours[: len(lines)], np.float32))


def test_lines_have_their_pixels_where_they_belong_and_their_colours():
    picture = draw_graph(_look([[0, 10], [100, 10]], [[40, 0], [40, 100]]), ALL, 2.0)
    assert (picture.left, picture.top, picture.px) == (0, 0, 2)
    assert picture.pixels.shape == (50, 50, 4)
    np.testing.assert_array_equal(picture.pixels[20:, 20], [(255, 0, 0, 255)] * 30)
    drawn = picture.pixels[..., 3] > 0
    assert set(np.flatnonzero(drawn[:, 30])) == {5}, "a line is one pixel wide"
    assert picture.pixels[5, 30, 2] == 255


def test_a_strong_line_lies_on_top_and_many_weak_ones_do_not_add_up():
    same = [[0, 0], [100, 100]]
    weak = draw_graph(_look(*[same] * 40, colours=[WEAK] * 40), ALL, 1.0)
    middle = weak.pixels[50, 50]
    np.testing.assert_array_equal(middle, (0, 0, 255, 51))
    both = draw_graph(_look(same, same), ALL, 1.0)
    np.testing.assert_array_equal(both.pixels[50, 50], (255, 0, 0, 255))


def test_a_view_shows_its_part_of_the_graph_on_its_own_pixels():
    look = _look([[10, 10], [90, 90]])
    whole = draw_graph(look, ALL, 1.0)
    assert (whole.left, whole.top, whole.pixels.shape) == (10, 10, (80, 80, 4)), "a picture ends with its graph"
    part = draw_graph(look, (40.25, 40.25, 60.25, 60.25), 0.5)
    assert (part.left, part.top, part.pixels.shape) == (40.25, 40.25, (40, 40, 4))
    assert (np.diagonal(part.pixels[..., 3]) > 0).all()


@pytest.mark.parametrize("window", [(200.0, 0.0, 300.0, 100.0), (0.0, -90.0, 100.0, -10.0)])
def test_a_view_beside_the_graph_is_empty(window):
    picture = draw_graph(_look([[0, 10], [100, 10]]), window, 1.0)
    assert not picture.pixels.any()
    assert (picture.left, picture.top) == (0, 10), "and the slide seems no larger than it is"


def test_a_line_from_outside_to_outside_is_cut_where_it_enters_and_leaves():
    lines = np.array([[[-50, 5], [150, 5]], [[-10, 0], [-10, 9]], [[2, 2], [2, 2]], [[0, -10], [20, 10]]], float)
    inside, numbers = clipped(lines, 100, 9)
    assert numbers.tolist() == [0, 2, 3]
    np.testing.assert_allclose(inside, [[[0, 5], [100, 5]], [[2, 2], [2, 2]], [[10, 0], [19, 9]]])


def test_a_picture_that_is_not_wanted_any_more_is_not_finished():
    assert draw_graph(_look([[0, 10], [100, 10]]), ALL, 1.0, lambda: False) is None


def test_the_first_pixel_lies_in_the_viewer_where_the_lines_do():
    picture = draw_graph(_look([[20, 40], [60, 40]]), ALL, 2.0)
    place = _layers.graph_picture_place(picture, Placement(0.5, 30.0))
    assert place == {"scale": (1.0, 1.0), "translate": (20.5, 10.5)}


def test_edges_of_which_no_attention_is_known_have_one_colour(section, prediction):
    colours = graph_colours(whole_graph(Expression(section, prediction), "functional"))
    np.testing.assert_allclose(np.unique(colours, axis=0), [[1, 0x7A / 255, 0, 1]])


def test_of_many_edges_the_strongest_stand_out_and_all_others_together_let_the_slide_be_seen():
    section = make_section("V1", shape=(26, 30))
    lines = whole_graph(Expression(section, _heavy(section)), "functional")
    alpha = graph_colours(lines)[:, 3]
    bold, others = alpha[-lines.n_bold :], alpha[: -lines.n_bold]
    assert 0 < lines.n_bold < len(others)
    assert (bold > WEAK_ALPHA).all()
    assert 1 - np.exp(-lines.depth * others.max()) == pytest.approx(VEIL, abs=0.01)
    in_a_picture = graph_colours(lines, adds_up=False)[: -lines.n_bold, 3]
    assert in_a_picture.max() == pytest.approx(VEIL), "there they do not add up"
    assert graph_sentence(lines).endswith(
        f"; the strongest {lines.n_bold:,} stand out, the others are faint, so that the slide can be seen"
    )


def test_of_few_edges_none_is_fainter_than_one_of_a_clicked_spot(section):
    lines = whole_graph(Expression(section, explained(make_prediction(section))), "spatial")
    few = replace(lines, pairs=lines.pairs[-2:], attention=lines.attention[-2:], n_bold=1, depth=0.1)
    np.testing.assert_array_equal(graph_colours(few)[-1], edge_colours("spatial", few.attention, few.top)[-1])
    assert graph_colours(few)[0, 3] == pytest.approx(WEAK_ALPHA)
    assert "faint" not in graph_sentence(few)


# -- in the window -----------------------------------------------------------------------------------------------------


def _heavy(section):
    """A prediction that joins every spot to seven others, some of them far away."""
    prediction = explained(make_prediction(section))
    n, rng = section.n_spots, np.random.default_rng(1)
    columns = (np.arange(n)[:, None] + rng.permutation(n // 2 - 1)[:7] + 1) % n
    shares = rng.random(columns.shape).astype(np.float32)
    graph = csr_matrix((shares.ravel(), (np.repeat(np.arange(n), 7), columns.ravel())), (n, n))
    prediction.table.obsp[keys.FUNCTIONAL_GRAPH] = graph
    return prediction


@pytest.mark.window
def test_a_graph_of_very_many_edges_is_a_picture_of_the_view_that_is_drawn_anew_when_it_has_moved(
    viewer, controller, qtbot
):
    section = make_section("V1", shape=(26, 30))
    take(controller, opened_of(section, _heavy(section)))
    layers = viewer.layers

    def is_seen():
        return "functional graph" in layers and layers["functional graph"].visible and controller.is_settled

    def is_of_this_view():
        return is_seen() and layers["functional graph"].scale[0] == pytest.approx(1 / viewer.scene.camera.zoom)

    controller.spot.graphs.show("functional", is_shown=True)
    assert controller.state.why.is_drawing
    qtbot.waitUntil(is_of_this_view, timeout=PATIENCE_MS)
    assert not controller.state.why.is_drawing
    graph = layers["functional graph"]
    assert "5,460 pairs of spots" in controller.state.why.graph_words["functional"]
    assert int(controller.state.why.graph_words["functional"].split()[0].replace(",", "")) > HEAVY
    _spots_lie_on_lines(graph, section)
    viewer.scene.camera.zoom *= 4
    assert not graph.visible, "it is one of another view"
    qtbot.waitUntil(is_seen, timeout=PATIENCE_MS)
    assert graph.scale[0] == pytest.approx(1 / viewer.scene.camera.zoom), "a pixel of the screen each"
    _spots_lie_on_lines(graph, section)
    controller._pointer.moved.emit()
    pixels = graph.data
    assert not graph.visible
    qtbot.waitUntil(is_seen, timeout=PATIENCE_MS)
    assert graph.data is pixels, "the view has not moved: nothing is drawn"
    controller.wish(mode="side by side")
    settle(controller)
    assert not graph.visible
    controller.wish(mode="predicted")
    settle(controller)
    qtbot.waitUntil(is_seen, timeout=PATIENCE_MS)
    controller.spot.graphs.show("functional", is_shown=False)
    assert not graph.visible
    assert not graph.data.any(), "who opens its eye sees nothing"
    controller.spot.graphs.show("functional", is_shown=True)
    qtbot.waitUntil(is_seen, timeout=PATIENCE_MS)
    assert layers["functional graph"] is graph
    layers.remove(graph)
    assert controller.state.why.graphs == ()


@pytest.mark.window
def test_a_picture_of_a_graph_waits_hidden_for_the_next_slide_and_goes_when_nothing_is_open(viewer, controller, qtbot):
    section, layers = make_section("V1", shape=(26, 30)), viewer.layers
    take(controller, opened_of(section, _heavy(section)))
    controller.spot.graphs.show("functional", is_shown=True)
    qtbot.waitUntil(lambda: "functional graph" in layers and layers["functional graph"].visible, timeout=PATIENCE_MS)
    graph = layers["functional graph"]
    other = make_section("V2", shape=(30, 26))
    take(controller, opened_of(other, None))
    assert not graph.visible
    assert not graph.data.any()
    take(controller, opened_of(other, _heavy(other)))
    controller.wish(mode="predicted")
    settle(controller)
    qtbot.waitUntil(lambda: graph.visible and controller.is_settled, timeout=PATIENCE_MS)
    _spots_lie_on_lines(graph, other)
    take(controller, opened_of(make_section("D1", slide=False, um_per_px=None), None))
    assert graph not in layers
    take(controller, opened_of(section, _heavy(section)))
    qtbot.waitUntil(lambda: "functional graph" in layers, timeout=PATIENCE_MS)
    controller.state.opened = None
    settle(controller)
    assert len(layers) == 0


def _spots_lie_on_lines(graph, section) -> None:
    """In the middle of every spot of the picture there is a line, and not everywhere."""
    centres = section.table.obsm["spatial"][:, ::-1] * section.um_per_px
    rows, columns = np.rint((centres - graph.translate) / graph.scale).astype(int).T
    height, width = graph.data.shape[:2]
    here = (rows > 0) & (rows < height - 1) & (columns > 0) & (columns < width - 1)
    near = [
        graph.data[row - 1 : row + 2, column - 1 : column + 2, 3].max()
        for row, column in zip(rows[here], columns[here], strict=True)
    ]
    low, high = graph.extent.world
    assert (low > centres.min(axis=0) - 2 * graph.scale).all(), "no larger than the graph"
    assert (high < centres.max(axis=0) + 2 * graph.scale).all()
    assert here.sum() > 10
    assert min(near) > 0
    # On a small canvas the fading rims of lines meet, and next to no pixel is quite empty.
    assert graph.data[..., 3].min() < 128
