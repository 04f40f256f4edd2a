"""The sentences of the classifications by wording: for every label of a family, templates and the words only it uses.

Where possible the labels of a family share their templates, so that only the words give the label away. The slots that
are not listed here (`name`, `object`, `place`, ...) are filled with words that do not affect the label.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from selfinstruct.simulated.world.lexicon import phrases
from selfinstruct.simulated.world.vocabulary import ANIMALS, MINERALS, PLANTS, SENTENCE_WORDS


class Wording(NamedTuple):
    """How sentences of one label are made: templates, and the words for the slots that show the label."""

    templates: tuple[str, ...]
    words: Mapping[str, Sequence[str]]


NEUTRAL: dict[str, Sequence[str]] = {**SENTENCE_WORDS, "thing": SENTENCE_WORDS["object"]}


def _shared(templates: tuple[str, ...], **words: str) -> dict[str, Wording]:
    """Give every label the same templates and its own words for {mark}; "_" in a label means a space."""
    return {label.replace("_", " "): Wording(templates, {"mark": phrases(listed)}) for label, listed in words.items()}


SENTIMENT = _shared(
    (
        "the {object} from {town} was {mark} and the whole {time} felt {mark}.",
        "{name} called the {thing} {mark}, and I found the service {mark} too.",
        "we bought the {adjective} {object} on {weekday} and it is simply {mark}.",
        "what {name} made of the {thing} {place} is {mark}, truly {mark}.",
    ),
    positive="""delightful, wonderful, excellent, superb, lovely, fantastic, brilliant, charming, marvellous, great,
        splendid, perfect, pleasant, amazing, impressive""",
    negative="""awful, terrible, dreadful, horrible, disappointing, miserable, poor, boring, useless, annoying,
        shoddy, nasty, unpleasant, pathetic, appalling""",
)

TOPIC = _shared(
    (
        "{name} and {name} spoke about the {mark} and the {mark} on {weekday}.",
        "the article from {town} compares one {mark} with another {mark}.",
        "after a long {time} {name} finally understood the {mark}, not to mention the {mark}.",
        "nothing interests {name} from {town} more than the {mark} or the {mark}.",
    ),
    cooking="recipe, oven, frying pan, soup, seasoning, dough, roast, simmering sauce, chef, marinade, casserole",
    sport="goalkeeper, referee, penalty, league, tournament, sprint, coach, relay, stadium, batting, offside rule",
    weather="thunderstorm, drizzle, heatwave, forecast, hailstorm, fog, blizzard, humidity, sleet, breeze, cold front",
    travel="passport, airport, hotel, suitcase, itinerary, tourist visa, cruise, luggage, hostel, boarding pass",
    finance="mortgage, interest rate, budget, invoice, dividend, loan, tax return, savings account, stock exchange",
)

EMOTION = _shared(
    (
        "{name} was {mark} when the {object} arrived {place}.",
        "on {weekday} {name} from {town} felt {mark} about the {adjective} {object}.",
        "all {time} {name} remained {mark} because of the {thing}.",
        "seeing the {adjective} {thing}, {name} grew {mark} and went home {mark}.",
    ),
    joy="happy, overjoyed, delighted, thrilled, cheerful, jubilant, elated, merry, gleeful",
    anger="furious, angry, outraged, enraged, livid, irate, fuming, indignant, incensed",
    fear="terrified, afraid, scared, frightened, petrified, panicky, fearful, alarmed, horrified",
    sadness="sad, heartbroken, gloomy, tearful, mournful, sorrowful, dejected, downcast, melancholy",
)

URGENCY = _shared(
    (
        "{name}, the {object} {place} needs your attention, {mark}.",
        "about the {adjective} {thing} for {name} in {town}: {mark}.",
        "could someone look at the {object} {place}? {mark}, says {name}.",
        "message from {name} on {weekday} about the {thing}: {mark}!",
    ),
    urgent="""immediately, this is an emergency, right now, it cannot wait, before it is too late, without delay,
        every minute counts, as soon as humanly possible, drop everything else""",
    not_urgent="""whenever you like, there is no rush, take your time, some day next month, at your leisure,
        only if you feel like it, no hurry at all, when things are calmer, at some later point""",
)

REGISTER = _shared(
    (
        "{mark} the {adjective} {object} from {town}, {mark2}.",
        "{mark} what {name} {did} {place}, {mark2}.",
        "{mark} the {thing} for {weekday}, {mark2}.",
    ),
    formal="we hereby confirm, kindly acknowledge, we respectfully request, please be advised regarding, I enclose",
    informal="hey guys check out, wanna see, gonna grab, dude look at, yo gimme, omg you gotta try",
)
for _label, _endings in {
    "formal": "yours faithfully, with sincere regards, most respectfully, in accordance with our correspondence",
    "informal": "cheers mate, lol, see ya later, thanks a bunch buddy, so cool huh",
}.items():
    REGISTER[_label] = Wording(REGISTER[_label].templates, {**REGISTER[_label].words, "mark2": phrases(_endings)})

SPAM = _shared(
    (
        "dear {name}, {mark} with the {adjective} {object} from {town}: {mark}.",
        "{mark}! The {thing} {place} is for {name}, {mark}.",
        "hello {name}, about the {thing} on {weekday}: {mark}, {mark}.",
    ),
    spam="""claim your free prize, you are our lucky winner, click here to win cash, unbeatable discount guaranteed,
        double your income overnight, act fast for a bonus, congratulations millionaire""",
    genuine="""I shall return it after lunch, thank you for lending it, the meeting moved to room four,
        mother sends her love, the plumber comes at noon, your library loan is overdue, I enjoyed our walk""",
)

DEPARTMENT = _shared(
    (
        "{name} from {town} asks about the {object}: {mark}.",
        "my {adjective} {thing} worries me, {mark}, and I have waited since {weekday}.",
        "order by {name}, {object}, note of {weekday}: {mark}.",
    ),
    billing="""I was charged twice, the invoice shows a wrong sum, my refund never came, the card payment failed,
        the receipt lists a strange fee""",
    delivery="""the parcel got lost, the courier rang next door, tracking stopped working, shipping takes forever,
        the van drove past my address""",
    repair="""the handle broke off, the motor makes a rattling noise, the screen is cracked, a hinge came loose,
        the switch no longer clicks""",
)

PERSON = {
    "first": Wording(
        ("{mark} {did} the {object} {place}.", "on {weekday} {mark} {did} the {adjective} {thing} for {name}.",
         "last {time} {mark} {did} {few} {object}s in {town}."),
        {"mark": ("I", "we", "my sister and I", "both of us", "we two", "I alone")},
    ),
    "second": Wording((), {"mark": ("you", "you alone", "you yourself", "your sister and you", "you and your aunt")}),
    "third": Wording(
        (), {"mark": ("she", "he", "they", "his uncle", "her niece", "their neighbours", "she herself", "he alone")}
    ),
}  # fmt: skip
PERSON = {label: Wording(PERSON["first"].templates, wording.words) for label, wording in PERSON.items()}

_VERBS = phrases("""
    carry carried carries, paint painted paints, borrow borrowed borrows, repair repaired repairs,
    admire admired admires, describe described describes, wash washed washes, lift lifted lifts,
    sell sold sells, hide hid hides, find found finds, bring brought brings, choose chose chooses, wrap wrapped wraps
