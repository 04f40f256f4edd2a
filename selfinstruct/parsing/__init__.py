"""A teacher's answer, parsed into items, a verdict, or instances.

Models wrap their answers in greetings, headings, bold type and code fences, and number in many ways. No text makes a
parser fail: what it cannot read gives an empty list, which the caller turns into a rejection.

    items         what parsers return: an item of a list, an instance, a whole task
    lists         new tasks as a numbered list, or bullets
    verdicts      yes or no; whether the model refuses, or says that there is no input
    examples      instances, the input first or the class label
    whole_tasks   tasks with their instances, as Alpaca's prompt asks for them
    json_answers  all of these in JSON
    begun         an answer that the prompt has begun
    names, phrases
                  the tables of languages: what fields are called; how to decline, and to say that there is no input
    fields, text, thoughts
                  what they share: fields, tidying, and what a reasoning model thought aloud
"""

from selfinstruct.parsing.lists import numbered_items

__all__ = ["numbered_items"]
