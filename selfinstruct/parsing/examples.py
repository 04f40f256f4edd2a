"""Instances of a task in the form of examples: input first, or class label first."""

import re

from selfinstruct.parsing.fences import is_masked, masked, unmasked
from selfinstruct.parsing.fields import (
    INPUT_FIELD,
    LABEL_FIELD,
    OUTPUT_FIELD,
    from_json,
    mark_cut,
    no_input,
    read_example,
    read_input,
    with_ends,
)
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.json_answers import json_rows
from selfinstruct.parsing.names import ORDINAL, any_of
from selfinstruct.parsing.other_forms import other_pairs, with_usual_names
from selfinstruct.parsing.remarks import with_output, without_remarks
from selfinstruct.parsing.tables import table_rows
from selfinstruct.parsing.text import body, has_too_many_lines, tidy, without_fence
from selfinstruct.parsing.thoughts import spoken
from selfinstruct.patterns import pattern

_HEADING = rf"[ \t#*_>\[【-]{{0,12}}{any_of('example')}"
_FIELD = rf"{any_of('input', 'output')}(?!\w)"
_ABOVE_FIELD = rf"$(?=\n{{1,4}}[ \t*_-]{{0,8}}{_FIELD})"
# A heading is on a separate line: "Example 2", "**Example 2:**", "### Example 2 (harder)"; "2." above an input;
# or before the first field: "Example 2: Input: ...".
EXAMPLE = pattern(
    rf"^(?=[^\n]){_HEADING}[ \t]{{0,3}}#?{ORDINAL}[ \t]{{0,3}}[.:：)–—-][ \t*_]{{1,6}}(?={_FIELD}[*_ \t]{{0,6}}[:：])"
    rf"|^(?=[^\n]){_HEADING}(?:[ \t]{{0,3}}#?{ORDINAL}\.?)?(?:[ \t]{{0,3}}[(（][^()（）\n]{{0,60}}[)）])?"
    r"[ \t:：*_#\]】]{0,12}$"
    rf"|^(?=[^\n]){_HEADING}[ \t]{{0,3}}#?{ORDINAL}[^\n]{{0,60}}{_ABOVE_FIELD}"
    r"|^(?=[^\n])[ \t#*_>\[【-]{0,12}(?:(?:(?:test[ \t])?case|instance|sample|set|pair|no\.)[ \t]{0,3}#?|(?<=#))"
    rf"{ORDINAL}[^\n]{{0,60}}{_ABOVE_FIELD}"
    r"|^(?=[^\n])[ \t#*_-]{0,12}(?:first|second|third|fourth|fifth|next|another)[ \t](?:example|case|instance|sample)"
    rf"[^\n]{{0,60}}{_ABOVE_FIELD}"
    rf"|^(?=[^\n])[ \t]{{0,12}}[*_]{{0,2}}\(?\d{{1,2}}[.):][*_]{{0,2}}[ \t]{{0,12}}{_ABOVE_FIELD}",
    re.IGNORECASE | re.MULTILINE,
)
# A further task that the model made up has examples or fields of its own; the same task may stand above each.
_TASK_ABOVE = pattern(
    rf"^(?=[^\n])[ \t*_#]{{0,6}}{any_of('instruction')}[*_]{{0,2}}[:：](?P<task>[^\n]{{1,400}})\n{{1,3}}"
    rf"(?=[ \t*_-]{{0,8}}{any_of('input', 'output')}[*_ \t]{{0,6}}[:：])",
    re.IGNORECASE | re.MULTILINE,
)
# The same for examples; below a rule, as the prompt has it, the task alone is enough.
_NEXT_TASK = pattern(
    r"^-{3,8}[ \t]{0,3}\n{1,3}[ \t*_#]{0,6}task[*_]{0,2}:|"
    rf"^(?=[^\n])[ \t*_#]{{0,6}}task[*_]{{0,2}}:[^\n]{{1,400}}\n{{1,3}}(?={any_of('example')}[ \t]1[ \t:]{{0,3}}$)",
    re.IGNORECASE | re.MULTILINE,
)
# "Esimerkki 1" and below it "Syöte: ...": the form of an example, in an unknown language.
_UNKNOWN_FIELD = pattern(r"^[ \t*_-]{0,6}([^\W\d_][^\n:：.!?\"“]{0,30})[*_]{0,2}[:：](?!//)", re.MULTILINE)
_UNKNOWN_HEADING = pattern(rf"[ \t#*_【\[]{{0,8}}(?!\d)\w{{1,20}}[ \t]{{0,3}}{ORDINAL}[】\]]?[*_:：. \t]{{0,6}}\n")

