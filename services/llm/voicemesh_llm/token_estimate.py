"""An estimate of tokens for engines whose tokenizer is not at hand.

Tokenizers of today's multilingual models spend about one token on a Chinese,
Japanese or Korean character and about one on four characters of Latin script.
The estimate errs on the high side for common text, since it guards a budget.
"""

import re

from voicemesh.writing import WIDE

# The letters of Korean syllables, where a text has them one by one.
_JAMO = "\u1100-\u11ff"
_WIDE = re.compile(f"[{_JAMO}{WIDE}]")

LATIN_CHARACTERS_PER_TOKEN = 4
MESSAGE_OVERHEAD_TOKENS = 4
"""What a chat template adds to a message: markers around role and content."""


def estimate_tokens(text: str) -> int:
    """About how many tokens ``text`` has; 0 for empty text."""
    wide = len(_WIDE.findall(text))
    narrow = len(text) - wide
    return wide + -(-narrow // LATIN_CHARACTERS_PER_TOKEN)
