"""Every model of the registry keeps the contract."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gr2st.errors import DataError
from gr2st.registry import MODELS, ModelSpec
from tests.contracts import build, check_model, shown, toy_batch, trained

SPECS = [pytest.param(spec, id=name) for name, spec in MODELS.items()]
TRAINED = [pytest.param(spec, id=name) for name, spec in MODELS.items() if spec.training.epochs]
LEARNERS = [pytest.param(spec, id=name) for name, spec in MODELS.items() if not spec.is_oracle]


@pytest.mark.parametrize("spec", SPECS)
def test_a_registered_model_keeps_the_contract(spec: ModelSpec):
    check_model(spec)


@pytest.mark.parametrize("spec", SPECS)
def test_a_field_that_is_missing_is_named(spec: ModelSpec):
    model = trained(spec)
    for name in model.needs:
        with pytest.raises(DataError, match=rf"'B1'.*{name} is not there"):
            model.predict(replace(shown(toy_batch("B1"), model.needs), **{name: None}))


@pytest.mark.parametrize("spec", LEARNERS)
def test_a_model_that_has_learned_nothing_does_not_predict(spec: ModelSpec):
    model = build(spec).eval()
    with pytest.raises(DataError, match="remember"):
        model.predict(shown(toy_batch("B1"), model.needs))


@pytest.mark.parametrize("spec", TRAINED)
def test_the_same_seed_gives_the_same_training(spec: ModelSpec):
    blind = shown(toy_batch("B1", seed=5), build(spec).needs)
    assert torch.equal(trained(spec).predict(blind).expression, trained(spec).predict(blind).expression)
