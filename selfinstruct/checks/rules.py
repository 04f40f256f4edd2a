"""What is wrong with the texts of one conversation: one function for each rule.

    TextRule     = (Text, is it raw prompt and completion?) -> evidence | None
    ExchangeRule = (Exchange)                               -> (Text, evidence) | None

An uncertain rule reports nothing; docs/check.md lists what is missed. Evidence is a short quote from the text.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from selfinstruct.checks.endings import breaks_off
from selfinstruct.checks.leftovers import page_markup, scaffolding, template_left
from selfinstruct.checks.media import needs_media
from selfinstruct.filters.instance import InstanceSettings, empty_output, merged_tasks, next_example
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.thoughts import begins_with_thoughts, spoken
from selfinstruct.parsing.verdicts import declines, says_no_input
from selfinstruct.rows.encodings import control_character, half_surrogate, mojibake, replacement_character
from selfinstruct.rows.formats import Conversation, Exchange, Problem, Text, exchanges
from selfinstruct.rows.turns import Kind

TextRule = Callable[[Text, bool], str | None]
ExchangeRule = Callable[[Exchange], tuple[Text, str] | None]

_TOKEN = r"<\|[a-z][a-z_]{1,30}\|>|<｜[^｜<>\n]{1,40}｜>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
_TOKEN += r"|◁/?think▷|\[/?THINK\]"
_SPECIAL = re.compile(_TOKEN)
_SPECIAL_LAST = re.compile(rf"(?:{_TOKEN}|</s>)\Z")
LONGEST_TOKEN = 50  # characters
_HEADING = re.compile(
    r"^[ \t]*#{2,}[ \t]*(?:instruction|input|response|human|assistant|user)[ \t]*:[^\n]{0,40}"
    r"|\{\{?[ \t]*(?:instruction|input|question|prompt|context|user_input|query)[ \t]*\}?\}",
    re.IGNORECASE | re.MULTILINE,
)
_CODE = re.compile(
    r"```|\b(?:def|return|import|print|const|function|template|jinja|placeholder|f-string)\b", re.IGNORECASE
)
_URL = re.compile(r"(?:https?://|\bwww\.)[^\s<>\"')\]]+", re.IGNORECASE)
# Placeholder URLs, and XML namespaces, which nobody opens.
_NO_PLACE = re.compile(
    r"//(?:[\w.-]*[.-])?(?:example\w*|localhost|your[\w-]*|w3|schemas?)\b|//(?:127|192|10|0)\.", re.IGNORECASE
)
_ABOUT_URLS = re.compile(
    r"\b(?:reg(?:ular )?ex\w*|regular expressions?|html|css|markdown|xml|json|code|scripts?|programs?|functions?|urls?"
    r"|hyperlinks?|domains?|hostnames?|links|create a (?:hyper)?link|bookmark|cit(?:e|ations?)|bibliograph\w*|curl|api"
    r"|qr|parse|encode|decode|shorten|scrap\w+|python|javascript|java|sql|php)\b",
    re.IGNORECASE,
)
_OPENS = re.compile(
    r"\b(?:summar\w+|articles?|visit|open|read|watch|look at|pages?|web ?pages?|web ?sites?|videos?|stor(?:y|ies)"
    r"|posts?)\b",
    re.IGNORECASE,
)
_SPEAKS_OF_ITSELF = re.compile(
    r"(?:^|[.!?]\s+)(?:but |however, |unfortunately,? )?"
    r"as an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"(?: language)?(?: model| assistant)?,? (?:i|it is not|my)\b"
    r"|\A(?:sorry, )?this (?:task|request|instruction|question) (?:can ?not|can['’]t) be"
    r" (?:performed|completed|done|fulfilled) by an? (?:gpt|ai|language)\b",
    re.IGNORECASE,
)
_AFTER: dict[Kind | None, set[Kind]] = {
    None: {"user"}, "user": {"assistant"}, "assistant": {"user", "tool"}, "tool": {"tool", "assistant"},
}  # fmt: skip


def special_tokens(text: Text, is_raw: bool) -> str | None:
    """A chat template's control token; allowed in a raw prompt."""
    if is_raw and not text.is_answer:
        return None
    bare = text.text.strip()
    at = _control_token(bare)
    return None if at is None else bare[max(0, at - 30) : at + 50].strip()