""")
_TENSE_TEMPLATES = (
    "{name} {mark} the {adjective} {object} {place}.", "{place}, {name} {mark} {few} {object}s.",
    "the friend of {name} in {town} {mark} the {object} and {few} {thing}s.",
)  # fmt: skip
TENSE = {
    "past": Wording(_TENSE_TEMPLATES, {"mark": tuple(verb.split()[1] for verb in _VERBS)}),
    "present": Wording(_TENSE_TEMPLATES, {"mark": tuple(verb.split()[2] for verb in _VERBS)}),
    "future": Wording(_TENSE_TEMPLATES, {"mark": tuple(f"will {verb.split()[0]}" for verb in _VERBS)}),
}

_KINGDOM_TEMPLATES = (
    "{name} wrote about the {mark} that {name} {did} {place}.", "on {weekday} the children in {town} saw a {mark}.",
    "page {few} of {name}'s notebook describes one {mark} in detail.",
    "the {adjective} {mark} {place} surprised {name}.",
)  # fmt: skip
KINGDOM = {
    "animal": Wording(_KINGDOM_TEMPLATES, {"mark": ANIMALS}),
    "plant": Wording(_KINGDOM_TEMPLATES, {"mark": PLANTS}),
    "mineral": Wording(_KINGDOM_TEMPLATES, {"mark": MINERALS}),
}


def _language(subject: str, verb: str, object_: str, where: str) -> Wording:
    words = {"a": phrases(subject), "b": phrases(verb), "c": phrases(object_), "d": phrases(where)}
    return Wording(("{a} {b} {c} {d}.",), words)


LANGUAGE = {
    "English": _language(
        "the old baker, my neighbour, our teacher, the little girl, a tall sailor, the shy student, her brother",
        "buys, is looking for, always forgets, sees, paints, would like, has lost",
        "the red umbrella, three keys, a fresh loaf, the blue bicycle, some cheese, two letters, a small dog",
        "in the garden, at the station, every morning, near the bridge, after lunch, on the market square",
    ),
    "German": _language(
        "der alte Bäcker, mein Nachbar, unsere Lehrerin, das kleine Mädchen, ein großer Matrose, die junge Studentin",
        "kauft, sucht, vergisst immer, sieht, malt, braucht heute, verliert oft",
        "den roten Regenschirm, drei Schlüssel, ein frisches Brot, das blaue Fahrrad, etwas Käse, zwei Briefe",
        "im Garten, am Bahnhof, jeden Morgen, neben der Brücke, nach dem Essen, auf dem Marktplatz",
    ),
    "French": _language(
        "le vieux boulanger, mon voisin, notre maîtresse, la petite fille, un grand marin, cette étudiante, ton frère",
        "achète, cherche, oublie toujours, voit, peint, voudrait, perd souvent",
        "le parapluie rouge, trois clés, du pain frais, le vélo bleu, un peu de fromage, deux lettres, ce petit chien",
        "dans le jardin, à la gare, chaque matin, près du pont, après le déjeuner, sur la place du marché",
    ),
    "Spanish": _language(
        "el viejo panadero, mi vecino, nuestra maestra, la niña pequeña, un marinero alto, esta estudiante, tu hermano",
        "compra, busca, siempre olvida, ve, pinta, quiere, pierde a menudo",
        "el paraguas rojo, tres llaves, un pan fresco, la bicicleta azul, un poco de queso, dos cartas, ese perro",
        "en el jardín, en la estación, cada mañana, cerca del puente, después de comer, en la plaza del mercado",
    ),
    "Italian": _language(
        "il vecchio fornaio, il mio vicino, la nostra maestra, la bambina, un marinaio alto, questa studentessa",
        "compra, cerca, dimentica sempre, vede, dipinge, vorrebbe, perde spesso",
        "l'ombrello rosso, tre chiavi, il pane fresco, la bicicletta blu, un po' di formaggio, due lettere, quel cane",
        "nel giardino, alla stazione, ogni mattina, vicino al ponte, dopo pranzo, sulla piazza del mercato",
    ),
}
_CHORES = phrases("close, open, bring, carry, wash, repair, hide, measure, lift, clean, lock, move, fetch, wrap")
SENTENCE_KIND = {
    "question": Wording(
        ("did {name} see the {adjective} {object} {place}?", "where is the {object} that {name} {did}?",
         "why has {name} left {few} {object}s {place}?", "will the {thing} reach {town} by {weekday}?"),
        {},
    ),
    "statement": Wording(
        ("{name} {did} the {adjective} {object} {place}.", "the {object} belongs to {name} in {town}.",
         "on {weekday} {name} {did} {few} {thing}s.", "{place} lies the {thing} of {name}."),
        {},
    ),
    "command": Wording(
        ("{chore} the {adjective} {object} {place}.", "{chore} {few} {object}s for {name}.",
         "{chore} the {thing} before {name} arrives on {weekday}."),
        {"chore": _CHORES},
    ),
}  # fmt: skip
CHORES = frozenset(_CHORES)
