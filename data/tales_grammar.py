"""The words and sentences of the embedded corpus; data/tales.py says how they become stories.

In a sentence, `<rule>` is replaced by one of the rule's alternatives, `{slot=class}` draws a word of a class and
remembers it under a name, and `{slot}` repeats it. A class never gives the same word twice in a story, so hero and
friend differ. `{slot.form}` prints that form of the word (else the first), with a capital if the form's name has one.
An alternative is a string, or (string, weight) where it is weight times as likely as its neighbours; alternatives of
one word each are written as one string.

Who and what will matter goes by an epithet, as in fairy tales: Little and the hero's name, Old and the friend's, the
precious thing, the lovely, the far and the dark place. The epithet announces what comes next, so a model can find it by
looking for what followed the same word before.

Words that follow `a` begin with a consonant, words that follow `an` with a vowel. Names and kinds go with either
pronoun.
"""

WORDS = {
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

RULES = {
    "story": ["<opening> <home> <treasure> <friend> <plot>"],
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
        "Little {hero} had a <snug> <cottage> <near> the lovely {home=place}, "
        "and {pro.she=pronoun} loved the lovely {home}.",
        "All year Little {hero} lived <near> the lovely {home=place}, and {pro.she=pronoun} loved the lovely {home}.",
        "Home for Little {hero} was a <cottage> <near> the lovely {home=place}, "
        "and {pro.she=pronoun} loved the lovely {home}.",
    ],
    "snug": "snug tiny crooked warm round narrow leafy wooden",
    "cottage": "cottage cabin burrow hut house den nest tent",
    "near": "near behind beside beyond",
    "treasure": [
        "There Little {hero} kept a precious {thing=thing}, all <red>, from {pro.her} <aunt>.",
        "{pro.She} had a precious {thing=thing}, all <red>, which stood on {pro.her} <shelf>.",
    ],
    "red": "red blue green yellow silver golden purple white brown pink grey black",
    "aunt": "aunt uncle grandmother grandfather cousin sister brother mother",
    "shelf": "shelf table windowsill chest stool cupboard",
    "friend": [
        "{pro.Her} best friend was Old {friend=name}, an {manner=manner} {fellow=kind} who lived by the far "
        "{nearby=place}.",
        "Down by the far {nearby=place} lived {pro.her} best friend, an {manner=manner} {fellow=kind} called Old "
        "{friend=name}.",
    ],
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
        "Alas, one <misty> <morning> Little {hero} lost the precious {thing}.",
    ],
    "misty": "misty rainy windy frosty cloudy snowy",
    "morning": "morning afternoon evening night",
    "hunt": [
        "{pro.She} looked under {number=number} <bushes>, but it was not there.",
        "High and low {pro.she} hunted, even under {number=number} <bushes>.",
    ],
    "bushes": "bushes stones logs leaves barrels pots boxes buckets",
    "comfort": [
        '"Do not <worry>, {hero}," <said> Old {friend}. "Let us try the dark {search=place}."',
        '"Perhaps it is by the dark {search=place}," <said> Old {friend}. "Do not <worry>, {hero}."',
    ],
    "worry": "worry cry despair weep",
    "said": "said whispered answered replied",
    "walk": [
        "So they <walked> to the dark {search} and asked {number} <snails>.",
        "Together they <walked> to the dark {search}, where {number} <snails> helped them.",
    ],
    "walked": "walked ran hurried marched",
    "snails": "snails ants cows sheep bees moths",
    "found": [
        "There, <under> a <log>, Old {friend} saw the precious {thing}, and Little {hero} <danced>.",
        "At last Little {hero} found the precious {thing} <under> a <log>, and Old {friend} <danced>.",
    ],
    "under": "under behind beside",
    "log": "log rock bush bench cart blanket bucket ladder",
    "danced": "danced laughed jumped clapped",
    # A wish
    "wish": [
        "More than anything, Little {hero} wished to learn how to {skill=skill}.",
        "Secretly {pro.she} wished to learn how to {skill=skill}.",
    ],
    "alone": [
        "For {number=number} <weeks> {pro.she} tried alone, but nothing went right.",
        "Alone {pro.she} tried for {number=number} <weeks>, all in vain.",
    ],
    "weeks": "days weeks nights months",
    "offer": [
        '"I will help you, {hero}," <said> Old {friend}, "if you lend me your precious {thing}."',
        '"Lend me your precious {thing}, {hero}," <said> Old {friend}, "and I will help you."',
    ],
    "lessons": [
        "So Little {hero} took the precious {thing} to the far {nearby}, where they ate <soup> and began.",
        "Off {pro.she} went to the far {nearby} with the precious {thing} and some <soup>.",
    ],
    "soup": "soup bread cheese porridge pancakes honey toast noodles pudding jam stew berries",
    "able": [
        "After {number} lessons {pro.she} could {skill} <well>, and Old {friend} gave back the precious {thing}.",
        "It took {number} lessons to {skill} <well>, and then Old {friend} gave back the precious {thing}.",
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
        "Proudly Little {hero} put all {number} of them into a <sack> with the precious {thing}.",
        "All {number} of them went into a <sack> with the precious {thing}.",
    ],
    "sack": "sack crate tub bowl trunk drawer",
    "fewer": [
        "But by <noon> there were only {number.less} {crop.many}, and the precious {thing} was gone.",
        "Yet by <noon> the precious {thing} was gone, and only {number.less} {crop.many} were left.",
    ],
    "noon": "noon sunset midnight dawn breakfast supper",
    "sorry": [
        '"I ate one {crop.one}, {hero}," <said> Old {friend}. "Here is your precious {thing}."',
        '"Forgive me, {hero}," <said> Old {friend}. "I ate one {crop.one}. Here is your precious {thing}."',
    ],
    "meal": [
        "{pro.She} forgave Old {friend}, and they shared the other {number.less} with some <soup>.",
        "Then they went to the far {nearby} and shared the other {number.less} with some <soup>.",
    ],
    # A storm
    "storm": [
        "Then a <fierce> {weather=weather} came and lasted {number=number} days.",
        "Without warning a <fierce> {weather=weather} came, and it lasted {number=number} days.",
    ],
    "fierce": "fierce wild dreadful bitter sudden noisy",
    "damage": [
        "It broke the {part=part} and carried off the precious {thing}.",
        "The {part=part} broke, and the precious {thing} was carried off.",
    ],
    "invitation": [
        '"Come to the far {nearby}, {hero}," <said> Old {friend}, "and stay with me."',
        '"Stay with me, {hero}," <said> Old {friend}. "It is safe by the far {nearby}."',
    ],
    "nights": [
        "So for {number} nights they ate <soup> and told stories by the fire.",
        "There {pro.she} stayed {number} nights, with <soup> for supper and stories by the fire.",
    ],
    "calm": [
        "When the sky cleared, they mended the {part} and found the precious {thing} <under> a <log>.",
        "Later Old {friend} found the precious {thing} <under> a <log>, and they mended the {part}.",
    ],
    # How it ended
    "together": [
        "Ever since, Old {friend} has come to the lovely {home} every <monday> with some <soup>.",
        "From then on Little {hero} and Old {friend} <drank> by the lovely {home} every <monday>.",
        "Now the precious {thing} is safe, and Old {friend} comes to the lovely {home} every <monday>.",
    ],
    "monday": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "drank": ["drank tea", "played cards", "shared supper", "went walking", "picked flowers", "made music"],
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
