"""Flower's own server loop and FedAvg strategy, with clients in this process: its rounds without its network.

Accuracy does not depend on how messages travel. What runs is `flwr.server.Server.fit`, `FedAvg`, and one `NumPyClient`
a site behind a proxy that calls it.
"""

import logging
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from peers.libraries import FLOWER

NAME = f"{FLOWER}'s FedAvg"
Fit = Callable[[Sequence[Any], int], tuple[list[Any], int]]
"""From a round's arrays and its number to a site's arrays and rows."""


def federated(begin: Sequence[Any], sites: Sequence[Fit], rounds: int, seen: Callable[[list[Any]], None]) -> None:
    """FedAvg from the arrays `begin`; `seen` gets the arrays before the first round and after each."""
    common, server = import_module("flwr.common"), import_module("flwr.server")
    numpy_client = import_module("flwr.client").NumPyClient
    proxy = import_module("flwr.server.client_proxy").ClientProxy
    manager = import_module("flwr.server.client_manager").SimpleClientManager()

    class Client(numpy_client):  # type: ignore[misc, valid-type]
        def __init__(self, fit: Fit) -> None:
            self.work = fit

        def fit(self, parameters: Any, config: Any) -> Any:
            arrays, rows = self.work(parameters, int(config["round"]))
            return arrays, rows, {}

    class Here(proxy):  # type: ignore[misc, valid-type]
        def __init__(self, name: str, fit: Fit) -> None:
            super().__init__(name)
            self.client = Client(fit).to_client()

        def fit(self, ins: Any, timeout: Any, group_id: Any) -> Any:
            return self.client.fit(ins)

        def get_parameters(self, ins: Any, timeout: Any, group_id: Any) -> Any:
            raise NotImplementedError

        get_properties = evaluate = reconnect = get_parameters

    def evaluate(number: int, arrays: list[Any], config: Any) -> None:
        seen(arrays)

    logging.getLogger("flwr").setLevel(logging.ERROR)
    for place, fit in enumerate(sites):
        manager.register(Here(f"s{place}", fit))
    strategy = server.strategy.FedAvg(
        fraction_evaluate=0.0,
        min_fit_clients=len(sites),
        min_available_clients=len(sites),
        initial_parameters=common.ndarrays_to_parameters(list(begin)),
        on_fit_config_fn=lambda number: {"round": number},
        evaluate_fn=evaluate,
        accept_failures=False,
    )
    running = server.Server(client_manager=manager, strategy=strategy)
    running.set_max_workers(1)
    running.fit(num_rounds=rounds, timeout=None)
