"""How fast is a teacher in this process, against plain `model.generate`?

    python benchmarks/local_teacher.py                                           # a tiny model with random weights
    python benchmarks/local_teacher.py --model Qwen/Qwen2.5-1.5B-Instruct --batch 64 --requests 256   # on a GPU

The same requests with the same sampling settings, each with a token limit of its own, from 16 to --longest, as answers
differ in length: by the teacher with --batch in flight; by `generate` in batches of --batch, sorted by length, each as
long as its longest answer; by `generate` one at a time. Counted are the tokens that somebody asked for. On a machine
with other work, OMP_NUM_THREADS=1 makes a tiny model's figures steadier. The last line says how many answers were the
same with one in flight.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from finetune.inference.teacher import TransformersTeacher, load, prompt_tokens
from selfinstruct.records import Completion, Request

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a folder or a name on the hub")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--longest", type=int, default=256, help="tokens of the longest answer")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.model:
            subprocess.run([sys.executable, ROOT / "tests/tiny_model.py", folder], check=True, capture_output=True)
        name = arguments.model or f"{folder}/babble"
        tokenizer, model = load(name)
        print(f"{model.num_parameters():,} parameters on {model.device} in {model.dtype}", flush=True)
        requests = list(make_requests(name, arguments.requests, arguments.longest))
        for _ in range(arguments.rounds):
            answers = report("teacher", lambda: ask(name, requests, arguments.batch))
            report("generate, in batches", lambda: generate(tokenizer, model, requests, arguments.batch))
            report("generate, one by one", lambda: generate(tokenizer, model, requests, 1))
        alone = asyncio.run(answer(TransformersTeacher(name, 1), requests))
        same = sum(a.text == b.text for a, b in zip(answers, alone, strict=True))
        print(f"{same} of {len(requests)} answers were the same one at a time")


def make_requests(name: str, n: int, longest: int) -> Any:
    """Requests to continue some seed tasks, in as many lengths as answers have."""
    rng = random.Random(7)
    lines = (ROOT / "seeds/seeds.jsonl").read_text(encoding="utf-8").splitlines()
    for i in range(n):
        prompt = "\n".join(rng.sample(lines, rng.randrange(1, 4)))[:2000]
        limit = round(16 * (longest / 16) ** rng.random())
        sampling = {"temperature": 1.0, "top_p": 0.9, "max_tokens": limit, "seed": i}
        yield Request("propose", "transformers", name, "completion", "", prompt, sampling)


def report(what: str, work: Any) -> Any:
    """Do the work, and print tokens per second; `work` gives what was made and how many tokens in how many seconds."""
    made, tokens, seconds = work()
    print(f"{what:<22}{tokens:>8} tokens {seconds:>8.1f} s {tokens / seconds:>8.0f} tokens/s", flush=True)
    return made


async def answer(teacher: TransformersTeacher, requests: Sequence[Request]) -> list[Completion]:
    try:
        return await asyncio.gather(*map(teacher.complete, requests))
    finally:
        await teacher.close()


def ask(name: str, requests: Sequence[Request], batch: int) -> tuple[list[Completion], int, float]:
    teacher = TransformersTeacher(name, batch)
    began = time.perf_counter()
    completions = asyncio.run(answer(teacher, requests))
    return completions, sum(c.completion_tokens for c in completions), time.perf_counter() - began


def generate(tokenizer: Any, model: Any, requests: Sequence[Request], batch: int) -> tuple[None, int, float]:
    began, tokens = time.perf_counter(), 0
    prompts = [(prompt_tokens(tokenizer, request), request.sampling["max_tokens"]) for request in requests]
    prompts.sort(key=lambda prompt: len(prompt[0]))
    end = tokenizer.eos_token_id
    for first in range(0, len(prompts), batch):
        part = prompts[first : first + batch]
        width = max(len(prompt) for prompt, _ in part)
        ids = torch.tensor([[end] * (width - len(prompt)) + prompt for prompt, _ in part], device=model.device)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt, _ in part])
        config = GenerationConfig(
            max_new_tokens=max(limit for _, limit in part), do_sample=True, temperature=1.0, top_p=0.9, top_k=0,
            eos_token_id=end, pad_token_id=end,
        )  # fmt: skip
        said = model.generate(input_ids=ids, attention_mask=mask.to(model.device), generation_config=config)
        for row, (_, limit) in zip(said[:, width:].tolist(), part, strict=True):
            tokens += min(limit, row.index(end) + 1 if end in row else len(row))
    return None, tokens, time.perf_counter() - began


if __name__ == "__main__":
    main()
