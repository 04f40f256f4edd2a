"""Instances in forms that nobody asked for, but that are as clear: tags, a table, "In:" and "Out:".

    >>> other_pairs("<input>3</input> <output>three</output>")
    [('3', 'three')]

Only for texts without the usual fields. "Q:" and "A:", "User:" and "Assistant:" are usually what the task asked for.
"""

import re

from selfinstruct.parsing.fields import INPUT_FIELD, OUTPUT_FIELD
from selfinstruct.parsing.names import any_of
from selfinstruct.parsing.tables import table_rows
from selfinstruct.patterns import pattern

_INSIDE = r"([^<]*+(?:<(?!/?(?:in|out)put>)[^<]*+)*+)"
_TAGS = pattern(rf"(?:<input>{_INSIDE}</input>\s*+)?<output>{_INSIDE}</output>", re.IGNORECASE)
_AROUND_TAGS = pattern(
    r"(?:\s|</?(?:examples?|instances?|tasks?)>|(?:example[ \t]{0,3})?\d{1,3}[.):]?)*+", re.IGNORECASE
)
_SHORT = pattern(r"^[ \t*_]{0,6}(in|out)[*_]{0,2}:[*_]{0,2}[ \t]", re.IGNORECASE | re.MULTILINE)

_QUALIFIED = pattern(
    r"^(?P<before>[ \t#*_>-]{0,8})(?:(?:sample|test|example|expected|desired|correct|final)[ \t])?"
    r"(?P<name>input|output)(?:[ \t](?:text|data|string|sentence))?(?=[*_]{0,3}[ \t]?[:：])",
    re.IGNORECASE | re.MULTILINE,
)


# Names that are as clear only where each has its counterpart.
_OTHER_INPUT = pattern(
    r"^(?P<before>[ \t#*_>-]{0,8})(?:test|sample|example|input)[ \t]data(?=[*_]{0,3}[ \t]?[:：])",
    re.IGNORECASE | re.MULTILINE,
)
_OTHER_OUTPUT = pattern(
    r"^(?P<before>[ \t#*_>-]{0,8})(?:solution|result|response|completion|lösung|ergebnis|solución|resultado|solution"
    r"|résultat|soluzione|risultato|решение|результат|rozwiązanie|wynik|výsledek|resultaat|resultat|sonuç|hasil"
    r"|kết quả|结果|結果|결과)(?=[*_]{0,3}[ \t]?[:：])",
    re.IGNORECASE | re.MULTILINE,
)
_INPUT_BEGINS = pattern(
    rf"[ \t#*_>\[【(-]{{0,8}}(?:{any_of('example')}[ \t]{{0,3}}#?\d{{1,3}}[ \t]{{0,3}}[.:：)–—-][ \t*_]{{0,4}})?"
    rf"(?:\d{{1,3}}[.)][ \t]{{0,3}})?[*_]{{0,3}}{any_of('input')}[*_]{{0,3}}[ \t]?[:：]",
    re.IGNORECASE,
)
_OUTPUT_INSIDE = pattern(
    r"(?:[ \t]{0,8}(?:[,;，；、|/→⇒➜–—]|[-=]>)[ \t]{0,8}|[ \t\u3000]{1,8})"
    rf"(?P<output>[*_]{{0,3}}{any_of('output')}[*_]{{0,3}}[ \t]?[:：])",
    re.IGNORECASE,
)
_LONGEST_HEADING = 100  # characters


def with_usual_names(text: str) -> str:
    """The text with "Input" and "Output" for "Sample input", "Test data", "Solution", each where a line begins."""
    has_output = OUTPUT_FIELD.search(text)
    if not has_output and (renamed := _on_separate_lines(_QUALIFIED.sub(r"\g<before>\g<name>", text))) != text:
        text, has_output = renamed, OUTPUT_FIELD.search(renamed)
    has_input = INPUT_FIELD.search(text)
    if has_input and has_output:
        return text
    inputs = list((INPUT_FIELD if has_input else _OTHER_INPUT).finditer(text))
    outputs = list((OUTPUT_FIELD if has_output else _OTHER_OUTPUT).finditer(text))
    starts = [mark.start() for pair in zip(inputs, outputs, strict=False) for mark in pair]
    in_pairs = len(inputs) == len(outputs) >= (1 if has_input or has_output else 2) and starts == sorted(starts)
    if not in_pairs or not _is_heading(text[: starts[0]]):
        return text
    text = text if has_input else _OTHER_INPUT.sub(r"\g<before>Input", text)
    return text if has_output else _OTHER_OUTPUT.sub(r"\g<before>Output", text)


def _on_separate_lines(text: str) -> str:
    """The text with each "Output:" below its "Input:", if each of them stands behind one: "Input: 3, Output: three"."""
    lines = text.split("\n")
    begins = [(n, found) for n, line in enumerate(lines) if (found := _INPUT_BEGINS.match(line))]
    ends = [(n, list(_OUTPUT_INSIDE.finditer(lines[n], found.end()))) for n, found in begins]
    if not ends or not _is_heading("\n".join(lines[: begins[0][0]])):
        return text
    if any(len(found) != 1 for _, found in ends):
        return text
    for n, (end,) in ends:
        lines[n] = f"{lines[n][: end.start()].rstrip()}\n{lines[n][end.start('output') :]}"
    return "\n".join(lines)


def _is_heading(text: str) -> bool:
    """Whether a text above the first field is a heading or an announcement, or empty."""
    return len(text) <= _LONGEST_HEADING and "\n" not in text.strip()


def other_pairs(text: str, cut: bool = False, *, is_table_asked: bool = False) -> list[tuple[str, str]]:
    """The inputs and outputs of a text in one of these forms; none if it is in none of them.

    `is_table_asked`: a table is what the task asks for.
    """
    tagged = _TAGS.findall(text)
    if tagged and _AROUND_TAGS.fullmatch(_TAGS.sub("", text)):  # otherwise they are the HTML of an answer
        return [(given.strip(), output.strip()) for given, output in tagged]
    rows = [] if is_table_asked else table_rows(text, cut)
    if rows and {"input", "output"} <= rows[0].keys():
        return [(row["input"], row["output"]) for row in rows]
    marks = list(_SHORT.finditer(text))
    if (
        not marks
        or text[: marks[0].start()].strip()
        or len(marks) % 2
        or [mark[1].lower() for mark in marks] != ["in", "out"] * (len(marks) // 2)
    ):
        return []
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    said = [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    return list(zip(said[::2], said[1::2], strict=True))
