"""Everything that was asked and answered in a run, in one SQLite file, and all SQL that is put to it.

What a run writes, and reads when it goes on:

    database     the file: opened, locked, written in transactions
    schema       its tables and views, and how old files are brought up to them
    store        settings, requests and answers, verdicts
    rows         rows as the nouns of records.py, and back
    batches      which requests are in which batch
    decisions    what people decided, and what stands of it

What others read, each module for one kind of question:

    counts       how many there are of each
    answers      what was answered: usage, sizes, imported answers
    generations  one candidate, instance or answer whole
    items        everything that was generated, for an index of it
    replayed     candidates and verdicts in order, to judge them again
    listing      tasks and rejections for people and programs
    verify       whether all of it holds together
"""
