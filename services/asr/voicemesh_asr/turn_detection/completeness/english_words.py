"""English word classes that the rules look at."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z]+(?:['’][a-z]+)*|\d+(?:[.,:]\d+)*")


def words_of(text: str) -> list[str]:
    """The words of an English text in lower case, without marks; [] for other scripts."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def phrases(text: str) -> frozenset[str]:
    """Phrases that are written with a bar between them."""
    return frozenset(text.split("|"))


PERSONS = _set("i you he she it we they there")
PRONOUNS = PERSONS | _set("this that these those")
OBJECTS = _set("me us him them")
ARTICLES = _set("a an the my your his her its our their each every any some no")
SUBJECTS = (
    PRONOUNS
    | ARTICLES
    | _set(
        "everybody everyone somebody someone anybody anyone nobody everything something anything "
        "nothing people"
    )
)
BE = _set("is are was were am isn't aren't wasn't weren't")
HELPING_VERBS = _set(
    "do does did have has had can could will would shall should may might must don't doesn't "
    "didn't haven't hasn't can't couldn't won't wouldn't shouldn't"
)
AUXILIARIES = BE | HELPING_VERBS | _set("be been")
CONTRACTED = _set(
    "i'm you're he's she's it's we're they're that's there's i'll you'll we'll they'll i'd you'd "
    "we'd i've you've we've they've let's"
)
QUESTION_WORDS = _set(
    "what who whom whose where when why how which what's who's where's how's when's"
)
IMPERATIVES = _set(
    "book buy calculate compare convert cook delete dial dim drive email feed forward heat lock "
    "message move navigate note pay print raise recommend remove rename rewind save schedule share "
    "shuffle snooze suggest text vacuum wash water "
    "add answer ask be bring call cancel change charge check clean close come continue count dance "
    "describe explain find follow forget get give go grab hang help hold increase jump keep lead "
    "introduce leave let listen look louder lower make mute name open order pause pick play "
    "please put quit read "
    "record remember remind repeat reset restart resume return roll run say search send set show "
    "shut sing sit skip sleep slow speak spell stand start stay stop switch take talk teach tell "
    "thank translate turn unlock wait wake walk watch write"
)
# Nobody says these without saying what.
TRANSITIVE_VERBS = _set(
    "bring brought buy bought describe discovered find found get give gave hear invented make "
    "need needs put read say send sent set show take told took translate use using want "
    "wants wanted wear write wrote"
)
# These want somebody and something: "tell me", "give him".
GIVING_VERBS = _set(
    "bring brought buy find gave get give make read remind send sent show showed sing teach tell "
    "told"
)
# What is missing behind these is told by the next word: "have you ever", "I just".
LEADING_ADVERBS = _set("ever just only also even probably almost nearly")
# What is thought, said or felt comes behind these.
THINKING_VERBS = _set(
    "think thought guess believe suppose hope heard wonder wondering mean said says wish seems "
    "prefer"
)
# Verbs of plain statements, as they stand behind "my brother" and "the train".
STATING_VERBS = _set(
    "lives works likes wants needs goes comes takes costs looks sounds feels plays says leaves "
    "starts begins ends stops opens closes knows makes sings sleeps went came took left lived "
    "liked worked started stopped arrived happened"
)
CONJUNCTIONS = _set(
    "and or but because cause if when while although though unless until since so than whether as"
)
SUBORDINATORS = _set("if when while although though unless until since before after whenever")
FILLERS = _set("um uh er erm hmm mm mhm uhm ah like")
INTENSIFIERS = _set("very really quite too rather extremely")
PREPOSITIONS = _set(
    "of to with from at for by about into onto between during without against among towards "
    "toward per via like near behind under below above beside within across through"
)
CONTINUING_VERBS = _set("wanna gonna gotta called named i'll i'd we'll let's")
OPERATORS = _set("plus minus times divided multiplied over")
DIGITS = _set("zero oh one two three four five six seven eight nine")
NUMBERS = DIGITS | _set(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty "
    "forty fifty sixty seventy eighty ninety hundred thousand million billion point"
)
# Behind "the" these announce the thing itself.
RANKING_ADJECTIVES = _set("first second third next last best worst biggest smallest other most")
# Of what? Where that is known they stand alone.
RELATIONAL_NOUNS = _set(
    "author capital cause color colour definition difference distance height inventor kind king "
    "length meaning name number owner population president price queen size sort speed title type "
    "weight"
)
# Verbs that say where or when somebody moves; alone they leave the question open.
MOTIONS = _set("goes comes leaves leads runs drives lives stops")
# What polite people put in front of what they say.
OPENERS = _set("please okay ok oh hey well so and yes yeah no now robot then hello hi")
COMPLETE_PHRASES = phrases(
    "yes|no|yeah|yep|nope|okay|ok|sure|right|correct|wrong|hello|hi|hey|bye|goodbye|good bye|stop|"
    "thanks|thank you|thank you very much|thanks a lot|please|sorry|pardon|excuse me|good morning|"
    "good afternoon|good evening|good night|never mind|of course|not really|not now|no thanks|"
    "no thank you|yes please|all right|alright|got it|i see|go on|go ahead|come on|shut up|wait|"
    "continue|cancel|again|help|why not|what else|how come|"
    "exactly|maybe|perhaps|nothing|enough|that's all|that is all|start over|"
    "not yet|me too|no problem|see you|see you later|and you|so what|who cares|"
    "i think so|i hope so|"
    "bye bye|hi there|hello there|good day|greetings|morning|well done|good job|once more|more|"
    "and what else|many thanks|really|quiet|wow|great|good|very good|fine|cool|nice|interesting|"
    "very interesting|i know|i understand|makes sense|fair enough"
)


def without_openers(words: list[str]) -> list[str]:
    """``words`` without what politeness puts in front; never empty where they are not."""
    while len(words) > 1 and words[0] in OPENERS:
        words = words[1:]
    return words


def is_complete_phrase(words: list[str]) -> bool:
    """Whether they are one of the phrases that stand alone, with or without an opener."""
    return not COMPLETE_PHRASES.isdisjoint({" ".join(words), " ".join(without_openers(words))})
