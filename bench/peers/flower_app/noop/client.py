"""A node that gives back what it was sent."""

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()  # type: ignore[untyped-decorator]
def train(message: Message, context: Context) -> Message:
    """No computing at all."""
    return Message(content=RecordDict({"arrays": message.content["arrays"]}), reply_to=message)
