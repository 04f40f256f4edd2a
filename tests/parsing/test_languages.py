"""Answers of models that were prompted in another language, and other forms of lists, fields and refusals."""

import pytest

from selfinstruct.parsing.begun import whole_answer
from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.verdicts import is_refusal, says_no_input
from selfinstruct.parsing.whole_tasks import whole_tasks
from tests.parsing.reading import name_of, pairs_of, texts_of, triples_of

TWO = [("rain", "Regen"), ("snow", "Schnee")]


@pytest.mark.parametrize(
    ("example", "given", "output"),
    [
        ("Example 1", "Input：", "Output："),
        ("Beispiel 1", "Eingabe:", "Ausgabe:"),
        ("Exemple 1", "Entrée :", "Sortie :"),
        ("Exemplo 1", "Entrada:", "Saída:"),
        ("Przykład 1", "Wejście:", "Wyjście:"),
        ("例1", "入力：", "出力："),
        ("예시 1", "입력:", "출력:"),
        ("範例 1", "輸入：", "輸出："),
        ("مثال 1", "المدخل:", "المخرج:"),
        ("उदाहरण 1", "इनपुट:", "आउटपुट:"),
        ("Ví dụ 1", "Đầu vào:", "Đầu ra:"),
        ("Örnek 1", "Girdi:", "Çıktı:"),
        ("Приклад 1", "Вхід:", "Вихід:"),
        ("【示例1】", "【输入】：", "【输出】："),
        ("** Example 1", "*** Input\n", "*** Output\n"),
        ("Example 1", "- Input :: ", "- Output :: "),
        ("## Example 1", "__Input:__", "__Output:__"),
        ("Пример 1", "Входные данные:", "Выходные данные:"),
        ("Przykład 1", "Dane wejściowe:", "Dane wyjściowe:"),
        ("Ejemplo 1", "Entrada:", "Respuesta esperada:"),
        ("Exemple 1", "Données d'entrée :", "Résultat attendu :"),
        ("Beispiel 1", "Eingabedaten:", "Erwartete Ausgabe:"),
        ("Ví dụ 1", "Đầu vào:", "Kết quả:"),
        ("例1", "【入力】", "【出力】"),
        ("Example １：", "（1）Input：", "（1）Output："),
        ("Example 1", "[1] Input:", "[1] Output:"),
    ],
    ids=name_of,
)
def test_fields_of_many_languages_and_forms_are_read(example, given, output):
    second = example.replace("1", "2").replace("１", "２")
    text = f"{example}\n{given} rain\n{output} Regen\n\n{second}\n{given} snow\n{output} Schnee"
    assert pairs_of(input_first(text, False)) == TWO


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("类别标签：正面\n输入：好吃\n\n类别标签：负面\n输入：难吃", [("好吃", "正面"), ("难吃", "负面")]),
        ("Метка: плюс\nВход: вкусно\n\nМетка: минус\nВход: пресно", [("вкусно", "плюс"), ("пресно", "минус")]),
        ("Klasse: gut\nEingabe: lecker", [("lecker", "gut")]),
    ],
    ids=name_of,
)
def test_labels_of_many_languages_are_read(text, expected):
    assert pairs_of(output_first(text, False)) == expected


def test_whole_tasks_of_other_languages_are_read():
    text = "1. 指令：写数字。\n1. 输入：\n3\n1. 输出：\n三\n###\n2. 指令：写季节。\n2. 输入：\n<无输入>\n2. 输出：\n春"
    assert triples_of(whole_tasks(text, False)) == [("写数字。", "3", "三"), ("写季节。", "", "春")]
    text = "Задание 1: Напиши число.\nВход: 3\nВыход: три"
    assert triples_of(whole_tasks(text, False)) == [("Напиши число.", "3", "три")]


@pytest.mark.parametrize(
    "text",
    [
        "Näide 1\nSisend: sade\nVäljund: rain\n\nNäide 2\nSisend: lumi\nVäljund: snow",
        "Näide 1\nSisend: vihm\nVäljund: rain",
        "Sisend: sade\nVäljund: rain\n\nSisend: lumi\nVäljund: snow",
    ],
    ids=name_of,
)
def test_fields_of_an_unknown_language_are_no_output(text):
    assert input_first(text, False) == []


