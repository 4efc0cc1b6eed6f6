"""Private prediction under `share`: `scores` is the way in; `ends` and `compute` are its parts."""
