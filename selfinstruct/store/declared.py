"""What a run's store records about custom parts: the declaration of each, and the hashes of its source.

The store may come from somebody else, so its contents are checked, and no code is loaded.
"""

from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from selfinstruct.custom import Custom
from selfinstruct.errors import StoreError
from selfinstruct.filters.rule import Evidence
from selfinstruct.filters.verdicts import WORDS, FilterSettings, stored_rules
from selfinstruct.store.rows import object_from
from selfinstruct.store.store import Store
from selfinstruct.strategies import Declared, declared
from selfinstruct.strategies._custom import as_declared

CustomParts = dict[str, dict[str, dict[str, Any]]]
"""By type ("strategies", "filters", "teachers") and name: `sha256`, oldest first, and the declaration."""


class _Sources(BaseModel):
    model_config = ConfigDict(extra="allow")

    sha256: tuple[Annotated[str, StringConstraints(pattern="^[0-9a-f]{1,64}$")], ...] = Field(min_length=1)


def _with_sources(part: dict[str, Any]) -> dict[str, Any]:
    return _Sources.model_validate(part).model_dump()


_PARTS = TypeAdapter(dict[str, dict[str, Annotated[dict[str, Any], AfterValidator(_with_sources)]]])


def custom_parts(store: Store) -> CustomParts:
    """What is recorded about custom parts; StoreError if it is damaged."""
    try:
        return _PARTS.validate_python(store.settings().get("custom", {}))
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise StoreError(f"{store.path}: its record of custom components is damaged ({problem}).") from None


def under_recorded_names(store: Store, values: dict[str, Any]) -> dict[str, Any]:
    """The user's settings, with custom filters and strategies under the names that the run has recorded for them.

    A filter is known by its reason and a strategy by its class, wherever they are defined: a run that began in a
    notebook can be resumed from a file. A teacher is known by its file as well, since a run may have two of one name.
    """
    known, found = custom_parts(store), dict(values)
    strategies = {name.rpartition(":")[2]: name for name in known.get("strategies", {})}
    if isinstance(strategy := found.get("strategy"), Custom):
        found["strategy"] = strategy.named(strategies.get(strategy.rpartition(":")[2], strategy))
    filters = {one.get("name"): name for name, one in known.get("filters", {}).items()}
    table = found.get("filters")
    if isinstance(table, dict) and isinstance(table.get("custom"), list):
        found["filters"] = {**table, "custom": [one.named(filters.get(one.code.name, one)) for one in table["custom"]]}
    return found


def recorded(store: Store, reason: str) -> dict[str, Evidence]:
    """The evidence of everything that was rejected for a reason, by id."""
    rows = store.query("SELECT subject_id, evidence FROM rejections WHERE reason = ?", (reason,))
    return {identity: object_from(evidence) for identity, evidence in rows}


def rules_of(store: Store) -> FilterSettings:
    """The filter settings of a run, with its custom filters, which repeat their recorded verdicts."""
    table, known = store.settings()["config"].get("filters", {}), custom_parts(store).get("filters", {})
    custom = table.get("custom", [])
    if not isinstance(custom, list) or not all(isinstance(name, str) for name in custom):
        raise StoreError(f"{store.path}: its settings are damaged. Restore a copy.")
    return FilterSettings.model_validate(stored_rules(table, known, partial(recorded, store)))


def declared_by(store: Store) -> Declared:
    """What the strategy and filters of a run declare, and the built-in ones."""
    name, known = str(store.settings().get("config", {}).get("strategy")), custom_parts(store).get("strategies", {})
    found = declared(as_declared(name, known[name]).code if name in known else None)
    return found._replace(reasons=WORDS | rules_of(store).custom_words | found.reasons)
