"""Fine-tuning a student, and models in this process: the only package that imports torch.

The rooms, in the order in which the data walks through them:

    examples    the nouns: a dialogue, and the same as tokens with labels
    dialogues   runs, files and datasets of the hub as dialogues; split by task
    templates   how a student is asked; encoding: ids, and labels on the answers only
    settings    what a training is told, in TOML; presets/ has published ones
    preparing   tokenizer and rows, with every default (defaults); no weights yet
    preflight   what would be trained, and whether it fits (memory), before any weight is loaded
    weights     the model that is trained: loaded, given tokens, saved
    trainer     TRL's trainer, told what it has to be told
    progress    what a training says of itself: a line, metrics.jsonl, loss.svg (loss_picture); Ctrl-C
    checkpoints a training's folder: begun, gone on with, or refused
    training    all of that in its order
    launching   the same on several GPUs; launch/ has configs of accelerate
    student     a trained model that answers
    chat        a person talks with it
    serving     it becomes a server
    converting  an adapter and its base as one model; GGUF, and a Modelfile for Ollama
    evaluate    did it get better? asking (its answers, kept), scoring (one answer), likelihood (its loss), judging
                (figures), statistics (how sure they are), constraints (prompts that a program can check)
    compare     two students' answers compared blindly, by people or a judge model
    cli         the commands

A model as a teacher, without a server:

    sampling    the sampling settings that a local teacher understands (no torch yet)
    decoding    many answers at once, a token at a time
    teacher     a `selfinstruct.teachers.Teacher` without a server
"""
