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


# "9. ", "9) ", "**9.** ", "- 9. ", "Task 9: ", "### 9. "; then "- ", "* ", "• " where nothing is numbered.
_NUMBERED = re.compile(
    r"^[ \t]{0,8}(?:[-*•>]\s+)?#{0,6}\s*[*_]{0,2}(?:task|instruction)?\s*#?\d{1,4}[*_]{0,2}\s*[.):][*_]{0,2}(?:\s+|$)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^[ \t]{0,8}[-*•]\s+")
_FENCE = re.compile(r"^\s*(?:```|~~~)")
_REFUSAL = re.compile(
    r"^\W*(?:i['’]?m sorry|i am sorry|sorry,|i can(?:no|['’])t\b|i['’]?m (?:unable|not able)|as an ai\b|"
    r"unfortunately, i\b)",
    re.IGNORECASE,
)
_NO_INPUT = re.compile(
    r"^\W*(?:none|n/?a|no\s*input(?:\s+(?:is\s+)?(?:needed|required|necessary))?|not\s+(?:applicable|needed|required)|empty)\W*$",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"^\W*example\s*#?\d*\W*$", re.IGNORECASE | re.MULTILINE)
_INPUT = re.compile(r"^[ \t#*_>-]*input[ \t]*\d*[*_ \t]*:[*_]*[ \t]*", re.IGNORECASE | re.MULTILINE)
_OUTPUT = re.compile(r"^[ \t#*_>-]*(?:output|answer)[ \t]*\d*[*_ \t]*:[*_]*[ \t]*", re.IGNORECASE | re.MULTILINE)
_LABEL = re.compile(r"^[ \t#*_>-]*(?:class[ \t]*)?label[ \t]*\d*[*_ \t]*:[*_]*[ \t]*", re.IGNORECASE | re.MULTILINE)
_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
_IS_CLASSIFICATION = re.compile(r"\bis\s+(not\s+)?(?:really\s+)?(?:an?\s+)?classification\b", re.IGNORECASE)


def is_refusal(text: str) -> bool:
    """Whether the answer begins as models begin when they decline."""
    return bool(_REFUSAL.match(text))


def numbered_items(text: str, cut: bool) -> list[Item]:
    """The items of a numbered list, in their order, whatever their numbers are; else of a bulleted list.

    A line that follows an item directly belongs to it; what stands before the first item, or after a blank line,
    does not. White space is collapsed. The last item of a `cut` answer is marked so.
    """
    lines = [line for line in text.splitlines() if not _FENCE.match(line)]
    for mark in (_NUMBERED, _BULLET):
        items: list[list[str]] = []
        open_item = False
        for line in lines:
            found = mark.match(line)
            if found:
                items.append([line[found.end() :]])
                open_item = True
            elif not line.strip():
                open_item = open_item and not any(items[-1])  # "9.\n\nName a river." has its text below
            elif open_item:
                items[-1].append(line)
        if items:
            # A sign-off after the cut-off item would mean that the answer went on, so only the very end can be cut.
            texts = [_tidy(" ".join(item)) for item in items]
            last = len(texts) - 1
            return [Item(item, cut and i == last) for i, item in enumerate(texts) if item or (cut and i == last)]
    return []


def yes_or_no(text: str) -> bool | None:
    """The verdict in "Yes", "yes, it is.", "It is not a classification task"; None where none can be read."""
    sentence = _IS_CLASSIFICATION.search(text)
    word = _YES_NO.search(text)
    if sentence and (not word or sentence.start() < word.start()):
        return not sentence.group(1)
    return word.group(1).lower() == "yes" if word else None


def input_first(text: str, cut: bool) -> list[ParsedInstance]:
    """The instances of an answer in the form "Example 1 / Input: ... / Output: ...".

    An example without an input line has no input. The word "Example" inside a text, or a second "Output:", splits
    nothing: only a heading of its own, or an "Input:" after an output, begins a new example.
    """
    instances = []
    for block in _blocks(text, _EXAMPLE):
        instances += [_read_example(part) for part in _split_at_inputs(block)]
    return _mark_cut([i for i in instances if i.input or i.output], cut)


def output_first(text: str, cut: bool) -> list[ParsedInstance]:
    """The instances of an answer in the form "Class label: ... / Input: ..."; the label becomes the output."""
    instances = []
    marks = list(_LABEL.finditer(text))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        block = _without_fences(text[mark.end() : following.start() if following else None])
        label, _, rest = block.strip().partition("\n")
        instances.append(ParsedInstance(_input(_INPUT.sub("", rest, count=1)), _tidy(label), False))
    return _mark_cut(instances, cut)


def _blocks(text: str, heading: re.Pattern[str]) -> list[str]:
    """The texts below each heading; the whole text where there is none."""
    text = _without_fences(text)
    marks = list(heading.finditer(text))
    if not marks:
        return [text]
    return [text[m.end() : n.start() if n else None] for m, n in zip(marks, [*marks[1:], None], strict=True)]


def _split_at_inputs(block: str) -> list[str]:
    """One part for each "Input:" that follows an "Output:" (models leave the heading out)."""
    starts = [0]
    for mark in _INPUT.finditer(block):
        if _OUTPUT.search(block, starts[-1], mark.start()):
            starts.append(mark.start())
    return [block[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


def _read_example(part: str) -> ParsedInstance:
    output = _OUTPUT.search(part)
    given = _INPUT.search(part)
    if output:
        before = part[given.end() if given and given.start() < output.start() else 0 : output.start()]
        return ParsedInstance(_input(before), part[output.end() :].strip(), False)
    if given:
        return ParsedInstance(_input(part[given.end() :]), "", False)
    return ParsedInstance("", part.strip(), False)


def _input(text: str) -> str:
    text = text.strip()
    return "" if _NO_INPUT.match(text) else text


def _mark_cut(instances: list[ParsedInstance], cut: bool) -> list[ParsedInstance]:
    return [*instances[:-1], instances[-1]._replace(cut=True)] if cut and instances else instances


def _without_fences(text: str) -> str:
    """The text without a code fence around the whole answer; fences inside an output are part of it."""
    lines = text.strip().splitlines()
    if len(lines) > 1 and _FENCE.match(lines[0]) and _FENCE.match(lines[-1]):
        return "\n".join(lines[1:-1])
    return text


def _tidy(text: str) -> str:
    """White space collapsed, bold marks and quotes around the whole taken off, a trailing colon too."""
    text = " ".join(text.split())
    for mark in ("**", "__", "`", '"'):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark) and text.count(mark) == 2:
            text = text[len(mark) : -len(mark)].strip()
    return text.rstrip(":").rstrip()
