"""GMN's node vectors: an LSTM over the words of a name."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mmea_bench.methods.core.inputs.word_tables import WordTable
from mmea_bench.methods.core.layers.encoders import uniform_parameter
from mmea_bench.methods.core.layers.graph_layers import glorot_uniform
from mmea_bench.methods.parts.gmn.ragged import ragged_ranges


class NameLSTM(nn.Module):
    """The output of an LSTM at the last word of an entity's name.

    Word vectors are trained. Words without one start as a Glorot-uniform table of their own where a
    training graph has them; the rest are read as ``**UNK**``, and so are entities without a name.

    Args:
        words: Words of every entity's name.
        trained: Entities of the training graphs, [n].
        width: Columns of the output.
        generator: CPU generator of the initial values, Glorot-uniform.
    """

    def __init__(
        self, words: WordTable, trained: Tensor, width: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        values, known = torch.from_numpy(words.values), torch.from_numpy(words.known)
        starts, listed = torch.from_numpy(words.starts), torch.from_numpy(words.words)
        counts = starts.diff()
        dim = values.shape[1]
        kept = known.clone()
        kept[listed[ragged_ranges(starts[trained], counts[trained])]] = True
        # Row 0 is ``**UNK**``, which has no vector either.
        row = torch.where(kept, torch.cumsum(kept, dim=0), 0)
        bound = math.sqrt(6 / (int((kept & ~known).sum()) + 1 + dim))
        table = uniform_parameter((int(kept.sum()) + 1, dim), bound, generator)
        with torch.no_grad():
            table[row[known]] = values[known]
        self.table = table
        self.kernel = glorot_uniform(dim + width, 4 * width, generator)
        self.bias = nn.Parameter(torch.zeros(4 * width))
        self._width = width
        nameless = (counts == 0).long()
        self._lengths = counts + nameless
        self._starts = torch.cumsum(self._lengths, dim=0) - self._lengths
        self._rows = torch.zeros(int(self._lengths.sum()), dtype=torch.int64)
        self._rows[ragged_ranges(self._starts, counts)] = row[listed]

    def forward(self, entities: Tensor) -> Tensor:
        """Vectors of some entities' names, [n, width].

        Args:
            entities: Joint ids, [n].
        """
        device = self.table.device
        asked = entities.cpu()
        lengths = self._lengths[asked]
        # The longest come first, so that those that go on are always the first rows.
        order = torch.argsort(lengths, descending=True, stable=True)
        starts, lengths = self._starts[asked][order], lengths[order]
        n_going_on = (lengths.unsqueeze(0) > torch.arange(int(lengths.max())).unsqueeze(1)).sum(1)
        dim = self.table.shape[1]
        inputs, recurrent = self.kernel[:dim], self.kernel[dim:]
        state = torch.zeros(len(asked), self._width, device=device)
        cell = torch.zeros_like(state)
        for step, n_active in enumerate(n_going_on.tolist()):
            words = self._rows[starts[:n_active] + step].to(device)
            gates = self.table.index_select(0, words) @ inputs + state[:n_active] @ recurrent
            new, candidate, forget, output = (gates + self.bias).chunk(4, dim=1)
            # One is added to the forget gate, so that cells remember at first.
            kept = cell[:n_active] * torch.sigmoid(forget + 1.0)
            current = kept + torch.sigmoid(new) * torch.tanh(candidate)
            shown = torch.sigmoid(output) * torch.tanh(current)
            cell = torch.cat([current, cell[n_active:]])
            state = torch.cat([shown, state[n_active:]])
        back = torch.argsort(order).to(device)
        return state.index_select(0, back)
