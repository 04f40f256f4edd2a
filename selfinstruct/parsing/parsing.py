"""What a teacher said, as items, a verdict, or instances.

Models wrap what was asked for in greetings, headings, bold type and code fences, and number as they like:

    >>> [item.text for item in numbered_items("Sure!\\n\\n**1.** Name a river.\\n3) Name a lake.", cut=False)]
    ['Name a river.', 'Name a lake.']

No text makes a parser fail. What it cannot read gives an empty list, which the caller turns into a rejection.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from selfinstruct.parsing.json_answers import INPUT, INSTRUCTION, OUTPUT, VERDICT, json_field, json_rows


class Item(NamedTuple):
    """One item of a list; `cut` where the token limit ended the answer inside it."""

    text: str
    cut: bool


class ParsedInstance(NamedTuple):
    """One instance as read from an answer; `cut` as above, `extra` whatever else was read of it, as JSON values."""

    input: str
    output: str
    cut: bool
    extra: Mapping[str, Any] = MappingProxyType({})


class WholeTask(NamedTuple):
    """A task with its instance, as read from one answer; `cut` as above."""

    instruction: str
    input: str
    output: str
    cut: bool


# "9. ", "9.Name", "9、", "9) ", "(9) ", "**9.** ", "- 9. ", "Task 9: ", "### 9. "; "### Task 9" with the text below it.
_NUMBERED = re.compile(
    r"^(?P<indent>[ \t]{0,8})(?:[-*•>]\s+)?(?:#{1,6}\s*)?[*_]{0,2}\(?(?:task|instruction)?\s*#?(?P<number>\d{1,3})"
    r"[*_]{0,2}\s*\\?(?P<sign>[.):、．）：])[*_]{0,2}(?:\s+|$|(?=[^\W\d_]))"
    r"|^(?P<indent2>[ \t]{0,8})(?:#{1,6}\s*)?[*_]{0,2}(?:task|instruction)\s+#?\d{1,3}[*_]{0,2}\s*$",
    re.IGNORECASE,
)
_BOLD = re.compile(r"(?<![\w*])\*\*(?=[^\s*])([^*]+)(?<=\S)\*\*(?![\w*])")
# "**River quiz**: " or "**River quiz:** " behind the number; only where every item has it.
_TITLED = re.compile(r"^\*\*[^*]{1,80}(?::\*\*|\*\*\s*[:–—-])\s+(?=\S)")
# "Task: " behind the number; only where every item has it.
_LABELLED = re.compile(r"^[*_]{0,2}(?:task|instruction)[*_]{0,2}:[*_]{0,2}\s+", re.IGNORECASE)
_MARKED_HEADING = re.compile(r"^\s*(?:#{1,6}\s.*|\*\*[^*]+\*\*:?)\s*$")
_HEADING = re.compile(r"^\s*(?:#{1,6}\s.*|\*\*[^*]+\*\*:?|[^.?!]{1,80}:)\s*$")
_BULLET = re.compile(r"^(?P<indent>[ \t]{0,8})(?P<indent2>)(?:[-*•·–]\s+|[①-⑳]\s*)")
_LETTERED = re.compile(r"^(?P<indent>[ \t]{0,8})(?P<indent2>)\(?(?:[a-z]|[ivx]{2,4})[.)]\s+", re.IGNORECASE)
_MARKS = (_NUMBERED, _BULLET, _LETTERED)
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_RULE = re.compile(r"^\s*(?:-{3,}|\*{3,}|_{3,}|={3,})\s*$")
# Some templates put the opening tag into the prompt, so that only the closing one is said.
_THOUGHTS = re.compile(
    r"\A.*</(?:think|thinking|reasoning)>|\A\s*<(?:think|thinking|reasoning)>.*\Z", re.DOTALL | re.IGNORECASE
)
_REFUSAL = re.compile(
    r"^\W*(?:(?:i['’]?m |i am )?(?:so |very )?sorry\W{1,4}(?:but|i|no|as an ai)\b"
    r"|i (?:can(?:no|['’])t|can not|won['’]t|will not) (?:help|assist|fulfill?|comply|provide|create|generate|answer"
    r"|write|continue|engage|support|complete|do (?:this|that))\b|i['’]?m (?:unable|not able) to\b"
    r"|as an ai(?: language)?(?: model| assistant)?,? i\b|unfortunately, i\b"
    r"|(?:很)?抱歉|对不起|申し訳(?:あり|ござい)|죄송)",
    re.IGNORECASE,
)
_NO_INPUT = re.compile(
    r"^(?:\W*(?:none|n/?a|no\s*(?:(?:additional|further|specific)\s+)?inputs?(?:\s+(?:is\s+)?(?:needed|required|necessary"
    r"|provided|given)(?:\s+for\s+this\s+task)?)?|blank|null|not\s+(?:applicable|needed|required)|empty)\W*|\s*[-–—\"'“”]+\s*)$",
    re.IGNORECASE,
)
# A last paragraph that offers more of the same. A letter may end alike, but hardly in these words.
_SIGN_OFF = re.compile(
    r"\n[ \t]*\n\W*(?:(?:i )?hope (?:this|these|they) (?:examples )?(?:helps?|is useful|are useful)\b[^\n]{0,40}"
    r"|(?:let me know|feel free|would you like|do you want|if you (?:need|want|would like|['’]d like))[^\n]*"
    r"\b(?:examples?|more|another|ask for changes)\b[^\n]{0,40})\s*\Z",
    re.IGNORECASE,
)
# What Alpaca's prompt asks for between two tasks.
_SEPARATOR = re.compile(r"\s*^[ \t]*#{2,}\s*\Z", re.MULTILINE)
# A heading stands on a line of its own: "Example 2", "**Example 2:**", "### Example 2 (harder)"; "2." above an input.
_EXAMPLE = re.compile(
    r"^[ \t#*_>-]*example(?:[ \t]*#?\d+\.?)?(?:[ \t]*\([^()\n]*\))?[ \t:*_#]*$"
    r"|^[ \t#*_>\[-]*example[ \t]*#?\d+[^\n]{0,60}$(?=\n+[ \t*_-]*(?:input|output)\b)"
    r"|^[ \t]*[*_]{0,2}\(?\d{1,2}[.):][*_]{0,2}[ \t]*$(?=\n+[ \t*_-]*(?:input|output)\b)",
    re.IGNORECASE | re.MULTILINE,
)


def _field(names: str) -> re.Pattern[str]:
    """A field's name where a line begins: "Input:", "**Input 2:**", "- Input:", "2. Input:", "**Input**", "# Input"."""
    return re.compile(
        r"^(?:[ ]{0,3}|[ \t]{0,12}(?=(?:[-*•][ \t]+)?\*\*))(?:>[ ]?)?(?:[-*•][ \t]+)?[*_]{0,3}"
        r"(?:\d{1,3}[.)][ \t]*)?(?:#{1,6}[ \t]*)?[*_]{0,3}"
        rf"(?:{names})[ \t]*\d*"
        r"(?:[*_ \t]*:[*_]*[ \t]*|[ \t]*[*_]{2,3}[ \t]*$)"
        rf"|^[ ]{{0,3}}#{{1,6}}[ \t]*(?:\d{{1,3}}[.)][ \t]*)?(?:{names})[ \t]*\d*[ \t]*$",
        re.IGNORECASE | re.MULTILINE,
    )


