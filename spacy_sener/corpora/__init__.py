"""Readers of annotated corpora: one module per annotation format, each giving spaCy `Doc`s.

`formats` knows which reader fits a record; `jsonl` reads whole files; `report` counts what had to
be changed or left out on the way.
"""
