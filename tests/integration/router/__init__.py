"""Does the router keep what it decided, also against rivals?"""
