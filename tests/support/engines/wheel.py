"""A wheel of one module, made here, for pip."""

import base64
import hashlib
import zipfile
from pathlib import Path


def wheel(folder: Path, name: str, body: str, needs: str = "") -> str:
    """Put a wheel of the module `name` with the code `body` into `folder`; gives its SHA-256 in hex.

    needs: a line `Requires-Dist` of its metadata.
    """
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": body,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}"
        for path, text in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for inner, text in files.items():
            file.writestr(inner, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()
