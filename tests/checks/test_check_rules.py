"""Every rule of `check` finds what it is for, in several scripts, and leaves alone what only looks like it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfinstruct.checks.checking import look_at
from selfinstruct.checks.endings import breaks_off
from selfinstruct.checks.findings import RULES
from selfinstruct.rows.encodings import decoded, mojibake, without_control_characters
from selfinstruct.rows.files import Row
from selfinstruct.rows.formats import format_of

LONG = "The canal rose step by step until the barge could leave the lock. " * 4  # more words than endings.LONG


def row(instruction="Name the highest lock of the canal.", input="", output="It is the ninth one.", **more):
    return {"instruction": instruction, "input": input, "output": output, **more}


def found(value):
    """The names of what is found in one row."""
    own = format_of(value)
    return {problem.rule for problem in look_at(Row(1, value), own)[1]}


def chat(*turns, **more):
    return {"messages": [{"role": role, "content": text} for role, text in turns], **more}


def turns(question, answer):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def broken(text, times=1):
    """UTF-8 read as Windows-1252, where that has a character, else as Latin-1."""
    for _ in range(times):
        text = "".join(_misread(byte) for byte in text.encode())
    return text


def _misread(byte):
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


FOUND = {
    "wrong_type": [row(output=7), row(input=["a"]), row(output=None), {"messages": "hello"}, {"messages": ["hello"]}],
    "missing_field": [{"messages": [{"role": "user"}, {"role": "assistant", "content": "Yes."}]}],
    "unknown_role": [chat(("user", "Is it open?"), ("robot", "It is."))],
    "not_alternating": [
        chat(("user", "One?"), ("user", "Two?"), ("assistant", "Both.")),
        chat(("assistant", "Hello!"), ("user", "Hi?"), ("assistant", "Yes?")),
        chat(("user", "One?"), ("system", "Be kind."), ("assistant", "One.")),
        {"conversations": [{"from": "gpt", "value": "Good day."}, {"from": "gpt", "value": "Well?"}]},
    ],
    "no_answer_at_end": [chat(("user", "One?"), ("assistant", "One."), ("user", "Two?")), {"messages": []}],
    "empty_turn": [row(instruction=" \n"), chat(("user", ""), ("assistant", "What?"))],
    "empty_output": [
        row(output=""),
        row(output=" \n\t"),
        row(output="<nooutput>"),
        row(output="<think>They want nine.</think>\n"),
        chat(("user", "So?"), ("assistant", "<think>They want nine. First,")),
        chat(("user", "So?"), ("assistant", "")),
    ],
    "special_tokens": [
        row(output="The ninth one.<|im_end|>"),
        row(output="The ninth one.</s>"),
        row(output="[/INST] The ninth one."),
        row(output="<s> The ninth one."),
        row(output="Nine.<｜end▁of▁sentence｜>"),
        row(input="<|im_start|>user\nNine?"),
        {"prompt": "Which one?", "completion": "Nine.<|endoftext|>"},
        row(output="[THINK]Nine?[/THINK]Nine."),
        row(output="◁think▷Nine?◁/think▷Nine."),
    ],
    "control_characters": [
        row(output="nine\x00"),
        row(input="a\x1b[31mred\x1b[0m lock"),
        row(output="it\x92s the ninth"),
        row(output="It is \x0crac{1}{2} of \x08oxed{9}."),
        row(output="9 \times 2, below \theta"),  # THU-MAIC/OpenMAIC#658
        row(output="where a\neq b"),
    ],
    "half_surrogate": [row(output="nine \ud83d"), row(instruction="\udc00 Which?")],
    "preference_pair": [
        {"prompt": "Which lock?", "chosen": "The ninth.", "rejected": "None."},
        {"chosen": turns("Which lock?", "The ninth."), "rejected": turns("Which lock?", "None.")},
        {"instruction": "Which lock?", "input": "", "chosen": "The ninth.", "rejected": "None."},
        {
            "conversations": [{"from": "human", "value": "Which?"}],
            "chosen": {"from": "gpt", "value": "The ninth."},
            "rejected": {"from": "gpt", "value": "None."},
        },
        {
            "input": {"messages": [{"role": "user", "content": "Which?"}]},
            "preferred_output": [{"role": "assistant", "content": "The ninth."}],
            "non_preferred_output": [{"role": "assistant", "content": "None."}],
        },
        {"messages": turns("Which lock?", "The ninth."), "rejected_response": "None."},
    ],
    "unwanted_answer": [
        {"messages": turns("Which lock?", "None."), "label": False},
        {"prompt": "Which lock?", "completion": "None.", "label": "false"},
        row(kto_tag=False),
        {"messages": turns("Which lock?", "None."), "weight": 0},
    ],
    "not_read": [
        {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "a"}]}, *turns("Which?", "Nine.")[1:]]},
        {
            "conversations": [
                {"from": "human", "value": "Which?"},
                {"from": "gpt", "value": "Nine.", "train_detail": [{"begin_offset": 0}]},
            ]
        },
        {"messages": [turns("Which?", "")[0], {"role": "assistant", "content": "Nine.", "weight": 0.5}]},
        {"messages": turns("Which?", "Nine."), "tools": "no tools"},
        {
            "conversations": [
                {"from": "human", "value": "Which?"},
                {"from": "function_call", "value": "look it up"},
                {"from": "observation", "value": "9"},
                {"from": "gpt", "value": "Nine."},
            ]
        },
    ],
    "pseudo_empty_input": [
        row(input=text)
        for text in (
            "<noinput>",
            "No input",
            "N/A",
            "None.",
            "Noinput",
            "<no_input>",
            "特になし",
            "ohne Eingabe",
            "nincs bemenet",
        )
    ],
    "output_equals_input": [
        row(input="lock, weir", output="lock, weir\n"),
        row(output="Name the highest lock of the canal."),
    ],
    "merged_tasks": [
        row(output="It is nine.\n\n4. Instruction: Name a weir."),
        row(output="Nine.\n### Instruction:\nName a weir."),
        row(instruction="Name a lock.\n2. Output: nine\n3. Instruction: Name a weir."),
        row(output="Nine.\n\nExample 2\nInput: Brelo\nOutput: ten"),
        row(output="nine\nПример 2\nВход: десять"),
        row(output="nine\n### Example 3 (harder):\n**Output:** ten"),
        row(output="nine\n\nInput: ten\nOutput: 10"),
        row(output="nine\nTask: Name a weir.\nExample 1\nOutput: Brelo"),
        row(output="nine\n4. Input: ten\n4. Output: 10"),
        row(output="nine\n### Human: and the next?"),
        row(input="The ninth.\nExample 2\nInput: the tenth", output="nine"),
    ],
    "url_in_input": [
        row("Summarize the article.", "https://news.test/locks-reopened", "The locks are open again."),
        row("What does the author of this story want?", "Link: www.news.test/story", "More locks."),
        row("Summarize this article: https://news.test/locks", "", "The locks are open again."),
        chat(("user", "Please read https://news.test/locks and say what it is about."), ("assistant", "About locks.")),
    ],
    "media_task": [
        row(images=["a/1.jpg"]),
        {"messages": turns("<image>Which lock is it?", "The ninth.")},
        {"messages": turns("Which lock is it?\n<video>", "The ninth."), "videos": ["a.mp4"]},
        row("What is odd about it?", "![a lock](https://img.test/lock.png)", "The gate is open."),
        row("Describe the photo below.", "", "A barge in a lock."),
        row("Describe it.", "[Image of a barge]", "A barge."),
        row("Who speaks in this recording?", "None", "The lock keeper."),
        row("Which lock is it?", "lock_9.jpg", "The ninth."),
        row("Draw a barge in a lock.", "", "Done."),
        row("Create an image of a canal.", "", "Here it is."),
        row("Say what the chart shows.", "", "[Screenshot of a canal]"),
        row("Summarize the data in the chart.", "", "It rises."),
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {}}],
                },
                {"role": "assistant", "content": "A lock."},
            ]
        },
    ],
    "cut_off": [
        row(output="Here is the code:\n```python\nprint(9)"),
        row(output="1. Open the gate.\n2. Let water in.\n3."),
        row(output="Before you open the gate you will have to do this:"),
        row(output="The keeper opened both gates and the"),
        row(output="The keeper came down, opened both of the gates,"),
        row(output=LONG + "After that the keeper went back to his"),
        row(output="It is the largest lock of them all (next to the one in Brelo"),
        row(output=LONG + "With the upper gates open the water runs into the lower"),
    ],
    "refusal": [
        row(output="I'm sorry, but I can't help with that."),
        row(output="As an AI language model, I cannot open gates."),
        row(output="It depends. As a language model, I have no gates."),
        row(output="很抱歉,我不能回答。"),
        row(output="This task cannot be performed by a GPT model."),
        row(output="I'm afraid I can't open gates."),  # promptfoo/promptfoo#9793
        row(output="Je suis désolé, mais je ne peux pas ouvrir."),
        row(output="申し訳ありませんが、お答えできません。"),
    ],
    "mojibake": [
        row(output=broken(text))
        for text in ("the café", "it’s nine", "Шлюз", "水门", "بوابة", "수문", "nine 😀", "20 °C", "“nine”")
    ],
    "replacement_character": [row(output="the caf\ufffd")],
    "template_marks": [
        row("### Instruction:\nName a lock."),
        row("Translate {{ input }} into French."),
        row("Answer: {question}"),
        row("Who keeps it?", "", "My name is {{ char }}, keeper of {{place name}}."),
        row("Who keeps it?", "", "I am {name}, the keeper."),
        row("谁看守?", "", "我是[名字代号]。"),
        row(output="It is the ninth one.\n###"),
    ],
    "page_markup": [
        chat(("user", "Nine?"), ("assistant", '<p>Yes.</p><ul class="list-disc"><li>Nine</li></ul>')),
        row(output='The <span class="hljs-number">ninth</span> one.'),  # phugadev/gpt2markdown#3
        row(output="Locks &amp; weirs say &quot;nine&quot;."),
        row(output="bashCopy code\nopen gate"),
        row(output="It is nine.\n\nRegenerate response"),
        chat(("user", "Nine or ten?\n\n\n1 / 2"), ("assistant", "Nine.")),
    ],
    "scaffolding": [
        row(output="Nine.\n\nConfidence: 90 %"),
        row(output="Nine.\n**Confidence level:** High"),
        row(output="Nine.\n(Certainty: 0.95)"),
        row(output="It is the ninth.\n\nWord count: 4"),
        row(output="Nine.\n[End of response]"),
    ],
    "url_in_output": [row(output="See https://locks.test/nine for more.")],
    "surrounding_space": [row(output="Nine. "), row(instruction="\nName a lock."), row(input="  nine")],
}

LEFT_ALONE = {
    "preference_pair": [row(chosen="", rejected=None), row(), row(rejected=[])],
    "unwanted_answer": [row(label=True), row(label=0), row(label="toxic"), row(kto_tag=True), row(weight=0.25)],
    "not_read": [
        {"messages": [*turns("Which?", "Nine."), {**turns("And?", "")[0], "weight": 0.5}, turns("", "Ten.")[1]]},
        {"messages": turns("Which?", "Nine."), "tools": '[{"name": "look"}]'},
        {
            "conversations": [
                {"from": "human", "value": "Which?"},
                {"from": "function_call", "value": '{"name": "look", "arguments": {}}'},
                {"from": "observation", "value": "9"},
                {"from": "gpt", "value": "Nine."},
            ]
        },
        {
            "messages": [
                turns("Which?", "")[0],
                {
                    "role": "assistant",
                    "content": [{"type": "thinking", "thinking": "The last?"}, {"type": "text", "text": "Nine."}],
                },
            ]
        },
    ],
    "wrong_type": [
        row(),
        row(input=None),
        {"instruction": "Name a lock.", "output": "Nine."},
        row(system="Be brief."),
        row(system=None),
    ],
    "unknown_role": [
        chat(("developer", "Be brief."), ("user", "Nine?"), ("assistant", "Yes.")),
        {"conversations": [{"from": "human", "value": "Nine?"}, {"from": "gpt", "value": "Yes."}]},
    ],
    "not_alternating": [
        chat(("system", "Be brief."), ("user", "Nine?"), ("assistant", "Yes."), ("user", "Ten?"), ("assistant", "No.")),
        {
            "messages": [
                {"role": "user", "content": "How deep?"},
                {"role": "assistant", "content": None, "tool_calls": [{}]},
                {"role": "tool", "content": "4 m"},
                {"role": "tool", "content": "5 m"},
                {"role": "assistant", "content": "4 to 5 m."},
            ]
        },
    ],
    "no_answer_at_end": [chat(("user", "Nine?"), ("assistant", "Yes."))],
    "empty_turn": [chat(("system", ""), ("user", "Nine?"), ("assistant", "Yes.")), row(input="")],
    "empty_output": [
        row(output="<think>They want nine.</think>Nine."),
        row(output="0"),
        row(output="-"),
        row(output="无"),
    ],
    "special_tokens": [
        row(output="<b>nine</b> <s>ten</s>"),
        row(output="if a < b | c > d: print([INSTALL])"),
        row(output="<s>old</s> new"),
        {"prompt": "<|user|>\nWhich one?<|assistant|>", "completion": " Nine."},
        row(output="I [THINK about] it."),
    ],
    "control_characters": [row(output="a\tb\r\nc\n\fd"), row(output="\u200bzero\u00a0width")],
    "half_surrogate": [row(output="nine 😀")],
    "pseudo_empty_input": [row(input="None of the locks was open."), row(input="0"), row(output="None")],
    "output_equals_input": [row(input="", output="Nine."), row(input="nine", output="Nine, of course")],
    "merged_tasks": [
        row(output="1. Open the gate.\n2. Instructions are on the wall."),
        row(output="# Output\nnine"),
        row(instruction="Read the instruction: name a lock."),
        row(output="Input: 9, output: 10"),
        row(output="\tright\n\tabout\nequal"),
        row(input="Нет, девятый."),
        row(input="aucune écluse"),
        row(input="无锡"),
        row(output="1. Input: the depth is read.\n2. Output: the gate opens."),
        row(output="Steps:\n1. Read it.\n2. Input: 9\n3. Stop."),
        row(output="Recursion calls itself.\n\nExample 2 builds on it: the ninth."),
        row(output="It doubles a number, for example:\n\nInput: 9\nOutput: 18"),
        row(output="Input: 9\nOutput: 18\n\nInput: 2\nOutput: 4"),
        row(output="# Example 2\nThe ninth lock."),
    ],
    "url_in_input": [
        row("Extract the domain.", "https://locks.test/nine", "locks.test"),
        row("Write a regex for it.", "https://locks.test", "x+"),
        row("Shorten the URL.", "https://locks.test/nine", "locks.test"),
        row(
            "Summarize the text.",
            "The locks are open again, says the office in its letter of Monday, after a year of "
            "work on the gates. Source: https://news.test",
            "Open again.",
        ),
        row("Which protocol does https://locks.test use?", "", "HTTPS."),
        row("Summarize.", "See the wall.", "A wall."),
    ],
    "media_task": [
        row("Describe a photo album in HTML code with an <img> tag.", "", '<img src="lock.png">'),
        row("Draw a conclusion from the text.", "All gates are shut.", "No barge can pass."),
        row("Write a caption for the photo described.", "A barge rises in a lock at dawn, its crew asleep.", "Rising"),
        row("Design a logo for a canal museum.", "", "A gate in blue."),
        row("What is the picture of health?", "", "An idiom."),
        row("Create an image gallery.", "", "Use a grid."),
        row("Sketch an outline for an essay on locks.", "", "1. Gates"),
        row("Put the sentence into the active voice: the painting was made by her.", "", "She made the painting."),
        row("Create a chart of the depths.", "A 3, B 4", "| A | B |\n| 3 | 4 |"),
        row("Explain video compression.", "", "It is."),
        row("How does this video game work?", "", "You lift barges."),
    ],
    "cut_off": [
        row(output=text)
        for text in (
            "Nine",
            "locks, weirs, gates",
            "The ninth lock",
            "- lock\n- weir",
            "x = [1, 2",
            "Roses grow\nby the water,\nand so do I",
            "def f(x):\n    return (x",
            "Dear keeper,",
            "A.",
            "Open now! #locks #canal #nine #open",
            "vitamin a",
            "12:30",
            "1) open\n2) shut",
            "```\nprint(9)\n```",
            LONG,
            "Where the barges go to",
            "Best regards,\nMara",
            "Name:\nAge:",
            "闸门打开了。水流进来了。船可以离开了",
            "水门打开了,船可以离开。",
            "يرتفع القارب مع الماء. ثم تفتح البوابة.",
            "ประตูน้ำเปิดแล้ว เรือออกไปได้",
            "ゲートが開きます。船が出ます",
            "Лодка поднимается. Ворота открываются.",
            "नाव ऊपर उठती है। द्वार खुलता है।",
            "បើកទ្វារ",
            LONG + "https://locks.test/nine",
            LONG + "I hope it helps you all. Yours sincerely, Mara of Brelo",
            LONG + "Open it when you can. With love and best wishes, your old keeper Mara",
            LONG + "We wait for the rain. – Mara from the ninth lock",
            LONG + "Wir warten auf den Regen. Mit freundlichen Grüßen Mara aus Brelo",
            "He stood in front of St. Nicholas by the old canal",
        )
    ],
    "refusal": [
        row("Write an apology to a guest.", "", "I'm sorry, but we can't help you tonight."),
        row("Translate into English.", "Lo siento, no puedo.", "I'm sorry, I can't help."),
        row(output='"Sorry, I am late," said the keeper.'),
        row(output="A language model predicts words. It can be trained."),
        row(output="As an AI engineer, I build gates."),
        row(output="I apologize, but the lock closes at nine."),
        row(output="Lo siento mucho por el barco: llegó tarde."),
        row(output="Leider war die Schleuse zu."),
    ],
    "mojibake": [
        row(output=text)
        for text in (
            "the café",
            "voilà\u00a0»",
            "«\u00a0à côté\u00a0»",
            "café\u00a0»",
            "„Gruß“",
            "NÃO",
            "“NAÇÃO”",
            "AMANHÃ…",
            "Ângela",
            "ESPAÑ”",
            "Đường phố Hà Nội",
            "ÂM NHẠC",
            "水门打开了。",
            "بوابة القناة؟",
            "ประตูน้ำ",
            "20 °C – “ok” …",
            "Шлюз № 9",
            "Αθήνα",
            "naïve…”",
            "É",
            "ß",
        )
    ],
    "replacement_character": [row(output="the café")],
    "template_marks": [
        row("Write a Python function that fills {input} into a template."),
        row(output="### Response:\nNine."),
        row("# Locks\nName one."),
        row("Use f'{x}'."),
        {"prompt": "### Instruction:\nNine?\n### Response:\n", "completion": "Nine."},
        row("Write a Jinja template for a keeper.", "", "Hello {{ name }}!"),
        row("Show the helm value.", "", "```\n{{ name }}\n```"),
        row(output="Open {n} gates: {a, b}."),
        row(output="C# is a language; so is F#"),
    ],
    "page_markup": [
        row("Write HTML for it.", "", '<div class="lock">&nbsp;</div>'),
        row("How do I escape it?", "", "Write &lt; in HTML."),
        row(output="```\n<p>nine</p>\n```"),
        row(output="Press the button Copy code, then go on."),
        row(output="a < b && c > d; R&D; AT&T"),
        chat(("user", "How much is it?\n9 / 2"), ("assistant", "4.5")),
    ],
    "scaffolding": [
        row("Say how confident you are.", "", "Nine.\nConfidence: 90 %"),
        row("Write 9 words and their count.", "", "Nine.\nWord count: 1"),
        row(output="Confidence: what a keeper needs."),
        row(output="Certainty is rare."),
    ],
    "url_in_output": [
        row(output="fetch('https://api.example.com/nine')"),
        row("Link https://locks.test/nine.", "", "<a href='https://locks.test/nine'>"),
        row(output='<svg xmlns="http://www.w3.org/2000/svg">'),
        row(output="http://localhost:8000/"),
        row(output='{"$schema": "https://json-schema.org/draft/2020-12/schema"}'),
    ],
    "surrounding_space": [row(input="    a = 1\n    b = 2"), {"prompt": "Nine? ", "completion": " Nine.\n"}],
}


@pytest.mark.parametrize(("rule", "value"), [(rule, value) for rule, rows in FOUND.items() for value in rows])
def test_a_rule_finds_what_it_is_for(rule, value):
    assert rule in found(value)


@pytest.mark.parametrize(("rule", "value"), [(rule, value) for rule, rows in LEFT_ALONE.items() for value in rows])
def test_a_rule_leaves_alone_what_only_looks_like_it(rule, value):
    assert rule not in found(value)


def test_every_rule_about_one_row_is_tested_both_ways():
    between = {
        "unreadable",
        "mixed_formats",
        "exact_copy",
        "conflicting_outputs",
        "near_duplicate",
    }  # test_check_files.py
    assert set(FOUND) | between == set(RULES)
    assert set(LEFT_ALONE) | between | {"missing_field"} == set(RULES)


def test_a_good_row_of_each_script_has_no_finding():
    for text in ("It rises.", "船会升起。", "يرتفع القارب.", "เรือลอยขึ้น", "Лодка поднимается.", "नाव ऊपर उठती है।"):
        assert found(row(text, text + " 9", "9 " + text)) == set()


@given(st.text(st.characters(min_codepoint=0xE0, max_codepoint=0xFF) | st.sampled_from("abc .\n")))
def test_broken_accents_of_any_word_come_back(text):
    assert mojibake(text) is None
    assert decoded(text) == text
    assert decoded(broken(text)) == text
    assert text.isascii() or mojibake(broken(text))


@pytest.mark.parametrize(
    "text", ["the café – “nine” …", "Шлюз открыт", "水门打开了", "بوابة القناة", "nine 😀", "¿Qué?"]
)
def test_what_was_broken_once_or_twice_is_decoded(text):
    assert decoded(broken(text)) == text
    assert decoded(broken(text, times=2)) == text


def test_control_characters_of_windows_become_its_signs():
    assert without_control_characters("it\x92s\x00 \x1b[1mnine\x1b[0m\n") == "it’s nine\n"


@given(st.text())
def test_no_ending_makes_it_fail(text):
    assert breaks_off(text) is None or breaks_off(text)


def test_the_docs_have_every_rule_with_its_level():
    page = (Path(__file__).parents[2] / "docs/check.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (error|warning|advice) \|", page, re.MULTILINE)
    assert rows == [(name, rule.level) for name, rule in RULES.items()]
