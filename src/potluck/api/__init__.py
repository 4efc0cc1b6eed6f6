"""The functions behind the door: TOML to plan, check, explain, run."""
