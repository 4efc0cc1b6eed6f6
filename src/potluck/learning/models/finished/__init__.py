"""Finished models that come with a plan: it trains none, and says how well these do on its sites' rows."""
