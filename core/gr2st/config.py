"""Settings: frozen values that explain themselves and travel with every result."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Space = Literal["spot", "gene"]
"""Expression space: "spot" is S (spot divided by its listed counts), "gene" is T (gene by its section total)."""

_SPACES = (
    '"spot" tells how much of a spot\'s counts are of a gene, "gene" how the counts of a gene are spread over the '
    "spots of a section; both as logarithms."
)
"""The two spaces in a sentence, for descriptions."""

Precision = Literal["float32", "tf32", "bf16"]
"""Arithmetic of training; what is solved in closed form is always computed in float64."""

CellSource = Literal["none", "files", "estimate"]
"""Where the cell types of the spots come from; "none" leaves every spot unlabelled."""


class Settings(BaseModel):
    """Base of all settings: frozen, unknown fields refused, comparable by digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def digest(self) -> str:
        """Sixteen hex digits that change whenever any field changes."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def first_fault(error: ValidationError) -> str:
    """The first finding of pydantic as half a sentence: where, what."""
    fault = error.errors()[0]
    return (
        f"{'.'.join(map(str, fault['loc'])) or 'the whole file'}: {fault['msg'].removeprefix('Value error, ').lower()}"
    )


class PatchConfig(Settings):
    """How a patch is cut round a spot.

    The slide is resampled so that one pixel of the patch is `um_per_px` micrometres. The default, 224 px at 1.38 um/px,
    is a window of 309 um: the spot and its surroundings. The published work on HER2ST shows 155 um (0.69 um/px).
    ``um_per_px=None`` takes the slide's own pixels.
    """

    size_px: int = Field(224, ge=16, le=1024, description="Side of the square patch in pixels.")
    um_per_px: float | None = Field(1.38, gt=0, description="Micrometres per pixel after resampling; none: as scanned.")


class Recipe(Settings):
    """Everything that decides what a model is shown: stored in the model and checked before it predicts."""

    genes: tuple[str, ...] = Field(description="Genes to predict, in the order of all matrices.")
    patch: PatchConfig = Field(
        PatchConfig(), description="How much of the picture round a spot is shown, and how fine."
    )
    stain: Literal["none", "reinhard"] = Field("none", description="Colour normalisation of the patches.")
    encoder: str = Field("handcrafted", description="Name of the patch encoder.")
    cell_types: CellSource = Field(
        "none", description="Cell type of a spot: none, from files such as HoVer-Net's, or estimated from the picture."
    )


class GeneChoice(Settings):
    """Which genes are predicted: a given list, or the `n_variable` most variable ones of the training sections."""

    listed: tuple[str, ...] = Field((), description="Names of the genes; where there are any, no others are chosen.")
    n_variable: int = Field(
        0, description="How many of the genes that vary most between the spots of the training sections are taken."
    )


class TrainConfig(Settings):
    """How long and how fast a model learns."""

    epochs: int = Field(100, ge=0, description="Passes over all training sections; 0 for closed-form models.")
    learning_rate: float = Field(
        1e-4, gt=0, description="Size of a step: higher learns faster, too high never settles or fails."
    )
    weight_decay: float = Field(
        1e-3, ge=0, description="Pull of all weights towards 0: more makes a simpler model; 0: none."
    )
    reset_each_epoch: bool = Field(False, description="Build a new optimiser every epoch, as GR2ST v1 does.")
    drop_epoch: int | None = Field(
        None, description="Epoch from which the learning rate is divided by ten; none: it stays."
    )
    batch_spots: int | None = Field(
        None, ge=2, description="Spots of a step, drawn from all training sections; none: a step is a whole section."
    )
    inner_folds: int = Field(
        0,
        ge=0,
        description="Training patients (or sections) held out in turn to choose blend and k; 0: as they are set.",
    )
    seed: int = Field(0, description="Start of all random numbers: the same seed gives the same model.")
    device: str = Field("auto", description='"auto", "cpu", "cuda" or "cuda:1".')
    precision: Precision = Field(
        "float32", description="tf32 and bf16 are faster on a GPU and round more; see docs/gpu.md."
    )
    threads: int | None = Field(None, ge=1, description="CPU threads of torch; none: as the process was given.")


class Gr2stConfig(Settings):
    """The switches of GR2ST; the published versions are two settings of them, ours is a third.

    Defaults are those of the 2026 code ("v2"). See docs/method.md for the formula behind each switch.
    """

    projection: int = Field(256, ge=1, description="Width of both embeddings.")
    heads: int = Field(8, ge=1, description="Attention heads that look at the neighbours of a spot side by side.")
    dropout: float = Field(
        0.1, ge=0, lt=1, description="Share of the network's values left out by lot at each step of training, 0 to 1."
    )
    temperature: float = Field(
        1.0, gt=0, description="Softness of the match of picture and expression: higher lets similar spots count too."
    )
    type_share: float = Field(0.3, ge=0, description="Bonus of a shared cell type in the functional score.")
    functional: Literal["threshold", "top-k", "none"] = Field(
        "threshold",
        description="Which spots of similar expression listen to each other: threshold, those above a score; top-k, "
        "the most similar ones; none.",
    )
    functional_threshold: float = Field(
        0.6, description="With threshold: score, 0 to 1, above which two spots listen to each other."
    )
    functional_spread: float | None = Field(
        None, description="Each spot's own threshold: mean + this * deviation of its scores; none: the fixed one alone."
    )
    functional_k: int = Field(20, ge=1, description="With top-k: how many similar spots a spot listens to.")
    score_bias: float = Field(
        0.0, ge=0, description="Weight of log(score) in the attention over functional edges: lets the scores learn."
    )
    spatial: Literal["radius", "nearest", "none"] = Field(
        "radius",
        description="Which spots near by listen to each other: radius, those within a distance; nearest, a number of "
        "them; none.",
    )
    spatial_radius: float = Field(
        3.0, gt=0, description="With radius: the distance, in array steps (from a spot to the next one)."
    )
    spatial_k: int = Field(20, ge=1, description="With nearest: how many of the nearest spots a spot listens to.")
    edge_direction: Literal["chosen", "chooser"] = Field(
        "chosen",
        description="Who hears over an edge: chosen, the spot that another one chose, as published; chooser, the spot "
        "that chose.",
    )
    fusion: Literal["sum", "concat", "max", "mean"] = Field(
        "sum", description="How what a spot hears over the two graphs is joined."
    )
    input_space: Space = Field(
        "spot", description=f"Expression that the network is shown and that its regression learns. {_SPACES}"
    )
    bank_space: Space = Field(
        "gene", description=f"Expression of the training spots that retrieval averages. {_SPACES}"
    )
    experts: int = Field(6, ge=0, description="Branches of the regression head; 0 leaves the head out (v1).")
    mse_weight: float = Field(50.0, ge=0, description="Weight of the regression's squared error in the loss.")
    gate_weight: float = Field(
        1.0, ge=0, description="Weight of the gate in the loss: how strictly each expert keeps to its cell type."
    )
    gate_sees: Literal["spot", "surroundings"] = Field(
        "spot", description="surroundings: the gate sees the mean picture embedding within spatial_radius as well."
    )
    gate_target: Literal["majority", "shares"] = Field(
        "majority", description="What the gate is taught: the most frequent cell type, or the share of each."
    )
    entropy_weight: float = Field(
        0.01, ge=0, description="Weight in the loss by which a spot is led to listen to few others; 0: no such lead."
    )
    retrieval_k: int = Field(200, ge=1, description="Most similar training spots that are averaged for a spot.")
    retrieval_distance: Literal["l1", "l2"] = Field(
        "l1", description="Distance by which these are weighted: l1, sum of differences; l2, Euclidean."
    )
    retrieval_epsilon: float = Field(
        1e-8, ge=0, description="Added to the squared distance; higher lets nearer spots count less above the others."
    )
    blend: float = Field(0.4, ge=0, le=1, description="Share of retrieval beside the regression head.")
    programmes: int = Field(
        0, ge=0, description="Principal components of the training expression the network's answer keeps; 0: all of it."
    )
    feature_scale: Literal["as given", "section"] = Field(
        "as given", description="section: patch features standardised within their section."
    )
    expression_scale: Literal["as given", "section"] = Field(
        "as given", description="section: one scale for input, target and bank, each gene standardised in its section."
    )
    kernel_share: float = Field(0.0, ge=0, le=1, description="Share of the kernel branch in the prediction.")
    kernel_penalty: float = Field(0.1, gt=0, description="Penalty of that branch.")
    kernel_gamma: float = Field(0.1, gt=0, description="Its kernel falls to exp(-gamma) at the median distance.")
    kernel_rank: int = Field(4, ge=1, description="Principal components of the expression it predicts.")
    kernel_landmarks: int = Field(2048, ge=1, description="Training spots that span its kernel.")
    context_radius: float = Field(3.0, ge=0, description="Surroundings it sees, in array steps; 0: the patch alone.")
    picture_radius: float = Field(0.0, ge=0, description="The same for the picture side of the network.")


class RidgeConfig(Settings):
    """Ridge regression from standardised patch features."""

    target: Space = Field("gene", description=f"Expression that is predicted. {_SPACES}")
    penalty: float = Field(3.0, gt=0, description="Penalty relative to the number of training spots.")


class NeighboursConfig(Settings):
    """Mean expression of the training spots with the most similar patch features."""

    target: Space = Field("gene", description=f"Expression that is predicted. {_SPACES}")
    k: int = Field(50, ge=1, description="How many training spots with similar patches are averaged.")


class ConstantConfig(Settings):
    """A row without parameters of its own: the training mean, the depth oracle."""

    target: Space = Field("gene", description=f"Expression that is predicted. {_SPACES}")
