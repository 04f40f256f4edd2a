"""A teacher's answer, parsed into items, a verdict, or instances.

Models wrap their answers in greetings, headings, bold type and code fences, and number lists in many ways. Parsers
never fail: text that they cannot read gives an empty list, which the caller turns into a rejection.

    items         what parsers return: an item of a list, an instance, a whole task
    lists         new tasks as a numbered list, or bullets
        verdicts      yes or no; whether the model refuses, or says that there is no input
    examples      instances, with the input or the class label first
    tables, other_forms, remarks
                  forms that nobody asked for, and what models write beside an output
    whole_tasks   tasks with their instances, as requested by Alpaca's prompt
    json_answers  all of these in JSON
    begun         an answer whose beginning is part of the prompt
    names, phrases
                  tables by language: names of fields; phrases for refusals and for a missing input
    fields, text, thoughts
                  shared by all: fields, clean-up, and a reasoning model's thoughts
"""

from selfinstruct.parsing.lists import numbered_items

__all__ = ["numbered_items"]
