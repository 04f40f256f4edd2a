"""Keys are blotted out where they are secrets, however they are spelled; a placeholder changes nothing."""

import base64
import json
from urllib.parse import quote

import pytest

from selfinstruct.teachers.secrets import BLOT, Blotter, is_secret

KEY = "sk-test-0123+456/789abc"

# What people set for servers that need no key, and where they say so.
PLACEHOLDERS = [
    ("test123", "chigkim/Ollama-MMLU-Pro#2"),
    ("not-needed", "MervinPraison/PraisonAI#535"),
    ("lm_studio_needs_one", "BerriAI/litellm#7811"),
    ("sk-no-key-required", "llama.cpp, tools/server/README.md"),
    ("token-abc123", "vLLM, docs: OpenAI-Compatible Server"),
    ("x", "any string will do: JohnnyZ93/oai-compatible-copilot#191"),
    ("your-openai-api-key-here", "the same, copied from a template"),
    ("sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "the same"),
    ("00000000-0000-0000-0000-000000000000", "the same"),
    ("", "no key"),
]
# The forms in which keys are issued, filled with letters of our own.
SECRETS = [
    "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8xYz1b",
    "gsk_Zy9xWv8uTs7rQp6oNm5lKj4iHg3fEd2c",
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "sk-" + "qwfpgjluyarstdhneiozxcvbkm" * 2,  # letters only
    "nvapi-9f8E7d6C5b4A3",
    "AIzaSyD-0a1b2c3d4e5f6g7h8i9j",
    "four plain words of some length".replace(" ", "-"),
    KEY,
]


@pytest.mark.parametrize(("key", "source"), PLACEHOLDERS)
def test_a_placeholder_changes_no_byte(key, source):
    text = f"Explain {key} and the index of max_tokens. {key}"
    assert not is_secret(key)
    assert Blotter(key).text(text) == text
    assert not Blotter(key).is_in(text)
    assert Blotter(key).value({key: [text, 1]}) == {key: [text, 1]}


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_is_blotted_out(key):
    assert Blotter(key).text(f"Invalid key {key}.") == f"Invalid key {BLOT}."


def escaped(text):
    return "".join(f"\\u{ord(c):04x}" for c in text)


@pytest.mark.parametrize(
    "spelled",
    [
        KEY.replace("/", "\\/"),
        escaped(KEY),
        escaped(KEY).replace("\\u", "\\U").upper().replace("\\U", "\\u"),
        json.dumps({"error": escaped(KEY)}),  # JSON inside of JSON
        json.dumps(json.dumps({"error": escaped(KEY)})),
        quote(KEY, safe=""),
        quote(quote(KEY, safe=""), safe="").lower(),
        *(base64.b64encode(b"x" * n + KEY.encode() + b"yy").decode() for n in range(4)),
        *(base64.urlsafe_b64encode(b"x" * n + KEY.encode() + b"yy").decode() for n in range(4)),
        quote(base64.b64encode(b"user:" + KEY.encode()).decode(), safe=""),
    ],
)
def test_a_secret_is_found_however_it_is_spelled(spelled):
    for text in (spelled, f"Authorization: {spelled} is wrong", json.dumps(spelled)):
        assert Blotter(KEY).is_in(text)
        assert BLOT in Blotter(KEY).text(text)
        assert not Blotter(KEY).is_in(Blotter(KEY).text(text))


def test_only_the_texts_of_a_value_change():
    found = Blotter(KEY).value({"n": 12345678901234567890, "x": [None, True, f"a {KEY}"], f"{KEY}": 0.5})
    assert found == {"n": 12345678901234567890, "x": [None, True, f"a {BLOT}"], BLOT: 0.5}


def test_an_escape_before_what_only_looks_like_the_key_is_kept():
    raw = json.dumps("one\nvapi-9f8E7d6C5b4A3")  # \n, then no key
    assert Blotter("nvapi-9f8E7d6C5b4A3").value(json.loads(raw)) == json.loads(raw)


@pytest.mark.parametrize("part", ["\\", "%2", "sk", "\\u0073", "\\/", "%73k-", "\\\\u0073k"])
def test_a_long_text_of_nothing_but_escapes_is_read_once(part):
    assert Blotter(KEY).text(part * 100_000) == part * 100_000