_NEXT_NUMBER = pattern(rf"{_HEADING}[ \t]{{0,3}}#?\d", re.IGNORECASE)
_COUNTS = pattern(rf"{ORDINAL}|\b(?:first|second|third|fourth|fifth|next|another)\b", re.IGNORECASE)
_FIELD_BELOW = pattern(rf"\s{{0,6}}[*_#>-]{{0,4}}[ \t]{{0,3}}{_FIELD}[*_ \t]{{0,6}}[:：]", re.IGNORECASE)
_ASKS_FOR_JSON = pattern(r"json|\b(?:arrays?|schemas?)\b", re.IGNORECASE)
_IS_OF_INSTANCES = pattern(
    r"\"(?:instances|examples|(?:expected[ _])?outputs?|answer|response)\"\s{0,9}:", re.IGNORECASE
)
# What has inputs, outputs or answers of its own.
_ASKS_FOR_FIELDS = pattern(
    r"\b(?:algorithms?|pseudo-?code|docstrings?|specifications?|test (?:cases?|plans?)|unit tests?|yaml|toml|config\w*"
    r"|templates?|(?:bug|error) reports?|inputs? and (?:an? |its |the |sample |expected )*outputs?)\b",
    re.IGNORECASE,
)
_ASKS_FOR_QUESTIONS = pattern(
    r"\b(?:make|create|write|give|tell|generate|come up with|compose|design|suggest|think of|pose|invent|formulate"
    r"|draft|develop|prepare|produce|build)\b(?: (?!answers?\b|response|repl|solution)[\w'’-]+,?){0,6}? (?:quiz(?:zes)?"
    r"|riddles?|questions?|puzzles?|problems?|trivia|flash ?cards?|faqs?|teasers?|worksheets?|exercises?"
    r"|exams?|tests?)\b",
    re.IGNORECASE,
)
_ASKS_FOR_TABLE = pattern(
    r"\b(?:tables?|tabular|tabulate|truth|lookup|markdown)\b|tabel|tabla|tableau|tabela|tabella|таблиц|表|표",
    re.IGNORECASE,
)
_TEXT_FIELD = pattern(
    r"^(?P<before>[ \t*_-]{0,8})(?:text|sentence|review|passage|tweet|comment|message|email)(?=[*_]{0,3}[ \t]?[:：])",
    re.IGNORECASE | re.MULTILINE,
)
# A first line that only announces the answer, above a blank line or as an example; a reply may
# begin like that.
_OPENING = pattern(
    r"\A(?:sure|certainly|of course|absolutely)\b[^\n:]{0,20}\b(?:here|this|below)\b[^\n:]{0,80}"
    r"(?:\bexamples?(?: \w{1,9}){0,2}:[ \t]{0,9}|:[ \t]{0,9}\n[ \t]{0,9})\n\s*(?=\S)",
    re.IGNORECASE,
)
_ASKS_FOR_REPLY = pattern(
    r"repl|respon|answer|dialog|conversation|chat|messag|e-?mail|letter|script|speech|assistant|support|rewrite|rephrase"
    r"|translat|correct|proofread|edit",
    re.IGNORECASE,
)
_NOTHING = pattern(r"\s*(?:none|null|nil|undefined|nan|\[object Object\])\s*", re.IGNORECASE)  # of a program


