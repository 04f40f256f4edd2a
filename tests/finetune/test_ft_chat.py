"""A chat: in a pipe, and in a terminal with Ctrl-C and Ctrl-D."""

import fcntl
import importlib.util
import io
import json
import locale
import os
import pty
import re
import select
import sys
import termios
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfinstruct.errors import UsageError
from tests.ft_forked import command, forked
from tests.loopback import HANG_S, wait_until
from tests.tiny_model import MARKS, write_model

pytestmark = [
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("torch", "transformers", "peft"))),
        reason="needs pip install 'selfinstruct[finetune]'",
    ),
    pytest.mark.filterwarnings("default:::torch", "default:::transformers"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a model that is cut off after 600 tokens."""
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models") / "lists"
    write_model(folder, MARKS, layers=1)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "max_position_embeddings": 600}))
    return folder


@pytest.fixture(scope="module")
def student(model):
    from finetune.inference.student import Student

    return Student(str(model))


def talked(student, capsys, monkeypatch, *lines, system="", temperature=0.0, max_tokens=20, seed=None):
    """What is said to these lines in a pipe: the answers, the remarks."""
    from finetune.inference.chat import chat

    monkeypatch.setattr("sys.stdin", io.StringIO("".join(line + "\n" for line in lines)))
    chat(student, system, temperature, max_tokens, seed)
    said = capsys.readouterr()
    return said.out, said.err


def answer(student, *turns, system="", max_tokens=20):
    """What the student says to these turns, the first of them the user's, as a terminal shows it."""
    from selfinstruct.untrusted import visible

    roles = ("user", "assistant")
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": roles[n % 2], "content": turn} for n, turn in enumerate(turns)]
    text = student.answer([messages], max_tokens)[0].text
    return text, visible(text) + "\n"


# In a pipe.


def test_each_line_is_answered_with_all_turns_in_view(student, capsys, monkeypatch):
    first, shown = answer(student, "Why?")
    _, second = answer(student, "Why?", first, "And then?")
    _, alone = answer(student, "And then?")
    out, err = talked(student, capsys, monkeypatch, "Why?", "", "And then?")
    assert out == shown + second
    assert alone != second
    assert err == "(cut off after 20 tokens)\n" * 2


def test_the_commands_do_what_they_say(student, capsys, monkeypatch):
    _, shown = answer(student, "Why?")
    _, briefly = answer(student, "Why?", system="Be brief.")
    assert shown != briefly
    assert talked(student, capsys, monkeypatch, "Why?", "/new", "Why?")[0] == shown * 2
    out, err = talked(student, capsys, monkeypatch, "Why?", "/undo", "Why?", "/undo", "/undo")
    assert out == shown * 2
    assert err.count("(undone: Why?)") == 2
    assert "no turn to undo" in err
    assert talked(student, capsys, monkeypatch, "Why?", "/system Be brief.", "Why?")[0] == shown + briefly
    assert talked(student, capsys, monkeypatch, "Why?", "/new", "Why?", system="Be brief.")[0] == briefly * 2
    assert talked(student, capsys, monkeypatch, "/system", "Why?", system="Be brief.")[0] == shown
    assert talked(student, capsys, monkeypatch, "/quit", "Why?") == ("", "")
    out, err = talked(student, capsys, monkeypatch, "/nwe", "/etc/hosts")
    assert "Unknown command /nwe" in err
    assert out == answer(student, "/etc/hosts")[1]


def test_a_backslash_leads_to_the_next_line(student, capsys, monkeypatch):
    assert talked(student, capsys, monkeypatch, "Sort:\\", "", "Why?\\")[0] == (
        answer(student, "Sort:\n")[1] + answer(student, "Sort:\n", answer(student, "Sort:\n")[0], "Why?\n")[1]
    )


def test_the_oldest_turns_go_where_they_do_not_fit(student, capsys, monkeypatch):
    from finetune.inference.chat import Conversation

    long = "Why? " * 50
    n = len(student.prompt([{"role": "user", "content": long}]))
    assert 100 < n < 300
    out, err = talked(student, capsys, monkeypatch, *[long] * 6, system="Be brief.")
    assert "forgot 1 of the oldest turns" in err
    conversation = Conversation(student, "Be brief.", 0.0, 20, None)
    for _ in range(6):
        conversation.make_room(long)
        kept = [message for turn in conversation.turns for message in turn]
        shown = [{"role": "system", "content": "Be brief."}, *kept, {"role": "user", "content": long}]
        assert len(student.prompt(shown)) + 20 <= student.context
        assert conversation.ask(long, lambda piece: None) == student.answer([shown], 20)[0]
    assert 0 < len(kept) < 10
    # What cannot fit by itself is refused, and the conversation goes on.
    out, err = talked(student, capsys, monkeypatch, "Why? " * 1000, "Why?")
    assert re.search(r"This message has [\d,]+ tokens; the student.s context is 600", err)
    assert out == "\n" + answer(student, "Why?")[1]  # and has an empty line, so that answers match questions


def test_an_empty_answer_is_a_turn_too(student, capsys, monkeypatch):
    def stream(messages, *_, **__):
        from finetune.inference.student import Answer

        text = "" if messages[-1]["content"] == "And?" else "So."
        yield from [text] if text else []
        return Answer(text, 1, True)

    monkeypatch.setattr(student, "stream", stream)
    out, err = talked(student, capsys, monkeypatch, "Why?", "And?", "/undo", "/undo")
    assert out == "So.\n\n"
    assert err == "(undone: And?)\n(undone: Why?)\n"
    monkeypatch.undo()
    # The next question is asked with it in view.
    turns = ("Why?", "", "And then?")
    from finetune.inference.chat import Conversation

    conversation = Conversation(student, "", 0.0, 20, None)
    conversation.turns.append(({"role": "user", "content": "Why?"}, {"role": "assistant", "content": ""}))
    assert conversation.ask("And then?", lambda piece: None).text == answer(student, *turns)[0]


def test_the_seed_makes_it_the_same_again(student, capsys, monkeypatch):
    def said(seed):
        return talked(student, capsys, monkeypatch, "Why?", "Why?", temperature=1.0, seed=seed)[0]

    assert said(1) == said(1) != said(2)
    assert said(None) != said(None)


def test_control_characters_are_spelled_out(student, capsys, monkeypatch):
    def stream(*_, **__):
        from finetune.inference.student import Answer

        yield "\x1b[2J"
        return Answer("\x1b[2J", 1, True)

    monkeypatch.setattr(student, "stream", stream)
    assert talked(student, capsys, monkeypatch, "Why?") == ("\\x1b[2J\n", "")


def test_what_is_not_text_is_refused(student, monkeypatch):
    from finetune.inference.chat import chat

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), "utf-8"))
    with pytest.raises(UsageError, match="UTF-8"):
        chat(student, "", 0.0, 5, None)


