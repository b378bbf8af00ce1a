"""The page of `selfhvd serve`: a queue of jobs on disk, a server that shows it, and a client for programs.

Only `serve`, `app` and the `routes_` files need the extra `web`; jobs and what runs them need nothing of it.
"""
