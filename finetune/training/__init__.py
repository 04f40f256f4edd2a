"""From settings and data to a student's folder.

settings    the settings of a training, in TOML; presets/ has published ones
preparing   tokenizer and rows, with every default filled in (defaults); no weights yet
weights     the model that is trained: loaded, given tokens, saved
trainer     TRL's trainer, told what it has to be told
progress    what a training says of itself: a line, metrics.jsonl, loss.svg (loss_picture); Ctrl-C
checkpoints a training's folder: started, resumed, or refused
train       all of that in its order
launching   the same on several GPUs; launch/ has configs of accelerate
"""
