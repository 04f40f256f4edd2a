"""The model card of the demo's student: README.md in its folder, in the form that the Hugging Face hub reads."""

from collections.abc import Sequence
from pathlib import Path

from finetune.demo.graded import Score, table
from selfinstruct import __version__
from selfinstruct.rows.writing import whole_file

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"


def write_card(student: Path, n_rows: int, scores: Sequence[Score], is_pretrained: bool) -> None:
    """Write the card: base model, data, license, results, limits."""
    if is_pretrained:
        head = f"base_model: {BASE}\nlicense: apache-2.0\n"
        base = f"[{BASE}](https://huggingface.co/{BASE}), all weights, one epoch"
    else:
        head, base = "license: apache-2.0\n", "a LLaMA of a million parameters, from random weights"
    with whole_file(student / "README.md", "--out") as part:
        part.write_text(
            f"""---
{head}language: en
pipeline_tag: text-generation
tags: [selfinstruct, synthetic]
---

# A student of the simulated teacher

Trained by the demo of selfinstruct {__version__}. It is for trying out the tools, and for nothing else.

- **Base model:** {base}.
- **Data:** {n_rows:,} rows of the simulated teacher of selfinstruct: short tasks with known answers. No text was
  written by a person or a language model.
- **Results** on held-out questions, share of right answers:

```
{table(scores)}
```

guess: always the most frequent answer of the family. choice: before training, the answer that the model finds most
likely.

- **Limits:** it knows the task families of the simulated world. On anything else it is worse than its base model.
""",
            encoding="utf-8",
        )
