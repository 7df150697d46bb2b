"""ModernBERT's config, as transformers 4 and 5 write it."""

from collections.abc import Sequence

from transformers import PretrainedConfig

THETAS = {"full_attention": "global_rope_theta", "sliding_attention": "local_rope_theta"}
"""By kind of layer: where transformers 4 has the base of its rotations."""


def adapt_modernbert(config: PretrainedConfig) -> None:
    """Let transformers 4 read what transformers 5 wrote, and compile nothing.

    Transformers 5 writes `rope_parameters` and `layer_types`. The classes of transformers 4 pass
    over them, and would take their own defaults.

    Raises ValueError for rotations and for an order of layers that transformers 4 does not have.
    """
    # The stock model compiles its embeddings, unless its own `forward`, which is not used here,
    # finds no GPU.
    config.reference_compile = False
    if not hasattr(config, "global_rope_theta"):
        return  # a class of transformers 5, which reads what both write
    for kind, rope in (getattr(config, "rope_parameters", None) or {}).items():
        if rope["rope_type"] != "default":
            raise ValueError(
                f"the encoder's config has the rope_type '{rope['rope_type']}', which needs "
                "transformers 5"
            )
        setattr(config, THETAS[kind], rope["rope_theta"])
    if kinds := getattr(config, "layer_types", None):
        config.global_attn_every_n_layers = _every(kinds)


def _every(kinds: Sequence[str]) -> int:
    """The n for which the layers 0, n, 2n, ... are global, and no others."""
    is_global = [kind == "full_attention" for kind in kinds]
    for n in range(1, len(kinds) + 1):
        if is_global == [layer % n == 0 for layer in range(len(kinds))]:
            return n
    raise ValueError(
        f"the encoder's config has layer_types in which not every n-th is global, which needs "
        f"transformers 5: {list(kinds)}"
    )
