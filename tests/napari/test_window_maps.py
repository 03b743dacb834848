"""Rasters, scales, classes and their colours, worked out without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from window_builders import make_bins, make_prediction, make_section

from gr2st import DataError, SpotCells, keys, write_spot_types
from gr2st_napari._classes import MOST_CLASSES, Classes, classes_of, legend_lines, offers, source_of
from gr2st_napari._colours import NOT_MEASURED, ClassColours, class_colours, colormap
from gr2st_napari._expression import Expression
from gr2st_napari._raster import raster_of, raster_of_array, raster_of_discs
from gr2st_napari._resolve import resolve
from gr2st_napari._scales import limits_on_other_scale
from gr2st_napari._state import Wish
from gr2st_napari.views.look import decimals_for


@pytest.fixture(scope="module")
def bins() -> Expression:
    return Expression(make_bins(), None)


def _places(raster, pixels) -> np.ndarray:
    """Level-0 x, y (n, 2) of the centres of pixels (n, 2), row and column."""
    found = raster.affine @ np.column_stack([pixels, np.ones(len(pixels))]).T
    return found[1::-1].T


def _seen(colours, cones):
    """(n, 3) Oklab, in which distances are as large as they look, of colours as they reach an eye."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4) @ cones.T
    lms = np.array([[0.41222, 0.53633, 0.05145], [0.2119, 0.6807, 0.1074], [0.0883, 0.28172, 0.62998]])
    lab = np.array([[0.21045, 0.79362, -0.00407], [1.978, -2.42859, 0.45059], [0.0259, 0.78277, -0.80868]])
    return np.cbrt(linear.clip(0, 1) @ lms.T) @ lab.T


@pytest.mark.parametrize(
    ("cones", "nearest"),
    [
        (np.eye(3), 0.055),
        # Without red, without green cones: Machado, Oliveira and Fernandes (2009).
        ([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.052]], 0.04),
        ([[0.3673, 0.8606, -0.228], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.969]], 0.04),
    ],
)
def test_as_many_classes_as_there_may_be_have_colours_that_can_be_told_apart(cones, nearest):

    colours = _seen(np.array([*class_colours(MOST_CLASSES), NOT_MEASURED[:3]]), np.array(cones))
    apart = np.linalg.norm(colours[:, None] - colours, axis=2)
    assert apart[np.triu_indices(len(colours), 1)].min() > nearest


def test_bins_in_rows_and_columns_have_one_pixel_each_where_they_lie(bins):
    raster = raster_of(bins, 30.0)
    assert raster.lookup.shape == (200, 203)
    filled = np.argwhere(raster.lookup < len(bins.xy))
    np.testing.assert_allclose(_places(raster, filled), bins.xy[raster.lookup[tuple(filled.T)]], atol=1e-6)
    values = np.arange(len(bins.xy), dtype=np.float32)
    values[7] = np.nan
    picture, gaps = raster.picture(values), raster.gaps(values)
    assert np.isnan(picture).sum() == 900 + 1
    assert picture[0, 8] == 8
    assert gaps.sum() == gaps[0, 7] == 1
    shown = values < 100
    assert np.isfinite(raster.picture(values, shown)).sum() == 99
    assert raster.gaps(values, ~shown).sum() == 1


def test_few_spots_need_no_raster(section):
    assert raster_of(Expression(section, None), 60.0) is None


def test_spots_in_every_second_place_or_out_of_place_are_drawn_as_discs(bins):
    place = bins.array.copy()
    place[:, 1] = 2 * place[:, 1] + place[:, 0] % 2
    hexagonal = Expression(_with_array(bins.section, place), None)
    assert raster_of_array(hexagonal) is None
    shuffled = Expression(_with_array(bins.section, np.random.default_rng(0).permutation(bins.array)), None)
    assert raster_of_array(shuffled) is None


def _with_array(section, array):
    table = section.table.copy()
    table.obs[keys.ARRAY_ROW], table.obs[keys.ARRAY_COL] = array.T
    return replace(section, table=table)


