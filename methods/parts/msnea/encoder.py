"""MSNEA's encoder: entity table, images through two layers, attributes under an image's eye."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmea_bench.methods.core.base import Embeddings, RunContext
from mmea_bench.methods.core.inputs.graphs.joint_graph import JointGraph
from mmea_bench.methods.core.inputs.graphs.triple_sets import n_own_relations
from mmea_bench.methods.core.layers.encoders import Linear, xavier_linear, xavier_normal
from mmea_bench.methods.core.siamese.unit_vectors import unit_rows
from mmea_bench.methods.parts.msnea.attribute_lists import AttributeLists, ListedAttributes

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the encoder is given besides the graph.

    Attributes:
        images: Zero rows where lacking, [n_entities, image dim]; None without images.
        lists: Attribute lists; None without attributes.
        names: Vectors of attribute names, [n_attributes, text dim].
    """

    images: Tensor | None
    lists: AttributeLists | None
    names: Tensor


@dataclass(frozen=True)
class EncoderParams:
    """Sizes and parts of the encoder; see ``MSNEAParams``."""

    dim: int
    output: tuple[str, ...]
    with_values: bool
    padding_counts: bool
    guided_relations: bool
    guided_attributes: bool


class AttributeView(nn.Module):
    """``a = sum_j alpha_j t_j``: an entity's attributes, weighed by its image.

    ``t = W [u; v] + b`` with u a linear map of the attribute name's vector and v the logistic
    function of the value in every one of dim columns; ``alpha`` is softmaxed over ``t . i`` and, as
    in the released code, over the padding of the list, which has logit 0 and the token of a zero
    name vector and the value 0.

    Args:
        lists: Attribute lists of all entities.
        names: Vectors of attribute names, [n_attributes, text dim].
        params: Size; whether values and padding count.
        generator: CPU generator of the initial values.
    """

    def __init__(
        self,
        lists: AttributeLists,
        names: Tensor,
        params: EncoderParams,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        dim = params.dim
        self._lists, self._names, self._padding_counts = lists, names, params.padding_counts
        self.of_name = xavier_linear(names.shape[1], dim, generator)
        width = 2 * dim if params.with_values else dim
        self.of_item = xavier_linear(width, dim, generator)

    def forward(self, rows: Tensor, guide: Tensor | None) -> Tensor:
        """Attribute vectors, [n, dim], not normalised.

        Args:
            rows: Joint ids, [n].
            guide: Image vectors ``i``, [n, dim]; None gives every item the same weight.
        """
        listed = self._lists.of(rows)
        tokens = self.tokens()
        return attended(listed, tokens, guide, padding_counts=self._padding_counts)

    def tokens(self) -> Tokens:
        """What the token of an item is made of."""
        dim = self.of_name.weight.shape[1]
        weight = self.of_item.weight
        by_name = self.of_name(self._names) @ weight[:dim] + self.of_item.bias
        padding = self.of_name.bias @ weight[:dim] + self.of_item.bias
        if len(weight) == dim:
            return Tokens(by_name, None, padding)
        # Equal columns of v meet the sum of their weights; the logistic function of 0 is 1/2.
        of_value = weight[dim:].sum(dim=0)
        return Tokens(by_name, of_value, padding + of_value / 2)


@dataclass(frozen=True, eq=False)
class Tokens:
    """The token of an item with attribute a and value v is ``by_name[a] + v of_value``.

    Attributes:
        by_name: [n_attributes, dim].
        of_value: [dim]; None without values.
        padding: Token of all padding, whose logit is 0, [dim].
    """

    by_name: Tensor
    of_value: Tensor | None
    padding: Tensor


def attended(
    listed: ListedAttributes, tokens: Tokens, guide: Tensor | None, *, padding_counts: bool
) -> Tensor:
    """Softmax-weighted sums of the items of each entity, [n, dim]; zero without anything.

    Logits and sums are taken apart into attribute and value, so that no item has a vector of its
    own: a few hundred attributes stand for tens of thousands of items.

    Args:
        listed: Lists of n entities.
        tokens: Of attributes, values and padding.
        guide: Whose inner products with the tokens are the logits, [n, dim]; None gives every item
            the logit 0.
        padding_counts: Whether padding takes part.
    """
    pattern, owners, of_value = listed.pattern, listed.owners, tokens.of_value
    logits = tokens.by_name.new_zeros(pattern.n_edges)
    if guide is not None:
        logits = pattern.inner_products(guide, tokens.by_name)
        if of_value is not None:
            logits = logits + listed.values * (guide @ of_value).index_select(0, owners)
    n = len(listed.n_padding)
    top = torch.full((n,), 0.0 if padding_counts else -torch.inf).to(logits)
    top = top.scatter_reduce(0, owners, logits.detach(), "amax")
    weights = torch.exp(logits - top.index_select(0, owners))
    sums, total = pattern.product(weights, tokens.by_name), pattern.row_sums(weights)
    if of_value is not None:
        sums = sums + pattern.row_sums(weights * listed.values).unsqueeze(1) * of_value
    if padding_counts:
        of_padding = listed.n_padding * torch.exp(-top)
        sums, total = sums + of_padding.unsqueeze(1) * tokens.padding, total + of_padding
    return sums / total.clamp_min(torch.finfo(total.dtype).tiny).unsqueeze(1)


class SiameseEncoder(nn.Module):
    """Structure, image and attribute view of an entity, and the fused vector.

    Args:
        graph: Union graph; relations of equal name in both KGs are two.
        inputs: Images and attributes.
        params: Sizes and parts.
        ctx: Device and generator.

    Attributes:
        names: Views at hand, in the order of the fused vector.
    """

    def __init__(
        self, graph: JointGraph, inputs: Inputs, params: EncoderParams, ctx: RunContext
    ) -> None:
        super().__init__()
        generator = ctx.generator("initial values")
        dim = params.dim
        self.graph, self._images, self._params = graph, inputs.images, params
        self.entities = nn.Parameter(xavier_normal((graph.n_entities, dim), generator))
        self.relations = nn.Parameter(xavier_normal((n_own_relations(graph), dim), generator))
        self.of_image: Linear | None = None
        self.of_moved_image: Linear | None = None
        images = inputs.images
        guides = inputs.lists is not None and "attribute" in params.output
        if images is not None:
            if "image" in params.output or (guides and params.guided_attributes):
                self.of_image = xavier_linear(images.shape[1], dim, generator)
            if params.guided_relations:
                self.of_moved_image = xavier_linear(images.shape[1], dim, generator)
        self.attributes: AttributeView | None = None
        if inputs.lists is not None and guides:
            self.attributes = AttributeView(inputs.lists, inputs.names, params, generator)
        have = {
            "structure": True,
            "image": self.of_image is not None,
            "attribute": self.attributes is not None,
        }
        self.names = tuple(name for name, has in have.items() if has and name in params.output)

    def moved_images(self, rows: Tensor) -> Tensor | None:
        """Image vectors of the second TransE, [n, dim], L2-normalised; None without one."""
        return self._image_rows(self.of_moved_image, rows)

    def views(self, rows: Tensor, structure: Tensor) -> dict[str, Tensor]:
        """Vectors by view, [n, dim] each; those of attributes are not normalised.

        Args:
            rows: Joint ids, [n].
            structure: Their L2-normalised rows of the entity table, [n, dim].
        """
        found = {"structure": structure}
        image = self._image_rows(self.of_image, rows)
        if image is not None:
            found["image"] = image
        if self.attributes is not None:
            guide = image if self._params.guided_attributes else None
            found["attribute"] = self.attributes(rows, guide)
        return {name: found[name] for name in self.names}

    def _image_rows(self, layer: Linear | None, rows: Tensor) -> Tensor | None:
        if layer is None or self._images is None:
            return None
        images = self._images.index_select(0, rows)
        return unit_rows(torch.addmm(layer.bias, images, layer.weight))

    def pairs_with(self, _pairs: Tensor) -> Mapping[str, int]:
        """Nothing: every seed counts in every view, whatever it lacks."""
        return {}

    @torch.no_grad()
    def all_views(self) -> dict[str, Tensor]:
        """Vectors of all entities by view, [n_entities, dim] each."""
        table = normalize(self.entities, dim=1)
        everyone = torch.arange(len(table), device=table.device)
        parts = [self.views(rows, table[rows]) for rows in torch.split(everyone, _ROWS_AT_ONCE)]
        return {name: torch.cat([part[name] for part in parts]) for name in self.names}

    def joint_vectors(self) -> Tensor:
        """Fused vectors of all entities, without gradients, [n_entities, views x dim]."""
        return fused(self.all_views())

    def embeddings(self) -> Embeddings:
        """Current vectors of all entities."""
        views = self.all_views()
        return self.graph.split(fused(views), "inner", views)  # of vectors of length 1


def fused(views: Mapping[str, Tensor]) -> Tensor:
    """``normalise([r; i; a])``, [n, views x dim]."""
    return normalize(torch.cat(list(views.values()), dim=1), dim=1)
