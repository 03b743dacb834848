"""Why one spot was predicted as it was: what a prediction file holds about it, as frozen values. No torch, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import keys
from gr2st.errors import DataError, UnknownName
from gr2st.types import CELL_CLASSES

if TYPE_CHECKING:
    from anndata import AnnData

    from gr2st.types import Float32, Prediction


@dataclass(frozen=True, slots=True)
class Reference:
    """A training spot behind a predicted one.

    Attributes
    ----------
    section : str
    row : int
        Of the bank.
    weight : float
        Share in the retrieved value; those of all references sum to 1.
    patient, spot : str
        "" where the file does not tell.
    xy : (float, float) or None
        Centre in level-0 pixels of its section's picture.
    distance : float or None
        What the weight follows from; see docs/data.md.
    similarity : float or None
        Cosine similarity, -1 to 1.
    """

    section: str
    row: int
    weight: float
    patient: str = ""
    spot: str = ""
    xy: tuple[float, float] | None = None
    distance: float | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A spot of the same section that a spot listens to: row, name, and share of its attention, None if not stored."""

    row: int
    spot: str
    attention: float | None


@dataclass(frozen=True, slots=True)
class Listening:
    """The spots that one spot listens to over a graph, most attention first, and what it keeps for itself."""

    neighbours: tuple[Neighbour, ...]
    itself: float | None


@dataclass(frozen=True, slots=True)
class GeneTrust:
    """How one gene was predicted in one spot, on the scale of the prediction.

    ``usual_spread`` is what the gene varies by within a training section: ``spread`` and ``disagreement`` are large
    or small beside it. ``shares`` tells the parts of the model ("retrieval", "regression", "kernel") in the value.
    None, or no shares, where the model does not have it.
    """

    gene: str
    value: float
    spread: float | None
    disagreement: float | None
    usual_spread: float | None
    shares: Mapping[str, float]


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """What stands behind the prediction of one spot.

    Attributes
    ----------
    spot, row : str, int
        Its name, and its row in the prediction.
    references : tuple of Reference
        Highest weight first; empty for a model that looks up no training spots.
    spatial, functional : Listening or None
        None where the model draws no such graph.
    experts : mapping
        Name of a cell class to the weight of its expert; empty for a model without experts.
    experts_are_taught : bool
        Whether the model was trained with cell types; if not, the names say nothing about what an expert knows.
    confidence : float or None
        0 to 1.
    distance : float or None
        Of its picture from those of training; 1 is usual.
    is_outside : bool or None
        Whether that is beyond ``outside_beyond``, further than 99 of 100 training spots.
    outside_beyond : float or None
    compared_with : int
        Training spots that the picture was compared with; 0 where it was with none.
    gene : GeneTrust or None
        Of the gene that was asked for.
    """

    spot: str
    row: int
    references: tuple[Reference, ...]
    spatial: Listening | None
    functional: Listening | None
    experts: Mapping[str, float]
    experts_are_taught: bool
    confidence: float | None
    distance: float | None
    is_outside: bool | None
    outside_beyond: float | None
    compared_with: int
    gene: GeneTrust | None


def explain(prediction: Prediction, spot: str | int, gene: str | None = None) -> Explanation:
    """What a prediction file holds about one spot; pure numpy, a few milliseconds.

    Parameters
    ----------
    prediction : Prediction
        As `gr2st.read_prediction` or `gr2st.predict` gives it; what an earlier version did not store is None or empty.
    spot : str or int
        Name of the spot, or its row in the prediction.
    gene : str, optional
        A predicted gene to tell more of.

    Returns
    -------
    Explanation

    Raises
    ------
    UnknownName
        No such spot or gene in the prediction.
    """
    table = prediction.table
    row = _row_of(prediction, spot)
    told: Mapping[str, Any] = table.uns.get(keys.PROVENANCE, {})
    beyond, outside = told.get(keys.OUTSIDE_BEYOND), _obs(table, keys.OUTSIDE, row)
    return Explanation(
        spot=str(table.obs_names[row]),
        row=row,
        references=_references(table, told, row),
        spatial=_listening(table, keys.SPATIAL_GRAPH, row),
        functional=_listening(table, keys.FUNCTIONAL_GRAPH, row),
        experts=_experts(table, row),
        experts_are_taught=str(told.get("cell_types", "none")) != "none",
        confidence=_obs(table, keys.CONFIDENCE, row),
        distance=_obs(table, keys.DISTANCE, row),
        is_outside=None if outside is None else bool(outside),
        outside_beyond=None if beyond is None else float(beyond),
        compared_with=int(told.get(keys.COMPARED_WITH, 0)),
        gene=None if gene is None else _gene(prediction, row, gene),
    )


