"""Passwords that are long and still among the first that anybody tries: what people make of well-known words, names,
digits, and rows and columns of a keyboard.

What is left of a password without these has to be something. It holds no list of passwords that leaked, and does NOT
measure strength: how often somebody may try is bounded elsewhere.
"""

import re
import unicodedata
from collections.abc import Iterable

FEWEST = 6
"""Letters of a password that have to be left."""
_WORDS = """
    password passwort passwd passw motdepasse contrasena senha parola wachtwoord secret geheim admin administrator
    root user login welcome willkommen bienvenue letmein open enter access master manager system default changeme
    change please test testing guest demo temp temporary hello hallo bonjour love iloveyou loveyou lovely baby
    babygirl babyboy angel princess prince sunshine flower butterfly beautiful sweet honey friend friends friendship
    forever always family happy lucky monkey dragon tiger lion eagle wolf bear horse dog cat puppy kitten chicken
    butter chocolate cookie cheese banana orange apple cherry pepper coffee summer winter spring autumn monday
    friday january february march april june july august september october november december football baseball
    basketball soccer hockey tennis golf cricket rugby liverpool chelsea arsenal barcelona madrid manchester united
    juventus superman batman spider spiderman starwars pokemon naruto matrix hunter killer shadow ghost ninja
    warrior soldier captain america american london paris berlin england germany france canada india brasil mexico
    computer internet windows microsoft google facebook samsung iphone android nokia yahoo hotmail gmail music
    guitar metallica michael jordan jennifer jessica ashley nicole daniel thomas robert charlie george andrew joshua
    matthew anthony william alexander elizabeth samantha michelle stephanie christian jesus christ god bless heaven
    blessed jehovah freedom trust trustno one two three number black white green blue red purple silver golden
    yellow pink my the and you your are for not with this that from new old big little super best cool good great
    bad boy girl man men woman mother father mama papa sister brother money power rock star whatever nothing
    something everything never qwerty azerty qwertz potluck hospital clinic doctor nurse patient health medical
    research data private public office company work home house school university student teacher
"""
_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "azertyuiop", "qsdfghjklm", "qwertzuiop", "yxcvbnm",
         "abcdefghijklmnopqrstuvwxyz", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik", "1q2w3e4r5t6y7u8i9o0p",
         "q1w2e3r4t5y6u7i8o9p0", "zaq1xsw2cde3vfr4", "qazwsxedcrfvtgbyhnujm", "qweasdzxc", "147258369",
         "789456123", "a1b2c3d4e5f6")  # fmt: skip
_RUN = 3
"""Letters in a row of a keyboard that count as one."""
_ONE = re.compile(r"[\W\d_]{0,6}[a-z\u00df-\u00ff]{1,14}[\W\d_]{0,6}")
"""One word, perhaps with digits around it, whatever word it is."""
_LEET = str.maketrans("013457@$!", "oleastasi")


def guessable(password: str, names: Iterable[str] = ()) -> bool:
    """Whether little is left of a password. names: whose it is, and of what."""
    plain = unicodedata.normalize("NFKC", password).casefold()
    every = sorted({word for one in names for word in _parts(one)} | set(_WORDS.split()), key=len, reverse=True)
    known = re.compile("|".join(map(re.escape, every)))
    return (
        _repeats(plain)
        or bool(_ONE.fullmatch(plain))
        or min(_left(one, known) for one in (plain, plain.translate(_LEET))) < FEWEST
    )


def _parts(name: str) -> set[str]:
    words = re.findall(r"\w{3,}", unicodedata.normalize("NFKC", name).casefold())
    return {*words, "".join(words)} - {""}


def _left(text: str, known: re.Pattern[str]) -> int:
    """Different letters that no word, run or digit accounts for."""
    rest = known.sub(" ", _without_runs(text))
    return len({letter for letter in rest if letter.isalpha()})


def _without_runs(text: str) -> str:
    found, place = "", 0
    while place < len(text):
        length = max((_run(text, place, row) for row in (*_ROWS, *(row[::-1] for row in _ROWS))), default=0)
        found += " " if length >= _RUN else text[place]
        place += length if length >= _RUN else 1
    return found


def _run(text: str, place: int, row: str) -> int:
    length = 0
    while place + length < len(text) and text[place : place + length + 1] in row:
        length += 1
    return length


def _repeats(text: str) -> bool:
    """Whether it is a short piece again and again."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, len(text) // 2 + 1))
