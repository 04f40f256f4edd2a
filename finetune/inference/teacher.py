"""A teacher without a server: a model that transformers loads into this process, for people with one GPU.

    selfinstruct generate outputs/local --target 200 --teacher transformers --model Qwen/Qwen2.5-1.5B-Instruct

The calls in flight are the batch: `running.concurrency` bounds it. One worker thread decodes
(finetune.inference.decoding), so that the event loop stays free. Nothing is computed twice: there are no retries, and
calls have no deadline, as they wait for each other and not for a network.

An answer is a function of the model, the prompt, the sampling settings and the seed (without one, the request's id),
not of time, order or batch, as far as floating point allows. On CPU in float32, all 400 answers of 100 tokens were the
same alone and in a batch of 16. In bfloat16 the rounding, which depends on the batch's shape, is coarse enough to
change a token sometimes (55 of 64 answers of 40 tokens were the same), so a run that is repeated on a GPU may get other
answers. Answers are stored, and never generated again.

The requests' model is the name or path as given, as their ids must not depend on the machine: a relative path is
resolved from the current folder, and other weights under the same path go unnoticed, as with a server.

Why not transformers' own continuous batching (`model.generate_batch`, 5.23): it runs on CPU, but draws all rows' random
numbers from one stream, so that an answer depends on the batch; it supports neither penalties nor stop texts per
request; and its log-probabilities are those after temperature and top_p. docs/LOG.md has the measurements.

Not covered: several GPUs, weights that stay quantised, code that comes with a model (trust_remote_code), models with
pictures or with a state other than keys and values (such as Mamba), answers constrained to a schema.
"""

import asyncio
import queue
import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from jinja2 import TemplateError
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, GenerationConfig, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from finetune.data import templates  # noqa: F401 - which puts limits on chat templates
from finetune.inference.decoding import Batch, Row
from finetune.inference.gguf import folder_of
from finetune.inference.sampling import Sampling, read_sampling
from finetune.quiet import quieten
from selfinstruct.errors import RequestRefused, TeacherError, UsageError
from selfinstruct.records import Completion, Request, canonical_json
from selfinstruct.teachers.pacing import Pace

MORE_THAN_TENSORS = (
    "its weights are a pickle (.bin) that holds more than tensors. It could run code, so it is not loaded. Ask for "
    "weights in safetensors."
)


class TransformersTeacher:
    """The teacher that runs the model `name`, a folder or a name on the hub, at most `batch_size` answers at a time.

    UsageError if there is no usable model. `close()` it when done.
    """

    def __init__(self, name: str, batch_size: int):
        self.pace = Pace(batch_size)
        self._name = name
        self._tokenizer, self._model = load(name)
        self._batch = Batch(self._model, batch_size)
        self._ends = end_tokens(self._tokenizer, self._model.generation_config)
        self._context: int | None = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._under_way: dict[Row, _Asked] = {}
        self._closing = threading.Event()
        self._executor = ThreadPoolExecutor(1, "teacher")
        self._worker: asyncio.Future[None] | None = None

    async def complete(self, request: Request) -> Completion:
        """Answer `request`; raises as `teachers.Teacher` does, and UsageError if its settings are not supported."""
        if request.endpoint == "chat" and not self._tokenizer.chat_template:
            raise UsageError(
                f'{self._name} has no chat template, so it is a base model. Set endpoint = "completion" under '
                "[teacher], or use a model that was trained to chat."
            )
        if "response_format" in request.sampling:
            raise RequestRefused("http_400", "the transformers teacher does not support response_format")
        sampling = read_sampling(request.sampling, f"[{request.stage}] sampling")
        if not self._worker:
            self._worker = asyncio.get_running_loop().run_in_executor(self._executor, self._work)
        asked = _Asked(request, sampling, Future(), time.perf_counter())
        self._asked.put(asked)
        answer = asyncio.wrap_future(asked.answer)
        try:
            either: set[asyncio.Future[Any]] = {answer, self._worker}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                await self._worker  # raises the error that ended it
                raise TeacherError("The teacher was closed before it answered.")
            return answer.result()
        finally:
            answer.cancel()  # no longer needed: the worker drops its row

    async def close(self) -> None:
        """Stop between two tokens; unfinished answers are dropped."""
        self._closing.set()
        self._asked.put(None)
        if self._worker:
            await asyncio.wait({self._worker})
            self._worker.exception()  # the calls have already raised it
        self._executor.shutdown(wait=False)

    # Everything below runs in the worker thread.

    @torch.inference_mode()
    def _work(self) -> None:
        while True:
            self._take()
            if self._closing.is_set():
                return
            if dropped := [row for row, asked in self._under_way.items() if asked.answer.cancelled()]:
                self._batch.drop(dropped)
                for row in dropped:
                    del self._under_way[row]
            for row in self._batch.step():
                asked = self._under_way.pop(row)
                if asked.answer.set_running_or_notify_cancel():
                    asked.answer.set_result(self._completion(asked, row))

    def _take(self) -> None:
        """Add new requests to the batch; if nothing is running, wait for one."""
        while True:
            try:
                asked = self._asked.get(block=not self._under_way)
            except queue.Empty:
                return
            if asked is None:
                return
            try:
                row = self._row(asked)
            except RequestRefused as error:
                if asked.answer.set_running_or_notify_cancel():
                    asked.answer.set_exception(error)
            else:
                self._under_way[row] = asked
                self._batch.waiting.append(row)

    def _row(self, asked: "_Asked") -> Row:
        request, sampling = asked.request, asked.sampling
        prompt = prompt_tokens(self._tokenizer, request)
        most_tokens = sampling.most_tokens
        if self._context:
            room = self._context - len(prompt)
            most_tokens = most_tokens or room
            if most_tokens > room or room < 1:
                raise RequestRefused(
                    "context_too_long",
                    f"{len(prompt)} prompt tokens and {max(most_tokens, 1)} answer tokens exceed the model's "
                    f"context of {self._context}",
                )
        if not most_tokens:
            raise TeacherError(
                f"{self._name} does not state its context length. Set max_tokens in sampling of [{request.stage}]."
            )
        rng = random.Random(request.id if sampling.seed is None else sampling.seed)
        return Row(prompt, sampling, most_tokens, self._ends, self._text, rng)

    def _text(self, tokens: list[int]) -> str:
        text = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text

    def _completion(self, asked: "_Asked", row: Row) -> Completion:
        """The answer, with the JSON that a server would have sent (without the parts that vary)."""
        request = asked.request
        text, tokens = row.answer()
        logprobs = row.logprobs[: len(tokens)] if row.sampling.logprobs else None
        choice: dict[str, Any] = {"index": 0, "finish_reason": row.finish_reason, "logprobs": None}
        names = self._tokenizer.convert_ids_to_tokens(tokens)
        if request.endpoint == "chat":
            choice["message"] = {"role": "assistant", "content": text}
            if logprobs is not None:
                pairs = zip(names, logprobs, strict=True)
                choice["logprobs"] = {"content": [{"token": token, "logprob": p} for token, p in pairs]}
        else:
            choice["text"] = text
            if logprobs is not None:
                choice["logprobs"] = {"tokens": names, "token_logprobs": logprobs}
        n_prompt, n_said = len(row.prompt), len(row.said)
        usage = {"prompt_tokens": n_prompt, "completion_tokens": n_said, "total_tokens": n_prompt + n_said}
        kind = "chat.completion" if request.endpoint == "chat" else "text_completion"
        raw = canonical_json({"object": kind, "model": request.model, "choices": [choice], "usage": usage})
        return Completion(
            request.id, text, row.finish_reason, n_prompt, n_said, None if logprobs is None else tuple(logprobs),
            time.perf_counter() - asked.since, raw=raw,
        )  # fmt: skip


