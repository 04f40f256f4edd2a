"""A student's evaluation: scores of texts, losses, kept answers, figures beside another model's, trained questions."""

import functools
import importlib.util
import json
import random
import re
import shutil

import pytest
from rouge_score.rouge_scorer import RougeScorer
from typer.testing import CliRunner

from selfinstruct.cli import app
from selfinstruct.errors import UsageError
from selfinstruct.simulated.world.tasks import compose_task, make_instance
from tests.conftest import json_lines
from tests.tiny_model import CHAT_TEMPLATE, write_model

HAS_TORCH = all(map(importlib.util.find_spec, ("torch", "transformers", "peft")))
if HAS_TORCH:
    import torch

    from finetune.data.encoding import encode
    from finetune.data.templates import prepare_tokenizer
    from finetune.evaluation import likelihood
    from finetune.evaluation.asking import Answered, AnswerFile, Question, ask
    from finetune.evaluation.choosing import classes_of, likeliest
    from finetune.evaluation.constraints import Check
    from finetune.evaluation.evaluate import Evaluation, constrained, evaluate, held_out, template_of, trained
    from finetune.evaluation.judging import CONSTRAINTS, MEASURES, Row, by_kind, figures, references
    from finetune.evaluation.likelihood import AT_ONCE, losses, losses_of_answers
    from finetune.evaluation.report import render
    from finetune.evaluation.scoring import known, loops, plain, rouge_l, score
    from finetune.examples import Dialogue
    from finetune.inference.student import Student

pytestmark = [
    pytest.mark.skipif(not HAS_TORCH, reason="needs pip install 'selfinstruct[finetune]'"),
    pytest.mark.filterwarnings("default:::torch", "default:::transformers"),
]

FAMILIES = ("divisible", "count_vowels", "find_repeated", "kingdom")


def dialogue(question, answer, task="a", **fields):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return Dialogue(messages, task, "here", **fields)


def simulated(families=FAMILIES, n=2):
    """Rows as a training leaves them in held_out.jsonl."""
    rng = random.Random(20261121)
    rows = []
    for family in families:
        instruction, task = compose_task(family, rng)
        for _ in range(n):
            given, output = make_instance(task, rng)
            turns = dialogue(f"{instruction}\n\n{given}" if given else instruction, output).messages
            rows.append({"messages": turns, "task": family, "instruction": instruction, "input": given})
    return rows


def kept_rows(path):
    return json_lines(path.read_text(encoding="utf-8"))


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """An untrained model without a chat template."""
    torch.set_num_threads(1)  # such small models are slower with more
    folder = tmp_path_factory.mktemp("evaluate") / "base"
    write_model(folder, [], layers=1)
    (folder / "chat_template.jinja").unlink()
    return folder


