"""Verdicts: yes and no, refusals, and that there is no input, in many wordings."""

import pytest

from selfinstruct.parsing.verdicts import declines, is_refusal, says_no_input, yes_or_no
from tests.parsing.reading import name_of


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Yes", True), ("No", False), ("yes.", True), ("NO!", False), (" Yes\n", True), ("**Yes**", True),
        ('"No"', False), ("Answer: Yes", True), ("The answer is no.", False), ("Yes, it is.", True),
        ("Yes. No input is needed.", True), ("No. Yes would be wrong here.", False), ("Yes / No: No", False),
        ("It is a classification task.", True), ("It is not a classification task.", False),
        ("This is not really a classification task.", False), ("It is classification.", True),
        ("This is not classification; it has no fixed set of labels.", False),
        ("It is not a classification task. Yes, it is short, but it is composed.", False),
        ("Is it a classification task? No", False), ("No, this is a classification task only in name.", False),
        ("Not sure", None), ("Maybe", None), ("", None), ("\n", None), ("I don't know.", None),
        ("None of these", None), ("It depends on the labels.", None), ("Nothing", None), ("Yesterday", None),
        ("It isn't a classification task.", False),
        ("This is clearly a classification task.", True),
        ("There is no doubt that it is a classification task.",
              True),
        ("I cannot answer with yes or no.", None),
        ("Whether it is a classification task is unclear.", None),
        ("<think>No labels? There are two.</think>\nYes", True),
        ('{"is_classification": true}', True), ('{"is_classification": false}', False),
        ('```json\n{\n  "is_classification": true\n}\n```', True), ('Sure!\n{"is_classification": false}', False),
        ('{"is_classification": "Yes"}', True), ('{"is_classification": "no"}', False), ('{"answer": "No."}', False),
        ('{"Is Classification": true}', True), ('{"classification": true, "labels": ["a", "b"]}', True),
        ('{"reason": "Yes, it names labels.", "is_classification": false}', False), ('{"is_classification": tru', None),
        ('{"is_classification": null}', None), ('{"is_classification": "unclear"}', None), ("{}", None), ("[]", None),
        ('{"tasks": ["Yes"]}', None), ("[Yes]", True), ("yes.", True), ("continue", None), ("Yes and no.", None),
    ],
    ids=name_of,
)  # fmt: skip
def test_a_verdict_is_read_in_many_wordings(text, verdict):
    assert yes_or_no(text) is verdict


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I'm sorry, but I can't help with that.", True), ("I’m sorry, I will not.", True),
        ("I am sorry, but no.", True), ("Sorry, I won't.", True), ("I cannot do this.", True),
        ("I can't do this.", True), ("I can’t do this.", True), ("I'm unable to answer.", True),
        ("As an AI, I have no hands.", True), ("Unfortunately, I may not say.", True), ("**I'm sorry**, no.", True),
        ("1. I'm sorry is a phrase: use it.", False), ("I can name three.", False), ("Sorry is a hard word.", False),
        ("Unfortunately the train was late.", False), ("Sure! 1. Name a river.", False), ("", False),
    ],
    ids=name_of,
)  # fmt: skip
def test_a_refusal_is_known_by_how_it_begins(text, refused):
    assert is_refusal(text) is refused


@pytest.mark.parametrize(
    ("text", "none"),
    [
        ("None", True), ("none.", True), ("N/A", True), ("<noinput>", True), ("<no input>", True), ("", False),
        ("(no input needed)", True), ("No additional input is required.", True), ("-", True), ('""', True),
        ("Not applicable", True), ("Empty", True), ("no", False), ("None of them came.", False), ("0", False),
        ("- a", False), ("No inputs were lost.", False), ("Nothing", False), ("n", False),
    ],
)  # fmt: skip
def test_words_that_say_that_there_is_no_input(text, none):
    assert says_no_input(text) is none


@pytest.mark.parametrize(
    ("question", "answer", "declined"),
    [
        ("Describe a garden at dusk.", "Unfortunately, I missed the lanterns.", False),
        ("Write about the sky.", "I cannot help but wonder at the stars.", False),
        ("Write to the organisers.", "I'm unable to attend the conference due to a conflict.", False),
        ("Call off the evening.", "I'm sorry but I have to cancel our dinner.", False),
        ("Schreibe eine Absage.", "Leider kann ich das nicht machen, ich bin verreist.", False),
        ("Sage ab.", "Es tut mir leid, aber ich habe heute keine Zeit.", False),
        ("写一封道歉信。", "抱歉,我不能来。", False),
        ("说一句话。", "抱歉,我迟到了。", False),
        ("遅れたと言う。", "申し訳ありませんが、明日は欠席します。", False),
        ("Write a letter to the mayor.", "I'm sorry, but I can't assist with that request.", True),
        ("Write a story.", "I'm sorry, but as an AI language model I don't write those.", True),
        ("Name a river.", "很抱歉,我无法回答这个问题。", True),
        ("Name a river.", "Leider kann ich diese Frage nicht beantworten.", True),
        ("Name a river.", "죄송하지만 도와드릴 수 없습니다.", True),
        ("Use the word.", "Sorry, I can't find my keys.", False),
        ("Use the word.", "I'm sorry, but I won't be home for dinner.", False),
        ("Use the word.", "Lo siento, no puedo pagar la factura.", False),
        ("Use the word.", "Bohužel nemohu najít svou knihu.", False),
        ("Use the word.", "Je suis désolé, mais je ne peux pas trouver mes clés.", False),
        ("Make the sentence negative.", "I am not able to open it.", False),
        ("Answer as a support agent.", "I'm sorry, but I cannot cancel an order that was shipped.", False),
        ("Write a line for a song.", "I'm sorry, but I can't write a song that insults people.", True),
        ("Write a tweet about her.", "I cannot create content that is hurtful.", True),
        ("Answer as a support agent.", "Sorry, but I can't provide medical advice.", True),
        ("Leave a voicemail.", "Sorry, I can't hear you.", False),
        ("Use the word.", "I'm sorry, but I can't share my personal opinions.", True),
        ("Use the word.", "Lo siento, no puedo hacer eso: va contra mi programación.", True),
        ("Use the word.", "К сожалению, я не могу поделиться своим мнением.", True),
    ],
)
def test_who_declines_is_told_from_who_says_so_in_the_name_of_somebody(question, answer, declined):
    assert declines(question, answer) is declined
