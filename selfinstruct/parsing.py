"""What a teacher said, as items, a verdict, or instances.

Models wrap what was asked for in greetings, headings, bold type and code fences, and number as they like:

    >>> [item.text for item in numbered_items("Sure!\\n\\n**1.** Name a river.\\n3) Name a lake.", cut=False)]
    ['Name a river.', 'Name a lake.']

No text makes a parser fail. What it cannot read gives an empty list, which the caller turns into a rejection.
"""

import re
from typing import NamedTuple


class Item(NamedTuple):
    """One item of a list; `cut` where the token limit ended the answer inside it."""

    text: str
    cut: bool


class ParsedInstance(NamedTuple):
    """One instance as read from an answer; `cut` as above."""

    input: str
    output: str
    cut: bool


# "9. ", "9) ", "(9) ", "**9.** ", "- 9. ", "Task 9: ", "### 9. ", and "### Task 9" with the text below it.
_NUMBERED = re.compile(
    r"^(?P<indent>[ \t]{0,8})(?:[-*•>]\s+)?(?:#{1,6}\s*)?[*_]{0,2}\(?(?:task|instruction)?\s*#?\d{1,3}[*_]{0,2}\s*[.):]"
    r"[*_]{0,2}(?:\s+|$)"
    r"|^(?P<indent2>[ \t]{0,8})(?:#{1,6}\s*)?[*_]{0,2}(?:task|instruction)\s+#?\d{1,3}[*_]{0,2}\s*$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^(?P<indent>[ \t]{0,8})(?P<indent2>)[-*•]\s+")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_RULE = re.compile(r"^\s*(?:-{3,}|\*{3,}|_{3,}|={3,})\s*$")
_THOUGHTS = re.compile(r"^\s*<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
_REFUSAL = re.compile(
    r"^\W*(?:i['’]?m sorry|i am sorry|sorry,|i can(?:no|['’])t\b|i['’]?m (?:unable|not able)|as an ai\b|"
    r"unfortunately, i\b)",
    re.IGNORECASE,
)
_NO_INPUT = re.compile(
    r"^\W*(?:none|n/?a|no\s*input(?:\s+(?:is\s+)?(?:needed|required|necessary))?|not\s+(?:applicable|needed|required)|"
    r"empty)\W*$",
    re.IGNORECASE,
)
# Only what speaks of the examples themselves: a letter's own last lines look much the same.
_SIGN_OFF = re.compile(
    r"\n[ \t]*\n\W*(?:(?:i )?hope (?:this|these|they) (?:examples )?helps?\b|(?:let me know|feel free|would you like)"
    r"[^\n]*\bexamples?\b)[^\n]*\s*\Z",
    re.IGNORECASE,
)
# A heading stands on a line of its own: "Example 2", "**Example 2:**", "### Example 2 (harder)".
_EXAMPLE = re.compile(
    r"^[ \t#*_>-]*example(?:[ \t]*#?\d+\.?)?(?:[ \t]*\([^()\n]*\))?[ \t:*_#]*$", re.IGNORECASE | re.MULTILINE
)


def _field(names: str) -> re.Pattern[str]:
    """A field's name where a line begins: "Input:", "**Input 2:**", "- Input:", "2. Input:", "**Input**"."""
    return re.compile(
        r"^[ ]{0,3}(?:>[ ]?)?(?:[-*•][ \t]+)?(?:\d{1,3}[.)][ \t]*)?(?:#{1,6}[ \t]*)?[*_]{0,3}"
        rf"(?:{names})[ \t]*\d*"
        r"(?:[*_ \t]*:[*_]*[ \t]*|[ \t]*[*_]{2,3}[ \t]*$)",
        re.IGNORECASE | re.MULTILINE,
    )


_INPUT = _field("input")
_OUTPUT = _field("output|answer")
_LABEL = _field(r"(?:class[ \t]*)?label")
_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
# Phrases with a yes or a no that is no verdict, and words that take a verdict back.
_NO_VERDICT = re.compile(r"\byes\s*(?:/|,|or|and)\s*no\b|\bno doubt\b", re.IGNORECASE)
_UNSURE = re.compile(
    r"\b(?:whether|unclear|not sure|unsure|can(?:not|['’]t) (?:say|tell|decide|answer))\b", re.IGNORECASE
)
_IS_CLASSIFICATION = re.compile(
    r"\bis(?!\s+(?:it|this)\b)(n['’]t|\s+not)?\b(?:\s+(?!not\b)\w+){0,3}?\s+classification\b", re.IGNORECASE
)


def is_refusal(text: str) -> bool:
    """Whether the answer begins as models begin when they decline."""
    return bool(_REFUSAL.match(_spoken(text)))


def numbered_items(text: str, cut: bool) -> list[Item]:
    """The items of a numbered list, in their order, whatever their numbers are; else of a bulleted list.

    A line that follows an item directly belongs to it, a list that is indented below it too; what stands before the
    first item, or after a blank line, does not. White space is collapsed. The last item of a `cut` answer is marked so.
    """
    lines = [line for line in _spoken(text).splitlines() if not _FENCE.match(line) and not _RULE.match(line)]
    for mark in (_NUMBERED, _BULLET):
        items: list[list[str]] = []
        unclosed: list[bool] = []
        indent = 0
        open_item = False
        for line in lines:
            found = mark.match(line)
            depth = len(found["indent"] or found["indent2"] or "") if found else 0
            if found and (not items or depth <= indent + 1):
                indent = depth
                items.append([line[found.end() :]])
                unclosed.append(found.group().count("**") == 1)
                open_item = True
            elif not line.strip():
                open_item = open_item and not any(items[-1])  # "9.\n\nName a river." has its text below
            elif open_item:
                items[-1].append(line)
        if items:
            texts = [_tidy(" ".join(item), bold) for item, bold in zip(items, unclosed, strict=True)]
            last = len(texts) - 1
            return [Item(item, cut and i == last) for i, item in enumerate(texts) if item or (cut and i == last)]
    return []


def yes_or_no(text: str) -> bool | None:
    """The verdict in "Yes", "yes, it is.", "It is not a classification task"; None where none can be read."""
    text = _NO_VERDICT.sub(" ", _spoken(text))
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
    text = _body(text)
    marks = list(_EXAMPLE.finditer(text))
    blocks = [text[m.end() : end] for m, end in _with_ends(marks)] or [text]
    instances = [_read_example(part) for block in blocks for part in _split_at_inputs(block)]
    return _mark_cut([i for i in instances if i.input or i.output], cut)


def output_first(text: str, cut: bool) -> list[ParsedInstance]:
    """The instances of an answer in the form "Class label: ... / Input: ..."; the label becomes the output."""
    text = _EXAMPLE.sub("", _body(text))
    instances = []
    for mark, end in _with_ends(list(_LABEL.finditer(text)) or list(_OUTPUT.finditer(text))):
        block = text[mark.end() : end]
        given = _INPUT.search(block)
        label, _, rest = block[: given.start() if given else None].strip().partition("\n")
        before = _input(block, given) if given else _no_input(rest)
        instances.append(ParsedInstance(before, _tidy(label, mark.group().count("**") == 1), False))
    return _mark_cut(instances, cut)


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
    return "" if _NO_INPUT.match(text) else text


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
    for mark in ("**", "__", "`", '"'):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark) and text.count(mark) == 2:
            text = text[len(mark) : -len(mark)].strip()
    return text