_INPUT = _field("input")
# "Response" stands in texts too often to be a field's name anywhere but in a heading.
_OUTPUT = re.compile(
    _field("output|answer").pattern + r"|^[ ]{0,3}#{1,6}[ \t]*response[ \t]*:?[ \t]*$", re.IGNORECASE | re.MULTILINE
)
_LABEL = _field(r"(?:class[ \t]*)?label|class|category")
_INSTRUCTION = _field("instruction|task")
_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
# Phrases with a yes or a no that is no verdict, and words that take a verdict back.
_NO_VERDICT = re.compile(
    r"\byes\b[\"'”’]?\s*(?:/|\||,|or|and|nor)\s*[\"'“‘]?no\b|\bno (?:doubt|problem|worries)\b|\bneither\b.*",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"\b(?:answer|verdict)\b(?:\s+(?:is|would be))?\s*:?\s*[*_\"']*(yes|no)\b", re.IGNORECASE)
_UNSURE = re.compile(
    r"\b(?:whether|unclear|not sure|unsure|can(?:not|['’]t) (?:say|tell|decide|answer))\b", re.IGNORECASE
)
_IS_CLASSIFICATION = re.compile(
    r"(?:\bis|(?<=it)['’]s|(?<=this)['’]s|^\W*(?=not\b))(?!\s+(?:it|this)\b)(n['’]t|\s*\bnot)?\b"
    r"(?:\s+(?!not\b)\w+){0,3}?\s+classification\b",
    re.IGNORECASE,
)
_QUOTES = ("__", "__"), ("`", "`"), ('"', '"'), ("“", "”"), ("*", "*"), ("_", "_"), ("'", "'"), ("‘", "’")


