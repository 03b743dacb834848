"""Session file -> what it shows; what is missing of it is told one by one. Reads files, touches no viewer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from gr2st import DataError, Gr2stError, SectionInvalid, read_study
from gr2st_napari._opening import Opened, Restored, open_prediction, open_section, open_slide_alone
from gr2st_napari._pairing import joined
from gr2st_napari._session import Session, read_session

if TYPE_CHECKING:
    from pathlib import Path


def open_session(path: Path) -> Opened:
    """Open what a session names. Without its prediction or its evaluation the rest is opened.

    Raises
    ------
    SectionInvalid
        Its study, or all that it shows, is not there; all that is missing is listed.
    Gr2stError
        No session, a later version wrote it, or a file of it cannot be read.
    """
    session = read_session(path)
    if session.study is None and session.slide is None and session.prediction is None:
        raise DataError(f"{path.name} names no study, slide or prediction, so there is nothing to show.")
    gone = [*_gone(session)]
    if any(is_needed for _, is_needed in gone):
        raise SectionInvalid.of(path.name, [finding for finding, _ in gone])
    missing = [finding for finding, _ in gone]
    return replace(_shown(session, missing), restores=Restored(session, tuple(missing)))


def _gone(session: Session) -> Iterator[tuple[str, bool]]:
    """What is not there, with what to do, and whether nothing can be shown without it."""
    if session.study is not None and not session.study.exists():
        yield (
            f"The study {session.study} is not there. Bring it back to that place, or open it where it is now and save "
            "the session again.",
            True,
        )
    if session.slide is not None and not session.slide.exists():
        has_map = session.prediction is not None and session.prediction.exists()
        without = ": the map is shown without it" if has_map else ""
        yield f"The slide {session.slide} is not there{without}. Bring it back to that place.", not has_map
    if session.prediction is not None and not session.prediction.exists():
        yield (
            f"The prediction {session.prediction} is not there. Bring it back, or predict {session.section} again.",
            session.study is None and session.slide is None,
        )
    if session.evaluation is not None and not session.evaluation.exists():
        yield f"The evaluation {session.evaluation} is not there: genes are ranked without it.", False


def _shown(session: Session, missing: list[str]) -> Opened:
    """What the session names, without what is missing."""
    predicted = _prediction(session, missing)
    if session.study is not None:
        study = read_study(session.study)
        return joined(open_section(study, study.entry(session.section)), predicted)
    if predicted.prediction is None and session.slide is not None:
        return open_slide_alone(session.slide)
    return predicted


def _prediction(session: Session, missing: list[str]) -> Opened:
    """The prediction, with its slide where that has no spots of its own; nothing where it is not there."""
    if session.prediction is None or not session.prediction.exists():
        return Opened()
    try:
        return open_prediction(session.prediction, session.slide)
    except Gr2stError as error:
        if session.study is None and session.slide is None:
            raise
        missing.append(str(error))
        return Opened()
