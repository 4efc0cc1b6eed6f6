"""Evidence of what code runs on which machine, its attesters, its formats, and an owner's policy that judges it."""
