"""What models write beside an output: an explanation, how sure they are, or that there is none.

    >>> without_remarks("three\\n\\nExplanation: It is a small number.", "Name the number.")
    'three'

It stays where the task asks for it, or where it is one of several fields of the answer ("Rating: 4", "Confidence:
high").
"""

import re

from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.patterns import pattern

_EXPLANATION = (
    r"(?:explanation|rationale|reasoning|justification|erklärung|begründung|explication|explicación|explicação"
    r"|spiegazione|uitleg|förklaring|forklaring|wyjaśnienie|vysvětlení|пояснение|объяснение|пояснення|açıklama|penjelasan"
    r"|giải thích|解释|解釋|说明|說明|説明|解説|설명|해설)"
)
_CONFIDENCE = (
    r"confidence(?: (?:level|score))?[*_]{0,2}[:：][*_ ]{0,4}"
    r"(?:(?:very )?(?:high|medium|moderate|low)|\d{1,3} ?%|[01]?\.\d{1,4})[.*_]{0,3}[ \t]{0,8}"
)
_END = r"(?<=[\[(*-])end of (?:the )?(?:answer|response|output|example|task)[\])*-]{1,3}[ \t]{0,8}"
_REMARK = pattern(
    rf"^[ \t*_#>\[(-]{{0,8}}(?:{_CONFIDENCE}$|{_END}$"
    rf"|(?P<explains>{_EXPLANATION})[*_\])]{{0,3}}(?:[ \t]?[:：]|[ \t]{{0,3}}$))",
    re.IGNORECASE | re.MULTILINE,
)
# "Subject: ...", "## Method": then the remark is one of the parts of what was asked for.
_OTHER_PART = pattern(
    r"^(?:#{1,6} |[ \t*_>•-]{0,8}[^\W\d_](?:[^\s:：]{1,20}[ \t]){0,3}[^\s:：]{0,20}[:：](?!//))", re.MULTILINE
)
_CODE = pattern(r"```[^`]*+```")
_ASKED_FOR = pattern(
    r"expla|expli|erkl|begründ|spieg|uitleg|förklar|forklar|wyjaśn|vysvětl|объясн|поясн|açıkla|jelaskan|giải thích"
    r"|解|説|说|說|설명|why|warum|pourquoi|por qué|por que|perché|почему|为什么|なぜ|왜|justif|reason|rational|argu"
    r"|motiv|analy|confiden|certain|\bsure\b|likel|probab|\bsteps?\b|\bshow\b|wrong"
    r"|mistake|errors?\b|defin|glossar|meaning|teach|tutor|lesson|quiz|riddle|feedback|detail"
    r"|how (?:do|does|did|to|can|would|should)\b",
    re.IGNORECASE,
)
# What a model thinks between an input and its output, or above an output.
_THOUGHTS = pattern(
    r"^[ \t*_#>]{0,8}(?:(?:reasoning|rationale|thoughts?|chain of thought|thinking)[*_]{0,3}[ \t]?[:：]"
    r"|(?:okay|ok|alright|hmm+)\b[,. ]{1,3}(?:so,? )?"
    r"(?:let me (?:think|see)|let['’]s (?:think|see)|i need to|the user)\b"
    r"|let(?:['’]s| us) (?:think|compute|calculate|solve|work|break)\b[^\n]{0,60}?(?:\bstep by step\b|:(?!//)))",
    re.IGNORECASE | re.MULTILINE,
)
# The next question of a chat that the model goes on with, and its answer.
_TURN = pattern(
    r"\n(?:[ \t]{0,9}\n[ \t*_#>]{0,6}(?:q|question)|(?:[ \t]{0,9}\n)?[ \t*_#>]{0,6}(?:human|user))"
    r"[*_]{0,2}[:：][^\n]{0,2000}\n{1,3}"
    r"[ \t*_#>]{0,6}(?:assistant|ai|chatbot|bot|a|answer)[*_]{0,2}[:：]",
    re.IGNORECASE,
)
_SPEAKER = pattern(
    r"^[ \t*_#>-]{0,6}(?:human|user|q|question|assistant|ai|chatbot|bot|a|answer)\b[^\n:：]{0,20}[:：]",
    re.IGNORECASE | re.MULTILINE,
)
_ASKED_FOR_TURNS = pattern(
    r"dialog|conversation|\bchat|interview|transcript|script|\bplay\b|faqs?\b|q ?& ?a|questions?\b|quiz|riddle|trivia"
    r"|jokes?\b|flash ?card|prompt|role|support|assistant|exam|test|worksheet|对话|對話|会話|대화|диалог|di[aá]logo"
    r"|gespräch|entretien|sohbet|đối thoại",
    re.IGNORECASE,
)
# A note on the examples themselves, in the last paragraph.
_ON_EXAMPLES = pattern(
    r"\n[ \t]{0,9}\n[ \t]{0,9}(?:[(（\[]?[*_]{0,3}[(（\[]?note[*_]{0,3}:[*_]{0,3} ?|[*_(（\[]{1,3})"
    r"(?:(?:these|the above|the|all|this|each)(?: \w{1,15})? (?:examples?|instances?)"
    r"|(?:this|the above) is (?:just |only |merely |simply )?(?:an? |one )"
    r"(?:possible |hypothetical |fictional |simple )?(?:example|sample|placeholder|template))\b[^\n]{0,300}\Z",
    re.IGNORECASE,
)
_LONGEST_NOTE = 400  # characters
# tloen/alpaca-lora#32: outputs "N/A" in Alpaca's data.
_NOTHING = pattern(r"[\s\[(<]*(?:n/a|not applicable)[\s\])>.]*", re.IGNORECASE)
_ASKS_FOR_NOTHING = pattern(r"n/a\b|applicable|missing|unknown|null|absent|availab|otherwise|\bif\b", re.IGNORECASE)
# What is looked for in an input may not be there.
_LOOKS_FOR = pattern(r"\b(?:extract|find|identify|locate|pull|parse|look up|retrieve|fill)\b", re.IGNORECASE)
# Placeholders in brackets that are also tags.
_TAG = pattern(r"\s*</?(?:input|output|article|text)\s?/?>\s*", re.IGNORECASE)
_ABOUT_TAGS = pattern(
    r"\b(?:html\d?|xml|svg|tags?|elements?|markup|web ?(?:page|site)s?|forms?)\b|</?\w|标签|タグ|태그|тег",
    re.IGNORECASE,
)


