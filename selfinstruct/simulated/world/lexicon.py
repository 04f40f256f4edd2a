"""The word lists of all instructions: names, places, roles, things, topics, and what inputs are called."""

from collections.abc import Iterable


def phrases(text: str) -> tuple[str, ...]:
    """Split "one, two words, three" (over any number of lines) at its commas."""
    return tuple(" ".join(phrase.split()) for phrase in text.split(","))


def words(text: str) -> tuple[str, ...]:
    """Split "one two three" (over any number of lines) at its spaces."""
    return tuple(text.split())


def with_article(nouns: Iterable[str]) -> tuple[str, ...]:
    """Put "a" or "an" before every noun, depending on its first letter."""
    return tuple(("an " if noun[0] in "aeiou" else "a ") + noun for noun in nouns)


NAMES = phrases("""
    Greta, Tobias, Amina, Oskar, Priya, Lorenzo, Beatrix, Kwame, Sunniva, Dmitri, Paloma, Ewan, Yuki, Rosalind, Idris,
    Marta, Caspian, Leila, Barnaby, Noor, Viggo, Henrietta, Mateo, Solveig, Jasper, Adaeze, Ferdinand, Keiko, Rowan,
    Zofia, Ambrose, Chiara, Desmond, Elif, Gideon, Harriet, Ivor, Jolanta, Kester, Lucinda, Magnus, Nadia, Orson,
    Philippa, Quentin, Renata, Sebastian, Tamsin, Ulrich, Verity, Wendell, Xenia, Yannick, Zelda, Alistair, Bronwen,
    Cosima, Dashiell, Emeka, Freya, Gustav, Hedda, Ingmar, Juno, Kalinda, Ludovic, Mirabel, Nestor, Odette, Percival,
    Rafaela, Stellan, Thandiwe, Ursula, Valentin, Winifred, Yusuf, Zora
""")

TOWNS = phrases("""
    Norwich, Bergen, Porto, Lyon, Krakow, Galway, Trieste, Aarhus, Valencia, Leipzig, Dundee, Tartu, Ghent, Bologna,
    Salzburg, Uppsala, Split, Cork, Utrecht, Bruges, Kyoto, Accra, Nairobi, Lima, Quebec, Tampere, Whitby, Ljubljana,
    Granada, Plovdiv, Riga, Basel, Coimbra, Durham, Esbjerg, Falmouth, Graz, Haarlem, Inverness, Jaipur, Kaunas, Lucca,
    Matera, Nantes, Odense, Penzance, Reykjavik, Stavanger, Toledo, Umea, Verona, Wexford, Ystad, Zadar, Antwerp, Brno,
    Cusco, Dakar, Fez, Hobart, Izmir, Kandy, Lviv, Mombasa, Napier, Oaxaca, Pune, Rouen, Siena, Turku, Varna, Zanzibar
""")

ROLES = phrases("""
    beekeeper, librarian, ferry captain, clockmaker, botanist, baker, archivist, shepherd, glassblower, schoolteacher,
    cartwright, lighthouse keeper, nurse, stonemason, florist, postman, sailmaker, tailor, gardener, bookbinder,
    cheesemonger, geologist, tram driver, midwife, cobbler, weaver, translator, potter, miller, astronomer, brewer,
    carpenter, dentist, engraver, falconer, goldsmith, harpist, innkeeper, juggler, kite maker, locksmith, mountaineer,
    night porter, oboist, plumber, quilter, ranger, saddler, thatcher, umbrella mender, vet, watchmaker, xylophonist,
    yoga teacher, zookeeper, accountant, barber, cyclist, diver, electrician, fishmonger, grocer, hatter, ice skater,
    joiner, knitter, lifeguard, mechanic, notary, optician, pharmacist, roofer, surveyor, toymaker, upholsterer,
    violinist, welder, farmer, historian, chess coach, bus conductor, paramedic, perfumer, puppeteer, rower, sculptor,
    soap maker, stable hand, tea taster, typesetter, vintner, warden, basket maker, candle maker, choir leader
""")

