"""A node's steps: the same module, rows, batches and rate as ours."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from flwr.app import Context
from flwr.client import Client, NumPyClient
from flwr.clientapp import ClientApp

from harness import modules, plain


class Steps(NumPyClient):  # type: ignore[misc]
    """Trains what the server sends on the node's own rows."""

    def __init__(self, config: Any, place: int) -> None:
        self.config, self.place = config, place

    def fit(self, parameters: list[Any], config: Any) -> tuple[list[Any], int, dict[str, Any]]:
        torch.set_num_threads(1)
        module = modules.made(str(self.config["what"]), str(self.config["weights"]))
        trained = [one for one in module.parameters() if one.requires_grad]
        with torch.no_grad():
            for one, array in zip(trained, parameters, strict=True):
                one.copy_(torch.from_numpy(np.array(array)))
        with np.load(Path(str(self.config["rows"])) / f"{self.place}.npz") as held:
            x, y = torch.from_numpy(held["x"]), torch.from_numpy(held["y"])
        order = np.arange(len(y))
        plain.steps(module, x, y, order, int(self.config["batch"]), float(self.config["rate"]))
        return [one.detach().numpy() for one in trained], len(y), {}


def client_fn(context: Context) -> Client:
    """The client of a node, which its own settings say the place of."""
    return Steps(context.run_config, int(context.node_config["place"])).to_client()


app = ClientApp(client_fn=client_fn)
