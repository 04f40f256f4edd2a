"""Does a task need, ask for or pretend a picture, a sound or a video, of which a text model has nothing?

| sign        | example                                                                                        |
|-------------|------------------------------------------------------------------------------------------------|
| shown       | ![...](...), <img ...>, "[Image of ...]", "<video clip>" as the input, or in an answer         |
| pointed at  | "Describe the photo below.", and nothing is given that could describe it in words              |
| asked for   | "Draw ...", "Create an image of ..."; not "an image gallery in HTML", "draw a conclusion"      |

English only. Logos, posters, charts, diagrams and songs are left alone: an answer in words, a table or verses is what
such tasks mostly get and mostly want.
"""

import re

from selfinstruct.parsing.verdicts import says_no_input
from selfinstruct.rows.formats import Exchange, Text

_NOUN = (
    r"(?:images?|photos?|photographs?|pictures?|paintings?|drawings?|screenshots?|videos?"
    r"|audio(?: (?:clip|file|recording))?|recordings?|animations?|(?:animated )?gifs?"
    r"|infographics?|(?:video |film |audio )?clips?|illustrations?)"
)
_LOOKED_AT = rf"(?:{_NOUN}|(?:(?:bar|pie|line|flow) ?)?charts?|graphs?|diagrams?)"
_SHOWN = re.compile(
    r"!\[[^\]\n]{0,80}\]\([^)\n]{1,500}\)?|<(?:img|audio|video)\b[^>\n]{0,300}>?"
    rf"|[\[<(](?=[a-z])(?:an? |the |cropped |edited |attached |link to (?:an? |the )?|insert (?:an? )?){{0,2}}{_NOUN}"
    r"(?: (?:attached|here|clip|of|file|showing)\b[^\]>)\n]{0,200})?[\]>)]",
    re.IGNORECASE,
)
_MADE_UP_FILE = re.compile(r"\A\S{0,80}\.(?:jpe?g|png|gif|bmp|mp3|wav|mp4|avi)\Z", re.IGNORECASE)
_POINTED_AT = re.compile(
    r"\b(?:this|these|the (?:following|given|attached|provided|above|uploaded|input))"
    rf" (?:\w+[ -]){{0,3}}?{_LOOKED_AT}\b(?! (?:games?|books?|frames?|essays?|editing|processing))"
    rf"|\bthe {_LOOKED_AT} (?:below|above|attached|provided|given)\b|\bin (?:the|this) {_LOOKED_AT}(?=[.?!,]|$)"
    rf"|\b(?:describe|summarize|caption|transcribe|crop|edit|analy[sz]e|interpret|colori[sz]e) the {_LOOKED_AT}\b",
    re.IGNORECASE,
)
_ASKED_FOR = re.compile(
    r"^\W*+(?:please |can you |could you )?(?:create|generate|make|produce|design|render|record|take|show me|post)"
    rf" (?:me )?(?:an?|the|some|two|three|\d+) (?:(?!\w*[’']s )[\w-]+ ){{0,2}}?{_NOUN}"
    r"(?=[.?!,]|$| (?:of|that|which|with|showing|depicting|about|from|representing|illustrating|explaining|displaying"
    r"|summari[sz]ing|based)\b)"
    r"|^\W*+(?:please |can you |could you )?(?:draw|sketch|paint|photoshop) (?:me )?"
    r"(?:an?|the|some|two|three|\d+|your)\b(?! (?:[\w-]+ ){0,2}(?:conclusions?|comparisons?|parallels?|distinctions?"
    r"|inferences?|lessons?|analog(?:y|ies)|plan|outline|connections?|attention|lines? between|portrait in words))",
    re.IGNORECASE,
)
# Then it is text after all.
_IN_TEXT = re.compile(
    r"\b(?:html|css|svg|ascii|code|program|function|script|python|java\w*|latex|markdown|mermaid|matplotlib|description"
    r"|in words|captions?|titles?|prompts?|sentence|regex|api|emoji|text-based|if you|imagine|active|passive|tense)\b",
    re.IGNORECASE,
)


def needs_media(exchange: Exchange) -> tuple[Text, str] | None:
    """The text with the sign, and the sign; None if there is none. Only a first question is asked about."""
    asked, given, answer = exchange.asked, exchange.given, exchange.answer
    for text in (given, answer):
        found = _SHOWN.search(text.text) if text else None
        if text and found and len(text.text) <= len(found.group()) + 200 and not _IN_TEXT.search(asked.text):
            return text, found.group()
    if given and _MADE_UP_FILE.match(given.text.strip()):
        return given, given.text.strip()
    if not exchange.is_first:
        return None
    nothing_given = given is None or not given.text.strip() or says_no_input(given.text) or _is_link(given.text)
    is_short = "\n" not in asked.text.strip() and len(asked.text.split()) <= 30
    if nothing_given and is_short and (found := _POINTED_AT.search(asked.text)):
        return asked, found.group()
    if is_short and (found := _ASKED_FOR.search(asked.text)) and not _IN_TEXT.search(asked.text):
        return asked, found.group()
    return None


def _is_link(text: str) -> bool:
    return text.strip().startswith(("http://", "https://", "www.")) and len(text.split()) == 1
