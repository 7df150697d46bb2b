"""Readers of annotated corpora: one module per format, each giving `records`.

`readers` knows all formats and makes spaCy `Doc`s of the records; `report` counts what had to be
changed or left out on the way; `corpus` has the readers for a config, `segments` cuts documents.
"""
