"""The Train dock: its view joined to the controller of the viewer."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from napari.utils.theme import get_theme
from qtpy.QtCore import QTimer

from gr2st import MODELS, keys
from gr2st_napari import _training
from gr2st_napari._controller import controller_of
from gr2st_napari._frames import show_genes
from gr2st_napari._listening import listen
from gr2st_napari._options import CELL_TYPE_OPTIONS, DEVICE_OPTIONS, encoder_options, model_options
from gr2st_napari._run_words import (
    run_line,
    setting_words,
    short_names,
    why_not_delete,
    why_not_predict,
    why_not_resume,
    why_not_stop,
)
from gr2st_napari._runs import differences
from gr2st_napari._series import PART_WORDS, TOTAL, compared, curves_of, parts_of
from gr2st_napari._sketching import followed
from gr2st_napari._train_words import (
    card_of,
    elsewhere_words,
    ends_of,
    findings_of,
    job_of,
    score_title,
    sketch_words,
    sketched_words,
    watch_options,
    why_no_sketch,
)
from gr2st_napari.views.train import PLAN, PROGRESS, TrainView

if TYPE_CHECKING:
    from pathlib import Path

    import napari.viewer

    from gr2st_napari._state import State
    from gr2st_napari._training import Training

LOOK_MS = 2000
"""How often the runs are looked at while the dock can be seen."""
DRAW_MS = 400
"""How often, at most, news of a training is drawn: epochs may come by the dozen in a second."""
RUN_ACTS = {
    "resume": "Go on with this run where it was",
    "stop": "Stop this run; what it learned is kept",
    "predict": "Predict the open slide with this run's model",
    "settings": "Fill in the plan as this run was asked for",
    "folder": "Show the run's folder in the file manager",
    "delete": "Delete the selected runs, after asking",
}


class TrainDock(TrainView):
    """Carries a training of a viewer into the view and the user's acts to its trainer.

    It may be closed and opened again: draft, training and runs belong to the viewer and stay.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._controller = controller_of(napari_viewer)
        self._part = TOTAL
        self._phase = ""
        self._looks = QTimer(self, interval=LOOK_MS)
        self._draws = QTimer(self, interval=DRAW_MS, singleShot=True)
        self._models, self._encoders = model_options(), encoder_options()
        self._send()
        self._send_forms()
        self._listen()
        self._show_theme()
        self._show_draft()
        self._show_training()
        self._show_runs()

    @property
    def _state(self) -> State:
        return self._controller.state

    def _send(self) -> None:
        """The user's acts, to the trainer."""
        trainer = self._controller.trainer
        self.study_chosen.connect(trainer.choose_study)
        self.sample_wanted.connect(trainer.choose_sample)
        self.check_wanted.connect(lambda: self._go(trainer.check))
        self.start_wanted.connect(lambda: self._go(trainer.start))
        self.pause_wanted.connect(trainer.pause)
        self.resume_wanted.connect(lambda: self._go(trainer.resume))
        self.stop_wanted.connect(trainer.stop)
        self.dismissed.connect(trainer.dismiss)
        self.predict_wanted.connect(self._predict_last)
        self.shown_in.connect(self._controller.live_in)
        self.seen.connect(self._on_seen)
        self._looks.timeout.connect(trainer.runs.look)
        self._draws.timeout.connect(self._draw)
        self.pages.currentChanged.connect(lambda _page: self._draw())
        self.runs.chosen.connect(trainer.runs.choose)
        self.runs.part_chosen.connect(self._on_part)
        self.runs.resume_wanted.connect(lambda folder: self._go(partial(trainer.resume_run, folder)))
        self.runs.stop_wanted.connect(trainer.stop_run)
        self.runs.predict_wanted.connect(self._predict)
        self.runs.settings_wanted.connect(self._on_settings_wanted)
        self.runs.deletion_wanted.connect(trainer.runs.delete)

    def _send_forms(self) -> None:
        """What is ticked, chosen and typed, into the draft."""
        plan, change = self.plan, self._controller.trainer.change
        plan.sections.chosen.connect(partial(change, _training.with_sections))
        plan.watch.chosen.connect(partial(change, _training.with_held_out))
        plan.sketch_wanted.connect(partial(change, _training.with_sketch))
        plan.genes.number_chosen.connect(partial(change, _training.with_number))
        plan.genes.file_chosen.connect(self._controller.trainer.choose_genes)
        plan.model.chosen.connect(partial(change, _training.with_model))
        plan.encoder.chosen.connect(partial(change, _training.with_encoder))
        plan.cell_types.chosen.connect(lambda name: change(_training.with_recipe, cell_types=name))
        plan.device.chosen.connect(partial(change, _training.with_device))
        plan.name_typed.connect(partial(change, _training.with_name))
        plan.training.changed.connect(partial(change, _training.with_training))
        plan.config.changed.connect(partial(change, _training.with_config))
        plan.patch.changed.connect(lambda patch: change(_training.with_recipe, patch=patch))
        plan.recipe.changed.connect(lambda recipe: change(_training.with_recipe, stain=recipe.stain))
        for form in (plan.training, plan.config, plan.patch, plan.recipe):
            form.faulted.connect(partial(change, _training.with_fault))

    def _listen(self) -> None:
        """The state's news, until the dock is destroyed."""
        events = self._state.events
        listen(
            (events.train_draft, self._show_draft),
            (events.training, self._show_training),
            (events.runs, self._show_runs),
            (events.opened, self._show_acts),
            (events.opened, self._show_card),
            (events.opened, self._show_sketched),
            (events.sketched, self._show_sketched),
            (events.runs, self._show_sketched),
            (self._viewer.events.theme, self._show_theme),
        )

    def _on_seen(self, is_seen: bool) -> None:
        """Look at the runs while the dock can be seen."""
        if is_seen:
            self._controller.trainer.runs.look()
            self._looks.start()
        else:
            self._looks.stop()

    def _go(self, act: object) -> None:
        self.show_page(PROGRESS)
        act()  # type: ignore[operator]

    def _on_settings_wanted(self, folder: Path) -> None:
        self.show_page(PLAN)
        self._controller.trainer.use_settings_of(folder)

    # -- showing ---------------------------------------------------------------------------------------------------

    def _show_draft(self) -> None:
        draft, plan = self._state.train_draft, self.plan
        study = draft.study
        plan.show_study("" if study is None else study.name, "" if study is None else str(study.path))
        plan.sections.show_sections(() if study is None else study.sections, draft.sections)
        plan.watch.show_options(watch_options(draft), draft.held_out)
        plan.show_sketch(sketch_words(draft), why_no_sketch(draft), is_wanted=draft.sketch)
        plan.genes.show_genes(draft.genes, draft.gene_file)
        plan.model.show_options(self._models, draft.model)
        plan.encoder.show_options(self._encoders, draft.recipe.encoder)
        plan.cell_types.show_options(CELL_TYPE_OPTIONS, draft.recipe.cell_types)
        plan.device.show_options(DEVICE_OPTIONS, draft.training.device)
        plan.show_name(draft.name)
        self._show_forms()
        self._show_card()

    def _show_forms(self) -> None:
        draft, plan = self._state.train_draft, self.plan
        spec = MODELS[draft.model]
        plan.training.show_settings(spec.training, draft.training, ("device",))
        plan.config.show_settings(spec.config, draft.config)
        plan.patch.show_settings(_training.registered_patch(draft.recipe.encoder), draft.recipe.patch)
        registered = draft.recipe.model_copy(update={"stain": "none"})
        plan.recipe.show_settings(registered, draft.recipe, ("encoder", "cell_types"))

    def _show_training(self) -> None:
        """What changes rarely at once, what grows with every epoch a little later."""
        training = self._state.training
        if training.phase != self._phase:
            self._phase = training.phase
            self._show_card()
            self._show_acts()
            self._draw()
        elif not self._draws.isActive():
            self._draws.start()

    def _show_card(self) -> None:
        state = self._state
        slide = "" if self._why_not_predict("finished") or state.opened is None else state.opened.name
        self.show_card(card_of(state.train_draft, state.training, state.runs, slide))
        self.show_ends(ends_of(state.train_draft, state.training))
        self.show_job(job_of(state.training))

    def _draw(self) -> None:
        self._show_card()
        if not self.progress.isVisible():
            return
        training = self._state.training
        has_curves = bool(training.epochs)
        self.progress.curves.setVisible(has_curves)
        self.progress.show_findings(() if has_curves else findings_of(training), _hint(training))
        self.progress.curves.show_curves(
            curves_of(training.epochs), ("Loss by part, first epoch = 1", score_title(training))
        )
        self._show_sketched()

    def _show_sketched(self) -> None:
        """Where the map is that sharpens, on the page where the training is told of that it is of."""
        state = self._state
        training = followed(state.training, state.runs, state.sketched.run)
        words = sketched_words(training, state.sketched.note, "" if state.opened is None else state.opened.name)
        is_elsewhere = training.folder != state.training.folder
        self.progress.show_sketched("" if is_elsewhere else words)
        self.runs.show_sketched(elsewhere_words(training, words) if is_elsewhere else "")

    def _show_runs(self) -> None:
        seen, now = self._state.runs, time.time()
        self.runs.show_runs([run_line(run, seen, now) for run in seen.found], seen.chosen, seen.faults)
        self._show_comparison()
        self._show_acts()
        self._show_card()

    def _show_comparison(self) -> None:
        seen = self._state.runs
        names = short_names([run.folder.name for run in seen.selected])
        curves = [(name, seen.curves.get(run.folder, ())) for name, run in zip(names, seen.selected, strict=True)]
        parts = parts_of([epochs for _, epochs in curves])
        part = self._part if self._part in parts or not parts else parts[0]
        self.runs.show_parts([(name, PART_WORDS.get(name, name)) for name in parts], part)
        drawn = compared([(name, epochs) for name, epochs in curves if epochs], part)
        title = f"Loss, {PART_WORDS.get(part, part)}"
        self.runs.curves.show_curves(drawn, (title, "Correlation on slides held out"))
        rows = differences(seen.selected) if len(seen.selected) > 1 else ()
        self.runs.show_differences(names, [(setting_words(name), name, values) for name, values in rows])

    def _show_acts(self) -> None:
        seen, training = self._state.runs, self._state.training
        none = "" if len(seen.selected) == 1 else "Select one run first."
        reasons = {
            "resume": why_not_resume(seen, training),
            "stop": why_not_stop(seen),
            "predict": none or self._why_not_predict(seen.selected[0].state),
            "settings": none,
            "folder": none,
            "delete": why_not_delete(seen),
        }
        self.runs.show_acts(reasons, RUN_ACTS)

    def _why_not_predict(self, run_state: str) -> str:
        opened = self._state.opened
        section = "" if opened is None or opened.section is None else opened.name
        return why_not_predict(run_state, section, has_study=opened is not None and opened.study is not None)

    def _on_part(self, part: str) -> None:
        self._part = part
        self._show_comparison()

    def _show_theme(self) -> None:
        theme = get_theme(self._viewer.theme)
        for curves in (self.progress.curves, self.runs.curves):
            curves.show_colours(theme.background.as_hex(), theme.text.as_hex())

    # -- predicting ------------------------------------------------------------------------------------------------

    def _predict_last(self) -> None:
        folder = self._state.training.folder
        if folder is not None:
            self._predict(folder)

    def _predict(self, folder: Path) -> None:
        """Predict the open slide, with the Genes dock beside this one."""
        show_genes(self._viewer)
        self._controller.predict(folder / keys.RUN_MODEL)


def _hint(training: Training) -> str:
    """What stands in the place of curves."""
    if training.epochs:
        return ""
    if training.is_busy:
        return "The curves begin with the first epoch."
    if training.outcome == "finished":
        return "This model is solved in closed form: there are no epochs to draw."
    return "" if training.preflight is not None else "Nothing is being trained. Start shows here how it goes."
