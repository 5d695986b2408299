"""What a cell keeps besides its record: ranks and candidates of every link, vectors, facts."""
