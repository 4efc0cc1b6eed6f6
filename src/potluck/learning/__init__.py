"""What is learnt: data, models, training, statistics, evaluation."""
