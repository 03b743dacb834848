"""What is seen on the canvas, and a mouse over it that is told where it is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np


def shown_names(viewer) -> list[str]:
    """Names of the layers, without those of ours that wait, hidden, for the next comparison."""
    return [layer.name for layer in viewer.layers if layer.visible or "(predicted)" not in layer.name]


def shown_map(viewer, kind: str):
    """The heatmap that is shown."""
    return next(layer for layer in viewer.layers if f"· {kind}" in layer.name and layer.visible)


def mouse_event(position, button=1, pos=(10, 10)) -> SimpleNamespace:
    """What napari says of a mouse at a world position."""
    return SimpleNamespace(type="mouse_press", position=position, button=button, pos=np.array(pos))


def click_at(viewer, controller, position, *, moved=0) -> None:
    """Press and release there, after so many pixels."""
    event = mouse_event(position)
    steps = controller._pointer._on_press(viewer, event)
    next(steps, None)
    event.type, event.pos = "mouse_release", event.pos + moved
    assert next(steps, None) is None


def world_of(section, spot) -> tuple[float, float]:
    """Where a spot lies in the viewer."""
    x, y = section.table.obsm["spatial"][spot]
    return (0.5 * y, 0.5 * x)
