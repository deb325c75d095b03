"""The desk page of a worker: what it shows, the stream that keeps it current, and the files of the page itself."""