def input_first(text: str, cut: bool, task: str = "") -> list[ParsedInstance]:
    """Read instances in the form "Example 1 / Input: ... / Output: ...", or in JSON.

    An example without an input line has the input "". Only a heading on its own line, or an "Input:" after an output,
    starts a new example. A text without known fields, but with lines that look like other fields, yields no instance.
    `cut`: whether the token limit ended the answer; the last instance is then marked as cut. `task`: the instruction,
    which may ask for something that is otherwise not part of an output: a table, an explanation.
    """
    marked = masked(text)
    found = _input_first(marked, cut, task)
    if marked == text:
        return found
    return [one._replace(input=unmasked(one.input), output=unmasked(one.output)) for one in found]


def _input_first(text: str, cut: bool, task: str) -> list[ParsedInstance]:
    if (rows := json_rows(spoken(text))) is not None:
        if not _ASKS_FOR_JSON.search(task) or _IS_OF_INSTANCES.search(text) or not re.search(r"\w", text):
            return mark_cut([with_output(row, task) for row in from_json(rows)], cut or rows.ends_inside)
        return mark_cut([ParsedInstance("", body(text, task), False)], cut or rows.ends_inside)
    if has_too_many_lines(text):
        return []
    said = body(text, task)
    text = with_usual_names(said)
    text, cut = _of_first_task(text, cut)
    marks = _headings(text)
    if (whole := _whole_output(text, said, marks, task)) is not None:
        return [ParsedInstance("", without_remarks(whole, task), cut)]
    has_fields = bool(INPUT_FIELD.search(text) or OUTPUT_FIELD.search(text))
    if not has_fields and (pairs := other_pairs(text, cut, is_table_asked=bool(_ASKS_FOR_TABLE.search(task)))):
        return mark_cut(
            [with_output(ParsedInstance(no_input(given), output, False), task) for given, output in pairs], cut
        )
    if not (marks or has_fields) and not _ASKS_FOR_REPLY.search(task):
        text = _OPENING.sub("", text)
    if not (marks or has_fields) and (_has_other_names(text) or _NOTHING.fullmatch(text)):
        return []
    if is_masked(text) and _is_code_with_examples(text, marks):
        return [ParsedInstance("", text.strip(), cut)]
    first = min((mark.end() for mark in (*marks[:1], OUTPUT_FIELD.search(text)) if mark), default=len(text))
    if next_task := _NEXT_TASK.search(text, first):
        text, cut = text[: next_task.start()], False
        marks = [mark for mark in marks if mark.end() <= next_task.start()]
    blocks = [_unfenced(text[m.end() : end]) for m, end in with_ends(marks)] or [text]
    if marks:  # the first example may have no heading, but the text there may also be a greeting
        above = text[: marks[0].start()]
        number = re.search(r"\d+", marks[0].group())
        if OUTPUT_FIELD.search(above) or (above.strip() and number and int(number.group()) > 1):
            blocks.insert(0, above)
    instances = [instance for block in blocks for instance in _read_block(block, cut, task)]
    return [i for i in mark_cut(instances, cut) if i.input or i.output or (i.cut and len(instances) > 1)]


def _whole_output(text: str, said: str, marks: list[re.Match[str]], task: str) -> str | None:
    """The text that is one output for a task that asks for fields or questions of its own; None if it is not.

    `said`: the text before its fields got their usual names.
    """
    output = OUTPUT_FIELD.search(text)
    if output is None or not (_ASKS_FOR_FIELDS.search(task) or _ASKS_FOR_QUESTIONS.search(task)):
        return None
    if marks and not any(_NEXT_NUMBER.match(mark.group()) for mark in marks[1:]):  # a task without an input has one
        below = text[marks[0].end() :].lstrip()
        output = OUTPUT_FIELD.match(below)
        return below[output.end() :].strip() if output and not text[: marks[0].start()].strip() else None
    given = INPUT_FIELD.search(text)
    above = text[: min(output.start(), given.start() if given else len(text))].strip()
    is_whole = given is not None if _ASKS_FOR_FIELDS.search(task) else not given and "answer" in output.group().lower()
    return said.strip() if not marks and is_whole and above and not above.endswith(":") else None


