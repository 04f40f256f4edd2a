"""Templates of strangers: what would eat memory or time ends in one message, and what prompts do works."""

import pytest
from jinja2 import TemplateError

from selfinstruct.asking.prompts import read_prompts
from selfinstruct.asking.sandbox import Bounded, TooMuch
from selfinstruct.errors import UsageError
from selfinstruct.strategies import load

DOUBLED = (
    "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}"
    "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}"
)
KEPT = (
    "{{% set b = 'a' * 999999 %}}{{% set ns = namespace(l=[]) %}}"
    "{{% for i in range(9999) %}}{{% set ns.l = ns.l + [{}] %}}{{% endfor %}}"
)
BIG = "{% set b = ['a' * 999999] * 9999 %}"

# Reported of other programs that render templates of strangers, and what is of the same kind.
BOMBS = [
    ("{{ 'A' * 10**9 }}", "pallets/jinja#2149"),
    ("{% for i in range(25000) %}{% for j in range(25000) %}x{% endfor %}{% endfor %}", "deepset-ai/haystack#9402"),
    ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "NVIDIA/Megatron-LM#6818"),
    ("{{ 'a\nb'|indent(10**10) }}", "mitsuhiko/minijinja#924"),
    ("{{ [1]|tojson(indent=10**10) }}", "mitsuhiko/minijinja#924"),
    ("{% for i in range(1000000000) %}{% endfor %}", "airbytehq/airbyte#25589"),
    ("{{ 10**9 * 'a' }}", ""),
    ("{{ 10**(10**9) }}", ""),
    ("{{ [0] * 10**9 }}", ""),
    ("{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}", ""),
    ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", ""),
    ("{% set ns = namespace(x='aa') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", ""),
    ("{% set ns = namespace(x='aa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}", ""),
    (DOUBLED + "{{ ns.x }}", ""),
    (DOUBLED + "{{ ns.x|string|length }}", ""),
    (DOUBLED + "{{ ns.x == ns.y }}", ""),
    (DOUBLED + "{{ [ns.x, ns.y]|sort|length }}", ""),
    (BIG + "{{ b ~ '' }}", ""),
    (BIG + "{{ '%s' % b }}", ""),
    (BIG + "{{ {'a': b}.items() }}", ""),
    ("{{ 'a'.ljust(10**9) }}", ""),
    ("{{ 'a'|center(10**9) }}", ""),
    ("{{ '\t'.expandtabs(10**9) }}", ""),
    ("{{ (1).to_bytes(10**10, 'big') }}", ""),
    ("{{ 1|round(10**9, 'ceil') }}", ""),
    ("{{ '%999999999d' % 1 }}", ""),
    ("{{ '%(a)999999999d' % {'a': 1} }}", ""),
    ("{{ '%*d' % (999999999, 1) }}", ""),
    ("{{ '%999999999d'|format(1) }}", ""),
    ("{{ '{:999999999}'.format(1) }}", ""),
    ("{{ '{0:{1}}'.format('x', 999999999) }}", ""),
    ("{{ ('a' * 99999).replace('a', 'b' * 99999) }}", ""),
    ("{{ ('a' * 99999)|replace('a', 'b' * 99999) }}", ""),
    ("{{ range(99999)|map('string')|join('b' * 99999) }}", ""),
    ("{{ ('b' * 99999).join(range(99999)|map('string')) }}", ""),
    ("{{ [1]|batch(10**9, 'x')|list|length }}", ""),
    ("{{ [1]|slice(10**9)|list|length }}", ""),
    ("{% for x in range(9999) recursive %}{{ loop(range(9999)) }}{% endfor %}", ""),
    ("{% set x %}{% for i in range(99999) %}{{ 'aaaaaaaaaa' * 1000 }}{% endfor %}{% endset %}", ""),
    ("{% set x %}{% for i in range(99999) %}" + "x" * 1000 + "{% endfor %}{% endset %}", ""),
    (KEPT.format("b[1:]"), ""),
    (KEPT.format("b|upper"), ""),
    ("{{ lipsum(n=10**9) }}", ""),
    ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", ""),
    ("{% for x in [1] %}" * 60 + "{% endfor %}" * 60, ""),
    ("{{ " + "-" * 20_000 + "1 }}", ""),
    ("{{ ''.__class__.__mro__ }}", "pallets/jinja#549"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "source"), BOMBS)
def test_a_template_that_would_eat_memory_or_time_fails(text, source):
    with pytest.raises(TemplateError):
        Bounded().from_string(text).render()


@pytest.mark.parametrize("text", [text for text, _ in BOMBS[:6]])
def test_a_prompt_that_would_is_one_message(tmp_path, text):
    (tmp_path / "chat").mkdir()
    for stage in load("alpaca").stages:
        for prompt in stage.prompts:
            file = tmp_path / "chat" / f"{prompt.name}.jinja"
            file.write_text(f"{{% block system %}}{text}{{% endblock %}}{{% block user %}}a{{% endblock %}}")
    prompts = [(f"chat/{prompt.name}", prompt) for stage in load("alpaca").stages for prompt in stage.prompts]
    with pytest.raises(UsageError, match=r"alpaca\.jinja: cannot be rendered \(.*(too much|too many|too big)"):
        read_prompts(tmp_path, prompts)


def test_a_template_that_includes_itself_twice_fails():
    from jinja2 import DictLoader

    text = "{% set n = n - 1 %}{% if n > 0 %}{% include 'a' %}{% include 'a' %}{% endif %}"
    with pytest.raises(TooMuch):
        Bounded(loader=DictLoader({"a": text})).get_template("a").render(n=60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% for x in xs %}{{ loop.index }}/{{ loop.length }}: {{ x }}{{ ', ' if not loop.last }}{% endfor %}",
         "1/2: a, 2/2: b"),
        ("{{ xs|join(', ') }} {{ '-' * 3 }} {{ 2 ** 10 }} {{ 'a' ~ 1 ~ xs[0][:1] }}", "a, b --- 1024 a1a"),
        ("{{ 'In 2024, %s was 100%%' % 'it' }} {{ '{}: {:>4}'.format('a', 1) }}", "In 2024, it was 100% a:    1"),
        ("{{ '{{\"k\": {}}}'.format(1) }} {{ 3.14159|round(2) }} {{ xs|tojson }}", '{"k": 1} 3.14 ["a", "b"]'),
        ("{{ 'b' in xs }} {{ missing is defined }} {{ missing|default('no') }} {{ xs|length }}", "True False no 2"),
        ("{% set ns = namespace(n=0) %}{% for x in xs %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "2"),
        ("{% for x in [[1, [2, [3]]]] recursive %}{{ x if x is number else loop(x) }}{% endfor %}", "123"),
    ],
)  # fmt: skip
def test_what_prompts_do_works_as_in_jinja(text, expected):
    assert Bounded().from_string(text).render(xs=["a", "b"]) == expected


def test_the_budget_grows_with_what_there_is_to_show():
    messages = [{"role": "user", "content": "a " * 1000}] * 2000
    text = "{% for m in messages %}{{ m.role }}: {{ m['content'].strip()|replace('a', 'b')|trim }}\n{% endfor %}"
    assert len(Bounded().from_string(text).render(messages=messages)) > 4_000_000


def test_templates_that_share_a_thread_have_budgets_of_their_own():
    env = Bounded()
    template = env.from_string("{{ 'a' * 4000000 }}")
    assert [len(template.render()) for _ in range(3)] == [4_000_000] * 3
