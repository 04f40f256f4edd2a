"""The filters, each declared once.

    rule          what a filter is: a function with a name, a meaning and a source
    instruction   filters of candidates, and their thresholds
    instance      filters of the instances within a task
    record        filters of whole records, against other tasks and test sets
    verdicts      all filters in order: the first rejection, or the verdict of each
    custom        filters in the user's own files

A filter returns None, or the evidence that shows why it rejects. Its name is the reason that is stored; the setting
`without`, the docs and the reports read its declaration. So a new filter is one function in one of these files, and its
place in the list of that file.
"""
