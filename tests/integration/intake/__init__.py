"""Does intake's storage keep its promise, on a real PostgreSQL?"""
