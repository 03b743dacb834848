"""The command that goes on with what was begun, by whomever: a training or an evaluation in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gr2st import keys
from gr2st.cli.common import show_progress
from gr2st.errors import DataError

WorkersOption = Annotated[
    int, typer.Option(min=1, help="Of an evaluation: folds computed at once, each in a process of its own.")
]
SchedulerOption = Annotated[
    str, typer.Option(help="Of an evaluation: address of a dask.distributed cluster that computes the folds.")
]


def resume_command(
    folder: Annotated[Path, typer.Argument(help="Folder of a training or of an evaluation.")],
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = "",
) -> None:
    """Go on with a training or an evaluation where it was, also one that was begun in the window.

    Example: gr2st resume ~/.local/share/gr2st/runs/first
    """
    if (folder / keys.RUN_CARD).is_file():
        _resume_training(folder)
    elif (folder / keys.EVALUATION_CARD).is_file():
        _resume_evaluation(folder, workers, scheduler)
    else:
        raise DataError(
            f"{folder} holds neither a training ({keys.RUN_CARD}) nor an evaluation ({keys.EVALUATION_CARD})."
        )


def _resume_training(folder: Path) -> None:
    from gr2st.io.runs import read_run
    from gr2st.runs.training import run_training

    model = show_progress(run_training(read_run(folder).plan, folder))
    typer.echo(f"Model: {model}")


def _resume_evaluation(folder: Path, workers: int, scheduler: str) -> None:
    from gr2st.cli.evaluate import print_summary
    from gr2st.evaluation.crossval import evaluate
    from gr2st.evaluation.executors import executor_of
    from gr2st.evaluation.plan import plan_of_json
    from gr2st.io.evaluations import read_evaluation_card
    from gr2st.io.study import read_study

    study, plan = read_evaluation_card(folder)
    with executor_of(workers, scheduler) as executor:
        evaluation = show_progress(evaluate(read_study(study), plan_of_json(plan), folder, executor=executor))
    print_summary(evaluation.summary)
    typer.echo(f"Written: {folder}/{keys.SUMMARY}, {keys.SECTION_SCORES}, {keys.GENE_SCORES}")