def is_refusal(text: str) -> bool:
    """Whether the answer begins as models begin when they decline."""
    return bool(_REFUSAL.match(_spoken(text)))


def says_no_input(text: str) -> bool:
    """Whether the text is one of the ways to say that there is no input: "None", "N/A", "<noinput>", "No input." """
    return bool(_NO_INPUT.match(text))


def numbered_items(text: str, cut: bool) -> list[Item]:
    """The items of a numbered list, in their order, whatever their numbers are; else of bullets, letters, or JSON.

    What follows an item belongs to it, a list indented or numbered otherwise below it too; but not a heading, nor what
    stands before the first item, nor a remark below the last. White space is collapsed. The last item of a `cut` answer
    is marked so.
    """
    spoken = _spoken(text)
    rows = json_rows(spoken)
    if rows is not None:
        said = [row if isinstance(row, str) else json_field(row, INSTRUCTION) or "" for row in rows]
        texts = [_tidy(_NUMBERED.sub("", text, 1), False) for text in said]
    else:
        texts = next((found for mark in _MARKS if (found := _listed(spoken, mark))), [])
        if texts and all(_LABELLED.match(text) for text in texts):
            texts = [_tidy(_LABELLED.sub("", text, 1), False) for text in texts]
    last = len(texts) - 1
    return [Item(text, cut and i == last) for i, text in enumerate(texts) if text or (cut and i == last)]


def _listed(text: str, mark: re.Pattern[str]) -> list[str]:
    """The texts that `mark` stands before; a blank one for a mark without a text."""
    starts: list[re.Match[str]] = []
    below: re.Match[str] | None = None  # the latest line of a list inside the current item
    paragraphs: list[list[list[str]]] = []  # of each item, each of them lines
    for line in text.splitlines():
        if _FENCE.match(line) or _RULE.match(line):
            continue
        found = mark.match(line)
        follows = found and starts and _goes_on(found, starts[-1])
        if found and (not starts or follows or not (_goes_on(found, below) or _is_below(found, starts[-1]))):
            if starts and len(paragraphs[-1][-1]) > 1 and _MARKED_HEADING.match(paragraphs[-1][-1][-1]):
                paragraphs[-1][-1].pop()  # it stands over what comes now
            starts.append(found)
            paragraphs.append([[line[found.end() :]]])
            below = None
        elif starts and line.strip():
            paragraphs[-1][-1].append(line)
            below = found or below
        elif starts and paragraphs[-1][-1]:
            paragraphs[-1].append([])
    for i, parts in enumerate(paragraphs):
        remarks = [part for part in parts[1:] if part and not (len(part) == 1 and _HEADING.match(part[0]))]
        if i == len(paragraphs) - 1:  # a remark on the whole list looks like a paragraph of its last item
            announced = not any(parts[0]) or parts[0][-1].rstrip().endswith(":")
            remarks = [part for n, part in enumerate(remarks) if part[0][:2].isspace() or (announced and n == 0)]
        parts[1:] = remarks
    raw = [" ".join(" ".join(line for part in parts for line in part).split()) for parts in paragraphs]
    if len(raw) > 1 and all(map(_TITLED.match, raw)):
        raw = [_TITLED.sub("", text, 1) for text in raw]
    if len(raw) > 1 and all(map(_is_quoted, raw)):
        return [text[1:-1].strip() for text in raw]  # whatever else is quoted inside
    texts = [_tidy(text, start.group().count("**") == 1) for text, start in zip(raw, starts, strict=True)]
    is_one_line = len(texts) == 1 and mark is _NUMBERED and sum(map(len, paragraphs[0])) == 1
    return _run_on(texts[0], starts[0]) if is_one_line else texts


