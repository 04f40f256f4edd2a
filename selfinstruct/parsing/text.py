"""Shared by the parsers: the number before a text, and the clean-up of texts."""

import re

from selfinstruct.parsing.thoughts import spoken
from selfinstruct.patterns import pattern

# "9. ", "9.Name", "9、", "9) ", "(9) ", "**9.** ", "- 9. ", "Task 9: ", "### 9. "; "### Task 9" with the text below it.
NUMBERED = pattern(
    r"^(?P<indent>[ \t]{0,8})(?:[-*•>][^\S\n]{1,8})?(?:#{1,6}[^\S\n]{0,8})?[*_]{0,2}\(?(?:task|instruction)?"
    r"[^\S\n]{0,8}#?(?P<number>\d{1,3})[*_]{0,2}[^\S\n]{0,8}\\?(?P<sign>[.):、．）：])[*_]{0,2}(?:\s+|$|(?=[^\W\d_]))"
    r"|^(?P<indent2>[ \t]{0,8})(?:#{1,6}[^\S\n]{0,8})?[*_]{0,2}(?:task|instruction)[^\S\n]{1,8}#?\d{1,3}[*_]{0,2}"
    r"[^\S\n]{0,20}$",
    re.IGNORECASE,
)
MOST_LINES = 5000
FENCE = pattern(r"^\s*(?:```|~~~)")
_BOLD = pattern(r"(?<![\w*])\*\*(?=[^\s*])([^*]+)(?<=\S)\*\*(?![\w*])")
_QUOTES = ("__", "__"), ("`", "`"), ('"', '"'), ("“", "”"), ("*", "*"), ("_", "_"), ("'", "'"), ("‘", "’")
# A last paragraph that offers more of the same. A letter may end similarly, but hardly in these words.
_LONGEST_SIGN_OFF = 500  # characters
_SIGN_OFF = pattern(
    r"\n[ \t]{0,40}\n\W{0,40}(?:(?:i )?hope (?:this|these|they) (?:examples )?(?:helps?|(?:is|are) useful)\b"
    r"[^\n]{0,40}"
    r"|(?:let me know|feel free|would you like|do you want|if you (?:need|want|would like|['’]d like))[^\n]{0,200}"
    r"\b(?:examples?|more|another|ask for changes)\b[^\n]{0,40}"
    r"|(?:ich hoffe,? (?:das|diese beispiele) (?:hilft|helfen)"
    r"|espero que (?:(?:esto|te|le|les|isso|isto) ){0,2}(?:sirva|ayude|ajude|seja útil|sea útil)"
    r"|j['’]espère que (?:cela|ça|ces exemples) (?:vous |t['’])?(?:aide|sera)"
    r"|spero (?:che )?(?:questo |questi esempi )?(?:ti |vi )?(?:sia|siano|aiuti|aiutino) "
    r"|надеюсь,? (?:это|эти примеры) помо|希望(?:(?:这|這)(?:些例子)?)?(?:对|對)|お役に立て|도움이 되)[^\n]{0,60})\Z",
    re.IGNORECASE,
)
_ASKS_FOR_LETTER = pattern(
    r"letter|e-?mail|messag|\brepl(?:y|ies)\b|postcard|brief\b|nachricht|carta\b|correo|mensa|lettre|courriel"
    r"|lettera|messaggio|\blist do\b|письм|сообщени|信|邮件|郵件|手紙|メール|편지|메일|mektup|thư",
    re.IGNORECASE,
)


def has_too_many_lines(text: str) -> bool:
    """Whether an answer has more than MOST_LINES: a model that repeats itself, and nothing that anybody asked for."""
    return len(text) > MOST_LINES and len(text.splitlines()) > MOST_LINES


_NEXT_TURN = pattern(r"<\|im_end\|>\s{0,9}<\|im_start\|>|<\|eot_id\|>\s{0,9}<\|start_header_id\|>|<\|endoftext\|>")


def body(text: str, task: str = "") -> str:
    """The content of an answer, without a sign-off below it or a code fence around it; fences inside an output stay.

    A letter that the `task` asks for keeps its last line.
    """
    text = spoken(text).strip()
    if end := _NEXT_TURN.search(text):
        text = text[: end.start()]
    if not _ASKS_FOR_LETTER.search(task):
        text = text[:-_LONGEST_SIGN_OFF] + _SIGN_OFF.sub("", text[-_LONGEST_SIGN_OFF:])
    return without_fence(text.replace("\r\n", "\n"))


def without_fence(text: str) -> str:
    """The text without a code fence around all of it."""
    lines = text.split("\n")
    if len(lines) > 1 and FENCE.match(lines[0]) and FENCE.match(lines[-1]):
        return "\n".join(lines[1:-1])
    return "\n".join(lines)


def tidy(text: str, bold: bool) -> str:
    """The text with white space collapsed, without bold marks and quotes around the whole of it.

    `bold`: bold type that began before the text ends with it.
    """
    text = " ".join(text.split())
    if bold:
        text = text.removesuffix("**").rstrip()
    if text[:1].isalnum() and "**" not in text:
        return text
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
