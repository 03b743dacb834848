"""An evaluation as a folder, told while it goes on; read without torch, while another process writes.

::

    evaluation.json  what was asked: study, plan, every planned fold, versions, when it was begun
    state.json       running, finished, failed or stopped; how far; whose process, and when it last said a word
    folds/           a folder per row and fold: result.json when it is done, failed.json where it failed
    summary.json     what the folds done so far amount to, with sections.csv, genes.csv and calibration.csv
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from gr2st import keys
from gr2st.config import Settings
from gr2st.errors import DataError, Gr2stError
from gr2st.io.runs import AT_WORK, State, StateCard, read_card, state_of
from gr2st.io.store import cause_of
from gr2st.types import Progress

CALIBRATION_COLUMNS = (
    "model",
    "section",
    "measure",
    "bin",
    "n",
    "mean_measure",
    "mae",
    "rmse",
    "rank",
    "rank_within_genes",
)
"""Columns of calibration.csv; see docs/evaluation.md."""

FoldState = Literal["waiting", "done", "failed"]


class PlannedFold(Settings):
    """One model with one seed on one split; ``folder`` is relative to the evaluation.

    A result with a digest other than ``result_digest`` is of other files, settings or versions: the fold is to be done.
    """

    label: str
    seed: int
    fold: str
    test: tuple[str, ...]
    train: tuple[str, ...]
    folder: Path
    result_digest: str


class EvaluationCard(Settings):
    """What evaluation.json holds. ``began`` is a time of UTC in ISO form; ``patients`` are those of the sections."""

    format: int
    study: Path
    plan: dict[str, Any]
    versions: dict[str, str]
    began: str
    folds: tuple[PlannedFold, ...]
    patients: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class FoldRow:
    """One planned fold: where it stands, and its scores, means over its test sections.

    ``seconds`` is the time of training and predicting; ``predictions`` are files, by section; ``message`` and
    ``details`` say why it failed.
    """

    label: str
    seed: int
    fold: str
    test: tuple[str, ...]
    state: FoldState
    pcc_spot: float | None = None
    pcc_gene: float | None = None
    seconds: float | None = None
    message: str = ""
    details: str = ""
    predictions: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvaluationFolder:
    """An evaluation as its folder tells it.

    Attributes
    ----------
    folder : Path
    study : Path or None
        Absolute; None where an earlier version, which kept no card, wrote the folder.
    plan : mapping
        As `gr2st.evaluation.plan.plan_of_json` takes it; empty where there is no card.
    state : str
        "running", "paused", "finished", "failed", "stopped", or "interrupted": its process is gone without a last word.
    message, details : str
        Why the evaluation as a whole failed, in a sentence and in full; "" otherwise.
    progress : Progress
        The last that was told: what was being done, and how many of the planned folds had ended.
    at : float
        When that was, in seconds since 1970; 0 where nothing was told.
    pid : int
        Of the process that told it; 0 where nothing was told.
    rows : tuple of FoldRow
        Every planned fold, in the order of the plan.
    summary : mapping or None
        What summary.json holds; None where it is not there yet.
    card : EvaluationCard or None
        All that was asked.
    """

    folder: Path
    study: Path | None
    plan: Mapping[str, Any]
    state: State
    message: str = ""
    details: str = ""
    progress: Progress = field(default_factory=lambda: Progress(""))
    at: float = 0.0
    pid: int = 0
    rows: tuple[FoldRow, ...] = ()
    summary: Mapping[str, Any] | None = None
    card: EvaluationCard | None = None

    @property
    def began(self) -> str:
        """When it was begun, a time of UTC in ISO form; without a card, when it was last written."""
        return self.card.began if self.card else datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")

    @property
    def can_go_on(self) -> bool:
        """Whether asking for it again would do folds that are missing."""
        if self.card is None or self.state in AT_WORK:
            return False
        return self.state != "finished" or any(row.state != "done" for row in self.rows)


@dataclass(frozen=True, slots=True)
class EvaluationFolders:
    """Evaluations that lie in one folder, the latest first, and a sentence for each that cannot be read."""

    found: tuple[EvaluationFolder, ...]
    faults: tuple[str, ...]


def read_evaluation(folder: Path | str) -> EvaluationFolder:
    """Read where an evaluation stands. A folder of an earlier version is told by its tables alone.

    Raises
    ------
    DataError
        No evaluation, or a file of it is damaged.
    RecipeMismatch
        A later version wrote it.
    """
    folder = Path(folder)
    if not (folder / keys.EVALUATION_CARD).is_file():
        return _without_card(folder)
    card, told = asked_in(folder), told_in(folder)
    rows = tuple(_row(folder, planned) for planned in card.folds)
    found = EvaluationFolder(
        folder, card.study, card.plan, "interrupted", rows=rows, summary=_summary(folder), card=card
    )
    if told is None:
        return found
    return replace(
        found,
        state=state_of(told),
        message=told.message,
        details=told.details,
        progress=Progress(told.stage, told.done, told.total, told.note),
        at=told.at,
        pid=told.pid,
    )


def read_evaluation_card(folder: Path | str) -> tuple[Path, dict[str, Any]]:
    """Path of the study and plan of an evaluation: all that is needed to ask for it again.

    Raises
    ------
    DataError
        The folder tells neither, or the file is damaged.
    RecipeMismatch
        A later version wrote it.
    """
    card = asked_in(Path(folder))
    return card.study, card.plan


def list_evaluations(root: Path | str) -> EvaluationFolders:
    """All evaluations that lie in a folder; none where there is no such folder."""
    names = (keys.EVALUATION_CARD, keys.SUMMARY)
    found, faults = [], []
    for folder in sorted({path.parent for name in names for path in Path(root).glob(f"*/{name}")}):
        if folder.name.startswith("."):
            continue
        try:
            found.append(read_evaluation(folder))
        except Gr2stError as error:
            faults.append(str(error))
    return EvaluationFolders(tuple(sorted(found, key=lambda one: one.began, reverse=True)), tuple(faults))


def read_section_scores(folder: Path | str) -> pd.DataFrame:
    """The scores of an evaluation, a line per model, seed and section; NaN where undefined.

    Raises
    ------
    DataError
        No fold is done yet, or the file is damaged.
    """
    return _table(Path(folder) / keys.SECTION_SCORES, ("model", "fold", "section"))


def read_gene_scores(folder: Path | str) -> pd.DataFrame:
    """The scores of an evaluation, a line per model, seed, section and gene; NaN where undefined.

    Raises
    ------
    DataError
        No fold is done yet, or the file is damaged.
    """
    return _table(Path(folder) / keys.GENE_SCORES, ("model", "section", "gene"))


def read_calibration(folder: Path | str) -> pd.DataFrame:
    """How error grows with each measure of doubt: a line per model, measure, and bin or held-out section.

    Empty where an earlier version wrote the folder.

    Raises
    ------
    DataError
        The file is damaged.
    """
    path = Path(folder) / keys.CALIBRATION
    if not path.is_file():
        return pd.DataFrame(columns=list(CALIBRATION_COLUMNS))
    return _read_table(path, ("model", "section", "measure"), CALIBRATION_COLUMNS)


def asked_in(folder: Path) -> EvaluationCard:
    """What was asked, whole; DataError where the folder does not tell, or its card is damaged."""
    path = folder / keys.EVALUATION_CARD
    if not path.is_file():
        raise DataError(f"{folder} does not tell what was asked: {keys.EVALUATION_CARD} is not there. Evaluate anew.")
    return read_card(path, EvaluationCard, "delete this file, and evaluate anew; finished folds are kept")


def told_in(folder: Path) -> StateCard | None:
    """The last word about the work in an evaluation, None where there is none."""
    path = folder / keys.RUN_STATE
    if not path.is_file():
        return None
    return read_card(path, StateCard, "delete this file; the evaluation then counts as interrupted")


def _row(folder: Path, planned: PlannedFold) -> FoldRow:
    """Where a fold stands; results of other files or settings do not count."""
    at = folder / planned.folder
    row = FoldRow(planned.label, planned.seed, planned.fold, planned.test, "waiting")
    result = _of_this_fold(at / keys.FOLD_RESULT, planned)
    if result is not None:
        return _scored(replace(row, predictions=_predictions(at, planned.test)), pd.DataFrame(result["scores"]))
    failure = _of_this_fold(at / keys.FOLD_FAILURE, planned)
    if failure is not None:
        return replace(row, state="failed", message=str(failure["message"]), details=str(failure["details"]))
    return row


def _of_this_fold(path: Path, planned: PlannedFold) -> dict[str, Any] | None:
    """What a file of a fold holds; None where it is of another plan or damaged: the fold is then done again."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("digest") == planned.result_digest else None


