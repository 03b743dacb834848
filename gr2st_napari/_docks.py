"""The Genes dock: joined to the controller of its viewer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import COLOUR_MAPS, map_colours
from gr2st_napari._advice import ACTION_WORDS, advise
from gr2st_napari._attention import PLAIN
from gr2st_napari._classes import CLUSTERS, legend_lines, offers
from gr2st_napari._controller import MODE_KEYS, controller_of
from gr2st_napari._export import file_stem, why_not_export
from gr2st_napari._listening import listen
from gr2st_napari._neighbours import EDGE_KINDS, neighbours_of
from gr2st_napari._resolve import available_modes
from gr2st_napari._results_words import ranking_words
from gr2st_napari._scales import limits_on_other_scale
from gr2st_napari._spot_words import drawn_words, edge_words
from gr2st_napari.views.gene_model import DETECTED, HIGH, LOW, MEAN, MORAN, PCC, STAR, VARIABILITY
from gr2st_napari.views.genes import GenesView

if TYPE_CHECKING:
    from collections.abc import Callable

    import napari.viewer

    from gr2st_napari._controller import Controller
    from gr2st_napari._expression import Expression
    from gr2st_napari._results import Ranking
    from gr2st_napari._state import Limits, Space, State

KEY_WORDS: dict[str, str] = {mode: key.replace("Control-", "Ctrl+") for mode, key in MODE_KEYS.items()}
FACT_COLUMNS = {DETECTED: "detected", VARIABILITY: "variability", MORAN: "pattern"}


class GenesDock(GenesView):
    """Carries the state of a viewer into the view and the user's acts into its controller.

    It may be closed and opened again: the state belongs to the viewer and stays.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._controller = controller_of(napari_viewer)
        self._listed: tuple[object, ...] = ()
        self._starred: tuple[object, ...] = ()
        self._filled: tuple[object, object] = (None, None)
        self.look.show_colormaps({name: map_colours(name)[:, :3].tolist() for name in COLOUR_MAPS})
        self._send()
        self._listen()
        self.refresh_all()

    @property
    def _state(self) -> State:
        return self._controller.state

    def _send(self) -> None:
        """The user's acts, to the controller."""
        controller = self._controller
        self.path_chosen.connect(controller.open)
        self.model_chosen.connect(controller.predict)
        self.sample_wanted.connect(controller.open_sample)
        self.section_chosen.connect(controller.choose_section)
        self.dismissed.connect(controller.dismiss)
        self.foot.cancelled.connect(controller.cancel)
        self.shown_in.connect(controller.live_in)
        self.session_saved.connect(controller.sessions.save)
        self.export.opening.connect(self._show_exports)
        self.export.wanted.connect(self._on_export)
        self.genes.picked.connect(lambda gene: controller.wish(gene=gene))
        self.genes.starred.connect(controller.shelf.star)
        self.lists.chosen.connect(self._narrow)
        self.lists.opened.connect(controller.shelf.open)
        self.columns.chosen.connect(controller.shelf.want_columns)
        self.lists.saved.connect(lambda path: controller.shelf.save(path, self.genes.model.genes))
        self.lists.mean_wanted.connect(self._show_mean)
        self.modes.chosen.connect(lambda mode: controller.wish(mode=mode))
        self.modes.divider_moved.connect(self._move_divider)
        self.modes.flicker_chosen.connect(lambda seconds: controller.wish(flicker_s=seconds))
        self.colour_by.chosen.connect(lambda what: controller.wish(colour_by=what, hidden=frozenset()))
        self.classes.hidden_chosen.connect(lambda hidden: controller.wish(hidden=hidden))
        self.classes.n_clusters_chosen.connect(lambda count: controller.wish(n_clusters=count, hidden=frozenset()))
        self.look.space_chosen.connect(lambda space: controller.wish(space=space))
        self.look.colormap_chosen.connect(lambda name: controller.wish(colormap=name))
        self.look.log_chosen.connect(self._choose_log)
        self.look.limits_chosen.connect(self._choose_limits)
        self.look.clip_chosen.connect(lambda clip: controller.wish(clip=clip))

    def _listen(self) -> None:
        """The state's news, until the dock is destroyed."""
        listen(*self._listeners())

    def refresh_all(self) -> None:
        """Show the whole state, as a dock that was just opened must."""
        self._on_card()
        self._on_opened()
        self._on_expression()
        self._on_shown()
        self._on_notes()
        self._on_spot()
        self._on_job()

    def _listeners(self) -> list[tuple[Any, Any]]:
        events = self._state.events
        return [
            (events.problem, self._on_card),
            (events.job, self._on_card),
            (events.job, self._on_job),
            (events.opened, self._on_card),
            (events.opened, self._on_opened),
            (events.expression, self._on_expression),
            (events.ranking, self._on_expression),
            (events.facts, self._on_facts),
            (events.shelf, self._on_shelf),
            (self._controller.stepped, self.genes.step),
            (self._controller.shelf.opened, self.lists.choose),
            (events.shown, self._on_shown),
            (events.notes, self._on_notes),
            (events.spot, self._on_spot),
            (events.saved, self.foot.show_saved),
            (events.divider, self.modes.show_divider),
        ]

    def _on_card(self) -> None:
        self.card.show_card(advise(self._state), ACTION_WORDS)

    def _on_job(self) -> None:
        self.foot.show_job(self._state.job)

    def _on_opened(self) -> None:
        opened = self._state.opened
        study = None if opened is None else opened.study
        names = study.names if study is not None else () if opened is None else (opened.name,)
        self.show_sections(names, "" if opened is None else opened.name)

    def _on_expression(self) -> None:
        expression, space, ranking = self._state.expression, self._state.wish.space, self._state.ranking
        self.show_gene_tools(expression is not None)
        if expression is not None and self._listed != (expression, space, ranking):
            self._listed = (expression, space, ranking)
            self._list_genes(expression, space, ranking)

    def _list_genes(self, expression: Expression, space: Space, ranking: Ranking | None) -> None:
        name, genes, model = expression.name, expression.genes, self.genes.model
        ranks = None if ranking is None else ranking.of(name, genes, space)
        is_ranked = ranking is not None and ranks is not None
        low, high = ranking.interval_of(name, genes, space) if is_ranked else (None, None)  # type: ignore[union-attr]
        scores = expression.scores(space) if ranks is None else ranks
        self.genes.show_genes(genes, expression.aliases, expression.means)
        self._starred, self._filled = (), (None, None)
        for column, numbers in ((PCC, scores), (LOW, low), (HIGH, high)):
            model.set_column(column, numbers)
        self.genes.show_source(ranking_words(ranking) if is_ranked else "")  # type: ignore[arg-type]
        self._on_facts()
        self._on_shelf()
        self.genes.sort_by(MEAN if scores is None else PCC)

    def _on_shelf(self) -> None:
        expression, shelf = self._state.expression, self._state.shelf
        self.lists.show_names(shelf.names)
        if shelf.columns is not None:
            self.columns.show_wanted(shelf.columns)
        if expression is None:
            return
        if self._starred != (expression, shelf.favourites):
            self._starred, starred = (expression, shelf.favourites), set(shelf.favourites)
            self.genes.model.set_column(STAR, np.array([gene in starred for gene in expression.genes], np.float32))
        self._narrow(self.lists.name)

    def _narrow(self, name: str) -> None:
        self.genes.model.narrow(self._state.shelf.genes(name))

    def _show_mean(self, name: str) -> None:
        genes = self._state.shelf.genes(name)
        if genes:
            self._controller.wish(gene=f"{name} (mean z)", members=genes)

    def _on_facts(self) -> None:
        expression, facts = self._state.expression, self._state.facts
        known = None if facts is None else facts.known
        if expression is not None and (expression is not self._filled[0] or known is not self._filled[1]):
            self._filled = (expression, known)
            for column, what in FACT_COLUMNS.items():
                self.genes.model.set_column(column, None if facts is None else facts.of(what, expression.genes))
            self.columns.fit()
        under_way = {} if facts is None else {facts.under_way: facts.done}
        columns = {column: under_way[what] for column, what in FACT_COLUMNS.items() if what in under_way}
        self.columns.show_under_way(columns)

    def _on_shown(self) -> None:
        self._on_expression()
        shown, wish = self._state.shown, self._state.wish
        mode = wish.mode if shown is None else "" if shown.classes is not None else shown.mode
        reasons = available_modes(self._state.expression)
        self.modes.show_modes(mode, {str(name): reason for name, reason in reasons.items()}, KEY_WORDS)
        self.modes.show_flicker(wish.flicker_s)
        self.modes.show_divider(self._state.divider)
        self._show_classes()
        if shown is None:
            self.look.show_wish(wish, (0.0, 1.0), False)
        else:
            self.look.show_wish(replace(wish, mode=shown.mode), shown.panels[0].limits, True)
        self.genes.show_gene("" if shown is None else shown.gene)

    def _on_notes(self) -> None:
        self.show_notes(self._state.notes)

    def _show_exports(self) -> None:
        """What can be written of what is shown, and what it is called."""
        shown, opened = self._state.shown, self._state.opened
        if shown is not None and opened is not None:
            self.export.show_names(opened.name, file_stem(shown, opened))
            self.export.show_reasons(why_not_export(self._state, self.genes.model.genes))

    def _on_export(self, what: str, path: str) -> None:
        exporter, shelf = self._controller.exporter, self._state.shelf
        regions = self._controller.regions.in_view
        acts: dict[str, Callable[[], None]] = {
            "figure-view": lambda: exporter.figure(path, regions, is_whole=False),
            "figure-whole": lambda: exporter.figure(path, regions, is_whole=True),
            "values-view": lambda: exporter.values_in_view(path),
            "values-all": lambda: exporter.predicted_values(path),
            "prediction": lambda: exporter.prediction(path),
            "report-best": lambda: exporter.report(path),
            "report-favourites": lambda: exporter.report(path, shelf.favourites),
            "report-list": lambda: exporter.report(path, self.genes.model.genes),
        }
        acts[what]()

    def _show_classes(self) -> None:
        expression, shown, wish = self._state.expression, self._state.shown, self._state.wish
        self.colour_by.show_offers({} if expression is None else offers(expression), wish.colour_by)
        classes = None if shown is None else shown.classes
        self.show_look(of_classes=classes is not None)
        if classes is not None:
            lines = legend_lines(classes)
            self.classes.show_classes(*lines, hidden=wish.hidden)
            self.classes.show_n_clusters(wish.n_clusters if wish.colour_by == CLUSTERS else None)

    def _move_divider(self, divider: float) -> None:
        self._state.divider = divider

    def _choose_log(self, is_on: bool) -> None:
        """The other scale; limits that are kept go with it, those of differences cannot."""
        limits = limits_on_other_scale(self._state.wish.limits, log=is_on)
        self._controller.wish(log=is_on, limits=limits, bound=None)

    def _choose_limits(self, limits: Limits | None) -> None:
        shown = self._state.shown
        if shown is not None and shown.mode == "difference":
            self._controller.wish(bound=None if limits is None else max(map(abs, limits)))
        else:
            self._controller.wish(limits=limits)

    def _on_spot(self) -> None:
        expression, spot = self._state.expression, self._state.spot
        self.show_legend("" if expression is None or spot is None else _legend(self._controller, spot))


def _legend(controller: Controller, spot: int) -> str:
    """Words and colours for the edges of one spot."""
    expression = controller.state.expression
    assert expression is not None, "a spot is clicked only where spots are shown"
    found = neighbours_of(expression, spot)
    lines = [f"<b>Spot {expression.spots[spot]}</b>"]
    for kind in EDGE_KINDS:
        hint = "similar expression" if kind == "functional" else ""
        more = "; ".join(filter(None, (hint, drawn_words(found, kind))))
        if edge_words(found, kind):
            words = edge_words(found, kind) + (f" ({more})" if more else "")
            lines.append(f"<span style='color:{PLAIN[kind]}'>━</span> {words}")
    return "<br>".join(lines)
