"""Keeps vispy from building shader programs anew that are the same as before.

Each update hands a mesh a new function that passes its colour through, and a new function means a new program (vispy
issue 2568, open in vispy 0.17). napari draws the boxes behind titles and colour bars as meshes and sets them at every
gene; that was a fifth of the time a gene switch took. And a layer that comes into another cell of the canvas has its
program compiled anew, often to the letter as it was; that was a fifth of the time two maps took to stand side by side.
A test counts the programs: it tells when this can go.
"""

from __future__ import annotations

from typing import Any

from vispy.visuals.mesh import MeshVisual
from vispy.visuals.shaders import Function, ModularProgram

PASS_THROUGH = Function("vec4 pass(vec4 color) { return color; }")

_build = getattr(MeshVisual, "_build_color_transform", None)
_set_shaders = ModularProgram.set_shaders


def keep_programs() -> None:
    """Give every mesh with plain colours the same function, and compile no program that has not changed."""
    if _build is not None:  # without effect where vispy has changed
        MeshVisual._build_color_transform = _color_transform
    ModularProgram.set_shaders = _set_changed_shaders


def _color_transform(mesh: MeshVisual, colors: Any) -> Any:
    holds_values = colors.ndim == 2 and colors.shape[1] == 1
    return _build(mesh, colors) if holds_values and _build is not None else PASS_THROUGH


def _set_changed_shaders(program: ModularProgram, vert: str, frag: str, geom: str | None = None, **how: Any) -> None:
    code = (vert, frag, geom)
    if getattr(program, "_gr2st_code", None) != code:
        _set_shaders(program, vert, frag, geom, **how)
        program._gr2st_code = code
