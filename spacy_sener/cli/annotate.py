"""`python -m spacy sener annotate`: any number of documents, on one machine or many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..annotate.output import ERRORS, FORMATS
from ..annotate.run import Settings, annotate_files
from ..annotate.worker import Task
from ..gpus import OptionError
from .app import app
from .messages import fail, msg
from .options import Code, UseGPU

HAS_ERRORS, INTERRUPTED = 3, 130
"""Exit codes; 1 and 2, of a run that failed, and of a wrong option, are those of all commands."""


DEFAULT, TASK = Settings(), Task("")


@app.command("annotate")
def annotate_cli(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A trained pipeline")],
    input_path: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A file, or a folder of them: .jsonl, .txt (or .gz, .xz), .parquet",
        ),
    ],
    output_path: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="A folder: a new one, or one to go on with")
    ],
    engine: Annotated[
        str, typer.Option(help="local: processes of this machine; ray: actors of a cluster")
    ] = DEFAULT.engine,
    n_process: Annotated[
        int, typer.Option("--n-process", "-n", help="Workers, each with a model of its own")
    ] = DEFAULT.n_process,
    file_format: Annotated[
        str, typer.Option("--format", help=f"Of the output: {', '.join(FORMATS)}")
    ] = DEFAULT.file_format,
    with_text: Annotated[bool, typer.Option("--with-text", help="Write the texts, too")] = False,
    spans_key: Annotated[str, typer.Option(help="What is written of doc.spans")] = TASK.spans_key,
    text_key: Annotated[str, typer.Option(help="Key or column of the text")] = TASK.text_key,
    block_size: Annotated[
        int, typer.Option(help="Most documents in a block, and so in a part of the output")
    ] = DEFAULT.block_size,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Documents in a batch  [default: the pipeline's]")
    ] = None,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Do blocks again that have errors")
    ] = False,
    max_errors: Annotated[
        int | None, typer.Option(min=0, help="Stop at more documents with errors  [default: never]")
    ] = None,
    use_gpu: UseGPU = -1,
    gpus_per_worker: Annotated[
        float, typer.Option(min=0, help="ray: GPUs of an actor, or a part of one")
    ] = DEFAULT.gpus_per_worker,
    cpus_per_worker: Annotated[
        float, typer.Option(min=0, help="ray: CPUs of an actor, or a part of one")
    ] = DEFAULT.cpus_per_worker,
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="ray: the cluster  [default: RAY_ADDRESS, or that of this machine, or a new one]"
        ),
    ] = None,
    code_path: Code = None,
) -> None:
    """Annotate files with any number of documents; the same command goes on after a break.

    Exit codes: 0 all documents are annotated; 3 all are done, and those in errors.jsonl could not
    be annotated; 1 the run failed, and says why; 2 an option is wrong; 130 it was interrupted.
    """
    try:
        settings = Settings(
            file_format=file_format,
            block_size=block_size,
            retry_errors=retry_errors,
            max_errors=max_errors,
            engine=engine,
            n_process=n_process,
            ray_address=ray_address,
            cpus_per_worker=cpus_per_worker,
            gpus_per_worker=gpus_per_worker,
        )
        task = Task(
            model=model,
            code=code_path and code_path.resolve(),
            spans_key=spans_key,
            text_key=text_key,
            with_text=with_text,
            batch_size=batch_size,
            gpu_id=use_gpu,
        )
        output = annotate_files(task, input_path, output_path, settings=settings)
    except OptionError as error:
        raise typer.BadParameter(str(error)) from error
    except MemoryError as error:
        fail(f"There is too little memory: {error}")
    except (OSError, ValueError, RuntimeError) as error:
        fail(error)
    except KeyboardInterrupt:
        msg.warn(f"Interrupted; the same command goes on with {output_path}", exits=INTERRUPTED)
    msg.good(f"Annotated {output.n_docs} documents in {output_path}")
    if output.n_errors:
        why = f"{output.n_errors} could not be annotated: see {output_path / ERRORS}"
        msg.warn(why, exits=HAS_ERRORS)
