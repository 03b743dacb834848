"""Where a result comes from: software, seeds, and digests of the settings and of the data it was made with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from gr2st import keys
from gr2st.evaluation.sections import section_of
from gr2st.preparation import encoder_identity

if TYPE_CHECKING:
    from gr2st.evaluation.fold import FoldJob
    from gr2st.evaluation.results import FoldResult
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Section


def provenance_of(job: FoldJob, trained: TrainedModel) -> dict[str, Any]:
    """What stands in the result of a fold: versions, digests of settings, digests of all sections it saw."""
    names = (*job.fold.train, *job.fold.test)
    return {
        "versions": dict(trained.versions),
        "settings": {
            "config": trained.config.digest(),
            "training": trained.training.digest(),
            "recipe": trained.recipe.digest(),
            "encoder": encoder_identity(trained.recipe.encoder),
        },
        "data": {name: data_digests(section_of(job.entry(name))) for name in names},
    }


def data_digests(section: Section) -> dict[str, str]:
    """Digests of the counts with their names and places, and of the picture where there is one."""
    table = section.table
    counts = sparse.csr_matrix(table.X)
    content = hashlib.sha256("\n".join((*section.spot_names, "", *section.genes)).encode())
    for part, kind in (
        (counts.data, "<f4"),
        (counts.indices, "<i8"),
        (counts.indptr, "<i8"),
        (table.obsm[keys.SPATIAL], "<f8"),
    ):
        content.update(np.ascontiguousarray(part, dtype=kind).tobytes())
    picture = {} if section.slide is None else {"image": section.slide.digest()}
    return {"table": content.hexdigest()[:16], **picture}


def joined(results: Sequence[FoldResult]) -> dict[str, Any]:
    """What stands in summary.json, over all folds.

    Lists hold what folds differ in: settings of a row (each seed and each choice of genes has its own digest), and
    versions, where an evaluation went on with other software than it began with.
    """
    told = [result.provenance for result in results]
    return {
        "versions": _distinct([one["versions"] for one in told]),
        "seeds": {label: sorted({r.seed for r in results if r.label == label}) for label in _labels(results)},
        "settings": {label: _settings([r for r in results if r.label == label]) for label in _labels(results)},
        "data": {name: digests for one in told for name, digests in one["data"].items()},
    }


def _settings(results: Sequence[FoldResult]) -> dict[str, list[str]]:
    kinds = results[0].provenance["settings"]
    return {kind: _distinct([result.provenance["settings"][kind] for result in results]) for kind in kinds}


def _labels(results: Sequence[FoldResult]) -> list[str]:
    return list(dict.fromkeys(result.label for result in results))


def _distinct(values: Sequence[Any]) -> list[Any]:
    return [value for number, value in enumerate(values) if value not in values[:number]]
