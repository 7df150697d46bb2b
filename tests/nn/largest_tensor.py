"""How large the largest tensor is that some code makes, forwards or backwards."""

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LargestTensor(TorchDispatchMode):
    """Looks at what every operation gives; a view counts as what it is a view of."""

    def __init__(self):
        super().__init__()
        self.n_bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for x in tree_leaves(results):
            if isinstance(x, Tensor):
                self.n_bytes = max(self.n_bytes, x.untyped_storage().nbytes())
        return results
