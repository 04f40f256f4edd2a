"""The material for inputs: common nouns, names, dates, numbers in words, and everyday sentences.

>>> sentence(Random(1))
'Mirabel and Freya painted the striped kite by the kitchen window.'
"""

from collections.abc import Sequence
from random import Random

from selfinstruct.simulated.world.grammar import Rules, expand, pick
from selfinstruct.simulated.world.lexicon import NAMES, TOWNS, phrases, words

MONTHS = words("January February March April May June July August September October November December")
WEEKDAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")

ANIMALS = words("""
    badger heron otter weasel falcon beaver donkey lizard salmon spider beetle pigeon rabbit hamster walrus camel eagle
    tiger zebra goose ferret gecko lobster magpie newt panther puffin raven robin sparrow squid toad trout turtle viper
    whale wolf wombat yak moth hyena iguana jackal koala lemur mole ostrich parrot seal stork
""")
PLANTS = words("""
    oak willow fern tulip daisy moss ivy clover thistle nettle birch maple cedar lavender orchid lilac heather bamboo
    juniper poppy violet cactus spruce poplar hazel primrose dandelion sunflower hawthorn honeysuckle magnolia marigold
    bracken buttercup chestnut cypress elder foxglove geranium hyacinth jasmine larch mistletoe pansy petunia rhubarb
""")
MINERALS = words("""
    quartz granite basalt marble slate flint topaz garnet opal jade gypsum talc pyrite galena mica feldspar chalk
    limestone sandstone obsidian malachite graphite hematite zircon beryl calcite dolomite halite olivine onyx
    agate amethyst azurite bauxite cinnabar fluorite magnetite pumice serpentine turquoise
""")
TOOLS = words("""
    hammer chisel pliers wrench saw drill spanner mallet trowel rake shovel hoe axe crowbar screwdriver sickle scythe
    pickaxe tongs clamp anvil ladder plane spade
""")
FRUIT = words("""
    apple banana cherry mango papaya peach pear plum quince raspberry strawberry apricot blackberry grape lemon lime
    melon nectarine orange fig kiwi pineapple pomegranate tangerine blueberry
""")
OBJECTS = words("""
    lantern kettle ribbon bottle curtain mirror candle basket pillow carpet ladle button thimble umbrella compass
    trumpet violin saddle anchor barrel bucket cushion drawer feather garment helmet inkwell jacket kite lamp magnet
    needle oar parcel quilt rope napkin table urn vase wagon yarn zipper blanket cabinet doorbell envelope flagpole
    goblet hammock icicle jigsaw keyring letterbox mattress notebook overcoat pencil raincoat sandal teapot clarinet
    uniform locket windmill ferry tray canary jersey lily berry diary trolley chimney box brush bench torch
""")
PLACES = words("""
    bridge castle cellar cottage factory fountain garden harbour island jungle kitchen library market museum ocean
    palace quarry river school station temple village waterfall orchard meadow tunnel
""")
NOUNS = tuple(dict.fromkeys(ANIMALS + PLANTS + MINERALS + FRUIT + OBJECTS + PLACES))

SURNAMES = words("""
    Fox Hill Berry Stone Marsh Reed Frost Wood Field Brook Lake Nash Pike Quill Rowe Sharp Thorne Vale West York Ash
    Barley Crane Dale Easton Finch Grove Hale Irving Jolly Keen Lowe Moss North Oakes Plum Rivers Summers Tanner
""")

