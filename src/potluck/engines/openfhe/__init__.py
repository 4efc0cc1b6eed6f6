"""The OpenFHE worker: this package runs in the engine's own interpreter, with numpy and openfhe and nothing else."""
