"""Settings explain themselves: a window shows what is said here."""

from __future__ import annotations

import pytest

from gr2st.config import GeneChoice, PatchConfig, Recipe, Settings, TrainConfig
from gr2st.registry import MODELS

SHOWN = [GeneChoice, PatchConfig, Recipe, TrainConfig, *dict.fromkeys(type(spec.config) for spec in MODELS.values())]


@pytest.mark.parametrize("settings", SHOWN, ids=lambda settings: settings.__name__)
def test_every_setting_is_described_in_a_sentence(settings: type[Settings]) -> None:
    without = [name for name, field in settings.model_fields.items() if not (field.description or "").endswith(".")]
    assert without == []
