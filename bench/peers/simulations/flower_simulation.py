"""Flower's own simulation of FedAvg: seconds of each round as JSON, last. Run by `peers.simulators`."""

import json
import logging
import os
import sys
import time
from collections import OrderedDict

import numpy as np
import torch
from flwr.client import ClientApp, NumPyClient
from flwr.common import Context, ndarrays_to_parameters
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.simulation import run_simulation

file, cohort, rounds, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
clients = np.load(file)["y"].shape[0]
logging.getLogger("flwr").setLevel(logging.ERROR)
HELD: dict[str, np.ndarray] = {}


def held() -> dict[str, np.ndarray]:
    """Rows of all clients, read once in each actor."""
    if not HELD:
        HELD.update(np.load(file))
    return HELD


def net(inputs: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(inputs, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))


class Client(NumPyClient):
    def __init__(self, number: int) -> None:
        self.number = number

    def fit(self, parameters, config):
        torch.set_num_threads(1)
        x, y = torch.from_numpy(held()["x"][self.number]), torch.from_numpy(held()["y"][self.number])
        model = net(x.shape[1])
        names = model.state_dict().keys()
        model.load_state_dict(OrderedDict((k, torch.from_numpy(v)) for k, v in zip(names, parameters, strict=True)))
        step = torch.optim.SGD(model.parameters(), lr=rate)
        step.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        step.step()
        return [one.numpy() for one in model.state_dict().values()], len(y), {}


def client(context: Context):
    return Client(int(context.node_config["partition-id"])).to_client()


AT: list[float] = []


def looked(number, arrays, config):
    AT.append(time.perf_counter())


def server(context: Context) -> ServerAppComponents:
    first = [one.detach().numpy() for one in net(np.load(file)["x"].shape[2]).state_dict().values()]
    strategy = FedAvg(
        fraction_fit=cohort / clients, fraction_evaluate=0.0, min_fit_clients=cohort, min_available_clients=clients,
        initial_parameters=ndarrays_to_parameters(first), evaluate_fn=looked,
    )  # fmt: skip
    return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=rounds))


run_simulation(
    ServerApp(server_fn=server), ClientApp(client_fn=client), num_supernodes=clients,
    backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}, "init_args": {"num_cpus": os.cpu_count()}},
)  # fmt: skip
print(json.dumps(np.diff(AT).tolist()))