def test_bytes_that_are_no_text_are_refused_where_python_lets_them_pass(cli, model, monkeypatch):
    # This is how Python gives the bytes of an argument, or of a line, in the C.UTF-8 locale.
    given = io.TextIOWrapper(io.BytesIO(b"ok\n\xff\n"), "utf-8", "surrogateescape")
    monkeypatch.setattr("sys.stdin", given)
    told = cli("chat", model, "--max-tokens", 2, code=2)
    assert "messages are not UTF-8" in told.stderr
    assert told.stdout.strip()  # the line before was answered
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"ok\n"), "utf-8", "surrogateescape"))
    system = b"a\xffb".decode("utf-8", "surrogateescape")
    assert "system message is not UTF-8" in cli("chat", model, "--system", system, code=2).stderr


def test_the_command_line(cli, model, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("Why?\n"))
    one = cli("chat", model, "--max-tokens", 5, "--seed", 3, "--system", "Be brief.").stdout
    monkeypatch.setattr("sys.stdin", io.StringIO("Why?\n"))
    assert cli("chat", model, "--max-tokens", 5, "--seed", 3, "--system", "Be brief.").stdout == one
    assert "no such folder" in cli("chat", tmp_path / "nothing", code=2).stderr
    monkeypatch.setitem(sys.modules, "peft", None)  # not installed
    assert "needs peft. Run: pip install" in cli("chat", model, code=2).stderr