ONES = words("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
""")
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

ADJECTIVES = words("""
    heavy bright broken wooden silver ancient tiny painted rusty elegant hollow yellow purple crooked striped polished
    dusty shiny narrow fragile curious plain woollen golden scarlet smooth foreign enormous battered modern
""")

COMMAS = ("", ", separated by commas", " with commas between them", " as a comma-separated list")
"""Ways to ask for a list as the answer; a list of single words or numbers has commas anyway."""

SENTENCES = (
    "{name} {does} {few} {adjective} {object}s {place}.",
    "{name} and {name} {did} the {adjective} {object} {place}.",
    "the {adjective} {object} {stood} {place} until {name} {did} it.",
    "every {time} {name} {does} the {object} {place}.",
    "last {time} {name} from {town} {did} {few} {object}s.",
    "{place}, {name} {did} a {plain} {object} and a {plain} {object}.",
    "nobody in {town} knew why {name} {did} the {object}.",
    "{name} {does} the {adjective} {object}, but {name} {did} the {object}.",
)
SENTENCE_WORDS: dict[str, Sequence[str]] = {
    "name": NAMES,
    "town": TOWNS,
    "object": tuple(noun for noun in OBJECTS if noun[-1] not in "sxyh"),
    "adjective": ADJECTIVES,
    "plain": tuple(word for word in ADJECTIVES if word[0] not in "aeiou"),
    "few": ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "several", "many"),
    "does": ("finds", "carries", "paints", "sells", "borrows", "repairs", "admires", "counts", "hides", "buys"),
    "did": ("found", "carried", "painted", "sold", "borrowed", "repaired", "admired", "described", "hid", "bought"),
    "stood": ("stood", "waited", "remained", "rested", "leaned", "was forgotten", "lay"),
    "time": ("morning", "evening", "summer", "winter", "Monday", "Friday", "autumn", "weekend"),
    "weekday": WEEKDAYS,
    "number": tuple(str(number) for number in range(2, 900)),
    "clock": tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(0, 60, 5)),
    "place": phrases("""
        near the old station, behind the bakery, under the stone bridge, beside the quiet lake, in the back room,
        at the corner shop, on the upper deck, next to the garden wall, outside the town hall, by the kitchen window,
        across the frozen river, inside the blue tent, above the boat shed, along the sandy path
    """),
}


def capital(text: str) -> str:
    """Capitalize the first letter and leave the rest alone."""
    return text[:1].upper() + text[1:]


def say(templates: Sequence[str], rules: Rules, rng: Random) -> str:
    """Expand one of the templates and start it with a capital letter."""
    return capital(expand(pick(templates, rng), rules, rng))


def sentence(rng: Random) -> str:
    """Make an everyday sentence of 8 to 16 words, without digits, that ends with a full stop."""
    return say(SENTENCES, SENTENCE_WORDS, rng)


def word_list(rng: Random, least: int = 5, most: int = 8) -> list[str]:
    """Draw `least` to `most` different nouns."""
    return rng.sample(NOUNS, rng.randint(least, most))


def in_words(number: int) -> str:
    """Spell a whole number from 0 to 999999 in English words, as in "four hundred and twelve"."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = f" and {in_words(number % 100)}" if number % 100 else ""
        return f"{ONES[number // 100]} hundred{rest}"
    low = number % 1000
    rest = (" and " if low < 100 else " ") + in_words(low) if low else ""
    return f"{in_words(number // 1000)} thousand{rest}"


RHYMES: tuple[tuple[str, ...], ...] = tuple(
    words(group)
    for group in (
        "night light fight sight might flight bright knight right tight",
        "cake lake snake rake bake flake brake shake wake",
        "moon spoon noon balloon cartoon raccoon lagoon",
        "gold cold fold bold hold old sold",
        "ring king sing wing string spring swing",
        "boat coat goat float throat moat",
        "train rain chain grain brain drain plain",
        "bell shell well smell spell yell",
        "rock clock sock lock block knock flock",
        "hill mill pill drill grill spill thrill",
        "nest best west vest guest chest quest",
        "duck truck luck stuck buck",
        "tray clay play hay pray stay",
        "bunk trunk skunk junk chunk",
        "jar star car scar tar guitar",
        "hope rope slope soap telescope",
        "brown town crown clown gown drown",
        "mouse house blouse grouse",
        "lamp stamp camp ramp damp",
        "hand sand land band stand",
        "dice mice rice slice price spice",
        "pin fin tin chin twin violin",
    )
)
"""Groups of words that rhyme with one another and with no word of another group."""
