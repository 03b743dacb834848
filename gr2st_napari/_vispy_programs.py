"""Keeps vispy from doing anew what it did before for shader programs that are the same as before.

Each update hands a mesh a new function that passes its colour through, and a new function means a new program (vispy
issue 2568, open in vispy 0.17). napari draws the boxes behind titles and colour bars as meshes and sets them at every
gene; that was a fifth of the time a gene switch took. And a layer that comes into another cell of the canvas has its
program compiled anew, often to the letter as it was; that was a fifth of the time two maps took to stand side by side.
What is left is a program for each way of standing in the canvas, and most of its time is not the driver's: it is vispy
that reads the code again, line by line, three times. A test counts the programs: it tells when this can go.
"""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from vispy.gloo import glir
from vispy.gloo.program import Program
from vispy.visuals.mesh import MeshVisual
from vispy.visuals.shaders import Function, ModularProgram

PASS_THROUGH = Function("vec4 pass(vec4 color) { return color; }")
PROGRAMS = 512
"""How many programs are remembered; a window with all of our layers has some sixty."""

DECLARED = ("uniform", "attribute", "varying", "const", "in ", "out ")
CHANGED = ("#version", "#extension", "precision ", " highp ", " mediump ", " lowp ")
"""What vispy looks for in each line."""

_build = getattr(MeshVisual, "_build_color_transform", None)
_set_shaders = ModularProgram.set_shaders
_convert = glir.convert_shader
_read_variables = Program._parse_variables_from_code


def keep_programs() -> None:
    """Give every mesh with plain colours the same function, and compile and read no program that has not changed."""
    if _build is not None:  # without effect where vispy has changed
        MeshVisual._build_color_transform = _color_transform
    ModularProgram.set_shaders = _set_changed_shaders
    Program._parse_variables_from_code = _remember_variables
    glir.convert_shader = _convert_plain
    glir.GlirProgram._get_active_attributes_and_uniforms = _nothing_unset


def _color_transform(mesh: MeshVisual, colors: Any) -> Any:
    holds_values = colors.ndim == 2 and colors.shape[1] == 1
    return _build(mesh, colors) if holds_values and _build is not None else PASS_THROUGH


def _set_changed_shaders(program: ModularProgram, vert: str, frag: str, geom: str | None = None, **how: Any) -> None:
    code = (vert, frag, geom)
    if getattr(program, "_gr2st_code", None) != code:
        _set_shaders(program, vert, frag, geom, **how)
        program._gr2st_code = code


def _remember_variables(program: Program, update_variables: bool = True) -> None:
    program._code_variables = dict(_variables_of(tuple(shader.code for shader in program._shaders)))
    if update_variables:
        program._process_pending_variables()


@lru_cache(PROGRAMS)
def _variables_of(code: tuple[str, ...]) -> dict[str, Any]:
    """The uniforms and attributes that vispy finds in the code of shaders; it is given the lines that declare them."""
    lines = (line for part in code for line in part.splitlines() if line.lstrip().startswith(DECLARED))
    program = SimpleNamespace(_shaders=[SimpleNamespace(code="\n".join(lines))])
    _read_variables(program, update_variables=False)
    return program._code_variables


@lru_cache(PROGRAMS)
def _convert_plain(backend: str, code: str) -> str:
    """The code for a desktop's driver. Where no line is to be changed, vispy need not look at each."""
    if backend != "desktop" or any(word in code for word in CHANGED):
        return _convert(backend, code)
    return "\n".join(("#version 120\n", *map(str.rstrip, code.lstrip().splitlines())))


def _nothing_unset(program: Any) -> set[str]:
    """Vispy asks the driver for each variable by name, for a warning where one is unset: half of the time of a link."""
    return set()
