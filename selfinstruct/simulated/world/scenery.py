"""What surrounds a task: who asks, where the input comes from, why, and how to answer. None of it affects the answer.

Every entry of `LEXICON` is one symbol that instructions may use, with its wordings; a wording may use other symbols.
`expand("{scene}", LEXICON, rng)` says, for example, "while sorting the tide tables of a windswept canal museum". The
lists are long and share few words, so that two instructions of one kind rarely resemble each other.
"""

from collections.abc import Sequence

from selfinstruct.simulated.world.lexicon import (
    AIRS,
    DOING,
    EVENTS,
    INPUT_NAMES,
    INSTITUTIONS,
    MOODS,
    NAMES,
    NOTING,
    PRODUCTS,
    RELATIVES,
    ROLES,
    SEASONS,
    THINGS,
    TOPICS,
    TOWNS,
    VESSELS,
    WHERE,
    with_article,
)

_PERSON = ("{name}", "the {role}", "{a_mood} {role}", "{name} from {town}", "the {role} from {town}",
           "{name} the {role}", "my {mood} {relative}", "the {mood} {role}", "{a_role} from {town}")  # fmt: skip

_SOURCES = (
    "below", "given below", "supplied underneath", "printed underneath", "in the input", "in the next field",
    "{person} {noted} {where}", "that {person} {noted} {where}", "{person} {noted}", "which {person} {noted} {where}",
    "from {person}", "from the {things} of {a_air} {institution}", "taken from {a_product} on {topic}",
    "that came with {a_vessel} of {things}", "from {a_product} about {topic}", "found among the {things}",
)  # fmt: skip

_SCENES = (
    "while {doing} the {things} of {a_air} {institution}",
    "while {doing} {things} with {person}",
    "for {a_product} about {topic}",
    "for {a_product} that {person} is preparing",
    "as part of {a_air} {institution}'s {product} on {topic}",
    "as a favour to {person}",
    "in preparation for the {event} at {a_air} {institution}",
    "before the {event} in {town} begins",
    "on behalf of {a_mood} {role} in {town}",
    "with the {event} only days away",
    "to help {person} with {a_product} about {topic}",
    "to settle a bet between {person} and {person}",
    "now that the {institution} in {town} is {doing} its {things}",
    "because {person} is busy {doing} {things}",
    "since the {institution} in {town} has no {role} this {season}",
    "for the benefit of {a_role} who collects {things}",
    "after {a_season} spent {doing} {things} in {town}",
    "in the spirit of {a_product} on {topic}",
    "although {person} would rather talk about {topic}",
    "during a lesson on {topic} at {a_air} {institution}",
    "as a warm-up for {a_mood} class of future {role}s",
    "when {a_role} from {town} calls about the {things}",
)

_BACKGROUNDS = (
    "{person} is spending the {season} {doing} {things} in {town}",
    "{a_air} {institution} in {town} has inherited {a_vessel} of {things}",
    "{person} has sent us {a_vessel} of {things} about {topic}",
    "I am helping {person} with {a_product} about {topic}",
    "you are helping {a_mood} {role} who is {doing} {things}",
    "imagine you work at {a_air} {institution} in {town}",
    "our {institution} is preparing for the {event} and {person} is {doing} the {things}",
    "the {event} in {town} needs {a_product} about {topic}",
    "I found {a_vessel} of {things} at the {institution} in {town}",
    "{person} and {person} are {doing} {things} together",
    "I run {a_air} {institution} and write {a_product} on {topic}",
    "there is {a_vessel} of {things} left over from the {event}",
    "you are {a_mood} {role} at {a_air} {institution}",
    "every {season} the {institution} in {town} sets a puzzle about {topic}",
    "nobody at the {institution} has time for this during the {event}",
    "last {season} {person} began {doing} the {things} of {a_role}",
    "I promised {person} {a_product} by the end of the {event}",
    "this is a small exercise from {a_product} about {topic}",
    "a visitor from {town} left {a_vessel} of {things} with {person}",
    "we are {doing} {things} for {a_role} in {town}",
)

_REASONS = (
    "so that {person} can finish {doing} the {things}",
    "because {person} needs it for {a_product} about {topic}",
    "since the {event} starts soon and {person} is {doing} {things}",
    "so the {institution} in {town} can update its {things}",
    "as {person} would do before {doing} {things}",
    "because the {things} of the {institution} depend on it",
    "just as {a_role} would for {a_product} on {topic}",
    "so that nobody at the {event} has to wait for {person}",
    "since {person} asked for it between {topic} and {topic}",
    "because {a_mood} {role} in {town} is curious",
    "as the {product} for the {event} is due this {season}",
    "so that {a_product} about {topic} can be printed",
)

