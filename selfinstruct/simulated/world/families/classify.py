"""Classification by wording: the label follows from the words of a sentence.

For example "is the tone of the note below positive or negative?": "What a delightful lantern." is "positive". The
solver asks which label's own words (`sentences_by_label`) occur most often.
"""

import re
from collections.abc import Mapping
from functools import cache

from selfinstruct.simulated.world.families import sentences_by_label as by_label
from selfinstruct.simulated.world.families.sentences_by_label import NEUTRAL, Wording
from selfinstruct.simulated.world.grammar import Family, Maker, Solver, parts
from selfinstruct.simulated.world.vocabulary import say


def _tokens(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:'[a-z]+)?", text.lower())


def _maker(wordings: Mapping[str, Wording]) -> Maker:
    return lambda _, rng, label: say(wordings[label].templates, {**NEUTRAL, **wordings[label].words}, rng)


def _solver(wordings: Mapping[str, Wording]) -> Solver:
    @cache
    def owner_of() -> dict[str, str]:
        """Map every word that only one label uses to that label."""
        neutral = {token for said in NEUTRAL.values() for phrase in said for token in _tokens(phrase)}
        used = {
            label: {token for phrase in _literals(wording) for token in _tokens(phrase)} - neutral
            for label, wording in wordings.items()
        }
        owners: dict[str, list[str]] = {}
        for label, tokens in used.items():
            for token in tokens:
                owners.setdefault(token, []).append(label)
        return {token: labels[0] for token, labels in owners.items() if len(labels) == 1}

    def solve(_: object, text: str) -> str | None:
        owners = owner_of()
        found = [owners[token] for token in _tokens(text) if token in owners]
        ranked = sorted(wordings, key=found.count, reverse=True)
        return ranked[0] if found.count(ranked[0]) > found.count(ranked[1]) else None

    return solve


def _literals(wording: Wording) -> list[str]:
    said = [phrase for phrases in wording.words.values() for phrase in phrases]
    return said + [piece for template in wording.templates for piece in parts(template)[::2]]


def _sentence_kind(_: object, text: str) -> str | None:
    words = _tokens(text)
    if len(words) < 2:
        return None
    if text.endswith("?"):
        return "question"
    return "command" if words[0] in by_label.CHORES else "statement"


def _by_wording(
    name: str, wordings: Mapping[str, Wording], orders: tuple[str, ...], questions: tuple[str, ...]
) -> Family:
    return Family(
        name=name, orders=orders, questions=questions, labels=tuple(wordings), make=_maker(wordings),
        solve=_solver(wordings),
    )  # fmt: skip


CLASSIFY_FAMILIES: tuple[Family, ...] = (
    _by_wording(
        "sentiment",
        by_label.SENTIMENT,
        (
            "classify the mood of {message} as {labels}",
            "decide whether {message} sounds {labels}",
            "judge if the opinion in {message} is {labels}",
            "label the attitude behind {message} as {labels}",
        ),
        ("is the opinion in {message} {labels}", "does {message} sound {labels}"),
    ),
    _by_wording(
        "topic",
        by_label.TOPIC,
        (
            "assign {sentence} to one of the topics {labels}",
            "choose the subject of {sentence} from {labels}",
            "say whether {sentence} deals with {labels}",
        ),
        ("is {sentence} about {labels}", "which subject, {labels}, does {sentence} deal with"),
    ),
    _by_wording(
        "emotion",
        by_label.EMOTION,
        (
            "name the feeling expressed in {sentence}, choosing {labels}",
            "decide whether {sentence} expresses {labels}",
            "tag {sentence} with the emotion it shows: {labels}",
        ),
        ("which emotion, {labels}, does {sentence} show", "does {sentence} express {labels}"),
    ),
    _by_wording(
        "language",
        by_label.LANGUAGE,
        (
            "identify the language of {sentence} as {labels}",
            "decide whether {sentence} is written in {labels}",
            "name the language of {sentence}, choosing among {labels}",
        ),
        ("is {sentence} written in {labels}", "which language, {labels}, is {sentence} in"),
    ),
    Family(
        name="sentence_kind",
        orders=(
            "decide whether {sentence} is a {labels}",
            "classify {sentence} as {labels}",
            "tell if {sentence} works as a {labels}",
        ),
        questions=("is {sentence} a {labels}", "would a grammarian call {sentence} a {labels}"),
        labels=tuple(by_label.SENTENCE_KIND),
        make=_maker(by_label.SENTENCE_KIND),
        solve=_sentence_kind,
    ),
    _by_wording(
        "tense",
        by_label.TENSE,
        (
            "decide whether {sentence} is in the {labels} tense",
            "classify the tense of {sentence} as {labels}",
            "name the tense of the verb in {sentence}: {labels}",
        ),
        ("is the verb of {sentence} in the {labels} tense", "which tense, {labels}, does {sentence} use"),
    ),
    _by_wording(
        "urgency",
        by_label.URGENCY,
        (
            "classify {message} as {labels}",
            "decide whether {message} is {labels}",
            "sort {message} onto one of two piles, {labels}",
        ),
        ("is {message} {labels}", "would you treat {message} as {labels}"),
    ),
    _by_wording(
        "register",
        by_label.REGISTER,
        (
            "decide whether the style of {message} is {labels}",
            "classify the register of {message} as {labels}",
            "judge if {message} is worded in a way that is {labels}",
        ),
        ("is the tone of {message} {labels}", "would a linguist call the style of {message} {labels}"),
    ),
    _by_wording(
        "spam",
        by_label.SPAM,
        (
            "decide whether {message} is {labels}",
            "mark {message} as {labels}",
            "check if a mail filter should treat {message} as {labels}",
        ),
        ("is {message} {labels}", "should a mail filter call {message} {labels}"),
    ),
    _by_wording(
        "department",
        by_label.DEPARTMENT,
        (
            "route {message} to the right department: {labels}",
            "choose the department in charge of {message}, {labels}",
            "pass {message} on to {labels}, whichever fits",
        ),
        ("which department, {labels}, should answer {message}", "does {message} belong with {labels}"),
    ),
    _by_wording(
        "person",
        by_label.PERSON,
        (
            "decide whether {sentence} is told in the {labels} person",
            "name the grammatical person of the subject in {sentence}: {labels}",
            "classify the subject of {sentence} as {labels} person",
        ),
        ("is the subject of {sentence} in the {labels} person", "which person, {labels}, tells {sentence}"),
    ),
    _by_wording(
        "kingdom",
        by_label.KINGDOM,
        (
            "sort the thing that {sentence} mentions under {labels}",
            "classify what {sentence} mentions as {labels}",
            "pick the natural kingdom that {sentence} touches on: {labels}",
        ),
        ("what does {sentence} mention, {labels}", "which natural kingdom, {labels}, does {sentence} touch on"),
    ),
)
