"""What custom strategies, stages and teachers are made of.

    from selfinstruct.extending import Prompt, SelfInstruct, Stage

A filter needs only `selfinstruct.filter` and `selfinstruct.reject`.

A strategy is a class that inherits from SelfInstruct or Alpaca, or defines everything that Strategy has. It sends the
requests of its stages (Stage), each with its prompts (Prompt), and returns what it has read: a Proposal of Candidates,
or the GeneratedInstances of one task. Further fields of a task or an instance go into its `extra`, and
become fields of each record.

Readers of answers: `read_proposal` (a list of instructions), `read_whole_tasks` (instructions with input and output),
`numbered_items`, `yes_or_no`, `input_first`, `output_first`. They read JSON as well as plain text.
"""

from selfinstruct.asking.reading import declined, no_answer
from selfinstruct.asking.stages import Counted, GrowthSettings, Prompt, Stage, rows_of
from selfinstruct.errors import RequestRefused, TeacherError, TryAgain
from selfinstruct.filters.verdicts import FilterSettings
from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.lists import numbered_items
from selfinstruct.parsing.verdicts import yes_or_no
from selfinstruct.pool.pool import Pool, Snapshot
from selfinstruct.records import Candidate, Completion, Instance, Record, Rejection, Request, Task
from selfinstruct.strategies import Answer, Ask, GeneratedInstances, Proposal, Strategy, came_with
from selfinstruct.strategies.alpaca import Alpaca, read_whole_tasks
from selfinstruct.strategies.self_instruct import SelfInstruct, read_proposal
from selfinstruct.teachers import Teacher
from selfinstruct.teachers.kinds import Kind
from selfinstruct.teachers.settings import TeacherSettings

__all__ = [
    "Alpaca", "Answer", "Ask", "Candidate", "Completion", "Counted", "FilterSettings", "GeneratedInstances",
    "GrowthSettings", "Instance", "Kind", "ParsedInstance", "Pool", "Prompt", "Proposal", "Record", "Rejection",
    "Request", "RequestRefused", "SelfInstruct", "Snapshot", "Stage", "Strategy", "Task", "Teacher", "TeacherError",
    "TeacherSettings", "TryAgain", "came_with", "declined", "input_first", "no_answer", "numbered_items",
    "output_first", "read_proposal", "read_whole_tasks", "rows_of", "yes_or_no",
]  # fmt: skip
