"""Jinja templates that somebody else may have written: prompts in a run's folder, chat templates of a model.

Jinja's own sandbox keeps a template from files and from Python's inside, but not from memory and time: after one
`{{ 'a' * 10**9 }}`, or three loops inside each other, the process is gone. Here each rendering has a budget, which
grows with what it is given to show. Every step of a loop, every call and every text that is made takes from it, and
what would make a long text is refused before it does. Counted, not timed: a template fails everywhere or nowhere.

    env = Bounded()
    env.from_string(text).render(messages=...)          # jinja2.TemplateError, also where it is too much

Not covered: limits on the process itself, which Jinja's developers recommend for templates of strangers
(pallets/jinja#2149).
"""

import re
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from jinja2 import Environment, Template, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateError, TemplateRuntimeError
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

BUDGET = 10_000_000  # characters that a rendering may make, whatever it is given
PER_CHARACTER = 100  # that it may make besides, for each that it is given
STEP = 100  # characters that a step of a loop, or a call, counts as
VALUE = 30  # characters that a value counts as besides its own
MOST_BITS = 100_000  # of a whole number

# Filters and methods whose result grows with a number, or with another text; and those that read whatever is in lists.
BY_NUMBER = frozenset(
    ["batch", "center", "expandtabs", "indent", "ljust", "rjust", "round", "slice", "to_bytes", "tojson", "wordwrap",
     "zfill"]
)  # fmt: skip
FORMATS = frozenset(["%", "format", "format_map", "strftime_now"])
BY_TEXT = FORMATS | {"join", "replace", "translate"}
WHOLE = frozenset(
    ["count", "dictsort", "e", "escape", "forceescape", "groupby", "index", "max", "min", "pprint", "sort", "string",
     "sum", "unique", "urlencode", "xmlattr"]
)  # fmt: skip
_WIDE = re.compile(r"%[^a-zA-Z%(]*(?:\d{4}|\*)|\{[^{}]*(?:\d{4}|\{)")  # a field; or one whose width is a field
_PLUMBING = Context | EvalContext | Environment


class TooMuch(SecurityError):
    """A template asks for more text, or more steps, than what it is given to show can need."""

    def __init__(self) -> None:
        super().__init__("it would produce too much text or take too many steps")


class _Budget:
    def __init__(self, left: int):
        self.left = left

    def spend(self, n: int) -> None:
        self.left -= n
        if self.left < 0:
            raise TooMuch

    def foresee(self, n: int) -> None:
        if n > self.left:
            raise TooMuch

    def size(self, *values: Any) -> int:
        """About how long values are as text; TooMuch as soon as that is more than is left."""
        n, stack = 0, list(values)
        while stack:
            one = stack.pop()
            n += VALUE
            if isinstance(one, str | bytes):
                n += len(one)
            elif isinstance(one, int):
                n += one.bit_length() // 3
            elif isinstance(one, dict):
                stack += [*one.keys(), *one.values()]
            elif isinstance(one, list | tuple | set | frozenset | range | KeysView | ValuesView | ItemsView):
                stack += one
            elif isinstance(one, Namespace):
                stack.append(one._Namespace__attrs)
            self.foresee(n)
        return n

    def call(self, name: str, given: list[Any]) -> None:
        """Spend what a filter or a call takes at least; TooMuch where it would make more than is left."""
        self.spend(STEP)
        subject, *rest = given or [None]
        if name in BY_NUMBER:
            self.foresee(self.size(*given) * max((abs(n) for n in rest if isinstance(n, int)), default=1))
        elif name in BY_TEXT:
            self.foresee(self.size(subject) * max(map(self.size, rest), default=1))
            if name in FORMATS and _is_wide(str(subject)):
                raise TooMuch
        elif name in WHOLE:
            self.spend(self.size(*given))


_budget: ContextVar[_Budget] = ContextVar("budget")


@contextmanager
def limits(given: Any = "") -> Iterator[None]:
    """Compile or render templates within one budget, for what they are given; all that they raise is TemplateError."""
    token = _budget.set(_Budget(BUDGET + PER_CHARACTER * _Budget(2**62).size(given)))
    try:
        yield
    except TemplateError:
        raise
    except (RecursionError, MemoryError, SyntaxError):  # nested too deep, for Jinja or for Python
        raise TooMuch from None
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        raise TemplateRuntimeError(f"{type(error).__name__}: {error}") from None
    finally:
        _budget.reset(token)


