"""Networks of one make as the rows of one matrix: one forward pass, one backward pass and one step of Adam for all.

A section of 300 spots is too little work for a GPU; the same section shown to all networks at once is not. Rows keep
to themselves: no number of one network enters another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import isqrt
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from gr2st.graph.masks import PAIRS_AT_ONCE
from gr2st.models.plain import plain_operations
from gr2st.training.precision import forward_in, products_in

if TYPE_CHECKING:
    from gr2st.config import Precision
    from gr2st.models.base import Batch, SpotModel


MOST_SPOTS = isqrt(PAIRS_AT_ONCE)
"""Spots of a section that a stack can be shown. A larger one keeps a GPU busy by itself; its graphs are made in blocks,
which no stack can follow."""


ALIGNED = 32
"""Numbers of float32 in 128 bytes: rows begin, and most parameters in them, where a GPU reads fastest."""


class Stack:
    """Parameters of several networks, and their training step.

    Parameters
    ----------
    template : SpotModel
        Its code computes for all; its position tables are at least as long as those of every member, its own
        parameters are not used.
    members : iterable of SpotModel
        Networks to start from, read one after the other. Shorter tables are filled up with zeros, which are never
        looked up and never change.

    Attributes
    ----------
    rows : tuple of Tensor
        What each network learns, as one vector; views of one matrix, for the optimiser.
    """

    def __init__(self, template: SpotModel, members: Iterable[SpotModel]) -> None:
        self._template = _Losses(template.train())
        self._shapes = {name: value.shape for name, value in template.named_parameters()}
        learned = [name for name, value in template.named_parameters() if value.requires_grad]
        self._learned = sorted(learned, key=lambda name: self._shapes[name].numel() % ALIGNED > 0)
        rows, fixed = zip(*map(self._parts, members), strict=True)
        self._matrix = torch.stack(rows)
        self._fixed = {name: torch.stack([values[name] for values in fixed]) for name in fixed[0]}
        self._places: dict[tuple[bool, ...], Tensor] = {}
        self.rows = tuple(self._matrix.unbind())

    def __len__(self) -> int:
        return len(self.rows)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Loss of every network on one section: (networks,) under "loss", and under the name of each part."""
        return self._losses(batch, *self._of_those([True] * len(self)))

    def _losses(self, batch: Batch, matrix: Tensor, fixed: Mapping[str, Tensor]) -> dict[str, Tensor]:
        parameters = {**self._parameters(matrix), **fixed}
        values = {f"{_Losses.INSIDE}.{name}": value for name, value in parameters.items()}
        of_one = partial(_losses_with, self._template, batch)
        with plain_operations():
            losses: dict[str, Tensor] = vmap(of_one, randomness="different")(values)
        return losses

    def step(
        self, batch: Batch, learns: Sequence[bool], optimiser: torch.optim.Optimizer, precision: Precision = "float32"
    ) -> dict[str, Tensor]:
        """One step of the networks that may learn from this section, at least one; the others are not shown it.

        Returns
        -------
        mapping to (networks,)
            The losses before the step, still on the device; not a number where the section is held out.
        """
        matrix, fixed = self._of_those(learns)
        with products_in(precision):
            with forward_in(precision, matrix.device):
                losses = self._losses(batch, matrix, fixed)
            (gradient,) = torch.autograd.grad(losses["loss"].sum(), matrix)
        learners = [row for row, may_learn in zip(self.rows, learns, strict=True) if may_learn]
        for row, own in zip(learners, gradient.unbind(), strict=True):
            row.grad = own
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return {name: self._spread(loss.detach(), learns) for name, loss in losses.items()}

    def _of_those(self, learns: Sequence[bool]) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What these networks learn, as a matrix that a gradient can be taken for, and their parameters that stay."""
        if all(learns):
            return self._matrix.detach().requires_grad_(), self._fixed
        place = self._place(learns)
        matrix = self._matrix.index_select(0, place).requires_grad_()
        return matrix, {name: value.index_select(0, place) for name, value in self._fixed.items()}

    def _spread(self, losses: Tensor, learns: Sequence[bool]) -> Tensor:
        """Losses of some networks in their places among those of all."""
        if all(learns):
            return losses
        return losses.new_full((len(self),), torch.nan).index_copy(0, self._place(learns), losses)

    def _place(self, learns: Sequence[bool]) -> Tensor:
        """Rows of these networks; made once, for a GPU waits where it is told numbers."""
        key = tuple(learns)
        if key not in self._places:
            rows = [row for row, may_learn in enumerate(learns) if may_learn]
            self._places[key] = torch.tensor(rows, device=self._matrix.device)
        return self._places[key]

    @torch.no_grad()
    def load_into(self, member: SpotModel, number: int) -> None:
        """Give a network of the same make the parameters of one row."""
        for name, value in {**self._parameters(self._matrix), **self._fixed}.items():
            own = member.get_parameter(name)
            own.copy_(value[number][tuple(map(slice, own.shape))])

    def _parts(self, member: SpotModel) -> tuple[Tensor, dict[str, Tensor]]:
        """What a network learns, as one vector, and its parameters that stay."""
        values = {name: _filled_up(value.detach(), self._shapes[name]) for name, value in member.named_parameters()}
        learned = torch.cat([values.pop(name).flatten() for name in self._learned])
        return nn.functional.pad(learned, (0, -len(learned) % ALIGNED)), values

    def _parameters(self, matrix: Tensor) -> Mapping[str, Tensor]:
        """The parameters that rows (networks, ...) hold, by name: (networks, ...) each."""
        shapes = [self._shapes[name] for name in self._learned]
        widths = [shape.numel() for shape in shapes]
        *columns, _ = torch.split(matrix, [*widths, matrix.shape[1] - sum(widths)], dim=1)
        return {
            name: column.view(-1, *shape) for name, column, shape in zip(self._learned, columns, shapes, strict=True)
        }


class _Losses(nn.Module):
    """A model whose forward pass is its loss, as `functional_call` wants it."""

    INSIDE = "model"

    def __init__(self, model: SpotModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        loss = self.model.loss(batch)
        return {"loss": loss.total, **loss.parts}


def _losses_with(template: _Losses, batch: Batch, values: dict[str, Tensor]) -> Any:
    return functional_call(template, values, (batch,))


def _filled_up(value: Tensor, shape: torch.Size) -> Tensor:
    if value.shape == shape:
        return value
    filled = value.new_zeros(shape)
    filled[tuple(map(slice, value.shape))] = value
    return filled
