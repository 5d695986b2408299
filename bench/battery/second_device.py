"""A pretend second device, so that the path to a GPU is checked where there is no GPU.

Inside ``second_device`` tensors that are made on or moved to ``cuda`` stay in main memory and are
marked. A marked tensor says that it lies on ``cuda:0``, results of operations on marked tensors are
marked, and what CUDA refuses raises ``MixedDevicesError``:

- an operation on tensors of both devices (CUDA allows numbers, that is CPU tensors without
  dimensions, and indices on the CPU, and so does this);
- a CPU generator that draws for a tensor on the device;
- ``.numpy()`` of a tensor on the device.

Limits: one device; no streams, no memory figures, no kernels that differ. What torch itself makes
inside an operation or a backward pass, without a word of the caller, belongs to whoever uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from mmea_bench.bench.battery.transfers import TransferLog

DEVICE = torch.device("cuda:0")
_CPU = torch.device("cpu")
_COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)
_WeakStorage: Any = StorageWeakRef  # not typed by torch
_FORGET_AT = 10_000

# CPU indices of a tensor on the device are allowed; the values put there are not.
_INDEXING = ("aten.index.", "aten.index_put", "aten._unsafe_index", "aten._index_put_impl")
_MOVING = ("aten._to_copy", "aten.copy_")
_NUMBERS = ("aten._local_scalar_dense",)
# The size of their result is known on the device alone, or they look at a number there.
_WAITING = (
    *("aten.nonzero.", "aten._unique", "aten.unique_", "aten.masked_select", "aten.bincount"),
    *("aten.repeat_interleave.Tensor", "aten._coalesce", "aten.equal.", "aten.is_nonzero"),
)
_FROM_NUMBERS = (torch.tensor, torch.as_tensor, torch.asarray)
_MASKS = (torch.bool, torch.uint8)


class MixedDevicesError(RuntimeError):
    """An operation that CUDA would refuse."""


@contextmanager
def second_device(log: TransferLog | None = None) -> Iterator[torch.device]:
    """A context in which ``cuda`` can be used; outside of it, its tensors are ordinary ones.

    Args:
        log: Counts copies between the devices, and what would wait for the GPU.

    Yields:
        The device to hand to a training.
    """
    marks = _Marks(log or TransferLog())
    with _Operations(marks), _Functions(marks):
        yield torch.device("cuda")


class _Marks:
    """Which tensors lie on the device, by their storage.

    Weak references keep an address from being used again, and no memory alive.
    """

    def __init__(self, log: TransferLog) -> None:
        self.log = log
        self._on_device: dict[int, Any] = {}
        self._nowhere: dict[int, Any] = {}
        self.is_inside = False

    def is_on_device(self, tensor: Tensor) -> bool:
        return _storage_of(tensor)._cdata in self._on_device

    def is_nowhere(self, tensor: Tensor) -> bool:
        """Whether torch made it by itself, so that it may be used with either device."""
        return _storage_of(tensor)._cdata in self._nowhere

    def device_of(self, tensor: Tensor) -> torch.device:
        return DEVICE if self.is_on_device(tensor) else _CPU

    def mark(self, value: object) -> None:
        """Notes that a tensor, or every tensor of a result, lies on the device."""
        for tensor in _tensors(value):
            self._note(self._on_device, tensor)

    def mark_nowhere(self, value: object) -> None:
        """Notes that torch made every tensor of a result by itself."""
        for tensor in _tensors(value):
            self._note(self._nowhere, tensor)

    def moved(self, tensor: Tensor, device: torch.device) -> Tensor:
        """A copy on the other device, through which gradients flow back."""
        if tensor.requires_grad and torch.is_grad_enabled():
            moved: Tensor = _Move.apply(tensor, self, device)  # type: ignore[no-untyped-call]
            return moved
        return self.copied(tensor, device)

    def copied(self, tensor: Tensor, device: torch.device) -> Tensor:
        """A copy on a device."""
        self.note_copy(tensor, device)
        copy = tensor.detach().clone()
        self._on_device.pop(_storage_of(copy)._cdata, None)
        if device.type == "cuda":
            self.mark(copy)
        return copy

    def note_copy(self, tensor: Tensor, device: torch.device) -> None:
        """Counts the copy of a tensor to a device, if that is the other one."""
        is_here = self.is_on_device(tensor)
        if is_here != (device.type == "cuda"):
            self.log.note("wait" if is_here else "copy")

    def _note(self, where: dict[int, Any], tensor: Tensor) -> None:
        storage = _storage_of(tensor)
        if storage._cdata not in where:
            if len(where) % _FORGET_AT == _FORGET_AT - 1:
                for key in [key for key, held in where.items() if held.expired()]:
                    del where[key]
            where[storage._cdata] = _WeakStorage(storage)


class _Move(torch.autograd.Function):
    """A copy between devices whose gradient is copied back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, marks: _Marks, device: torch.device) -> Tensor:
        ctx.marks, ctx.back = marks, marks.device_of(tensor)
        return marks.copied(tensor, device)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return ctx.marks.copied(grads[0], ctx.back), None, None


