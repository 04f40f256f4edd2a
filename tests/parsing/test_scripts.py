"""Instructions in scripts other than Latin: a teacher that repeats itself is found out in each of them."""

import json
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
from rouge_score.rouge_scorer import RougeScorer

from selfinstruct.pool.novelty import NoveltyIndex, tokens
from tests.conftest import json_lines


class Said(NamedTuple):
    """What is said in one language: seeds, new tasks, and each new task again with a slight edit."""

    seeds: tuple[str, ...]
    new: tuple[str, ...]
    edited: tuple[str, ...]


SCRIPTS = {
    "chinese": Said(
        ("把下面的句子翻译成法语。", "列出三种常见的秋季水果。", "判断这封信的语气是愤怒还是平静。"),
        (
            "写一首关于长江的四行短诗。",
            "用简单的话解释为什么天空是蓝色的。",
            "给刚搬来的邻居写一张欢迎的便条。",
            "这两个数字哪一个更大？请说明理由。",
            "为一家卖旧书的小店想五个名字。",
        ),
        (
            "写一首关于黄河的四行短诗。",
            "请用简单的话解释为什么天空是蓝色的？",
            "给刚搬来的新邻居写一张欢迎的便条。",
            "这两个数字哪个更大？请说明理由。",
            "请为一家卖旧书的小店想出五个名字。",
        ),
    ),
    "japanese": Said(
        ("次の文を英語に訳してください。", "秋に食べたい果物を三つ挙げてください。"),
        (
            "富士山について短い詩を書いてください。",
            "なぜ空が青いのか、子どもにわかるように説明しなさい。",
            "引っ越してきた隣人への挨拶状を作成する。",
            "このレビューは好意的ですか、それとも否定的ですか。",
        ),
        (
            "富士山について短い詩を書いて下さい。",
            "なぜ空は青いのか、子どもにもわかるように説明しなさい。",
            "引っ越してきた隣人への挨拶状を作成してください。",
            "このﾚﾋﾞｭｰは好意的ですか、それとも否定的ですか?",
        ),
    ),
    "thai": Said(
        ("แปลประโยคนี้เป็นภาษาญี่ปุ่น", "บอกชื่อผลไม้สามชนิดที่ปลูกในภาคใต้"),
        (
            "เขียนบทกวีสั้น ๆ เกี่ยวกับแม่น้ำเจ้าพระยา",
            "อธิบายให้เด็กฟังว่าทำไมท้องฟ้าจึงเป็นสีฟ้า",
            "ร่างจดหมายต้อนรับเพื่อนบ้านใหม่",
        ),
        (
            "เขียนบทกวีสั้นๆ เกี่ยวกับแม่น้ำเจ้าพระยาหนึ่งบท",
            "อธิบายให้เด็กฟังว่าเหตุใดท้องฟ้าจึงเป็นสีฟ้า",
            "ช่วยร่างจดหมายต้อนรับเพื่อนบ้านใหม่",
        ),
    ),
    "korean": Said(
        ("다음 문장을 영어로 번역해 주세요.", "가을에 먹는 과일 세 가지를 적어 보세요."),
        (
            "한강의 아침 풍경을 노래하는 짧은 시를 한 편 써 주세요.",
            "하늘이 왜 파란지 어린아이도 알아듣게 쉬운 말로 설명해 주세요.",
            "새로 이사 온 이웃에게 보낼 짧은 환영 편지를 정중하게 써 보세요.",
            "이 상품평이 좋은 평가인지 나쁜 평가인지 한 단어로 답하세요.",
        ),
        (
            "한강의 저녁 풍경을 노래하는 짧은 시를 한 편 써 주세요.",
            "하늘이 왜 파란지 어린아이도 알아듣게 아주 쉬운 말로 설명해 주세요!",
            "새로 이사 온 이웃에게 보낼 환영 편지를 정중하게 써 보세요.",
            unicodedata.normalize("NFD", "이 상품평이 좋은 평가인지 나쁜 평가인지 한 단어로 답하세요"),
        ),
    ),
    "arabic": Said(
        ("ترجم الجملة التالية إلى اللغة الفرنسية", "اذكر ثلاثة أنواع من الفواكه الشتوية"),
        (
            "اكتب قصيدة قصيرة من أربعة أبيات عن نهر النيل في الليل",
            "اشرح لطفل صغير بكلمات بسيطة لماذا تبدو السماء زرقاء",
            "هل هذه الرسالة غاضبة أم هادئة؟ أجب بكلمة واحدة فقط",
        ),
        (
            "اكتب قصيدة قصيرة من أربعة أبيات عن نهر الفرات في الليل",
            "اشرح لطفل صغير بكلمات سهلة لماذا تبدو السماء زرقاء؟",
            "هل هذه الرسالة غاضبة أم هادئة؟ أجب بكلمة واحدة",
        ),
    ),
    "hindi": Said(
        ("नीचे दिए गए वाक्य का अंग्रेज़ी में अनुवाद कीजिए।", "सर्दियों में मिलने वाले तीन फलों के नाम लिखिए।"),
        (
            "गंगा नदी की सुबह पर चार पंक्तियों की एक छोटी कविता लिखिए।",
            "किसी बच्चे को सरल शब्दों में समझाइए कि आकाश नीला क्यों दिखता है।",
            "बताइए कि यह समीक्षा अच्छी है या बुरी, और एक कारण दीजिए।",
        ),
        (
            "यमुना नदी की सुबह पर चार पंक्तियों की एक छोटी कविता लिखिए।",
            "किसी छोटे बच्चे को सरल शब्दों में समझाइए कि आकाश नीला क्यों दिखता है?",
            "बताइए कि यह समीक्षा अच्छी है या बुरी, और दो कारण दीजिए।",
        ),
    ),
}
SCRIPTS["all of them"] = Said(*(tuple(text for said in SCRIPTS.values() for text in said[n]) for n in range(3)))
CONFIG = """\
seed = 1
[teacher]
kind = "openai"
answer_format = "text"
[propose]
model = "proposes"
[classify]
model = "classifies"
[instances]
model = "makes"
"""


