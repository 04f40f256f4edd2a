"""Which key may be sent to which server: only what the user named or confirmed, not what a run folder or file names.

A run folder or config file from somebody else may name its author's server, and an environment variable that holds one
of the user's secrets. So a key is sent only if server and variable were named in this command (an option, an argument
of the Python API, OPENAI_BASE_URL; the variable may be the default, OPENAI_API_KEY), or were confirmed. Such pairs are
remembered outside of run folders, so the user's own runs and config files work without a question.
"""

import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from selfinstruct.config.config import Config
from selfinstruct.errors import UsageError
from selfinstruct.rows.writing import whole_file
from selfinstruct.teachers import kinds
from selfinstruct.teachers.settings import OPENAI_HOST, TeacherSettings
from selfinstruct.untrusted import visible

Pair = tuple[str, str]  # a server's address, and the variable with its key
USERS_OWN = ("", OPENAI_HOST)  # OPENAI_BASE_URL or OpenAI: whose key is the default one
DEFAULT_KEY = TeacherSettings().api_key_env

_confirmed: set[Pair] = set()  # in this process, even if no file can be written


class Untrusted(UsageError):
    """A key would go to a server that the user has not named with it; `pairs`, by server and variable."""

    def __init__(self, pairs: Collection[Pair]):
        self.pairs = pairs
        what = "\n".join(f"  {variable} to {server or 'OpenAI, or OPENAI_BASE_URL'}" for server, variable in pairs)
        super().__init__(
            "A key is sent only where you have named both its variable and the server. According to the settings of "
            f"the run or the config file, these keys would be sent:\n{what}\n"
            "If you trust the servers with these keys, add --send-keys once; this is remembered. In Python, pass "
            "base_url and api_key_env in the call. Otherwise choose another server with --base-url, or unset the "
            "variables."
        )


def check_trusted(config: Config, values: dict[str, Any]) -> None:
    """Raise Untrusted if a key would go to a server without the user's consent; `values`: the settings of this call."""
    servers = {*USERS_OWN, *(one for url in named(values, "base_url") for one in TeacherSettings(base_url=url).servers)}
    variables = {DEFAULT_KEY, *named(values, "api_key_env")}
    sent = dict.fromkeys(pair for pair in _sent(config) if pair[0] not in USERS_OWN or pair[1] != DEFAULT_KEY)
    known = _remembered() if sent else set()
    ours = {(server, variable) for server, variable in sent if server in servers and variable in variables}
    if unknown := [pair for pair in sent if pair not in ours | known]:
        raise Untrusted(unknown)
    if ours - known:
        remember(ours)


def check_started(config: Config, values: dict[str, Any]) -> None:
    """UsageError if a program would be started for a teacher that the user has not named; `values`: as above."""
    teachers = [choice.teacher for stage in config.stages for choice in config.choices(stage)]
    for teacher in teachers:
        if kinds.load(teacher.kind).starts_process and teacher.kind not in named(values, "kind"):
            raise UsageError(
                f"The run's teacher is {teacher.kind} with {visible(teacher.model)}, which is started as a program of "
                "its own. A run folder is never trusted to say what to start, so name it again: "
                f"--teacher {teacher.kind}."
            )


def remember(pairs: Collection[Pair]) -> None:
    """Trust these servers with these keys from now on; if no file can be written, only in this process."""
    _confirmed.update(pairs)
    try:
        with whole_file(state_file()) as part:
            part.write_text(json.dumps(sorted(_remembered()), indent=1), encoding="utf-8")
    except (UsageError, RuntimeError):
        pass  # asked again next time


def state_file() -> Path:
    """Where trusted servers are remembered."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state")
    return folder.expanduser() / "selfinstruct" / "servers.json"  # RuntimeError for a user without a home


def _remembered() -> set[Pair]:
    try:
        stored = json.loads(state_file().read_text(encoding="utf-8"))
        return _confirmed | {(str(server), str(variable)) for server, variable in stored}
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        return set(_confirmed)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{state_file()}: cannot be read ({error}). Delete it; you will be asked again.") from None


def _sent(config: Config) -> Iterator[Pair]:
    """The servers of the run's stages, each with the variable whose value would be sent to it."""
    for stage in config.stages:
        for choice in config.choices(stage):
            teacher = choice.teacher
            has_server = teacher.kind == "openai" or teacher.servers != ("",)
            if has_server and os.environ.get(teacher.api_key_env, "").strip():
                yield from ((server, teacher.api_key_env) for server in teacher.servers)


def named(settings: Any, key: str) -> Iterator[str]:
    """The values of a key in settings, at any depth."""
    for name, value in settings.items() if isinstance(settings, dict) else ():
        if name == key:
            yield from (str(one) for one in (value if isinstance(value, list | tuple) else [value]))
        elif isinstance(value, list | tuple):
            for one in value:
                yield from named(one, key)
        else:
            yield from named(value, key)