class _Operations(TorchDispatchMode):
    """Sees every operation that is carried out, those of a backward pass included."""

    def __init__(self, marks: _Marks) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._marks = marks

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        name, asked = str(func), given.get("device")
        self._marks.log.note_pass(torch._C._current_graph_task_id())
        if asked is not None and _is_device(asked):
            if name.startswith(_MOVING):
                self._marks.note_copy(args[0], DEVICE)
            given["device"] = _CPU
            result = func(*args, **given)
            self._marks.mark(result)
            return result
        operands = _tensors((args, given))
        on_device = [tensor for tensor in operands if self._marks.is_on_device(tensor)]
        if on_device and not name.startswith(_MOVING):
            self._refuse_mixture(name, operands, args)
            _refuse_generator(name, (args, given))
        if on_device:
            self._note_transfers(name, args, given)
        result = func(*args, **given)
        if name.startswith("aten.copy_") or name.startswith(_NUMBERS):
            return result
        is_internal = self._marks.is_inside or torch._C._current_graph_task_id() != -1
        if on_device and (asked is None or is_internal):
            self._marks.mark(result)
        elif not operands and is_internal:
            self._marks.mark_nowhere(result)
        return result

    def _note_transfers(self, name: str, args: tuple[Any, ...], given: dict[str, Any]) -> None:
        """Counts what an operation on tensors of the device copies or waits for."""
        marks, log = self._marks, self._marks.log
        if name.startswith(_MOVING) and torch._C._current_graph_task_id() != -1:
            return  # a backward pass asks for the true device; what our code moves is seen anyway
        if name.startswith("aten.copy_"):
            if not marks.is_nowhere(args[0]) and not marks.is_nowhere(args[1]):
                marks.note_copy(args[1], marks.device_of(args[0]))
        elif name.startswith("aten._to_copy"):
            if given.get("device") is not None:
                marks.note_copy(args[0], torch.device(given["device"]))
        elif name.startswith((*_NUMBERS, *_WAITING)) and given.get("output_size") is None:
            log.note("wait")
        elif name.startswith(_INDEXING) and marks.is_on_device(args[0]):
            self._note_indices(args, fills=len(args) > 2 and args[2].numel() == 1)

    def _note_indices(self, args: tuple[Any, ...], *, fills: bool) -> None:
        """Counts what choosing by masks waits for, and indices that have to be copied."""
        marks, log = self._marks, self._marks.log
        indices = [index for index in args[1] if index is not None]
        if not fills and any(index.dtype in _MASKS for index in indices):
            log.note("wait")
        for index in indices:
            if index.dim() and not marks.is_on_device(index) and not marks.is_nowhere(index):
                log.note("copy")

    def _refuse_mixture(self, name: str, operands: list[Tensor], args: tuple[Any, ...]) -> None:
        """Raises if a tensor with dimensions lies on the CPU where others lie on the device."""
        allowed: set[int] = set()
        if name.startswith(_INDEXING) and self._marks.is_on_device(args[0]):
            allowed = {id(index) for index in args[1] if index is not None}
        wrong = [
            tuple(tensor.shape)
            for tensor in operands
            if tensor.dim()
            and id(tensor) not in allowed
            and not self._marks.is_on_device(tensor)
            and not self._marks.is_nowhere(tensor)
        ]
        if wrong:
            raise MixedDevicesError(
                f"{name} is given tensors on the device and on the CPU; on the CPU lie those of "
                f"shape {', '.join(map(str, wrong))}"
            )


