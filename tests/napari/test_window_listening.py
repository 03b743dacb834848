"""Widgets hear of news while they live, and are let go of."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from napari.utils.events import EmitterGroup
from psygnal import Signal
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

from gr2st_napari._listening import listen


class Events:
    told = Signal(int)


class Ear(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    def hear(self, news: int) -> None:
        self.heard.append(news)

    def hear_something(self) -> None:
        self.heard.append("something")


def test_a_widget_hears_as_much_as_it_takes(qapp) -> None:
    ear, events = Ear(), Events()
    listen((events.told, ear.hear), (events.told, ear.hear_something))
    events.told.emit(3)
    assert ear.heard == [3, "something"]


def test_napari_s_own_events_are_heard_too(qapp) -> None:
    ear, events = Ear(), EmitterGroup(theme=None)
    listen((events.theme, ear.hear))
    events.theme(value="light")
    assert [event.value for event in ear.heard] == ["light"]


def test_a_widget_that_qt_has_taken_apart_is_not_called(qapp) -> None:
    ear, events = Ear(), Events()
    listen((events.told, ear.hear))
    ear.deleteLater()
    qapp.sendPostedEvents(None, QEvent.DeferredDelete)
    events.told.emit(3)
    assert not ear.heard


def test_who_listens_is_let_go_of_and_leaves_nothing_behind(qapp) -> None:
    ear, events = Ear(), Events()
    listen((events.told, ear.hear))
    gone = weakref.ref(ear)
    del ear
    gc.collect()
    assert gone() is None
    assert not len(events.told)
