"""The folder of an evaluation while it goes on: what was asked, how far it is, and why a fold failed."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gr2st import keys
from gr2st.errors import DataError, StorageError
from gr2st.evaluation.plan import json_of_plan, plan_of_json
from gr2st.evaluation.results import FoldFailure, FoldResult, read_result
from gr2st.io.evaluations import EvaluationCard, PlannedFold, asked_in, told_in
from gr2st.io.run_writer import EVERY_S, last_word, now, write_state
from gr2st.io.runs import AT_WORK, state_of
from gr2st.io.store import write_json
from gr2st.training.checkpoint import versions
from gr2st.types import Progress

if TYPE_CHECKING:
    from gr2st.evaluation.fold import FoldJob
    from gr2st.evaluation.plan import Plan
    from gr2st.io.runs import Told
    from gr2st.types import Study

Outcome = FoldResult | FoldFailure

FIXED = ("genes", "protocol", "sections", "folds", "recipe")
"""Fields of a plan that are the same in all that is done in one folder."""


class Ledger:
    """Tells in the folder of an evaluation how it goes, fold by fold. A full disk silences it and ends nothing.

    Parameters
    ----------
    out : Path
        Of an evaluation that `begin_evaluation` has begun.
    digests : mapping
        Folder of a fold -> what it was planned as.
    """

    def __init__(self, out: Path, jobs: Sequence[FoldJob], digests: Mapping[Path, str]) -> None:
        self._out, self._jobs, self._digests = out, jobs, digests
        self._ended: dict[Path, Outcome] = {}
        self._now = Progress("Beginning", 0, len(jobs))
        self._written = 0.0

    @property
    def planned(self) -> int:
        """How many folds are to be done in all."""
        return len(self._jobs)

    @property
    def ended(self) -> int:
        """How many of them are done or have failed, now or before."""
        return len(self._ended)

    def hear(self, progress: Progress) -> None:
        """Tell what is being done; the count is that of the folds."""
        is_new = progress.stage != self._now.stage
        self._now = Progress(progress.stage, self.ended, self.planned, progress.note)
        if is_new or time.monotonic() - self._written >= EVERY_S:
            with suppress(StorageError):
                self.tell("running")

    def tell(self, state: Told, message: str = "", details: str = "") -> None:
        """Write the state, with the last that was heard; StorageError where the disk does not take it."""
        write_state(self._out, state, self._now, message, details)
        self._written = time.monotonic()

    def tell_end(self, state: Told, message: str = "", details: str = "") -> None:
        """Say the last word of an evaluation that did not come to its end, as far as the disk lets it."""
        with last_word(self._out):
            self.tell(state, message, details)

    def note(self, job: FoldJob, outcome: Outcome) -> None:
        """Keep how a fold ended, and why where it failed, in its folder."""
        outcome = self._as_planned(job, outcome)
        self._ended[job.folder] = outcome
        path = job.folder / keys.FOLD_FAILURE
        with suppress(StorageError):
            if isinstance(outcome, FoldResult):
                path.unlink(missing_ok=True)
            else:
                told = {"message": outcome.message, "details": outcome.details}
                write_json(path, {"digest": self._digests[job.folder], **told})

    def outcomes(self) -> list[tuple[FoldJob, Outcome]]:
        """Every fold that has ended, now or in an earlier session, in the order of the plan."""
        found = [(job, self._ended.get(job.folder) or read_result(job)) for job in self._jobs]
        return [(job, outcome) for job, outcome in found if outcome is not None]

    def _as_planned(self, job: FoldJob, outcome: Outcome) -> Outcome:
        if isinstance(outcome, FoldFailure) or outcome.digest == self._digests[job.folder]:
            return outcome
        return FoldFailure(
            job.row.folder,
            job.fold.name,
            "DataError: a file of its sections was changed while the evaluation ran, so its scores do not "
            "belong to the others. Evaluate again.",
            "",
        )


def begin_evaluation(out: Path, study: Study, plan: Plan, jobs: Sequence[FoldJob]) -> Ledger:
    """Write what is asked: from here on the folder is an evaluation.

    An evaluation that lies there is gone on with: more models, ablations and seeds, another list of genes to score, and
    files of the study that were changed are taken; the folds decide by their digests what is to be done.

    Raises
    ------
    DataError
        Another evaluation lies there, or another process is at work on it.
    """
    digests = {job.folder: job.digest() for job in jobs}
    path = study.path.absolute()
    folds = tuple(_planned(out, job, digests[job.folder]) for job in jobs)
    card = EvaluationCard(
        format=keys.FORMAT,
        study=path,
        plan=json_of_plan(plan),
        versions=versions(),
        began=_begun_before(out, path, plan, folds) or now(),
        folds=folds,
        patients={entry.name: entry.patient for entry in study.entries},
    )
    write_json(out / keys.EVALUATION_CARD, card.model_dump(mode="json"))
    return Ledger(out, jobs, digests)


def _planned(out: Path, job: FoldJob, digest: str) -> PlannedFold:
    return PlannedFold(
        label=job.row.label,
        seed=job.row.training.seed,
        fold=job.fold.name,
        test=job.fold.test,
        train=job.fold.train,
        folder=job.folder.relative_to(out),
        result_digest=digest,
    )


def _begun_before(out: Path, study: Path, plan: Plan, folds: Sequence[PlannedFold]) -> str:
    """When the evaluation that lies there was begun, "" where none does; one that is not the same is refused."""
    if not (out / keys.EVALUATION_CARD).is_file():
        return ""
    card, told = asked_in(out), told_in(out)
    if told is not None and state_of(told) in AT_WORK and told.pid != os.getpid():
        raise DataError(f"{out} is being evaluated by process {told.pid}. Wait for it, or stop it there first.")
    _refuse_another(out, plan_of_json(card.plan), plan)
    if card.study != study and _splits(card.folds) != _splits(folds):
        raise DataError(f"{out} holds an evaluation of another study, {card.study}. Choose another folder.")
    return card.began


def _splits(folds: Sequence[PlannedFold]) -> set[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return {(one.fold, one.train, one.test) for one in folds}


def _refuse_another(out: Path, before: Plan, plan: Plan) -> None:
    """Refuse a plan that is not the one before with something added."""
    asked = {row.folder: row for row in plan.rows()}
    rows = before.rows()
    other = [name for name in FIXED if getattr(before, name) != getattr(plan, name)]
    other += [f"settings of {row.folder}" for row in rows if asked.get(row.folder, row) != row]
    if other:
        raise DataError(f"{out} holds an evaluation with other {', '.join(other)}. Choose another folder.")
    left_out = [row.folder for row in rows if row.folder not in asked]
    if left_out:
        raise DataError(
            f"{out} holds an evaluation that has {', '.join(left_out)} as well. Ask for {_them(left_out)} too, or "
            "choose another folder."
        )


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
