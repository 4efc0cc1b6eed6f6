"""What `potluck site doctor` looks at, a file a subject. Each is a generator of findings, and none changes anything."""
