"""Folds on a dask.distributed cluster of two real processes: same numbers, and a killed worker costs nothing."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gr2st
from gr2st.config import GeneChoice, TrainConfig
from gr2st.errors import DataError, WorkerLost
from gr2st.evaluation.crossval import Evaluation, evaluate
from gr2st.evaluation.executors import executor_of
from gr2st.evaluation.fold import FoldJob
from gr2st.evaluation.plan import Plan
from gr2st.evaluation.rows import rows_of
from gr2st.types import Fold, finish

dask = pytest.importorskip("dask")
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
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as made:
        yield made


@pytest.fixture
def with_gpu() -> Iterator[Any]:
    """One worker with three threads, said to have one GPU."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=3, processes=True, dashboard_address=":0", resources={"GPU": 1}
    ) as made:
        yield made


def jobs_on(device: str, out: Path) -> list[FoldJob]:
    study, fold = _study(), Fold("B", ("A1",), ("B1",))
    rows = rows_of(["ridge"], {}, {"ridge": TrainConfig(epochs=0, device=device)})
    names = [f"{device}{number}" for number in range(3)]
    return [FoldJob(fold, rows[0], study.entries, PLAN.genes, out / name) for name in names]


def span_of(job: FoldJob) -> tuple[float, float]:
    """When a fold that takes half a second began and ended."""
    started = time.monotonic()
    time.sleep(0.5)
    return started, time.monotonic()


def die(job: FoldJob) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def overlap(spans: list[tuple[float, float]]) -> bool:
    ordered = sorted(spans)
    return any(later[0] < earlier[1] for earlier, later in itertools.pairwise(ordered))


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


def test_folds_for_a_gpu_run_on_a_cluster_that_declares_none(cluster: Any, tmp_path: Path) -> None:
    with executor_of(1, cluster.scheduler_address) as executor:
        assert executor is not None
        spans = [executor.submit(span_of, job).result(timeout=60) for job in jobs_on("auto", tmp_path)]
    assert len(spans) == 3


def test_a_gpu_computes_one_fold_at_a_time_and_the_processor_as_many_as_it_has_threads(
    with_gpu: Any, tmp_path: Path
) -> None:
    with executor_of(1, with_gpu.scheduler_address) as executor:
        assert executor is not None
        spans = {
            device: [future.result(timeout=60) for future in [executor.submit(span_of, job) for job in jobs]]
            for device in ("auto", "cuda:0", "cpu")
            for jobs in [jobs_on(device, tmp_path)]
        }
    assert not overlap(spans["auto"])
    assert not overlap(spans["cuda:0"])
    assert overlap(spans["cpu"])


def test_a_fold_that_kills_every_worker_fails_with_a_sentence(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with executor_of(1, cluster.scheduler_address) as executor:
        assert executor is not None
        with pytest.raises(WorkerLost, match="every worker of the cluster that it was given to was killed"):
            executor.submit(die, jobs_on("cpu", tmp_path)[0]).result(timeout=120)


def test_a_silent_address_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from gr2st.evaluation import cluster

    monkeypatch.setattr(cluster, "ANSWERS_WITHIN", "1s")
    with (
        pytest.raises(DataError, match="No dask scheduler answers at tcp://127.0.0.1:9"),
        executor_of(1, "tcp://127.0.0.1:9"),
    ):
        pass


def _study() -> gr2st.Study:
    return gr2st.read_study(gr2st.sample_study_path())


def _scores(evaluation: Evaluation) -> dict[str, tuple[float, float]]:
    return {name: (row["pcc_spot"], row["pcc_gene"]) for name, row in evaluation.summary["models"].items()}