_FORMATS = (
    "reply with the answer alone", "give nothing but the result", "leave out any explanation",
    "no greeting or comment is needed", "one bare answer is enough", "please skip the reasoning",
    "do not add a preamble", "write only what was asked for", "keep your working to yourself",
    "a reply without any extra words is best", "state the result and stop there", "I need just the answer",
    "{person} will paste your reply into {a_product}, so add nothing else",
    "your reply goes straight into {a_vessel} of {things}, hence no commentary",
    "{person} dislikes chatter, so write the answer only",
    "the {things} leave room for the answer and nothing more",
    "just the result, since {a_product} about {topic} has little space",
    "answer as tersely as {a_mood} {role} would",
    "spare {person} the explanation",
    "the {role} at the {institution} will read only the answer itself",
    "anything beyond the answer would confuse {person}",
    "skip the pleasantries, because {person} is {doing} {things}",
    "print the bare result for the {institution}'s {product}",
    "omit remarks of the kind {person} makes about {topic}",
)  # fmt: skip

_PURPOSES = (
    "the result is meant for {a_product} about {topic}",
    "{person} will use it at the {event} in {town}",
    "it will appear in {a_product} of {a_air} {institution}",
    "this will save {person} an evening of {doing} {things}",
    "{a_role} in {town} is waiting for the result",
    "the answer decides what {person} does with the {things}",
    "I will read it out at the {event} for {person}",
    "we collect such answers in {a_vessel} of {things} about {topic}",
    "afterwards {person} returns to {doing} the {things}",
    "the {institution} in {town} will thank you for it",
    "{person} swears that it matters for {topic}",
    "it belongs on page one of {a_product} by {person}",
)


_INPUTS = {kind: tuple(f"{name} {{source}}" for name in names) for kind, names in INPUT_NAMES.items()}

LEXICON: dict[str, Sequence[str]] = {
    **_INPUTS,
    "name": NAMES,
    "town": TOWNS,
    "role": ROLES,
    "a_role": with_article(ROLES),
    "mood": MOODS,
    "a_mood": with_article(MOODS),
    "relative": RELATIVES,
    "person": _PERSON,
    "institution": INSTITUTIONS,
    "a_air": with_article(AIRS),
    "things": THINGS,
    "doing": DOING,
    "topic": TOPICS,
    "event": EVENTS,
    "noted": NOTING,
    "where": WHERE,
    "season": SEASONS,
    "a_season": with_article(SEASONS),
    "a_vessel": with_article(VESSELS),
    "product": PRODUCTS,
    "a_product": with_article(PRODUCTS),
    "source": _SOURCES,
    "scene": _SCENES,
    "background": _BACKGROUNDS,
    "reason": _REASONS,
    "format": _FORMATS,
    "purpose": _PURPOSES,
}

FRAMES: tuple[tuple[str, ...], ...] = (
    ("{scene}, {order}.", "{format}."),
    ("{scene}, please {order}.", "{format}."),
    ("{scene}, I would like you to {order}.", "{format}."),
    ("{background}.", "{order}.", "{format}."),
    ("{background}.", "please {order}, {reason}."),
    ("{background}; your task is to {order}.", "{format}."),
    ("{order}, {reason}.", "{format}."),
    ("{order}.", "{purpose}, and {format}."),
    ("please {order}.", "{purpose}."),
    ("could you {order}?", "{background}."),
    ("would you kindly {order}, {reason}?", "{format}."),
    ("{person} wants you to {order}.", "{background}."),
    ("{person} has asked us to {order}, {reason}.",),
    ("here is a chore for {a_mood} {role}: {order}.", "{purpose}."),
    ("{scene}, there is one thing to do: {order}.",),
    ("your job, {scene}, is to {order}.", "{format}."),
    ("I need your help with {a_product} about {topic}: {order}.", "{format}."),
    ("{background}.", "{question}?", "{format}."),
    ("{background}.", "so tell me, {question}?", "{purpose}."),
    ("{person} wonders, {question}?", "{format}."),
    ("{question}?", "{purpose}, and {format}."),
    ("{question}?", "{background}.", "{format}."),
    ("here is a question {person} raised {where}: {question}?", "{format}."),
    ("{scene}, one question came up: {question}?", "{format}."),
    ("I keep asking myself, {scene}: {question}?", "{purpose}."),
)
"""Whole instructions, sentence by sentence; {order} and {question} stand for the part that says what to do."""
