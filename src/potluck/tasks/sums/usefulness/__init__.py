"""How useful a plan's results will be beside its noise, and what of the plan would make them better."""
