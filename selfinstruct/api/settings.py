"""Settings from keyword arguments; teachers as tables of settings, for `teacher=` or one stage (`instances=`)."""

from collections.abc import Collection
from math import inf
from operator import index
from os import PathLike
from pathlib import Path
from typing import Any, SupportsIndex

from selfinstruct.custom import is_custom
from selfinstruct.errors import UsageError
from selfinstruct.settings import merge, unknown_key

FilePath = str | PathLike[str]
Settings = dict[str, Any]
AnyTeacher = Settings | str | object
"""A table of settings, such as `openai` returns; or a custom teacher: a function, a class, or FILE.py:NAME."""


def openai(model: str, *, base_url: str | list[str] = "", **settings: Any) -> Settings:
    """Settings for a model on an OpenAI-compatible server.

    `base_url`: its address, ending in /v1, or a list of addresses that share the calls; default: OPENAI_BASE_URL, or
    OpenAI. `settings`: keys of [teacher], such as `endpoint`, `requests_per_minute` or `api_key_env`, the environment
    variable with the API key (default: OPENAI_API_KEY).
    """
    return {"kind": "openai", "model": model, **({"base_url": base_url} if base_url else {}), **settings}


def llama_cpp(model: FilePath, **settings: Any) -> Settings:
    """Settings for a GGUF file, served by llama.cpp as long as the run lasts. Requires selfinstruct[llama-cpp]."""
    return {"kind": "llama.cpp", "model": as_text(model), **settings}


def vllm(model: FilePath, **settings: Any) -> Settings:
    """Settings for a folder or a hub name, served by vLLM as long as the run lasts. Requires selfinstruct[vllm]."""
    return {"kind": "vllm", "model": as_text(model), **settings}


def transformers(model: FilePath, **settings: Any) -> Settings:
    """Settings for a model in this process: a folder or a name on the hub. Requires selfinstruct[finetune]."""
    return {"kind": "transformers", "model": as_text(model), **settings}


def tables(teacher: AnyTeacher | None, settings: Settings, allowed: Collection[str] = ()) -> Settings:
    """Settings nested as in a config file: keys of [running] and [filters] are moved into their tables.

    UsageError for a key that is unknown, given twice, or not in the tables and keys `allowed`.
    """
    from selfinstruct.config.config import Config
    from selfinstruct.filters.custom import CustomRule
    from selfinstruct.filters.verdicts import FilterSettings
    from selfinstruct.strategies import declared
    from selfinstruct.strategies._custom import custom_strategy
    from selfinstruct.teachers.settings import SAMPLING, RunningSettings, TeacherSettings

    if isinstance(teacher, str) and ":" not in teacher:
        like = 'si.openai("' + (teacher or "MODEL") + '")'
        raise UsageError(f"teacher is {teacher!r}; it must be a table of settings, such as {like}.")
    if teacher is not None and not isinstance(teacher, dict) and not is_custom(teacher):
        raise UsageError(
            f'teacher is {teacher!r:.80}; it must be a table of settings, such as si.openai("MODEL"), or your own '
            "function or class."
        )
    found: Settings = {}
    if teacher is not None:
        found["teacher"] = teacher if isinstance(teacher, dict) else {"kind": teacher}
    settings = dict(settings)
    if isinstance(settings.get("filters"), list | tuple):
        settings["filters"] = {"custom": settings["filters"]}
    elif "filters" in settings and not isinstance(settings["filters"], dict):
        given = settings["filters"]
        said = f"one filter, {given.name}" if isinstance(given, CustomRule) else f"{given!r:.80}"
        raise UsageError(f"filters is {said}; it must be a list of filters, or a table of settings.")
    of_strategy = (
        declared(custom_strategy(settings["strategy"]).code) if is_custom(settings.get("strategy", "")) else declared()
    )
    places = dict.fromkeys((*Config.model_fields, *of_strategy.stages), "")
    places |= dict.fromkeys(RunningSettings.model_fields, "running")
    places |= dict.fromkeys(FilterSettings.model_fields, "filters")
    known = [key for key, table in places.items() if not allowed or key in allowed or table in allowed]
    for key, value in settings.items():
        if key not in known:
            stage = of_strategy.stages[0]
            if key in SAMPLING and stage not in known:
                raise UsageError(f"unknown argument {key}: a sampling setting, but no model is called here.")
            if key in SAMPLING:
                raise UsageError(
                    f'unknown argument {key}; set it in a stage: {stage}={{"sampling": {{"{key}": ...}}}}.'
                )
            if key in TeacherSettings.model_fields and "teacher" in known:
                raise UsageError(f'unknown argument {key}; it belongs to the teacher: teacher=si.openai("MODEL", ...).')
            raise UsageError(unknown_key(key, known))
        table = places[key]
        whole = settings.get(table) if table else None
        if table and whole is not None and not isinstance(whole, dict):
            raise UsageError(f"{table} is {whole!r}; it must be a table of settings.")
        if whole and key in whole:
            raise UsageError(f"{key} is set twice: directly, and in {table}.")
        found = merge(found, {table: {key: value}} if table else {key: value})
    return found


def whole_number(what: str, value: SupportsIndex, most: float = inf, least: int = 1) -> int:
    """`value` as an int, also from numpy; UsageError, which names it `what`, if it is not an integer in the bounds."""
    try:
        number = index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or not least <= number <= most:
        bounds = f"from {least} to {most}" if most < inf else f"of at least {least}"
        raise UsageError(f"{what} is {value!r}; it must be a whole number {bounds}.")
    return number


def file_path(what: str, value: FilePath) -> Path:
    """`value` as a path; UsageError, which names it `what`, if it is not one."""
    if isinstance(value, str | PathLike) and str(value):
        return Path(value).expanduser()
    said = repr(value)  # whole tables are passed by mistake
    raise UsageError(f"{what} is {said if len(said) <= 80 else said[:80] + '...'}; it must be a path.")


def as_text(model: FilePath) -> str:
    """The name of a model, whose folder may be a Path, as text."""
    return str(model) if isinstance(model, PathLike) else model


def optional_path(what: str, value: FilePath | None) -> Path | None:
    """`file_path`, but None stays None."""
    return None if value is None else file_path(what, value)
