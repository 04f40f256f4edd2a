"""Items of a list, in any numbering style:

    >>> [item.text for item in numbered_items("Sure!\\n\\n**1.** Name a river.\\n2) Name a lake.", cut=False)]
    ['Name a river.', 'Name a lake.']

If no line has a number, bullets or letters mark the items.
"""

import re

from selfinstruct.parsing.items import Item
from selfinstruct.parsing.json_answers import INSTRUCTION, json_field, json_rows
from selfinstruct.parsing.names import ORDINAL, any_of
from selfinstruct.parsing.tables import table_rows
from selfinstruct.parsing.text import FENCE, NUMBERED, has_too_many_lines, tidy
from selfinstruct.parsing.thoughts import spoken
from selfinstruct.patterns import pattern

# "**River quiz**: " or "**River quiz:** " after the number; only if every item has it.
_TITLED = pattern(r"^\*\*[^*]{1,80}(?::\*\*|\*\*\s*[:–—-])\s+(?=\S)")
# "Task: " after the number; only if every item has it.
_LABELLED = pattern(r"^[*_]{0,2}(?:task|instruction)[*_]{0,2}:[*_]{0,2}\s+", re.IGNORECASE)
_MARKED_HEADING = pattern(r"^\s*(?:#{1,6}\s.*|\*\*[^*]+\*\*:?)\s*$")
_HEADING = pattern(r"^\s*(?:#{1,6}\s.*|\*\*[^*]+\*\*:?|[^.?!]{1,80}:)\s*$")
_BULLET = pattern(r"^(?P<indent>[ \t]{0,8})(?P<indent2>)(?:[-*•·–]\s+(?:\[[ xX]?\]\s+)?|[①-⑳]\s*)")
# "（1）", "[1] ", "1.) ", "1 - ", "1/ ", "№ 1: ", "任务1：", "**Tarefa 1:** ", "Prompt 1: ", "第一题：", "一、", "1️⃣ ".
_OTHERWISE_NUMBERED = pattern(
    r"^(?P<indent>[ \t]{0,8})(?P<indent2>)(?:[-*•>][ \t]{1,8})?(?:#{1,6}[ \t]{0,8})?[*_]{0,2}(?:"
    r"[(（\[【<]"
    rf"{ORDINAL}[)）\]】>][:：.]?"
    r"|(?P<number>\d{1,3})(?:(?P<sign>\.\)|\)\.|[ \t]?[-–—/](?=[*_]{0,2}[ \t])|[ \t]?[】\]]|\ufe0f?\u20e3))"
    rf"|(?:{any_of('instruction')}|prompt|question|item|idea|q|№|n[º°]|no\.|nr\.)[ \t]{{0,3}}"
    rf"{ORDINAL}[ \t]{{0,3}}[:：.、)）–—-]|第[ \t]{{0,2}}{ORDINAL}[ \t]{{0,2}}[^\W\d_]{{0,4}}[:：.、]"
    r"|[一二三四五六七八九十]{1,3}[、．.]"
    r")[*_]{0,2}(?:\s+|$|(?=[^\W\d_]|[*\"“「《]))",
    re.IGNORECASE,
)
_OTHER_BULLET = pattern(
    r"^(?P<indent>[ \t]{0,8})(?P<indent2>)(?:[+—▪‣◦●○■□◆◇★☆➢►▶✅✔✓][ \t]+|[⑴-⒇⒈-⒛❶-❿➀-➓㊀-㊉][ \t]*)"
)
_LETTERED = pattern(r"^(?P<indent>[ \t]{0,8})(?P<indent2>)\(?(?:[a-z]|[ivx]{2,4})[.)]\s+", re.IGNORECASE)
_MARKS = (NUMBERED, _OTHERWISE_NUMBERED, _BULLET, _OTHER_BULLET, _LETTERED)
_NUMBER_INSIDE = pattern(r"\s[*_]{0,2}\(?(\d{1,3})[.)][*_]{0,2}(?=\s)")
_ASKS = pattern(
    r"(?:write|create|name|give|list|make|describe|explain|translate|summari[sz]e|compose|find|sort|compare|draft"
    r"|rewrite|convert|classify|identify|generate|suggest|calculate|solve|tell|choose|design|develop|add|edit|fix)\b",
    re.IGNORECASE,
)
# "Instruction: ..." above each task; "<task>...</task>" around it.
_NAMED = pattern(
    r"^(?P<indent>[ \t]{0,8})(?P<indent2>)[*_]{0,2}(?:task|instruction)[*_]{0,2}[:：][*_]{0,2}\s+", re.IGNORECASE
)
_TAGGED = pattern(r"<(task|instruction)>([^<]++)</\1>", re.IGNORECASE)
_RULE = pattern(r"^\s*(?:-{3,}|\*{3,}|_{3,}|={3,})\s*$")


def numbered_items(text: str, cut: bool) -> list[Item]:
    """Read the items of a list, in order: numbered, or with bullets or letters, or in JSON.

    Text below an item belongs to it, including a nested list. Headings, text before the first item and remarks after
    the last one are left out. Whitespace is collapsed. `cut`: whether the token limit ended the answer; if so, its
    last item is marked as cut.
    """
    text = spoken(text)
    rows = json_rows(text)
    if rows is None and has_too_many_lines(text):
        return []
    if rows is not None:
        cut = cut or rows.ends_inside
        said = [row if isinstance(row, str) else json_field(row, INSTRUCTION) or "" for row in rows]
        texts = [tidy(NUMBERED.sub("", text, 1), False) for text in said]
    else:
        lines = _lines(text)
        texts = next((found for mark in _MARKS if (found := _listed(lines, mark))), [])
        if not texts:
            texts = [tidy(found[2], False) for found in _TAGGED.finditer(text)]
        if not texts and len(found := _listed(lines, _NAMED)) > 1:
            texts = found
        if not texts:
            table = table_rows(text, cut, others=True)
            texts = [tidy(NUMBERED.sub("", row["instruction"], 1), False) for row in table if "instruction" in row]
        if texts and all(_LABELLED.match(text) for text in texts):
            texts = [tidy(_LABELLED.sub("", text, 1), False) for text in texts]
    last = len(texts) - 1
    return [Item(text, cut and i == last) for i, text in enumerate(texts) if text or (cut and i == last)]