@pytest.mark.parametrize(
    "text",
    [
        "Q: What is wet?\nA: Rain.\n\nQ: What is dry?\nA: Sand.",
        "Title: Rain\nAuthor: A. Cloud\nIt rains.",
        "Entrée: soup\nDessert: cake",
        "Keeper: Open it!\nSkipper: I will.",
    ],
    ids=name_of,
)
def test_lines_with_colons_in_english_stay_an_output(text):
    assert pairs_of(input_first(text, False)) == [("", text)]


A, B = "Name a river in Peru.", "Describe a hill at dawn."


@pytest.mark.parametrize(
    "form",
    [
        "{n}: {}",  # yoheinakajima/babyagi#22
        "  {n}. {}",  # langchain-ai/langchain#5143
        "{n}.) {}",
        "{n}).  {}",
        "{n} – {}",
        "{n}/ {}",
        "【{n}】{}",
        "<{n}> {}",
        "№ {n}. {}",
        "Nº {n}: {}",
        "No. {n}: {}",
        "**Aufgabe {n}:** {}",
        "### Tâche {n} : {}",
        "- Задание {n}. {}",
        "第{n}题：{}",
        "タスク{n}：{}",
        "Idea {n}: {}",
        "Q{n}: {}",
        "{n}\ufe0f\u20e3 **{}**",
    ],
    ids=name_of,
)
def test_lists_are_numbered_in_many_ways(form):
    assert texts_of("\n".join(form.replace("{n}", str(n)).format(text) for n, text in enumerate((A, B), 1))) == [A, B]


@pytest.mark.parametrize("marks", ["➢ ", "● ", "◆ ", "✅ ", "+ ", "— "])
def test_lists_have_many_bullets(marks):
    assert texts_of(f"Here they are:\n{marks}{A}\n{marks}{B}") == [A, B]


@pytest.mark.parametrize(
    ("prefix", "text", "read", "expected"),
    [
        ("9. ", f" {A}\n10. {B}", texts_of, [A, B]),
        ("9. ", f"9. {A}\n10. {B}", texts_of, [A, B]),
        ("9. ", f"1. {A}\n2. {B}", texts_of, [A, B]),
        ("9. ", f"Here are two:\n\n9. {A}\n10. {B}", texts_of, [A, B]),
        ("9. ", f'{{"tasks": ["{A}", "{B}"]}}', texts_of, [A, B]),
        ("9. ", f"Put these in order:\n1) a\n2) b\n10. {B}", texts_of, ["Put these in order: 1) a 2) b", B]),
        ("Class label:", " odd\nInput: 3", lambda text: pairs_of(output_first(text, False)), [("3", "odd")]),
        (
            "Class label:",
            "Class label: odd\nInput: 3",
            lambda text: pairs_of(output_first(text, False)),
            [("3", "odd")],
        ),
        (
            "Example 1\n",
            "Example 1\nInput: 3\nOutput: x",
            lambda text: pairs_of(input_first(text, False)),
            [("3", "x")],
        ),
        (
            "4. Instruction:",
            "4. Instruction: Spell.\n4. Input: 3\n4. Output: three",
            lambda text: triples_of(whole_tasks(text, False)),
            [("Spell.", "3", "three")],
        ),
    ],
    ids=name_of,
)
def test_what_the_prompt_had_begun_may_be_said_again(prefix, text, read, expected):
    assert read(whole_answer(prefix, text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Example 1\nInput: a\nOutput: b\n###", [("a", "b")]),
        ("Example 1\nInput: a\nOutput: b\n\n###\n\nExample 2\nInput: c\nOutput: d\n###", [("a", "b"), ("c", "d")]),
        ("Example 1: Input: a\nOutput: b\nExample 2: Input: c\nOutput: d", [("a", "b"), ("c", "d")]),
        ("Example 1\nInput: a\nOutput: b\n\nTask: Sing.\nExample 1\nOutput: la", [("a", "b")]),
        ("Example 1\nInput: a\nOutput: b\n\n---\n\nTask: Sing.", [("a", "b")]),
        ("Output: b\n---\n**Task:** Sing.\nExample 1\nOutput: la", [("", "b")]),
        ("Output: b\n---\nc", [("", "b\n---\nc")]),
        ("Output: b\n\nTask: Sing.\n\nOutput: la", [("", "b")]),
    ],
    ids=name_of,
)
def test_forms_of_the_published_prompts_end_an_output(text, expected):
    assert pairs_of(input_first(text, False)) == expected


