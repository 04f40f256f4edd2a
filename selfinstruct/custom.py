"""Custom filters, strategies and teachers, named as "rules.py:NAME" or "package.module:NAME".

Only code that the user names is ever loaded. A run folder records the names of its custom parts and what they declared,
but nothing is executed because of it.
"""

import hashlib
import inspect
import json
import symtable
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Annotated, Any

from pydantic import ValidatorFunctionWrapHandler, WrapValidator

from selfinstruct.errors import SelfInstructError, UsageError
from selfinstruct.records import storable
from selfinstruct.settings import did_you_mean

PACKAGE = Path(__file__).parent
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))


class Custom(str):
    """The name of a custom part, without its folder, and `code`, the object it names.

    `sha256`: of the source; "" if the code was not loaded and `code` has only what it declared earlier. `origin` tells
    apart parts of the same name: the place of a name, or the object that was passed. Equal to any text of the same
    name, so that settings are compared and written as text.
    """

    __slots__ = ("code", "origin", "sha256")

    code: Any
    sha256: str
    origin: Any

    def __new__(cls, name: str, code: Any, sha256: str = "", origin: Any = None) -> "Custom":
        """A name with its code."""
        new = super().__new__(cls, name)
        new.code, new.sha256, new.origin = code, sha256, origin
        return new

    def standing_for(self, code: Any) -> "Custom":
        """The same part, with other code in its place, such as code that checks what it returns."""
        return Custom(self, code, self.sha256, self.origin)

    def named(self, name: str) -> "Custom":
        """The same part under the name that a run has recorded for it."""
        return Custom(name, self.code, self.sha256, self.origin)

    def is_other_than(self, other: "Custom") -> bool:
        """Whether both are loaded and have the same name, but are two different things."""
        same = self.origin is other.origin or self.origin == other.origin
        return bool(self == other and self.sha256 and other.sha256 and not same)


def _unchanged(value: Any, otherwise: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, Custom) else otherwise(value)


PartName = Annotated[str, WrapValidator(_unchanged)]
"""A setting that names a part; a custom one keeps its code."""


def is_custom(name: object) -> bool:
    """Whether a setting names a custom part, or is that part itself."""
    if isinstance(name, str):
        return isinstance(name, Custom) or ":" in name
    return not isinstance(name, int | float | list | tuple | dict | None)


def load(name: str) -> Custom:
    """Load the part named FILE.py:NAME or package.module:NAME; UsageError if there is none."""
    where, _, attribute = name.rpartition(":")
    if not where or not attribute:
        raise UsageError(f"{name!r} does not name a function or class; write FILE.py:NAME or package.module:NAME.")
    module = _module_in(Path(where).expanduser()) if where.endswith(".py") else _module_called(where)
    with explained():
        if not hasattr(module, attribute):
            own = _defined_in(module)
            raise UsageError(f"{where} has no {attribute}" + (f"; {did_you_mean(attribute, own)}" if own else "."))
        code = getattr(module, attribute)
    file = getattr(module, "__file__", None)
    source = Path(file).read_bytes() if file else where.encode()
    short = Path(where).name if where.endswith(".py") else where
    return Custom(f"{short}:{attribute}", code, hashlib.sha256(source).hexdigest(), (file or where, attribute))


def _defined_in(module: ModuleType) -> list[str]:
    """The public names that a module defines; those that it imports are no parts of the user's."""
    try:
        symbols = symtable.symtable(inspect.getsource(module), module.__name__, "exec").get_symbols()
    except (OSError, TypeError):  # not written in Python
        return [name for name in vars(module) if not name.startswith("_")]
    own = [one for one in symbols if one.is_assigned() and not one.is_imported()]
    return [one.get_name() for one in own if not one.get_name().startswith("_")]


def of_object(part: Any, code: Any = None) -> Custom:
    """Name a function, class or instance that was passed directly; `code` replaces it if given."""
    function = getattr(part, "__func__", part)  # of a method
    target = function if inspect.isfunction(function) or inspect.isclass(part) else type(part)
    name = getattr(target, "__module__", None) or "__main__"
    file = getattr(sys.modules.get(name), "__file__", None)
    where = name if "." in name else Path(file).name if file else "notebook"
    # A module that is imported counts as a whole, as by its name; a script or a notebook changes for other reasons too.
    source = Path(file).read_bytes() if file and name != "__main__" else "\n".join(_sources(target, set())).encode()
    return Custom(
        f"{where}:{target.__name__}", part if code is None else code, hashlib.sha256(source).hexdigest(), part
    )


