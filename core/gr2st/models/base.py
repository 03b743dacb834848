"""The contract every model keeps: a torch module that learns from sections and predicts without expression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from gr2st.config import Settings
    from gr2st.models.survey import SectionScale, Survey


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """One section as tensors on the model's device; (n, ...) with spots as rows.

    A blind batch, the only kind `SpotModel.predict` gets, has no expression and no depth (the depth oracle alone is
    given the depth). A model meets a field that it did not declare in `needs` as None.

    A section too large to be seen at once is predicted in parts. A part of a model with a `reach` also holds the spots
    round those that are to be answered.

    Attributes
    ----------
    asked : (n,) bool or None
        The rows of a part that are to be answered, None: all of them.
    scale : SectionScale or None
        What a part cannot tell of its section, as the model's own `survey` found it.
    """

    section: str
    features: Tensor | None = None
    grid: Tensor | None = None
    position: Tensor | None = None
    cell_type: Tensor | None = None
    cell_share: Tensor | None = None
    spot_expression: Tensor | None = None
    gene_expression: Tensor | None = None
    depth: Tensor | None = None
    asked: Tensor | None = None
    scale: SectionScale | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Loss:
    """Total to minimise (scalar with gradient) and its named, unweighted parts.

    ``chance`` is what the contrastive part would be for a model that knows nothing; None where there is no such part.
    """

    total: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)
    chance: float | None = None

    def numbers(self) -> dict[str, float]:
        """Total, parts and chance as floats, for progress and curves."""
        parts = {name: float(part.detach()) for name, part in self.parts.items()}
        chance = {} if self.chance is None else {"chance": self.chance}
        return {"loss": float(self.total.detach()), **parts, **chance}


@dataclass(frozen=True, eq=False)
class Bank:
    """What retrieval reads: one row per training spot.

    ``key`` (n, width), ``value`` (n, genes) float32; ``section`` and ``spot`` name each row.
    """

    key: Tensor
    value: Tensor
    section: tuple[str, ...] = ()
    spot: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Attention:
    """Which spots of a section each spot listens to over one graph, and how much.

    Spot t listens to ``source[first[t]:first[t + 1]]``, rows in ascending order; the spot itself is left out. What its
    weights, means over the heads, lack to 1 is the weight it keeps for itself.

    ``first`` (n + 1,) int64; ``source`` (e,) int32; ``weight`` (e,) float32, above 0.
    """

    first: Tensor
    source: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model says about one section.

    Attributes
    ----------
    expression : (n, genes)
    space : str
        "spot" (S), "gene" (T) or "mixed": the scale the values are on.
    reference, reference_weight : (n, k) or None
        Rows of the bank behind each spot, nearest first, and their weights (rows sum to 1).
    reference_distance, reference_similarity : (n, k) or None
        The distance that chose or weighted them, and the cosine similarity.
    spread : (n, genes) or None
        Weighted standard deviation among them, on the scale of the expression.
    disagreement : (n, genes) or None
        Absolute difference of the retrieved and the regressed expression, where both answer on its scale.
    shares : mapping
        Name of a part ("retrieval", "regression", "kernel") to its share in the expression.
    experts : (n, experts) or None
        Weights of the experts of the regression; rows sum to 1.
    confidence : (n,) or None
        0 (no support among the training spots) to 1.
    notes : tuple of str
        What the user should know about this answer, one sentence each.
    """

    expression: Tensor
    space: str
    reference: Tensor | None = None
    reference_weight: Tensor | None = None
    reference_distance: Tensor | None = None
    reference_similarity: Tensor | None = None
    spread: Tensor | None = None
    disagreement: Tensor | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    experts: Tensor | None = None
    confidence: Tensor | None = None
    notes: tuple[str, ...] = ()


class SpotModel(nn.Module):
    """Base of all models.

    Life of a model: built from (config, n_genes, n_features, grid_size) -> `loss` once per section and epoch, in train
    mode -> `remember` once per training section, then `conclude`, in eval mode without gradient -> `predict`. A copy
    that shares the parameters may be asked to predict in between: it is brought up to date by `renew`.
    Everything learned lies in parameters, buffers or `bank`.
    """

    needs: frozenset[str] = frozenset()
    """Fields of the batch this model reads when it predicts."""

    learns_from: frozenset[str] = frozenset()
    """Fields of the batch this model reads, besides `needs`, while it learns.

    A class that may learn from cell types names "cell_type" itself, not its instances alone: they are slow to make, and
    are made before any instance is there, only for models that say so.
    """

    bank: Bank | None = None

    reach: float = 0.0
    """Array steps within which other spots have a say in the prediction of a spot; 0: none has."""

    def keep_with(self, other: SpotModel) -> None:
        """Keep what follows from a section alone together with another network of the same settings; before any use."""

    def loss(self, batch: Batch) -> Loss:
        """Loss of one section; called only when epochs > 0."""
        raise NotImplementedError

    def step_bytes(self, n_spots: int) -> int:
        """Bytes of memory that a training step on `n_spots` takes beside model and section; 0: next to nothing."""
        return 0

    def remember(self, batch: Batch) -> None:
        """Take in one training section after the last epoch (fill the bank, collect sums)."""

    def conclude(self) -> None:
        """Called after the last `remember`: solve what is solved in closed form."""

    def renew(self, batch: Batch) -> None:
        """Bring what is remembered of a section up to date, in place, when the parameters changed after `conclude`.

        What follows from no parameter stays as it is: by default, everything.
        """

    def survey(self) -> Survey | None:
        """What is to be gathered over all parts of a section before they are predicted; None: nothing."""
        return None

    def predict(self, batch: Batch) -> Answer:
        """Expression of every spot of a blind batch, or of those that a part asks for."""
        raise NotImplementedError

    def choices(self, batch: Batch) -> Mapping[Settings, float]:
        """How well this model would do on a section with expression, by settings that need no other training.

        Asked on training sections that an inner fold held out; empty where there is nothing to choose.
        """
        return {}

    def attention(self, batch: Batch) -> dict[str, Attention]:
        """Attention over the graphs ("spatial", "functional") that the model would draw over this batch, by name."""
        return {}

    def looks_at(self, batch: Batch) -> Tensor | None:
        """The features (n, width) of a batch as this model sees them; None for a model that does not look."""
        return None
