"""The engine `mpc`: SPU's worker program. Everything in here but this line runs in the engine's own environment."""
