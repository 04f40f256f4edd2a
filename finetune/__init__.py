"""Fine-tuning a student, and models in this process: the only package that imports torch.

The rooms, in the order in which the data walks through them:

    examples    the nouns: a dialogue, and the same as tokens with labels
    student     a trained model that answers
    statistics  how sure a figure is
    compare     two students' answers compared blindly, by people or a judge model
    cli         the commands

A model as a teacher, without a server:

    sampling    the sampling settings that a local teacher understands (no torch yet)
    decoding    many answers at once, a token at a time
    teacher     a `selfinstruct.teachers.Teacher` without a server
"""
