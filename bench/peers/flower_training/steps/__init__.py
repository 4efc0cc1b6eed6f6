"""A Flower app that trains the bench's modules by FedAvg, for its round to be timed."""
