"""Mails of the SpamAssassin public corpus (npm's package of it, 6,046), as MiniLM's mean over their first 32 tokens.

A site would make such features by itself, from a model that anyone can have: nothing of them is trained.
"""

import email
import re
import tarfile
from email.message import Message

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness import fetched, modules

TARGET = "spam"
REACH = 0.25
"""Of a vector of length 1 with 384 numbers: nearly all of them are within it, whatever it is of."""
LONGEST = 2_000
AT_ONCE = 64


def rows() -> pd.DataFrame:
    """A line a mail. Raises fetched.Missing."""
    texts, spam = [], []
    with tarfile.open(fetched.mails()) as archive:
        for member in sorted(archive.getmembers(), key=lambda one: one.name):
            file = archive.extractfile(member) if re.search(r"/data/.*\.txt$", member.name) else None
            if file is not None:
                texts.append(_words(email.message_from_string(file.read().decode("latin-1"))))
                spam.append("yes" if "/spam-" in member.name else "no")
    found = _embedded(texts)
    whole = pd.DataFrame(found, columns=[f"e{place}" for place in range(found.shape[1])])
    whole[TARGET] = spam
    return whole


def columns(whole: pd.DataFrame) -> dict[str, dict[str, object]]:
    """As a plan declares them."""
    numbers: dict[str, dict[str, object]] = {
        name: {"kind": "number", "low": -REACH, "high": REACH} for name in whole.columns if name != TARGET
    }
    return numbers | {TARGET: {"kind": "category", "values": ["no", "yes"]}}


def _words(mail: Message) -> str:
    """Its subject and the text of its first part, without tags."""
    body = next((part for part in mail.walk() if part.get_content_maintype() == "text"), None)
    text = body.get_payload(decode=True) if body is not None else b""
    plain = re.sub(r"<[^>]*>", " ", text.decode("latin-1") if isinstance(text, bytes) else "")
    return re.sub(r"\s+", " ", f"{mail.get('subject', '')} {plain}").strip()[:LONGEST]


def _embedded(texts: list[str]) -> NDArray[np.float32]:
    """[n, 384], each of length 1."""
    import torch
    from tokenizers import Tokenizer

    weights = fetched.minilm()
    tokenizer = Tokenizer.from_file(str(weights.with_name("tokenizer.json")))
    tokenizer.enable_truncation(modules.TOKENS)
    tokenizer.enable_padding(length=modules.TOKENS)
    module = modules.minilm(weights).eval()
    module.head = torch.nn.Identity()
    ids = torch.tensor([one.ids for one in tokenizer.encode_batch(texts)])
    with torch.no_grad():
        found = torch.cat([module(ids[at : at + AT_ONCE]) for at in range(0, len(ids), AT_ONCE)]).numpy()
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)