MOODS = phrases("""
    retired, elderly, cheerful, patient, forgetful, young, meticulous, curious, tired, newly hired, absent-minded,
    soft-spoken, impatient, generous, travelling, part-time, famous, local, shy, talkative, hard-working, apprentice,
    thoughtful, sceptical, stubborn, hurried, polite, amateur, ambitious, careful, restless, modest, short-sighted,
    witty, nervous, friendly, practical, frugal, quiet, proud, left-handed, well-read, self-taught, sleepy, eager,
    bilingual, grumpy, kind, semi-retired, visiting
""")

INSTITUTIONS = phrases("""
    canal museum, seed library, rope workshop, village school, tea house, ferry company, chess club, dairy, bookshop,
    observatory, orchard, post office, pottery studio, railway society, bakery, theatre, vineyard, swimming club,
    printing house, hospital kitchen, fire station, weather station, allotment society, antique shop, bicycle workshop,
    boatyard, botanical garden, butterfly house, campsite, candle factory, cheese cellar, choir, circus school, clinic,
    clock tower, community hall, debating society, fencing club, fish market, flower nursery, fossil collection,
    guest house, hat shop, herb garden, hiking club, ice rink, knitting circle, laundry, lighthouse trust, marina,
    monastery, mountain refuge, mushroom farm, newspaper office, night school, owl sanctuary, paper mill, parish office,
    pet shelter, planetarium, puppet theatre, quarry, radio station, rowing club, salt works, ski lodge, spice market,
    tailor shop, toy museum, travel agency, veterinary practice, watermill, wool merchant, youth hostel, zoo
""")

AIRS = phrases("""
    small, windswept, century-old, crowded, family-run, sleepy, freshly painted, well-loved, draughty, remote, bustling,
    half-empty, sunlit, cramped, riverside, hillside, cosy, old-fashioned, prosperous, underfunded, spotless,
    ramshackle, island, coastal, suburban, mountain, volunteer-led, seasonal, floating, newly opened, award-winning,
    ivy-covered, noisy, tranquil, provincial, rural, ancient, elegant, experimental, unheated
""")

THINGS = phrases("""
    ledgers, tide tables, postcards, recipe cards, timetables, labels, letters, logbooks, price lists, notices,
    visitor books, seed packets, catalogues, order slips, diaries, index cards, invoices, travel journals, inventories,
    questionnaires, minutes, receipts, tickets, programmes, schedules, notebooks, telegrams, leaflets, registers,
    chalkboards, menus, crossword clues, field notes, quiz cards, shopping lists, name tags, signposts,
    vocabulary cards, lost property slips, harvest records, rehearsal notes, membership cards, permits, almanacs,
    ration books, weather reports, shipping notes, lesson plans, riddles, proverbs, gift tags, greeting cards,
    obituaries, pamphlets, guest lists, customs forms, repair tickets, library slips, scorecards,
    knitting patterns, bulletins, memoirs
""")

DOING = phrases("""
    sorting, tidying, copying out, checking, translating, cataloguing, rescuing, proofreading, rearranging, digitising,
    reading through, typing up, restoring, unpacking, labelling, numbering, auditing, comparing, summarising,
    transcribing, reviewing, dusting off, collecting, re-ordering, inspecting, correcting, exchanging, deciphering,
    indexing, updating, examining, preserving, assembling, studying, drafting, distributing, laminating, annotating
""")

TOPICS = phrases("""
    rope making, alpine beetles, clay pipes, tidal pools, medieval bread, paper kites, desert foxes, railway bridges,
    wild orchids, wooden toys, volcanic islands, silk dyeing, winter swimming, migrating storks, stone walls,
    tea ceremonies, sea shanties, honey harvests, frozen lakes, fairground horses, apple varieties, ancient coins,
    street lamps, canal locks, mountain huts, cave paintings, hot-air balloons, garden snails, lost alphabets,
    chess openings, pearl diving, weather vanes, sourdough, snow leopards, glass beads, tram lines, marathon training,
    folk dances, carrier pigeons, coral reefs, drystone barns, eclipses, fermented cabbage, gliders, hedgehogs,
    iron bridges, jasmine tea, kelp forests, lace making, moon phases, nomadic herders, olive presses, peat bogs,
    quilts, river otters, sundials, truffle hunting, urban foxes, vinegar, windmills, yew trees, zinc mines, saffron,
    bamboo scaffolding, bell ringing, copper kettles, dolphins, earthquakes, fireflies, geysers, harbour seals,
    ink recipes, juggling, lanterns, mosaics, night trains, oyster beds, porcelain, rainwater, shadow puppets,
    thunderstorms, umbrellas, violins, whale songs, yachts, typewriters, beavers, comets, marmalade, acorns
""")

