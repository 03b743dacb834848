"""The Spot dock: its view joined to the controller of the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st_napari import _spot_words as words
from gr2st_napari import _trust_words as trust_words
from gr2st_napari._attention import line_colours, top_of
from gr2st_napari._controller import controller_of
from gr2st_napari._listening import listen
from gr2st_napari._neighbours import EDGE_KINDS, graph_of, neighbours_of
from gr2st_napari._spot import correlation, pairs_of
from gr2st_napari._state import MEASURES
from gr2st_napari._trust import outside_of, why_not
from gr2st_napari.views.edge_legend import EdgeLine
from gr2st_napari.views.spot import SpotView

if TYPE_CHECKING:
    import napari.viewer
    from qtpy.QtGui import QShowEvent

    from gr2st_napari._expression import Expression
    from gr2st_napari._spot import Case, Why
    from gr2st_napari._state import State


class SpotDock(SpotView):
    """Carries what is known of the clicked spot into the view and the user's acts to its keeper.

    It may be closed and opened again: the spot belongs to the viewer and stays.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._controller = controller_of(napari_viewer)
        self._edged: object = None
        self._plotted: tuple[object, ...] = ()
        self._calibrated: tuple[object, ...] = ()
        self._send()
        self._send_pages()
        self._listen()
        self._show()
        self._on_job()

    @property
    def _state(self) -> State:
        return self._controller.state

    def _listen(self) -> None:
        """The state's news, until the dock is destroyed."""
        events = self._state.events
        news = (events.why, events.shown, events.expression, events.opened, events.sheet, events.problem)
        listen(*((signal, self._on_news) for signal in news), (events.job, self._on_job))

    def _send(self) -> None:
        """What the card and the dock itself ask for."""
        controller = self._controller
        self.path_chosen.connect(controller.open)
        self.model_chosen.connect(controller.predict)
        self.sample_wanted.connect(controller.open_sample)
        self.dismissed.connect(controller.dismiss)
        self.shown_in.connect(controller.live_in)

    def _send_pages(self) -> None:
        """The user's acts on the pages, to the keeper of the spot."""
        controller, keeper = self._controller, self._controller.spot
        self.case.count_chosen.connect(keeper.list_references)
        self.case.reference_chosen.connect(keeper.look_at)
        self.case.going_wanted.connect(keeper.go_there)
        self.case.return_wanted.connect(keeper.go_back)
        self.case.edges.switched.connect(lambda kind, on: keeper.show_edges(kind, is_shown=on))
        self.trust.measure_chosen.connect(lambda measure: controller.wish(measure=measure))
        self.trust.marking_chosen.connect(lambda on: keeper.mark_outside(is_marked=on))
        self.trust.graph_switched.connect(lambda kind, on: keeper.graphs.show(kind, is_shown=on))
        self.scatter.chosen.connect(keeper.light)
        self.scatter.picked.connect(keeper.pick)
        self.scatter.lighting_chosen.connect(keeper.light_region)

    # -- showing ---------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show()

    def _on_news(self) -> None:
        """Behind another dock there is nothing to draw: it is when the dock comes forward."""
        if self.isVisible():
            self._show()

    def _on_job(self) -> None:
        self.foot.show_job(self._state.job)
        self._show_card()

    def _show_card(self) -> None:
        self.show_card(words.card_of(self._state))

    def _show(self) -> None:
        self._show_card()
        why, expression = self._state.why, self._state.expression
        self.case.show_any(why.case is not None)
        self.case.show_count(why.n_references)
        self.case.show_ways(*self._ways(why), f"Back to {why.way_back}" if why.way_back else "")
        if why.case is not None and expression is not None:
            self._show_case(why, why.case, expression)
        self._show_trust(why, expression)
        self._show_scatter(why, expression)

    def _show_case(self, why: Why, case: Case, expression: Expression) -> None:
        told = case.explanation
        self.case.show_texts(
            words.value_words(case, expression, self._state.wish.space), "<br>".join(words.trust_words(case))
        )
        self._show_pictures(why, case)
        self.case.show_references(
            words.reference_heading(why, expression),
            words.reference_lines(why),
            why.chosen,
            words.patient_warning(told, expression),
        )
        self.case.show_bars(
            words.part_note(case), words.part_bars(told), words.expert_note(told), words.expert_bars(told)
        )
        self._show_edges(why, case, expression)

    def _show_pictures(self, why: Why, case: Case) -> None:
        coming = "cutting…" if why.is_cutting else ""
        self.case.pair.own.show_picture(why.pictures.get(case.place, coming), "this spot")
        line = next(iter(words.reference_lines(why)[why.chosen : why.chosen + 1]), None)
        self.case.pair.reference.setVisible(line is not None)
        if line is not None:
            told = f"{line.section} · {line.weight}"
            is_coming = isinstance(line.picture, str) and not line.picture
            self.case.pair.reference.show_picture(coming if is_coming else line.picture, told)

    def _ways(self, why: Why) -> tuple[str, str]:
        """Words for the way to the reference spot that is looked at, and why it cannot be gone."""
        reference, opened = why.reference, self._state.opened
        if reference is None or not reference.section:
            return "", ""
        told = f"Show {reference.spot or 'it'} on {reference.section}"
        if not reference.spot:
            return told, "This prediction does not tell which spot it was: predict again."
        study = None if opened is None else opened.study
        if study is None or reference.section not in study.names:
            return told, f"{reference.section} is not in the open study."
        return told, ""

    def _show_edges(self, why: Why, case: Case, expression: Expression) -> None:
        """Which spots the clicked one is joined to; worked out where the spot is another one."""
        key = (case.spot, expression)
        if self._edged != (key, why.edges):
            self._edged = (key, why.edges)
            self.case.edges.show_lines(_edge_lines(case, expression), why.edges)

    def _show_trust(self, why: Why, expression: Expression | None) -> None:
        wish, outside = self._state.wish, outside_of(expression)
        reasons = {measure: why_not(measure, wish, expression) for measure in MEASURES}
        self.trust.show_measures({str(measure): reason for measure, reason in reasons.items()}, wish.measure)
        self.trust.show_outside(
            trust_words.outside_words(outside, expression), is_known=outside is not None, is_marked=why.marks_outside
        )
        self._show_calibration(why, expression)
        missing = {
            str(kind): "" if _has_graph(expression, kind) else trust_words.no_graph_sentence(expression, kind)
            for kind in EDGE_KINDS
        }
        self.trust.show_graphs(why.graphs, missing, trust_words.graphs_words(why, missing))

    def _show_calibration(self, why: Why, expression: Expression | None) -> None:
        """How error grows with the measure on the slide; with the distance where the slide shows expression."""
        known, measure = why.calibration, self._state.wish.measure
        measure = "distance" if measure == "expression" else measure
        label = trust_words.calibrated_label(known, expression, self._state.desk.chosen)
        key = (known, label, measure)
        if self._calibrated != key:
            self._calibrated = key
            curve = None if known is None else known.curves.get(label, {}).get(measure)
            self.trust.show_curve(
                curve, trust_words.curve_axis(measure), trust_words.calibration_words(known, label, measure)
            )

    def _show_scatter(self, why: Why, expression: Expression | None) -> None:
        shown, wish, spot = self._state.shown, self._state.wish, self._state.spot
        self.scatter.show_lighting(self._state.sheet.choices, why.lit_by, len(why.lit))
        key = (expression, None if shown is None else (shown.gene, shown.members), wish.space)
        if self._plotted != key:
            self._plotted = key
            self._plot(expression)
        self.scatter.show_lit(why.lit, spot)

    def _plot(self, expression: Expression | None) -> None:
        shown, wish = self._state.shown, self._state.wish
        reason = words.no_scatter_sentence(expression, shown)
        if reason or expression is None or shown is None:
            self.scatter.show_nothing(reason)
            return
        measured, predicted = pairs_of(expression, shown, wish)
        n_both = int((np.isfinite(measured) & np.isfinite(predicted)).sum())
        is_list = bool(shown.members)
        scales = ("gene list", "gene list") if is_list else (wish.space, expression.predicted_space)
        self.scatter.show_points(
            measured,
            predicted,
            title=words.scatter_title(shown.gene, correlation(measured, predicted), n_both),
            words=(words.axis_words("measured", scales[0]), words.axis_words("predicted", scales[1])),
            is_one_scale=scales[0] == scales[1],
        )


def _edge_lines(case: Case, expression: Expression) -> dict[str, EdgeLine]:
    found, told = neighbours_of(expression, case.spot), case.explanation
    listening = {kind: None if told is None else getattr(told, kind) for kind in EDGE_KINDS}
    lines = {}
    for kind in EDGE_KINDS:
        rows, attention = found.rows(kind), found.attention(kind)
        if rows is not None:
            by_distance, top = kind == "spatial" and found.by_distance, None if attention is None else top_of(attention)
            strength = words.attention_words(top, listening[kind], by_distance=by_distance)
            lines[str(kind)] = EdgeLine(
                words.edge_words(found, kind),
                line_colours(kind, is_plain=top is None),
                "; ".join(filter(None, (words.drawn_words(found, kind), strength))),
            )
    return lines


def _has_graph(expression: Expression | None, kind: Any) -> bool:
    return expression is not None and graph_of(expression, kind) is not None
