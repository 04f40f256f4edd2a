"""Patterns for refusals, and for statements that there is no input, in the larger languages: a line or two for each.

A refusal is recognized by its first words; a statement that there is no input must be the whole text.
"""

MODEL = (
    r"(?:an? |just an? |only an? )?(?:(?:ai|artificial intelligence)(?: (?:language )?model| assistant| system)?"
    r"|(?:large )?language model|text-based (?:ai|model))\b"
)
_DECLINES = (
    r"(?:(?:i|we)(?: am|['’]m| are)? (?:can(?:no|['’])t|can not|won['’]t|will not|not able to|unable to"
    r"|(?:do not|don['’]t) (?:have|feel comfortable|possess)|must decline|have to decline)"
    rf"|i (?:must|have to) (?:decline|refuse)|as {MODEL}|i['’]?m (?:just |only )?{MODEL})"
)
REFUSALS: dict[str, tuple[str, ...]] = {
    "English": (
        r"(?:i['’]?m |i am )?(?:so |very |truly |really )?sorry\W{1,4}(?:but|i|no|as an ai)\b",
        r"i (?:can(?:no|['’])t|can not|won['’]t|will not) (?:help|assist|fulfill?|comply|provide|create|generate|answer"
        r"|write|continue|engage|support|complete|access|browse|perform|do (?:this|that))\b",
        r"i['’]?m afraid (?:that )?i (?:can(?:no|['’])t|can not|won['’]t)\b",
        r"i['’]?m (?:unable|not able) to\b|i (?:must|have to) (?:respectfully )?decline\b|unfortunately, i\b",
        r"(?:i |my |please accept my )?(?:sincere )?apologi[sz]?(?:e|es)\b(?: for [^.,\n]{1,60})?,? ?(?:but|as)?,? ?"
        rf"{_DECLINES}",
        rf"as {MODEL}(?: (?:created|developed|trained|made|built) by [\w ]{{1,30}})?,? (?:i\b|it is not\b|my\b)",
        rf"i(?:['’]?m| am) (?:just |only |merely )?{MODEL}(?: and|,|\.)? (?:so )?"
        r"(?:i |do not|don['’]t|cannot|can['’]t)",
    ),
    "German": (
        r"es tut mir (?:sehr )?leid,? (?:aber|ich kann)|(?:entschuldigung|tut mir leid),? (?:aber|ich kann)",
        r"leider kann ich|ich kann (?:ihnen |dir )?(?:dabei|das|damit|diese[rmn]?) (?:leider )?nicht",
        r"als (?:ki\b|künstliche intelligenz|sprachmodell)",
    ),
    "Spanish": (
        r"lo siento,? (?:mucho,? )?(?:pero|no)\b|lamento,? (?:pero|no)\b|me temo que no puedo",
        r"como (?:un )?modelo de lenguaje|como (?:una )?(?:ia\b|inteligencia artificial)",
    ),
    "French": (
        r"(?:je suis )?(?:désolée?|navrée?),? (?:mais|je)\b|je ne peux pas (?:répondre|vous aider|t['’]aider|fournir)",
        r"en tant qu['’](?:ia\b|intelligence artificielle|assistant)|en tant que modèle",
    ),
    "Portuguese": (
        r"(?:desculpe|sinto muito|lamento),? (?:mas|não)\b|como (?:um )?modelo de linguagem|como uma (?:ia\b|intelig)",
    ),
    "Italian": (r"mi dispiace,? (?:ma|non)\b|in quanto (?:modello|ia\b|intelligenza)|come modello linguistico",),
    "Dutch": (r"het spijt me,? maar|als (?:een )?(?:ai-?)?taalmodel",),
    "Polish": (r"przykro mi,? ale|jako (?:model językowy|sztuczna inteligencja|ai\b)",),
    "Russian": (
        r"(?:к сожалению|извините|простите),? (?:но |я (?:не|как)|как\b)",
        r"как (?:языковая модель|ии\b|искусственный интеллект)|(?:я|мне) (?:не могу|жаль, но)",
    ),
    "Ukrainian": (r"(?:на жаль|вибачте),? (?:але|я|як)\b|як мовна модель",),
    "Turkish": (r"üzgünüm,? (?:ama|ancak)|(?:bir )?(?:yapay zek[aâ]|dil modeli) olarak",),
    "Arabic": (r"(?:عذرا|عذرًا|آسف|أعتذر)[،,]? (?:لا|لكن|ولكن)|كنموذج لغوي|بصفتي نموذج",),
    "Hindi": (r"मुझे खेद है|क्षमा करें,? (?:मैं|लेकिन)|एक (?:एआई|भाषा) मॉडल",),
    "Vietnamese": (r"(?:tôi )?(?:rất )?(?:xin lỗi|tiếc),? (?:nhưng|tôi không)",),
    "Indonesian": (r"maaf,? (?:tetapi|tapi|saya tidak)|sebagai model bahasa",),
    "Thai": (r"(?:ขออภัย|ขอโทษ)(?:ครับ|ค่ะ)?,? ?(?:ฉัน|ผม|แต่)",),
    "Chinese": (
        r"(?:我)?(?:很|非常|十分)?(?:抱歉|遗憾|遺憾)|对不起|對不起|我(?:无法|無法|不能)(?:提供|回答|满足|滿足|协助|帮助|完成)",
        r"(?:作为|作為|身为|身為)[一个個名位款]{0,2}(?:AI|人工智[能慧]|大?(?:型)?(?:语言|語言)模型)",
    ),
    "Japanese": (r"申し訳(?:あり|ござい)|すみませんが|(?:AI|大規模)?言語モデルとして|AIとして",),
    "Korean": (r"죄송|미안하지만|(?:AI|인공지능)(?: 언어)? ?모델로서|언어 모델로서",),
}
WITHOUT_INPUT: dict[str, tuple[str, ...]] = {
    "English": (
        r"none|n/?a|(?-i:nan)|nil|null|void|blank|empty|not\s+(?:applicable|needed|required|provided|given|available)",
        r"(?:none|nothing)\s+(?:is\s+)?(?:needed|required|necessary|provided|given)",
        r"(?:there\s+is\s+)?no[\s_-]*(?:(?:additional|further|specific)\s+)?inputs?(?:\s+(?:is\s+|was\s+)?(?:needed"
        r"|required|necessary|provided|given)(?:\s+for\s+this\s+task)?)?",
    ),
    "German": (
        r"kein(?:e|er)?(?:\s+(?:eingabe|angabe|input)(?:\s+(?:nötig|erforderlich|notwendig|vorhanden))?)?|leer",
        r"nicht\s+(?:zutreffend|erforderlich)|ohne\s+eingabe",
    ),
    "Spanish": (
        r"ningun[oa]?|(?:ninguna|sin|no\s+hay)\s+entrada|vacío",
        r"no\s+(?:aplica|aplicable|se\s+(?:requiere|necesita)\s+(?:ninguna\s+)?entrada)",
    ),
    "French": (
        r"aucune?|(?:aucune\s|pas\s+d['’]|sans\s)\s*entrée(?:\s+(?:requise|nécessaire))?|sans\s+objet|néant|vide",
        r"non\s+applicable",
    ),
    "Portuguese": (r"nenhum(?:a)?(?:\s+entrada)?|sem\s+entrada|não\s+(?:aplicável|se\s+aplica)|vazio",),
    "Italian": (r"nessun[oa]?(?:\s+input)?|non\s+applicabile|vuoto",),
    "Dutch": (r"geen(?:\s+(?:invoer|input))?|niet\s+van\s+toepassing|leeg",),
    "Scandinavian": (r"ing[ae]n(?:\s+(?:indata|input|inndata))?",),
    "Polish": (r"brak(?:\s+(?:danych(?:\s+wejściowych)?|wejścia))?|nie\s+dotyczy",),
    "Czech": (r"žádný(?:\s+vstup)?|prázdn[éý]",),
    "Hungarian": (r"üres|nincs(?:\s+(?:bemenet|input))?",),
    "Romanian": (r"niciun[ăa]?(?:\s+intrare)?|nu\s+este\s+cazul",),
    "Russian": (
        r"нет(?:\s+(?:входных\s+данных|ввода|входа))?|не\s+(?:требуется|применимо|нужен)|пусто",
        r"(?:без|отсутству[ею]т)\s+(?:ввода|входных\s+данных|вход)|отсутствует",
    ),
    "Ukrainian": (r"немає(?:\s+вхідних\s+даних)?",),
    "Turkish": (r"yok|girdi\s+(?:yok|gerekmiyor|gerekmez)|boş",),
    "Greek": (r"κανένα?|δεν\s+υπάρχει(?:\s+είσοδος)?",),
    "Arabic": (r"لا\s+(?:يوجد|شيء)(?:\s+(?:إدخال|مدخلات?))?|بدون\s+إدخال|فارغ",),
    "Persian": (r"ندارد|خالی|بدون\s+ورودی",),
    "Hebrew": (r"אין(?:\s+קלט)?|ללא\s+קלט",),
    "Hindi": (r"कोई\s+(?:इनपुट\s+)?नहीं",),
    "Vietnamese": (r"không(?:\s+có)?(?:\s+đầu\s+vào)?|trống",),
    "Indonesian": (r"tidak\s+(?:ada|diperlukan)(?:\s+(?:masukan|input))?|kosong",),
    "Thai": (r"ไม่มี(?:อินพุต|ข้อมูล(?:เข้า)?)?",),
    "Chinese": (r"(?:无|無|没有|沒有|暂无|不需要|无需|無需)(?:输入|輸入|内容)?|空(?:白|输入)?|不适用",),
    "Japanese": (r"(?:特に)?(?:なし|無し)|入力(?:なし|は?不要|はありません)",),
    "Korean": (r"(?:입력\s*)?없음|입력(?:이|은)?\s*없(?:음|습니다)|해당\s*(?:사항\s*)?없음",),
}


def any_of(table: dict[str, tuple[str, ...]]) -> str:
    """One pattern for a table."""
    return "(?:" + "|".join(pattern for patterns in table.values() for pattern in patterns) + ")"
