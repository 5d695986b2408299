"""Watches a training of any method for trainable parameters that never learn."""

from __future__ import annotations

import weakref
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle


class ParameterWatch:
    """A context in which modules and optimisers are watched, whoever makes them.

    A parameter learns if a step of an optimiser meets a gradient of it that is not zero (decay
    alone moves it, but is no learning) or, where a method updates by itself, if its values change
    after the first epoch. Parameters of modules that are gone by the last epoch do not count.
    """

    def __init__(self) -> None:
        self._modules: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._parameters: dict[int, Tensor] = {}  # held, so that an id is never used again
        self._names: dict[int, str] = {}
        self._learned: set[int] = set()
        self._optimised: set[int] = set()
        self._asked: set[int] = set()
        self._first_values: dict[int, Tensor] = {}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Self:
        self._handles = [
            register_module_parameter_registration_hook(self._on_registration),
            register_module_module_registration_hook(self._on_registration),
            register_optimizer_step_pre_hook(self._on_step),
        ]
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    @property
    def idle(self) -> tuple[str, ...]:
        """Names of trainable parameters that never learned, sorted."""
        wanted = (self._asked | self._optimised) - self._learned
        return tuple(sorted(self._names.get(key, "a parameter of no module") for key in wanted))

    def after_epoch(self, epoch: int, n_epochs: int, _loss: float) -> None:
        """The ticker of the training: looks at values after the first and the last epoch."""
        if epoch not in (1, n_epochs):
            return
        for key, parameter in self._alive().items():
            self._asked.add(key)
            before = self._first_values.get(key)
            if before is None:
                self._first_values[key] = parameter.detach().clone()
            elif key not in self._optimised and not torch.equal(before, parameter.detach()):
                self._learned.add(key)

    def _on_registration(self, module: nn.Module, _name: str, _part: object) -> None:
        self._modules.add(module)

    def _on_step(self, optimiser: Optimizer, _args: Any, _kwargs: Any) -> None:
        self._alive()
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                key = id(parameter)
                self._parameters[key] = parameter
                if not parameter.requires_grad:
                    continue
                self._optimised.add(key)
                grad = parameter.grad
                if key not in self._learned and grad is not None and bool(grad.any()):
                    self._learned.add(key)

    def _alive(self) -> dict[int, Tensor]:
        """Trainable parameters of the modules that are there, with names from the outermost."""
        modules = list(self._modules)
        inner = {id(child) for module in modules for child in module.children()}
        found: dict[int, Tensor] = {}
        for module in modules:
            if id(module) in inner:
                continue
            for name, parameter in module.named_parameters():
                if parameter.requires_grad:
                    found[id(parameter)] = parameter
                    self._names.setdefault(id(parameter), f"{type(module).__name__}.{name}")
        self._parameters.update(found)
        return found
