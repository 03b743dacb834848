"""Saves what is on the screen as a session, and brings it back."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gr2st import atomic_path, cache_dir, geojson_of_regions, regions_of_geojson, save_prediction, write_json
from gr2st_napari._background import Background
from gr2st_napari._opening import SESSION
from gr2st_napari._pairing import is_drawn
from gr2st_napari._problems import problem_of
from gr2st_napari._session import Session, session_json
from gr2st_napari._state import Problem

if TYPE_CHECKING:
    from concurrent.futures import Future

    from gr2st import Prediction
    from gr2st_napari._canvas import Canvas
    from gr2st_napari._evaluator import Evaluator
    from gr2st_napari._opening import Opened, Restored
    from gr2st_napari._region_keeper import RegionKeeper
    from gr2st_napari._state import State


class SessionKeeper:
    """Reads the state into a file; a state that was opened from one is completed by it."""

    def __init__(self, state: State, canvas: Canvas, regions: RegionKeeper, evaluator: Evaluator) -> None:
        self._state, self._canvas, self._regions, self._evaluator = state, canvas, regions, evaluator
        self._background = Background()
        self._restored: Restored | None = None
        for news in (state.events.opened, state.events.expression):
            news.connect(self._on_opened)

    def save(self, path: Path | str) -> None:
        """Write a session beside the window; a prediction that lies nowhere else goes beside it."""
        opened, path = self._state.opened, _with_suffix(Path(path).absolute())
        if opened is None:
            return
        if opened.section is not None and opened.study is None:
            self._state.problem = Problem(
                f"{opened.name} was handed over without its folder: open it here to save a session of it."
            )
            return
        session = self._session(opened, path)
        self._state.problem = None
        self._background.run(lambda: _write(path, session, opened), self._on_saved)

    def close(self) -> None:
        """Bring nothing back any more."""
        for news in (self._state.events.opened, self._state.events.expression):
            news.disconnect(self._on_opened)
        self._background.close()

    def _session(self, opened: Opened, path: Path) -> Session:
        state, evaluation = self._state, self._state.desk.evaluation
        stored = opened.prediction_path
        if opened.prediction is not None and (stored is None or stored.is_relative_to(cache_dir("predictions"))):
            stored = path.with_name(f"{path.stem}.prediction.h5ad")
        return Session(
            study=None if opened.study is None else opened.study.path.absolute(),
            slide=None if opened.slide is None else opened.slide.path.absolute(),
            section=opened.name,
            prediction=stored,
            evaluation=None if evaluation is None else evaluation.folder.absolute(),
            model="" if state.ranking is None else state.ranking.label,
            view=state.wish,
            window=self._canvas.view.window,
            regions=geojson_of_regions(state.sheet.regions) if state.sheet.regions else None,
        )

    def _on_saved(self, future: Future[Path]) -> None:
        error = future.exception()
        if error is None:
            self._state.saved = future.result()
        else:
            self._state.problem = problem_of(error)

    def _on_opened(self, _news: object) -> None:
        """Once for each session, when its spots are drawn: what was opened from it may change later."""
        opened = self._state.opened
        restored = None if opened is None else opened.restores
        if restored is None or restored is self._restored:
            return
        if is_drawn(opened, self._state.expression):
            self._restored = restored
            self._show_view(restored.session)
            self._bring_back(restored)

    def _show_view(self, session: Session) -> None:
        if session.regions is not None:
            # Two maps side by side hide the user's layers: the regions must be there before.
            self._state.wish = replace(session.view, mode="measured")
            self._regions.put(regions_of_geojson(session.regions, "the session"))
        self._state.wish = session.view
        if session.window is not None:
            # Two maps come to stand side by side some turns later.
            self._canvas.turns.add(partial(self._canvas.view.look_at, session.window))

    def _bring_back(self, restored: Restored) -> None:
        """What is beside the view."""
        session = restored.session
        if session.evaluation is not None and session.evaluation.exists():
            self._evaluator.open(session.evaluation, session.model)
        if restored.missing:
            self._state.problem = Problem(restored.missing[0], "\n\n".join(restored.missing))


def _write(path: Path, session: Session, opened: Opened) -> Path:
    own = path.with_name(f"{path.stem}.prediction.h5ad")
    if opened.prediction is not None and session.prediction == own != opened.prediction_path:
        _keep(opened.prediction, opened.prediction_path, own)
    write_json(path, session_json(session, path.parent))
    return path


def _keep(prediction: Prediction, stored: Path | None, own: Path) -> None:
    """The prediction beside its session; that of a slide may be larger than memory and is copied as a file."""
    if stored is None:
        save_prediction(prediction, own)
        return
    with atomic_path(own) as part:
        shutil.copyfile(stored, part)


def _with_suffix(path: Path) -> Path:
    return path if path.suffix == SESSION else path.with_name(f"{path.name}{SESSION}")
