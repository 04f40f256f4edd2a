"""The malformed answers of real models that do not follow the requested format.

Each kind is one function that rewrites a well-formed answer, and returns what a person could still read in it:

    >>> answer = plain("tasks", [Item(instruction="Name a fruit."), Item(instruction="Name a tree.")], first=9)
    >>> malform("parenthesis_numbers", answer, Random(1)).text
    '9) Name a fruit.\\n10) Name a tree.'
    >>> malform("refusal", answer, Random(1)).readable
    ()

so that a test can measure how much of that a parser recovers. A kind is used only for answers that it makes sense for
(`kinds_for`): a yes has no numbers to skip.
"""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import NamedTuple

from selfinstruct.simulated.mind.answers import Answer, FinishReason, Item, Shape, instance, labelled, whole
from selfinstruct.simulated.settings import MalformedKind

FORBIDDEN = (
    "Draw a picture of a sunset over the sea.",
    "Write a program that sorts a list of numbers.",
    "Look at the image below and describe what it shows.",
    "Make a graph of the sales figures in the table.",
    "Write a program to play tic-tac-toe against the user.",
    "Create a music playlist for a long drive.",
    "Translate this.",
    "Be brief.",
    "Open the link and sum up the article.",
    "Plot the temperatures of the last week.",
)
"""Tasks that a text-only assistant cannot do, or that are too short to be any use."""


class Malformed(NamedTuple):
    """A malformed answer, and the items that a person could still read in it (in order, repetitions included)."""

    text: str
    finish_reason: FinishReason
    readable: tuple[Item, ...]


class Kind(NamedTuple):
    """A way to get the format wrong, and the shapes of answers it applies to."""

    name: MalformedKind
    shapes: tuple[Shape, ...]
    write: Callable[[Answer, Random], Malformed]


def malform(kind: str, answer: Answer, rng: Random) -> Malformed:
    """Rewrite `answer` in the way named `kind`; raises KeyError for an unknown kind."""
    return _BY_NAME[kind].write(answer, rng)


def kinds_for(answer: Answer, among: Sequence[str] | None = None) -> list[str]:
    """Name the kinds that apply to an answer, out of `among` (None for all of them)."""
    names = [kind.name for kind in KINDS if answer.shape in kind.shapes and (among is None or kind.name in among)]
    skip = set()
    if len(answer.items) < 2:
        skip |= {"skipped_numbers", "repeated_numbers", "restarted_numbers"}
    if all(item.input for item in answer.items):
        skip.add("no_input_words")
    return [name for name in names if name not in skip]


def _said(text: str, answer: Answer) -> Malformed:
    return Malformed(text, "stop", answer.items)


# Any answer.


def _preamble(answer: Answer, rng: Random) -> Malformed:
    polite = ("Sure! Here you go:", "Certainly! Here is what you asked for:", f"Here are {len(answer.items)}:")
    return _said(f"{rng.choice(polite)}\n\n{answer.text}", answer)


def _sign_off(answer: Answer, rng: Random) -> Malformed:
    polite = ("Let me know if you'd like more!", "I hope this helps!", "Feel free to ask for changes.")
    return _said(f"{answer.text}\n\n{rng.choice(polite)}", answer)


def _code_fence(answer: Answer, rng: Random) -> Malformed:
    language = "json" if answer.shape == "json" else rng.choice(("", "text", "markdown"))
    return _said(f"```{language}\n{answer.text}\n```", answer)