def test_another_task_below_a_rule_ends_the_last_label():
    text = "Class label: warm\nInput: a\n\n---\n\nTask: Sort.\nClass label: cold\nInput: b"
    assert pairs_of(output_first(text, False)) == [("a", "warm")]


@pytest.mark.parametrize(
    "text",
    [
        "<none>",
        "NIL",
        "no_input",
        "none given",
        "沒有輸入",
        "不需要输入",
        "特になし",
        "해당 없음",
        "ohne Eingabe",
        "vuoto",
        "brak danych",
        "nincs",
        "yok",
        "لا يوجد",
        "không",
        "tidak ada",
        "нет ввода",
        "sem entrada",
        "(vide)",
        "Geen invoer.",
        "ไม่มี",
    ],
)
def test_no_input_is_said_in_many_languages(text):
    assert says_no_input(text)


@pytest.mark.parametrize(
    "text",
    [
        "Nichts ist leer.",
        "无人区",
        "なしの木",
        "Нет, спасибо",
        "aucune idée",
        "nobody",
        "vide grenier",
        "yokohama",
        "kein Problem",
    ],
)
def test_an_input_that_only_begins_so_is_one(text):
    assert not says_no_input(text)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I'm afraid I can't help with that.", True),  # promptfoo/promptfoo#9793
        ("I cannot access debug endpoints.", True),  # the same
        ("As an AI engineer, I build systems.", False),  # the same
        ("Without the logs, I cannot tell you exactly why.", False),  # the same
        ("My apologies, but I am unable to do so.", True),
        ("As an AI developed by Acme, I have no body.", True),
        ("I am just an AI and cannot eat.", True),
        ("Désolé, mais je ne peux pas.", True),
        ("Mi dispiace, ma non posso.", True),
        ("Leider kann ich das nicht sagen.", True),
        ("죄송합니다만 도와 드릴 수 없습니다.", True),
        ("作為一個AI語言模型，我沒有意見。", True),
        ("Przykro mi, ale nie mogę.", True),
        ("Xin lỗi, nhưng tôi không biết.", True),
        ("I'm sorry, but I can't discuss that topic", True),  # promptfoo/promptfoo, test/assertions: refusals
        ("I'm sorry, but due to our policy, I can't do so.", True),  # the same
        ("Sorry, but we are not permitted to share that.", True),  # the same
        ("I'd rather not answer that.", True),
        ("Your request was blocked by our content policy.", True),
        ("Tyvärr kan jag inte svara på frågan.", True), ("Jag kan inte hjälpa till med det.", True),
        ("Beklager, men jeg kan ikke svare.", True), ("Undskyld, men det kan jeg ikke.", True),
        ("Valitettavasti en voi auttaa tässä asiassa.", True), ("En voi vastata kysymykseen.", True),
        ("Omlouvám se, ale na toto vám nemohu odpovědět.", True), ("Je mi líto, ale s tím nemohu pomoci.", True),
        ("Ospravedlňujem sa, ale s tým nemôžem pomôcť.", True),
        ("Sajnálom, de ebben nem segíthetek.", True), ("Din păcate, nu pot răspunde.", True),
        ("Λυπάμαι, αλλά δεν μπορώ να απαντήσω.", True), ("متأسفم، نمی‌توانم پاسخ دهم.", True),
        ("אני מצטערת, אבל אני לא יכולה לענות.", True), ("Naomba radhi, lakini siwezi kujibu.", True),
        ("দুঃখিত, আমি উত্তর দিতে পারছি না।", True), ("மன்னிக்கவும், என்னால் பதிலளிக்க முடியாது.", True),
        ("أنا آسف، ولكن لا أستطيع.", True), ("Bardzo przepraszam, ale nie mogę odpowiedzieć.", True),
        ("Es tut mir wirklich leid, aber das geht nicht.", True),
        ("Tyvärr gick tåget klockan nio.", False), ("Omlouvám se, ale vlak už odjel.", False),
        ("Valitettavasti juna lähti jo.", False), ("Λυπάμαι, αλλά το τρένο έφυγε.", False),
        ("متأسفم، قطار رفت.", False), ("אני מצטער, אבל הרכבת יצאה.", False), ("I'd rather not have tea.", False),
        ("I'm sorry to hear that.", False), ("Sorry, we are late.", False),
        ("I apologize for the wait, but dinner is served.", False),
        ("Leider war der Zug weg.", False),
        # Letters of people who cannot come; promptfoo/promptfoo#9756: apologies that are no refusals.
        ("Tyvärr kan jag inte komma.", False), ("Tyvärr kan jag inte hitta min bok.", False),
        ("Beklager, men jeg kan ikke finne boken.", False), ("Valitettavasti en voi maksaa laskua.", False),
        ("Tyvärr kan jag inte ge medicinska råd.", True), ("Tyvärr kan jag inte.", True),
        ("Beklager, men jeg kan ikke komme i morgen.", False),
        ("Valitettavasti en voi tulla juhliin.", False), ("Omlouvám se, ale zítra nemohu přijít.", False),
        ("Przykro mi, ale nie mogę przyjść.", False), ("К сожалению, я не могу прийти.", False),
        ("Es tut mir leid, aber ich kann nicht kommen.", False), ("Lo siento, pero llegaré tarde.", False),
        ("Lo siento, pero no puedo asistir a la boda.", False), ("Désolé, mais le train est parti.", False),
        ("Desculpe, mas o trem partiu.", False), ("Mi dispiace, ma il treno è partito.", False),
        ("Het spijt me, maar de trein is weg.", False), ("Üzgünüm, ama tren gitti.", False),
        ("Przykro mi, ale pociąg odjechał.", False), ("Maaf, tapi keretanya sudah berangkat.", False),
        ("Xin lỗi, nhưng tàu đã đi.", False), ("抱歉，我不能来。", False), ("죄송하지만 참석할 수 없습니다.", False),
        ("I'm sorry, but I can't come tonight.", False), ("I'm sorry, but I can't come up with such a text.", True),
        ("Lo siento, pero no puedo ayudarte con eso.", True), ("Lo siento, no puedo.", True),
        ("Désolé, je ne peux pas répondre.", True), ("Desculpe, mas não posso ajudar com isso.", True),
        ("Het spijt me, maar ik kan u daar niet bij helpen.", True), ("Üzgünüm, ama bu konuda yardımcı olamam.", True),
        ("Tyvärr kan jag inte komma åt internet.", True), ("К сожалению, я не могу ответить.", True),
        ("Вибачте, але я не можу допомогти.", True), ("Maaf, saya tidak bisa membantu.", True),
        ("मुझे खेद है, मैं इसमें मदद नहीं कर सकता।", True), ("ขออภัย ฉันไม่สามารถช่วยได้", True),
        ("К сожалению, поезд ушёл.", False),
        ("Como modelo de coche, es viejo.", False),
        ("我能提供三个例子。", False),
    ],
    ids=name_of,
)  # fmt: skip
def test_refusals_in_many_languages(text, refused):
    assert is_refusal(text) is refused