@pytest.fixture(scope="module")
def trained_student(base, tmp_path_factory):
    """The same model after it has learned its questions by heart, with its chat template and held-out rows."""
    folder = tmp_path_factory.mktemp("evaluate") / "student"
    shutil.copytree(base, folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    path = write_rows(folder / "held_out.jsonl", simulated())
    student = Student(str(folder))
    examples = [encode(student.tokenizer, question.dialogue) for question in held_out(path, "model")]
    width = max(len(example.ids) for example in examples)
    ids = torch.tensor([example.ids + [0] * (width - len(example.ids)) for example in examples])
    labels = torch.tensor([e.labels[1:] + [-100] * (width - len(e.ids)) for e in examples])
    optimizer = torch.optim.AdamW(student.model.parameters(), lr=6e-3)
    for _ in range(100):
        states = student.model.model(input_ids=ids).last_hidden_state[:, :-1]
        is_trained = labels != -100  # of the others no probabilities are worked out, to save time
        loss = torch.nn.functional.cross_entropy(student.model.lm_head(states[is_trained]), labels[is_trained])
        if loss < 0.03:
            break
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    student.model.save_pretrained(folder)
    return folder


@pytest.fixture
def questions(trained_student):
    return held_out(trained_student / "held_out.jsonl", "model")


# Scores of texts.


def test_rouge_l_is_the_published_one_where_texts_are_ascii():
    rng = random.Random(20261121)
    published = RougeScorer(["rougeL"], use_stemmer=False)
    for _ in range(300):
        one, other = (" ".join(rng.choices(["a", "B", "c-d", "e1", "!"], k=rng.randrange(12))) for _ in range(2))
        assert rouge_l(one, other) == pytest.approx(published.score(one, other)["rougeL"].fmeasure, abs=1e-12)


def test_rouge_l_knows_other_scripts():
    assert rouge_l("Москва большая", "москва") == pytest.approx(2 / 3)
    assert rouge_l("我喜欢茶", "我爱茶") == pytest.approx(4 / 7)
    assert rouge_l("!", "!") == 0


@pytest.mark.parametrize("same", ["2, 1, 3", "2,  1,\n3.", " “2, 1, 3” ", '"2, 1, 3."'])
def test_exact_match_leaves_out_case_white_space_quotes_and_the_full_stop(same):
    assert score(same, "2, 1, 3") == (1.0, True, False, False)


@pytest.mark.parametrize(("one", "other"), [("2 1 3", "2, 1, 3"), ("yes!", "yes"), ("a.b", "ab"), ("", "a")])
def test_exact_match_keeps_all_else(one, other):
    assert plain(one) != plain(other)


@pytest.mark.parametrize("text", ["no " * 12, "a b c " * 4, "Well: " + "one, two. " * 3, "哈" * 12, "!" * 12])
def test_a_passage_over_and_over_is_a_loop(text):
    assert loops(text)


@pytest.mark.parametrize("text", ["no " * 11, "a b c " * 3, "one of the most " * 2, "", "1, 2, 3, 4, 5, 6, 7, 8, 9"])
def test_a_few_repetitions_are_none(text):
    assert not loops(text)


def test_a_known_task_is_graded_with_and_without_its_fields():
    row = simulated(n=1)[0]
    question, answer = (message["content"] for message in row["messages"])
    with_fields = known(dialogue(question, answer, instruction=row["instruction"], input=row["input"]))
    assert with_fields
    assert with_fields == known(dialogue(question, answer))
    assert (with_fields.grade(answer), with_fields.grade(f"{answer} and more")) == ("right", "wrong")
    assert known(dialogue("Tell me a joke.", "No.")) is None
    turns = dialogue(question, answer).messages
    assert known(Dialogue(turns + turns, "a", "here")) is None


# Losses.


def test_a_loss_is_that_of_the_trained_tokens_whatever_stands_beside_it(trained_student, monkeypatch):
    monkeypatch.setattr(likelihood, "AT_ONCE", AT_ONCE // 8)  # for less to be worked out twice
    student = Student(str(trained_student))
    rng = random.Random(20261121)
    turns = [dialogue("Why? " * n, "Because. " * rng.randint(1, 9)).messages for n in (1, 20, 3, 40, 8, 250)]
    turns.append(turns[0] + turns[2])
    examples = [encode(student.tokenizer, Dialogue(some, "a", "here")) for some in turns]
    assert sum(len(example.ids) for example in examples) > AT_ONCE // 8
    assert max(len(example.ids) for example in examples) > AT_ONCE // 8  # one that is alone
    expected = []
    for example in examples:
        logits = student.model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
        trained_places = [place for place, label in enumerate(example.labels) if label != -100]
        expected.append(-sum(float(logits[place - 1, example.ids[place]].detach()) for place in trained_places))
    assert losses(student.model, examples) == pytest.approx(expected, rel=1e-4)


def test_answers_to_one_prompt_have_the_same_losses_and_the_prompt_is_read_once(trained_student, monkeypatch):
    student = Student(str(trained_student))
    prompt = dialogue("Which one is it? " * 30, "").messages[:1]

    def answers(*texts):
        turns = [[*prompt, {"role": "assistant", "content": text}] for text in texts]
        return [encode(student.tokenizer, Dialogue(some, "a", "here")) for some in turns]

    several = answers("yes", "yes and no", "no", "something that takes longer to say")
    expected = losses(student.model, several)
    read = []
    forward = student.model.forward

    @functools.wraps(forward)
    def counted(*positional, input_ids, **named):
        read.append(input_ids.numel())
        return forward(*positional, input_ids=input_ids, **named)

    monkeypatch.setattr(student.model, "forward", counted)
    assert losses_of_answers(student.model, several) == pytest.approx(expected, rel=1e-4)
    longest = max(len(one.ids) for one in several)
    assert len(read) == 2 and sum(read) < 1.5 * longest < sum(len(one.ids) for one in several)
    assert losses_of_answers(student.model, several[:1]) == pytest.approx(expected[:1], rel=1e-4)
    monkeypatch.setattr(likelihood, "SHARED", 10)  # too long a prompt to be kept for each
    assert losses_of_answers(student.model, several) == pytest.approx(expected, rel=1e-4)


# Kept answers.


def test_what_was_answered_is_not_asked_again(trained_student, questions, tmp_path):
    path = tmp_path / "answers.jsonl"
    student = Student(str(trained_student))
    with AnswerFile(path) as kept:
        first = ask(student, questions, 24, kept)
    rows = kept_rows(path)
    assert [row["answer"] for row in rows] == [answered.answer for answered in first]
    assert all(row["prompt"] and row["reference"] and "rouge_l" in row["scores"] for row in rows)
    marked = [{**rows[0], "answer": "kept as it is"}, *rows[1:-1]]
    whole = "".join(json.dumps(row) + "\n" for row in marked)
    path.write_text(whole + json.dumps(rows[-1])[:-9], encoding="utf-8")  # killed within the last line
    moved = shutil.copytree(trained_student, tmp_path / "moved")
    with AnswerFile(path) as kept:
        again = ask(Student(str(moved)), questions, 24, kept)
    assert [answered.answer for answered in again] == ["kept as it is", *(a.answer for a in first[1:])]
    assert len(kept_rows(path)) == len(rows)


def test_other_weights_templates_and_settings_are_asked_anew(base, trained_student, questions, tmp_path):
    student = Student(str(trained_student))
    with AnswerFile(tmp_path / "answers.jsonl") as kept:
        ask(student, questions[:2], 8, kept)
        assert len(kept.known) == 2
        ask(student, questions[:2], 9, kept)
        assert len(kept.known) == 4
        ask(Student(str(base), student.tokenizer), questions[:2], 8, kept)
        assert len(kept.known) == 6
        student.tokenizer.chat_template = f"Well.{CHAT_TEMPLATE}"
        ask(student, questions[:2], 8, kept)
        assert len(kept.known) == 8
        with torch.no_grad():
            student.model.lm_head.weight[7, 0] += 1e-3
        ask(student, questions[:2], 8, kept)
        assert len(kept.known) == 10


def test_an_interrupt_keeps_what_was_answered(trained_student, tmp_path):
    class Interrupted(Student):
        times = 0

        def answer(self, *args, **kwargs):
            self.times += 1
            if self.times == 2:
                raise KeyboardInterrupt
            return super().answer(*args, **kwargs)

    path = tmp_path / "answers.jsonl"
    many = constrained(40)
    student = Interrupted(str(trained_student))
    with pytest.raises(KeyboardInterrupt), AnswerFile(path) as kept:
        ask(student, many, 4, kept)
    n_kept = len(kept_rows(path))
    assert 0 < n_kept < 40
    with AnswerFile(path) as kept:
        ask(student, many, 4, kept)
    assert student.times == 3
    assert len(kept_rows(path)) == 40


def test_a_file_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "other"
    for content in ('{"instruction": "a", "output": "b"}\n', '{"instruction": "a"}', "notes without an end", "[1]"):
        path.write_text(content)
        with pytest.raises(UsageError, match=r"line 1: not an answer.*--output"):
            AnswerFile(path)
        assert path.read_text() == content
    with pytest.raises(UsageError, match=r"cannot be written.*--output"):
        AnswerFile(path / "answers.jsonl")


def test_two_evaluations_do_not_write_to_one_file(cli, trained_student, tmp_path):
    path = tmp_path / "answers.jsonl"
    with AnswerFile(path):
        told = cli("evaluate", trained_student, "--limit", 2, "--max-tokens", 4, "--output", path, code=2)
        assert "another evaluation is writing to it" in told.stderr
        assert "--output" in told.stderr
        assert not path.read_text()
    with AnswerFile(path):
        pass


# Figures.


def answered(question, answer, loss=None, n_trained=2):
    return Answered(f"{question.prompt} {answer}", answer, 3, True, loss, n_trained, 2)


def test_figures_say_what_they_should():
    questions = [Question([], task, "", dialogue("?", "yes no", task)) for task in "aabb"]
    said = ["yes no", "yes no", "no", ""]
    rows = [
        Row(q, answered(q, text, 2.0, n), answered(q, "", 4.0, n))
        for q, text, n in zip(questions, said, (1, 1, 4, 2), strict=True)
    ]
    found = {figure.name: figure for figure in figures(rows, MEASURES)}
    assert found["loss"].after.value == 8 / 8
    assert found["loss"].difference.value == -1
    assert (found["loss"].wins, found["loss"].losses, found["loss"].p) == (2, 0, 0.5)
    assert found["loss_per_row"].after.value == (2 + 2 + 0.5 + 1) / 4
    assert found["exact_match"].after == (0.5, 0.0, 1.0)  # tasks are drawn, not rows
    assert found["exact_match"].before.value == 0
    assert 0.5 < found["exact_match"].before.high < 0.8  # Wilson's of 2 tasks
    assert (found["exact_match"].wins, found["exact_match"].ties) == (1, 1)
    assert (found["empty"].after.value, found["empty"].before.value) == (0.25, 1)
    assert (found["empty"].wins, found["empty"].losses) == (2, 0)
    assert found["words"].after.value == 5 / 4
    assert found["words"].p is None
    assert found["rouge_l"].after.value == pytest.approx((1 + 1 + 2 / 3) / 4)
    assert "right" not in found
    assert references(rows) == {"tokens": 2, "words": 2, "loops": 0}


def test_where_all_tasks_say_the_same_no_interval_is_claimed():
    questions = [Question([], f"task {n}", "", dialogue("?", "yes")) for n in range(30)]
    rows = [Row(q, answered(q, "yes", n / 3, n % 5 + 1), answered(q, "no", n, 1)) for n, q in enumerate(questions)]
    found = {figure.name: figure for figure in figures(rows, MEASURES)}
    assert found["exact_match"].as_dict()["difference"] == {"value": 1, "low": None, "high": None}
    assert found["exact_match"].as_dict()["after"]["low"] == found["exact_match"].after.low > 0.8  # Wilson's
    assert found["words"].as_dict()["after"] == {"value": 1, "low": None, "high": None}
    assert found["loss_per_row"].as_dict()["after"]["low"] < found["loss_per_row"].as_dict()["after"]["high"]
    shown = list(found.values())
    whole = Evaluation("student", "base", 4, "answers", 30, 30, 0, shown, references(rows), {}, [], 0, [], [])
    lines = {line.split("  ")[1]: line for line in render(whole, None).splitlines() if line.startswith("  ")}
    assert re.search(r"100\.0% \[88\.6%, 100\.0%\] .* \+100\.0%  ", lines["exact match"])
    assert "[" not in lines["words"]


def test_losses_of_other_tokens_are_not_compared():
    question = Question([], "a", "", dialogue("?", "yes"))
    found = figures([Row(question, answered(question, "yes", 2.0, 2), answered(question, "no", 4.0, 3))], MEASURES)
    assert {figure.name for figure in found if figure.difference is None} == {"loss", "loss_per_row", "tokens"}


def test_constraints_are_counted_by_prompt_and_by_constraint():
    small, short = Check("lower", {}), Check("words_at_most", {"n": 3})
    both, one = (Question([], name, "", checks=checks) for name, checks in (("a", (small, short)), ("b", (small,))))
    rows = [Row(both, answered(both, "all of it small")), Row(one, answered(one, "Sure!\nsmall"))]
    assert {figure.name: figure.after.value for figure in figures(rows, CONSTRAINTS)} == {
        "prompt_strict": 0, "prompt_loose": 0.5, "constraint_strict": pytest.approx(1 / 3),
        "constraint_loose": pytest.approx(2 / 3),
    }  # fmt: skip
    assert {figure.name: figure.after.value for figure in by_kind(rows)} == {"lower": 0.5, "words_at_most": 0}


def labelled(instruction, *answers):
    return [dialogue(f"Row {n}", answer, instruction=instruction) for n, answer in enumerate(answers)]


def test_classes_are_a_few_short_answers_that_come_again():
    yes_no = labelled("Is it one?", "yes", "no", "yes ", "yes")
    others = [
        *labelled("Say why.", "because", "for", "as"),  # none comes again
        *labelled("Say this.", *["this"] * 4),  # nothing to choose from
        *labelled("Tell it.", *["long " * 20, "short"] * 3),
        *labelled("Count.", *map(str, range(21)), *map(str, range(21))),
    ]
    assert classes_of([*yes_no, *others]) == [("no", "yes")] * 4 + [()] * len(others)
    chat = [
        d._replace(messages=[{"role": "system", "content": "Judge."}, *d.messages], instruction=None) for d in yes_no
    ]
    assert classes_of([*chat, dialogue("Hi", "Hello")]) == [("no", "yes")] * 4 + [()]


def test_a_class_is_chosen_by_its_likelihood_and_scored_beside_the_free_answer(trained_student, base, tmp_path):
    rows = [row for row in simulated() if row["task"] in ("divisible", "kingdom")]
    path = write_rows(tmp_path / "classes.jsonl", [{**row, "instruction": "Say it."} for row in rows * 2])
    questions = held_out(path, "model")
    assert all(question.classes for question in questions)
    found = evaluate(str(trained_student), questions, str(base), 4, tmp_path / "answers.jsonl")
    figure = {one.name: one for one in found.figures}["choice"]
    assert (figure.rows, figure.after.value) == (len(questions), 1)
    student = Student(str(base), Student(str(trained_student)).tokenizer)
    asked = [question.dialogue for question in questions]
    for one, classes, choice in zip(
        asked, map(list, classes_of(asked)), likeliest(student, asked, classes_of(asked)), strict=True
    ):
        each = [one._replace(messages=[*one.messages[:-1], {"role": "assistant", "content": c}]) for c in classes]
        loss = losses(student.model, [encode(student.tokenizer, dialogue) for dialogue in each])
        assert choice == classes[loss.index(min(loss))]
    assert {row["choice"] for row in kept_rows(tmp_path / "answers.jsonl")} <= {c for q in questions for c in q.classes}
    assert "right by likelihood, of labels" in render(found, None)


def test_a_trained_student_is_better_than_its_base(trained_student, base, questions, tmp_path):
    answers = tmp_path / "answers.jsonl"
    found = evaluate(str(trained_student), [*questions, *constrained(6)], str(base), 24, answers)
    figure = {figure.name: figure for figure in found.figures}
    assert figure["exact_match"].after.value == 1
    assert figure["exact_match"].before.value == 0
    assert figure["loss"].after.value < 0.1
    assert figure["loss"].before.value > 5
    assert figure["loss"].wins == len(FAMILIES)
    assert figure["loss"].p == 2 / 2 ** len(FAMILIES)
    assert figure["stopped"].after.value == 1
    assert found.grades["right"] == len(questions)
    assert {f.name: f.after.value for f in found.families} == dict.fromkeys(FAMILIES, 1)
    assert {row["model"] for row in kept_rows(answers)} == {str(trained_student), str(base)}
    text = render(found, None)
    assert f"{len(questions)} held-out dialogues of 4 tasks" in text
    assert "exact match" in text
    assert json.loads(json.dumps(found.as_dict()))["figures"][0]["after"]["value"] == figure["loss"].after.value


def test_a_base_is_asked_with_the_tokens_that_training_added(base, questions, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    n_known = len(tokenizer)
    assert prepare_tokenizer(tokenizer, None).added == ["<|im_end|>", "<|im_start|>"]
    model = AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    found = evaluate(str(tmp_path), questions[:3], str(base), 4, tmp_path / "answers.jsonl")
    assert found.figures[0].name == "loss"
    assert abs(found.figures[0].difference.value) < 1
    student = Student(str(base), tokenizer)
    weight = student.model.get_input_embeddings().weight
    assert torch.equal(weight[n_known], weight[:n_known].mean(0))
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") in student.ends
    write_model(tmp_path / "other", ["another"])
    (tmp_path / "other/chat_template.jinja").unlink()
    with pytest.raises(UsageError, match="no chat template and a different vocabulary"):
        Student(str(tmp_path / "other"), tokenizer)
    with pytest.raises(UsageError, match="has no chat template"):
        Student(str(base))


def test_the_last_answer_of_several_turns_is_judged(trained_student, tmp_path):
    turns = dialogue("One?", "Yes.").messages + dialogue("Two?", "No.").messages
    (question,) = held_out(write_rows(tmp_path / "turns.jsonl", [{"messages": turns}]), "model")
    assert [message["content"] for message in question.prompt] == ["One?", "Yes.", "Two?"]
    assert question.reference == "No."
    student = Student(str(trained_student))
    with AnswerFile(tmp_path / "answers.jsonl") as kept:
        (found,) = ask(student, [question], 4, kept)
    assert found.trained_tokens == sum(label != -100 for label in encode(student.tokenizer, question.dialogue).labels)
    assert found.reference_tokens < found.trained_tokens


def test_rows_beyond_the_context_have_no_loss(trained_student, tmp_path):
    path = write_rows(tmp_path / "long.jsonl", [{"messages": dialogue("why " * 5000, "No.").messages}])
    found = evaluate(str(trained_student), held_out(path, "model"), None, 4, tmp_path / "answers.jsonl")
    assert found.left_out == 1
    assert "loss" not in {figure.name for figure in found.figures}
    assert "1 dialogue without a loss" in render(found, None)


# Reading.


def test_more_rows_are_the_same_ones_and_others(tmp_path):
    rows = [{"messages": dialogue(f"Say {n}.", f"{n}").messages} for n in range(20)]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    few, more, everything = (held_out(path, "model", limit) for limit in (4, 9, None))
    assert [len(few), len(more), len(everything)] == [4, 9, 20]
    assert {q.reference for q in few} < {q.reference for q in more}
    assert [q.reference for q in everything] == [str(n) for n in range(20)]


def test_questions_are_worded_as_in_training(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"instruction": "Add.", "input": "1, 2", "output": "3"}]))
    (tmp_path / "finetune.toml").write_text('template = "alpaca"\n')
    (question,) = held_out(path, template_of(tmp_path))
    assert question.prompt[0]["content"] == "Add.\n\n### Input:\n1, 2"
    assert held_out(path, "model")[0].prompt[0]["content"] == "Add.\n\n1, 2"
    assert template_of(tmp_path / "elsewhere") == "model"