def _cut_off(answer: Answer, rng: Random) -> Malformed:
    """End in the middle of the last item: within its last words, as a token limit does."""
    last = answer.items[-1] if answer.items else Item()
    tail = max(len(last.output if answer.shape in ("examples", "whole", "text") else last.instruction or last.input), 2)
    cut = answer.text[: -rng.randint(1, tail - 1)] if len(answer.text) > tail else answer.text[: len(answer.text) // 2]
    return Malformed(cut.rstrip(), "length", answer.items[:-1])


def _refusal(_answer: Answer, rng: Random) -> Malformed:
    sorry = (
        "I'm sorry, but I can't help with that request.",
        "I'm sorry, but as an AI language model I can't do that.",
        "I cannot fulfil this request.",
    )
    return Malformed(rng.choice(sorry), "stop", ())


def _empty(_answer: Answer, rng: Random) -> Malformed:
    return Malformed(rng.choice(("", " ", "\n")), "stop", ())


# Lists of tasks.


def _list(answer: Answer, numbers: Sequence[int], form: str = "{number}. {task}", gap: str = "\n") -> Malformed:
    numbered = zip(numbers, answer.items, strict=True)
    if answer.shape == "whole":
        return _said("\n###\n".join(whole(number, item) for number, item in numbered), answer)
    lines = (form.format(number=number, task=item.instruction) for number, item in numbered)
    return _said(gap.join(lines), answer)


def _numbers(answer: Answer) -> list[int]:
    return list(range(answer.first, answer.first + len(answer.items)))


def _styled(form: str, gap: str, answer: Answer, _rng: Random) -> Malformed:
    return _list(answer, _numbers(answer), form, gap)


def _skipped_numbers(answer: Answer, rng: Random) -> Malformed:
    at = rng.randrange(1, len(answer.items))
    return _list(answer, [number + (place >= at) for place, number in enumerate(_numbers(answer))])


def _repeated_numbers(answer: Answer, rng: Random) -> Malformed:
    at = rng.randrange(1, len(answer.items))
    return _list(answer, [number - (place >= at) for place, number in enumerate(_numbers(answer))])


def _restarted_numbers(answer: Answer, _rng: Random) -> Malformed:
    return _list(answer, list(range(1, len(answer.items) + 1)))


def _broken_lines(answer: Answer, rng: Random) -> Malformed:
    """Break a task in the middle, as models that wrap their lines do."""

    def broken(item: Item) -> Item:
        words = item.instruction.split(" ")
        at = rng.randrange(1, len(words)) if len(words) > 1 else 1
        return item._replace(instruction=" ".join(words[:at]) + "\n" * (at < len(words)) + " ".join(words[at:]))

    lines = _list(
        Answer(answer.shape, tuple(broken(item) for item in answer.items), "", answer.first), _numbers(answer)
    )
    return _said(lines.text, answer)


def _forbidden(answer: Answer, rng: Random) -> Malformed:
    """Replace half of the tasks by tasks that no filter should let through."""
    items = list(answer.items)
    for place in rng.sample(range(len(items)), (len(items) + 1) // 2):
        items[place] = Item(instruction=rng.choice(FORBIDDEN))
    return _list(Answer(answer.shape, tuple(items), "", answer.first), _numbers(answer))


# Lists of whole tasks.


def _fields(form: str, gap: str, answer: Answer, _rng: Random) -> Malformed:
    """Write each field in another format, with `gap` between two tasks."""
    blocks = []
    for number, item in enumerate(answer.items, answer.first):
        fields = (("Instruction", item.instruction), ("Input", item.input or "<noinput>"), ("Output", item.output))
        blocks.append("\n".join(form.format(number=number, name=name, text=text) for name, text in fields))
    return _said(gap.join(blocks), answer)


def _numbered_once(answer: Answer, _rng: Random) -> Malformed:
    """Number the instruction alone, and leave its name out."""
    blocks = (
        f"{number}. {item.instruction}\nInput: {item.input or 'None'}\nOutput: {item.output}"
        for number, item in enumerate(answer.items, answer.first)
    )
    return _said("\n\n".join(blocks), answer)


# A yes or a no.

_VERBOSE = {
    True: ("Yes, it is.", "It is a classification task.", "Yes, because the answer is one of a few labels.", "**Yes**"),
    False: ("No, it is not.", "It is not a classification task.", "No, because the answer is free text.", "**No**"),
}


def _verbose(answer: Answer, rng: Random) -> Malformed:
    said = answer.items[0].output
    return _said(rng.choice((*_VERBOSE[said == "Yes"], f"Answer: {said}", f"{said.lower()}.", f"[{said}]")), answer)


def _undecided(_answer: Answer, rng: Random) -> Malformed:
    shrugs = ("It depends on the input.", "Yes and no.", "That is hard to say without the input.")
    return Malformed(rng.choice(shrugs), "stop", ())


# Instances.


def _spelled(
    headings: Sequence[str], inputs: Sequence[str], outputs: Sequence[str], a: Answer, rng: Random
) -> Malformed:
    heading, before_input, before_output = rng.choice(headings), rng.choice(inputs), rng.choice(outputs)
    blocks = (
        f"{heading.format(number=number)}{instance(item, before_input, before_output)}"
        for number, item in enumerate(a.items, 1)
    )
    return _said("\n\n".join(blocks), a)


def _spelled_labels(answer: Answer, rng: Random) -> Malformed:
    before = rng.choice(("Label: ", "**Class label**: ", "**Class label:** ", "Class: ", "class label: "))
    return _said("\n\n".join(labelled(item, before) for item in answer.items), answer)


def _no_input_words(answer: Answer, rng: Random) -> Malformed:
    nothing = rng.choice(("None", "N/A", "<noinput>", "(none)", "No input"))
    items = [item if item.input else item._replace(input=nothing) for item in answer.items]
    if answer.shape == "labelled":
        return _said("\n\n".join(map(labelled, items)), answer)
    return _said("\n\n".join(f"Example {number}\n{instance(item)}" for number, item in enumerate(items, 1)), answer)


def _duplicates(answer: Answer, rng: Random) -> Malformed:
    """Repeat one of the items at the end."""
    again = rng.choice(answer.items)
    items = (*answer.items, again)
    match answer.shape:
        case "tasks":
            more = f"\n{answer.first + len(answer.items)}. {again.instruction}"
        case "labelled":
            more = f"\n\n{labelled(again)}"
        case _:
            more = f"\n\nExample {len(items)}\n{instance(again)}"
    return Malformed(answer.text + more, "stop", items)


_ANY: tuple[Shape, ...] = ("tasks", "verdict", "examples", "labelled", "whole", "text", "json")
_LONG: tuple[Shape, ...] = ("tasks", "examples", "labelled", "whole", "text", "json")
_TASKS: tuple[Shape, ...] = ("tasks",)
_LISTS: tuple[Shape, ...] = ("tasks", "whole")
_EXAMPLES: tuple[Shape, ...] = ("examples",)

KINDS: tuple[Kind, ...] = (
    Kind("preamble", _LONG, _preamble),
    Kind("sign_off", _LONG, _sign_off),
    Kind("code_fence", _LONG, _code_fence),
    Kind("cut_off", _LONG, _cut_off),
    Kind("refusal", _ANY, _refusal),
    Kind("empty", _ANY, _empty),
    Kind("skipped_numbers", _LISTS, _skipped_numbers),
    Kind("repeated_numbers", _LISTS, _repeated_numbers),
    Kind("restarted_numbers", _LISTS, _restarted_numbers),
    Kind("parenthesis_numbers", _TASKS, partial(_styled, "{number}) {task}", "\n")),
    Kind("bold_numbers", _TASKS, partial(_styled, "**{number}.** {task}", "\n")),
    Kind("bold_tasks", _TASKS, partial(_styled, "{number}. **{task}**", "\n")),
    Kind("quoted_tasks", _TASKS, partial(_styled, '{number}. "{task}"', "\n")),
    Kind("bullets", _TASKS, partial(_styled, "- {task}", "\n")),
    Kind("starred_bullets", _TASKS, partial(_styled, "* {task}", "\n")),
    Kind("headings", _TASKS, partial(_styled, "### Task {number}\n{task}", "\n\n")),
    Kind("labelled_tasks", _TASKS, partial(_styled, "{number}. Task: {task}", "\n")),
    Kind("blank_lines", _TASKS, partial(_styled, "{number}. {task}", "\n\n")),
    Kind("one_line", _TASKS, partial(_styled, "{number}. {task}", " ")),
    Kind("broken_lines", _TASKS, _broken_lines),
    Kind("no_separator", ("whole",), partial(_fields, "{number}. {name}: {text}", "\n\n")),
    Kind("bold_fields", ("whole",), partial(_fields, "**{name}:** {text}", "\n\n")),
    Kind("heading_fields", ("whole",), partial(_fields, "### {name}\n{text}", "\n\n---\n\n")),
    Kind("numbered_once", ("whole",), _numbered_once),
    Kind("forbidden", _TASKS, _forbidden),
    Kind("duplicates", ("tasks", "examples", "labelled"), _duplicates),
    Kind("verbose", ("verdict",), _verbose),
    Kind("undecided", ("verdict",), _undecided),
    Kind(
        "bold_labels",
        _EXAMPLES,
        partial(
            _spelled, ("**Example {number}**\n",), ("**Input:** ", "**Input**: "), ("**Output:** ", "**Output**: ")
        ),
    ),
    Kind(
        "heading_examples",
        _EXAMPLES,
        partial(
            _spelled, ("### Example {number}\n", "Example {number}:\n", "{number}.\n"), ("Input: ",), ("Output: ",)
        ),
    ),
    Kind("output_below", _EXAMPLES, partial(_spelled, ("Example {number}\n",), ("Input:\n",), ("Output:\n",))),
    Kind("no_heading", _EXAMPLES, partial(_spelled, ("",), ("Input: ",), ("Output: ",))),
    Kind("spelled_labels", ("labelled",), _spelled_labels),
    Kind("no_input_words", ("examples", "labelled"), _no_input_words),
)
"""Every kind, in the order of `MalformedKind`: a seed draws by it."""

_BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}
