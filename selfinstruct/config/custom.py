"""Custom parts in the settings: loaded if the user names them, never because a run folder does.

A run's store records the declaration of each part and the hashes of its source: enough to show the run without the
code, and to notice that the code has changed.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from selfinstruct.config.config import Config
from selfinstruct.custom import Custom, is_custom
from selfinstruct.errors import StoreError, UsageError
from selfinstruct.filters import custom as filters
from selfinstruct.filters.custom import Recorded
from selfinstruct.rows.toml import read_toml
from selfinstruct.strategies import _custom as strategies
from selfinstruct.teachers.kinds import _custom as kinds

Values = dict[str, Any]
DECLARATIONS: dict[str, Callable[[Any], Values]] = {
    "strategies": strategies.declaration,
    "filters": filters.declaration,
    "teachers": kinds.declaration,
}


def settings_in(path: Path) -> Values:
    """The settings in a user's file, with their parts loaded; a file in a run's folder names none."""
    values = read_toml(path)

    def refused(part: Any) -> Custom:
        raise UsageError(
            f"{path} belongs to a run, which may be somebody else's, and names code to load: {part}. If you trust that "
            "code, copy the file to another folder and use the copy."
        )

    return _replaced(values, refused, refused, refused) if (path.parent / "run.db").exists() else with_code(values)


def with_code(values: Values) -> Values:
    """The user's settings with custom parts loaded; UsageError if one cannot be."""
    return _replaced(values, strategies.custom_strategy, filters.custom_filter, kinds.custom_kind)


def with_declarations(values: Values, known: Values, recorded: Recorded) -> Values:
    """Settings from a run's store, with the declarations of custom parts in place of their names."""

    def of(room: str, name: Any) -> Values:
        if not isinstance(name, str):
            raise StoreError(f"The settings of this run are damaged: {name!r:.60} names no component. Restore a copy.")
        return known.get(room, {}).get(name, {})  # type: ignore[no-any-return]

    return _replaced(
        values,
        lambda name: strategies.as_declared(name, of("strategies", name)),
        lambda name: filters.as_declared(name, of("filters", name), recorded),
        lambda name: kinds.as_declared(name, of("teachers", name)),
    )


def _replaced(
    values: Values,
    strategy: Callable[[Any], Custom],
    one_filter: Callable[[Any], Custom],
    kind: Callable[[Any], Custom],
) -> Values:
    found = {key: _of_table(table, kind) if isinstance(table, dict) else table for key, table in values.items()}
    if "strategy" in found and is_custom(found["strategy"]):
        found["strategy"] = strategy(found["strategy"])
    table = found.get("filters")
    if isinstance(table, dict) and isinstance(table.get("custom"), list | tuple):
        found["filters"] = {**table, "custom": [one_filter(one) for one in table["custom"]]}
    return found


def _of_table(table: Values, kind: Callable[[Any], Custom]) -> Values:
    found = dict(table)
    if found.get("kind") is not None and is_custom(found["kind"]):
        found["kind"] = kind(found["kind"])
    if isinstance(found.get("mix"), list | tuple):
        found["mix"] = [_of_table(one, kind) if isinstance(one, dict) else one for one in found["mix"]]
    return found


def declarations(config: Config, before: Values) -> Values:
    """What the store records about custom parts: the declaration of each, and its source hashes, oldest first."""
    found: Values = {room: {} for room in DECLARATIONS}
    for room, one in custom_parts(config):
        known = before.get(room, {}).get(str(one), {})
        if not one.sha256:
            found[room][str(one)] = known
            continue
        versions = [version for version in known.get("sha256", ()) if version != one.sha256]
        found[room][str(one)] = {**DECLARATIONS[room](one.code), "sha256": [*versions, one.sha256]}
    return {room: known for room, known in found.items() if known}


def changed(now: Values, before: Values) -> list[str]:
    """The names of custom parts whose source has changed since the run was last grown."""
    return [
        name
        for room, known in now.items()
        for name, one in known.items()
        if (was := before.get(room, {}).get(name, {}).get("sha256")) and was[-1] != one["sha256"][-1]
    ]


def custom_parts(config: Config) -> Iterator[tuple[str, Custom]]:
    """The custom parts in these settings, each with its type: "strategies", "filters" or "teachers"."""
    if isinstance(config.strategy, Custom):
        yield "strategies", config.strategy
    yield from (("filters", one) for one in config.filters.custom if isinstance(one, Custom))
    kinds_ = [choice.teacher.kind for stage in config.stages for choice in config.choices(stage)]
    yield from (("teachers", kind) for kind in dict.fromkeys(kinds_) if isinstance(kind, Custom))


def not_loaded(config: Config, rooms: Collection[str]) -> list[str]:
    """The options that name the custom parts of these types that the settings need and that are not loaded."""
    options = {"strategies": "--strategy {}", "filters": "--filter {}", "teachers": 'kind = "{}" in --config'}
    if isinstance(config.teacher.kind, Custom):
        options["teachers"] = "--teacher {}"
    return [
        options[room].format(one)
        for room, one in custom_parts(config)
        if room in rooms and not one.sha256 and not (room == "filters" and one.code.name in config.filters.without)
    ]
