"""What every floor may use and what knows nothing of a mesh: values, errors, memos, tasks, time, YAML with places."""
