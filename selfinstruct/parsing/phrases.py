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


def _ends_or(verbs: str) -> str:
    """What follows "cannot": nothing more, or in the same sentence one of the `verbs`, which are stems."""
    return rf"(?=\W{{0,3}}(?:\Z|[.!\n])|[^.!?\n]{{0,80}}?\b(?:{verbs}))"


_SWEDISH = (
    "hjälp|svar|besvar|diskut|uppfyll|tillhandah|ge\\b|gör|skap|skriv|gener|utför|assist|dela|visa|öppna|komma åt"
)
_NORSE = (
    "hj[æe]lp|svar|besvar|diskut|op?pfyl|give|gi\\b|gør|gjør|lave|lage|skriv|gener|udfør|utfør|assist|dele|vise"
    "|åbne|åpne|bistå|imødekomme|efterkomme|etterkomme"
)
_FINNISH = "aut|vasta|tehdä|luoda|kirjoitta|tuotta|anta|tarjota|käsitel|suoritta|keskustel|toteutta|täyttä|jatka"
REFUSALS: dict[str, tuple[str, ...]] = {
    "English": (
        r"(?:i['’]?m |i am )?(?:so |very |truly |really )?sorry\W{1,4}(?:no\b|as an ai\b|(?:but|i)\b(?=[^.!?\n]{0,90}"
        r"\b(?:can(?:no|['’])t|can not|could not|couldn['’]t|unable|not able|won['’]t|will not|don['’]t|do not|isn['’]t"
        r"|is not|not allowed|as an ai|declin\w+|refus\w+|against|goes|violat\w+|no(?=[.!,]))\b))",
        r"i (?:can(?:no|['’])t|can not|won['’]t|will not) (?:help(?! but\b)|assist|fulfill?|comply|provide|create"
        r"|answer|generate|write|continue|engage|support|complete|access|browse|perform|discuss|talk about|share"
        r"|do (?:this|that))\b",
        r"(?:i['’]?m |i am )?(?:so |very )?sorry,? (?:but )?(?:i|we|that|this|your|it)\b[^.\n]{0,60}"
        r"\b(?:can(?:no|['’])t|can not|unable|not able|not allowed|not permitted|prohibited)\b",
        r"i['’]?m not comfortable (?:with )?(?:writing|discussing|answering|helping|providing|creating|sharing"
        r"|th(?:at|is))\b"
        r"|i(?:['’]d| would) (?:rather|prefer) not (?:to )?(?:answer|discuss|write|say|help|continue|provide)\b",
        r"(?:that|this)(?:['’]s| is) not something (?:that )?i (?:can|am able to|['’]m able to)\b"
        r"|i (?:won['’]t|will not) be able to (?:help|assist|answer|do|provide|complete|fulfill?)\b"
        r"|i (?:do not|don['’]t) have (?:access to (?:real[- ]time|current|the internet)"
        r"|personal (?:opinions|feelings))",
        r"(?:this|your|the) (?:request|prompt|question|message) (?:goes against|violates|(?:was|has been) (?:blocked"
        r"|flagged|rejected|filtered))\b(?=[^.\n]{0,40}\b(?:guidelines?|polic(?:y|ies)|safety|filters?|content|moderation)\b)",
        r"i['’]?m afraid (?:that )?i (?:can(?:no|['’])t|can not|won['’]t)\b",
        r"i(?:['’]?m| am) (?:unable|not able) to (?:help|assist|answer|provide|fulfill?|comply|create|generate|write"
        r"|complete|continue|engage|discuss|access|browse|open|view|see|verify|process|respond|give|perform|offer|do"
        r"|produce|display|play|share|support|translate|draw|make|determine|predict|recommend|directly|physically)\b"
        r"|i (?:must|have to) (?:respectfully )?decline\b"
        r"|unfortunately, (?:as an ai|i['’]m|i (?:can(?:no|['’])t|can not|may not|won['’]t|will not|do not|don['’]t|am)"
        r"|i must)\b",
        r"(?:i |my |please accept my )?(?:sincere )?apologi[sz]?(?:e|es)\b(?: for [^.,\n]{1,60})?,? ?(?:but|as)?,? ?"
        rf"{_DECLINES}",
        rf"as {MODEL}(?: (?:created|developed|trained|made|built) by [\w ]{{1,30}})?,? (?:i\b|it is not\b|my\b)",
        rf"i(?:['’]?m| am) (?:just |only |merely )?{MODEL}(?: and|,|\.)? (?:so )?"
        r"(?:i |do not|don['’]t|cannot|can['’]t)",
    ),
    "German": (
        r"(?:es tut mir (?:sehr |wirklich )?leid|entschuldigung|tut mir leid),? (?:aber )?(?:ich (?:kann|darf|bin)|als"
        r"|da(?:s|bei|zu|für|mit)|diese|hier)\b",
        r"leider (?:kann|darf) ich [^.\n]{0,60}?nicht (?:helfen|weiterhelfen|beantworten|erfüllen|bearbeiten|ausführen"
        r"|bereitstellen|erstellen|schreiben|unterstützen|geben|nennen|sagen|öffnen|zugreifen|tun|machen)"
        r"|ich kann (?:ihnen |dir )?(?:dabei|das|damit|diese[rmn]?) (?:leider )?nicht",
        r"als (?:ki\b|künstliche intelligenz|sprachmodell)",
    ),
    "Spanish": (
        r"(?:lo siento|lamento),? (?:mucho,? )?(?:pero\b[^.!?\n]{0,60}?)?\b(?:no (?:puedo|podemos|poder|me es posible"
        r"|es posible|tengo acceso|estoy (?:en condiciones|autorizad))|como (?:un|ia\b|modelo))",
        r"me temo que no puedo",
        r"como (?:un )?modelo de lenguaje|como (?:una )?(?:ia\b|inteligencia artificial)",
    ),
    "French": (
        r"(?:je suis )?(?:désolée?|navrée?),? (?:mais|je)\b(?=[^.!?\n]{0,60}\b(?:ne (?:peux|dispose|saurais"
        r"|suis (?:pas|qu))|n['’](?:ai pas accès|est pas)|en tant que?|impossible)\b)",
        r"je ne peux pas (?:répondre|vous aider|t['’]aider|fournir)",
        r"en tant qu['’](?:ia\b|intelligence artificielle|assistant)|en tant que modèle",
    ),
    "Portuguese": (
        r"(?:desculpe|sinto muito|lamento),? (?:(?:mas )?(?:eu )?não (?:posso|consigo|podemos|tenho acesso"
        r"|me é|é possível)|mas como\b)",
        r"como (?:um )?modelo de linguagem|como uma (?:ia\b|intelig)",
    ),
    "Italian": (
        r"mi dispiace,? (?:ma )?(?:non (?:posso|riesco|sono|ho accesso|mi è|è possibile)|come|in quanto)\b",
        r"in quanto (?:modello|ia\b|intelligenza)|come modello linguistico",
    ),
    "Dutch": (
        r"het spijt me,? maar (?:(?:dat |dit |daar |hier )?(?:ik )?(?:kan|mag|ben)|als)\b",
        r"als (?:een )?(?:ai-?)?taalmodel",
    ),
    "Swedish": (
        r"(?:jag är ledsen|jag beklagar|tyvärr|förlåt|beklagar),? (?:men )?(?:jag )?kan (?:jag )?(?:tyvärr )?inte\b"
        rf"{_ends_or(_SWEDISH)}"
        r"|jag kan (?:tyvärr )?inte (?:hjälpa|svara|besvara|diskutera|uppfylla)\b|som (?:en )?(?:ai\b|språkmodell)",
    ),
    "Danish and Norwegian": (
        r"(?:jeg beklager|beklager|undskyld|desværre|dessverre|jeg er ked af det),? (?:men )?"
        r"(?:(?:det )?kan jeg|jeg kan) (?:desværre |dessverre )?(?:ikke|ikkje)\b"
        rf"{_ends_or(_NORSE)}"
        r"|jeg kan (?:desværre |dessverre )?ikke (?:hj[æe]lpe|svare|besvare)\b|som (?:en )?(?:ai\b|spr[åo]g?kmodell?)",
    ),
    "Finnish": (
        r"(?:anteeksi|valitettavasti|olen pahoillani|pahoittelen),? (?:mutta )?(?:minä )?en (?:valitettavasti )?"
        rf"(?:voi|pysty)\b{_ends_or(_FINNISH)}"
        r"|en (?:valitettavasti )?(?:voi|pysty) (?:auttaa|vastata)|tekoäly(?:mallina|nä)\b",
    ),
    "Czech": (
        r"(?:je mi líto|omlouvám se|bohužel|lituji|promiňte),? (?:ale )?(?:\w+ ){0,3}?(?:nemohu|nemůžu|nedokážu)\b"
        r"|nemohu (?:vám |ti )?(?:pomoci|odpovědět)|jako (?:jazykový model|umělá inteligence)",
    ),
    "Slovak": (
        r"(?:je mi ľúto|ospravedlňujem sa|bohužiaľ|žiaľ|prepáčte),? (?:ale )?(?:\w+ ){0,3}?(?:nemôžem|neviem)\b",
    ),
    "Hungarian": (r"(?:sajnálom|sajnos|elnézést),? (?:de )?(?:\w+ ){0,3}?nem (?:tudok|tudom|segíthetek|lehet)\b",),
    "Romanian": (r"(?:îmi pare rău|din păcate|ne pare rău),? (?:dar )?nu (?:te |vă )?(?:pot|putem)\b",),
    "Greek": (
        r"(?:λυπάμαι|συγγνώμη|δυστυχώς|ζητώ συγγνώμη),? (?:αλλά )?(?:\w+ ){0,2}?δεν μπορώ\b"
        r"|ως (?:γλωσσικό μοντέλο|τεχνητή)",
    ),
    "Persian": (
        r"(?:متأسفم|متاسفم|متأسفانه|متاسفانه|ببخشید)[،,]? ?(?:اما |ولی )?(?:من )?(?:\w+ ){0,3}?"
        r"نمی[\u200c ]?(?:توانم|تونم)"
        r"|به عنوان یک (?:مدل زبانی|هوش مصنوعی)",
    ),
    "Hebrew": (
        r"(?:אני )?(?:מצטערת?|מתנצלת?|סליחה|לצערי)[,،]? ?(?:אבל |אך )?(?:אני )?"
        r"(?:אינני|לא|איני) (?:יכולה?|מסוגלת?|אוכל)"
        r"|כמודל שפה",
    ),
    "Swahili": (r"(?:samahani|naomba radhi|pole),? (?:lakini )?siwezi\b",),
    "Bengali": (r"(?:দুঃখিত|আমি দুঃখিত)[,।]? (?:কিন্তু )?আমি (?:\S+ ){0,4}?(?:পার(?:ছি|ব|বো|ি) না|অক্ষম)",),
    "Tamil": (r"(?:மன்னிக்கவும்|வருந்துகிறேன்)[,.]? (?:ஆனால் )?(?:\S+ ){0,4}?(?:முடியாது|இயலாது)",),
    "Tagalog": (r"(?:paumanhin|pasensya na),? (?:po,? )?(?:pero |ngunit )?hindi ko\b|hindi ko (?:po )?kayang\b",),
    "Polish": (
        r"(?:bardzo )?(?:przykro mi|przepraszam),? ale (?:\w+ ){0,3}?nie mogę\b",
        r"jako (?:model językowy|sztuczna inteligencja|ai\b)",
    ),
    "Russian": (
        r"(?:к сожалению|извините|простите),? (?:но )?(?:(?:я )?(?:не (?:могу|имею|способ|в состоянии)|как\b))",
        r"как (?:языковая модель|ии\b|искусственный интеллект)|(?:я|мне) (?:не могу|жаль, но)",
    ),
    "Ukrainian": (r"(?:на жаль|вибачте),? (?:але )?(?:я )?(?:не (?:можу|маю|здат)|як\b)|як мовна модель",),
    "Turkish": (
        r"üzgünüm,? (?:ama|ancak)(?=[^.!?\n]{0,90}(?:[ae]m[ae]m|[ae]m[ae]y|[ae]m[iı]y|mümkün değil|yapay zek|izin))",
        r"(?:bir )?(?:yapay zek[aâ]|dil modeli) olarak",
    ),
    "Arabic": (
        r"(?:أنا )?(?:عذرا|عذرًا|آسفة?|أعتذر)[،,]? (?:لا|لكن|ولكن)(?=[^.!؟\n]{0,60}(?:ستطيع|يمكن|قدر|قادر|بإمكان))",
        r"كنموذج لغوي|بصفتي نموذج",
    ),
    "Hindi": (
        r"(?:मुझे खेद है|क्षमा करें)(?=[^।!?\n]{0,90}(?:नहीं (?:कर |दे )?(?:सक|पा)|असमर्थ|मदद|मॉडल))|एक (?:एआई|भाषा) मॉडल",
    ),
    "Vietnamese": (r"(?:tôi )?(?:rất )?(?:xin lỗi|tiếc),? (?:nhưng )?(?:tôi không|với tư cách)",),
    "Indonesian": (r"maaf,? (?:(?:tetapi|tapi),? )?(?:saya (?:tidak|belum)|sebagai)\b|sebagai model bahasa",),
    "Thai": (r"(?:ขออภัย|ขอโทษ)(?:ครับ|ค่ะ)?,? ?(?:ฉัน|ผม|แต่)(?=[^.\n]{0,60}(?:ไม่สามารถ|ไม่ได้|ไม่มี|AI))",),
    "Chinese": (
        r"(?:(?:我)?(?:很|非常|十分)?(?:抱歉|遗憾|遺憾)|对不起|對不起)[^。！\n]{0,30}?"
        r"(?:无法|無法|不能|没法|不可以|不便|不支持|不会|不會|没有|沒有|不太|拒绝|作为|作為|AI|人工)|我(?:无法|無法|不能)(?:提供|回答|满足|滿足|协助|帮助|完成)",
        r"(?:作为|作為|身为|身為)[一个個名位款]{0,2}(?:AI|人工智[能慧]|大?(?:型)?(?:语言|語言)模型)",
    ),
    "Japanese": (
        r"(?:申し訳|すみませんが)[^。\n]{0,60}?(?:できま|できな|できかね|かねま|お答え|応じ|AI)|(?:AI|大規模)?言語モデルとして|AIとして",
    ),
    "Korean": (
        r"(?:죄송|미안하지만)[^\n]{0,60}?(?:수 없|못 ?[하합]|어렵|어려|불가|도와|AI)"
        r"|(?:AI|인공지능)(?: 언어)? ?모델로서|언어 모델로서",
    ),
}
# What is a model's own: its training, its rules, an opinion that it does not have.
_OF_ITS_OWN = (
    r"(?!(?:[^\W\d]+ ){0,2}(?:own\b|personal|apolog|opini|meinung|avis\b|parer|názor|мнени|думк|feeling|gefühl|sentim"
    r"|emo[tcz]i|чувств|program|train|entren|entra[iî]n|trein|addestr|trén|обуч|schulung|guid|richtl|direct|diretri|linee|pautas"
    r"|poli[tc]|правил|knowl|wissen|con[on]\w|wied|znal|znan|знан|abilit|habil|cap[ai]|fähig|möglich|zdoln|schopn|možn|možli"
    r"|возможн|limit|grenz|s[iy]stem|prompt|instr|инстр|anweis|design|diseñ|purpose|zweck|fun[ck]|fonct|creat|develop"
    r"|entwick|data|dat[eoa]|donn|данн|respon|answer|antwor|répon|rispo|scope|rol[el]?\b))"
)
# What only a person cannot do, in the same sentence: to come, to be there, to pay, to do it with what is theirs.
OF_A_PERSON: dict[str, tuple[str, ...]] = {
    "what is mine": (
        r"\b(?:my|mein(?:e[nmrs]?)?|(?:meu|minha)s?|mi[oae]|miei|mijn|min[ae]?|mitt|m[oó]j\w{0,4}"
        r"|sw[oó]j\w{0,4}|můj|mou|mé\w{0,3}|mých|svůj|svou|sv[ée]\w{0,3}|svých|svoj\w{0,4}|môj|мо[йяюиеё]|мо(?:их|ей|его)"
        rf"|сво\w{{1,3}}|мій|мо[єї]|me[ua]|mele) {_OF_ITS_OWN}",
        rf"\bpuedo\b[^.!?\n]{{0,60}}? mis? {_OF_ITS_OWN}"
        rf"|\b(?:peux|peut|saurais)\b[^.!?\n]{{0,60}}? m(?:on|a|es) {_OF_ITS_OWN}",
    ),
    "English": (
        r"\bbe (?:home|late|around|back)\b|\b(?:for|to) (?:dinner|lunch|breakfast|supper)\b|\bafford\b|\blend you\b"
        r"|\bpay (?:the|for|you|back)\b|\bpick \w+ up\b|\btalk (?:right )?now\b|\bstay (?:any )?long",
    ),
    "to pay": (
        r"\b(?:pagar[el]?|payer|be?zahlen|betal[ae]n?|zapłacić|zaplatit|zaplatiť|(?:за|о)платить|plăti|ödeyem\w+)\b",
    ),
    "Germanic and Romance": (
        r"\b(?:come(?! up)|attend(?! to)|join you|make it|be there|meet (?:you|up)|be with you|kommen|teilnehmen"
        r"|dabei sein|erscheinen|komma(?! åt)|komme|närvara|träffas|møtes|venir|assister à|être (?:là|présente?)"
        r"|asistir al?|acudir|estar (?:allí|presente)|comparecer|ir (?:à|ao)|venire|esserci|essere presente"
        r"|komen|aanwezig|veni|ajunge)\b",
    ),
    "Slavic and others": (
        r"\b(?:przyjść|przyjechać|przybyć|přijít|přijet|zúčastnit|prísť|zúčastniť|прийти|придти|приехать|присутствовать"
        r"|пойти|встретиться|приїхати|tulla|tule(?:maan)?|osallistua|päästä|elmenni|eljönni|jönni|έρθω|παρευρεθώ"
        r"|gelem\w+|kat[ıi]lam\w+|kuja|kufika|kuhudhuria|maka(?:ka)?(?:punta|rating|dalo)|datang|hadir|đến|tham dự)\b",
    ),
    "Asian": (
        r"الحضور|المجيء|أحضر|بیا[یي]م|حاضر شوم|לבוא|להגיע|আসতে|যেতে|வர முடி"
        r"|नहीं आ|शामिल|(?:มา|ไป|เข้า)ร่วม|สามารถ(?:มา|ไป)"
        r"|(?:能|法|会|會)(?:来|來|去|参加|參加|出席|到场|到場|赴|前往)|出席|参加でき|伺え|伺うこと|行けま|行くこと|参れ"
        r"|참석|[갈올] 수 없|[가오]지 못",
    ),
}
WITHOUT_INPUT: dict[str, tuple[str, ...]] = {
    "English": (
        r"none|n/?a|(?-i:nan)|nil|null|void|blank|empty|not\s+(?:applicable|needed|required|provided|given|available)",
        r"(?:none|nothing)\s+(?:is\s+)?(?:needed|required|necessary|provided|given)",
        r"(?:this|the)\s+(?:task|instruction|question|prompt)\s+(?:does\s+not|doesn['’]t)\s+(?:require|need|have|take)"
        r"\s+(?:any\s+|an\s+)?(?:(?:additional|further|specific)\s+)?input",
        r"none\s*\((?:the|this|no|instruction|task|self)[^()\n]{0,60}|no\s+input\s*\([^()\n]{0,60}",
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
    "Finnish": (r"ei\s+(?:syötettä|mitään|sovellettavissa|tarvita)|tyhjä",),
    "Swahili": (r"hakuna(?:\s+ingizo)?",),
    "Bengali": (r"প্রযোজ্য\s+নয়|কোনো\s+ইনপুট\s+নেই|নেই",),
    "Tamil": (r"(?:உள்ளீடு\s+)?இல்லை|பொருந்தாது",),
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