def _row_of(prediction: Prediction, spot: str | int) -> int:
    names = prediction.table.obs_names
    if isinstance(spot, str):
        if spot not in names:
            raise UnknownName.of("spot", spot, tuple(map(str, names)))
        return int(names.get_loc(spot))
    if not 0 <= spot < len(names):
        raise DataError(
            f"Row {spot} was asked for; the prediction of {prediction.section} has rows 0 to {len(names) - 1}."
        )
    return int(spot)


def _references(table: AnnData, told: Mapping[str, Any], row: int) -> tuple[Reference, ...]:
    if keys.REFERENCE not in table.obsm:
        return ()
    rows, weights = (np.asarray(table.obsm[name][row]) for name in (keys.REFERENCE, keys.REFERENCE_WEIGHT))
    distance, similarity = (_line(table, name, row) for name in (keys.REFERENCE_DISTANCE, keys.REFERENCE_SIMILARITY))
    patients = dict(zip(told.get(keys.TRAINED_ON, ()), told.get(keys.SECTION_PATIENTS, ()), strict=False))
    sections, names, xy = (told.get(name) for name in (keys.BANK_SECTION, keys.BANK_NAME, keys.BANK_XY))
    found = []
    # Of equal weights the most similar stays first.
    for place in np.argsort(-weights, kind="stable"):
        at = int(rows[place])
        section = "" if sections is None else str(sections[at])
        found.append(
            Reference(
                section=section,
                row=at,
                weight=float(weights[place]),
                patient=str(patients.get(section, "")),
                spot="" if names is None else str(names[at]),
                xy=None if xy is None else (float(xy[at][0]), float(xy[at][1])),
                distance=None if distance is None else float(distance[place]),
                similarity=None if similarity is None else float(similarity[place]),
            )
        )
    return tuple(found)


def _listening(table: AnnData, key: str, row: int) -> Listening | None:
    if key not in table.obsp:
        return None
    line = table.obsp[key][[row]].tocsr()
    is_attention = keys.ATTENTION in table.uns.get(keys.PROVENANCE, {})
    order = np.argsort(-line.data, kind="stable")
    neighbours = tuple(
        Neighbour(int(at), str(table.obs_names[at]), float(share) if is_attention else None)
        for at, share in zip(line.indices[order], line.data[order], strict=True)
        if at != row
    )
    return Listening(neighbours, max(0.0, 1.0 - float(line.data.sum())) if is_attention else None)


def _experts(table: AnnData, row: int) -> dict[str, float]:
    weights = _line(table, keys.EXPERTS, row)
    if weights is None:
        return {}
    further = (f"expert {number}" for number in range(len(CELL_CLASSES) + 1, len(weights) + 1))
    return dict(zip((*CELL_CLASSES, *further), map(float, weights), strict=True))


def _gene(prediction: Prediction, row: int, gene: str) -> GeneTrust:
    table = prediction.table
    if gene not in table.var_names:
        raise UnknownName.of("gene", gene, prediction.genes)
    column = int(table.var_names.get_loc(gene))
    spread, disagreement = (
        float(table.layers[name][row, column]) if name in table.layers else None
        for name in (keys.SPREAD, keys.DISAGREEMENT)
    )
    return GeneTrust(
        gene=gene,
        value=float(table.layers[keys.PREDICTED][row, column]),
        spread=spread,
        disagreement=disagreement,
        usual_spread=float(table.var[keys.USUAL_SPREAD].iloc[column]) if keys.USUAL_SPREAD in table.var else None,
        shares={part: float(table.var[name].iloc[column]) for part, name in keys.SHARES.items() if name in table.var},
    )


def _line(table: AnnData, name: str, row: int) -> Float32 | None:
    return np.asarray(table.obsm[name][row], np.float32) if name in table.obsm else None


def _obs(table: AnnData, name: str, row: int) -> float | None:
    return float(table.obs[name].iloc[row]) if name in table.obs else None