def _is_code_with_examples(text: str, marks: list[re.Match[str]]) -> bool:
    """Whether a code block stands above the first example: the code that the task asks for, shown at work."""
    given, output = INPUT_FIELD.search(text), OUTPUT_FIELD.search(text)
    if given is None or output is None or output.start() < given.start():
        return False
    return is_masked(text[: min(given.start(), marks[0].start() if marks else given.start())])


def _headings(text: str) -> list[re.Match[str]]:
    """The headings of examples. Inside an answer, a lone "Example" above no field is a part of an output."""
    marks = list(EXAMPLE.finditer(text))
    if marks and not text[: marks[0].start()].strip() and not _COUNTS.search(marks[0].group()):
        return marks
    return [mark for mark in marks if _COUNTS.search(mark.group()) or _FIELD_BELOW.match(text, mark.end())]


def output_first(text: str, cut: bool, task: str = "") -> list[ParsedInstance]:
    """Read instances in the form "Class label: ... / Input: ...", or in JSON; the label becomes the output.

    `task`: as for `input_first`.
    """
    if (rows := json_rows(spoken(text))) is not None:
        return mark_cut(from_json(rows), cut or rows.ends_inside)
    if has_too_many_lines(text):
        return []
    text = _with_named_inputs(EXAMPLE.sub("", body(text, task)))
    if (first := LABEL_FIELD.search(text)) and (next_task := _NEXT_TASK.search(text, first.end())):
        text, cut = text[: next_task.start()], False
    instances = []
    marks = list(LABEL_FIELD.finditer(text)) or list(OUTPUT_FIELD.finditer(text))
    if not marks and (table := [row for row in table_rows(text, cut) if "input" in row]):
        labels = [row.get("label") or row.get("output", "") for row in table]
        found = zip(table, labels, strict=True)
        return mark_cut(
            [ParsedInstance(no_input(row["input"]), tidy(label, False), False) for row, label in found], cut
        )
    marks = [mark for mark in marks if _last_word(mark) == _last_word(marks[0])]  # others are part of an input
    if marks and (INPUT_FIELD.search(text, 0, marks[0].start()) or _labels_stand_below(text, marks)):
        return mark_cut(_labels_below(text, marks), cut)
    for mark, end in with_ends(marks):
        given = INPUT_FIELD.search(text, mark.end(), len(text) if end is None else end)
        label, _, rest = text[mark.end() : given.start() if given else end].strip().partition("\n")
        before = without_remarks(read_input(text, given, end) if given else no_input(rest), task)
        instances.append(ParsedInstance(before, tidy(label, mark.group().count("**") == 1), False))
    return mark_cut(instances, cut)


def _labels_below(text: str, marks: list[re.Match[str]]) -> list[ParsedInstance]:
    """The instances of an answer in which, contrary to the prompt, each input precedes its label."""
    instances = []
    begin, has_names = 0, INPUT_FIELD.search(text) is not None
    for mark, end in with_ends(marks):
        given = INPUT_FIELD.search(text, begin, mark.start())
        label = text[mark.end() : end].strip().partition("\n")[0]
        above = text[begin : mark.start()].partition("\n")[2] if begin else text[: mark.start()]
        before = read_input(text, given, mark.start()) if given else no_input("" if has_names else above)
        instances.append(ParsedInstance(before, tidy(label, mark.group().count("**") == 1), False))
        begin = mark.end()
    return instances


def _labels_stand_below(text: str, marks: list[re.Match[str]]) -> bool:
    """Whether inputs without names stand above their labels: text above the first label, none below the last."""
    above = text[: marks[0].start()].strip()
    is_last = "\n" not in text[marks[-1].end() :].strip()
    return bool(above) and not above.endswith(":") and is_last and not INPUT_FIELD.search(text)


