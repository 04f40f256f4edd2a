"""Removes a reasoning model's thoughts, which are not part of its answer.

A server without the model's reasoning parser leaves the thoughts in the text. Known markers:

| marks                                                        | models or programs                                  |
|--------------------------------------------------------------|-----------------------------------------------------|
| <think>, <thinking>, <thought>, <reasoning>, <seed:think> ... | DeepSeek, Qwen, EXAONE Deep, Gemini, Seed-OSS      |
| [THINK]                                                      | Magistral                                           |
| ◁think▷                                                      | Kimi-VL                                             |
| <|begin_of_thought|>, <|START_THINKING|>, <|inner_prefix|>   | Sky-T1, Command A, Apertus                          |
| <|channel|>analysis<|message|>, analysis...assistantfinal    | gpt-oss (harmony), also without its control tokens  |
| <unused94>thought, <|channel>thought                         | MedGemma, Gemma                                     |
| "Here is my thought process:", "Here are my reasoning steps:" | Granite, Apriel                                    |
| "Thinking...", <details type="reasoning">                    | Ollama, Open WebUI                                  |
| <antThinking>, <thinking_process>, <plan>, <scratchpad> ...   | asked for by prompts, and learned from them         |
| "**Thinking:**", "### Thought", up to "**Answer:**"           | models without marks of their own                   |

A marker in backticks is mentioned, not used. Thoughts stay in the stored answer; only the parsers ignore them.
"""

import re
from functools import lru_cache

from selfinstruct.parsing.names import any_of
from selfinstruct.patterns import pattern

