"""Chat with a student: in a terminal, or in a pipe with one message per line.

    $ selfinstruct chat outputs/student
    > Reverse the list: 3, 1, 2
    2, 1, 3
    > /quit

The student sees all turns so far, through its chat template. When they no longer fit into its context, the oldest turns
are dropped, and a note says so. Answers go to stdout, notes to stderr. A line that ends with a backslash continues on
the next one. In a terminal Ctrl-C stops an answer (the part so far is kept) and Ctrl-D exits.

Not covered: several conversations at a time, pictures, tools.
"""

import random
import sys
from collections.abc import Callable

from finetune.examples import Message
from finetune.inference.student import Answer, Student
from selfinstruct.errors import UsageError
from selfinstruct.rows.encodings import half_surrogate
from selfinstruct.untrusted import visible

COMMANDS = {
    "/new": "forget all turns",
    "/system TEXT": "forget all turns and set the system message",
    "/undo": "undo the last turn",
    "/quit": "quit",
}


class Conversation:
    """The turns so far. `system` may be empty; without `seed` the answers vary."""

    def __init__(self, student: Student, system: str, temperature: float, max_tokens: int, seed: int | None):
        self._student = student
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._rng = random.Random(seed)
        self.begin(system)

    def begin(self, system: str) -> None:
        """Drop all turns, and set the system message."""
        self.system = system
        self.turns: list[tuple[Message, Message]] = []

    def make_room(self, text: str) -> int:
        """Drop the oldest turns until `text` fits, with a quarter of the context for its answer; return how many.

        UsageError if it does not fit on its own.
        """
        context = self._student.context
        if not context:
            return 0
        before = len(self.turns)
        for_answer = min(self._max_tokens, context // 4)
        while (n := len(self._student.prompt(self._shown(text)))) + for_answer > context and self.turns:
            del self.turns[0]
        if n >= context:
            raise UsageError(f"This message has {n:,} tokens; the student's context is {context:,}. Shorten it.")
        return before - len(self.turns)

    def ask(self, text: str, say: Callable[[str], None]) -> Answer:
        """The answer; `say` gets each piece as it arrives. If interrupted, the part so far becomes a turn.

        UsageError, and no turn, if the chat template refuses the conversation.
        """
        said = ""
        pieces = self._student.stream(
            self._shown(text), self._max_tokens, self._temperature, seed=self._rng.getrandbits(32)
        )
        try:
            while True:
                piece = next(pieces)
                said += piece
                say(piece)
        except (StopIteration, KeyboardInterrupt) as end:
            self.turns.append((Message(role="user", content=text), Message(role="assistant", content=said)))
            if isinstance(end, StopIteration):
                return Answer(*end.value)
            raise

    def _shown(self, text: str) -> list[Message]:
        system = [Message(role="system", content=self.system)] if self.system else []
        turns = [message for turn in self.turns for message in turn]
        return [*system, *turns, Message(role="user", content=text)]


def chat(student: Student, system: str, temperature: float, max_tokens: int, seed: int | None) -> None:
    """Answer the messages on stdin, one by one, until its end. UsageError if something is not UTF-8 text."""
    if half_surrogate(system):
        raise UsageError("The system message is not UTF-8 text.")
    conversation = Conversation(student, system, temperature, max_tokens, seed)
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        import readline  # noqa: F401 - enables line editing in input()

        context = f", context {student.context:,} tokens" if student.context else ""
        _remark(f"{student.name}: {student.model.num_parameters():,} parameters{context}.")
        _remark("Ctrl-C stops an answer, Ctrl-D quits. " + "; ".join(f"{c}: {means}" for c, means in COMMANDS.items()))
    while (text := _read(is_terminal)) is not None:
        command, _, argument = text.strip().partition(" ")
        if command == "/quit":
            return
        if command == "/new":
            conversation.begin(conversation.system)
        elif command == "/system":
            conversation.begin(argument.strip())
        elif command == "/undo":
            taken = conversation.turns.pop()[0]["content"] if conversation.turns else None
            _remark(f"(undone: {taken})" if taken else "(no turn to undo)")
        elif command.startswith("/") and command[1:].isalpha():
            _remark(f"Unknown command {command}. Use {', '.join(COMMANDS)}.")
        elif text.strip():
            _answer(conversation, text, is_terminal)


def _answer(conversation: Conversation, text: str, is_terminal: bool) -> None:
    try:
        if forgotten := conversation.make_room(text):
            _remark(f"(forgot {forgotten:,} of the oldest turns: they no longer fit)")
        answer = conversation.ask(text, lambda piece: print(visible(piece), end="", flush=True))
        print(flush=True)
        if not answer.stopped:
            _remark(f"(cut off after {answer.n_tokens:,} tokens)")
    except UsageError as error:
        if not is_terminal:
            print(flush=True)  # one answer per line, even for this one
        _remark(str(error))
    except KeyboardInterrupt:
        if not is_terminal:
            raise
        print(flush=True)
        _remark("(stopped)")


def _read(is_terminal: bool) -> str | None:
    """The next message; "" for none, None at the end."""
    lines: list[str] = []
    is_text = True
    try:
        lines.append(_line("> " if is_terminal else ""))
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1].removesuffix("\\")
            lines.append(_line("  " if is_terminal else ""))
    except EOFError:
        if not lines:
            return None
    except UnicodeDecodeError:
        is_text = False
    except KeyboardInterrupt:
        if not is_terminal:
            raise
        _remark("")
        return ""
    text = "\n".join(lines)
    # In the C.UTF-8 locale Python reads invalid bytes as lone surrogates, without an error.
    if is_text and not half_surrogate(text):
        return text
    if not is_terminal:
        raise UsageError("The messages are not UTF-8 text.")
    _remark("(this is not UTF-8 text)")
    return ""


def _line(prompt: str) -> str:
    if sys.stdout.isatty():
        return input(prompt)
    print(prompt, end="", file=sys.stderr, flush=True)  # stdout goes to a file, which should have only the answers
    return input()


def _remark(text: str) -> None:
    print(visible(text), file=sys.stderr, flush=True)
