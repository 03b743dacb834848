"""Links, stripes and plots can be read in every theme."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QVBoxLayout, QWidget

from gr2st_napari.views.card import STRIPES
from gr2st_napari.views.links import LinkLabel
from gr2st_napari.views.results_plots import DotPlot
from gr2st_napari.views.spot_plots import ThemedPlot

pytestmark = pytest.mark.window

LIGHT, DARK = "#ebe7e6", "#262930"
"""Backgrounds of napari's two themes."""


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_link_has_the_colour_of_words_also_when_the_theme_changes(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    label = LinkLabel("Saved B1.svg · <a href='folder'>show folder</a>", parent=window)
    QVBoxLayout(window).addWidget(label)
    window.show()
    for ink in ("#f0f1f2", "#3b3a39"):
        window.setStyleSheet(f"QWidget {{ color: {ink}; }}")
        qtbot.waitUntil(lambda ink=ink: f"<a style='color: {ink}' href='folder'>" in label.text())


@pytest.mark.parametrize("background", [LIGHT, DARK])
def test_the_stripe_of_a_card_stands_out_from_each_theme(background):
    assert min(_contrast(colour, background) for colour in STRIPES.values()) > 2.5


@pytest.mark.parametrize("make", [lambda: DotPlot("dots"), lambda: ThemedPlot("plot", 100)])
def test_the_ground_of_a_plot_follows_the_theme(qtbot, make):
    window = QWidget()
    qtbot.addWidget(window)
    plot = make()
    QVBoxLayout(window).addWidget(plot)
    window.resize(300, 300)
    window.show()
    shown = []
    for ground, ink in ((LIGHT, "#3b3a39"), (DARK, "#f0f1f2")):
        window.setStyleSheet(f"QWidget {{ background-color: {ground}; color: {ink}; }}")
        qtbot.waitUntil(lambda ink=ink: plot.ink.name() == ink)
        image = plot.grab().toImage()
        shown.append(image.pixelColor(image.width() - 4, image.height() - 4).name())
    assert shown == [LIGHT, DARK]
