"""A graph whose frozen weights lie in a file of their own, as owners find them."""

import potluck


def rest(module, features: int, folder):
    """(the folder with net.graph, its base in models/; the base's hash)."""
    (folder / "models").mkdir()
    made = potluck.graph(
        module, inputs={"features": [features]}, path=folder / "net.graph", base=folder / "models" / "body.safetensors"
    )
    return folder, made.network.graph.base
