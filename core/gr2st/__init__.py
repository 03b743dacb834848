"""GR2ST: gene expression predicted from histology, without a window. Public names are imported on first use."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "ABLATIONS": "gr2st.evaluation.rows",
    "CELL_CLASSES": "gr2st.types",
    "Cancelled": "gr2st.errors",
    "DataError": "gr2st.errors",
    "ENCODERS": "gr2st.registry",
    "Epoch": "gr2st.io.runs",
    "Evaluation": "gr2st.evaluation.crossval",
    "EvaluationFolder": "gr2st.io.evaluations",
    "EvaluationFolders": "gr2st.io.evaluations",
    "Finding": "gr2st.io.preflight",
    "Fold": "gr2st.types",
    "FoldRow": "gr2st.io.evaluations",
    "GeneChoice": "gr2st.config",
    "Gr2stError": "gr2st.errors",
    "MODELS": "gr2st.registry",
    "ModelRank": "gr2st.evaluation.ranking",
    "PatchConfig": "gr2st.config",
    "Plan": "gr2st.evaluation.plan",
    "Prediction": "gr2st.types",
    "Preflight": "gr2st.io.preflight",
    "Prepared": "gr2st.types",
    "Progress": "gr2st.types",
    "Recipe": "gr2st.config",
    "RecipeMismatch": "gr2st.errors",
    "Run": "gr2st.io.runs",
    "Region": "gr2st.regions",
    "SPACE_NAMES": "gr2st.io.prediction",
    "Section": "gr2st.types",
    "SectionEntry": "gr2st.types",
    "SectionInvalid": "gr2st.errors",
    "Settings": "gr2st.config",
    "Slide": "gr2st.types",
    "SpotCells": "gr2st.types",
    "StorageError": "gr2st.errors",
    "Study": "gr2st.types",
    "TrainConfig": "gr2st.config",
    "TrainPlan": "gr2st.plans",
    "TrainedModel": "gr2st.training.checkpoint",
    "TrainingFailed": "gr2st.errors",
    "UnknownName": "gr2st.errors",
    "WeightsMissing": "gr2st.errors",
    "WorkerLost": "gr2st.errors",
    "ask_to_stop": "gr2st.io.stop",
    "atomic_path": "gr2st.io.store",
    "benjamini_hochberg": "gr2st.regions",
    "box_plot": "gr2st.evaluation.figures",
    "build_pyramid": "gr2st.io.pyramid",
    "cache_dir": "gr2st.io.store",
    "compare_regions": "gr2st.regions",
    "data_dir": "gr2st.io.store",
    "detected_shares": "gr2st.evaluation.gene_facts",
    "display_pyramid": "gr2st.io.pyramid",
    "evaluate": "gr2st.evaluation.crossval",
    "finish": "gr2st.types",
    "first_fault": "gr2st.config",
    "gene_normalise": "gr2st.preprocess.normalise",
    "gene_ranking": "gr2st.evaluation.ranking",
    "import_checkpoint": "gr2st.training.published",
    "is_prediction_of": "gr2st.io.prediction",
    "json_of_plan": "gr2st.evaluation.plan",
    "list_evaluations": "gr2st.io.evaluations",
    "list_runs": "gr2st.io.runs",
    "load_model": "gr2st.training.checkpoint",
    "make_folds": "gr2st.evaluation.folds",
    "mean_z": "gr2st.preprocess.normalise",
    "need_weights": "gr2st.encoders.weights",
    "needs_pyramid": "gr2st.io.pyramid",
    "open_slide": "gr2st.io.slide",
    "plan_of_json": "gr2st.evaluation.plan",
    "predict": "gr2st.prediction",
    "prepare": "gr2st.preparation",
    "rank_models": "gr2st.evaluation.ranking",
    "read_curves": "gr2st.io.runs",
    "read_evaluation": "gr2st.io.evaluations",
    "read_evaluation_card": "gr2st.io.evaluations",
    "read_gene_list": "gr2st.preprocess.gene_list",
    "read_gene_lists": "gr2st.preprocess.gene_files",
    "read_gene_scores": "gr2st.io.evaluations",
    "read_prediction": "gr2st.io.prediction",
    "read_regions": "gr2st.io.regions",
    "read_run": "gr2st.io.runs",
    "read_section": "gr2st.io.section",
    "read_section_scores": "gr2st.io.evaluations",
    "read_study": "gr2st.io.study",
    "run_training": "gr2st.runs.training",
    "sample_study_path": "gr2st.io.sample",
    "save_model": "gr2st.training.checkpoint",
    "save_prediction": "gr2st.io.prediction",
    "section_dots": "gr2st.evaluation.figures",
    "spatial_patterns": "gr2st.evaluation.gene_facts",
    "spot_cells_of": "gr2st.cells.source",
    "spot_normalise": "gr2st.preprocess.normalise",
    "spots_inside": "gr2st.regions",
    "time_in_words": "gr2st.io.preflight",
    "threads_beside_a_window": "gr2st.processes",
    "train": "gr2st.training.loop",
    "variability_ranks": "gr2st.evaluation.gene_facts",
    "with_measured": "gr2st.evaluation.measured",
    "write_csv": "gr2st.io.store",
    "write_regions": "gr2st.io.regions",
    "write_gene_list": "gr2st.preprocess.gene_files",
    "write_report": "gr2st.evaluation.report",
    "write_spot_types": "gr2st.io.spot_types",
    "write_study": "gr2st.io.study",
}

__all__ = [*sorted(_HOME), "__version__", "keys"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "keys":
        return importlib.import_module("gr2st.keys")
    if name not in _HOME:
        raise AttributeError(f"module 'gr2st' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
