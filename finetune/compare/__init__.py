"""`selfinstruct compare A B`: which of two models answers better, judged without knowing which is which.

    prompts    the questions, and answers that were made elsewhere; those too close to the training data are dropped
    store      DIR/comparison.db: questions, answers, and every verdict as it was given
    answers    the answers of a student, a file or a server; asking: many requests to one server
    people     a web page on loopback for people (templates, static)
    judge      a judge model, asked in both orders (judge.jinja)
    agreement  how much those who judged agree: Cohen's and Fleiss' kappa
    results    wins, ties and losses, and how sure they are
    report     all of it as DIR/comparison.html, and as text
    comparing  the order of it all

Sources: Alpaca (Taori et al. 2023) for blind pairwise comparison by people; Koala (Geng et al. 2023) for ties, several
raters, and for dropping prompts that overlap the training data; MT-bench (Zheng et al., arXiv 2306.05685, section 3.4)
for a judge that is asked in both orders. Not covered: more than two models, ranks, answers with pictures.
"""