def _lines(text: str) -> list[str]:
    """The lines without fences and rules, with blank lines collapsed."""
    lines = [line for line in text.splitlines() if not line.strip() or not (FENCE.match(line) or _RULE.match(line))]
    return [line for line, before in zip(lines, ["", *lines], strict=False) if line.strip() or before.strip()]


def _listed(lines: list[str], mark: re.Pattern[str]) -> list[str]:
    """The texts after each `mark`; a blank one for a mark without a text."""
    starts: list[re.Match[str]] = []
    below: re.Match[str] | None = None  # the latest line of a list inside the current item
    paragraphs: list[list[list[str]]] = []  # of each item, each of them lines
    for line in lines:
        found = mark.match(line)
        follows = found and starts and _goes_on(found, starts[-1])
        if found and (not starts or follows or not (_goes_on(found, below) or _is_below(found, starts[-1]))):
            if starts and len(paragraphs[-1][-1]) > 1 and _MARKED_HEADING.match(paragraphs[-1][-1][-1]):
                paragraphs[-1][-1].pop()  # it is a heading of what follows
            starts.append(found)
            paragraphs.append([[line[found.end() :]]])
            below = None
        elif starts and line.strip():
            paragraphs[-1][-1].append(line)
            below = found or below
        elif starts and paragraphs[-1][-1]:
            paragraphs[-1].append([])
    are_titled = len(starts) > 1 and all(map(_has_title, starts, paragraphs))
    for i, parts in enumerate(paragraphs):
        if are_titled:
            parts[:1] = [parts[0][1:]] if len(parts[0]) > 1 else []
        remarks = [part for part in parts[1:] if part and not (len(part) == 1 and _HEADING.match(part[0]))]
        if i == len(paragraphs) - 1:  # a remark on the whole list looks like a paragraph of its last item
            announced = not any(parts[0]) or parts[0][-1].rstrip().endswith(":")
            remarks = [part for n, part in enumerate(remarks) if part[0][:2].isspace() or (announced and n == 0)]
        parts[1:] = remarks
    raw = [" ".join(" ".join(line for part in parts for line in part).split()) for parts in paragraphs]
    if len(raw) > 1 and all(map(_TITLED.match, raw)):
        raw = [_TITLED.sub("", text, 1) for text in raw]
    if len(raw) > 1 and all(map(_is_quoted, raw)):
        return [text[1:-1].strip() for text in raw]  # regardless of quotes inside
    texts = [tidy(text, start.group().count("**") == 1) for text, start in zip(raw, starts, strict=True)]
    is_one_line = len(texts) == 1 and mark is NUMBERED and sum(map(len, paragraphs[0])) == 1
    return _run_on(texts[0], starts[0]) if is_one_line else texts


def _has_title(start: re.Match[str], parts: list[list[str]]) -> bool:
    """Whether an item begins with a title on a line of its own, above its text: "### 1. Poetry", "1. **Poetry**"."""
    line = parts[0][0].strip()
    is_bold = (start.group().count("**") == 1 or line.startswith("**")) and line.rstrip(":").endswith("**")
    title = line.strip("*:").split()
    if not (is_bold or "#" in start.group()) or not 0 < len(title) <= 4 or line[-1:] in ".?!":
        return False
    below = parts[0][1:] or (parts[1] if len(parts) > 1 else [])
    is_task = len(title) > 1 and _ASKS.match(title[0])  # "Write a haiku", and below it what about
    return len(" ".join(below).split()) > len(title) and not is_task


def _is_below(line: re.Match[str], item: re.Match[str]) -> bool:
    """Whether a list's line is part of the item before it: indented, or numbered in another style and out of order."""
    if len(line["indent"] or line["indent2"] or "") > len(item["indent"] or item["indent2"] or "") + 1:
        return True
    number, sign = (line.groupdict().get(name) for name in ("number", "sign"))
    before, other_sign = (item.groupdict().get(name) for name in ("number", "sign"))
    return bool(number and before and sign != other_sign and int(number) != int(before) + 1)


def _goes_on(line: re.Match[str], before: re.Match[str] | None) -> bool:
    """Whether a list's line has the next number, in the same style and with the same indentation."""
    one, other = line.groupdict(), before.groupdict() if before else {}
    if not (one.get("number") and other.get("number")):
        return False
    same = all((one[name] or "") == (other[name] or "") for name in ("sign", "indent"))
    return same and int(one["number"]) == int(other["number"]) + 1


def _is_quoted(text: str) -> bool:
    """Whether the whole text is in quotes; a closing quote inside it must belong to one that opened inside."""
    inside = text[1:-1]
    return len(text) > 1 and text[0] == text[-1] == '"' and not re.match(r'[^"]*[^"\s]"', inside)


def _run_on(text: str, start: re.Match[str]) -> list[str]:
    """The items of a list on one line, each after its number."""
    texts = []
    number, begin = int(start["number"] or 0), 0
    for found in _NUMBER_INSIDE.finditer(text):
        if int(found[1]) == number + 1:
            texts.append(tidy(text[begin : found.start()], False))
            number, begin = number + 1, found.end()
    return [*texts, tidy(text[begin:], False)]
