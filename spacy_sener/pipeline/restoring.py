"""A model as it was before, where loading another one into it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from thinc.api import Model


@contextmanager
def restored_after_errors(model: Model[Any, Any]) -> Iterator[None]:
    """Put back all that `Model.from_bytes` changes, if there is an error.

    Nothing is copied: loading makes new arrays, and new modules in our shims. Where a shim fills
    the module that it has, as thinc's own for torch does, its weights are not put back.
    """
    states = [_State.of(node) for node in model.walk()]
    try:
        yield
    except BaseException:
        for state in states:
            state.put_back()
        raise


@dataclass(frozen=True)
class _State:
    """One node of a model."""

    node: Model[Any, Any]
    name: str
    attrs: dict[str, Any]
    params: dict[str, Any]
    dims: dict[str, int | None]
    refs: dict[str, Model[Any, Any] | None]
    shims: list[dict[str, Any]]

    @classmethod
    def of(cls, node: Model[Any, Any]) -> "_State":
        return cls(
            node,
            node.name,
            dict(node.attrs),
            {name: node.maybe_get_param(name) for name in node.param_names},
            {name: node.maybe_get_dim(name) for name in node.dim_names},
            {name: node.maybe_get_ref(name) for name in node.ref_names},
            [dict(vars(shim)) for shim in node.shims],
        )

    def put_back(self) -> None:
        self.node.name = self.name
        self.node.attrs.clear()
        self.node.attrs.update(self.attrs)
        for name, param in self.params.items():  # first: while there are weights, dimensions stay
            self.node.set_param(name, param)
        for name, dim in self.dims.items():
            # None where there was no network: thinc's types do not know of that.
            self.node.set_dim(name, cast(int, dim), force=True)
        for name, ref in self.refs.items():
            self.node.set_ref(name, ref)
        for shim, values in zip(self.node.shims, self.shims, strict=True):
            vars(shim).update(values)
