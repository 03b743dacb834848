"""npe2 reader: a section folder, a study, a section, prediction or session file -> layers.

In a window that is in use there are none: napari would wait for them, so the Genes dock opens the file beside it.
"""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari import Viewer

    from gr2st_napari._layers import LayerTuple
    from gr2st_napari._opening import Opened

TABLES = (".csv", ".tsv", ".txt", ".gz", ".parquet", ".h5", ".h5ad")
FOLDERS = ("data", "outs", "spatial", "binned_outputs")
"""What every folder of sections holds one of, in itself or one level below."""
NO_LAYER: list[Any] = [(None,)]
"""npe2's word for a file that was read and gives none."""


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerTuple]] | None:
    """`read`, or None where the path is none of ours: looks at names only, opens no table and no picture.

    In a window that never read a study a folder is ours by its names alone; what is wrong is told in the dock.
    """
    paths = [path] if isinstance(path, str) else list(path)
    return read if paths and all(_is_ours(Path(one)) for one in paths) else None


def read(path: str | Sequence[str]) -> list[LayerTuple]:
    """Layers of the section (of a study: its first with a picture) or prediction at each path.

    A path that cannot be read is reported as a sentence in napari's notifications and gives no layer.
    """
    paths, viewer = [path] if isinstance(path, str) else path, viewer_in_use()
    if viewer is None:
        return _read_here(paths)
    for one in paths:
        open_beside(viewer, one)
    return NO_LAYER


def viewer_in_use() -> Viewer | None:
    """The window someone sits at, none where a script waits for layers."""
    from napari import current_viewer
    from qtpy.QtCore import QThread

    viewer = current_viewer()
    is_at_work = viewer is not None and QThread.currentThread().loopLevel() > 0
    return viewer if is_at_work else None


def open_beside(viewer: Viewer, path: str) -> None:
    """Open a path as the Genes dock does, which tells how far it is; what cannot be read is told as below."""
    from gr2st_napari._frames import show_genes
    from gr2st_napari._loading import ask_controller

    show_genes(viewer)
    ask_controller(viewer, lambda controller: controller.open_too(path, _tell))


def _read_here(paths: Sequence[str]) -> list[LayerTuple]:
    from gr2st import Gr2stError
    from gr2st_napari._opening import open_path

    layers: list[Any] = []
    for one in paths:
        try:
            opened = open_path(one)
        except Gr2stError as error:
            _tell(str(error))
        else:
            layers += layers_of(opened)
            _hint(opened)
    return layers or NO_LAYER


def layers_of(opened: Opened) -> list[LayerTuple]:
    """The slide and, where there are spots, one heatmap; each carries what was read, for the first dock to take."""
    from gr2st_napari import _layers
    from gr2st_napari._ground import ground_of
    from gr2st_napari._opening import placement_of
    from gr2st_napari._resolve import resolve
    from gr2st_napari._state import Wish

    if opened.is_slide_alone and opened.picture is not None:
        slide = _layers.picture_layer(opened.picture, placement_of(opened), name="slide")
        slide[1]["metadata"][_layers.DROPPED] = opened
        return [slide]
    ground = ground_of(opened)
    usual = Wish(mode="measured" if opened.prediction is None else "predicted")
    view = usual if opened.restores is None else opened.restores.session.view
    panel = resolve(view, ground.expression).panels[0]
    layers = _layers.heatmap_layers(panel, ground, source={"opened": opened})
    if opened.picture is not None:
        layers.insert(0, _layers.picture_layer(opened.picture, ground.placement, name="slide"))
    for _, keywords, _ in layers:
        keywords["metadata"][_layers.DROPPED] = opened
    return layers


def _is_ours(path: Path) -> bool:
    if not path.is_dir():
        return path.suffix.lower() in (".h5ad", ".gr2st") or path.name.lower().endswith("study.csv")
    may_wait = viewer_in_use() is None or "pandas" in sys.modules
    return _may_hold_sections(path) and (not may_wait or _holds_sections(path))


def _may_hold_sections(folder: Path) -> bool:
    """By the names in it and one level below: to look closer, Python would read pandas first."""
    here = _names(folder)
    below = chain.from_iterable(_names(folder / name) for name in here)
    return any(name in FOLDERS or name.lower().endswith(TABLES) for name in chain(here, below))


def _names(folder: Path) -> list[str]:
    """What is in a folder; nothing in a file, nor in a folder that cannot be looked into."""
    try:
        return [found.name for found in folder.iterdir()]
    except OSError:
        return []


def _holds_sections(folder: Path) -> bool:
    from gr2st import Gr2stError, read_study

    try:
        return bool(read_study(folder).entries)
    except Gr2stError:
        return False


def _tell(sentence: str) -> None:
    from napari.utils.notifications import show_error

    show_error(sentence)


def _hint(opened: Opened) -> None:
    from napari.utils.notifications import show_info

    show_info(" ".join((*opened.notes, "Choose genes in the dock: Plugins > GR2ST > Genes.")))
