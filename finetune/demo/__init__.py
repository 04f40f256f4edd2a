"""`make demo-student`: a student that anyone can train, in minutes on two CPU cores.

tiny        a LLaMA from nothing: its tokenizer trained on a corpus, its weights random
graded      new questions of the simulated world, whose right answers are known
steps       the demo, step by step
"""
