"""Fine-tuning a student, and models in this process: the only package that imports torch.

The subpackages, in the order in which data passes through them; each lists its modules:

    examples    the data types: a dialogue, and the same as tokens with labels
    data        runs, files and datasets as dialogues, dialogues as labelled tokens, and checks of both before training
    training    from settings and data to a student's folder
    inference   models that answer: a student in a chat, as a server, or converted; a teacher without a server
    evaluation  did it get better? Figures over questions with known answers
    compare     two students' answers compared blindly, by people or a judge model
    demo        a tiny student from scratch, for `make demo-student`
    cli         the commands; quiet: silences messages of libraries
"""