_TAG = r"(?:[\w-]{1,12}[:_-]|ant)?(?:think|thinking|thoughts?|reasoning)(?:[_-]?(?:process|steps?|chain|trace|block))?"
_TAG_FIRST = r"(?:analysis|reflection|scratchpad|inner_monologue|plan|planning|brainstorm(?:ing)?|deliberation)"
_TOKEN = r"(?:thought|thinking|reasoning)"
_CHANNEL = r"(?:<\|end\|>)?(?:<\|start\|>assistant)?<\|channel\|>[ \t]{0,3}"
_MESSAGE = r"(?:<\|constrain\|>[^<>\n]{0,20})?<\|message\|>"
_OPEN = (
    rf"(?i:<{_TAG}(?:[ \t][^<>\n]{{0,60}})?>|\[THINK(?:ING)?\]|◁think▷"
    rf"|<\|(?:begin_of|start)_{_TOKEN}\|>|<\|inner_prefix\|>)"
    rf"|{_CHANNEL}(?:analysis|commentary)[^<>\n]{{0,60}}{_MESSAGE}"
    r"|<\|channel>thought\b|<unused94>(?:thought\b)?"
)
# These open thoughts only at the very beginning: elsewhere they are ordinary words or markup.
_OPEN_FIRST = (
    rf"\s*(?:(?i:<{_TAG_FIRST}>|<details type=\"reasoning\"[^<>\n]{{0,80}}>"
    r"|here(?:['’]s| is) my thought process:|here are my reasoning steps:|thinking\.\.\.[ \t]*\n)"
    r"|analysis(?=[^\W_a-z]|[\"'(“]))"
)
_CLOSE = (
    rf"(?i:</{_TAG}>|\[/THINK(?:ING)?\]|◁/think▷|<\|end_of_{_TOKEN}\|>|<\|end_{_TOKEN}\|>|<\|inner_suffix\|>)"
    rf"|{_CHANNEL}final[ \t]{{0,3}}{_MESSAGE}"
    r"|assistantfinal|<channel\|>|<unused95>"
)
# These close thoughts, but mean nothing without an opening marker.
_CLOSE_OPEN = (
    rf"(?i:</(?:{_TAG_FIRST}|details)>|\.\.\.done thinking\.?"
    r"|here(?:['’]s| is) my response:|\[BEGIN FINAL RESPONSE\])"
)
_FIRST = pattern(_OPEN_FIRST)
# Headings instead of marks: "**Thinking:**" or "### Thought" first of all, "**Final answer:**" above the answer.
_TITLE = pattern(
    r"\s*(?P<marked>#{1,6}[ \t]{0,3}[*_]{0,2}|[*_]{2})?(?:my )?"
    r"(?:thinking|thoughts?|(?:thought|thinking) process|internal monologue|scratchpad|chain of thought)"
    r"(?(marked)(?:[:：][*_]{0,2}|[*_]{2}[:：]|[*_]{0,2}[ \t]{0,3}$)|[:：][ \t]{0,3}$)",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWER_TITLE = pattern(
    r"^[ \t]{0,3}(?:(?:#{1,6}[ \t]{0,3}[*_]{0,2}|[*_]{2})(?:(?:my|the) )?(?:final )?"
    r"(?:answer|response|reply|list|tasks)[*_:： \t]{0,6}$"
    r"|(?:#{1,6}[ \t]{0,3})?[*_]{0,2}final (?:answer|response|output|list)[*_]{0,2}[:：][*_]{0,2}"
    r"|(?:answer|response):[ \t]{0,3}$)",
    re.IGNORECASE | re.MULTILINE,
)
_MARK = pattern(
    rf"(?=<[\w/|]|\[[/TBtb]|[◁aAhH.])(?<!`)(?:(?P<open>{_OPEN})|(?P<close>{_CLOSE})|(?P<close_open>{_CLOSE_OPEN}))(?!`)"
)
_BLANK_LINES = pattern(r"\n(?:[^\S\n]{0,40}\n){10,}")  # nobody means so many
_MARKS = ("<", "[", "◁", "assistantfinal")  # no other marker of thoughts lacks them, except at the very beginning
_MAY_BEGIN = pattern(r"[\s#*_]*(?:analysis|here|my|thinking|thought|internal|scratchpad|chain)", re.IGNORECASE)
# Around the answer itself, after the thoughts.
_FRAME = pattern(
    r"(?i:</?(?:final_)?answer>|<\|(?:begin|end)_of_(?:solution|box)\|>|<\|(?:start|end)_response\|>"
    r"|\[(?:BEGIN|END) FINAL RESPONSE\])"
)
_LAST_TOKEN = pattern(
    r"(?:<\|(?:end|return|im_end|eot_id|endoftext|end_of_text|end_of_turn|eom_id)\|>|<SPECIAL_\d{1,3}>|<end_of_turn>"
    r"|<｜end▁of▁sentence｜>|</s>)\Z"
)
_LONGEST_TOKEN = 30  # characters
_FIELD_BEFORE = pattern(
    rf"(?:^[^\w\n]{{0,12}}(?:\d{{1,3}}[.)])?[^\w\n]{{0,8}}(?:{any_of('instruction', 'input', 'output', 'label')})?"
    r"[^\w\n]{0,8}|[:\[,]\s{0,3}\")\Z",
    re.IGNORECASE | re.MULTILINE,
)
_ENDS_FIELD = tuple(' \t"*_:：.)-(')
_LONGEST_FIELD = 80  # characters


@lru_cache(maxsize=1)  # the readers of one answer ask for it up to three times
def spoken(text: str) -> str:
    """The text without a reasoning model's thoughts, control tokens at its end, and long runs of blank lines.

    Thoughts without an end include the rest of the text. Some templates put the opening marker into the prompt, so
    everything before a lone closing marker is thoughts.
    """
    text = _BLANK_LINES.sub("\n" * 10, text)
    if not any(mark in text for mark in _MARKS) and not _MAY_BEGIN.match(text):
        return text
    parts: list[str] = []
    if title := _TITLE.match(text):
        answer = _ANSWER_TITLE.search(text, title.end())
        return _unframed(text[answer.end() :]) if answer else ""
    first = _FIRST.match(text)
    begin: int | None = None if first else 0  # of the answer; None inside thoughts
    has_thoughts = first is not None
    for mark in _MARK.finditer(text, first.end() if first else 0):
        if begin is not None and mark["open"] and _begins_line(text, mark.start(), begin):
            parts.append(text[begin : mark.start()])
            begin, has_thoughts = None, True
        elif mark["close"] or (mark["close_open"] and begin is None):
            parts = parts if begin is None else []
            begin, has_thoughts = mark.end(), True
    if begin is not None:
        parts.append(text[begin:])
    found = "".join(parts)
    return _unframed(found) if has_thoughts or _FRAME.match(found.lstrip()) else _without_last_tokens(found)


def begins_with_thoughts(text: str) -> bool:
    """Whether a marker of thoughts, closed or not, is the first thing in a text. Headings and words do not count."""
    found = _MARK.match(text.lstrip())
    return bool(found and found["open"])


def _begins_line(text: str, at: int, begin: int) -> bool:
    """Whether a marker begins a line, a field or a text in JSON, or directly follows a sentence or earlier thoughts."""
    before = text[at - 1 : at]
    if before in (".", "!", "?") or (
        before in _ENDS_FIELD and _FIELD_BEFORE.search(text, max(begin, at - _LONGEST_FIELD), at)
    ):
        return True
    while at > begin and text[at - 1] in " \t":
        at -= 1
    return at == begin or text[at - 1] == "\n"


def _unframed(text: str) -> str:
    """The answer after the thoughts, without the markers around it."""
    text = _without_last_tokens(text).strip()
    if first := _FRAME.match(text):
        text = text[first.end() :]
    frames = list(_FRAME.finditer(text, max(0, len(text) - _LONGEST_TOKEN)))
    if not frames or frames[-1].end() != len(text):
        return text
    text = text[: frames[-1].start()]
    inner = None if first else next(_FRAME.finditer(text), None)  # below the name of a field
    return text[: inner.start()] + text[inner.end() :] if inner else text


def _without_last_tokens(text: str) -> str:
    end = len(text.rstrip())
    while end and text[end - 1] == ">" and (found := _LAST_TOKEN.search(text, max(0, end - _LONGEST_TOKEN), end)):
        end = found.start()
        while end and text[end - 1].isspace():
            end -= 1
    return text[:end] if end < len(text.rstrip()) else text
