"""File > Open Sample: the synthetic section that comes with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gr2st_napari._layers import LayerTuple


def sample_section() -> list[LayerTuple]:
    """Layers of the first sample section."""
    from gr2st import sample_study_path
    from gr2st_napari._reader import read

    return read(str(sample_study_path()))
