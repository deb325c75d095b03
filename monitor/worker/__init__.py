"""The worker: Faust for groups, recovery and delivery; one engine task for everything that decides."""
