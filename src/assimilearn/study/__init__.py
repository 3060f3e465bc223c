"""What a study is: its schema, its scenarios, its plan, its random numbers."""
