"""Rounds: one array to every node and back, then the sum. The seconds of each go to a file."""

import json
import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()  # type: ignore[untyped-decorator]
def main(grid: Grid, context: Context) -> None:
    """The server's part."""
    config = context.run_config
    wanted = int(config["nodes"])
    while len(nodes := list(grid.get_node_ids())) < wanted:
        time.sleep(0.2)
    array = np.zeros(int(config["words"]), np.float64)
    seconds: list[float] = []
    for number in range(int(config["rounds"])):
        started = time.perf_counter()
        content = RecordDict({"arrays": ArrayRecord([array])})
        kind, group = MessageType.TRAIN, str(number)
        sent = [Message(content, message_type=kind, dst_node_id=node, group_id=group) for node in nodes]
        replies = list(grid.send_and_receive(sent))
        array = sum(reply.content["arrays"].to_numpy_ndarrays()[0] for reply in replies) / wanted
        seconds.append(time.perf_counter() - started)
        draft = Path(str(config["out"])).with_suffix(".new")
        draft.write_text(json.dumps(seconds), encoding="utf-8")
        draft.rename(str(config["out"]))
