"""A torch module inside a thinc model: device, precision, optimizer, averages, bytes.

Differs from thinc's own PyTorchShim in what SeNER needs: bfloat16 on CPU and GPU, one
gradient norm over all parameters, learning rates by group, moving averages that work, weights as
safetensors with all that rebuilds the module, and forward passes that are run again for the
gradient instead of being kept.
"""

import contextlib
import copy
import os
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any, cast

import torch
from thinc.api import Model, Optimizer
from thinc.shims import Shim
from thinc.types import FloatsXd
from thinc.util import get_torch_default_device, torch2xp, xp2torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .optimizers import AdamW, TorchKey
from .weights import Spec, build_shape, check_weights, dump, fingerprint, read

MAX_BYTES = 4_294_000_000
"""Of weights: msgpack, in which spaCy saves them, has 32 bits for their number."""
BASE = "base"
"""In a spec: where `build` loads weights from."""
LEFT_OUT = "left_out"
"""In a saved spec: the fingerprint of the weights that are not saved with it."""


@cache
def _mind_forks() -> None:
    """Have forked workers, those of nlp.pipe(n_process=2), use one thread.

    They inherit an OpenMP pool whose threads are gone, and would wait for them for ever. Programs
    that have no network of ours may fork as they like: this is not done when the module is
    imported, as spaCy does for every pipeline.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


class TorchShim(Shim):
    """Holds a torch module that plain data describes.

    build: makes the module from such data (`spec`), with weights of any value. A frozen weight
        that it loads from elsewhere need not be in the bytes.
    encoder_prefix: how the names of those parameters begin that train at the encoder's rate.
    encoder_rate: share of its rate at which these train with an optimizer other than AdamW, which
        has a rate for them.
    mixed_precision: run the forward pass in bfloat16 where torch.autocast holds it safe.
    recompute: in training, tell the module to keep few activations and to compute the others again;
        it must know such an argument.
    save_frozen: keep in the bytes the weights that are not trained.

    Raises ValueError where the encoder's rate is no share.
    """

    def __init__(
        self,
        build: Callable[[Spec], nn.Module],
        *,
        encoder_prefix: str | None = None,
        encoder_rate: float = 1.0,
        mixed_precision: bool = False,
        recompute: bool = False,
        save_frozen: bool = True,
    ) -> None:
        super().__init__(None)
        self._build = build
        self.spec: Spec = {}
        if not 0 <= encoder_rate <= 1:
            raise ValueError(
                f"encoder_rate is {encoder_rate}, and must be a share: from 0 to 1. The encoder is "
                "trained at this share of the optimizer's rate."
            )
        self.encoder_prefix = encoder_prefix
        self.encoder_rate = encoder_rate
        self.mixed_precision = mixed_precision
        self.recompute = recompute
        self.save_frozen = save_frozen
        # What `_optimizer` was made for; weak, as a model is copied without its thinc optimizer.
        self._made_for: weakref.ref[AdamW] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """All but what training alone needs: for workers that are spawned, and for copies."""
        return {**self.__dict__, "_optimizer": None, "_made_for": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy has an id of its own: by it an optimizer tells networks apart."""
        super().__init__(None)
        self.__dict__.update({**state, "id": self.id})
        for module in [] if self._model is None else self._model.modules():
            if isinstance(module, nn.RNNBase):
                module.flatten_parameters()  # a copy's are apart: cuDNN would join them every time

    def __deepcopy__(self, memo: dict[int, Any]) -> "TorchShim":
        """A copy that shares the memory of frozen weights, which nothing here changes in place.

        `nlp.resume_training()` makes one, to rehearse, of each component.
        """
        for p in [] if self._model is None else self._model.parameters():
            if not p.requires_grad:
                memo[id(p)] = nn.Parameter(p.detach(), requires_grad=False)
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        copied.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return copied

    def build(self, spec: Spec) -> nn.Module:
        """A module from such data, in float32 whatever other libraries made the default."""
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            return self._build(spec)
        finally:
            torch.set_default_dtype(default)

    @property
    def module(self) -> nn.Module:
        """The torch module. Raises ValueError before it is built or loaded."""
        if self._model is None:
            raise ValueError(
                "The model has no weights yet: call nlp.initialize() with examples, or load a "
                "trained pipeline with spacy.load()."
            )
        return self._model

    @property
    def device(self) -> torch.device:
        """Where the module's weights are."""
        return next(self.module.parameters()).device

    def to_device(self, device_type: str, device_id: int) -> None:
        """Move the module, as thinc's `Model.to_gpu` and `Model.to_cpu` ask for it."""
        device = torch.device(f"cuda:{device_id}" if device_type == "gpu" else "cpu")
        self.module.to(device)
        for state in [] if self._optimizer is None else self._optimizer.state.values():
            state.update({name: moment.to(device) for name, moment in state.items()})

    def set_module(self, module: nn.Module, spec: Spec) -> None:
        """Take a module, and the data from which `build` makes one of the same shape.

        Raises ValueError for more weights than a file of spaCy's can hold.
        """
        n_bytes = sum(p.nbytes for p in module.parameters() if p.requires_grad or self.save_frozen)
        if n_bytes > MAX_BYTES:
            raise ValueError(
                f"The model has {n_bytes / 1e9:.1f} GB of weights to save, and spaCy's files hold "
                f"{MAX_BYTES / 1e9:.1f} at most. Set save_encoder = false, with LoRA, or take a "
                "smaller encoder."
            )
        _mind_forks()
        self._model = module.to(_device())
        self.spec = spec
        self._optimizer = None

    def predict(self, inputs: Sequence[Tensor]) -> Tensor:
        """The module's answer in evaluation mode, without gradients."""
        module = self.module
        module.eval()
        with torch.inference_mode(), self._autocast():
            return module(*self._to_device(inputs))

    def stream(self, inputs: Sequence[Tensor], **options: Any) -> Iterator[Any]:
        """What the module's method `stream` yields, in evaluation mode, without gradients."""
        module: Any = self.module
        module.eval()
        with torch.inference_mode(), self._autocast():
            parts = module.stream(*self._to_device(inputs), **options)
        while True:
            module.eval()  # again, as the caller may train between two parts
            # Not around the loop: what the caller does with a part is not for us to change.
            with torch.inference_mode(), self._autocast():
                part = next(parts, None)
            if part is None:
                return
            yield part

    def begin_update(
        self, inputs: Sequence[Tensor], *, keep_nothing: bool = False
    ) -> tuple[Any, Callable[[Any], list[Tensor | None]]]:
        """The module's answer in training mode, a tensor or a tuple of them, and the callback.

        The callback takes d_answer, of the same shape, adds to the gradients of the parameters and
        gives those of the inputs. With `keep_nothing` it runs the forward pass again, in place of
        the activations; a module that recomputes runs it a third time then, layer by layer. Where
        it fails, no gradients are left.
        """
        module = self.module
        module.train()
        inputs = self._to_device(inputs)
        forward = partial(module, recompute=True) if self.recompute else module
        with self._autocast():
            if keep_nothing:
                output = checkpoint(forward, *inputs, use_reentrant=False)
            else:
                output = forward(*inputs)

        def backprop(d_output: Any) -> list[Tensor | None]:
            module.train()  # what is computed again must draw its dropout again
            try:
                torch.autograd.backward(output, d_output)
            except BaseException:  # what is there of this update must not go into the next
                module.zero_grad(set_to_none=True)
                raise
            return [tensor.grad for tensor in inputs]

        if isinstance(output, Tensor):
            return output.detach(), backprop
        return tuple(tensor.detach() for tensor in output), backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """Update the weights with the gradients gathered so far, and clear these.

        Raises ValueError, and changes nothing, for gradients of no finite norm.
        """
        params = {name: p for name, p in self.module.named_parameters() if p.grad is not None}
        try:
            if isinstance(optimizer, AdamW):
                self._step_adamw(optimizer, params)
            else:
                self._step_thinc(optimizer, params)
        finally:
            self.module.zero_grad(set_to_none=True)

    def moments(self, name: str) -> dict[str, Tensor]:
        """What torch's AdamW knows of a parameter; nothing before its first update."""
        if self._optimizer is None:
            return {}
        return dict(self._optimizer.state.get(self.module.get_parameter(name), {}))

    def set_moment(self, optimizer: AdamW, name: str, moment: str, value: Tensor) -> None:
        """Let updates by this optimizer go on with what `moments` gave."""
        torch_adamw, p = self._adamw(optimizer), self.module.get_parameter(name)
        torch_adamw.state[p][moment] = value.to(p.device)

    @contextlib.contextmanager
    def use_params(self, params: dict[Any, Any]) -> Iterator[None]:
        """Put the averages that an optimizer gathered in the place of the weights, for a while."""
        named = [] if self._model is None else list(self._model.named_parameters())
        averaged = [(p, params[self.id, name]) for name, p in named if (self.id, name) in params]
        backup = [p.detach().clone() for p, _ in averaged]
        with torch.no_grad():
            for p, average in averaged:
                p.copy_(_as_torch(average, p))
        try:
            yield
        finally:
            with torch.no_grad():
                for (p, _), value in zip(averaged, backup, strict=True):
                    p.copy_(value)

    def to_bytes(self) -> bytes:
        """`spec` and the weights, these as safetensors. Empty before the module is built."""
        if self._model is None:
            return b""
        weights = {
            name: tensor.detach().cpu().contiguous()
            for name, tensor in self._model.state_dict().items()
        }
        if self.save_frozen:
            return dump(self.spec, weights)
        names = _frozen(self._model)
        if names and BASE not in self.spec:
            warnings.warn(
                "The encoder is saved as well, in spite of save_encoder = false: the pipeline was "
                "saved with it before, and no longer knows where it came from.",
                stacklevel=2,
            )
            return dump(self.spec, weights)
        left_out = [weights.pop(name) for name in names]
        return dump({**self.spec, LEFT_OUT: fingerprint(left_out)}, weights)

    def from_bytes(self, bytes_data: bytes) -> "TorchShim":
        """Rebuild the module.

        Raises ValueError, and keeps what was there, if the bytes are damaged, of a later version
        or do not fit the spec, if a weight is no finite number, if those that were left out are not
        what they were, and if weights are to be read from elsewhere where all should be in here.
        """
        if not bytes_data:
            return self
        spec, weights = read(bytes_data)
        expected = spec.pop(LEFT_OUT, None)
        if self.save_frozen and BASE in spec:
            raise ValueError(
                f"The saved model leaves weights out, and names '{spec[BASE]}' to take them from; "
                "but save_encoder = true in the config says that it has them all."
            )
        # Without memory: what the file asks for is not taken before its weights are seen to fit.
        shape = build_shape(self.build, spec)
        check_weights(shape, weights, set() if self.save_frozen else _frozen(shape))
        module = self.build(spec)
        frozen = [module.get_parameter(name) for name in _frozen(module)]
        if expected is not None and fingerprint(frozen) != expected:
            raise ValueError(
                f"The saved model was trained over other weights than '{spec.get(BASE)}' has "
                "now, which are not saved with it. Put back those, or train with save_encoder = "
                "true."
            )
        module.load_state_dict(weights, strict=False)
        self.set_module(module, spec)
        return self

    def _to_device(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        device = self.device
        return [tensor.to(device, non_blocking=True) for tensor in inputs]

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.mixed_precision)

    def _step_adamw(self, optimizer: AdamW, params: dict[str, nn.Parameter]) -> None:
        torch_adamw = self._adamw(optimizer)
        for group in torch_adamw.param_groups:
            group["lr"] = optimizer.learn_rate
            if group["encoder"]:
                group["lr"] *= optimizer.encoder_scale
        _require_finite(nn.utils.clip_grad_norm_(params.values(), optimizer.grad_clip))
        torch_adamw.step()
        optimizer.note_update(self.id)
        if optimizer.averages is not None:
            averages = cast(dict[Any, Tensor], optimizer.averages)
            for name, p in params.items():
                key = (self.id, name)
                optimizer.nr_update[key] += 1
                _update_average(averages, key, p.detach(), optimizer.nr_update[key])

    def _adamw(self, optimizer: AdamW) -> torch.optim.AdamW:
        if self._optimizer is None or self._made_for is None or self._made_for() is not optimizer:
            # Fused: one pass through the memory of each parameter, in place of a dozen.
            self._optimizer = torch.optim.AdamW(self._groups(optimizer.L2), fused=True)
            self._made_for = weakref.ref(optimizer)
        return cast(torch.optim.AdamW, self._optimizer)

    def _groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Parameters by learning rate and decay: vectors (biases, norms) do not decay."""
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for name, p in self.module.named_parameters():
            if p.requires_grad:
                groups.setdefault((self._in_encoder(name), p.ndim > 1), []).append(p)
        return [
            {"params": params, "encoder": encoder, "weight_decay": weight_decay if decays else 0.0}
            for (encoder, decays), params in groups.items()
        ]

    def _in_encoder(self, name: str) -> bool:
        return self.encoder_prefix is not None and name.startswith(self.encoder_prefix)

    def _step_thinc(self, optimizer: Optimizer, params: dict[str, nn.Parameter]) -> None:
        _require_finite(nn.utils.get_total_norm([p.grad for p in params.values()]))  # type: ignore[misc]  # there are some
        last = next(reversed(params), None)
        for name, p in params.items():
            # thinc has no arrays without dimensions, hence the flat view.
            flat, d_flat = p.data.reshape(-1), p.grad.reshape(-1)  # type: ignore[union-attr]  # there is one
            key = (self.id, name)
            is_slow = self._in_encoder(name) and self.encoder_rate != 1
            scale = {"lr_scale": self.encoder_rate} if is_slow else {}
            if not isinstance(optimizer, Optimizer):
                # `nlp.rehearse` gathers what an optimizer is to update later, at its full rate: too
                # much for the encoder, so one other than AdamW gets a copy.
                flat, scale = flat.clone() if is_slow else flat, {}
                key = TorchKey(key)
                key.take = partial(self._take, name=name, is_last=name == last)
            weights, _ = optimizer(key, _as_xp(flat), _as_xp(d_flat), **scale)
            p.data.copy_(xp2torch(weights, device=p.device).view_as(p))

    def _take(self, optimizer: AdamW, gradient: FloatsXd, *, name: str, is_last: bool) -> None:
        """Put a gradient back that was gathered to be used later; with the last one, update."""
        p = self.module.get_parameter(name)
        p.grad = _as_torch(gradient, p)
        if is_last:
            self.finish_update(optimizer)


def torch_shim(model: Model[Any, Any]) -> TorchShim:
    """The shim of a thinc model that has a torch module."""
    return cast(TorchShim, model.shims[0])


def _update_average(averages: dict[Any, Tensor], key: Any, weights: Tensor, n: int) -> None:
    """As thinc averages: over all updates at first, over the last 10,000 in the long run."""
    average = averages.setdefault(key, torch.zeros_like(weights))
    average.lerp_(weights, 1 - min((1 + n) / (10 + n), 0.9999))


def _require_finite(norm: Tensor) -> None:
    if not norm.isfinite():
        raise ValueError(
            f"The gradients of a component have a norm of {float(norm)}, so no weight of it was "
            "changed. Lower the learning rates, or set mixed_precision to false."
        )


def _as_xp(tensor: Tensor) -> FloatsXd:
    return cast(FloatsXd, torch2xp(tensor))


def _as_torch(value: Any, like: Tensor) -> Tensor:
    tensor = value if isinstance(value, Tensor) else xp2torch(value)
    return tensor.to(like.device).view_as(like)


def _frozen(module: nn.Module) -> set[str]:
    return {name for name, p in module.named_parameters() if not p.requires_grad}


def _device() -> torch.device:
    """thinc's, but for Apple's GPU, which has no float64: ends of long spans are summed in that."""
    device = get_torch_default_device()
    return torch.device("cpu") if device.type == "mps" else device
