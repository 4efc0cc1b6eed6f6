"""The network: NATS as the engine, treated as hostile: it carries signed, sealed letters in pieces."""