class _Functions(TorchFunctionMode):
    """Sees every call of torch, before it is taken apart into operations."""

    def __init__(self, marks: _Marks) -> None:
        super().__init__()
        self._marks = marks
        self._special: Mapping[Any, Callable[..., Any]] = {
            Tensor.device.__get__: marks.device_of,
            Tensor.is_cuda.__get__: marks.is_on_device,  # type: ignore[attr-defined]
            Tensor.to: self._to,
            Tensor.cpu: lambda tensor, **_: self._to(tensor, _CPU),
            Tensor.cuda: lambda tensor, *_, **__: self._to(tensor, DEVICE),
        }

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        special = self._special.get(func)
        if special is not None:
            return special(*args, **given)
        if func in (Tensor.numpy, Tensor.__array__):
            self._refuse_numpy(args[0])
        if func is Tensor.tolist and self._marks.is_on_device(args[0]):
            self._marks.log.note("wait")
            with torch._C.DisableTorchFunction():
                return func(*args, **given)
        if _is_device(given.get("device")):
            return self._made(func, args, given)
        outside = self._marks.is_inside
        operands = _tensors((args, given))
        is_marked = any(map(self._marks.is_on_device, operands))
        self._marks.is_inside = outside or (is_marked and "device" not in given)
        try:
            result = func(*args, **given)
        finally:
            self._marks.is_inside = outside
        if is_marked and func is Tensor.__deepcopy__:
            self._marks.mark(result)
        return result

    def _made(self, func: Any, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
        """The result of a call that asks for the device."""
        _refuse_generator(getattr(func, "__name__", "a function"), given)
        result = func(*args, **{**given, "device": _CPU})
        operands = [tensor for tensor in _tensors(args) if not self._marks.is_on_device(tensor)]
        if isinstance(result, Tensor):
            # `torch.as_tensor` of a CPU tensor must not take that tensor along.
            places = {_storage_of(tensor)._cdata for tensor in operands}
            if _storage_of(result)._cdata in places:
                return self._marks.moved(result, DEVICE)
        if func in _FROM_NUMBERS:
            self._marks.log.note("copy")
        self._marks.mark(result)
        return result

    def _to(self, tensor: Tensor, *wishes: Any, **named: Any) -> Tensor:
        device, dtype = None, None
        for wish in (*wishes, named.get("device"), named.get("dtype"), named.get("other")):
            if isinstance(wish, str | torch.device):
                device = torch.device(wish)
            elif isinstance(wish, torch.dtype):
                dtype = wish
            elif isinstance(wish, Tensor):
                device, dtype = self._marks.device_of(wish), wish.dtype
        converted = tensor if dtype is None else tensor.to(dtype)
        if device is not None and device.type != self._marks.device_of(tensor).type:
            return self._marks.moved(converted, device)
        return converted.clone() if named.get("copy") and converted is tensor else converted

    def _refuse_numpy(self, tensor: Tensor) -> None:
        if self._marks.is_on_device(tensor):
            raise MixedDevicesError(
                f"numpy() of a tensor on the device, of shape {tuple(tensor.shape)}: call cpu() "
                "before it"
            )


def _refuse_generator(name: str, given: object) -> None:
    """Raises if a CPU generator is to draw for the device."""
    for leaf in _leaves(given):
        if isinstance(leaf, torch.Generator) and leaf.device.type == "cpu":
            raise MixedDevicesError(
                f"{name}: a CPU generator cannot draw for a tensor on the device; draw on the CPU "
                "and move what was drawn"
            )


def _is_device(wish: object) -> bool:
    if wish is None or isinstance(wish, int):
        return isinstance(wish, int)  # a number is that of a GPU
    return torch.device(wish).type == "cuda"  # type: ignore[call-overload, no-any-return]


def _tensors(value: object) -> list[Tensor]:
    return [leaf for leaf in _leaves(value) if isinstance(leaf, Tensor)]


def _leaves(value: object) -> Iterator[object]:
    """What a call is given, out of its sequences and dicts; the library's walk takes far longer."""
    if isinstance(value, tuple | list):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, dict):
        yield from _leaves(list(value.values()))
    else:
        yield value


def _storage_of(tensor: Tensor) -> torch.UntypedStorage:
    """The storage of a tensor's values, whatever its layout."""
    with torch._C.DisableTorchFunction():
        if tensor.layout in _COMPRESSED:
            tensor = tensor.values()
        elif tensor.layout == torch.sparse_coo:
            tensor = tensor._values()
        return tensor.untyped_storage()
