"""Tasks whose rounds are sums over rows: the halves of a sum, a party's part in it, and the protections that add up."""