def _scored(row: FoldRow, scores: pd.DataFrame) -> FoldRow:
    """The row as done, with the means over its sections, a line each."""
    spot, gene = (pd.to_numeric(scores[name]).mean() for name in ("pcc_spot", "pcc_gene"))
    return replace(
        row,
        state="done",
        pcc_spot=None if pd.isna(spot) else float(spot),
        pcc_gene=None if pd.isna(gene) else float(gene),
        seconds=float(scores["seconds"].sum()),
    )


def _predictions(folder: Path, sections: tuple[str, ...]) -> dict[str, Path]:
    return {name: path for name in sections for path in [folder / f"{name}.h5ad"] if path.is_file()}


def _summary(folder: Path) -> dict[str, Any] | None:
    path = folder / keys.SUMMARY
    if not path.is_file():
        return None
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {cause_of(error)}.") from error
    except ValueError as error:
        raise DataError(f"{path} is not readable as JSON ({error}): delete it, and evaluate again.") from error
    if not isinstance(content, dict) or "models" not in content:
        raise DataError(f"{path} is no summary of an evaluation: it names no models.")
    return content


def _table(path: Path, names: tuple[str, ...]) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path} is not there: no fold of this evaluation is done yet.")
    return _read_table(path, names, ("model", "seed", "section", "pcc_spot", "pcc_gene"))


