"""Grow an instruction dataset from seed tasks, and keep everything the teacher answered.

    selfinstruct generate outputs/first --target 200     # the simulated teacher: no key, no network
    selfinstruct rejected outputs/first                  # what was thrown away, and why

    import selfinstruct as si                            # the same in Python: selfinstruct.api
    run = si.generate("outputs/first", target=200)
    run.rejected(reason="too_similar")

The rooms, as subpackages are called here, lowest first: each imports only from those that are listed before it
(`make check` enforces that).

    finish_reasons   how an answer ended, in the words of all servers
    errors, records  everything that can go wrong; the data types: Request, Completion, Candidate, Task, Record ...
    parts            strategies and kinds of teachers, found by the names of their files
    untrusted        makes model text safe to show
    terminal         progress bars, and the time left
    settings         sections of settings, read from TOML, whose fields say when they may change
    custom           filters, strategies and teachers in users' files, loaded where the user names them
    web              what pages share: access, style
    rows             users' files as rows; files written atomically
    simulated        the simulated teacher: what is true (world), what it says (mind), how it is served (server)
    labels           votes of several voters about the same rows, combined
    parsing          model answers as items, verdicts and instances
    pool             the tasks and records admitted so far, and how similar new ones are to them
    filters          what is rejected, and why: one declaration each
    asking           a stage as data: its prompts, answer schema, default sampling
    annotation       questions about rows of a file, and answers read as votes
    strategies       how tasks are generated: one file each
    store            all requests and answers, in one SQLite file; all the SQL; people's decisions
    teachers         the models that answer: kinds, one file each; the scheduler, its pace, the budget, batches
    config           all settings of a run, put together from the rooms' sections
    engine           requests in any order, admission in one: the gate and the engine
    report           a run in figures, as text and as a page
    export           records out: formats, one declaration each; the dataset card; the hub
    runs             operations on a run folder: open, generate, import, refilter, estimate
    checks           problems in the rows of any dataset
    audit            pages to review a run and decide about it
    api, extending   the commands as Python functions; what custom parts are made of
    testing          a teacher that answers by a script, for tests of strategies and filters
    cli              the commands

To follow one record from seed to export: runs.generate opens the run and starts engine.engine, which shows the
strategy (strategies.self_instruct) tasks of pool.pool, turns its questions into requests (engine.requests), has them
answered (teachers.scheduler) and stored (store.store) before parsing.lists and parsing.examples read them;
engine.gate lets in what filters.verdicts leaves, and export.export writes it.

Sources: Self-Instruct (Wang et al., arXiv 2212.10560) for the method and its constants; Alpaca (Taori et al. 2023).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfinstruct.api import (
        Annotations,
        BudgetReached,
        Refiltered,
        Rows,
        Run,
        SelfInstructError,
        StoreError,
        TeacherError,
        UsageError,
        YieldCollapsed,
        annotate,
        check,
        combine,
        filter,
        finetune,
        generate,
        generate_async,
        import_answers,
        llama_cpp,
        openai,
        overlap,
        reject,
        select,
        student,
        transformers,
        vllm,
    )

__version__ = "0.2.0"
__all__ = [
    "Annotations", "BudgetReached", "Refiltered", "Rows", "Run", "SelfInstructError", "StoreError", "TeacherError",
    "UsageError", "YieldCollapsed", "annotate", "check", "combine", "filter", "finetune", "generate", "generate_async",
    "import_answers", "llama_cpp", "openai", "overlap", "reject", "select", "student", "transformers", "vllm",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import the API when something of it is asked for, so that `import selfinstruct` takes no time."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("selfinstruct.api"), name)


def __dir__() -> list[str]:
    return sorted(["__version__", *__all__])
