"""Grow an instruction dataset from seed tasks, and keep everything the teacher said.

    selfinstruct generate outputs/first --target 200     # the simulated teacher: no key, no network
    selfinstruct rejected outputs/first                  # what was thrown away, and why

The rooms, in the order in which the data walks through them:

    seeds, prompts   what a user brings: example tasks, and the words the teacher is asked with
    pool             the tasks and records admitted so far; how similar a new one is to them: novelty (instructions),
                     near_duplicates (whole records), contamination (test sets)
    strategies       how to ask for new tasks, their class and their instances; structured: asked for in JSON
    scheduler        which call goes out when, when to try again, when to give up; pacing: how fast each server may be
                     called; budget: what a run may use; estimate: what it will need
    teachers         who answers (a model in this process: finetune.inference.teacher); batches: what is under way by
                     the Batch API; importing, recorded: answers that another tool was given
    store            everything that was asked and said, in one SQLite file (database, schema)
    parsing, filters what was said, as candidates and instances; which of them may stay, and why not
    gate, engine     the way into the pool, in one order; the order of it all
    refilter         a run's answers judged again under other rules: recalled (those that were imported), changes (what
                     is lost and gained)
    check            the same rules over a dataset that exists already
    decisions        what people think of it: rescued, banned, edited
    export, report   records out; the run in words; diversity: how varied its tasks are
    card, hub        an export's datasheet; both to the Hugging Face hub
    reporting        the run as one page with pictures
    audit            a web page over all of it, to look and to decide; guard: who may see such a page

Sources: Self-Instruct (Wang et al., arXiv 2212.10560) for the method and its constants; Alpaca (Taori et al. 2023).
"""

__version__ = "0.1.0"
