"""All requests and answers of a run, in one SQLite file, and all SQL for it.

What a run writes, and reads when it is resumed:

    database     the file: opened, locked, written in transactions
    schema       its tables and views, and how old files are brought up to them
    store        settings, requests and answers, verdicts
    rows         rows as the nouns of records.py, and back
    batches      which requests are in which batch
    decisions    what people decided, and what is in force

What others read, one module for each kind of question:

    counts       how many there are of each
    answers      the answers: usage, sizes, imported ones
    generations  one candidate, instance or answer whole
    items        everything that was generated, for an index of it
    replayed     candidates and verdicts in order, to filter them again
    listing      tasks and rejections for people and programs
    verify       whether all of it is consistent
"""
