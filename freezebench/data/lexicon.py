"""Words of the generated sentences: rated polarity words and neutral nouns, divided between train and test.

The ratings are those of the VADER lexicon (Hutto & Gilbert, 2014), which the package ``vaderSentiment`` carries. A
word fits a template only if its part of speech and its sense do. Ratings do not give these, so the candidates below are
listed by hand and by role. Of the candidates, only those with strong and undisputed ratings are used.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from freezebench.errors import DataError

Side = Literal["train", "test"]

PACKAGE = "vaderSentiment"
LEXICON_FILE = "vader_lexicon.txt"

# Ratings are from -4 to 4, by ten raters per word. Weaker or disputed words would add noise to the labels.
MIN_STRENGTH = 1.2
MAX_SPREAD = 1.5

# What is reviewed, by kind. Adjectives below have the same kinds, so that no sofa is witty and no waiter delicious.
NOUNS = {
    "story": """album animation ballet biography chapter choreography concert dialogue documentary drama ending episode
        essay exhibition film finale lecture memoir movie musical opera performance plot podcast poem remake
        scene screenplay script sequel song soundtrack story trilogy video""",
    "person": """actor author baker barber bartender butcher carpenter cashier chef clerk coach conductor dentist
        director doctor driver electrician guide host instructor landlord lawyer librarian manager mechanic nurse
        painter pharmacist pianist pilot plumber receptionist singer tailor teacher trainer tutor waiter""",
    "food": """appetizer bagel beer bread breakfast brunch buffet burger cake cheese chicken chowder cocktail coffee
        curry dessert dinner fish juice lamb lasagna lemonade lunch muffin omelette pancake pasta pie pizza pudding rice
        risotto salad salmon sandwich sauce soup steak stew sushi taco tea waffle wine""",
    "thing": """airport apartment backpack bicycle blanket blender cabin camera car chair charger desk drill ferry
        fridge guitar headset heater helmet hotel jacket kayak kettle keyboard lamp laptop mattress monitor mower museum
        oven phone pillow pool printer raincoat razor room scooter sofa speaker stroller suitcase sweater tablet tent
        toaster
        umbrella vacuum wallet watch website""",
}

# Adjectives that fit everything, then those that fit one kind.
_ADJECTIVES = {
    "any": (
        """admirable agreeable amazing attractive awesome beautiful brilliant charming delightful divine elegant
        enjoyable excellent exciting fabulous fantastic fascinating favorable flawless glorious good gorgeous
        gratifying great heavenly ideal impressive inviting lovely magnificent marvelous nice optimal outstanding
        perfect pleasant pleasing praiseworthy precious remarkable satisfying special splendid super superb superior
        supreme terrific welcome wonderful worthwhile""",
        """abhorrent aggravating annoying appalling awful bad bothersome depressing dire disagreeable
        disappointing disastrous disgusting disheartening dismal dreadful embarrassing frustrating grim hopeless
        horrendous horrible horrid horrific inadequate inferior infuriating insulting irritating lamentable lousy
        maddening miserable nasty offensive outrageous pathetic pitiful poor problematic questionable
        regrettable ridiculous rotten shameful terrible troubling ugly unacceptable unattractive undesirable
        unimpressive unpleasant unsavory unwelcome unworthy upsetting useless vile woeful worthless""",
    ),
    "story": (
        """amusing clever convincing creative energetic engaging enlightening entertaining funny graceful harmonious
        heartfelt heartwarming humorous innovative inspiring intelligent joyous lively meaningful original playful
        powerful radiant romantic sincere smart sophisticated stimulating thoughtful thrilling triumphant vibrant
        virtuosic vivacious wise""",
        """agonizing boring chaotic charmless cheerless childish contradictory crude degrading disjointed distressing
        disturbing dull excruciating feeble heartless humorless idiotic insincere insipid irrational ludicrous
        meaningless mindless misleading painful passionless spiritless stupid talentless""",
    ),
    "person": (
        """affectionate caring cheerful compassionate competent confident considerate courteous dedicated easygoing
        efficient enthusiastic friendly generous genial gentle gracious helpful honest kind likeable loyal passionate
        respectful responsible sincere smart supportive sympathetic talented thoughtful trustworthy warmhearted
        welcoming""",
        """antagonistic apathetic argumentative arrogant careless clueless confrontational cruel deceitful dishonest
        disorganized egotistic grouchy heartless hypocritical impatient impolite incompetent inconsiderate insincere
        irresponsible irritable lazy lethargic moody obnoxious rude selfish snobby stubborn sullen thoughtless unethical
        unfriendly unkind unprofessional""",
    ),
    "food": (
        "delectable delicious fresh healthy palatable scrumptious sweet yummy",
        "dirty nauseating poisonous rancid stinky unhealthy yucky",
    ),
    "thing": (
        """beneficial classy clean comfortable effective efficient helpful innovative painless peaceful picturesque
        popular relaxing restful safe secure serene soothing stable strong useful valuable""",
        """broken damaged dangerous defective dirty faulty flawed fraudulent inconvenient ineffectual insecure messy
        obsolete sluggish troublesome uncomfortable unstable weak""",
    ),
}

# What people did to it: "we enjoyed the film"; what it did to them: "the film amused us"; what it was: "a triumph".
_OTHERS = {
    "verb": (
        "admired adored appreciated applauded celebrated cherished enjoyed favored liked loved praised prized valued",
        "abhorred avoided criticized despised disliked distrusted dreaded hated loathed regretted resented ridiculed",
    ),
    "effect": (
        """amazed amused astonished astounded captivated charmed delighted enchanted encouraged energized enlightened
        entertained excited fascinated gratified impressed inspired motivated pleased relaxed satisfied wowed""",
        """agitated aggravated angered annoyed appalled bothered confused depressed disappointed discouraged disgusted
        disheartened disillusioned dismayed displeased distressed disturbed embarrassed exhausted fatigued frustrated
        horrified infuriated insulted irritated outraged repulsed saddened sickened upset""",
    ),
    "thing": (
        """blessing bonus delight gift godsend highlight inspiration jewel joy lifesaver marvel masterpiece miracle
        paradise pleasure success thrill treasure treat triumph winner""",
        """burden catastrophe crime disappointment disaster disgrace embarrassment error failure farce fiasco flop fraud
        insult mess mistake mockery problem scam shame swindle tragedy travesty waste""",
    ),
}

# Of every five word families, two belong to the test split: both sides have enough words.
_FAMILY_LETTERS = 4
_SHARES, _TEST_SHARES = 5, 2


@dataclass(frozen=True, kw_only=True)
class Words:
    """The content words of one side; polarity is ``True`` for positive.

    Attributes:
        nouns: Neutral nouns by kind of thing reviewed.
        adjectives: Adjectives by kind and polarity, those that fit every kind included.
        others: ``verb`` (what people did to it), ``effect`` (what it did to them) and ``thing`` (what it was: a noun),
            by role and polarity.
    """

    nouns: dict[str, tuple[str, ...]]
    adjectives: dict[tuple[str, bool], tuple[str, ...]]
    others: dict[tuple[str, bool], tuple[str, ...]]

    @property
    def all(self) -> frozenset[str]:
        """Every content word."""
        return frozenset(
            word for group in (self.nouns, self.adjectives, self.others) for ws in group.values() for word in ws
        )


def load_words(side: Side) -> Words:
    """Return the content words of the train side (training and validation splits) or of the test side.

    Raises:
        DataError: If ``vaderSentiment`` is not installed or its lexicon cannot be read.
    """
    ratings = read_ratings()

    def chosen(candidates: str, *, positive: bool) -> list[str]:
        return [
            word for word in candidates.split() if side_of(word) == side and _is_clear(ratings, word, positive=positive)
        ]

    adjectives = {}
    for polarity, positive in enumerate((True, False)):
        for kind in NOUNS:
            candidates = f"{_ADJECTIVES['any'][polarity]} {_ADJECTIVES[kind][polarity]}"
            adjectives[kind, positive] = tuple(chosen(candidates, positive=positive))
    others = {
        (role, positive): tuple(chosen(candidates[polarity], positive=positive))
        for role, candidates in _OTHERS.items()
        for polarity, positive in enumerate((True, False))
    }
    nouns = {kind: tuple(word for word in words.split() if side_of(word) == side) for kind, words in NOUNS.items()}
    return Words(nouns=nouns, adjectives=adjectives, others=others)


def side_of(word: str) -> Side:
    """Return the side that a content word belongs to, by a hash of its family: its first four letters.

    A family is never divided, so that a model trained with "delightful" is not tested with "delighted".
    """
    digest = hashlib.sha256(word[:_FAMILY_LETTERS].encode()).digest()
    return "test" if int.from_bytes(digest[:4], "big") % _SHARES < _TEST_SHARES else "train"


def read_ratings() -> dict[str, tuple[float, float]]:
    """Return mean (from -4, very negative, to 4) and standard deviation of the ratings of every word of VADER.

    Raises:
        DataError: If the package is not installed or its lexicon cannot be read.
    """
    # The package is not imported, because its code imports an HTTP client.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"the generated sentences take their polarity words from the package {PACKAGE}, which is not installed. "
            "Install it: pip install 'freezebench[embedded]'"
        )
    path = Path(spec.submodule_search_locations[0]) / LEXICON_FILE
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
        return {row[0]: (float(row[1]), float(row[2])) for row in rows}
    except (OSError, ValueError, IndexError) as error:
        raise DataError(
            f"cannot read the lexicon of {PACKAGE} at {path}: {error}. "
            "Install it again: pip install --force-reinstall 'freezebench[embedded]'"
        ) from error


def _is_clear(ratings: dict[str, tuple[float, float]], word: str, *, positive: bool) -> bool:
    """Return whether the ratings of a word are clearly positive, or clearly negative."""
    mean, spread = ratings.get(word, (0.0, 0.0))
    return (mean if positive else -mean) >= MIN_STRENGTH and spread <= MAX_SPREAD
