"""What a plan can ask for: a folder a task, each with one `TaskSpec`; and what all tasks have in common."""
