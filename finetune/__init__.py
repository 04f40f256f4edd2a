"""Fine-tuning a student, and models in this process: the only package that imports torch.

The rooms, in the order in which the data walks through them; each lists what is in it:

    examples    the nouns: a dialogue, and the same as tokens with labels
    data        runs, files and datasets as dialogues, dialogues as labelled tokens, and a look at both before training
    training    from settings and data to a student's folder
    inference   models that answer: a student, in a chat, as a server or as other files; a teacher without a server
    evaluation  did it get better? Figures over questions with known answers
    compare     two students' answers compared blindly, by people or a judge model
    demo        a tiny student from nothing, for `make demo-student`
    cli         the commands; quiet: what libraries say beside them
"""
