"""The values that pass between the rooms of the house: frozen, complete, checked where they are made.

Orientation, everywhere: spots are rows, genes are columns; pixel positions are (x, y) at level 0; patches are uint8
(n, height, width, 3) RGB; expression and features are float32.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from gr2st import keys
from gr2st.errors import UnknownName

if TYPE_CHECKING:
    from anndata import AnnData

    from gr2st.appearance import Appearance

Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Int64: TypeAlias = npt.NDArray[np.int64]
Bool: TypeAlias = npt.NDArray[np.bool_]
UInt8: TypeAlias = npt.NDArray[np.uint8]

R = TypeVar("R")

CELL_CLASSES = ("nolabe", "necros", "neopla", "inflam", "connec", "no-neo")
"""Classes of nuclei in the published order of GR2ST: a class's id is its place here, and of a tie the first wins.

The names are HoVer-Net's for PanNuke: no label, necrotic, neoplastic, inflammatory, connective, and non-neoplastic
epithelial. HoVer-Net itself numbers them in another order.
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long step is.

    Attributes
    ----------
    stage : str
        What is being done, in the user's words ("Encoding patches of C2").
    done, total : int
        Units finished and to do; ``total`` 0 means unknown.
    note : str
        A short remark for the end of the line.
    values : mapping of str to float
        Numbers worth plotting (loss parts, scores).
    """

    stage: str
    done: int = 0
    total: int = 0
    note: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


Steps: TypeAlias = Generator[Progress, None, R]
"""A long step: yields Progress, returns its result. Close the generator to cancel."""


def finish(steps: Steps[R]) -> R:
    """Run a long step to its end and return its result, ignoring the progress."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]


def under_stage(stage: str, steps: Steps[R]) -> Steps[R]:
    """The same steps, their progress told under another stage."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        yield replace(progress, stage=stage)


class LevelArray(Protocol):
    """One level of a slide: an array that is read when it is indexed."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, key: Any, /) -> Any: ...


class Slide(Protocol):
    """A histology image, read lazily by level and region; made by `gr2st.io.slide.open_slide`.

    Attributes
    ----------
    path : Path
        The file.
    width, height : int
        Size of level 0 in pixels, after EXIF orientation.
    um_per_px : float or None
        Micrometres per level-0 pixel as the *file* states it, None where it states nothing believable.
    """

    @property
    def path(self) -> Path: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def um_per_px(self) -> float | None: ...
    @property
    def levels(self) -> tuple[LevelArray, ...]:
        """Arrays (height, width, 3) uint8, largest first, for display."""
        ...

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> UInt8:
        """Pixels (height, width, 3) RGB of a window of one level; x, y in pixels of that level, window inside it."""
        ...

    def thumbnail(self, longest_px: int) -> UInt8:
        """The whole image (h, w, 3), its longer side at most `longest_px`, without decoding level 0 where possible."""
        ...

    def digest(self) -> str:
        """Sixteen hex digits of the file's content."""
        ...

    def close(self) -> None:
        """Let go of decoded pixels and of the file; the next reading opens it again."""
        ...


@dataclass(frozen=True, slots=True)
class Alignment:
    """How well the spots fit the picture.

    Attributes
    ----------
    verdict : str
        "good", "pale" (few spots on tissue, no better fit known), "swapped", "mirrored", "rotated", "scale",
        "misregistered", "outside", "not-histology", "unknown" (no picture).
    inside, on_tissue : float
        Share of spots inside the image and on tissue, 0 to 1.
    message : str
        One sentence for the user: what was found and what to do.
    """

    verdict: str
    inside: float
    on_tissue: float
    message: str


@dataclass(frozen=True, eq=False, slots=True)
class Nuclei:
    """Nuclei of one picture or of one patch.

    Attributes
    ----------
    xy : (n, 2) float64
        Centroids (x, y) in pixels of the picture or patch they were found in.
    kind : (n,) int64
        Places in `CELL_CLASSES`.
    """

    xy: Float64
    kind: Int64

    def __len__(self) -> int:
        return len(self.kind)


