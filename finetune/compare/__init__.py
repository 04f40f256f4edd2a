"""`selfinstruct compare A B`: which of two models answers better, judged without knowing which is which.

    prompts    the questions, and answers from other tools; questions too close to the training data are dropped
    store      DIR/comparison.db: questions, answers, and every verdict as it was given
    answers    the answers of a student, a file or a server; asking: many requests to one server
    people     a web page on loopback for people (templates, static)
    judge      a judge model, asked in both orders (judge.jinja)
    agreement  the agreement of people and judges: Cohen's and Fleiss' kappa
    results    wins, ties and losses, with intervals
    report     the results as DIR/comparison.html, and as text
    comparing  runs all of these in order

Sources: Alpaca (Taori et al. 2023) for blind pairwise comparison by people; Koala (Geng et al. 2023) for ties, several
raters, and for dropping prompts that overlap the training data; MT-bench (Zheng et al., arXiv 2306.05685, section 3.4)
for a judge that is asked in both orders. Not covered: more than two models, rankings, answers with pictures.
"""
