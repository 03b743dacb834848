"""npe2 reader: a section folder, a study, a section, prediction or session file -> layers. No other effect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gr2st_napari._layers import LayerTuple
    from gr2st_napari._opening import Opened


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[LayerTuple]] | None:
    """`read`, or None where the path is none of ours: looks at names only, opens no table and no picture."""
    paths = [path] if isinstance(path, str) else list(path)
    return read if paths and all(_is_ours(Path(one)) for one in paths) else None


def read(path: str | Sequence[str]) -> list[LayerTuple]:
    """Layers of the section (of a study: its first with a picture) or prediction at each path.

    A path that cannot be read is reported as a sentence in napari's notifications and gives no layer.
    """
    from gr2st import Gr2stError
    from gr2st_napari._opening import open_path

    layers: list[Any] = []
    for one in [path] if isinstance(path, str) else path:
        try:
            opened = open_path(one)
        except Gr2stError as error:
            _tell(str(error))
        else:
            layers += layers_of(opened)
            _hint(opened)
    return layers or [(None,)]


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
    from gr2st import Gr2stError, read_study

    try:
        return bool(read_study(path).entries)
    except Gr2stError:
        return False


def _tell(sentence: str) -> None:
    from napari.utils.notifications import show_error

    show_error(sentence)


def _hint(opened: Opened) -> None:
    from napari.utils.notifications import show_info

    show_info(" ".join((*opened.notes, "Choose genes in the dock: Plugins > GR2ST > Genes.")))
