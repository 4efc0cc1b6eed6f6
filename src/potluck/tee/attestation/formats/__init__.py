"""One verifier a format of evidence, and what several of them share: chains, collateral, quotes, comparisons."""
