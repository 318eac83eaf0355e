"""Words of English with more than one spelling, and sounds that are no words."""

from __future__ import annotations

from voicemesh_evaluation.recognition.wording.distance import Slot, said

_FILLERS = "ah eh er erm hm hmm hmmm mhm mm mmm uh uhh uhm um umm"
FILLERS = frozenset(_FILLERS.split())

_SAID_LIKE = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "prof": "professor",
    "vs": "versus",
    "etc": "et cetera",
    "ok": "okay",
    "alright": "all right",
    "yknow": "you know",
    "gonna": "going to",
    "wanna": "want to",
    "gotta": "got to",
    "km": "kilometers",
    "kg": "kilograms",
    "cm": "centimeters",
    "whisky": "whiskey",
    "programme": "program",
    "cheque": "check",
    "tyre": "tire",
    "kerb": "curb",
    "storey": "story",
    "pyjamas": "pajamas",
    "grey": "gray",
    "practise": "practice",
    "licence": "license",
    "defence": "defense",
    "offence": "offense",
    "sceptical": "skeptical",
    "moustache": "mustache",
    "plough": "plow",
    "draught": "draft",
    "jewellery": "jewelry",
    "enquiry": "inquiry",
    "ageing": "aging",
    "judgement": "judgment",
}
SPELLINGS: dict[str, Slot] = {written: said(spoken) for written, spoken in _SAID_LIKE.items()} | {
    "pm": (("pm",), ("p", "m")),
    "am": (("am",), ("a", "m")),
    "tv": (("tv",), ("t", "v")),
    "percent": (("percent",), ("per", "cent")),
}

# Words by their British ending, which an American one stands for; -s, -d, -ing may follow.
_BECOMES = {"our": "or", "re": "er", "ise": "ize", "yse": "yze", "ogue": "og"}
_BRITISH = {
    "our": (
        "arbour armour behaviour clamour colour demeanour endeavour favour fervour flavour "
        "glamour harbour honour humour labour neighbour odour parlour rigour rumour saviour "
        "savour splendour tumour valour vapour vigour"
    ),
    "re": "calibre centre fibre litre lustre metre sabre sombre spectre theatre",
    "ise": (
        "apologise civilise criticise emphasise finalise familiarise generalise localise "
        "maximise memorise minimise modernise neutralise normalise optimise organise realise "
        "recognise socialise specialise stabilise standardise summarise symbolise sympathise "
        "synchronise synthesise utilise visualise"
    ),
    "yse": "analyse catalyse paralyse",
    "ogue": "analogue catalogue dialogue monologue",
}
_AMERICAN = {
    word: word.removesuffix(ending) + _BECOMES[ending]
    for ending, words in _BRITISH.items()
    for word in words.split()
}
_DOUBLING = "cancel counsel dial equal fuel label level marvel model quarrel signal total travel"
_DOUBLED = tuple((f"{root}l", root) for root in _DOUBLING.split())


def american(word: str) -> str:
    """The American spelling of a word in lower case that has a British one."""
    for british, here in _AMERICAN.items():
        if word.startswith(british):
            ending = word.removeprefix(british)
            return f"{here}ed" if british.endswith("re") and ending == "d" else here + ending
        # A last e goes where the ending has a vowel of its own: realising, centring.
        root = british.removesuffix("e")
        if root != british and word.startswith((f"{root}i", f"{root}a")):
            return here.removesuffix("e") + word.removeprefix(root)
    for doubled, root in _DOUBLED:
        if word.startswith((f"{doubled}e", f"{doubled}i")):
            return root + word.removeprefix(doubled)
    return word