EVENTS = phrases("""
    spring fair, annual regatta, harvest supper, quiz evening, charity auction, school play, village fete, open day,
    winter market, book sale, jubilee, flower show, town council meeting, folk festival, staff outing, science week,
    cookery contest, bicycle rally, lantern parade, pottery exhibition, chess tournament, reading marathon,
    choir rehearsal, opening ceremony, tea tasting, puppet show, garden party, night hike, family reunion, seed swap,
    treasure hunt, poetry slam, farewell dinner, spelling bee, boat launch, pancake race, history lecture, job fair,
    sheepdog trial, kite day, midsummer dance, repair cafe, wedding, tree planting, language exchange, inspection
""")

NOTING = phrases("""
    noted, scribbled, copied, wrote down, dictated, typed, pencilled, chalked up, jotted down, recorded, left,
    collected, found, printed, posted, put together, memorised, underlined, handed over, received
""")

WHERE = phrases("""
    on a postcard, in a ledger, on the back of a ticket, in the margin of a cookbook, on a paper napkin,
    in a waterproof notebook, on a chalkboard, at the bottom of a receipt, inside a birthday card, on a luggage label,
    in an old diary, on a train to {town}, during the {event}, on the way to {town}, at the {institution},
    for the {event}, in {a_air} {institution}, on a sheet of wrapping paper, under the heading of {topic},
    in a letter from {town}, after the {event}, on a library slip, in the staff room, over breakfast in {town},
    beside a note on {topic}, between two pages on {topic}, on a flour sack, in a lecture on {topic}, on a seed packet,
    on the lid of a biscuit tin, in a railway compartment, before the {event}, on a yellow index card
""")

SEASONS = phrases("""
    spring, summer, autumn, winter, January, February, April, June, July, August, September, October, November, weekend,
    evening, holiday, afternoon, rainy season, school year, fortnight
""")

VESSELS = phrases("""
    box, crate, suitcase, drawer, trunk, basket, parcel, cupboard, shelf, stack, bundle, sackful, tin, barrel, trolley,
    wardrobe, hatbox, folder, chest, bag
""")

PRODUCTS = phrases("""
    quiz, newsletter, poster, handbook, exhibition, crossword, exercise book, calendar, brochure, board game, timetable,
    lecture, cookbook, guidebook, worksheet, radio play, school magazine, card game, spreadsheet, display case,
    teaching kit, phrase book, pocket dictionary, scrapbook, mobile app, travel column, treasure trail, children's book,
    website, training course, notice board, annual report, visitor trail, puzzle page, podcast
""")

RELATIVES = phrases("""
    aunt, uncle, cousin, neighbour, niece, nephew, grandmother, grandfather, colleague, landlady, flatmate, godfather,
    sister, brother, stepfather, classmate, penfriend, manager, tutor, lodger
""")

INPUT_NAMES: dict[str, tuple[str, ...]] = {
    "words": ("the words", "all the words", "the listed words", "the terms", "the single words"),
    "word": ("the word", "the single word", "the term"),
    "pair": ("the two words", "both words", "the two terms"),
    "numbers": ("the numbers", "the listed numbers", "all the figures", "the values", "the whole numbers"),
    "number": ("the number", "the figure", "the whole number", "the value"),
    "sentence": ("the sentence", "the line", "the short sentence", "the one sentence"),
    "text": ("the text", "the passage", "the short text", "the lines", "the message"),
    "phrase": ("the phrase", "the expression", "the title", "the name"),
    "message": ("the message", "the note", "the short message", "the text"),
    "date": ("the date", "the calendar date", "the day"),
    "clock": ("the time", "the clock time", "the time of day"),
    "year": ("the year", "the calendar year", "the number of the year"),
    "couple": ("the two numbers", "both numbers", "the two figures"),
    "dates": ("the two dates", "both dates", "the two days"),
    "record": ("the record", "the entry", "the small record", "the row"),
    "story": ("the story", "the little puzzle", "the word problem", "the situation"),
    "measure": ("the measurement", "the amount", "the quantity"),
}
"""What an input is called, by its kind. The scenery adds where it comes from: "the words Greta noted on a postcard"."""