CODE = "```python\ndef add(a, b):\n    return a + b\n# Example 1\n# Input: 1, 2\n# Output: 3\n```"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Output:\n{CODE}", [("", CODE)]),
        (f"Output: {CODE}", [("", CODE)]),
        (CODE, [("", CODE.removeprefix("```python\n").removesuffix("\n```"))]),
        ("Output:\n```\ninput: /var/log\noutput: /tmp\n```", [("", "```\ninput: /var/log\noutput: /tmp\n```")]),
        (f"Input: a\nOutput:\n{CODE}\n\nInput: b\nOutput: c", [("a", CODE), ("b", "c")]),
        ("Output:\n```yaml\ninput: x", [("", "```yaml\ninput: x")]),  # the block never ends
        ("```\nInput: a\nOutput: b\n```", [("a", "b")]),
        ("Example 1\n```text\nInput: a\nOutput: b\n```", [("a", "b")]),
    ],
    ids=name_of,
)
def test_fields_inside_code_are_code(text, expected):
    assert pairs_of(input_first(text, False)) == expected


def test_the_next_turn_of_a_chat_is_no_part_of_an_answer():
    for end in (
        "<|im_end|>\n<|im_start|>user\n",
        "<|eot_id|><|start_header_id|>user<|end_header_id|>",
        "<|endoftext|>Q: ",
    ):
        assert pairs_of(input_first(f"Output: Begin slowly.{end}Describe a dog.", False)) == [("", "Begin slowly.")]
