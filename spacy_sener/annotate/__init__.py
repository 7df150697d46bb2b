"""Annotate any number of documents: block by block, with workers that may die, resumable.

`documents` reads the input in blocks; `worker` holds a model and answers a block; an engine
(`local`: processes, `ray_actors`: a cluster) starts workers and carries messages; `schedule` hands
out the blocks, and says what becomes of one whose worker died; `output` writes each block once.

Only the process that was started reads the input and writes the output. So workers need nothing but
the model, and whatever happens to them, a block is written by one process, once.
"""
