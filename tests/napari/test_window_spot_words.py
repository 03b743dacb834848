"""Why a spot was predicted so, worked out without a window: trust, attention, words, pictures, calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from window_builders import PaperSlide, explained, make_prediction

from gr2st import DataError, keys, read_section, read_study, sample_study_path
from gr2st_napari import _spot_words as words
from gr2st_napari import _trust_words as trust_words
from gr2st_napari._attention import edge_colours, whole_graph
from gr2st_napari._calibration import calibration_in
from gr2st_napari._expression import Expression
from gr2st_napari._neighbours import MOST_DRAWN, Neighbours, neighbours_of
from gr2st_napari._patch_pictures import SIDE_PX, Source, cut, find_source
from gr2st_napari._resolve import resolve
from gr2st_napari._spot import Why, case_of, correlation, lit
from gr2st_napari._state import State, Wish
from gr2st_napari._trust import outside_of, trust_of, why_not
from gr2st_napari.views.scatter import inside

GENE = Wish(gene="ERBB2", space="gene")


@pytest.fixture
def expression(section, prediction):
    return Expression(section, explained(prediction))


def _case(expression, spot):
    return case_of(expression, resolve(GENE, expression), GENE, spot)


def test_neighbours_carry_their_share_of_the_attention_each_its_own(expression):
    found = neighbours_of(expression, 10)
    graph = expression.prediction.table.obsp[keys.SPATIAL_GRAPH].toarray()
    row = expression.rows_of_prediction[10]
    wanted = [graph[row, expression.rows_of_prediction[spot]] for spot in found.spatial]
    np.testing.assert_allclose(found.spatial_attention, wanted)
    assert len(found.functional) == len(found.functional_attention) == 1


def test_of_very_many_edges_of_a_spot_the_strongest_are_drawn_and_the_words_say_so():
    attention = np.random.default_rng(0).random(1231).astype(np.float32)
    found = Neighbours(7, np.arange(3), np.arange(1231), by_distance=False, functional_attention=attention)
    rows, kept = found.drawn("functional")
    assert len(rows) == len(kept) == MOST_DRAWN
    assert kept.min() >= np.sort(attention)[-MOST_DRAWN]
    np.testing.assert_array_equal(attention[rows], kept)
    assert words.edge_words(found, "functional") == "1,231 functional neighbours"
    assert words.drawn_words(found, "functional") == f"the {MOST_DRAWN} strongest are drawn"
    assert len(found.drawn("spatial")[0]) == 3
    assert (words.edge_words(found, "spatial"), words.drawn_words(found, "spatial")) == ("3 spatial neighbours", "")


def test_edges_none_of_which_is_known_to_be_stronger_are_all_drawn():
    found = Neighbours(7, np.arange(500), None, by_distance=True)
    assert len(found.drawn("spatial")[0]) == 500
    assert words.edge_words(found, "spatial") == "500 spatial neighbours (by distance)"
    assert words.edge_words(found, "functional") == ""


def test_graphs_of_earlier_versions_have_edges_and_no_attention(section, prediction):
    found = neighbours_of(Expression(section, prediction), 10)
    assert len(found.spatial) == 2
    assert found.spatial_attention is None
    assert whole_graph(Expression(section, prediction), "spatial").attention is None


def test_a_whole_graph_has_every_pair_once_with_its_stronger_direction_and_the_strongest_last(expression):
    lines = whole_graph(expression, "spatial")
    graph = expression.prediction.table.obsp[keys.SPATIAL_GRAPH].toarray()
    strong = np.maximum(graph, graph.T)
    assert lines.n_pairs == len(lines.pairs) == (np.triu(strong, 1) > 0).sum()
    rows = expression.rows_of_prediction[lines.pairs]
    np.testing.assert_allclose(lines.attention, strong[rows[:, 0], rows[:, 1]])
    assert (np.diff(lines.attention) >= 0).all()


def test_of_a_large_graph_the_strongest_edges_are_drawn_and_the_words_say_so(expression):
    every, some = whole_graph(expression, "spatial"), whole_graph(expression, "spatial", most=5)
    np.testing.assert_array_equal(some.pairs, every.pairs[-5:])
    assert trust_words.graph_sentence(some).startswith("the strongest 5 of 48 pairs")


def test_spots_that_the_prediction_lacks_are_left_out_of_a_whole_graph(section):
    prediction = explained(make_prediction(section, keep=slice(10, None)))
    lines = whole_graph(Expression(section, prediction), "spatial")
    assert lines.pairs.min() == 10
    assert lines.pairs.max() == section.n_spots - 1


def test_stronger_edges_are_darker_and_less_transparent():
    colours = edge_colours("spatial", np.linspace(0, 0.3, 7, dtype=np.float32), 0.3)
    assert (np.diff(colours[:, :3] @ [0.3, 0.6, 0.1]) < 0).all()
    assert (np.diff(colours[:, 3]) > 0).all()
    np.testing.assert_array_equal(edge_colours("spatial", np.zeros(2, np.float32), 0.0)[0], colours[0])


def test_spread_is_told_in_units_of_what_the_gene_varies_by(expression):
    trust = trust_of("spread", "ERBB2", expression)
    wanted = (0.1 + 0.01 * expression.rows_of_prediction) / 0.2
    np.testing.assert_allclose(trust.values, wanted, rtol=1e-5)
    shown = resolve(Wish(gene="ERBB2", measure="spread", limits=(7.0, 9.0)), expression)
    assert [panel.title for panel in shown.panels] == [
        "ERBB2 · spread among reference spots · 1 = usual within a slide"
    ]
    assert shown.panels[0].limits[1] < 4, "limits set for values of expression do not hold here"
    assert "not expression" in shown.notes[0]


def test_what_a_large_file_does_not_keep_is_not_said_of_its_model(section, prediction):
    told = {keys.BANK_SECTION: np.array(["A1"]), "graphs": "not drawn above 5,000 spots"}
    large = replace(prediction, table=prediction.table.copy())
    large.table.uns[keys.PROVENANCE] = {**prediction.table.uns[keys.PROVENANCE], **told}
    expression = Expression(section, large)
    assert why_not("spread", GENE, expression).startswith("Not kept in this file")
    assert trust_words.no_graph_sentence(expression, "functional") == (
        "The functional graph is not drawn above 5,000 spots."
    )


def test_what_is_not_known_says_why_and_the_gene_is_shown_instead(section, prediction):
    old = Expression(section, prediction)
    assert "looks up no training spots" in why_not("spread", GENE, old)
    assert "Train it again" in why_not("distance", GENE, old)
    assert trust_words.no_graph_sentence(old, "spatial").endswith("draws no spatial graph.")
    assert why_not("spread", GENE, Expression(section, None)).startswith("Needs a prediction")
    shown = resolve(Wish(gene="ERBB2", space="gene", mode="predicted", measure="distance"), old)
    assert shown.panels[0].kind == "predicted"
    assert any("Train it again" in note for note in shown.notes)


def test_a_list_of_genes_and_a_gene_not_predicted_have_no_spread(expression):
    assert "choose a gene" in why_not("spread", Wish(gene="mine", members=("ERBB2", "ACTB")), expression)
    assert why_not("spread", Wish(gene="KRT19"), expression) == "This model does not predict KRT19."
    assert not why_not("distance", Wish(gene="KRT19"), expression)


def test_a_model_whose_parts_are_on_two_scales_has_no_disagreement(section, prediction):
    told = explained(prediction)
    del told.table.layers[keys.DISAGREEMENT]
    assert "not answer on one scale" in why_not("disagreement", GENE, Expression(section, told))


def test_spots_far_from_the_training_are_outside_and_their_card_warns(expression):
    outside = np.flatnonzero(outside_of(expression))
    np.testing.assert_array_equal(np.sort(expression.rows_of_prediction[outside]), [0, 1, 2])
    state = State(expression=expression)
    state.why = Why(case=_case(expression, int(outside[0])))
    card = words.card_of(state)
    assert card.tone == "warning"
    assert "Far from anything the model was trained on (3.0 times the usual distance)" in card.sentence
    state.why = Why(case=_case(expression, int(np.flatnonzero(~outside_of(expression))[0])))
    assert words.card_of(state).tone == "calm"


def test_a_spot_is_told_with_values_scales_and_how_far_it_can_be_trusted(expression):
    case = _case(expression, 20)
    assert words.value_words(case, expression, "gene") == (
        f"ERBB2: measured <b>{case.measured:.2f}</b> (gene-normalised), "
        f"predicted <b>{case.predicted:.2f}</b> (gene-normalised)."
    )
    close, spread, apart = words.trust_words(case)
    assert close.startswith("Looks like the training slides")
    assert "differ somewhat in ERBB2" in spread or "do not agree on ERBB2" in spread
    assert apart == "The parts of the model agree (0.1 of the usual spread apart)."


def test_a_prediction_of_an_earlier_version_says_that_nothing_is_known(section, prediction):
    case = _case(Expression(section, prediction), 20)
    assert words.trust_words(case) == [
        "Nothing is known of how sure this is: the prediction or its model is of an earlier version."
    ]
    why = Why(case=case)
    assert "looks up no training spots" in words.reference_heading(why, Expression(section, prediction))


@pytest.mark.parametrize(
    ("patients", "found"),
    [
        (("C",), "100 % of the weight comes from spots of the same patient (C)"),
        (("A",), "All reference spots come from one patient (A)."),
        (("A", "B"), ""),
    ],
)
def test_reference_spots_of_one_patient_or_of_the_same_patient_are_warned_of(section, prediction, patients, found):
    expression = Expression(section, explained(prediction, patients=patients))
    told = _case(expression, 5).explanation
    assert found in words.patient_warning(told, expression)
    assert bool(found) == bool(words.patient_warning(told, expression))


def test_reference_spots_that_the_file_does_not_keep_are_not_said_to_be_none(expression):
    case = _case(expression, 5)
    bare = replace(case, explanation=replace(case.explanation, references=()))
    assert case.explanation.gene.shares["retrieval"] > 0
    assert "not kept in this file" in words.reference_heading(Why(case=bare), expression)


def test_reference_spots_are_listed_by_weight_and_their_number_can_be_set(expression):
    case = _case(expression, 5)
    lines = words.reference_lines(Why(case=case, n_references=3))
    assert [line.distance for line in lines] == ["1", "2", "3"]
    assert [line.section for line in lines] == ["C2", "C3", "C2"]
    assert words.reference_heading(Why(case=case, n_references=3), expression).endswith("42 % of the weight.")


def test_experts_have_names_only_where_they_were_taught_cell_types(expression):
    told = _case(expression, 5).explanation
    assert [bar.name for bar in words.expert_bars(told)][:2] == ["expert 1", "expert 2"]
    expression.prediction.table.uns[keys.PROVENANCE]["cell_types"] = "estimate"
    taught = _case(expression, 5).explanation
    assert [bar.name for bar in words.expert_bars(taught)][2] == "tumour"
    assert [bar.share for bar in words.part_bars(taught)] == pytest.approx([0.2, 0.1, 0.7])


def test_no_slide_no_prediction_no_spot_each_have_a_sentence_of_their_own(section, expression):
    assert words.card_of(State()).actions == ("open", "open-sample")
    assert words.card_of(State(expression=Expression(section, None))).actions == ("predict",)
    assert words.card_of(State(expression=expression)).sentence.startswith("Click a spot")


def test_the_scatter_says_what_is_missing(section, prediction, expression):
    def sentence(found, gene="ERBB2"):
        return words.no_scatter_sentence(found, resolve(Wish(gene=gene), found))

    assert "no prediction yet" in sentence(Expression(section, None))
    assert "KRT19" in sentence(expression, "KRT19")
    assert not sentence(expression)
    assert "Open a slide" in words.no_scatter_sentence(None, None)


def test_correlation_is_over_the_spots_that_have_both():
    one, other = np.array([1, 2, 3, np.nan, 5], np.float32), np.array([2, 4, 7, 1, np.nan], np.float32)
    assert correlation(one, other) == pytest.approx(np.corrcoef([1, 2, 3], [2, 4, 7])[0, 1])
    assert np.isnan(correlation(one, np.ones(5, np.float32)))


def test_lighting_nothing_forgets_who_lit_unless_it_is_a_region():
    assert lit(Why(), np.array([False, True, True]), "the scatter").lit == (1, 2)
    assert lit(Why(), (), "the scatter").lit_by == ""
    assert lit(Why(), np.zeros(3, bool), "Region 1").lit_by == "Region 1"


def test_a_lasso_holds_what_it_goes_round_also_where_it_turns_back():
    corners = np.array([[0, 0], [4, 0], [4, 4], [2, 1], [0, 4]], float)
    points = np.array([[1, 1], [2, 0.5], [2, 3], [3.5, 3], [5, 1]], float)
    assert inside(points, corners).tolist() == [True, True, False, True, False]


def test_a_picture_is_cut_round_the_spot_at_a_physical_size():
    slide = PaperSlide()
    slide.pixels[440:460, 590:610] = (10, 20, 30)
    [found] = cut(Source(slide, 0.5), [(600.0, 450.0)])
    assert found.shape == (SIDE_PX, SIDE_PX, 3)
    # 200 um are 400 px of this slide: a mark of 20 px is 8 px of the picture.
    assert (found[SIDE_PX // 2, SIDE_PX // 2] == (10, 20, 30)).all()
    assert (found[:, :, 0] == 10).sum() == pytest.approx(64, abs=20)
    [unscaled] = cut(Source(slide, None), [(600.0, 450.0)])
    assert (unscaled[:, :, 0] == 10).sum() == 400


def test_a_section_without_a_picture_to_find_says_what_to_do(section):
    study = read_study(sample_study_path())
    with pytest.raises(DataError, match="Open the study that has C7"):
        find_source(None, "C7")
    with pytest.raises(DataError, match="C7 is not in the open study"):
        find_source(study, "C7")
    assert find_source(study, "A1").um_per_px == read_section(study.entry("A1")).um_per_px


def test_a_calibration_is_read_and_told(tmp_path):
    columns = {"n": 10, "rmse": 1.0, "rank": 0.5, "rank_within_genes": np.nan}
    lines = [
        {"model": "gr2st", "section": None, "measure": "distance", "bin": at, "mean_measure": at, "mae": 0.1 * at}
        for at in (1, 2, 3)
    ]
    lines += [{**lines[0], "measure": "spread"}, {**lines[0], "measure": "confidence"}, {**lines[0], "section": "B1"}]
    table = pd.DataFrame(lines).assign(**columns)
    table.loc[table.measure == "spread", "rank_within_genes"] = 0.1
    table.to_csv(tmp_path / keys.CALIBRATION, index=False)
    found = calibration_in(tmp_path)
    assert list(found.curves["gr2st"]) == ["distance", "spread"]
    assert found.curves["gr2st"]["distance"].error == pytest.approx((0.1, 0.2, 0.3))
    assert "grows with it clearly (rank correlation 0.50)" in trust_words.calibration_words(found, "gr2st", "distance")
    assert "a little (rank correlation 0.10)" in trust_words.calibration_words(found, "gr2st", "spread")
    assert "does not tell" in trust_words.calibration_words(found, "ridge", "distance")


def test_without_a_calibration_the_words_say_how_to_get_one(tmp_path):
    assert "Evaluate dock" in trust_words.calibration_words(None, "", "distance")
    assert "Evaluate again" in trust_words.calibration_words(calibration_in(tmp_path), "gr2st", "distance")
    assert "do not go by it" in trust_words._trend(-0.3)
    assert "does not grow" in trust_words._trend(0.01)


def test_measured_and_predicted_are_nan_where_there_is_none(section, prediction):
    expression = Expression(section, explained(make_prediction(section, keep=slice(10, None))))
    case = _case(expression, 3)
    assert case.explanation is None
    assert np.isnan(case.predicted)
    state = State(expression=expression)
    state.why = Why(case=case)
    assert "is not in the prediction" in words.card_of(state).sentence
    assert outside_of(expression)[:10].sum() == 0
