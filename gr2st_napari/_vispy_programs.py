"""Keeps vispy from building a mesh's shader program anew whenever its size or colour is set.

Each update hands the mesh a new function that passes its colour through, and a new function means a new program (vispy
issue 2568, open in vispy 0.17). napari draws the boxes behind titles and colour bars as meshes and sets them at every
gene; that was a fifth of the time a gene switch took. A test counts the programs: it tells when this can go.
"""

from __future__ import annotations

from typing import Any

from vispy.visuals.mesh import MeshVisual
from vispy.visuals.shaders import Function

PASS_THROUGH = Function("vec4 pass(vec4 color) { return color; }")

_build = getattr(MeshVisual, "_build_color_transform", None)


def keep_programs() -> None:
    """Give every mesh with plain colours the same function; without effect where vispy has changed."""
    if _build is not None:
        MeshVisual._build_color_transform = _color_transform


def _color_transform(mesh: MeshVisual, colors: Any) -> Any:
    holds_values = colors.ndim == 2 and colors.shape[1] == 1
    return _build(mesh, colors) if holds_values and _build is not None else PASS_THROUGH
