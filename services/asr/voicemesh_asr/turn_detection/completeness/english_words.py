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


PRONOUNS = _set("i you he she it we they this that these those there")
SUBJECTS = PRONOUNS | _set(
    "my your his her its our their the a an everybody everyone somebody nobody"
)
AUXILIARIES = _set(
    "is are was were am be been do does did have has had can could will would shall should may "
    "might must isn't aren't wasn't weren't don't doesn't didn't haven't hasn't can't couldn't "
    "won't wouldn't shouldn't"
)
CONTRACTED = _set(
    "i'm you're he's she's it's we're they're that's there's i'll you'll we'll they'll i'd you'd "
    "we'd i've you've we've they've let's"
)
QUESTION_WORDS = _set(
    "what who whom whose where when why how which what's who's where's how's when's"
)
IMPERATIVES = _set(
    "add answer ask bring call cancel change charge check clean close come continue count dance "
    "describe explain find follow forget get give go grab hang help hold increase jump keep lead "
    "introduce leave let listen look louder lower make mute name open order pause pick play "
    "please put quit read "
    "record remember remind repeat reset restart resume return roll run say search send set show "
    "shut sing sit skip sleep slow speak spell stand start stay stop switch take talk teach tell "
    "thank translate turn unlock wait wake walk watch write"
)
CONJUNCTIONS = _set(
    "and or but because cause if when while although though unless until since so than whether as"
)
ARTICLES = _set("a an the my your his her its our their every each any some no")
FILLERS = _set("um uh er erm hmm mm mhm uhm ah like")
INTENSIFIERS = _set("very really quite too rather extremely")
PREPOSITIONS = _set(
    "of to with from at for by about into onto between during without against among towards "
    "toward per via like"
)
CONTINUING_VERBS = _set(
    "want wants wanted need needs wanna gonna gotta called named i'll i'd we'll let's"
)
OPERATORS = _set("plus minus times divided multiplied over")
DIGITS = _set("zero oh one two three four five six seven eight nine")
NUMBERS = DIGITS | _set(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty "
    "forty fifty sixty seventy eighty ninety hundred thousand million billion point"
)
COMPLETE_PHRASES = phrases(
    "yes|no|yeah|yep|nope|okay|ok|sure|right|correct|wrong|hello|hi|hey|bye|goodbye|good bye|stop|"
    "thanks|thank you|thank you very much|thanks a lot|please|sorry|pardon|excuse me|good morning|"
    "good afternoon|good evening|good night|never mind|of course|not really|not now|no thanks|"
    "no thank you|yes please|all right|alright|got it|i see|go on|go ahead|come on|shut up|wait|"
    "continue|cancel|again|help|why|what|who|where|when|why not|what else|how come|how much|"
    "exactly|maybe|perhaps|nothing|enough|that's all|that is all|start over|"
    "not yet|me too|no problem|see you|see you later|and you|so what|who cares|"
    "i think so|i hope so|"
    "bye bye|hi there|hello there|good day|greetings|morning|well done|good job|once more|more|"
    "and what else|many thanks"
)
# Verbs that say where or when somebody moves; alone they leave the question open.
MOTIONS = _set("goes comes leaves leads runs drives lives stops")
