"""The pool as custom filters see it: all of it, nothing that changes it.

A view shares the state of what it shows and copies nothing, so it costs the same at any size of the pool. It guards
against mistakes, not against malice: Python keeps nothing private.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeVar, overload

from selfinstruct.pool.novelty import NoveltyIndex
from selfinstruct.pool.pool import Pool, Rules_co
from selfinstruct.records import Task

T = TypeVar("T")


def _refused(*_: Any) -> NoReturn:
    raise TypeError("a filter cannot change the pool; it must return None or reject(...)")


class _Rows(Sequence[T]):
    """A list that cannot be changed, of rows that cannot be either: a task with `extra` is copied."""

    def __init__(self, rows: list[T]):
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> list[T]: ...
    def __getitem__(self, at: int | slice) -> T | list[T]:
        return [_own(row) for row in self._rows[at]] if isinstance(at, slice) else _own(self._rows[at])


def _own(row: T) -> T:
    return replace(row, extra=copy.deepcopy(row.extra)) if isinstance(row, Task) and row.extra else row


class _ReadOnlyIndex(NoveltyIndex):
    add = __setattr__ = _refused  # type: ignore[assignment]

    def __init__(self, index: NoveltyIndex):
        object.__setattr__(self, "__dict__", index.__dict__)


class ReadOnlyPool(Pool[Rules_co]):
    """A pool that cannot be changed. TypeError if that is tried."""

    admit = add_record = __setattr__ = _refused  # type: ignore[assignment]

    def __init__(self, pool: Pool[Rules_co]):
        object.__setattr__(self, "__dict__", pool.__dict__)

    @property
    def tasks(self) -> Sequence[Task]:  # type: ignore[override]
        """The tasks admitted so far."""
        return _Rows(self.__dict__["tasks"])

    @property
    def record_ids(self) -> Sequence[str]:  # type: ignore[override]
        """The ids of the records that were kept so far."""
        return _Rows(self.__dict__["record_ids"])

    @property
    def index(self) -> NoveltyIndex:  # type: ignore[override]
        """The similarity index of the instructions."""
        return _ReadOnlyIndex(self.__dict__["index"])
