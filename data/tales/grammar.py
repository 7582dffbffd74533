"""The words and sentences of the embedded corpus; data/tales/stories.py says how they become stories.

In a sentence, `<rule>` is replaced by one of the rule's alternatives, `{slot=class}` draws a word of a class and
remembers it under a name, and `{slot}` repeats it. A class never gives the same word twice in a story, so hero and
friend differ. `{slot.form}` prints that form of the word (otherwise the first), with a capital if the form's name has
one. `{slot+class}` draws one more word under the same name: this makes a song, word by word. `{slot*}` sings it again
to its end, beginning at any word of its first half (of five words, one of the first three), each equally likely.
An alternative is a string, or (string, weight) where it is weight times as likely as its neighbours; alternatives of
one word each are written as one string.

Whoever and whatever will matter has an epithet, as in fairy tales: Little before the hero's name, Old before the
friend's, the precious thing, the lovely, the far and the dark place. The epithet announces what comes next, so a model
can find it by looking for what followed the same word before.

In every story a song is sung four times, of four to seven words of all kinds without any meaning: none announces the
next. Where it is sung again, a model can only look for the current word where it was sung before, and at what followed
there.

Words that follow `a` begin with a consonant, words that follow `an` with a vowel. Names and kinds go with either
pronoun.
"""

Alternatives = str | list[str | tuple[str, int]]

WORDS: dict[str, str | dict[str, str]] = {
    "name": (
        "Barley Biscuit Bobbin Bracken Bramble Button Clover Comet Dusty Ember Fennel Flint Juniper Linden Maple "
        "Marlow Moss Muffin Nettle Nutmeg Pebble Pepper Pickle Pip Quill Robin Rowan Rusty Sage Sunny Thistle Toffee"
    ),
    "pronoun": {"she": "she he", "her": "her his"},
    "trait": "young brave shy clever merry gentle proud lazy quiet kind polite careful bold sleepy tidy",
    "manner": "eager honest anxious idle earnest untidy odd able active easygoing amusing",
    "kind": (
        "fox badger hare mouse goose otter squirrel rabbit duck goat lamb mole frog toad owl sparrow beaver kitten "
        "pony bear crow donkey puppy wolf"
    ),
    "place": (
        "mill river orchard harbour bridge meadow market forest castle station garden tower cave lake beach stable"
    ),
    "thing": (
        "kite drum lantern scarf bell ring key whistle teapot spoon ribbon basket flute marble hat cup map coin "
        "feather pencil kettle brush book mirror"
    ),
    "number": {
        "many": "three four five six seven eight nine ten eleven twelve",
        "less": "two three four five six seven eight nine ten eleven",
    },
    "crop": {
        "many": "apples pears plums turnips carrots melons potatoes peaches lemons onions nuts figs",
        "one": "apple pear plum turnip carrot melon potato peach lemon onion nut fig",
    },
    "skill": "sing dance paint juggle skate knit bake read write sew sail fish climb weave carve row",
    "weather": "storm gale blizzard flood tempest whirlwind",
    "part": "roof door window chimney gate wall",
}

