"""What is learnt: encoding, learners, statistics, evaluation, model files."""
