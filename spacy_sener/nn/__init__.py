"""The network: torch, transformers and peft only; nothing here knows spaCy or thinc."""