@dataclass(frozen=True, eq=False, slots=True)
class SpotCells:
    """Cell types of the spots of one section.

    Attributes
    ----------
    cell_type : (n,) int64
        Places in `CELL_CLASSES`: the most frequent class of the spot's nuclei, 0 where it has none.
    cell_share : (n, 6) float32 or None
        Proportion of each class among the spot's nuclei, a row of zeros where it has none; None where the source
        tells only the type.
    source : str
        "files" or "estimate".
    notes : tuple of str
        What the user should know.
    """

    cell_type: Int64
    cell_share: Float32 | None
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Section:
    """One tissue section: counts, positions, picture.

    Attributes
    ----------
    name, patient : str
        ``patient`` is None where the data does not say; patient-wise protocols refuse such a section.
    table : AnnData
        ``X`` counts (spots x genes, CSR float32, integer values, or empty with zero genes where the data has no
        counts); ``obs_names`` the spot names of the counts file; ``obsm["spatial"]`` (x, y) of the spot centre in
        level-0 pixels, float64; ``obs["array_row"]``, ``obs["array_col"]`` integer array coordinates (legacy ST: y and
        x); optional ``obs["label"]``.
    slide : Slide or None
    um_per_px : float or None
        Micrometres per level-0 pixel, with its source in `um_per_px_source`.
    spot_diameter_um : float or None
    grid_pitch : float
        Distance between the centres of neighbouring spots, in level-0 pixels.
    layout : str
        "legacy-st", "visium", "visium-hd", "h5ad", or "virtual" for spots laid on a slide that has none.
    alignment : Alignment
    notes : tuple of str
        What the reader noticed and the user should know (rows without a partner, duplicates renamed, ...).
    cells : Path or None
        Where the cell types of this section lie: a file or folder, not read yet.
    """

    name: str
    patient: str | None
    table: AnnData
    slide: Slide | None
    um_per_px: float | None
    um_per_px_source: str
    spot_diameter_um: float | None
    grid_pitch: float
    layout: str
    alignment: Alignment
    notes: tuple[str, ...] = ()
    cells: Path | None = None

    @property
    def n_spots(self) -> int:
        return int(self.table.n_obs)

    @property
    def spot_diameter_px(self) -> float:
        """In level-0 pixels; half the distance between spots where nobody states it."""
        if self.um_per_px and self.spot_diameter_um:
            return self.spot_diameter_um / self.um_per_px
        return 0.5 * self.grid_pitch

    @property
    def spot_names(self) -> tuple[str, ...]:
        return tuple(map(str, self.table.obs_names))

    @property
    def genes(self) -> tuple[str, ...]:
        return tuple(map(str, self.table.var_names))


@dataclass(frozen=True, slots=True)
class SectionEntry:
    """Where one section of a study lies; light, picklable, opened by `gr2st.io.read_section`.

    ``path`` is the section's folder or main file; ``parts`` names the files of a layout that needs several
    ("counts", "spots", "image", "labels", "cells").
    """

    name: str
    patient: str | None
    path: Path
    layout: str
    parts: Mapping[str, Path] = field(default_factory=dict, hash=False)
    um_per_px: float | None = None
    image_scale: float | None = None
    """Pixels of the picture per pixel of the positions, where the picture is a scaled copy of the one they count in."""
    without_image: str = ""
    """Why the section cannot be trained on (no picture found), empty where it can."""


@dataclass(frozen=True, slots=True)
class Study:
    """Sections that belong together, by name; nothing is opened yet.

    ``notes`` tell what lies there but is no section that can be used (spots without counts, a table without positions).
    """

    name: str
    path: Path
    entries: tuple[SectionEntry, ...]
    notes: tuple[str, ...] = ()

    def entry(self, name: str) -> SectionEntry:
        """The entry of one section; UnknownName where there is none."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise UnknownName.of("section", name, self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.entries)


@dataclass(frozen=True, eq=False)
class Prepared:
    """One section as a model sees it, made by `gr2st.preparation`.

    Attributes
    ----------
    section, patient : str
    spots : tuple of str
        Spot names, in row order of all arrays.
    features : (n, width) float32 or None
        Patch features of the recipe's encoder.
    pixel : (n, 2) float64
        x, y at level 0.
    grid : (n, 2) int64
        Array x (column), y (row).
    position : (n, 2) float64
        x, y in units of the array step: neighbouring spots are 1 apart.
    cell_type : (n,) int64 or None
        Places in `CELL_CLASSES`. Cell types come from the picture, so a blind section keeps them.
    cell_share : (n, 6) float32 or None
        Proportions of the classes; zeros where a spot has no nucleus, None where the source tells only the type.
    spot_expression, gene_expression : (n, genes) float32 or None
        S and T of the recipe's genes; None in a blind section.
    depth : (n,) float32 or None
        Counts of the recipe's genes per spot; None in a blind section.
    digests : mapping
        Digests of the image, the counts and the cell types behind this value.
    appearance : Appearance or None
        Scale and colours of the picture; None where it was not looked at.
    """

    section: str
    patient: str | None
    spots: tuple[str, ...]
    pixel: Float64
    grid: Int64
    position: Float64
    features: Float32 | None = None
    cell_type: Int64 | None = None
    cell_share: Float32 | None = None
    spot_expression: Float32 | None = None
    gene_expression: Float32 | None = None
    depth: Float32 | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    appearance: Appearance | None = None

    def blind(self) -> Prepared:
        """The same section without any measured expression: all that `predict` may see."""
        return replace(self, spot_expression=None, gene_expression=None, depth=None)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted expression of one section.

    ``table`` holds ``layers["predicted"]`` (spots x genes, float32), ``obsm["spatial"]``, the graphs in ``obsp``,
    the provenance in ``uns["gr2st"]``; measured layers and scores are laid beside by `gr2st.with_measured`.
    """

    section: str
    model: str
    table: AnnData

    @property
    def genes(self) -> tuple[str, ...]:
        return tuple(map(str, self.table.var_names))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about this prediction, one sentence each."""
        return tuple(map(str, self.table.uns.get(keys.PROVENANCE, {}).get(keys.NOTES, ())))

    def noted(self, notes: Sequence[str]) -> Prediction:
        """The same prediction with these notes too, each once; they are stored with it."""
        if set(notes) <= set(self.notes):
            return self
        table = self.table.copy()
        all_notes = list(dict.fromkeys([*self.notes, *notes]))
        table.uns[keys.PROVENANCE] = {**table.uns[keys.PROVENANCE], keys.NOTES: all_notes}
        return replace(self, table=table)


@dataclass(frozen=True, slots=True)
class Fold:
    """One split of a study by section names."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
