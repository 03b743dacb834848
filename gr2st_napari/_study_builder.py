"""Puts a study together for one viewer: looks into what was dropped and reads its sections, one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gr2st import read_section, read_study, sample_study_path, write_study
from gr2st_napari import _study
from gr2st_napari._background import Background
from gr2st_napari._problems import problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from gr2st import SectionEntry
    from gr2st_napari._state import State
    from gr2st_napari._study import Draft, Facts


class StudyBuilder:
    """Changes `State.draft`; everything returns at once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._background = Background()

    def add(self, paths: Iterable[Path | str]) -> None:
        """Look into folders and files, and list and read the sections they hold."""
        self._set(_study.added(self._draft, map(Path, paths)))
        self._go_on()

    def add_sample(self) -> None:
        """Add the sample study."""
        self.add([sample_study_path()])

    def change(self, act: Callable[..., Draft], *arguments: Any) -> None:
        """Change the draft by one of the functions of `_study`, and read what is then not read."""
        self._set(act(self._draft, *arguments))
        self._go_on()

    def stop(self) -> None:
        """Leave out what is not read yet."""
        self._background.forget()
        self._set(_study.stopped(self._draft))

    def dismiss(self) -> None:
        """Put an error away."""
        self._set(replace(self._draft, problem=None))

    def save(self, path: Path | str, then: Callable[[Path], None]) -> None:
        """Write the draft as ``study.csv``; call `then` with its path once it was written and could be read."""
        draft, path = self._draft, Path(path)
        path = path if path.suffix else path.with_suffix(".csv")
        self._background.run(lambda: _written(draft, path), lambda future: self._on_saved(draft, path, future, then))

    def close(self) -> None:
        """Read nothing any more."""
        self._background.close()

    @property
    def _draft(self) -> Draft:
        return self._state.draft

    def _set(self, draft: Draft) -> None:
        self._state.draft = draft

    def _go_on(self) -> None:
        """Read the next thing, where nothing is being read."""
        if self._background.is_busy:
            return
        draft = self._draft
        if draft.waiting:
            path = draft.waiting[0]
            self._background.run(lambda: read_study(path), lambda future: self._on_listed(path, future))
        elif draft.unread is not None:
            row = draft.unread
            self._background.run(lambda: _looked_at(row.entry), lambda future: self._on_read(row, future))

    def _on_listed(self, path: Path, future: Future[Any]) -> None:
        error = future.exception()
        if path in self._draft.waiting:
            if error is None:
                self._set(_study.listed(self._draft, path, future.result()))
            else:
                self._set(_study.refused(self._draft, path, problem_of(error)))
        self._go_on()

    def _on_read(self, row: _study.Row, future: Future[Any]) -> None:
        error = future.exception()
        if any(known.key == row.key and known.entry.parts == row.entry.parts for known in self._draft.rows):
            if error is None:
                self._set(_study.read(self._draft, row.key, future.result()))
            else:
                self._set(_study.failed(self._draft, row.key, problem_of(error)))
        self._go_on()

    def _on_saved(self, draft: Draft, path: Path, future: Future[Any], then: Callable[[Path], None]) -> None:
        error = future.exception()
        if error is not None:
            self._set(replace(self._draft, problem=problem_of(error)))
        elif self._draft == draft:
            self._set(replace(draft, saved=path, home=path, problem=None))
            then(path)
        self._go_on()


def _looked_at(entry: SectionEntry) -> Facts:
    section = read_section(entry)
    facts = _study.facts_of(section)
    if section.slide is not None:
        section.slide.close()
    return facts


def _written(draft: Draft, path: Path) -> None:
    write_study(draft.study(path), path)
    read_study(path)
