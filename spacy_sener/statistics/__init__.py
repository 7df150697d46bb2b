"""What a corpus holds, as far as it matters for training.

`corpus` counts, in one pass; `checks` judges the counts; `advice` chooses settings by them.
"""