# In a terminal.


class Terminal:
    """A process with a person in front of it."""

    def __init__(self, ours, process):
        self._ours, self.process = ours, process
        self.shown = ""

    def type(self, text):
        os.write(self._ours, text if isinstance(text, bytes) else text.encode())

    def until(self, pattern, seconds=HANG_S):
        """Wait until the pattern is shown behind all that was waited for; what was shown up to its end."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.shown)):
            assert time.monotonic() < end, self.shown
            if select.select([self._ours], [], [], 0.1)[0]:
                self.shown += os.read(self._ours, 4096).decode(errors="replace")
        before, self.shown = self.shown[: found.end()], self.shown[found.end() :]
        return before

    def waits_for_a_key(self):
        """Wait until it does: only then Python's readline notices a signal, not while it echoes a key."""
        wait_until(lambda: Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S")


@contextmanager
def chatting(answers, *talks):
    """`selfinstruct chat` with each of these arguments in turn. The first writes its answers to a file."""
    ours, theirs = pty.openpty()
    place = Path(os.ttyname(theirs))

    def talk():
        os.setsid()
        os.dup2(os.open(place, os.O_RDWR), 0)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C becomes a signal
        os.environ["TERM"] = "dumb"
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
        sys.stdin = os.fdopen(0, encoding="utf-8", errors="surrogateescape", closefd=False)
        os.dup2(os.open(answers, os.O_WRONLY | os.O_CREAT), 1)
        for arguments in talks:
            with pytest.raises(SystemExit, match="0"):
                command("chat", *arguments)()
            os.dup2(0, 1)

    with forked(talk, place) as process:
        os.close(theirs)
        yield Terminal(ours, process)
    os.close(ours)


def test_a_terminal_with_its_keys_and_a_file_with_the_answers(model, student, tmp_path):
    briefly = [str(model), "--max-tokens", "5", "--temperature", "0"]
    at_length = [str(model), "--max-tokens", "500", "--temperature", "1", "--seed", "1"]
    with chatting(tmp_path / "out.txt", briefly, at_length) as terminal:
        # What goes to a file is the answers.
        terminal.until("> ")
        terminal.type("Why?\\\n")
        terminal.until(r"\r\n  ")
        terminal.type("So.\n")
        terminal.until("> ")
        terminal.waits_for_a_key()
        terminal.type("\x03")
        terminal.until("> ")
        terminal.type("\x04")
        # Without the file.
        said = terminal.until("> ")
        assert "parameters, context 600 tokens" in said
        assert "/undo" in said
        terminal.type("Why?\n")
        terminal.until(r"Why\?\r\n.")  # the answer has begun
        terminal.type("\x03")
        terminal.until(r"\(stopped\)\r\n> ")
        terminal.type("/undo\n")
        terminal.until(r"\(undone: Why\?\)\r\n> ")
        terminal.type(b"a\xffb\n")
        terminal.until(r"not UTF-8 text\)\r\n> ")
        terminal.type("half a line")
        terminal.until("half a line")
        terminal.waits_for_a_key()
        terminal.type("\x03")
        terminal.until("> ")
        terminal.type("\x04")
        terminal.process.join(HANG_S)
        assert terminal.process.exitcode == 0
    assert (tmp_path / "out.txt").read_text() == answer(student, "Why?\nSo.", max_tokens=5)[1]
