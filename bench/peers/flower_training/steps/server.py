"""FedAvg as it comes. The seconds of each round go to a file."""

import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from flwr.app import Context
from flwr.common import ndarrays_to_parameters
from flwr.server import ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.serverapp import ServerApp

from harness import modules


def server_fn(context: Context) -> ServerAppComponents:
    """A strategy that looks at the clock before the first round and after each."""
    config = context.run_config
    module = modules.made(str(config["what"]), str(config["weights"]))
    begin = [one.detach().numpy() for one in module.parameters() if one.requires_grad]
    nodes, out, moments = int(config["nodes"]), Path(str(config["out"])), []

    def evaluate(number: int, arrays: list[Any], settings: Any) -> None:
        moments.append(time.perf_counter())
        found = [after - before for before, after in pairwise(moments)]
        draft = out.with_suffix(".new")
        draft.write_text(json.dumps(found), encoding="utf-8")
        draft.rename(out)

    strategy = FedAvg(
        fraction_evaluate=0.0,
        min_fit_clients=nodes,
        min_available_clients=nodes,
        initial_parameters=ndarrays_to_parameters(begin),
        evaluate_fn=evaluate,
        accept_failures=False,
    )
    return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=int(config["rounds"])))


app = ServerApp(server_fn=server_fn)
