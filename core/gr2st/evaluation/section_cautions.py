"""What a reader of the scores of one section must know, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import keys
from gr2st.evaluation.metrics import Vector, gene_pcc, median_score
from gr2st.io.tables import plural

if TYPE_CHECKING:
    import pandas as pd

    from gr2st.types import Prediction, Section

FEW_SPOTS = 50


def section_cautions(section: Section, prediction: Prediction | None, scores: pd.DataFrame | None) -> list[str]:
    """Every sentence that is due, the most important first; `scores` as `score_table` returns them."""
    said = [*_of_section(section)]
    if prediction is not None:
        said = [*_of_training(section, prediction), *said, *prediction.notes]
    if prediction is not None and scores is not None:
        said += _of_scores(section, prediction, scores)
    return list(dict.fromkeys(said))


def _of_section(section: Section) -> Iterator[str]:
    if section.slide is None:
        yield "This section has no picture."
    elif section.alignment.verdict not in ("good", "unknown"):
        yield section.alignment.message
    if section.um_per_px is None:
        yield "The scale of the slide is not known: maps have no scale bar."
    if section.n_spots < FEW_SPOTS:
        yield f"The section has {plural(section.n_spots, 'spot')}: a correlation over so few moves a lot by chance."


def _of_training(section: Section, prediction: Prediction) -> Iterator[str]:
    provenance = prediction.table.uns.get(keys.PROVENANCE, {})
    patients = _names(provenance, "training_patients")
    if section.name in _names(provenance, "trained_on"):
        yield f"{prediction.model} was trained on {section.name} itself: its scores here say nothing of new slides."
    elif section.patient is None:
        yield "The patient of this section is not known: sections of the same patient may have been in training."
    elif section.patient in patients:
        yield (
            f"Other sections of patient {section.patient} were in training: the scores are higher than they would be "
            "for a new patient."
        )


def _of_scores(section: Section, prediction: Prediction, scores: pd.DataFrame) -> Iterator[str]:
    yield (
        "These are the scores of one section. How much they differ between sections and patients is told by an "
        "evaluation (`gr2st evaluate`), not by this page."
    )
    yield (
        "Genes called best or worst were put in order by these very scores: among many genes some stand at an end by "
        "chance."
    )
    mine, depth = median_score(scores["pcc_spot"].to_numpy(np.float64)), median_score(depth_scores(prediction, section))
    if mine is not None and depth is not None and depth > mine:
        yield (
            f"The depth of the spots alone reaches a median r of {depth:.3f} against spot-normalised expression, the "
            f"model {mine:.3f}: how many molecules a spot caught tells more of these genes than the model does."
        )


def depth_scores(prediction: Prediction, section: Section) -> Vector:
    """Correlation of each gene, spot-normalised, with the logarithm of its spots' counts."""
    measured = np.asarray(prediction.table.layers[keys.MEASURED_SPOT], np.float64)
    counts = np.asarray(section.table[list(prediction.table.obs_names)].X.sum(axis=1), np.float64).ravel()
    return gene_pcc(np.repeat(np.log10(1 + counts)[:, None], measured.shape[1], axis=1), measured)


def _names(provenance: Any, key: str) -> list[str]:
    return [str(name) for name in provenance.get(key, ())]