class OurTokens:
    """What RougeScorer asks for."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


SCORER = RougeScorer(["rougeL"], tokenizer=OurTokens())


def similarity(one: str, other: str) -> float:
    return SCORER.score(one, other)["rougeL"].fmeasure


@contextmanager
def repeating(said: Said) -> Iterator[str]:
    """A server on loopback whose model says nearly the same in every answer, with one more task each time."""
    proposals = []

    def answer(model: str, prompt: str) -> str:
        if prompt.startswith("Name any number"):  # whether the server takes the settings
            return "5"
        if model == "classifies":
            return "No"
        if model == "makes":
            task = next(text for text in sorted(said.new, key=len, reverse=True) if text in prompt)
            return f"Example 1\nInput: {task[::-1]}\nOutput: 答え {said.new.index(task)}, {task}"
        n = len(proposals) % len(said.new)
        proposals.append(prompt)
        items = [*said.new[: n + 1], said.edited[n], said.seeds[0]][-6:]
        return "\n".join(f"{k}. {text}" for k, text in enumerate(items, 1))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = answer(asked["model"], asked["messages"][-1]["content"])
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            body = json.dumps({"id": "x", "object": "chat.completion", "choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


def seed_file(tmp_path: Path, said: Said) -> Path:
    path = tmp_path / "seeds.jsonl"
    rows = [
        {"instruction": text, "instances": [{"input": "", "output": text[:3]}], "is_classification": False}
        for text in said.seeds
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_material_is_as_it_should_be(script):
    """New tasks differ from everything, edited ones hardly from the task that they edit; none is the same text."""
    said = SCRIPTS[script]
    distinct = [*said.seeds, *said.new]
    for n, text in enumerate(distinct):
        assert max((similarity(text, other) for other in distinct[:n]), default=0) <= 0.7
    for new, edited in zip(said.new, said.edited, strict=True):
        assert new != edited
        assert similarity(new, edited) > 0.7


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_teacher_that_repeats_itself_is_found_out(cli, tmp_path, script):
    said = SCRIPTS[script]
    config = tmp_path / "run.toml"
    config.write_text(CONFIG)
    with repeating(said) as server:
        cli(
            "generate", tmp_path / "run", "--target", len(said.new), "--config", config, "--base-url", server,
            "--seeds", seed_file(tmp_path, said), "--concurrency", 1,
        )  # fmt: skip
    tasks = json_lines(cli("tasks", tmp_path / "run", "--json").stdout)
    assert [row["instruction"] for row in tasks] == list(said.new)
    rejected = json_lines(cli("rejected", tmp_path / "run", "--json").stdout)
    assert {(row["stage"], row["reason"]) for row in rejected} == {("novelty", "too_similar")}
    known = [*said.seeds, *said.new]
    for row in rejected:
        nearest, score = row["evidence"]["nearest"], row["evidence"]["score"]
        assert nearest in known
        assert score == max(similarity(row["text"], text) for text in known)
        assert score == similarity(row["text"], nearest) > 0.7
    by_text = {row["text"]: row["evidence"] for row in rejected}
    repeated = [by_text[text] for text in by_text if text in known]
    assert repeated
    assert {evidence["score"] for evidence in repeated} == {1.0}
    assert by_text[said.seeds[0]]["nearest"] == said.seeds[0]
    found_out = {text: by_text[text]["nearest"] for text in said.edited if text in by_text}
    assert len(found_out) >= len(said.new) - 1  # the last step may end before the last one was judged
    assert found_out == {e: n for n, e in zip(said.new, said.edited, strict=True) if e in found_out}
    cli("verify", tmp_path / "run")
    # The text goes through to the exports as it was said.
    expected = [(text, text[::-1], f"答え {n}, {text}") for n, text in enumerate(said.new)]
    for form in ("alpaca", "self-instruct", "messages", "prompt-completion", "sharegpt"):
        cli("export", tmp_path / "run", "--format", form, "--output", tmp_path / form)
        written = (tmp_path / form).read_text(encoding="utf-8")
        assert all(json.dumps(text, ensure_ascii=False)[1:-1] in written for row in expected for text in row)
    rows = json.loads((tmp_path / "alpaca").read_text(encoding="utf-8"))
    assert [(row["instruction"], row["input"], row["output"]) for row in rows] == expected
    cli("export", tmp_path / "run", "--format", "parquet", "--output", tmp_path / "parquet")
    table = pq.read_table(tmp_path / "parquet").to_pylist()
    assert [(row["instruction"], row["input"], row["output"]) for row in table] == expected
    for text in said.new:
        assert text in cli("tasks", tmp_path / "run").stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_was_recorded_in_any_script_is_compared_alike(cli, tmp_path, script):
    said = SCRIPTS[script]
    texts = [*said.new, *said.edited, said.seeds[-1]]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps({"instruction": text}) + "\n" for text in texts))
    cli("import", tmp_path / "run", "--completions", path, "--seeds", seed_file(tmp_path, said))
    tasks = json_lines(cli("tasks", tmp_path / "run", "--json").stdout)
    assert [row["instruction"] for row in tasks] == list(said.new)
    rejected = {row["text"]: row for row in json_lines(cli("rejected", tmp_path / "run", "--json").stdout)}
    assert list(rejected) == texts[len(said.new) :]
    assert [rejected[text]["evidence"]["nearest"] for text in said.edited] == list(said.new)
    assert rejected[said.seeds[-1]]["evidence"]["score"] == 1.0
    cli("verify", tmp_path / "run")


@pytest.mark.parametrize("text", [text for said in list(SCRIPTS.values())[:-1] for text in said.new])
def test_equal_instructions_score_one(text):
    index = NoveltyIndex()
    index.add(text)
    for same in (text, f"  {text}!", unicodedata.normalize("NFD", text), unicodedata.normalize("NFKC", text)):
        assert index.nearest(same).score == 1.0


def test_scripts_are_not_mixed_up():
    index = NoveltyIndex()
    for said in list(SCRIPTS.values())[:-1]:
        index.add(said.new[1])  # the same task, why the sky is blue, in each of them
    for position, said in enumerate(list(SCRIPTS.values())[:-1]):
        near = index.nearest(said.new[0], above=0.0)
        assert near is None or near.score <= 0.7
        assert index.nearest(said.edited[1]).index == position