def with_output(instance: ParsedInstance, task: str = "") -> ParsedInstance:
    """The instance, with the output "" if it only says that there is none, and the `task` does not ask for that."""
    question = f"{task}\n{instance.input}"
    may_say_so = _ASKS_FOR_NOTHING.search(question) or (instance.input and _LOOKS_FOR.search(task))
    is_nothing = (_NOTHING.fullmatch(instance.output) and not may_say_so) or (
        _TAG.fullmatch(instance.output) and not _ABOUT_TAGS.search(question)
    )
    return instance._replace(output="") if is_nothing else instance


def without_thoughts(text: str, task: str = "") -> str:
    """The text up to where the model begins to reason, unless the `task` speaks of reasons."""
    found = None if _ASKED_FOR.search(task) else _THOUGHTS.search(text)
    before = text[: found.start()].rstrip() if found else text
    return text if found and _OTHER_PART.search(before) else before  # it may be one of the fields of an input


def without_remarks(text: str, task: str = "") -> str:
    """The text of an output up to what does not belong to it, unless the `task` asks for that.

    That is an explanation, a confidence, a note on the examples, or the next turn of a chat.
    """
    if note := _ON_EXAMPLES.search(text, max(0, len(text) - _LONGEST_NOTE)):
        text = text[: note.start()].rstrip()
    turn = _TURN.search(text)
    if turn and not _ASKED_FOR_TURNS.search(task) and not _SPEAKER.search(text, 0, turn.start()):
        text = text[: turn.start()].rstrip()
    marks = list(_REMARK.finditer(text))
    before = text[: marks[0].start()].rstrip() if marks else ""
    if (
        not before
        or _ASKED_FOR.search(task)
        or len({mark["explains"] for mark in marks}) < len(marks)
        or _OTHER_PART.search(_CODE.sub("", before))
    ):
        return text
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    is_last = all(mark["explains"] or not text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True))
    return before if is_last else text