class _Asked(NamedTuple):
    """A request on its way through the worker."""

    request: Request
    sampling: Sampling
    answer: "Future[Completion]"
    since: float


def load(name: str, as_stored: bool = False) -> tuple[Any, PreTrainedModel]:
    """Tokenizer and model, on the GPU if there is one; `as_stored`: on the CPU, in the type of the stored weights.

    UsageError if that is not possible.
    """
    quieten()
    device, dtype = (torch.device("cpu"), "auto") if as_stored else _device()
    try:
        folder = folder_of(name)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, trust_remote_code=False)
        model.to(device)
    except torch.OutOfMemoryError:
        raise UsageError(f"{name} does not fit into the memory of {device}. Use a smaller model.") from None
    except UnpicklingError:
        raise UsageError(f"{name}: {MORE_THAN_TENSORS}") from None
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"{name}: transformers cannot load a model from it ({reason}). Use a folder with config, weights and "
            "tokenizer (relative to the current folder), or a name on the hub."
        ) from None
    layers = DynamicCache(config=model.config).layers
    if not all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers):
        raise UsageError(
            f"{name} keeps state other than keys and values, which the transformers teacher cannot batch. Serve "
            "it with vLLM or llama.cpp, and set base_url (--base-url)."
        )
    return tokenizer, model


def _device() -> tuple[torch.device, torch.dtype]:
    """Device and type: bfloat16 on GPUs that support it, float16 on other GPUs, float32 on CPU."""
    if torch.cuda.is_available():
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.device("cuda"), torch.bfloat16 if has_bf16 else torch.float16
    if torch.backends.mps.is_available():
        return torch.device("mps"), torch.float16
    return torch.device("cpu"), torch.float32


def prompt_tokens(tokenizer: Any, request: Request) -> list[int]:
    """The tokens that the model reads: through its chat template, or as one text for a completion."""
    if request.endpoint == "completion":
        text = "\n\n".join(part for part in (request.system, request.user) if part)
        return list(tokenizer(text)["input_ids"])

    def rendered(*messages: dict[str, str]) -> list[int]:
        found = tokenizer.apply_chat_template(list(messages), add_generation_prompt=True, return_dict=True)
        return list(found["input_ids"])

    user = {"role": "user", "content": request.user}
    try:
        if not request.system:
            return rendered(user)
        with suppress(TemplateError):  # some know no system turn, and say so
            return rendered({"role": "system", "content": request.system}, user)
        return rendered({"role": "user", "content": f"{request.system}\n\n{request.user}"})
    except TemplateError as error:
        raise UsageError(f"{tokenizer.name_or_path}: its chat template fails: {error}") from None


def end_tokens(tokenizer: Any, generation: GenerationConfig | None) -> frozenset[int]:
    """The tokens that end an answer: the model's and the tokenizer's own, and the chat template's end of turn."""
    ends: set[int] = {tokenizer.eos_token_id} - {None}
    named = generation.eos_token_id if generation else None
    ends.update([named] if isinstance(named, int) else named or ())
    if tokenizer.chat_template:
        said = "an answer to look for"
        turns = [{"role": "user", "content": "a question"}, {"role": "assistant", "content": said}]
        try:
            after = tokenizer.apply_chat_template(turns, tokenize=False).rpartition(said)[2]
        except TemplateError as error:
            raise UsageError(f"{tokenizer.name_or_path}: its chat template fails: {error}") from None
        tokens = tokenizer(after, add_special_tokens=False)["input_ids"]
        ends.update([token for token in tokens if token in tokenizer.added_tokens_decoder][:1])
    return frozenset(ends)
