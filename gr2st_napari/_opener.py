"""Opens slides, studies and predictions beside the window, and lays together what belongs together."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gr2st import sample_study_path
from gr2st_napari._background import Background
from gr2st_napari._opening import grid_of, open_held_out, open_path, open_prediction, open_section
from gr2st_napari._pairing import belong_together, is_of_another_section, joined, strangers
from gr2st_napari._state import Job, Problem
from gr2st_napari._telling import hand_on, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from gr2st import Prediction
    from gr2st_napari._opening import Opened
    from gr2st_napari._state import State


class Opener:
    """Changes `State.opened`; everything returns at once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._background = Background()
        self._stored: tuple[Path, Prediction] | None = None
        self._then: Callable[[], None] | None = None
        self._waiting: deque[tuple[Path | str, Callable[[str], None]]] = deque()

    def open(self, path: Path | str) -> None:
        """Open a section, a study or a prediction."""
        self.read(f"Opening {Path(path).name}", lambda: open_path(path), self.take)

    def open_too(self, path: Path | str, failed: Callable[[str], None]) -> None:
        """Open a path when those before it are read: a slide and its prediction may be dropped together.

        `failed` hears why it cannot be read: what comes next takes the place of that in the dock.
        """
        self._waiting.append((path, failed))
        if not self._background.is_busy:
            self._go_on()

    def open_sample(self) -> None:
        """Open the sample study."""
        self.read("Opening the sample", lambda: open_path(sample_study_path()), self.take)

    def choose_section(self, name: str, then: Callable[[], None] | None = None) -> None:
        """Show another section of the open study; `then` is called when it is drawn."""
        opened = self._state.opened
        study = None if opened is None else opened.study
        if opened is not None and study is not None and name != opened.name:
            self.read(
                f"Opening {name}", lambda: open_section(study, study.entry(name)), lambda found: self.take(found, then)
            )
        elif then is not None:
            then()

    def open_prediction(self, path: Path) -> None:
        """Open what was predicted just now."""
        self.read("Reading the prediction", lambda: open_prediction(path), self.take)

    def open_held_out(
        self, study: Path | None, predictions: Mapping[str, Path], gene: str, then: Callable[[], None]
    ) -> None:
        """Open the first held-out slide whose stored prediction has a gene; `then` is called when it is drawn."""
        opened = self._state.opened
        if self._is_in_view(next(iter(predictions.values())), gene):
            then()
            return

        def take(answer: tuple[Opened, Path]) -> None:
            found, path = answer
            self._stored = None if found.prediction is None else (path, found.prediction)
            self.take(found, then)

        self.read(f"Opening {gene}", lambda: open_held_out(opened, study, predictions, gene), take)

    def take(self, opened: Opened, then: Callable[[], None] | None = None) -> None:
        """Show what was read: a section, a prediction or both, beside what is open where they belong together.

        `then` is called when it is drawn, unless something else has been opened meanwhile.
        """
        self._state.problem, self._then = None, then
        # A session says all that is to be seen: nothing that is open already is added.
        present = None if opened.restores is not None else self._state.opened
        if opened.is_slide_alone or grid_of(opened.prediction) is not None:
            self._state.opened = opened
            return
        if present is not None and (present.slide is not None or grid_of(present.prediction) is not None):
            present = None
        if opened.section is None and present is not None and present.section is not None:
            opened = joined(present, opened)
        elif opened.prediction is None and present is not None and present.section is None:
            opened = joined(opened, present)
        if belong_together(opened):
            self._state.opened = opened
        elif is_of_another_section(opened):
            self._open_predicted(opened)
        else:
            self._state.problem = Problem(strangers(opened))

    def arrive(self) -> None:
        """What was opened is drawn."""
        then, self._then = self._then, None
        if then is not None:
            then()

    def read(
        self,
        label: str,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        """Read something beside the window and hand it to `then`; what goes wrong is told."""
        self._state.problem = None
        tell(self._state, label)
        self._background.run(work, lambda future: self._on_read(future, then, failed))

    def _on_read(self, future: Future[Any], then: Callable[[Any], None], failed: Callable[[str], None]) -> None:
        hand_on(self._state, future, then)
        if self._state.problem is not None:
            failed(self._state.problem.sentence)
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting:
            path, failed = self._waiting.popleft()
            self.read(f"Opening {Path(path).name}", lambda: open_path(path), self.take, failed)

    def stop(self) -> None:
        """Let go of what is being read."""
        self._waiting.clear()
        self._background.forget()
        self._state.job = Job()

    def close(self) -> None:
        """Read nothing any more."""
        self._background.close()

    def _is_in_view(self, prediction: Path, gene: str) -> bool:
        """Whether a stored prediction is what is shown beside its slide, and has the gene."""
        opened = self._state.opened
        if self._stored is None or opened is None or opened.prediction is None:
            return False
        path, shown = self._stored
        return path == prediction and shown is opened.prediction and gene in shown.genes

    def _open_predicted(self, opened: Opened) -> None:
        """Go to the section of the study that a prediction was made for."""
        study, prediction = opened.study, opened.prediction
        assert study is not None
        assert prediction is not None
        entry = study.entry(prediction.section)
        self.read(f"Opening {entry.name}", lambda: joined(open_section(study, entry), opened), self.take)