def _is_below(line: re.Match[str], item: re.Match[str]) -> bool:
    """Whether a list's line is part of the item before it: indented, or numbered in another way and out of turn."""
    if len(line["indent"] or line["indent2"] or "") > len(item["indent"] or item["indent2"] or "") + 1:
        return True
    number, sign = (line.groupdict().get(name) for name in ("number", "sign"))
    before, other_sign = (item.groupdict().get(name) for name in ("number", "sign"))
    return bool(number and before and sign != other_sign and int(number) != int(before) + 1)


def _goes_on(line: re.Match[str], before: re.Match[str] | None) -> bool:
    """Whether a list's line has the number after that of the line before, in the same style and as far in."""
    one, other = line.groupdict(), before.groupdict() if before else {}
    if not (one.get("number") and other.get("number")):
        return False
    same = all((one[name] or "") == (other[name] or "") for name in ("sign", "indent"))
    return same and int(one["number"]) == int(other["number"]) + 1


def _is_quoted(text: str) -> bool:
    """Whether the text as a whole stands in quotes; a quote that ends inside of it belongs to one that began there."""
    inside = text[1:-1]
    return len(text) > 1 and text[0] == text[-1] == '"' and not re.match(r'[^"]*[^"\s]"', inside)


def _run_on(text: str, start: re.Match[str]) -> list[str]:
    """The items of a list that was written on one line, each behind its number."""
    texts = []
    number = int(start["number"] or 0)
    while found := re.search(rf"\s[*_]{{0,2}}\(?{number + 1}[.)][*_]{{0,2}}\s", text):
        texts.append(_tidy(text[: found.start()], False))
        text = text[found.end() :]
        number += 1
    return [*texts, _tidy(text, False)]


def yes_or_no(text: str) -> bool | None:
    """The verdict in "Yes", "yes, it is.", "It is not a classification task"; None where none can be read."""
    text = _spoken(text)
    if rows := json_rows(text):
        text = json_field(rows[0], VERDICT) or ""
    text = {"true": "yes", "false": "no"}.get(text.strip(" .*`\n").lower(), text)
    text = _NO_VERDICT.sub(" ", text)
    if answers := _ANSWER.findall(text):
        return bool(answers[-1].lower() == "yes")
    sentence = _IS_CLASSIFICATION.search(text)
    word = _YES_NO.search(text)
    unsure = _UNSURE.search(text)
    first = min((m.start() for m in (sentence, word) if m), default=None)
    if first is None or (unsure and unsure.start() < first):
        return None
    if sentence and (not word or sentence.start() < word.start()):
        return not sentence.group(1)
    return word is not None and word.group(1).lower() == "yes"


