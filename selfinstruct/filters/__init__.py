"""What may stay, and why not: every filter, declared once.

    rule          what a filter is: a function, with its name, its words and its source
    instruction   filters of candidates, and their thresholds
    instance      filters of a task's instances among themselves
    record        filters of whole records, against those of other tasks and test sets
    verdicts      all of them in their order: the first objection, or what each of them says

A filter answers with None, or with the evidence that lets a person judge its verdict. Its name is the reason that is
stored; the setting `without`, the docs and the reports read its declaration. So a new filter is one function in one of
these files, and its place in that file's list.
"""
