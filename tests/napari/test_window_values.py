"""What is shown, worked out without a window."""

from __future__ import annotations

import numpy as np
import pytest
from window_builders import GOOD, PITCH, UM_PER_PX, PaperSlide, make_prediction, make_section

from gr2st import NOT_MEASURED, automatic_limits, gene_normalise, spot_normalise
from gr2st.types import Alignment
from gr2st_napari import _colours, _layers
from gr2st_napari._advice import advise
from gr2st_napari._expression import Expression
from gr2st_napari._ground import Ground
from gr2st_napari._layers import Placement
from gr2st_napari._neighbours import neighbours_of
from gr2st_napari._opening import Opened, Picture, picture_of, placement_of
from gr2st_napari._resolve import available_modes, resolve
from gr2st_napari._state import Job, Problem, State, Wish


def test_measured_values_of_one_gene_equal_those_of_the_whole_matrix(section):
    expression = Expression(section, None)
    counts = section.table.X
    for at, gene in enumerate(section.genes):
        np.testing.assert_allclose(expression.values(gene, "measured", "spot"), spot_normalise(counts)[:, at])
        np.testing.assert_allclose(expression.values(gene, "measured", "gene"), gene_normalise(counts)[:, at])


def test_a_gene_the_model_lists_is_divided_by_the_listed_counts_only(section):
    prediction = make_prediction(section, genes=("ERBB2", "ACTB"))
    for layer in list(prediction.table.layers):
        if layer != "predicted":
            del prediction.table.layers[layer]
    found = Expression(section, prediction).values("ERBB2", "measured", "spot")
    np.testing.assert_allclose(found, spot_normalise(section.table[:, ["ERBB2", "ACTB"]].X)[:, 0], rtol=1e-6)


def test_a_prediction_in_another_order_lands_on_its_own_spots(section, prediction):
    expression = Expression(section, prediction)
    wanted = 0.8 * gene_normalise(section.table[:, ["ERBB2"]].X)[:, 0] + 0.1
    np.testing.assert_allclose(expression.values("ERBB2", "predicted", "gene"), wanted, rtol=1e-5)
    np.testing.assert_allclose(
        expression.values("ERBB2", "measured", "spot"),
        spot_normalise(section.table[:, ["ERBB2", "ACTB", "FASN"]].X)[:, 0],
        rtol=1e-6,
    )


def test_spots_and_genes_without_a_prediction_are_nan_never_zero(section):
    expression = Expression(section, make_prediction(section, keep=slice(10, None)))
    values = expression.values("ERBB2", "predicted", "gene")
    assert np.isnan(values[:10]).all()
    assert np.isfinite(values[10:]).all()
    assert np.isnan(expression.values("KRT19", "predicted", "gene")).all()
    assert np.isfinite(expression.values("KRT19", "measured", "gene")).all()


def test_the_first_gene_is_the_best_predicted_or_the_most_abundant(section, prediction):
    assert Expression(section, prediction).default_gene("spot") == "ERBB2"
    means = np.asarray(section.table.X.mean(axis=0)).ravel()
    assert Expression(section, None).default_gene("spot") == section.genes[int(means.argmax())]
    assert Expression(section, prediction).genes == ("ERBB2", "ACTB", "FASN", "ERBB3", "KRT19")


def test_measured_and_predicted_share_their_limits_where_they_share_a_scale(section, prediction):
    shown = resolve(Wish(gene="ERBB2", mode="side by side", space="gene"), Expression(section, prediction))
    measured, predicted = shown.panels
    assert measured.limits == predicted.limits
    assert measured.limits[0] <= np.nanpercentile(predicted.values, 1)
    assert measured.title == "ERBB2 · measured · gene-normalised"
    assert predicted.title == "ERBB2 · predicted · gene-normalised"
    assert shown.notes == ()


def test_two_scales_keep_their_own_limits_and_it_is_said(section, prediction):
    shown = resolve(Wish(gene="ERBB2", mode="side by side", space="spot"), Expression(section, prediction))
    assert shown.panels[0].limits != shown.panels[1].limits
    assert "Each map has its own colour limits" in shown.notes[0]
    assert 'Set Values to "Relative to the gene"' in shown.notes[0]


def test_a_difference_is_centred_and_of_predicted_minus_measured(section, prediction):
    expression = Expression(section, prediction)
    panel = resolve(Wish(gene="ACTB", mode="difference", space="gene"), expression).panels[0]
    wanted = expression.values("ACTB", "predicted", "gene") - expression.values("ACTB", "measured", "gene")
    np.testing.assert_allclose(panel.values, wanted)
    assert panel.limits[0] == -panel.limits[1]
    assert panel.limits[1] >= np.percentile(np.abs(wanted), 98)


def test_a_difference_across_scales_is_standardised_and_says_so(section):
    expression = Expression(section, make_prediction(section, space="mixed"))
    shown = resolve(Wish(gene="ACTB", mode="difference", space="gene"), expression)
    # Predicted is a straight line of measured here: nothing is left once both are standardised.
    np.testing.assert_allclose(shown.panels[0].values, 0, atol=1e-5)
    assert "standard deviations" in shown.panels[0].title
    assert "on different scales" in shown.notes[0]


def test_a_wish_that_cannot_be_met_falls_back_and_gives_the_reason(section):
    shown = resolve(Wish(gene="ERBB2", mode="side by side"), Expression(section, None))
    assert shown.mode == "measured"
    assert shown.notes == ("Needs a prediction: open one, or predict with a model.",)
    assert set(available_modes(None).values()) == {"Open a section first."}


