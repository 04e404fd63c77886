"""Does storage keep its promise?"""
