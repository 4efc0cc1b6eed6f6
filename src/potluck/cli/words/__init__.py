"""What several verbs say alike: times before lines, bars, and that an interrupted one can go on."""
