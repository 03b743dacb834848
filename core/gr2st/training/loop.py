"""The training loop: sections in, a trained model out, in the order things happen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from gr2st.errors import DataError
from gr2st.preparation import MEASURED
from gr2st.registry import MODELS, ModelSpec, load
from gr2st.training.batches import refuse_mixing, to_batch
from gr2st.training.checkpoint import TrainedModel, versions
from gr2st.training.facts import Facts, Places
from gr2st.training.fit import fit
from gr2st.training.inner import best_choice, inner_folds
from gr2st.training.keeper import Keeper
from gr2st.training.memory import free_bytes, refuse_too_large, reuse_freed_memory
from gr2st.training.precision import check_precision
from gr2st.training.watch import SketchBook, Watch, Watched, answers_to, scores_of
from gr2st.types import Progress, under_stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gr2st.appearance import Appearance
    from gr2st.config import Recipe, Settings, TrainConfig
    from gr2st.models.base import Batch, SpotModel
    from gr2st.training.inner import InnerFold
    from gr2st.training.keeper import Place
    from gr2st.types import Prepared, Steps


def train(  # noqa: PLR0913
    model: str,
    sections: Sequence[Prepared],
    recipe: Recipe,
    *,
    training: TrainConfig | None = None,
    config: Settings | None = None,
    keep_in: Path | None = None,
    watched: Sequence[Prepared] | None = None,
    sketch_in: Path | None = None,
) -> Steps[TrainedModel]:
    """Train a registered model on prepared sections.

    Parameters
    ----------
    model : str
        A name of `gr2st.registry.MODELS`.
    sections : sequence of Prepared
        Training sections, with expression. Nothing of any other section is seen.
    recipe : Recipe
        The recipe the sections were prepared with; stored in the model.
    training, config : optional
        Settings other than the model's registered ones.
    keep_in : Path, optional
        Folder that keeps the training while it is unfinished: with the same arguments it goes on from there, on the
        CPU to the same bits as if it had never been left.
    watched : sequence of Prepared, optional
        Sections that are not learned from, with expression: some twenty times on the way, and at the end, the values
        of an epoch hold ``pcc``, how well they would be predicted now; so do those of inner folds, for what they hold
        out. None, other than an empty sequence: nobody looks, which is quicker. The model is the same to the bit.
    sketch_in : Path, optional
        Folder that keeps what is watched as it would be predicted now, a `gr2st.io.sketches.Sketch` per section,
        written anew at each look.

    Returns
    -------
    TrainedModel

    Raises
    ------
    DataError
        No section, sections of another recipe, a section both learned from and watched, a folder that keeps another
        training, spots to be mixed for a model that sees each section as a whole, or an arithmetic that the device
        lacks.
    TrainingFailed
        The loss stopped being finite, at the epoch and section the message names; or a section is too large for the
        memory that is free.
    """
    spec = MODELS[model]
    training = training or spec.training
    config = config or spec.config
    check_sections(sections, recipe)
    _check_watched(watched or (), sections, recipe)
    refuse_mixing(config, training.batch_spots)
    device = pick_device(training.device)
    check_precision(training.precision, device)
    reuse_freed_memory()
    with limited_threads(training.threads), torch.random.fork_rng(devices=cuda_devices(device)):
        keeper = None if keep_in is None else Keeper(keep_in, _digest(spec, config, training, recipe, sections))
        setting = _Setting(spec, recipe, training, device, keeper, watched is not None, sketch_in)
        config = yield from _chosen(setting, config, sections)
        module = yield from _learned(setting, config, sections, setting.place("whole"), watched or ())
        return trained_model(spec, module, config, training, recipe, sections)


def trained_model(
    spec: ModelSpec,
    module: SpotModel,
    config: Settings,
    training: TrainConfig,
    recipe: Recipe,
    sections: Sequence[Prepared],
) -> TrainedModel:
    """A trained network with all that is needed to say where it came from, and what its predictions rest on."""
    return TrainedModel(
        name=spec.name,
        module=module,
        config=config,
        training=training,
        recipe=recipe,
        n_features=n_features_of(sections),
        grid_size=_grid_size(sections),
        sections=tuple(section.section for section in sections),
        patients=tuple(sorted({section.patient for section in sections if section.patient})),
        digests={section.section: dict(section.digests) for section in sections},
        appearances=appearances_of(sections),
        versions=versions(),
        places=None if module.bank is None else Places.of(sections),
        facts=Facts.of(module, sections, device_of(module)),
    )


def appearances_of(sections: Sequence[Prepared]) -> dict[str, Appearance]:
    """Scale and colours of the sections whose pictures were looked at, by name."""
    return {section.section: section.appearance for section in sections if section.appearance is not None}


@dataclass(frozen=True)
class _Setting:
    """What every fold of one training shares."""

    spec: ModelSpec
    recipe: Recipe
    training: TrainConfig
    device: torch.device
    keeper: Keeper | None
    watches: bool
    sketch_in: Path | None = None

    def place(self, phase: str) -> Place | None:
        return None if self.keeper is None else self.keeper.place(phase)

    @property
    def book(self) -> SketchBook | None:
        """Where what is watched is kept as it is predicted."""
        return None if self.sketch_in is None else SketchBook(self.sketch_in, self.recipe.genes, self.training.epochs)


def _chosen(setting: _Setting, config: Settings, sections: Sequence[Prepared]) -> Steps[Settings]:
    """The settings that do best on the inner folds; those given where there are none."""
    scores: list[Mapping[Settings, float]] = []
    folds = inner_folds(sections, setting.training.inner_folds)
    for number, fold in enumerate(folds, start=1):
        stage = f"Choosing blend and k, trial {number} of {len(folds)}"
        scores += yield from under_stage(stage, _inner_scores(setting, config, fold, setting.place(f"inner{number}")))
    return best_choice(scores, config)


def _inner_scores(
    setting: _Setting, config: Settings, fold: InnerFold, place: Place | None
) -> Steps[Sequence[Mapping[Settings, float]]]:
    """What the choices would score on each section that an inner fold holds out."""
    known = None if place is None else place.scores(type(config))
    if known is not None:
        return known
    learned_from, held_out = fold
    module = yield from _learned(setting, config, learned_from, place, held_out if setting.watches else ())
    fields = module.needs | MEASURED
    scores = [module.choices(to_batch(section, fields, setting.device)) for section in held_out]
    if place is not None:
        place.keep_scores(scores)
    return scores


def _learned(
    setting: _Setting,
    config: Settings,
    sections: Sequence[Prepared],
    place: Place | None,
    watched: Sequence[Prepared],
) -> Steps[SpotModel]:
    """A module trained on the sections, its bank filled, in eval mode; what is watched is scored on the way."""
    torch.manual_seed(setting.training.seed)
    module = build(setting.spec, config, sections, setting.recipe).to(setting.device)
    fields = module.needs | module.learns_from
    batches = [to_batch(section, fields, setting.device) for section in sections]
    refuse_too_large(module, sections, free=free_bytes(setting.device))
    others = [Watched.of(section, setting.spec, module, setting.device) for section in watched]
    watch = Watch(module, batches, others, setting.book) if others and setting.training.epochs else None
    yield from fit(module, batches, setting.training, place, watch)
    yield from remember(module, batches)
    if others and watch is None:
        yield Progress("Scoring what is held out", 1, 1, values=scores_of(answers_to(module, others), others))
    return module.eval()


def build(spec: ModelSpec, config: Settings, sections: Sequence[Prepared], recipe: Recipe) -> SpotModel:
    """The untrained module, sized by what the sections hold."""
    module: SpotModel = load(spec.factory)(
        config,
        n_genes=len(recipe.genes),
        n_features=n_features_of(sections),
        grid_size=_grid_size(sections),
    )
    return module


def fields_to_learn_from(model: str) -> frozenset[str]:
    """Fields of a prepared section for training: what the model says it reads, places, and all that was measured."""
    module: type[SpotModel] = load(MODELS[model].factory)
    return module.needs | module.learns_from | MEASURED | {"grid", "position"}


def remember(module: SpotModel, batches: Sequence[Batch], show: Callable[[Batch], None] | None = None) -> Steps[None]:
    """Show a trained network its training sections once more: what it looks up and solves is taken from them.

    `show` shows it one, by default with `SpotModel.remember` alone.
    """
    module.eval()
    with torch.no_grad():
        for done, batch in enumerate(batches, start=1):
            (show or module.remember)(batch)
            yield Progress("Filling the reference bank", done, len(batches))
        module.conclude()


def _digest(
    spec: ModelSpec, config: Settings, training: TrainConfig, recipe: Recipe, sections: Sequence[Prepared]
) -> str:
    """Changes with all that decides the outcome of a training."""
    told = [spec.name, config.digest(), training.digest(), recipe.digest(), versions()]
    data = [[section.section, section.patient, dict(section.digests)] for section in sections]
    return hashlib.sha256(json.dumps([told, data], sort_keys=True).encode()).hexdigest()[:16]


def check_sections(sections: Sequence[Prepared], recipe: Recipe) -> None:
    """DataError where there is no section, or one that was prepared with another recipe."""
    if not sections:
        raise DataError("Training needs at least one section; none was given.")
    other = [s.section for s in sections if s.digests.get("recipe", recipe.digest()) != recipe.digest()]
    if other:
        raise DataError(f"Sections {', '.join(other)} were prepared with another recipe than the one to train with.")


def _check_watched(watched: Sequence[Prepared], sections: Sequence[Prepared], recipe: Recipe) -> None:
    """DataError where a section that is watched is learned from too, or was prepared with another recipe."""
    both = sorted({section.section for section in watched} & {section.section for section in sections})
    if both:
        raise DataError(f"Sections {', '.join(both)} are to be both learned from and held out: choose one.")
    if watched:
        check_sections(watched, recipe)


def n_features_of(sections: Sequence[Prepared]) -> int:
    """Features per spot; 0 where the sections were prepared without."""
    features = sections[0].features
    return 0 if features is None else int(features.shape[1])


def _grid_size(sections: Sequence[Prepared]) -> int:
    """Rows of a position table: one more than the largest array coordinate of the training sections."""
    return 1 + max(int(section.grid.max()) for section in sections)


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" is the first GPU or else the CPU.

    Raises
    ------
    DataError
        A GPU was asked for by name and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise DataError(f"Device {name!r} was asked for, but torch sees no GPU here. Use --device cpu or auto.")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise DataError(f"{name!r} is no device of torch; use auto, cpu, cuda or cuda:1.") from error


def device_of(module: SpotModel) -> torch.device:
    """Where the numbers of a model lie; the CPU for a model without any."""
    return next((tensor.device for tensor in module.state_dict().values()), torch.device("cpu"))


def cuda_devices(device: torch.device) -> list[torch.device]:
    """The device, where it is a GPU: its random numbers are kept apart from those of the CPU."""
    return [device] if device.type == "cuda" else []


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Let torch use `threads` CPU threads while the block runs; none: as many as this process was given."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
