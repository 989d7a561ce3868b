"""The command line: it parses the words of a command, calls the other rooms, and turns errors into exit codes."""
