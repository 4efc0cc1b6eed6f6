"""Methods of training: each one a sum, asked for again and again, or a program on shares."""
