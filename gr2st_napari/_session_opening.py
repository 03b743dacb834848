"""Session file -> what it shows; what is missing of it is told one by one. Reads files, touches no viewer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from gr2st import Gr2stError, SectionInvalid, read_prediction, read_study
from gr2st_napari._opening import Opened, Restored, open_section
from gr2st_napari._session import Session, read_session

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st import Prediction


def open_session(path: Path) -> Opened:
    """Open what a session names. Without its prediction or its evaluation the rest is opened.

    Raises
    ------
    SectionInvalid
        Its study or section is not there; all that is missing is listed.
    Gr2stError
        No session, a later version wrote it, or a file of it cannot be read.
    """
    session = read_session(path)
    gone = [*_gone(session)]
    if any(is_needed for _, is_needed in gone):
        raise SectionInvalid.of(path.name, [finding for finding, _ in gone])
    missing = [finding for finding, _ in gone]
    prediction = _prediction(session, missing)
    opened = _section(session)
    return replace(
        opened,
        prediction=prediction,
        prediction_path=None if prediction is None else session.prediction,
        restores=Restored(session, tuple(missing)),
    )


def _gone(session: Session) -> Iterator[tuple[str, bool]]:
    """What is not there, with what to do, and whether nothing can be shown without it."""
    if session.study is not None and not session.study.exists():
        yield (
            f"The study {session.study} is not there. Bring it back to that place, or open it where it is now and save "
            "the session again.",
            True,
        )
    if session.prediction is not None and not session.prediction.exists():
        yield (
            f"The prediction {session.prediction} is not there. Bring it back, or predict {session.section} again.",
            session.study is None,
        )
    if session.evaluation is not None and not session.evaluation.exists():
        yield f"The evaluation {session.evaluation} is not there: genes are ranked without it.", False


def _prediction(session: Session, missing: list[str]) -> Prediction | None:
    if session.prediction is None or not session.prediction.exists():
        return None
    try:
        return read_prediction(session.prediction)
    except Gr2stError as error:
        if session.study is None:
            raise
        missing.append(str(error))
        return None


def _section(session: Session) -> Opened:
    if session.study is None:
        return Opened()
    study = read_study(session.study)
    return open_section(study, study.entry(session.section))
