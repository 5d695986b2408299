"""Relational distillation: how the vectors of a triple's ends lie to each other.

Lengths and angles are compared, never vectors, so that teacher and student may differ in size.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, embedding, huber_loss


def distance_term(teacher: Tensor, student: Tensor) -> Tensor:
    """Mean Huber loss of the lengths, each scaled by its mean over the batch.

    Args:
        teacher: Differences ``h - t``, [b, teacher_dim].
        student: Of the same triples, [b, student_dim].

    Reference: Park et al., Relational Knowledge Distillation, CVPR 2019, equations 4-6.
    """
    scaled = []
    for gaps in (teacher, student):
        lengths = torch.linalg.vector_norm(gaps, dim=1)
        scaled.append(lengths / lengths.mean().clamp_min(1e-12))
    return huber_loss(scaled[1], scaled[0])


def angle_term(teacher: Tensor, student: Tensor, relations: Tensor) -> Tensor:
    """Mean Huber loss of the cosines between triples of one relation.

    Every triple is compared with the next one of its relation in the batch, the last with none;
    without two such triples the loss is zero.

    Args:
        teacher: Differences ``t - h``, [b, teacher_dim].
        student: Of the same triples, [b, student_dim].
        relations: Of the triples, [b].
    """
    first, second = same_relation_pairs(relations)
    if not len(first):
        return student.sum() * 0
    cosines = [cosine_similarity(gaps[first], gaps[second]) for gaps in (teacher, student)]
    return huber_loss(cosines[1], cosines[0])


def same_relation_pairs(relations: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of triples and of the next one with the same relation, [n_pairs] each."""
    ordered, order = torch.sort(relations, stable=True)
    place = torch.nonzero(ordered[1:] == ordered[:-1]).squeeze(1)
    return order[place], order[place + 1]


def distillation_loss(
    teacher: Tensor, student: Tensor, triples: Tensor, angle_weight: float
) -> Tensor:
    """Distance term and weighted angle term of a batch of triples.

    Args:
        teacher: Vectors of all entities, through which no gradient passes, [n_entities, dim].
        student: Of the same entities, [n_entities, any].
        triples: (head, relation, tail), [b, 3].
        angle_weight: 2 in Park et al.
    """
    heads, relations, tails = triples.unbind(1)
    of_teacher, of_student = (
        embedding(tails, vectors) - embedding(heads, vectors)
        for vectors in (teacher.detach(), student)
    )
    loss = distance_term(of_teacher, of_student)
    if angle_weight:
        loss = loss + angle_weight * angle_term(of_teacher, of_student, relations)
    return loss
