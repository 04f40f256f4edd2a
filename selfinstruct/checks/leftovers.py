"""What a template, a chat's page or a prompt's own form left in an answer.

| sign          | example                                                                                     |
|---------------|---------------------------------------------------------------------------------------------|
| place-holder  | "I am {{name}}, made by {{author}}": a file that is meant to be filled in first             |
| separator     | "###" behind the last word: Alpaca's prompt has it between two tasks                        |
| page's markup | <div class="markdown prose">, &quot;, "pythonCopy code", "2 / 2" below a user's turn        |
| scaffolding   | "Confidence: 90 %", "[End of answer]", "Word count: 120": nobody asked for it               |

Where question or answer are about code, HTML or templates, such things are meant.
"""

import re

from selfinstruct.rows.formats import Exchange, Text

_PLACE_HOLDER = re.compile(
    r"\{\{[ \t]{0,4}[^\W\d_][\w .:-]{0,30}\}\}|(?<![{$])\{(?:name|author|user|bot|char|company|model|your_name)\}(?!\})"
    r"|[\[【](?:名字|姓名|作者|公司)[^\W\d_]{0,4}[】\]]"
)
_SEPARATOR = re.compile(r"\s#{2,5}\Z")
_ABOUT_CODE = re.compile(
    r"```|\b(?:templat\w*|jinja\w*|handlebars|mustache|liquid|helm|ansible|vue\w*|angular|django|flask|placeholders?"
    r"|variables?|html\w*|xml|css|svg|markup|markdown|web ?(?:page|site)s?|code|scripts?|functions?|program\w*|python"
    r"|java\w*|php|sql|latex|regex|tags?|escap\w+|entit(?:y|ies)|encod\w+|decod\w+|pars\w+|f-strings?|def|return|import"
    r"|console|const|var)\b|代码|模板|网页|标签",
    re.IGNORECASE,
)
_COPIED = re.compile(
    r"^[ \t]{0,8}[a-z+#-]{0,14}Copy code(?=[^\s.,;:!?]|[ \t]{0,8}$)|Copy code</button>|^Regenerate response$"
    r"|^This content may violate our content policy\b",
    re.MULTILINE,
)
_COPIED_WORDS = re.compile("opy code|egenerate response|violate our content policy")
_MARKUP = re.compile(
    r"<(?:div|span|p|pre|button|code|svg|ul|ol|li|a|img|table)\b[^<>\n]{0,200}\bclass=[^<>\n]{0,300}>"
    r"|</?(?:div|span|p|br|pre|button)[ \t]{0,2}/?>|&(?:quot|lt|gt|amp|nbsp|apos|#39|#x27|#34);"
)
_PAGED = re.compile(r"\n[ \t]{0,8}(\d{1,2}) ?/ ?(\d{1,2})\Z")
_SCAFFOLDING = re.compile(
    r"^[ \t*_(\[>-]{0,8}(?:confidence|certainty)(?: (?:level|score|rating))?[*_]{0,2} {0,2}[:：=][*_]{0,2} {0,2}"
    r"(?:\d{1,3}(?:\.\d{1,3})? ?(?:%|percent|/ ?10{1,2})|[01]?\.\d{1,4}|(?:very )?(?:high|medium|moderate|low)\b)"
    r"[^\n]{0,20}$"
    r"|^[ \t*_(\[-]{0,8}(?:word|token|character) count[*_]{0,2} ?: ?[*_]{0,2}\d{1,5}[^\n]{0,20}$"
    r"|^[ \t]{0,8}[\[(<*-]{1,4} ?end of (?:the )?(?:answer|response|output|text|example|task|story)[^\n]{0,10}$",
    re.IGNORECASE | re.MULTILINE,
)
_ABOUT_SCAFFOLDING = re.compile(
    r"\b(?:confiden\w+|certain\w*|sure|probab\w+|counts?|number of (?:words|characters|tokens)"
    r"|how (?:many|long|likely))\b",
    re.IGNORECASE,
)


def template_left(exchange: Exchange) -> tuple[Text, str] | None:
    """A place-holder in an answer that is not about templates, or the separator of Alpaca's prompt at its end."""
    said = exchange.answer.text
    if found := _SEPARATOR.search(said.rstrip()[-10:]):
        return exchange.answer, found.group().strip()
    found = _PLACE_HOLDER.search(said) if "{" in said or "字" in said or "名" in said or "作者" in said else None
    return None if found is None or _is_about_code(exchange) else (exchange.answer, found.group())


def page_markup(exchange: Exchange) -> tuple[Text, str] | None:
    """Markup of the page from which a chat was copied, in the answer; or the page's count below the user's turn."""
    asked, said = exchange.asked.text, exchange.answer.text
    found = _PAGED.search(asked[-40:].rstrip())
    if found and exchange.asked.kind == "user" and int(found[1]) <= int(found[2]):
        return exchange.asked, found.group().strip()
    if _COPIED_WORDS.search(said) and (found := _COPIED.search(said)):
        return exchange.answer, found.group().strip()
    if ("<" in said or "&" in said) and (found := _MARKUP.search(said)) and not _is_about_code(exchange):
        return exchange.answer, found.group()
    return None


def scaffolding(exchange: Exchange) -> tuple[Text, str] | None:
    """A line about the answer that nobody asked for."""
    found = _SCAFFOLDING.search(exchange.answer.text)
    if found is None or _ABOUT_SCAFFOLDING.search(exchange.question):
        return None
    return exchange.answer, found.group().strip()


def _is_about_code(exchange: Exchange) -> bool:
    return bool(_ABOUT_CODE.search(exchange.question) or "```" in exchange.answer.text)