def test_a_disc_covers_the_pixels_that_its_spot_reaches_and_no_other(section):
    expression = Expression(section, None)
    raster = raster_of_discs(expression.tree, 60.0)
    pixels = np.argwhere(np.ones(raster.lookup.shape, bool))
    distance, nearest = expression.tree.query(_places(raster, pixels))
    wanted = np.where(distance < 30.0, nearest, len(expression.xy))
    assert (raster.lookup.ravel() == wanted).mean() > 0.99
    assert set(np.unique(raster.lookup)) == set(range(len(expression.xy) + 1))


def test_without_logarithm_values_are_parts_per_ten_thousand_and_the_title_says_so(section, prediction):
    expression = Expression(section, prediction)
    measured, predicted = resolve(Wish(gene="ERBB2", mode="side by side", space="gene", log=False), expression).panels
    counts = section.table[:, "ERBB2"].X.toarray()[:, 0]
    np.testing.assert_allclose(measured.values, 10_000 * counts / counts.sum(), rtol=1e-4)
    assert measured.title == "ERBB2 · measured · gene-normalised, per 10,000"
    assert predicted.limits == measured.limits


def test_a_difference_without_logarithm_is_one_of_parts_per_ten_thousand(section, prediction):
    expression = Expression(section, prediction)
    panel = resolve(Wish(gene="ERBB2", mode="difference", space="gene", log=False), expression).panels[0]
    on_log = [expression.values("ERBB2", kind, "gene").astype(float) for kind in ("predicted", "measured")]
    np.testing.assert_allclose(panel.values, 10 ** on_log[0] - 10 ** on_log[1], rtol=1e-3)
    assert panel.title == "ERBB2 · predicted minus measured · gene-normalised, per 10,000"


def test_what_has_no_scale_without_logarithm_is_shown_as_it_is_and_it_is_said(section):
    expression = Expression(section, make_prediction(section, space="mixed"))
    shown = resolve(Wish(gene="ERBB2", mode="predicted", log=False), expression)
    np.testing.assert_array_equal(shown.panels[0].values, expression.values("ERBB2", "predicted", "spot"))
    assert "These values have no scale without logarithm: they are shown as they are." in shown.notes


def test_limits_that_are_kept_go_to_the_other_scale_and_back():
    linear = limits_on_other_scale((0.5, 3.0), log=False)
    assert linear == pytest.approx((10**0.5 - 1, 999))
    assert limits_on_other_scale(linear, log=True) == pytest.approx((0.5, 3.0))
    assert limits_on_other_scale(None, log=True) is None


def test_limits_that_are_kept_hold_for_both_maps_and_those_of_a_difference_are_its_own(section, prediction):
    expression = Expression(section, prediction)
    wish = Wish(gene="ERBB2", mode="swipe", limits=(0.5, 3.0))
    assert [panel.limits for panel in resolve(wish, expression).panels] == [(0.5, 3.0)] * 2
    difference = resolve(replace(wish, mode="difference", space="gene"), expression).panels[0]
    assert difference.limits != (-3.0, 3.0)
    kept = resolve(replace(wish, mode="difference", bound=0.7), expression).panels[0]
    assert kept.limits == (-0.7, 0.7)


@pytest.mark.parametrize(("span", "decimals"), [(3.1, 2), (640.0, 2), (0.04, 4), (0.0, 2)])
def test_limits_are_told_to_a_hundredth_of_their_span(span, decimals):
    assert decimals_for(span) == decimals


@pytest.fixture
def labelled(section):
    """A section with labels and clusters, and a column of other things."""
    section.table.obs[keys.LABEL] = ["tumour"] * 20 + ["fat"] * 20 + [None] * 8
    section.table.obs["leiden"] = np.array(["10", "2", "1"] * 16, dtype=object)
    section.table.obs["n_counts"] = 1.5
    section.table.obs["barcode"] = section.table.obs_names
    return section


