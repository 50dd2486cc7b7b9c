"""Cloud Armor: the rules of security policies, which several layers declare."""