def test_questions_that_were_trained_are_found(tmp_path):
    rows = [
        {"instruction": f"What is the name of the {n}. month of the year in the old calendar?", "output": f"{n}"}
        for n in ("first", "second", "third")
    ]
    rows += [{"instruction": "Name a river.", "output": "Elbe"}, {"instruction": "Whistle!", "output": "No."}]
    data = tmp_path / "data.json"
    data.write_text(json.dumps(rows))
    own = held_out(data, "model")[-1]
    student = tmp_path / "student"
    student.mkdir()
    write_rows(student / "held_out.jsonl", [{"messages": own.dialogue.messages}])
    (student / "finetune.toml").write_text(f'data = [{{ path = "{data}", weight = 1.0 }}]\n')
    assert trained(student, held_out(student / "held_out.jsonl", "model")) == (4, 0, 0, "", "")
    asked = [Question([], "a", "", dialogue(text, "?")) for text in (
        "name a  RIVER.", "What is the name of the fifth month of the year in the old calendar?", "Why is grass green?",
    )]  # fmt: skip
    assert trained(student, asked) == (4, 1, 1, "name a  RIVER.", "")
    assert trained(tmp_path, asked) is None
    data.unlink()
    assert "no such file" in trained(student, asked).unread
    (student / "finetune.toml").write_text('data = [{ path = "/dev/fd/0", weight = 1.0 }]\n')
    assert trained(student, asked).unread == "/dev/fd/0 was a pipe"


