"""Does the router decide rightly?"""
