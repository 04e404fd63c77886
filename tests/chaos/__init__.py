"""Does it survive?"""
