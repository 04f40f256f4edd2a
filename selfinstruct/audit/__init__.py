"""`selfinstruct audit RUN`: a web page on loopback to look through a run's generations and to decide about them.

    server      the pages behind the guard that says who may see them (selfinstruct.web.guard)
    pages       what is shown at which address
    index       everything that was generated, in a file of its own: facets, search, order
    listing     which of it is asked for, and one page of that
    generation  one of it whole: prompt, answer, what was read from it, and what every filter says (verdicts)
    what_if     the gate under other rules
    text        how long texts are folded, and what two of them have in common

What is decided goes into the run by `selfinstruct.store.decisions`, and nothing else is written there.
"""