# The command.


def test_the_command_prints_figures_and_warns(trained_student, tmp_path):
    student = shutil.copytree(trained_student, tmp_path / "student")
    data = write_rows(tmp_path / "data.jsonl", [{"messages": row["messages"]} for row in simulated(n=1)])
    (student / "finetune.toml").write_text(f'data = [{{ path = "{data}" }}]\n')
    command = ["evaluate", str(student), "--data", str(data), "--limit", "3", "--max-tokens", "8", "--constraints", "2"]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0, shown.output
    assert "3 held-out dialogues" in shown.stdout
    assert "2 prompts with constraints" in shown.stdout
    assert "warning: 3 of 3 questions" in shown.stdout
    as_json = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert as_json["rows"] == as_json["trained"]["same"] == 3
    assert len(kept_rows(student / "evaluation.jsonl")) == 5


def test_without_held_out_rows_the_command_says_what_to_give(tmp_path):
    with pytest.raises(UsageError, match="--data, or use --constraints"):
        CliRunner().invoke(app, ["evaluate", str(tmp_path)], catch_exceptions=False)
    with pytest.raises(UsageError, match=r"no such folder.*--output"):
        CliRunner().invoke(app, ["evaluate", str(tmp_path / "typo")], catch_exceptions=False)
    assert not (tmp_path / "typo").exists()
