"""Answers with a single meaning: yes or no, a refusal, no input."""

import re

from selfinstruct.parsing.json_answers import VERDICT, json_field, json_rows
from selfinstruct.parsing.phrases import OF_A_PERSON, REFUSALS, WITHOUT_INPUT, any_of
from selfinstruct.parsing.thoughts import spoken
from selfinstruct.patterns import pattern

_REFUSAL = pattern(any_of(REFUSALS), re.IGNORECASE)
_OF_A_PERSON = pattern(any_of(OF_A_PERSON), re.IGNORECASE)
_SENTENCE = pattern(r"[^.!?。！？।\n]{0,200}")
_NO_INPUT = pattern(rf"(?:[\W_]*(?:{any_of(WITHOUT_INPUT)})[\W_]*|\s*[-–—\"'“”]+\s*)", re.IGNORECASE)
_NO_INPUT_AT_MOST = 80  # characters
# Questions that ask for such words.
_SAYS_SORRY = pattern(
    r"\b(?:apolog\w+|sorry|letters?|e-?mails?|messages?|dialog(?:ue)?s?|conversations?|repl(?:y|ies)|respon[ds]\w*"
    r"|translat\w*|rewrit\w*|rephras\w*|lyrics|stor(?:y|ies)|roleplay|role-play|pretend|excuses?|declin\w+|refus\w+|unfortunately"
    r"|lines?|songs?|verses?|poems?|quotes?|phrases?|slogans?|tweets?|captions?|diar(?:y|ies)|journal|monologues?"
    r"|speech(?:es)?|scenes?|characters?|perspective|point of view|voice of|act(?:ing)? as|agents?|receptionists?"
    r"|clerks?|customers?|guests?|waiters?|negat(?:ive|ion|e)|(?:question|tag) (?:tag|question)s?|first person"
    r"|sentences?|grammar|text (?:to|your)|notes? (?:to|for)|voicemails?|tell (?:him|her|them|your|a))\b"
    r"|\b(?:brev|meddelande|svarsbrev|inbjudan|översätt|historia|berättelse|beskjed|besked|invitasjon|oversett|fortelling"
    r"|kirje|viesti|kutsu|käännä|tarina|dopis|zpráv|pozvánk|přelož|příběh|levél|üzenet|fordíts|scrisoare|mesaj|poveste"
    r"|επιστολή|γράμμα|μήνυμα|wiadomość|zaproszeni|przetłumacz|uitnodiging|vertaal|brief|bericht|mektup|davet|surat|undangan"
    r"|einladung|invitación|invitation|convite|invito|приглашен|запрошенн)"
    r"|\b(?:absage|entschuldig|brief|nachricht|antwort|gespräch|übersetz|geschichte|disculp|carta|correo|mensaje|diálogo"
    r"|traduc|traduz|historia|história|cuento|excus|lettre|message|courriel|dialogue|tradui|histoire|desculp|mensagem"
    r"|scus|lettera|messaggio|traduci|racconto|извин|письм|сообщени|диалог|перевед|перевод|рассказ|отказ)"
    r"|[道致]歉|信|邮件|郵件|消息|对话|對話|翻译|翻譯|故事|拒绝|拒絕|回复|謝|手紙|メール|会話|翻訳|物語|断|사과|편지|메일"
    r"|메시지|대화|번역|이야기|거절|답장",
    re.IGNORECASE,
)
_GENRE = (
    r"(?:content|material|text|sentences?|lines?|songs?|verses?|poems?|quotes?|phrases?|slogans?|tweets?|captions?|entr(?:y|ies)"
    r"|monologues?|speech|scenes?|stor(?:y|ies)|letters?|e-?mails?|messages?|dialogues?|reply|response)"
)
_OF_A_MODEL = pattern(  # what a person who has to decline does not say
    r"\b(?:assist|help (?:you )?with|fulfill?|comply|as an ai|language model|(?:this|that|your) request|guidelines"
    r"|(?:create|generate|produce|compose|craft|write|provide|translate|rewrite|share) (?:content|material|jokes"
    rf"|(?:an?|the|that|this|such|any|your|specific) (?!much|more)[\w ]{{0,30}}?{_GENRE}|(?:that|this)(?=\W))"
    r"|harmful|offensive|hateful|unethical|inappropriate|discriminat\w+|defamatory|capabilit\w+"
    r"|(?:medical|legal|financial) advice|diagnos\w+|i must decline|continue with this)\b",
    re.IGNORECASE,
)
_QUOTED = tuple("\"'“‘«*-")
_BEGINNING = 1000  # characters of an answer in which it declines
_BEFORE_WORDS = pattern(r"\A\W+")
_SIDE = 5000  # characters on each side of an answer in which a verdict can stand
_YES_NO = pattern(r"\b(yes|no)\b", re.IGNORECASE)
# Phrases with a yes or no that is not a verdict, and words that retract a verdict.
_NO_VERDICT = pattern(
    r"\byes\b[\"'”’]?\s{0,9}(?:/|\||,|or|and|nor)\s{0,9}[\"'“‘]?no\b|\bno (?:doubt|problem|worries)\b|\bneither\b.*",
    re.IGNORECASE,
)
_ANSWER = pattern(
    r"\b(?:answer|verdict)\b(?:\s{1,9}(?:is|would be))?\s{0,9}:?\s{0,9}[*_\"']{0,9}(yes|no)\b", re.IGNORECASE
)
_UNSURE = pattern(r"\b(?:whether|unclear|not sure|unsure|can(?:not|['’]t) (?:say|tell|decide|answer))\b", re.IGNORECASE)
_IS_CLASSIFICATION = pattern(
    r"(?:\bis|(?<=it)['’]s|(?<=this)['’]s|^\W{0,9}(?=not\b))(?!\s{1,9}(?:it|this)\b)(n['’]t|\s{0,9}\bnot)?\b"
    r"(?:\s{1,9}(?!not\b)\w{1,40}){0,3}?\s{1,9}classification\b",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether the answer begins like a refusal, and not like the letter of somebody who cannot come, or cannot pay."""
    said = _BEFORE_WORDS.sub("", spoken(text)[:_BEGINNING], count=1)
    if not (found := _REFUSAL.match(said)):
        return False
    sentence = said[: _SENTENCE.match(said, found.end()).end()]  # type: ignore[union-attr]
    return not _OF_A_PERSON.search(sentence) or bool(_OF_A_MODEL.search(said[:300]))


def declines(question: str, answer: str) -> bool:
    """Whether the answer is a refusal, unless it is quoted, or the question asks for such words of a person."""
    if not is_refusal(answer) or (question and answer.lstrip().startswith(_QUOTED)):
        return False
    return not _SAYS_SORRY.search(question) or bool(_OF_A_MODEL.search(answer[:300]))


def says_no_input(text: str) -> bool:
    """Whether the text is one of the ways to say that there is no input: "None", "N/A", "<noinput>", "No input." """
    return len(text) <= _NO_INPUT_AT_MOST and bool(_NO_INPUT.fullmatch(text))


def yes_or_no(text: str) -> bool | None:
    """Read a verdict such as "Yes, it is." or "It is not a classification task" as a bool; None if there is none."""
    text = spoken(text)
    text = text if len(text) <= 2 * _SIDE else text[:_SIDE] + text[-_SIDE:]
    if rows := json_rows(text):
        text = json_field(rows[0], VERDICT) or ""
    text = {"true": "yes", "false": "no"}.get(text.strip(" .*`\n").lower(), text)
    text = _NO_VERDICT.sub(" ", text)
    if answers := _ANSWER.findall(text):
        return bool(answers[-1].lower() == "yes")
    sentence = _IS_CLASSIFICATION.search(text)
    word = _YES_NO.search(text)
    unsure = _UNSURE.search(text)
    first = min((m.start() for m in (sentence, word) if m), default=None)
    if first is None or (unsure and unsure.start() < first):
        return None
    if sentence and (not word or sentence.start() < word.start()):
        return not sentence.group(1)
    return word is not None and word.group(1).lower() == "yes"
