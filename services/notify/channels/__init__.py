"""How does the outside reach notify other than by Kafka?"""
