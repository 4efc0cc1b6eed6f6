"""An owner's papers about a run: what its permit annex holds, and how it looks."""
