"""Words like names that are in no list, so that the tagger learns what names are like rather than the lists."""

import random
from functools import cache, lru_cache

from vitrail.deid.text.folding import plain_letters
from vitrail.deid.text.lexicon import listed, names_of, rows, words

ORIGINS = sorted({row["origin"] for row in rows("names.csv")})

_ONSETS = sorted(listed("b br c ch d dr f g gr h j k kh kl l m n ng ny p ph pr q r s sh st sv t th tr ts v w x y z zh"))
_VOWELS = sorted(listed("a e i o u ai au ao ei ia ie io oa ou ua uy y"))
_ENDS = listed("n m r l s t k ng nd rt ch sk v th sh d nko wski dze ez yan ova oglu poulos berg ssen")
_CODAS = ["", "", "", *sorted(_ENDS)]


def invented(dice: random.Random) -> str:
    """A word like a name that is in no list: of syllables, of a word and an ending, or as an origin's names go."""
    way = dice.random()
    if way < 0.25:
        count = dice.choice((1, 2, 2, 2, 3))
        return (
            "".join(dice.choice(_ONSETS) + dice.choice(_VOWELS) for _ in range(count)) + dice.choice(_CODAS)
        ).title()
    if way < 0.4:
        return (dice.choice(_roots()) + dice.choice(_TAILS)).title()
    return alike(f"{dice.choice(ORIGINS)}:{dice.choice('fmss')}", dice)


_TAILS = sorted(
    listed("""
    wood worth ley ton ford by thwaite well croft dale man son smith field ham combe bridge stone more hurst
    house shaw wick bottom tree berry way land ridge den cote row gate er ing ington sworth
""")
)


@lru_cache(maxsize=1)
def _roots() -> list[str]:
    return sorted({word for word in words("words.txt") if 3 < len(word) < 8 and word.isascii()})


def alike(tag: str, dice: random.Random) -> str:
    """A name made letter by letter as an origin's names go on after two letters, a Markov chain of order two."""
    chain = _chain(tag)
    made = "^^"
    while len(made) < 16:
        following = dice.choice(chain[made[-2:]])
        if following == "$":
            if len(made) > 5:
                break
            made = "^^"
        else:
            made += following
    return made[2:].title()


@cache
def _chain(tag: str) -> dict[str, list[str]]:
    """What may follow two letters, as often as it does in the names of the list; ^ begins a name and $ ends it."""
    chain: dict[str, list[str]] = {}
    for name in names_of(tag):
        spelled = f"^^{plain_letters(name).lower()}$"
        for at in range(len(spelled) - 2):
            chain.setdefault(spelled[at : at + 2], []).append(spelled[at + 2])
    return chain