class BoundedTemplate(Template):
    """A template that is rendered within a budget."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        """The text; jinja2.TemplateError if there is none."""
        with limits((args, kwargs)):
            return "".join(self.root_render_func(self.new_context(dict(*args, **kwargs))))

    def generate(self, *args: Any, **kwargs: Any) -> Iterator[str]:
        """The text in pieces, as transformers takes it where it marks the answers; for one at a time."""
        with limits((args, kwargs)):
            yield from self.root_render_func(self.new_context(dict(*args, **kwargs)))

    def block(self, name: str, variables: dict[str, Any]) -> str:
        """The text of one block; jinja2.TemplateError if there is none, KeyError if there is no such block."""
        block = self.blocks[name]
        with limits(variables):
            return "".join(block(self.new_context(variables)))


class Bounded(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with a budget for each rendering."""

    template_class = BoundedTemplate
    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.filters = _Functions(self.filters)
        self.filters.update(spent_=_spent, steps_=_steps_of, cut_=_cut)  # which count by themselves
        self.tests = _Functions(self.tests)
        self.globals.pop("lipsum", None)  # as much text as is asked for

    def compile(self, *args: Any, **kwargs: Any) -> Any:
        """The template's code; jinja2.TemplateError if there is none."""
        with limits():
            return super().compile(*args, **kwargs)

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(_counted(source), *args, **kwargs)

    def _load_template(self, *args: Any, **kwargs: Any) -> Any:
        if budget := _budget.get(None):
            budget.spend(STEP)  # a template that includes itself
        return super()._load_template(*args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The result of an operator; TooMuch where it would be too large."""
        budget = _budget.get()
        if isinstance(left, int) and isinstance(right, int):
            if operator == "**" and left.bit_length() * abs(right) > MOST_BITS:
                raise TooMuch
            if left.bit_length() + right.bit_length() > MOST_BITS:
                raise TooMuch
        elif operator == "*":
            times = max((n for n in (left, right) if isinstance(n, int)), default=1)
            budget.spend(STEP + _length(left if isinstance(right, int) else right) * max(times, 0))
        elif operator == "%":
            budget.call(operator, [left, right])
        else:
            budget.spend(STEP + _length(left) + _length(right))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """What a call returns; TooMuch where that would be too large."""
        budget = _budget.get()
        if isinstance(__obj, LoopContext):  # a recursive loop
            args = tuple(_steps_of(one) for one in args)
        function = getattr(__obj, "__wrapped__", __obj)
        subject = getattr(function, "__self__", None)
        bound = [subject] if isinstance(subject, str | bytes | list | tuple | int) else []
        budget.call(getattr(function, "__name__", ""), [*bound, *args, *kwargs.values()])
        result = super().call(__context, __obj, *args, **kwargs)
        budget.spend(_length(result))
        return result


class _Functions(dict[str, Any]):
    """Filters or tests, each of which spends of the budget."""

    def __init__(self, functions: dict[str, Any]):
        super().__init__()
        for name, function in functions.items():
            self[name] = function

    def __setitem__(self, name: str, function: Callable[..., Any]) -> None:
        @wraps(function)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            budget = _budget.get()
            args = tuple(list(_steps_of(one)) if isinstance(one, Iterator) else one for one in args)
            budget.call(name, [one for one in (*args, *kwargs.values()) if not isinstance(one, _PLUMBING)])
            result = function(*args, **kwargs)
            budget.spend(_length(result))
            return result

        super().__setitem__(name, bounded)


def _is_wide(form: str) -> bool:
    """Whether a format has a field of 1,000 characters or more, or one whose width is itself a field."""
    if "%(" in form:  # a name may stand before the width
        return bool(re.search(r"\d{4}", form))
    return bool(_WIDE.search(form.replace("{{", "").replace("}}", "")))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple | dict) else 1


def _steps_of(values: Iterable[Any]) -> Iterator[Any]:
    budget = _budget.get()
    for value in values:
        budget.spend(STEP)
        yield value


@pass_context  # so that Jinja does not compute it once, while it compiles
def _spent(context: Context, value: Any) -> Any:
    budget = _budget.get()
    budget.spend(budget.size(value))
    return value


@pass_context
def _cut(context: Context, value: Any) -> Any:
    _budget.get().spend(_length(value))
    return value


def _counted(template: nodes.Template) -> nodes.Template:
    """The template with what it loops over, prints, compares and cuts out counted."""
    for loop in template.find_all(nodes.For):
        loop.iter = _through("steps_", loop.iter)
    for output in template.find_all(nodes.Output):
        output.nodes = [_through("spent_", one) for one in output.nodes]
    for comparison in template.find_all(nodes.Compare):
        comparison.expr = _through("spent_", comparison.expr)
    for operand in template.find_all(nodes.Operand):
        operand.expr = _through("spent_", operand.expr)
    for item in template.find_all(nodes.Getitem):
        if isinstance(item.arg, nodes.Slice):
            item.node = _through("cut_", item.node)
    for concat in template.find_all(nodes.Concat):
        concat.nodes = [_through("spent_", one) for one in concat.nodes]
    return template


def _through(name: str, node: Any) -> nodes.Expr:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