def input_first(text: str, cut: bool) -> list[ParsedInstance]:
    """The instances of an answer in the form "Example 1 / Input: ... / Output: ...".

    An example without an input line has no input. The word "Example" inside a text, or a second "Output:", splits
    nothing: only a heading of its own, or an "Input:" after an output, begins a new example.
    """
    if (rows := json_rows(_spoken(text))) is not None:
        return _mark_cut(_from_json(rows), cut)
    text = _body(text)
    marks = list(_EXAMPLE.finditer(text))
    blocks = [text[m.end() : end] for m, end in _with_ends(marks)] or [text]
    if marks:  # the first example may have no heading, but what stands there may also be a greeting
        above = text[: marks[0].start()]
        number = re.search(r"\d+", marks[0].group())
        if _OUTPUT.search(above) or (above.strip() and number and int(number.group()) > 1):
            blocks.insert(0, above)
    instances = [_read_example(part) for block in blocks for part in _split_at_inputs(block)]
    return [i for i in _mark_cut(instances, cut) if i.input or i.output or (i.cut and len(instances) > 1)]


def output_first(text: str, cut: bool) -> list[ParsedInstance]:
    """The instances of an answer in the form "Class label: ... / Input: ..."; the label becomes the output."""
    if (rows := json_rows(_spoken(text))) is not None:
        return _mark_cut(_from_json(rows), cut)
    text = _EXAMPLE.sub("", _body(text))
    instances = []
    marks = list(_LABEL.finditer(text)) or list(_OUTPUT.finditer(text))
    marks = [mark for mark in marks if _last_word(mark) == _last_word(marks[0])]  # others stand in an input
    if marks and _INPUT.search(text, 0, marks[0].start()):
        return _mark_cut(_labels_below(text, marks), cut)
    for mark, end in _with_ends(marks):
        block = text[mark.end() : end]
        given = _INPUT.search(block)
        label, _, rest = block[: given.start() if given else None].strip().partition("\n")
        before = _input(block, given) if given else _no_input(rest)
        instances.append(ParsedInstance(before, _tidy(label, mark.group().count("**") == 1), False))
    return _mark_cut(instances, cut)


def whole_tasks(text: str, cut: bool) -> list[WholeTask]:
    """The tasks of an answer in the form "1. Instruction: ... / 1. Input: ... / 1. Output: ...", as Alpaca asked for.

    Numbers may be skipped, repeated or left out, and so may the "###" between two tasks, or the word "Instruction".
    """
    if (rows := json_rows(_spoken(text))) is not None:
        parsed = _from_json(rows)
        said = [json_field(row, INSTRUCTION) or "" for row in rows]
        tasks = [WholeTask(_tidy(i, False), *rest[:3]) for i, rest in zip(said, parsed, strict=True)]
    else:
        text = _body(text)
        marks = list(_INSTRUCTION.finditer(text))
        if marks and re.search(r"\d", marks[0].group()):  # then a line without a number is part of a task
            marks = [mark for mark in marks if re.search(r"\d", mark.group())]
        tasks = []
        if not marks:  # numbers alone; those without a field below them are part of a task
            numbers = _with_ends(list(re.finditer(_NUMBERED.pattern, text, re.IGNORECASE | re.MULTILINE)))
            marks = [mark for mark, end in numbers if _OUTPUT.search(text[mark.end() : end])]
        for mark, end in _with_ends(marks):
            block = _SEPARATOR.sub("", text[mark.end() : end])
            first = _INPUT.search(block) or _OUTPUT.search(block)
            instruction, rest = (block[: first.start()], block[first.start() :]) if first else (block, "")
            if named := _INSTRUCTION.match(instruction.lstrip()):  # "### Task 4", and its name again below
                instruction = instruction.lstrip()[named.end() :]
            tasks.append(WholeTask(_tidy(instruction, mark.group().count("**") == 1), *_read_example(rest)[:3]))
    if cut and tasks:
        tasks[-1] = tasks[-1]._replace(cut=True)
    return [task for task in tasks if task.instruction or task.cut]


