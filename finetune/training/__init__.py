"""From settings and data to a student's folder.

settings    the settings of a training, in TOML; presets/ has published ones
preparing   tokenizer and rows, with every default filled in (defaults); no weights yet
weights     the trained model: loading, adding tokens, saving
trainer     TRL's trainer, with its settings
progress    the progress line, metrics.jsonl, loss.svg (loss_picture); Ctrl-C
checkpoints a training's folder: started, resumed, or refused
train       runs all of these in order
launching   training on several GPUs; launch/ has configs for accelerate
"""
