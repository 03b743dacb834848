"""What every registered model must do: one function, run over the registry."""

from __future__ import annotations

from dataclasses import fields, replace

import torch
from torch import Tensor

from gr2st.models.base import Answer, Attention, Bank, Batch, SpotModel
from gr2st.registry import ModelSpec, load

N_GENES, N_FEATURES, GRID = 9, 12, 16
FIELDS = {field.name for field in fields(Batch)} - {"section"}
TRUTH = {"spot_expression", "gene_expression"}


def toy_batch(section: str, *, n: int = 30, seed: int = 0) -> Batch:
    """A complete batch of random numbers; the same for the same seed."""
    made = torch.Generator().manual_seed(seed)
    cells = torch.randperm(100, generator=made)[:n]
    grid = torch.stack([cells % 10, cells // 10], dim=1)
    return Batch(
        section=section,
        features=torch.randn(n, N_FEATURES, generator=made),
        grid=grid,
        position=grid.double(),
        cell_type=torch.randint(0, 6, (n,), generator=made),
        spot_expression=torch.rand(n, N_GENES, generator=made),
        gene_expression=torch.rand(n, N_GENES, generator=made),
        depth=torch.randint(1, 500, (n,), generator=made).float(),
    )


def shown(batch: Batch, names: frozenset[str]) -> Batch:
    """The batch with all fields but the named ones taken away."""
    return replace(batch, **dict.fromkeys(FIELDS - names))


def build(spec: ModelSpec) -> SpotModel:
    """A fresh, untrained model of a specification."""
    torch.manual_seed(0)
    model: SpotModel = load(spec.factory)(spec.config, n_genes=N_GENES, n_features=N_FEATURES, grid_size=GRID)
    return model


def trained(spec: ModelSpec) -> SpotModel:
    """A model led through its whole life on two sections, seeing only what it declared."""
    model = build(spec)
    seen = model.needs | model.learns_from
    batches = [shown(toy_batch(name, seed=seed), seen) for seed, name in enumerate(("A1", "A2"))]
    if spec.training.epochs:
        learn(model, batches)
    model.eval()
    for batch in batches:
        model.remember(batch)
    model.conclude()
    return model


def learn(model: SpotModel, batches: list[Batch]) -> None:
    """Two steps; each loss is a finite scalar that moves the parameters."""
    model.train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for batch in batches:
        loss = model.loss(batch)
        assert loss.total.shape == ()
        assert all(torch.isfinite(torch.tensor(value)) for value in loss.numbers().values())
        optimiser.zero_grad(set_to_none=True)
        loss.total.backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
        optimiser.step()
    assert any(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


def check_model(spec: ModelSpec) -> None:
    """Assert the contract of `SpotModel` for one specification of the registry."""
    model = trained(spec)
    test = toy_batch("B1", n=20, seed=5)
    blind = shown(test, model.needs)

    check_declarations(model)
    answer = model.predict(blind)
    check_answer(model, answer, len(blind_rows(blind)))
    check_same(answer, model.predict(blind), "two predictions of one batch differ")
    check_same(answer, model.predict(with_other_truth(test, model.needs)), "the test section's expression was read")
    check_same(answer, reloaded(spec, model).predict(blind), "a stored model predicts something else")
    assert not any(parameter.grad_fn for parameter in model.parameters())
    check_reasons(answer, len(blind_rows(blind)))
    check_looks(model, test, blind)
    for name, attention in model.attention(test).items():
        check_attention(name, attention, n=20)


def check_declarations(model: SpotModel) -> None:
    assert model.needs, "a model must say what it reads"
    assert model.needs | model.learns_from <= FIELDS
    assert "cell_type" in type(model).learns_from or "cell_type" not in model.needs | model.learns_from
    assert not model.needs & TRUTH, "a model may not ask for expression when it predicts"


def check_answer(model: SpotModel, answer: Answer, n: int) -> None:
    assert answer.expression.shape == (n, N_GENES)
    assert answer.expression.isfinite().all()
    assert not answer.expression.requires_grad
    assert answer.space in {"spot", "gene", "mixed"}
    if answer.confidence is not None:
        assert answer.confidence.shape == (n,)
        assert ((answer.confidence >= 0) & (answer.confidence <= 1)).all()
    if answer.reference is not None:
        check_reference(model.bank, answer)


def check_reference(bank: Bank | None, answer: Answer) -> None:
    """The rows behind a prediction exist, are named, and share a weight of 1."""
    assert bank is not None
    assert answer.reference is not None and answer.reference_weight is not None
    assert len(bank.key) == len(bank.value) == len(bank.section) == len(bank.spot) == 60
    assert bank.section[0] == "A1" and bank.section[-1] == "A2" and bank.spot[30] == 0
    assert answer.reference_distance is not None and answer.reference_similarity is not None
    shapes = {part.shape for part in (answer.reference_weight, answer.reference_distance, answer.reference_similarity)}
    assert shapes == {answer.reference.shape}
    assert (answer.reference_distance >= 0).all()
    assert answer.reference_similarity.abs().max() <= 1 + 1e-5
    assert answer.spread is not None, "a model with references tells how far they are apart"
    assert int(answer.reference.min()) >= 0 and int(answer.reference.max()) < len(bank.key)
    torch.testing.assert_close(answer.reference_weight.sum(dim=1), torch.ones(len(answer.reference)))


def check_reasons(answer: Answer, n: int) -> None:
    """What stands behind a prediction has its shape, is finite and is no less than 0."""
    for values in (answer.spread, answer.disagreement):
        if values is not None:
            assert values.shape == (n, N_GENES)
            assert values.isfinite().all() and (values >= 0).all()
    if answer.experts is not None:
        assert len(answer.experts) == n
        torch.testing.assert_close(answer.experts.sum(dim=1), torch.ones(n))
    assert not answer.shares or abs(sum(answer.shares.values()) - 1) < 1e-12


def check_looks(model: SpotModel, test: Batch, blind: Batch) -> None:
    """What a model says it sees of the pictures is there for a blind batch, and knows nothing of the expression."""
    seen = model.looks_at(blind)
    assert seen is None or seen.shape == (len(blind_rows(blind)), N_FEATURES)
    assert seen is None or torch.equal(seen, model.looks_at(with_other_truth(test, model.needs)))


def check_attention(name: str, attention: Attention, *, n: int) -> None:
    first, source, weight = attention.first, attention.source, attention.weight
    assert first.shape == (n + 1,) and int(first[0]) == 0 and int(first[-1]) == len(source) == len(weight), name
    assert int(source.min()) >= 0 and int(source.max()) < n, name
    assert weight.dtype == torch.float32 and (weight > 0).all(), name
    for row in range(n):
        own = slice(int(first[row]), int(first[row + 1]))
        assert (source[own].diff() > 0).all() and row not in source[own].tolist(), name
        assert float(weight[own].sum()) < 1 + 1e-6, name


def check_same(one: Answer, other: Answer, message: str) -> None:
    assert torch.equal(one.expression, other.expression), message


def blind_rows(batch: Batch) -> Tensor:
    rows = next(getattr(batch, name) for name in sorted(FIELDS) if getattr(batch, name) is not None)
    assert isinstance(rows, Tensor)
    return rows


def with_other_truth(batch: Batch, needs: frozenset[str]) -> Batch:
    """The batch with what the model needs as it was, and a different expression in full view."""
    return replace(
        shown(batch, needs),
        spot_expression=batch.spot_expression * 3 + 1,
        gene_expression=batch.gene_expression * 5 + 2,
    )


def reloaded(spec: ModelSpec, model: SpotModel) -> SpotModel:
    """A fresh model with the state and the bank of another, as a stored one is read."""
    fresh = build(spec)
    fresh.load_state_dict(model.state_dict(), strict=True)
    fresh.bank = model.bank
    return fresh.eval()