def _labels_below(text: str, marks: list[re.Match[str]]) -> list[ParsedInstance]:
    """The instances where the model gave each input before its label after all."""
    instances = []
    begin = 0
    for mark in marks:
        given = _INPUT.search(text, begin, mark.start())
        label = text[mark.end() :].strip().partition("\n")[0]
        before = _input(text[: mark.start()], given) if given else ""
        instances.append(ParsedInstance(before, _tidy(label, mark.group().count("**") == 1), False))
        begin = mark.end()
    return instances


def _last_word(mark: re.Match[str]) -> str:
    return str(re.findall(r"[a-z]+", mark.group().lower())[-1])


def _from_json(rows: list[Any]) -> list[ParsedInstance]:
    """One instance for each row: an object, or a text that is an output by itself."""
    return [
        ParsedInstance(_no_input(json_field(row, INPUT) or ""), json_field(row, OUTPUT) or "", False)
        if isinstance(row, dict)
        else ParsedInstance("", row if isinstance(row, str) else "", False)
        for row in rows
    ]


def _with_ends(marks: list[re.Match[str]]) -> list[tuple[re.Match[str], int | None]]:
    """Each mark with the place where the next one begins, None for the last."""
    return list(zip(marks, [*(mark.start() for mark in marks[1:]), None], strict=True)) if marks else []


def _split_at_inputs(block: str) -> list[str]:
    """One part for each "Input:" that follows an "Output:" (models leave the heading out)."""
    starts = [0]
    for mark in _INPUT.finditer(block):
        if _OUTPUT.search(block, starts[-1], mark.start()):
            starts.append(mark.start())
    return [block[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


def _read_example(part: str) -> ParsedInstance:
    if rows := json_rows(part):
        return _from_json(rows)[0]
    output = _OUTPUT.search(part)
    given = _INPUT.search(part, 0, output.start() if output else len(part))
    if not output and not given:
        return ParsedInstance("", _value(part), False)
    before = part[: output.start()] if output else part
    after = _value(part[output.end() :], output) if output else ""
    return ParsedInstance(_input(before, given) if given else _no_input(before), after, False)


def _input(text: str, mark: re.Match[str]) -> str:
    """The input that stands behind its name in `text`."""
    return _no_input(_value(text[mark.end() :], mark))


def _no_input(text: str) -> str:
    """The text, or "" where it says that there is no input."""
    text = _value(text)
    return "" if says_no_input(text) else text


def _value(text: str, mark: re.Match[str] | None = None) -> str:
    """A field's text: without a rule below it, and without the end of bold type that began before its name."""
    text = text.strip()
    while text.endswith("\n---"):
        text = text.removesuffix("---").strip()
    if mark and mark.group().count("**") == 1:
        text = text.removesuffix("**").rstrip()
    return text


def _mark_cut(instances: list[ParsedInstance], cut: bool) -> list[ParsedInstance]:
    return [*instances[:-1], instances[-1]._replace(cut=True)] if cut and instances else instances


def _spoken(text: str) -> str:
    """The text without what a reasoning model thought aloud before it."""
    return _THOUGHTS.sub("", text)


def _body(text: str) -> str:
    """What is said, without a sign-off below it or a code fence around all of it; fences inside an output stay."""
    text = _SIGN_OFF.sub("", _spoken(text).strip())
    lines = text.replace("\r\n", "\n").split("\n")
    if len(lines) > 1 and _FENCE.match(lines[0]) and _FENCE.match(lines[-1]):
        return "\n".join(lines[1:-1])
    return "\n".join(lines)


def _tidy(text: str, bold: bool) -> str:
    """White space collapsed, bold marks and quotes around the whole taken off.

    `bold`: bold type that began before the text ends at its end.
    """
    text = " ".join(text.split())
    if bold:
        text = text.removesuffix("**").rstrip()
    text = _BOLD.sub(r"\1", text)
    for begin, end in _QUOTES:
        inside = text[len(begin) : -len(end)]
        if (
            text.startswith(begin)
            and text.endswith(end)
            and inside.strip()
            and begin not in inside
            and end not in inside
        ):
            text = inside.strip()
    return text
