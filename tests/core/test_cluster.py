"""Folds on a dask.distributed cluster of two real processes: same numbers, and a killed worker costs nothing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gr2st
from gr2st.config import TrainConfig
from gr2st.errors import DataError
from gr2st.evaluation.crossval import Evaluation, Plan, evaluate
from gr2st.evaluation.executors import executor_of
from gr2st.evaluation.fold import GeneChoice
from gr2st.types import finish

distributed = pytest.importorskip("distributed")

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="a worker cannot be killed by a signal there"),
    # Processes that end leave sockets and loops for the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed.*"),
]

PLAN = Plan(
    models=("gr2st-v2", "ridge"),
    genes=GeneChoice(listed=("ERBB2", "KRT19", "COL1A1")),
    sections=("A1", "B1"),
    training={"gr2st-v2": TrainConfig(epochs=3, device="cpu", threads=1)},
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as made:
        yield made


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return finish(evaluate(_study(), PLAN, tmp_path_factory.mktemp("serial")))


def test_a_cluster_gives_the_same_numbers_to_the_bit(cluster: Any, serial: Evaluation, tmp_path: Path) -> None:
    with executor_of(1, cluster.scheduler_address) as executor:
        found = finish(evaluate(_study(), PLAN, tmp_path, executor=executor))
    assert _scores(found) == _scores(serial)


def test_a_worker_killed_in_the_middle_costs_nothing_but_time(cluster: Any, serial: Evaluation, tmp_path: Path) -> None:
    with executor_of(1, cluster.scheduler_address) as executor:
        steps = evaluate(_study(), PLAN, tmp_path, executor=executor)
        while next(steps).stage != "Evaluating":
            pass
        victim = next(iter(cluster.workers.values())).process.pid
        os.kill(victim, signal.SIGKILL)
        found = finish(steps)
    assert found.failures == ()
    assert _scores(found) == _scores(serial)


def test_a_silent_address_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from gr2st.evaluation import executors

    monkeypatch.setattr(executors, "ANSWERS_WITHIN", "1s")
    with (
        pytest.raises(DataError, match="No dask scheduler answers at tcp://127.0.0.1:9"),
        executor_of(1, "tcp://127.0.0.1:9"),
    ):
        pass


def _study() -> gr2st.Study:
    return gr2st.read_study(gr2st.sample_study_path())


def _scores(evaluation: Evaluation) -> dict[str, tuple[float, float]]:
    return {name: (row["pcc_spot"], row["pcc_gene"]) for name, row in evaluation.summary["models"].items()}