def _control_token(text: str) -> int | None:
    """The position of the first one, or None. <s> and </s> count only around a text: inside, they are HTML."""
    if "<" not in text and "[" not in text and "◁" not in text:
        return None
    if found := _SPECIAL.search(text):
        return found.start()
    if "s>" not in text or text.find("<s>", 1) >= 0:
        return None
    if text.endswith("</s>"):
        return len(text) - len("</s>")
    return 0 if text.startswith("<s>") and "</s>" not in text else None


def without_special_tokens(text: str) -> str:
    """The text without control tokens at its end, and without <s> at its beginning."""
    if _control_token(text.strip()) is None:
        return text
    bare = text.rstrip()
    while found := _SPECIAL_LAST.search(bare[-LONGEST_TOKEN:]):
        bare = bare[: len(bare) - len(found.group())].rstrip()
    head = bare.lstrip()
    return head.removeprefix("<s>") if head.startswith("<s>") else bare


def template_marks(text: Text, is_raw: bool) -> str | None:
    """A heading or placeholder of a prompt template; in answers and code they may be intended."""
    if is_raw or text.is_answer or text.kind == "tool" or ("#" not in text.text and "{" not in text.text):
        return None
    found = _HEADING.search(text.text)
    return found.group().strip() if found and not _CODE.search(text.text) else None


def surrounding_space(text: Text, is_raw: bool) -> str | None:
    """White space before or after a text; intended if prompt and completion are concatenated as they are."""
    bare = trimmed(text.text)
    return (
        None if is_raw or bare == text.text else repr(text.text[-20:] if text.text.startswith(bare) else text.text[:20])
    )


def trimmed(text: str) -> str:
    """The text without white space around it; the first of several lines keeps its indentation."""
    bare = text.strip()
    return re.sub(r"\A(?:[^\S\n]*\n)+", "", text.rstrip()) if "\n" in bare else bare


def pseudo_empty_input(text: Text, is_raw: bool) -> str | None:
    """The input field says that there is no input."""
    return text.text.strip() if text.kind == "input" and says_no_input(text.text) else None


def nothing_asked(text: Text, is_raw: bool) -> str | None:
    """An empty instruction, prompt or turn; an empty system turn or input field is fine."""
    return "" if text.kind in ("instruction", "user", "tool", "unknown") and not text.text.strip() else None


def nothing_answered(text: Text, is_raw: bool) -> str | None:
    """An empty answer, or one with only a marker for a missing input, or only thoughts."""
    if not text.is_answer:
        return None
    is_empty = empty_output(0, {0: ParsedInstance("", text.text, False)}, InstanceSettings()) is not None
    only_thoughts = begins_with_thoughts(text.text) and not spoken(text.text).strip()
    return text.text.strip() if is_empty or only_thoughts else None


def next_task(text: Text, is_raw: bool) -> str | None:
    """The heading of another task or example in an answer, a numbered one in an instruction, examples in an input."""
    if text.kind == "input" and not is_raw:
        return next_example(text.text)
    if not (text.is_answer or text.kind == "instruction"):
        return None
    found = merged_tasks(0, {0: ParsedInstance("", text.text, False)}, InstanceSettings())
    line = found.evidence["line"] if found else None
    return None if line is None or (not text.is_answer and line.startswith("#")) else line


TEXT_RULES: dict[str, TextRule] = {
    "empty_turn": nothing_asked,
    "empty_output": nothing_answered,
    "pseudo_empty_input": pseudo_empty_input,
    "merged_tasks": next_task,
    "special_tokens": special_tokens,
    "template_marks": template_marks,
    "mojibake": lambda text, is_raw: mojibake(text.text),
    "replacement_character": lambda text, is_raw: replacement_character(text.text),
    "control_characters": lambda text, is_raw: control_character(text.text),
    "half_surrogate": lambda text, is_raw: half_surrogate(text.text),
    "surrounding_space": surrounding_space,
}


def output_equals_input(exchange: Exchange) -> tuple[Text, str] | None:
    """The answer is the input, or the whole question."""
    said = exchange.answer.text.strip()
    if not said:
        return None
    same = said in (exchange.given.text.strip() if exchange.given else "", exchange.asked.text.strip())
    return (exchange.answer, said) if same else None


def _address(text: str) -> re.Match[str] | None:
    return _URL.search(text) if "://" in text or "ww." in text.lower() else None


