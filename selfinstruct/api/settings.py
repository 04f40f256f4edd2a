"""Settings as keyword arguments; teachers as tables of settings, for `teacher=` or for one stage (`instances=`)."""

from os import PathLike
from typing import Any

from selfinstruct.settings import merge

FilePath = str | PathLike[str]
Settings = dict[str, Any]


def openai(model: str, *, base_url: str | list[str] = "", **settings: Any) -> Settings:
    """A server that speaks OpenAI's protocol: OpenAI's own, or the one at `base_url` (with /v1), or several.

    `settings`: those of [teacher] in the configuration reference, such as `endpoint` and `requests_per_minute`. The key
    is read from the environment variable that `api_key_env` names, OPENAI_API_KEY by default.
    """
    return {"kind": "openai", "model": model, **({"base_url": base_url} if base_url else {}), **settings}


def transformers(model: str, **settings: Any) -> Settings:
    """A model in this process: a folder, or a name on the hub. Needs selfinstruct[finetune]."""
    return {"kind": "transformers", "model": model, **settings}


def tables(teacher: Settings | None, settings: Settings) -> Settings:
    """Settings as the config file has them: keys of [running] and [filters] moved into their tables."""
    from selfinstruct.filters.verdicts import FilterSettings
    from selfinstruct.teachers.settings import RunningSettings

    tables: Settings = {"teacher": teacher} if teacher else {}
    sections = {"running": RunningSettings.model_fields, "filters": FilterSettings.model_fields}
    for key, value in settings.items():
        table = next((name for name, fields in sections.items() if key in fields), None)
        tables = merge(tables, {table: {key: value}} if table else {key: value})
    return tables