RULES: dict[str, Alternatives] = {
    "story": ["<opening> <home> <treasure> <friend> <song> <plot>"],
    # Who, where, with what, with whom
    "opening": ["<once> there lived a {trait=trait} {kind=kind} called Little {hero=name}."],
    "once": [
        ("Once upon a time", 3),
        "Long ago",
        "Far away",
        "Many winters ago",
        "In a quiet valley",
        "Beyond the hills",
    ],
    "home": [
        "Little {hero} had a <snug> <cottage> <near> the lovely {home=place}.",
        "All year Little {hero} lived <near> the lovely {home=place}.",
        "Home for Little {hero} was a <cottage> <near> the lovely {home=place}.",
    ],
    "snug": "snug tiny crooked warm round narrow leafy wooden",
    "cottage": "cottage cabin burrow hut house den nest tent",
    "near": "near behind beside beyond",
    "treasure": [
        "There {pro.she=pronoun} kept {pro.her} precious {thing=thing}, all <red>.",
        "{pro.She=pronoun} had a precious {thing=thing} from {pro.her} <aunt>.",
    ],
    "red": "red blue green yellow silver golden purple white brown pink grey black",
    "aunt": "aunt uncle grandmother grandfather cousin sister brother mother",
    "friend": [
        "{pro.Her} best friend was Old {friend=name}, an {manner=manner} {fellow=kind} from the far {nearby=place}.",
        "By the far {nearby=place} lived {pro.her} best friend, an {manner=manner} {fellow=kind} called Old "
        "{friend=name}.",
    ],
    # A song of four to seven words, each length as likely, which ends in tralala
    "song": ["Old {friend} sang: {song=song} {song+song} {song+song} {song+song} <fifth> <echo>"],
    "fifth": [("{song+song} <sixth>", 3), "tralala."],
    "sixth": [("{song+song} <seventh>", 2), "tralala."],
    "seventh": ["{song+song} tralala.", "tralala."],
    "echo": ["Little {hero} sang: {song*} tralala."],
    # What happened: the first word of the next sentence tells which
    "plot": [
        "<missing> <hunt> <comfort> <walk> <found> <together> <ending> <lost_moral>.",
        "<wish> <alone> <offer> <lessons> <able> <together> <ending> <wish_moral>.",
        "<harvest> <counted> <fewer> <sorry> <meal> <together> <ending> <harvest_moral>.",
        "<storm> <damage> <invitation> <nights> <calm> <together> <ending> <storm_moral>.",
    ],
    # A thing is lost
    "missing": [
        "One <misty> <morning> the precious {thing} was gone.",
        "Alas, one <misty> <morning> {pro.she} lost the precious {thing}.",
    ],
    "misty": "misty rainy windy frosty cloudy snowy",
    "morning": "morning afternoon evening night",
    "hunt": [
        "{pro.She} looked under {number=number} <bushes>, all in vain.",
        "Even under {number=number} <bushes> {pro.she} looked for it.",
    ],
    "bushes": "bushes stones logs leaves barrels pots boxes buckets",
    "comfort": [
        '"Let us try the dark {search=place}, {hero}," <said> Old {friend}.',
        '"Perhaps by the dark {search=place}, {hero}," <said> Old {friend}.',
    ],
    "said": "said whispered answered replied",
    "walk": [
        "With {number} <snails> they <walked> to the dark {search}, singing: {song*} tralala.",
        "They <walked> to the dark {search} with {number} <snails>, singing: {song*} tralala.",
    ],
    "walked": "walked ran hurried marched",
    "snails": "snails ants cows sheep bees moths",
    "found": [
        "There, <under> a <log>, Old {friend} saw the precious {thing}.",
        "At last {pro.she} found the precious {thing} <under> a <log>.",
    ],
    "under": "under behind beside",
    "log": "log rock bush bench cart blanket bucket ladder",
    # A wish
    "wish": [
        "More than anything, {pro.she} wished to learn how to {skill=skill}.",
        "Secretly {pro.she} wished to learn how to {skill=skill}.",
    ],
    "alone": [
        "For {number=number} <weeks> {pro.she} tried alone.",
        "Alone {pro.she} tried for {number=number} <weeks>.",
    ],
    "weeks": "days weeks nights months",
    "offer": [
        '"I will help you, {hero}," <said> Old {friend}, "for your precious {thing}."',
        '"Lend me your precious {thing}, {hero}," <said> Old {friend}, "and I will help."',
    ],
    "lessons": [
        "So they went to the far {nearby} with some <soup> and sang: {song*} tralala.",
        "Off {pro.she} went to the far {nearby} with some <soup>, singing: {song*} tralala.",
    ],
    "soup": "soup bread cheese porridge pancakes honey toast noodles pudding jam stew berries",
    "able": [
        "After {number} lessons {pro.she} could {skill} <well>.",
        "It took {number} lessons to {skill} <well>.",
    ],
    "well": "well nicely perfectly proudly quickly bravely",
    # A harvest is counted
    "harvest": [
        "When <august> came, Little {hero} picked {number=number} <ripe> {crop.many=crop}.",
        "That <august> {pro.she} picked {number=number} <ripe> {crop.many=crop}.",
    ],
    "august": "June July August September October November",
    "ripe": "ripe juicy fat huge shiny sweet",
    "counted": [
        "{pro.She} put the precious {thing} and all {number} into a <sack>.",
        "All {number} went into a <sack> with the precious {thing}.",
    ],
    "sack": "sack crate tub bowl trunk drawer",
    "fewer": [
        "But by <noon> there were only {number.less} {crop.many}.",
        "Yet by <noon> only {number.less} {crop.many} were left.",
    ],
    "noon": "noon sunset midnight dawn breakfast supper",
    "sorry": [
        '"I ate one {crop.one}, {hero}," <said> Old {friend}.',
        '"Forgive me, {hero}," <said> Old {friend}. "I ate one {crop.one}."',
    ],
    "meal": [
        "{pro.She} laughed, and they shared the other {number.less} and sang: {song*} tralala.",
        "They shared the other {number.less} at the far {nearby}, singing: {song*} tralala.",
    ],
    # A storm
    "storm": [
        "Then a <fierce> {weather=weather} came and lasted {number=number} days.",
        "Without warning came a <fierce> {weather=weather} and lasted {number=number} days.",
    ],
    "fierce": "fierce wild dreadful bitter sudden noisy",
    "damage": [
        "It broke the {part=part} and took the precious {thing}.",
        "The {part=part} broke, and away flew the precious {thing}.",
    ],
    "invitation": [
        '"Come to the far {nearby}, {hero}," <said> Old {friend}.',
        '"Stay with me by the far {nearby}, {hero}," <said> Old {friend}.',
    ],
    "nights": [
        "For {number} nights they sang by the fire: {song*} tralala.",
        "There {pro.she} stayed {number} nights, and they sang: {song*} tralala.",
    ],
    "calm": [
        "When the sky cleared, they found the precious {thing}.",
        "Later Old {friend} mended the {part} and found the precious {thing}.",
    ],
    # How it ended
    "together": [
        "Ever since, they sing by the lovely {home} every <monday>: {song*} tralala.",
        "Now every <monday> they sing by the lovely {home}: {song*} tralala.",
    ],
    "monday": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "ending": ["Remember:", "So remember:", "The moral is:"],
    "lost_moral": [
        "what is lost may be found",
        "four eyes see more than two",
        "never give up too soon",
        "friends are the best treasure",
    ],
    "wish_moral": [
        "nobody learns alone",
        "great skills grow slowly",
        "lending is a kind of giving",
        "try again and never give up",
    ],
    "harvest_moral": [
        "sharing makes supper sweeter",
        "honest words mend what is broken",
        "forgiving is better than counting",
        "friends cannot be counted",
    ],
    "storm_moral": [
        "after rain comes sunshine",
        "friends are the best roof",
        "no storm lasts for ever",
        "kind words keep us warm",
    ],
}

# The words of songs: of all kinds, each equally likely.
_CLASSES = [words for word_class, words in WORDS.items() if word_class not in ("name", "pronoun")]
_FORMS = [form for words in _CLASSES for form in (words.values() if isinstance(words, dict) else [words])]
_RULES = ["snug", "cottage", "red", "soup", "misty", "morning", "bushes", "log", "snails", "ripe", "sack", "fierce"]
_FORMS += [str(RULES[rule]) for rule in _RULES]
WORDS["song"] = " ".join(dict.fromkeys(word for form in _FORMS for word in form.split()))