def url_in_input(exchange: Exchange) -> tuple[Text, str] | None:
    """A URL in place of the text it points to: little else is given, and the task is not about URLs."""
    asked, given = exchange.asked, exchange.given
    if given and (found := _address(given.text)):
        about_it = asked.text
        few = len(_URL.sub("", given.text).split()) <= 12
        if few and (not _ABOUT_URLS.search(about_it) or (_OPENS.search(about_it) and not _CODE.search(about_it))):
            return given, found.group()
    if not (given and given.text.strip() and not says_no_input(given.text)) and (found := _address(asked.text)):
        rest = _URL.sub("", asked.text)
        if len(rest.split()) <= 40 and _OPENS.search(rest) and not _ABOUT_URLS.search(rest):
            return asked, found.group()
    return None


def url_in_output(exchange: Exchange) -> tuple[Text, str] | None:
    """A URL in the answer that is neither in the question nor a placeholder."""
    if not _address(exchange.answer.text):
        return None
    question = exchange.question
    for found in _URL.finditer(exchange.answer.text):
        if not _NO_PLACE.search(found.group()) and found.group().rstrip("/.,") not in question:
            return exchange.answer, found.group()
    return None


def cut_off(exchange: Exchange) -> tuple[Text, str] | None:
    """The answer breaks off; see endings.py."""
    found = breaks_off(exchange.answer.text)
    return (exchange.answer, found) if found else None


def refusal(exchange: Exchange) -> tuple[Text, str] | None:
    """The answer refuses, or talks about itself as a model, unless the question asks for something similar."""
    said = exchange.answer.text.lstrip()
    folded = said[:1000].casefold()
    found = _SPEAKS_OF_ITSELF.search(said[:1000]) if "as a" in folded or "by a" in folded else None
    if found or declines(exchange.question, said):
        return exchange.answer, said[max(0, found.start() - 20) if found else 0 :][:100]
    return None


EXCHANGE_RULES: dict[str, ExchangeRule] = {
    "output_equals_input": output_equals_input,
    "url_in_input": url_in_input,
    "url_in_output": url_in_output,
    "media_task": needs_media,
    "cut_off": cut_off,
    "refusal": refusal,
    "template_marks": template_left,
    "page_markup": page_markup,
    "scaffolding": scaffolding,
}


def turns(conversation: Conversation) -> Iterator[Problem]:
    """The first place where the turns do not alternate, and a last turn that is not the assistant's."""
    if not conversation.has_turns:
        return
    spoken = _speakers(conversation.texts)
    while spoken and spoken[0].kind == "system":
        spoken.pop(0)
    before: list[Kind | None] = [None, *(text.kind for text in spoken)]
    for (one, other), text in zip(pairwise(before), spoken, strict=True):
        if other not in _AFTER.get(one, set()):
            yield Problem("not_alternating", text.field, f"{other} after {one or 'the beginning'}")
            break
    if not spoken or spoken[-1].kind != "assistant":
        yield Problem("no_answer_at_end", spoken[-1].field if spoken else "", spoken[-1].kind if spoken else "no turn")


def _speakers(texts: Sequence[Text]) -> list[Text]:
    """One text per turn, with its speaker: tool calls are the assistant's, even next to a text in the same turn."""
    found: list[Text] = []
    for text in texts:
        turn = text.field.rpartition(".")[0]
        if text.kind == "call" and not (found and turn and found[-1].field.startswith(f"{turn}.")):
            found.append(text._replace(kind="assistant"))
        elif text.kind in ("system", "user", "assistant", "tool"):
            found.append(text)
        elif text.kind == "instruction":
            found.append(text._replace(kind="user"))
    return found


def problems(conversation: Conversation) -> Iterator[Problem]:
    """All problems that the rules find in a conversation."""
    yield from turns(conversation)
    if conversation.is_unwanted:
        yield Problem("unwanted_answer", "", "")
    for text in conversation.texts:
        for name, rule in TEXT_RULES.items():
            evidence = rule(text, conversation.is_raw)
            if evidence is not None:
                yield Problem(name, text.field, evidence)
    for exchange in exchanges(conversation):
        for name, exchange_rule in EXCHANGE_RULES.items():
            found = exchange_rule(exchange)
            if found:
                yield Problem(name, found[0].field, found[1])