def test_labels_and_columns_of_clusters_are_offered_and_numbers_are_not(labelled):
    expression = Expression(labelled, None)
    assert offers(expression) == {
        keys.LABEL: "Pathologist label",
        "leiden": "Leiden",
        "clusters": "Clusters of measured expression (k-means)",
    }
    found = classes_of(source_of(expression, Wish(colour_by="leiden")))
    assert found.names == ("1", "2", "10")
    assert found.counts == (16, 16, 16)


def test_spots_without_a_label_have_no_class(labelled):
    expression = Expression(labelled, None)
    found = classes_of(source_of(expression, Wish(colour_by=keys.LABEL)))
    assert (found.names, found.counts, found.n_without) == (("fat", "tumour"), (20, 20), 8)
    assert [found.name_of(spot) for spot in (0, 39, 40)] == ["tumour", "fat", ""]
    assert legend_lines(found)[2][-1] == NOT_MEASURED


def test_classes_of_a_prediction_stand_at_their_own_spots(section):
    prediction = make_prediction(section, keep=slice(10, None))
    prediction.table.obs["cell_type"] = [f"type {at % 2}" for at in range(38)]
    expression = Expression(section, prediction)
    found = classes_of(source_of(expression, Wish(colour_by="cell_type")))
    assert found.n_without == 10
    # The prediction has the spots in reverse order.
    assert found.name_of(47) == "type 0"
    assert found.name_of(46) == "type 1"


def test_cell_types_are_read_from_the_files_a_study_names(section, tmp_path):
    types = np.array([2, 3, 0] * 16)
    write_spot_types(tmp_path / keys.SPOT_TYPES, section.spot_names, SpotCells(types, None, "files"))
    expression = Expression(replace(section, cells=tmp_path / keys.SPOT_TYPES), None)
    assert offers(expression)["cells"] == "Cell type (most frequent nuclei)"
    found = classes_of(source_of(expression, Wish(colour_by="cells")))
    assert (found.names, found.counts, found.n_without) == (("inflammatory", "neoplastic"), (16, 16), 16)
    assert found.name_of(0) == "neoplastic"


def test_clusters_find_two_kinds_of_spots_that_differ(section):
    counts = section.table.X.toarray()
    counts[:24, 1:3] = 200
    section.table.X = csr_matrix(counts)
    expression = Expression(section, None)
    found = classes_of(source_of(expression, Wish(colour_by="clusters", n_clusters=2)))
    assert len(set(found.codes[:24])) == len(set(found.codes[24:])) == 1
    assert found.codes[0] != found.codes[47]


def test_more_clusters_than_spots_are_refused_in_a_sentence():
    few = Expression(make_section(shape=(1, 3)), None)
    with pytest.raises(DataError, match="does not make 9 clusters: choose fewer"):
        classes_of(source_of(few, Wish(colour_by="clusters", n_clusters=9)))


def test_every_class_has_its_own_colour_and_a_hidden_one_none():
    colours = ClassColours(9, frozenset({2}), shows_rest=False)
    made = colormap(colours)
    assert len({tuple(colour[:3]) for colour in made["colors"]}) == 9
    assert [at for at, colour in enumerate(made["colors"]) if colour[3] == 0] == [2]
    assert made["nan_color"][3] == 0
    assert made["name"] != colormap(ClassColours(9, shows_rest=False))["name"]
    assert len(colormap(ClassColours(1))["colors"]) == 2


def test_while_classes_are_worked_out_the_gene_stays_in_view(labelled):
    expression = Expression(labelled, None)
    wish = Wish(gene="ACTB", colour_by=keys.LABEL)
    assert resolve(wish, expression).classes is None
    outdated = Classes(source_of(expression, Wish(colour_by="leiden")), "Leiden", ("1",), np.zeros(48, np.float32))
    assert resolve(wish, expression, outdated).classes is None
    found = classes_of(source_of(expression, wish))
    shown = resolve(replace(wish, hidden=frozenset({"fat", ""})), expression, found)
    assert shown.panels[0].colormap == ClassColours(2, frozenset({0}), shows_rest=False)
    assert shown.panels[0].limits == (-0.5, 1.5)
