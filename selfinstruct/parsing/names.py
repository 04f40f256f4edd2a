"""The names of fields, examples and tasks in the larger languages, in one table.

A model that is prompted in another language uses that language for field names, even if the prompt does not. English
names come first. Names in further languages can be set with `field_names` in the settings.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal

ORDINAL = r"(?:\d{1,3}|[一二三四五六七八九十]{1,3})"
Field = Literal["instruction", "input", "output", "label", "example"]
FieldNames = Mapping[Field, tuple[str, ...]]

NAMES: dict[Field, tuple[str, ...]] = {
    "instruction": (
        "instruction", "task", "Anweisung", "Aufgabe", "consigne", "tâche", "instrucción", "tarea",
        "instrução", "tarefa", "istruzione", "compito", "instructie", "opdracht", "taak", "uppgift", "opgave",
        "oppgave", "instrukcja", "polecenie", "zadanie", "instrukce", "úkol", "utasítás", "feladat", "instrucțiune",
        "sarcină", "инструкция", "задание", "задача", "інструкція", "завдання", "talimat", "görev", "οδηγία",
        "εργασία", "تعليمات", "التعليمات", "المهمة", "دستور", "دستورالعمل", "הוראה", "משימה", "निर्देश", "कार्य",
        "hướng dẫn", "nhiệm vụ", "instruksi", "tugas", "คำสั่ง", "指令", "指示", "任务", "任務", "命令", "課題",
        "タスク", "지시", "지시문", "과제", "작업",
        "tehtävä", "ohje", "maagizo", "নির্দেশ", "பணி", "வழிமுறை",
    ),
    "input": (
        "input", "Eingabe", "entrée", "entrada", "invoer", "indata", "wejście", "dane wejściowe", "vstup", "bemenet",
        "intrare", "вход", "ввод", "входные данные", "вхід", "вхідні дані", "girdi", "giriş", "είσοδος", "الإدخال",
        "المدخل", "المدخلات", "ورودی", "קלט", "इनपुट", "đầu vào", "masukan", "อินพุต", "ข้อมูลเข้า", "输入", "輸入",
        "入力", "입력",
        "datos de entrada", "dados de entrada", "données d'entrée", "données d’entrée", "dati di input",
        "dati in ingresso", "Eingabedaten", "vstupní data", "dữ liệu đầu vào", "data masukan", "输入数据", "入力データ",
        "입력 데이터", "syöte", "ingizo", "ইনপুট", "உள்ளீடு", "ఇన్‌పుట్", "ulaz", "ان پٹ",
    ),
    "output": (
        "output", "answer", "Ausgabe", "Antwort", "sortie", "réponse", "salida", "respuesta", "saída", "resposta",
        "risposta", "uitvoer", "antwoord", "utdata", "wyjście", "odpowiedź", "výstup", "odpověď", "kimenet", "ieșire",
        "răspuns", "выход", "вывод", "ответ", "вихід", "відповідь", "çıktı", "yanıt", "cevap", "έξοδος", "الإخراج",
        "المخرج", "المخرجات", "الإجابة", "خروجی", "פלט", "आउटपुट", "उत्तर", "đầu ra", "keluaran", "เอาต์พุต",
        "ผลลัพธ์", "输出", "輸出", "答案", "回答", "出力", "출력", "답변",
        "datos de salida", "salida esperada", "respuesta esperada", "resultado esperado", "dados de saída",
        "saída esperada", "resposta esperada", "données de sortie", "sortie attendue", "réponse attendue",
        "résultat attendu", "dati di output", "output atteso", "risposta attesa", "risultato atteso", "Ausgabedaten",
        "erwartete Ausgabe", "erwartete Antwort", "erwartetes Ergebnis", "verwachte uitvoer", "verwacht antwoord",
        "dane wyjściowe", "oczekiwane wyjście", "oczekiwana odpowiedź", "oczekiwany wynik", "výstupní data",
        "očekávaný výstup", "выходные данные", "ожидаемый вывод", "ожидаемый ответ", "ожидаемый результат",
        "вихідні дані", "очікувана відповідь", "beklenen çıktı", "dữ liệu đầu ra", "kết quả mong đợi", "期望输出",
        "预期输出", "输出数据", "期待される出力", "期待出力", "出力データ", "예상 출력", "출력 데이터",
        "tuloste", "vastaus", "tokeo", "jibu", "আউটপুট", "উত্তর", "வெளியீடு", "பதில்",
        "అవుట్‌పుట్", "sortida", "izlaz", "آؤٹ پٹ",
    ),
    "label": (
        "class label", "label", "class", "category", "Klassenlabel", "Klasse", "Kategorie", "étiquette", "classe",
        "catégorie", "etiqueta", "etiqueta de clase", "clase", "categoría", "rótulo", "categoria", "etichetta",
        "etykieta", "klasa", "kategoria", "метка", "метка класса", "класс", "категория", "sınıf", "etiket",
        "sınıf etiketi", "الفئة", "التصنيف", "वर्ग", "nhãn", "label kelas", "kelas", "类别", "類別", "类别标签",
        "标签", "標籤", "分类", "分類", "ラベル", "クラス", "クラスラベル", "カテゴリ", "레이블", "라벨", "클래스",
        "분류",
    ),
    "example": (
        "example", "Beispiel", "exemple", "ejemplo", "exemplo", "esempio", "voorbeeld", "exempel", "eksempel",
        "przykład", "příklad", "példa", "exemplu", "пример", "приклад", "örnek", "παράδειγμα", "مثال", "דוגמה",
        "उदाहरण", "ví dụ", "contoh", "ตัวอย่าง", "示例", "例子", "范例", "範例", "实例", "例", "サンプル", "예시", "예제",
        "esimerkki", "mfano", "উদাহরণ", "எடுத்துக்காட்டு", "உதாரணம்",
    ),
}  # fmt: skip


def any_of(*fields: Field) -> str:
    """A pattern for the names of these fields, longer ones first; a space matches any white space.

    Names are grouped by their first letters: most lines begin with none of them, and are then done with at once.
    """
    names = sorted({name for field in fields for name in NAMES[field]}, key=lambda name: (-len(name), name))
    firsts = "".join(sorted({case for name in names for case in (name[0].lower(), name[0].upper())}))
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name[0].lower(), []).append(name[1:].replace(" ", r"[ \t]{0,3}"))
    return f"(?=[{firsts}])(?:" + "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in groups.items()) + ")"


def in_english(text: str, names: FieldNames) -> str:
    """The text with these names of fields in English where a line begins, so that the parsers know them."""
    for field, more in names.items():
        if more:
            text = _beginning(more).sub(rf"\g<before>{NAMES[field][0]}", text)
    return text


@cache
def _beginning(names: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.compile(
        r"^(?P<before>[ \t#*_>\[【(-]{0,12}(?:\d{1,3}[.)、][ \t]{0,3})?[*_]{0,3})"
        rf"(?:{longest_first})(?=[ \t]{{0,3}}\d{{0,3}}[*_\]】) \t]{{0,6}}(?:[:：]|$))",
        re.IGNORECASE | re.MULTILINE,
    )
