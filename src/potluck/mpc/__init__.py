"""Multi-party computation, a folder a protocol: `clear`, `mask`, `share` are sums; `psi`, `fit`, `predict` are none."""