def _sources(target: Any, seen: set[str]) -> Iterator[str]:
    """The source of a function or class, then of what it uses of its module: functions, classes and plain values."""
    seen.add(target.__qualname__)
    try:
        yield inspect.getsource(target)
    except (OSError, TypeError):  # typed at a prompt: it has no source
        yield str(target.__qualname__)
    module = vars(sys.modules.get(target.__module__) or object)
    functions = (
        [value for value in vars(target).values() if inspect.isfunction(value)] if inspect.isclass(target) else [target]
    )
    for used in sorted({name for function in functions for name in _names(function.__code__)} & module.keys()):
        value = module[used]
        if inspect.isfunction(value) or inspect.isclass(value):
            if value.__module__ == target.__module__ and value.__qualname__ not in seen:
                yield from _sources(value, seen)
        elif isinstance(value, str | int | float | tuple | list | dict):
            with suppress(TypeError, ValueError):  # not plain after all
                yield f"{used} = {json.dumps(checked_json(value), sort_keys=True)}"


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def place_of(part: Any) -> str:
    """Where a function, a class or an object's class is defined, to begin a message with; "" if it has no source."""
    function = inspect.unwrap(getattr(part, "__func__", part))
    target = function if inspect.isfunction(function) or inspect.isclass(function) else type(part)
    if target.__module__.partition(".")[0] in ("selfinstruct", "builtins"):
        return ""  # an object of ours
    try:
        return f"{_shown(inspect.getfile(target))}, line {inspect.getsourcelines(target)[1]}: "
    except (OSError, TypeError):  # typed at a prompt
        return ""


def refuse_init(part: type, *arguments: str) -> None:
    """UsageError if a user's class cannot be instantiated with these arguments."""
    try:
        inspect.signature(part).bind(*arguments)
    except TypeError:
        raise UsageError(
            f"{place_of(part)}The class {part.__name__} must have def __init__({', '.join(('self', *arguments))}); "
            "further arguments need defaults."
        ) from None
    except ValueError:  # not written in Python
        return


@contextmanager
def explained(part: Any = None) -> Iterator[None]:
    """Run a user's code; what it raises becomes a UsageError that names its file and line.

    `part`: what is called; its place stands for an error in the call itself, such as a wrong number of arguments.
    """
    try:
        yield
    except SelfInstructError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, ExceptionGroup) and (ours := error.subgroup(SelfInstructError)):
            raise _first(ours) from None  # ours, out of a task group of the user's
        raise UsageError(_described(error, part)) from error


@contextmanager
def _loading() -> Iterator[None]:
    """As `explained`, for a module: what a decorator of ours refuses there gets its place too."""
    try:
        with explained():
            yield
    except UsageError as error:
        raise placed(error) from error.__cause__


def placed(error: Any) -> Any:
    """The error, with the place in the user's code if it is a UsageError of ours, raised by a call from there."""
    if not isinstance(error, UsageError) or error.__cause__ is not None or not (frame := _frame(error)):
        return error
    place = f"{_shown(frame.filename)}, line {frame.lineno}: "
    return UsageError(f"{place}{str(error).removeprefix(place)}")


def _first(group: ExceptionGroup[Any]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


def checked_json(value: Any) -> Any:
    """A copy of a value of the user's as JSON has it; ValueError, or TypeError, if it is none, or no finite number."""
    try:
        return json.loads(storable(json.dumps(value, ensure_ascii=False, allow_nan=False)))
    except RecursionError:
        raise ValueError("nested too deeply, or inside itself") from None


def _described(error: BaseException, part: Any) -> str:
    try:
        said = storable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    except Exception:  # noqa: BLE001  # its own __str__ fails
        said = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    if isinstance(error, AttributeError | TypeError) and "'coroutine' object" in said:
        said += "; is an await missing?"
    if at := _frame(error):
        return f"{_shown(at.filename)}, line {at.lineno}, in {at.name}: {said}"
    return f"{'' if part is None else place_of(part)}{said}"


def _frame(error: BaseException) -> traceback.FrameSummary | None:
    """Where in the user's code an error was raised, or what called ours; None if it was not raised there."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not f.filename.startswith("<frozen") and PACKAGE not in Path(f.filename).parents]
    theirs = [frame for frame in theirs if STANDARD_LIBRARY not in Path(frame.filename).parents] or theirs
    return [frame for frame in theirs if frame.filename == theirs[0].filename][-1] if theirs else None


def _shown(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename


def _module_in(path: Path) -> ModuleType:
    """Execute a user's file as a module, which can import the files beside it."""
    if not path.is_file():
        raise UsageError(f"{path}: no such file.")
    try:
        version = hashlib.sha256(str(path.resolve()).encode() + path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).") from None
    name = f"selfinstruct_custom_{path.stem}_{version}"
    if name in sys.modules:  # named twice: its state is one
        return sys.modules[name]
    spec = spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: cannot be loaded as Python.")
    module = module_from_spec(spec)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    sys.modules[name] = module  # dataclasses look themselves up there
    try:
        with _loading():
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _module_called(name: str) -> ModuleType:
    try:
        with _loading():
            return import_module(name)
    except UsageError as error:
        if isinstance(error.__cause__, ModuleNotFoundError) and name.startswith(error.__cause__.name or " "):
            raise UsageError(
                f"There is no module {name}; install it, or name the file: FILE.py:NAME."
            ) from error.__cause__
        raise