def test_a_gene_the_model_does_not_know_is_grey_with_a_note(section, prediction):
    shown = resolve(Wish(gene="KRT19", mode="predicted"), Expression(section, prediction))
    assert np.isnan(shown.panels[0].values).all()
    assert shown.panels[0].limits == (0.0, 1.0)
    assert shown.notes == ("This model does not predict KRT19: grey.",)


def test_a_section_without_counts_shows_its_spots():
    shown = resolve(Wish(), Expression(make_section(genes=()), None))
    assert shown.panels[0].title == "spots without counts"
    assert shown.notes == ("This section has no counts: its spots are grey.",)


@pytest.mark.parametrize(
    ("values", "limits"),
    [([np.nan, np.nan], (0, 1)), ([2, 2, 2], (2, 3)), ([0, 0, np.nan], (0, 1)), ([0] * 999 + [5], (0, 5))],
)
def test_limits_are_a_range_whatever_the_values(values, limits):
    assert automatic_limits(np.array(values, np.float32), 1) == limits


def test_x_and_y_become_column_and_row(section):
    ground = Ground(Expression(section, None), Placement(UM_PER_PX, 60.0), None)
    panel = resolve(Wish(gene="ACTB"), ground.expression).panels[0]
    xy = section.table.obsm["spatial"]
    data, keywords, kind = _layers.spots_layer(panel, ground, source={})
    assert kind == "points"
    np.testing.assert_array_equal(data, xy[:, [1, 0]])
    assert keywords["scale"] == (UM_PER_PX, UM_PER_PX)
    assert keywords["units"] == ("um", "um")
    assert list(keywords["features"]) == ["expr"]
    assert keywords["features"]["expr"].dtype == np.float32


def test_a_reduced_picture_lies_where_the_slide_lies():
    reduced = Picture(levels=(np.zeros((90, 60, 3), np.uint8),), path=PaperSlide().path, shrink=(10.0, 20.0))
    place = _layers.picture_place(reduced, Placement(0.5, 60.0))
    assert place["scale"] == (5.0, 10.0)
    # The centre of the first reduced pixel covers slide pixels 0 to 9 (0 to 19): centre 4.5 (9.5), times 0.5 um.
    assert place["translate"] == (2.25, 4.75)


def test_edges_run_from_the_spot_to_each_neighbour(section):
    xy = section.table.obsm["spatial"]
    vectors = _layers.edge_vectors(xy[[1, 8]], xy[0], 60.0)
    np.testing.assert_array_equal(vectors[0], [xy[0][::-1], [0, PITCH]])
    np.testing.assert_array_equal(vectors[1], [xy[0][::-1], [PITCH, 0]])
    assert len(vectors) == 2 + 32


def test_the_low_end_is_transparent_and_the_missing_grey():
    sequential, difference = _colours.colormap("viridis"), _colours.colormap("difference")
    assert sequential["colors"][0, 3] < 0.2
    assert sequential["colors"][-1, 3] == 1
    assert (difference["colors"][:, 3] == 1).all()
    assert sequential["nan_color"] == NOT_MEASURED


def test_neighbours_come_from_the_prediction_in_the_order_of_the_section(section, prediction):
    found = neighbours_of(Expression(section, prediction), 20)
    assert found.spatial.tolist() == [19, 21]
    assert found.functional is not None
    assert found.functional.tolist() == [15]
    assert not found.by_distance


def test_without_a_prediction_neighbours_are_those_within_three_steps(section):
    found = neighbours_of(Expression(section, None), 0)
    assert found.functional is None
    assert found.by_distance
    assert found.spatial.tolist() == [1, 2, 3, 8, 9, 10, 16, 17, 18, 24]


def test_the_scale_is_in_pixels_where_nobody_knows_the_micrometres():
    placement = placement_of(Opened(section=make_section(um_per_px=None)))
    assert placement.units == ("pixel", "pixel")
    assert placement.spot_diameter_px == PITCH / 2
    assert placement_of(Opened(section=make_section())).spot_diameter_px == 60.0


def test_a_big_flat_slide_is_shown_reduced_at_once(tmp_path):
    picture = tmp_path / "big.jpg"
    picture.write_bytes(b"pixels are not read from here")
    slide = PaperSlide(width=6000, height=4000, path=picture)
    shown = picture_of(slide)
    assert shown.is_preview
    assert max(shown.levels[0].shape) <= 3000
    assert shown.shrink == (4000 / shown.levels[0].shape[0], 6000 / shown.levels[0].shape[1])
    assert not picture_of(PaperSlide()).is_preview


@pytest.mark.parametrize(
    ("state", "words", "actions"),
    [
        (State(), "Nothing is open.", ("open", "open-sample")),
        (State(job=Job("Opening C4")), "Opening C4…", ()),
        (State(problem=Problem("It broke.", "why")), "It broke.", ("dismiss",)),
        (State(opened=Opened(section=make_section())), "C4: 48 spots, 5 genes measured.", ("predict",)),
        (State(opened=Opened(section=make_section(slide=False))), "C4 has no picture", ()),
    ],
)
def test_the_card_says_what_is_missing_and_offers_the_next_step(state, words, actions):
    card = advise(state)
    assert card.sentence.startswith(words)
    assert card.actions == actions


def test_spots_that_do_not_fit_the_slide_are_warned_of():
    swapped = Alignment("swapped", 0.6, 0.4, "x and y look swapped: exchange them in the spot file.")
    card = advise(State(opened=Opened(section=make_section(alignment=swapped))))
    assert card.tone == "warning"
    assert card.sentence == swapped.message
    assert advise(State(opened=Opened(section=make_section(alignment=GOOD)))).tone == "calm"


def test_a_prediction_of_a_training_section_is_called_that(section):
    opened = Opened(section=section, prediction=make_prediction(section, trained_on=("C3", "C4")))
    assert "was trained on C4 itself" in advise(State(opened=opened)).sentence