def _read_table(path: Path, names: tuple[str, ...], wanted: tuple[str, ...]) -> pd.DataFrame:
    try:
        # "NA" may be the name of a gene or of a section.
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(names, str))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {cause_of(error)}.") from error
    except ValueError as error:
        raise DataError(f"{path} is no table ({error}): delete it, and evaluate again; finished folds stay.") from error
    missing = [name for name in wanted if name not in table]
    if missing:
        raise DataError(f"{path} is no table of scores: it has no column {', '.join(missing)}.")
    return table


def _without_card(folder: Path) -> EvaluationFolder:
    """A folder of a version that kept no card: what its tables tell."""
    summary = _summary(folder)
    if summary is None:
        raise DataError(f"{folder} is no evaluation: {keys.EVALUATION_CARD} and {keys.SUMMARY} are not there.")
    table = read_section_scores(folder)
    folds = table.groupby(["model", "seed", "fold"], sort=False)
    rows = tuple(_row_of_table(folder, scores) for _, scores in folds)
    at = (folder / keys.SUMMARY).stat().st_mtime
    return EvaluationFolder(folder, None, {}, "finished", rows=rows, at=at, summary=summary)


def _row_of_table(folder: Path, scores: pd.DataFrame) -> FoldRow:
    first, test = scores.iloc[0], tuple(map(str, scores["section"]))
    label, seed, fold = str(first["model"]), int(first["seed"]), str(first["fold"])
    # Folders of the first seed are named after the model alone.
    folders = [folder / "folds" / name / fold for name in (f"{label}.seed{seed}", label)]
    at = next((path for path in folders if path.is_dir()), folder)
    return _scored(FoldRow(label, seed, fold, test, "done", predictions=_predictions(at, test)), scores)
