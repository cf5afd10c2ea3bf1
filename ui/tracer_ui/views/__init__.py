"""One file a page: what it reads, the context of its template, what its forms do."""
