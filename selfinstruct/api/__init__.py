"""The Python API: the commands as functions, their results as objects.

    import selfinstruct as si

    run = si.generate("outputs/first", target=200, teacher=si.openai("gpt-4.1-mini"))
    run.records().to_pandas()
    run.rejected(reason="too_similar")
    strict = run.refilter("outputs/strict", rouge_threshold=0.6)
    strict.export("messages", "data.jsonl")

Functions block until they are done, in scripts, threads and notebooks alike. Inside a running event loop, use
`generate_async`. Whatever a command would reject raises UsageError with the same message.

    settings   settings from keyword arguments; teachers
    growing    generate and generate_async; blocking: runs coroutines from synchronous code
    importing  answers recorded by other tools
    runs       a run's rows, status and exports; refiltering
    labels     rows of a file, asked of several models; votes combined
    students   check and compare datasets; fine-tune and load students
"""

from selfinstruct.api.growing import generate, generate_async
from selfinstruct.api.importing import import_answers
from selfinstruct.api.labels import Annotations, annotate, combine
from selfinstruct.api.runs import Refiltered, Rows, Run
from selfinstruct.api.settings import llama_cpp, openai, transformers, vllm
from selfinstruct.api.students import check, finetune, overlap, select, student
from selfinstruct.errors import (
    BudgetReached,
    SelfInstructError,
    StoreError,
    TeacherError,
    UsageError,
    YieldCollapsed,
)
from selfinstruct.filters.custom import filter, reject

__all__ = [
    "Annotations", "BudgetReached", "Refiltered", "Rows", "Run", "SelfInstructError", "StoreError", "TeacherError",
    "UsageError", "YieldCollapsed", "annotate", "check", "combine", "filter", "finetune", "generate", "generate_async",
    "import_answers", "llama_cpp", "openai", "overlap", "reject", "select", "student", "transformers", "vllm",
]  # fmt: skip