def _with_named_inputs(text: str) -> str:
    """The text with "Input" for "Text", "Sentence" ... where each label has one beside it, and no other inputs."""
    labels, texts = list(LABEL_FIELD.finditer(text)), list(_TEXT_FIELD.finditer(text))
    if not labels or len(labels) != len(texts) or INPUT_FIELD.search(text):
        return text
    upper, lower = (labels, texts) if labels[0].start() < texts[0].start() else (texts, labels)
    between = [text[above.end() : below.start()] for above, below in zip(upper, lower, strict=True)]
    is_adjacent = all(value.strip(" \n*_:：") and "\n" not in value.strip() for value in between)
    return _TEXT_FIELD.sub(r"\g<before>Input", text) if is_adjacent else text


def _last_word(mark: re.Match[str]) -> str:
    return str(re.findall(r"[^\W\d_]+", mark.group().lower())[-1])


def _of_first_task(text: str, cut: bool) -> tuple[str, bool]:
    """The text up to another task with an input, without the task where it is the same; `cut` holds for the rest."""
    tasks = list(_TASK_ABOVE.finditer(text))
    first = tasks[0]["task"].strip() if tasks and not OUTPUT_FIELD.search(text, 0, tasks[0].start()) else None
    other = next((task for task in tasks if task["task"].strip() != first), None)
    if first is None and other is None:
        return text, cut
    text = text[: other.start()] if other else text
    return _TASK_ABOVE.sub("", text), cut and other is None


def _read_block(block: str, cut: bool, task: str) -> list[ParsedInstance]:
    """The instances below a heading; each output may stand above its input."""
    outputs, inputs = list(OUTPUT_FIELD.finditer(block)), list(INPUT_FIELD.finditer(block))
    if cut or not _alternate(outputs, inputs) or block[: outputs[0].start()].strip():
        return [read_example(part, task) for part in _split_at_inputs(block, outputs, inputs)]
    ends = [*(output.start() for output in outputs[1:]), None]
    return [
        read_example(f"{block[given.start() : end]}\n{block[output.start() : given.start()]}", task)
        for output, given, end in zip(outputs, inputs, ends, strict=True)
    ]


def _unfenced(block: str) -> str:
    """The block without a code fence around its fields; one around an output stays."""
    inside = without_fence(block.strip())
    return inside if INPUT_FIELD.match(inside) or OUTPUT_FIELD.match(inside) else block


def _alternate(outputs: list[re.Match[str]], inputs: list[re.Match[str]]) -> bool:
    """Whether each output has its input below it, in the same place on the line: others are part of an output."""
    pairs = list(zip(outputs, inputs, strict=False))
    starts = [mark.start() for pair in pairs for mark in pair]
    alike = all(output.group()[:1].isspace() == given.group()[:1].isspace() for output, given in pairs)
    return bool(pairs) and len(outputs) == len(inputs) and starts == sorted(starts) and alike


def _split_at_inputs(block: str, outputs: list[re.Match[str]], inputs: list[re.Match[str]]) -> list[str]:
    """One part for each "Input:" that follows an "Output:" (models omit the heading)."""
    starts = [0]
    at = 0
    for mark in inputs:
        while at < len(outputs) and outputs[at].start() < starts[-1]:
            at += 1
        if at < len(outputs) and outputs[at].start() < mark.start():
            starts.append(mark.start())
    return [block[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


def _has_other_names(text: str) -> bool:
    """Whether a text without known fields has lines like fields: below a numbered heading, or the same in each block.

    In English, such blocks are usually what the task asked for: jokes with "Q:" and "A:", recipes.
    """
    blocks = [[name.strip().lower() for name in _UNKNOWN_FIELD.findall(block)] for block in text.split("\n\n")]
    if len(blocks[0]) < 2:
        return False
    alike = len(blocks) > 1 and all(one == blocks[0] for one in blocks)
    return bool(_UNKNOWN_HEADING.match(text)) or (alike and not "".join(blocks[0]).isascii())
