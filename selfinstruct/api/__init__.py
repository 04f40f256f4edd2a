"""The Python API: what the commands do, as functions, and what they give, as objects.

    import selfinstruct as si

    run = si.generate("outputs/first", target=200, teacher=si.openai("gpt-4.1-mini"))
    run.records().to_pandas()
    run.rejected(reason="too_similar")
    strict = run.refilter("outputs/strict", rouge_threshold=0.6)
    strict.export("messages", "data.jsonl")

Functions block until they are done, in a script, in a thread and in a notebook. `generate_async` is for programs with
an event loop of their own. What a command would refuse raises UsageError, with the command's message.

    settings   settings as keyword arguments; teachers
    growing    generate; blocking: the event loop that it runs in
    importing  recorded answers of other tools
    runs       a run: its rows, its status, its exports, filtered again
    students   a dataset checked and compared, a student fine-tuned and opened
"""

from selfinstruct.api.growing import generate, generate_async
from selfinstruct.api.importing import import_answers
from selfinstruct.api.runs import Refiltered, Rows, Run
from selfinstruct.api.settings import openai, transformers
from selfinstruct.api.students import check, finetune, overlap, student
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
    "BudgetReached", "Refiltered", "Rows", "Run", "SelfInstructError", "StoreError", "TeacherError", "UsageError",
    "YieldCollapsed", "check", "filter", "finetune", "generate", "generate_async", "import_answers", "openai",
    "overlap", "reject", "student", "transformers",
]  # fmt: skip
