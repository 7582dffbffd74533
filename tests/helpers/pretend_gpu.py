"""A pretend GPU: its tensors are computed on the CPU, but say that they are elsewhere and refuse what a GPU refuses.

It raises where a tensor or a generator of the CPU meets one of its own, where one is read as if it lay in memory, and
at float64, which Apple's GPUs do not have. `waits` counts, by place, what would have the program wait for the device.
It rests on private names of PyTorch (2.13) and changes PyTorch for good: for a process of its own, which imports this
before anything of the project.
"""

import sys
from collections import Counter

import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

from tests.helpers.source import ROOT

NAME = "pretend"
aten = torch.ops.aten
COPIES = {aten._to_copy.default, aten.copy_.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
# whose result has a shape that depends on the values
BY_VALUES = {aten.nonzero.default, aten.masked_select.default, aten._unique2.default, aten.unique_consecutive.default}
# that refuse even a number (a tensor without dimensions) of the CPU, which others take
STRICT = {aten.cat.default, aten.stack.default}
# what CUDA's autocast computes in its dtype, and what in float32; only those that this project uses
LOWERED = ["linear", "matmul", "mm", "addmm", "bmm", "baddbmm", "scaled_dot_product_attention"]
RAISED = [
    "pow.Tensor_Scalar",
    "layer_norm",
    "rms_norm",
    "softmax.int",
    "log_softmax.int",
    "cross_entropy_loss",
    "norm.Scalar",
]

waits: Counter[str] = Counter()


class Refused(RuntimeError):
    """What the device would refuse, and where in the project."""


def place() -> str:
    """FILE:LINE of the project that is being executed."""
    frame = sys._getframe(1)
    while frame:
        path = frame.f_code.co_filename
        if path.startswith(str(ROOT)) and "site-packages" not in path and not path.startswith(str(ROOT / "tests")):
            return f"{path[len(str(ROOT)) + 1 :].replace(chr(92), '/')}:{frame.f_lineno}"
        frame = frame.f_back
    return "elsewhere"


def is_here(device: object) -> bool:
    return device is not None and torch.device(device).type == NAME  # type: ignore[call-overload]


class OnDevice(torch.Tensor):
    """A tensor of the device, whose numbers are in `inner`, one of the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        shape = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        return cls._make_wrapper_subclass(cls, inner.shape, **shape, device=torch.device(NAME, 0))

    def __init__(self, inner):
        self.inner = inner

    def __repr__(self):
        return f"OnDevice({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return execute(func, args, kwargs or {})

    def tolist(self):
        waits[f"tolist {place()}"] += 1
        return self.inner.tolist()

    def new_tensor(self, data, **options):
        return tensor(data, device=NAME, **options)

    def numpy(self, *args, **kwargs):
        raise Refused(f"a tensor of the device as an array, at {place()}")

    __array__ = numpy

    def data_ptr(self):  # a name for the storage, all that safetensors and torch's state_dict want of it
        return self.inner.data_ptr()


class PretendGpu(TorchDispatchMode):
    """The device is there while this lasts."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return execute(func, args, kwargs or {})


def execute(func, args, kwargs):
    """An operation on the CPU, whose result is on the device where the real one's would be."""
    flat = leaves((args, kwargs))
    tensors = [x for x in flat if isinstance(x, torch.Tensor)]
    ours = [x for x in tensors if isinstance(x, OnDevice)]
    here = bool(ours)
    if kwargs.get("device") is not None:
        here = is_here(kwargs["device"])
    elif func is aten.copy_.default:
        here = isinstance(args[0], OnDevice)
    check(func, args, tensors, ours)
    count_wait(func, args, kwargs, ours, here)
    for x in flat:
        if isinstance(x, DeviceGenerator.__base__) and (x._cdata in of_device_generators) != here:
            raise Refused(f"{func}: a generator of another device, at {place()}")
    inner_kwargs = of_cpu(kwargs)
    inner_kwargs.pop("pin_memory", None)
    result = func(*of_cpu(args), **inner_kwargs)
    if not here:
        return result
    if any(isinstance(x, torch.Tensor) and x.dtype == torch.float64 for x in leaves(result)):
        raise Refused(f"{func}: float64, at {place()}")
    return return_and_correct_aliasing(func, args, kwargs, of_device(result))


def leaves(x) -> list:
    """Whatever lists, tuples and dicts hold, in them too."""
    if isinstance(x, list | tuple | dict):
        return [leaf for part in (x.values() if isinstance(x, dict) else x) for leaf in leaves(part)]
    return [x]


def of_cpu(x):
    """The same with the tensors of the device as what is in them."""
    if isinstance(x, OnDevice):
        return x.inner
    if isinstance(x, list | tuple):
        return type(x)(map(of_cpu, x))
    if isinstance(x, dict):
        return {key: of_cpu(value) for key, value in x.items()}
    return torch.device("cpu") if isinstance(x, torch.device) and x.type == NAME else x


def of_device(x):
    """A result, its tensors on the device."""
    if isinstance(x, list | tuple):
        return type(x)(map(of_device, x))
    return OnDevice(x) if isinstance(x, torch.Tensor) else x


def check(func, args, tensors, ours):
    """Raises Refused where tensors of both kinds meet."""
    others = [x for x in tensors if not isinstance(x, OnDevice) and (x.ndim or func in STRICT)]
    if not (ours and others) or func in COPIES:
        return
    if func in INDEXING and isinstance(args[0], OnDevice) and not any(x.is_floating_point() for x in others):
        return  # indexes may be of the CPU
    raise Refused(f"{func}: tensors of the device and of the CPU, at {place()}")


def count_wait(func, args, kwargs, ours, here):
    """Counts it where the program would wait until the device has done what it was told before."""
    if not ours and not here:
        return
    by_mask = func in INDEXING and any(x.dtype == torch.bool or not isinstance(x, OnDevice) for x in ours[1:])
    cpu_index = func in INDEXING and any(x is not None and not isinstance(x, OnDevice) for x in args[1])
    across = func in COPIES and here != (bool(ours) if func is aten._to_copy.default else isinstance(args[1], OnDevice))
    non_blocking = here and (kwargs.get("non_blocking") or (len(args) > 2 and args[2]))
    if func is aten._local_scalar_dense.default or func in BY_VALUES or by_mask or cpu_index:
        waits[f"{func} {place()}"] += 1
    elif across and not non_blocking and not (func is aten.copy_.default and args[1].ndim == 0 and here):
        waits[f"copy {place()}"] += 1


of_device_generators: set[int] = set()  # their addresses
kept: list[torch.Generator] = []  # so that no other one gets such an address


class DeviceGenerator(torch.Generator):
    """A generator that remembers whether it is one of the device."""

    def __new__(cls, device="cpu"):
        generator = super().__new__(cls, device="cpu")
        kept.append(generator)
        if is_here(device):
            of_device_generators.add(generator._cdata)
        return generator


class Backend(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self):
        return [torch.bfloat16, torch.float16]

    def get_rng_state(self, device=None):
        return torch.get_rng_state()

    def set_rng_state(self, state, device=None):
        torch.set_rng_state(state)


def autocast_as_cuda():
    """Registers what CUDA's autocast does, of LOWERED and RAISED; all else is left as it is."""
    key = torch._C.DispatchKey.AutocastPrivateUse1
    anything = torch.library.Library("_", "IMPL", key.name)
    anything.fallback(torch.library.fallthrough_kernel)
    library = torch.library.Library("aten", "IMPL", key.name)

    def register(name, dtype_of):
        operation = getattr(aten, name.partition(".")[0])
        operation = getattr(operation, name.partition(".")[2] or "default")

        def kernel(*args, **kwargs):
            def cast(x):
                ours = isinstance(x, torch.Tensor) and x.is_floating_point() and x.device.type == NAME
                return x.to(dtype_of()) if ours else x

            with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(key)):
                return operation(*(cast(x) for x in args), **kwargs)

        library.impl(name, kernel)

    for name in LOWERED:
        register(name, lambda: torch.get_autocast_dtype(NAME))
    for name in RAISED:
        register(name, lambda: torch.float32)
    return anything, library  # which end with these


backend_registration._setup_privateuseone_for_python_backend(
    NAME, backend_module=Backend(), hook=type("Hook", (backend_registration._DummyPrivateUse1Hook,), {})()
)
LIBRARIES = autocast_as_cuda()
plain_tensor = torch.tensor


def tensor(data, *, device=None, **options):
    made = plain_tensor(data, device=None if is_here(device) else device, **options)
    return made.to(device) if is_here(device) else made


torch.tensor = tensor
torch.Generator = DeviceGenerator
torch.inference_mode = lambda *_, **__: torch.no_grad()  # in which no operation reaches the device
torch.__future__.set_swap_module_params_on_conversion(True)  # so that .to(NAME) leaves tied weights tied, as on CUDA
