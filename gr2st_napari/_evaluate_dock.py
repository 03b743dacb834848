"""The Evaluate dock: its view joined to the controller of the viewer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gr2st import ABLATIONS
from gr2st_napari import _evaluation
from gr2st_napari._controller import controller_of
from gr2st_napari._evaluate_words import (
    card_of,
    check_sentence,
    count_sentence,
    ended_of,
    findings_of,
    own_options,
    part_options,
    progress_sentence,
    recent_words,
    reference_options,
    training_lines,
    why_no_other,
    why_no_report,
    why_not_start,
)
from gr2st_napari._evaluation import predictions_of
from gr2st_napari._listening import listen
from gr2st_napari._options import SectionOption, encoder_options, titled
from gr2st_napari._results import boxes, dots, model_scores, patient_dots
from gr2st_napari._results_words import model_lines, warnings_of
from gr2st_napari.views.evaluate import RESULTS, TRAININGS, EvaluateView

if TYPE_CHECKING:
    import napari.viewer

    from gr2st_napari._evaluation import Design, Desk

NOT_TRAINING = ("idle", "checking")
"""Phases in which the Train dock leaves the worker to others."""
SPACE_AXES = {"spot": "PCC, relative to the spot", "gene": "PCC, relative to the gene"}


class EvaluateDock(EvaluateView):
    """Carries the desk of a viewer into the view and the user's acts to its evaluator.

    It may be closed and opened again: the desk belongs to the viewer and stays.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._controller = controller_of(napari_viewer)
        self._asked: tuple[object, ...] = ()
        self._shown: tuple[object, ...] = ()
        self._listed: tuple[object, ...] = ()
        self._encoders = encoder_options()
        self.setup.models.show_options(own_options())
        self.setup.references.show_options(reference_options(), are_fixed=True)
        self.setup.parts.show_options(part_options(ABLATIONS))
        self._send()
        self._send_results()
        self._listen()
        self._show(self._controller.state.desk)
        self.foot.show_job(self._controller.state.evaluating)
        self._controller.evaluator.glance()

    def _listen(self) -> None:
        """The state's news, until the dock is destroyed."""
        events = self._controller.state.events
        listen(
            (events.desk, self._on_desk), (events.evaluating, self.foot.show_job), (events.training, self._on_training)
        )

    def _send(self) -> None:
        """The user's acts, to the evaluator."""
        evaluator, controller = self._controller.evaluator, self._controller
        self.study_chosen.connect(controller.open)
        self.sample_wanted.connect(controller.open_sample)
        self.shown_in.connect(controller.live_in)
        self.evaluation_chosen.connect(evaluator.open)
        self.recent_wanted.connect(evaluator.list_recent)
        self.dismissed.connect(evaluator.dismiss)
        self.check_wanted.connect(evaluator.check)
        self.start_wanted.connect(self._start)
        self.going_on_wanted.connect(evaluator.go_on)
        self.following_wanted.connect(evaluator.follow)
        self.setup.changed.connect(lambda fields: evaluator.change(_evaluation.designed, **fields))
        self.setup.gene_file_chosen.connect(evaluator.read_genes)
        self.setup.settings.settings_changed.connect(partial(evaluator.change, _evaluation.with_settings))
        self.setup.settings.training_changed.connect(partial(evaluator.change, _evaluation.with_training))
        self.trainings.paused.connect(evaluator.pause)
        self.trainings.resumed.connect(evaluator.go_on)
        self.trainings.stopped.connect(evaluator.stop)
        self.foot.cancelled.connect(evaluator.stop)

    def _send_results(self) -> None:
        """What the user wants to see of the results."""
        evaluator = self._controller.evaluator
        self.results.models.chosen.connect(evaluator.choose)
        self.results.space_chosen.connect(lambda space: evaluator.change(_evaluation.seen, space=space))
        self.results.section_chosen.connect(lambda name: evaluator.change(_evaluation.seen, section=name))
        self.results.genes.picked.connect(self._show_gene)
        self.results.export_wanted.connect(self._export)
        self.report_unwanted.connect(self._controller.reporter.stop)

    def _start(self) -> None:
        self._controller.evaluator.start()
        self.turn_to(TRAININGS)

    def _export(self, what: str, path: str) -> None:
        if what == "report":
            self._controller.reporter.write(path)
        else:
            self._controller.evaluator.export(what, path)

    def _show_gene(self, gene: str) -> None:
        """The gene as measured and as predicted on a slide that was held out."""
        desk = self._controller.state.desk
        assert desk.evaluation is not None, "genes are listed of an evaluation"
        predictions = predictions_of(desk.evaluation, desk.chosen, desk.section)
        if predictions:
            self._controller.show_held_out(desk.evaluation.study, predictions, gene)

    def _on_desk(self, desk: Desk, before: Desk) -> None:
        """Show the desk; what was just opened or has come to its end is turned to."""
        self._show(desk)
        if desk.evaluation is None or desk.is_followed:
            return
        is_other = before.evaluation is None or before.evaluation.folder != desk.evaluation.folder
        if is_other or (before.is_followed and not desk.can_go_on):
            has_results = desk.results is not None and bool(desk.results.genes)
            self.turn_to(RESULTS if has_results else TRAININGS)

    def _on_training(self) -> None:
        self._show_setup(self._controller.state.desk)

    def _show(self, desk: Desk) -> None:
        self.show_card(card_of(desk))
        name = "" if desk.evaluation is None else desk.evaluation.folder.name
        self.show_name(name, "" if desk.evaluation is None else str(desk.evaluation.folder), why_no_other(desk))
        self.show_recent({str(one.folder): recent_words(one) for one in desk.recent}, desk.damaged)
        self._show_setup(desk)
        self._show_trainings(desk)
        self._show_results(desk)

    def _show_setup(self, desk: Desk) -> None:
        design, is_training = desk.design, self._controller.state.training.phase not in NOT_TRAINING
        if self._asked == (design, desk.preflight, desk.request, is_training):
            return
        self._asked = (design, desk.preflight, desk.request, is_training)
        self.setup.show_design(design, count_sentence(design))
        self.setup.show_sections(_section_options(design), design.sections)
        self.setup.show_encoders(self._encoders, design.encoder)
        self.setup.settings.show_design(design, [titled(own_options(), name) for name in design.plan().models])
        self.show_findings(findings_of(desk.preflight))
        why_not = why_not_start(desk, is_training=is_training)
        self.start.show_start(why_not, check_sentence(desk.preflight), is_busy=desk.request is not None)

    def _show_trainings(self, desk: Desk) -> None:
        evaluation = desk.evaluation
        self.trainings.show_lines(training_lines(evaluation))
        ended, total = (0, 0) if evaluation is None else (ended_of(evaluation), len(evaluation.rows))
        told = progress_sentence(desk) if desk.is_evaluating or evaluation is not None else ""
        self.trainings.show_progress(told, ended, total)
        self.trainings.show_acts(
            can_pause=desk.is_evaluating and not desk.is_paused and not desk.is_stopping,
            can_resume=desk.can_go_on or (desk.is_paused and not desk.is_stopping),
            can_stop=desk.is_elsewhere or (desk.is_evaluating and not desk.is_stopping),
        )

    def _show_results(self, desk: Desk) -> None:
        results, space = desk.results, desk.space
        self.results.show_any(results is not None and bool(results.genes))
        self.results.show_space(space)
        self.results.show_export(why_no_report(desk))
        if results is None or not results.genes:
            return
        self.results.show_models(model_lines(results, space), desk.chosen)
        self.results.show_sections(results.sections(desk.chosen), desk.section)
        if self._shown != (results, space):
            self._shown = (results, space)
            self.results.show_warnings(warnings_of(results))
            scores = model_scores(results, space)
            slides = dots(results, space)
            plots = slides, patient_dots(slides), boxes(results, space)
            self.results.show_plots(*plots, scores, SPACE_AXES[space])
        if self._listed != (results, space, desk.chosen):
            self._listed = (results, space, desk.chosen)
            self.results.show_genes(results.genes.get(desk.chosen), space)


def _section_options(design: Design) -> tuple[SectionOption, ...]:
    entries = () if design.study is None else design.study.entries
    return tuple(SectionOption(entry.name, entry.patient or "", None, entry.without_image) for entry in entries)
